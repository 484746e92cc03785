"""`audioseq info`: versions, devices and threads, for bug reports."""

from __future__ import annotations

import importlib.util
import os
import platform

from audioseq import __version__
from audioseq.cli.common import log, print_result


def info() -> None:
    """Print versions, devices, threads and precision.

    Include this in a bug report.
    """
    import numpy
    import onnxruntime
    import soundfile

    from audioseq.runtime.session import thread_count

    print_result(f"audioseq\t{__version__}")
    print_result(f"python\t{platform.python_version()} on {platform.platform()}")
    print_result(f"onnxruntime\t{onnxruntime.__version__}, {thread_count()} threads")
    print_result(f"numpy\t{numpy.__version__}")
    print_result(f"soundfile\t{soundfile.__version__} ({soundfile.__libsndfile_version__})")
    if importlib.util.find_spec("torch") is None:
        print_result("torch\tnot installed")
        return
    import torch
    import torchaudio

    from audioseq.training.precision import choose_precision

    print_result(f"torch\t{torch.__version__}")
    print_result(f"torchaudio\t{torchaudio.__version__}")
    devices = {"cpu": f"{torch.get_num_threads()} threads on {os.cpu_count()} cores"}
    for index in range(torch.cuda.device_count()):
        devices[f"cuda:{index}"] = torch.cuda.get_device_name(index)
    for device, description in devices.items():
        precision = choose_precision("auto", torch.device(device), log)
        print_result(f"{device}\t{description}, trains in {str(precision).removeprefix('torch.')}")
