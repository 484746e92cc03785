"""Speech recognition on one set of shared recurrent layers.

    audioseq.transcribe("talk.wav").text                    what was said
    audioseq.load("english-small").transcribe("talk.wav")   the same, keeping the model for more

The names below are imported when they are first used, so that `import audioseq` takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audioseq.errors import AudioError as AudioError
    from audioseq.errors import AudioseqError as AudioseqError
    from audioseq.errors import CheckpointError as CheckpointError
    from audioseq.errors import ConfigError as ConfigError
    from audioseq.errors import DataError as DataError
    from audioseq.speech.pipeline import load as load
    from audioseq.speech.pipeline import transcribe as transcribe
    from audioseq.speech.transcript import Transcript as Transcript
    from audioseq.training import Task as Task
    from audioseq.training import fit as fit

__version__ = "0.1.0"

_HOMES = {
    "load": "audioseq.speech.pipeline",
    "transcribe": "audioseq.speech.pipeline",
    "Transcript": "audioseq.speech.transcript",
    "fit": "audioseq.training",
    "Task": "audioseq.training",
    "AudioseqError": "audioseq.errors",
    "AudioError": "audioseq.errors",
    "CheckpointError": "audioseq.errors",
    "ConfigError": "audioseq.errors",
    "DataError": "audioseq.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'audioseq' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted([*_HOMES, "__version__"])
