"""`audioseq info`: what a bug report needs to know about this machine."""

from __future__ import annotations

import os
import platform

from audioseq import __version__
from audioseq.cli.common import note, put


def info() -> None:
    """Print versions, devices, threads and precision."""
    import numpy
    import soundfile
    import torch
    import torchaudio

    from audioseq.training.precision import choose_precision

    put(f"audioseq\t{__version__}")
    put(f"python\t{platform.python_version()} on {platform.platform()}")
    put(f"torch\t{torch.__version__}")
    put(f"torchaudio\t{torchaudio.__version__}")
    put(f"numpy\t{numpy.__version__}")
    put(f"soundfile\t{soundfile.__version__} ({soundfile.__libsndfile_version__})")
    devices = {"cpu": f"{torch.get_num_threads()} threads on {os.cpu_count()} cores"}
    for index in range(torch.cuda.device_count()):
        devices[f"cuda:{index}"] = torch.cuda.get_device_name(index)
    for device, description in devices.items():
        precision = choose_precision("auto", torch.device(device), note)
        put(f"{device}\t{description}, trains in {str(precision).removeprefix('torch.')}")
