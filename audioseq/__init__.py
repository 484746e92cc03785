"""Speech recognition and music on one set of shared recurrent layers.

    audioseq.transcribe("talk.wav").text                    what was said
    audioseq.load("digits").transcribe("talk.wav")          the same, keeping the model for more
    audioseq.compose(seed=7).save("tune.mid")               a piece of music
    audioseq.transcribe_all("clips/", "texts/")             a folder of them, which a killed run goes on with

Everything is imported when it is first used, so that `import audioseq` takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from torch import Tensor

    from audioseq.errors import AudioError as AudioError
    from audioseq.errors import AudioseqError as AudioseqError
    from audioseq.errors import CheckpointError as CheckpointError
    from audioseq.errors import ConfigError as ConfigError
    from audioseq.errors import DataError as DataError
    from audioseq.errors import MidiError as MidiError
    from audioseq.midi import Score as Score
    from audioseq.music.pipeline import compose as compose
    from audioseq.speech.batch.run import transcribe_all as transcribe_all
    from audioseq.speech.decoding.decoder import DecodingOptions as DecodingOptions
    from audioseq.speech.pipeline import load_recogniser as load_recogniser
    from audioseq.speech.transcript import Transcript as Transcript
    from audioseq.training import Task as Task
    from audioseq.training import fit as fit

__version__ = "0.1.0"

_HOMES = {
    "load": "audioseq.speech.pipeline",
    "compose": "audioseq.music.pipeline",
    "Score": "audioseq.midi",
    "transcribe_all": "audioseq.speech.batch.run",
    "BeamSearch": "audioseq.speech.decoding.decoder",
    "Transcript": "audioseq.speech.transcript",
    "fit": "audioseq.training",
    "Task": "audioseq.training",
    "AudioseqError": "audioseq.errors",
    "AudioError": "audioseq.errors",
    "CheckpointError": "audioseq.errors",
    "ConfigError": "audioseq.errors",
    "DataError": "audioseq.errors",
    "MidiError": "audioseq.errors",
}


def transcribe(
    source: str | Path | np.ndarray | Tensor,
    sample_rate: int | None = None,
    *,
    words: bool = False,
    model: str | Path | None = None,
) -> Transcript:
    """Write down what is said in a recording.

    The model is loaded anew each time; for many recordings, keep what `load` returns, or see
    `transcribe_all`.

    Args:
        source: a file that soundfile reads, or a waveform `[N]`, `[N, channels]` or `[channels, N]`.
        sample_rate: of a waveform, in Hz; must be left out for a file.
        words: also say when each word begins and ends, and how sure the model is of it.
        model: name of a model, or path of its file; the first of `audioseq models list` where none is named.
    Raises:
        AudioError: the recording cannot be read, or is not finite.
        CheckpointError: there is no such model, or its file is damaged or of another task.
    """
    from audioseq.speech.pipeline import load_recogniser

    return load_recogniser(model).transcribe(source, sample_rate, words=words)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'audioseq' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted([*_HOMES, "transcribe", "__version__"])
