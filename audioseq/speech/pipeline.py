"""From a model file and a recording to a transcript."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from audioseq import audio, checkpoint, models
from audioseq.checkpoint import Header
from audioseq.config import parse
from audioseq.data import pad
from audioseq.errors import AudioseqError
from audioseq.speech.align import Span, to_words
from audioseq.speech.config import SpeechConfig
from audioseq.speech.decode import greedy
from audioseq.speech.model import AcousticModel, build
from audioseq.speech.search import Beam, BeamSearch, Search, advised
from audioseq.speech.segment import cut
from audioseq.speech.transcript import Segment, Transcript, Word
from audioseq.text.subwords import restore
from audioseq.text.tokenizer import Tokenizer
from audioseq.training.distributed import choose_device

MAX_SECONDS = 20.0
"""Longest piece given to the model at once; longer recordings are cut at their quietest points."""
BATCH_SECONDS = 60.0
"""Seconds of audio, padding counted, that are in memory as activations at once."""


class Piece(NamedTuple):
    """What the model heard in one stretch of a recording."""

    start: float
    """Seconds from the beginning of the recording."""
    end: float
    log_probs: np.ndarray
    """`[T', V]`."""


class Recogniser:
    """A trained speech model that turns recordings into text.

    Args:
        model: the acoustic model, with its weights.
        tokenizer: the alphabet it emits.
        header: what the model file says about it.
        device: where it runs.
    """

    def __init__(
        self, model: AcousticModel, tokenizer: Tokenizer, header: Header, device: torch.device
    ) -> None:
        self.model = model.to(device).eval()
        self.tokenizer = tokenizer
        self.header = header
        self.device = device
        self._searches: dict[BeamSearch, Search] = {}

    def transcribe(
        self,
        source: str | Path | np.ndarray | Tensor,
        sample_rate: int | None = None,
        *,
        words: bool = False,
        beam: Beam = None,
    ) -> Transcript:
        """Write down what is said in a recording.

        Args:
            source: a file that soundfile reads, or a waveform `[N]`, `[N, channels]` or `[channels, N]`.
            sample_rate: of a waveform, in Hz; must be left out for a file.
            words: also say when each word begins and ends, and how sure the model is of it.
            beam: how to search for the most probable text, perhaps with a language model or hotwords;
                `greedy` takes the most probable token of each frame, None what the model's card advises.
        Raises:
            AudioError: the recording cannot be read, or is not finite.
            CheckpointError: there is no such language model.
            ConfigError: the model cannot spell a hotword.
        """
        if isinstance(source, str | Path):
            if sample_rate is not None:
                raise AudioseqError(f"{source}: a file says its sample rate itself; leave out sample_rate")
            path, waveform = str(source), audio.load(source)
        else:
            if sample_rate is None:
                raise AudioseqError(
                    "a waveform needs its sample_rate, in Hz: transcribe(waveform, sample_rate=44100)"
                )
            path, waveform = None, audio.prepare(np.asarray(source), sample_rate)
        segments: list[Segment] = []
        spoken: list[Word] = []
        search = self.chosen(beam)
        for piece in self.listen(waveform):
            if found := self._words(piece, search):
                segments.append(Segment(found[0].start, found[-1].end, " ".join(w.word for w in found)))
                spoken += found
        return Transcript(
            path=path,
            text=" ".join(segment.text for segment in segments),
            duration=len(waveform) / audio.SAMPLE_RATE,
            segments=tuple(segments),
            words=tuple(spoken) if words else (),
        )

    @property
    def usual(self) -> BeamSearch | None:
        """The search that the model's card advises, if it does."""
        return advised(self.header.card)

    def chosen(self, beam: Beam) -> Search | None:
        """Return what searches as asked, None if that is greedy; errors as in `search`."""
        if beam == "greedy":
            return None
        beam = beam or self.usual
        return None if beam is None else self.search(beam)

    def search(self, beam: BeamSearch) -> Search:
        """Return what searches for texts in the emissions that `listen` yields; it is kept for the next time.

        Raises:
            CheckpointError: there is no such language model.
            ConfigError: the model cannot spell a hotword.
        """
        if beam not in self._searches:
            self._searches[beam] = Search(beam, self.tokenizer, self.header.card)
        return self._searches[beam]

    def _words(self, piece: Piece, search: Search | None) -> list[Word]:
        """Return the words of a piece, with their times in the recording."""
        if search is not None:
            words = search.words(piece.log_probs, self.model.frame_seconds)
        else:
            heard = greedy(piece.log_probs)
            # The greedy path is the best of all paths, so it is the forced alignment of its own text too.
            spans = [Span(*frames, score) for frames, score in zip(heard.frames, heard.scores, strict=True)]
            words = to_words(heard.tokens, spans, self.tokenizer, self.model.frame_seconds)
        return [
            replace(word, start=word.start + piece.start, end=min(word.end + piece.start, piece.end))
            for word in words
        ]

    def listen(self, waveform: np.ndarray) -> Iterator[Piece]:
        """Yield the emissions of each stretch of a waveform `[N]` at 16 kHz, in order."""
        pieces = cut(waveform, audio.SAMPLE_RATE, MAX_SECONDS)
        emissions = self.emit([waveform[start:end] for start, end in pieces])
        for (start, end), log_probs in zip(pieces, emissions, strict=True):
            yield Piece(start / audio.SAMPLE_RATE, end / audio.SAMPLE_RATE, log_probs)

    def emit(self, waveforms: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield log-probabilities `[T', V]` for waveforms `[N]` at 16 kHz, in order, computed in batches."""
        for batch in _batches(waveforms, int(BATCH_SECONDS * audio.SAMPLE_RATE)):
            padded, lengths = pad([torch.from_numpy(waveform) for waveform in batch])
            emissions = self.model.emit(padded.to(self.device), lengths.to(self.device))
            rows = emissions.log_probs.cpu().numpy()
            for row, length in zip(rows, emissions.lengths.tolist(), strict=True):
                yield row[:length]


def load(model: str | Path | None = None, device: str = "auto") -> Recogniser:
    """Open a speech model by its name or the path of its file, or the one that is used when none is named.

    Raises:
        CheckpointError: there is no such model, or the file is damaged or of another task.
        ConfigError: the device does not exist.
    """
    model = model if model is not None else models.default_for("speech")
    stored = checkpoint.load(models.resolve(model, task="speech"), task="speech")
    config = parse(SpeechConfig, stored.header.config, f"the config in {model}")
    tokenizer = restore(stored.header.tokenizer)
    network = build(config, tokenizer)
    stored.fill(network, model)
    return Recogniser(network, tokenizer, stored.header, choose_device(device))


def _batches(waveforms: Iterable[np.ndarray], most: int) -> Iterator[list[np.ndarray]]:
    """Group neighbours so that a padded batch has at most `most` samples (or is a single waveform)."""
    batch: list[np.ndarray] = []
    longest = 0
    for waveform in waveforms:
        if batch and max(longest, len(waveform)) * (len(batch) + 1) > most:
            yield batch
            batch, longest = [], 0
        batch.append(waveform)
        longest = max(longest, len(waveform))
    if batch:
        yield batch
