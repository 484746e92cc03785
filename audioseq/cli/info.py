"""`audioseq info`: what a bug report needs to know about this machine."""

from __future__ import annotations

import os
import platform

from audioseq import __version__
from audioseq.cli.common import put


def info() -> None:
    """Print versions, devices, threads and precision."""
    import numpy
    import soundfile
    import torch
    import torchaudio

    from audioseq.training.precision import probe

    put(f"audioseq\t{__version__}")
    put(f"python\t{platform.python_version()} on {platform.platform()}")
    put(f"torch\t{torch.__version__}")
    put(f"torchaudio\t{torchaudio.__version__}")
    put(f"numpy\t{numpy.__version__}")
    put(f"soundfile\t{soundfile.__version__} ({soundfile.__libsndfile_version__})")
    put(f"cpu\t{torch.get_num_threads()} threads of {os.cpu_count()} cores")
    for index in range(torch.cuda.device_count()):
        put(f"cuda:{index}\t{torch.cuda.get_device_name(index)}")
    put(f"precision\t{probe('cpu')}")
