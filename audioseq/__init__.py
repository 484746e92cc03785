"""Speech recognition and music generation on shared recurrent layers.

    import audioseq

    audioseq.transcribe("talk.wav").text                   # transcribe a recording
    audioseq.load("digits").transcribe("talk.wav")         # load a model once, transcribe many recordings
    audioseq.transcribe_all("clips/", "texts/")            # transcribe a folder; can be resumed
    audioseq.compose(seed=7).save("tune.mid")              # generate music
    audioseq.fill("tune.mid", bars=(9, 16)).save("b.mid")  # rewrite some bars of a piece
    audioseq.punctuate("hello how are you")                # restore punctuation and capitals

Names are imported on first use, so `import audioseq` does not load PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from torch import Tensor

    from audioseq.audio import Channels
    from audioseq.errors import (
        AudioError,
        AudioseqError,
        CheckpointError,
        ConfigError,
        DataError,
        FileError,
        MidiError,
    )
    from audioseq.language.punctuation.pipeline import punctuate_text as punctuate
    from audioseq.midi import Score
    from audioseq.music.harmony.pipeline import harmonise_melody as harmonise
    from audioseq.music.pipeline import accompany, compose, continue_from, fill, vary
    from audioseq.speech.batch.run import transcribe_all
    from audioseq.speech.decoding.decoder import DecodingOptions
    from audioseq.speech.pipeline import load_recogniser as load
    from audioseq.speech.transcript import Transcript
    from audioseq.training import Task, fit

__version__ = "0.2.0"

__all__ = [
    "AudioError",
    "AudioseqError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DecodingOptions",
    "FileError",
    "MidiError",
    "Score",
    "Task",
    "Transcript",
    "accompany",
    "compose",
    "continue_from",
    "fill",
    "fit",
    "harmonise",
    "load",
    "punctuate",
    "transcribe",
    "transcribe_all",
    "vary",
]

_SOURCES = {
    "load": "audioseq.speech.pipeline.load_recogniser",
    "compose": "audioseq.music.pipeline.compose",
    "continue_from": "audioseq.music.pipeline.continue_from",
    "fill": "audioseq.music.pipeline.fill",
    "vary": "audioseq.music.pipeline.vary",
    "accompany": "audioseq.music.pipeline.accompany",
    "harmonise": "audioseq.music.harmony.pipeline.harmonise_melody",
    "punctuate": "audioseq.language.punctuation.pipeline.punctuate_text",
    "Score": "audioseq.midi.Score",
    "transcribe_all": "audioseq.speech.batch.run.transcribe_all",
    "DecodingOptions": "audioseq.speech.decoding.decoder.DecodingOptions",
    "Transcript": "audioseq.speech.transcript.Transcript",
    "fit": "audioseq.training.fit",
    "Task": "audioseq.training.Task",
    "AudioseqError": "audioseq.errors.AudioseqError",
    "AudioError": "audioseq.errors.AudioError",
    "CheckpointError": "audioseq.errors.CheckpointError",
    "ConfigError": "audioseq.errors.ConfigError",
    "DataError": "audioseq.errors.DataError",
    "FileError": "audioseq.errors.FileError",
    "MidiError": "audioseq.errors.MidiError",
}
"""Public names, each with the object that it stands for."""


def transcribe(
    source: str | Path | np.ndarray | Tensor,
    sample_rate: int | None = None,
    *,
    words: bool = False,
    model: str | Path | None = None,
    channels: Channels = "mix",
    raw: bool = False,
) -> Transcript:
    """Transcribe a recording.

    The model is loaded on each call. To transcribe many recordings, use `load` or `transcribe_all`.

    Args:
        source: path of an audio file, or a waveform `[N]`, `[N, channels]` or `[channels, N]`.
        sample_rate: sample rate of a waveform in Hz; must not be given for a file.
        words: whether to return the start, end and confidence of each word.
        model: name of a model or path of a model file; the default speech model if not given.
        channels: `mix`, `left`, `right`, the number of a channel from 1, or `split` to transcribe each
            channel as a speaker.
        raw: leave out punctuation, capitals and figures, which the default model has.
    Returns:
        the text, its segments, and the words if they were requested.
    Raises:
        AudioError: the recording cannot be read, or contains values that are not finite.
        CheckpointError: there is no such model, or its file is damaged or made for another task.
    """
    from audioseq.speech.pipeline import load_recogniser

    return load_recogniser(model).transcribe(source, sample_rate, words=words, channels=channels, raw=raw)


def __getattr__(name: str) -> Any:
    if name not in _SOURCES:
        raise AttributeError(f"module 'audioseq' has no attribute {name!r}")
    module, _, attribute = _SOURCES[name].rpartition(".")
    value = globals()[name] = getattr(importlib.import_module(module), attribute)
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
