"""Many recordings, transcribed in batches of pieces of like length, whichever recordings those are from."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby

import numpy as np

from audioseq import audio
from audioseq.errors import AudioError, AudioseqError
from audioseq.speech.batch.inputs import STDIN, Recording
from audioseq.speech.decoding.decoder import Decoder, Decoding
from audioseq.speech.longform.chunking import Chunk, iter_chunks
from audioseq.speech.longform.merging import ChunkEmissions
from audioseq.speech.pipeline import Recogniser
from audioseq.speech.transcript import Transcript

WINDOW_SECONDS = 600.0
"""Seconds of audio that are sorted by length at once: 38 MB of samples, about a hundred sentences."""

ProgressCallback = Callable[[Recording, float], object]
"""Is told a recording, and the share of it that is transcribed."""


@dataclass(frozen=True)
class TranscriptionResult:
    """What became of a recording: a transcript, or the error that there is instead of one."""

    recording: Recording
    transcript: Transcript | None = None
    error: AudioseqError | None = None
    seconds: float = 0.0
    """That it took: reading, its part of the batches it was in, and the decoder."""


@dataclass
class _Item:
    """A piece of a recording, or what is wrong with the recording from there on."""

    place: int
    """Of the recording among the others."""
    recording: Recording
    chunk: Chunk | AudioseqError
    share: float
    """Of the recording, up to the end of the piece."""
    seconds: float
    """That it took so far."""
    heard: ChunkEmissions | None = None


def transcribe_each(
    recogniser: Recogniser,
    recordings: Iterable[Recording],
    *,
    words: bool = False,
    decoding: Decoding = None,
    progress: ProgressCallback | None = None,
) -> Iterator[TranscriptionResult]:
    """Yield the transcripts of recordings in their order, or what is wrong with those that cannot be read.

    Memory depends neither on how many recordings there are nor on how long they are.

    Args:
        recogniser: the model.
        recordings: they are opened one by one.
        words, beam: as in `Recogniser.transcribe`.
        progress: called after each piece.
    Raises:
        CheckpointError: there is no such language model.
        ConfigError: the model cannot spell a hotword.
    """
    decoder = recogniser.decoder_for(decoding)
    for _, items in groupby(_heard(recogniser, recordings), key=lambda item: item.place):
        yield _outcome(recogniser, items, words, decoder, progress)


def _outcome(
    recogniser: Recogniser,
    items: Iterator[_Item],
    words: bool,
    decoder: Decoder | None,
    progress: ProgressCallback | None,
) -> TranscriptionResult:
    """Write down what was heard in the pieces of one recording."""
    first = next(items)
    recording, seconds = first.recording, 0.0
    waited = time.perf_counter()

    def heard() -> Iterator[ChunkEmissions]:
        nonlocal seconds, waited
        for item in chain([first], items):
            seconds += item.seconds - (time.perf_counter() - waited)
            if item.heard is None:
                assert isinstance(item.chunk, AudioseqError)
                raise item.chunk
            yield item.heard
            if progress is not None:
                progress(recording, item.share)
            waited = time.perf_counter()
        seconds -= time.perf_counter() - waited

    began = waited
    try:
        transcript = recogniser.transcript(heard(), recording.path, words=words, decoder=decoder)
    except AudioseqError as error:
        if progress is not None:
            progress(recording, 1.0)
        return TranscriptionResult(recording, error=error, seconds=seconds + time.perf_counter() - began)
    return TranscriptionResult(recording, transcript, seconds=seconds + time.perf_counter() - began)


def _heard(recogniser: Recogniser, recordings: Iterable[Recording]) -> Iterator[_Item]:
    """Yield the pieces of recordings in order, after they were heard in batches of like length."""
    window: list[_Item] = []
    samples = 0
    for place, recording in enumerate(recordings):
        began = time.perf_counter()
        for piece, share in _pieces(recording):
            window.append(_Item(place, recording, piece, share, time.perf_counter() - began))
            samples += len(piece.waveform) if isinstance(piece, Chunk) else 0
            if samples >= WINDOW_SECONDS * audio.SAMPLE_RATE:
                yield from _sorted_and_heard(recogniser, window)
                window, samples = [], 0
            began = time.perf_counter()
    yield from _sorted_and_heard(recogniser, window)


def _sorted_and_heard(recogniser: Recogniser, window: list[_Item]) -> list[_Item]:
    found = [(item, item.chunk) for item in window if isinstance(item.chunk, Chunk)]
    found.sort(key=lambda pair: len(pair[1].waveform))
    began = time.perf_counter()
    for (item, _), heard in zip(
        found, recogniser.compute_chunk_emissions(piece for _, piece in found), strict=True
    ):
        item.heard = heard
    rate = (time.perf_counter() - began) / max(1, sum(len(piece.waveform) for _, piece in found))
    for item, piece in found:
        item.seconds += rate * len(piece.waveform)
    return window


def _pieces(recording: Recording) -> Iterator[tuple[Chunk | AudioseqError, float]]:
    """Yield the pieces of a recording, each with the share of it up to there; at last an error, if any."""
    try:
        blocks = audio.stream(sys.stdin.buffer if recording.path == STDIN else recording.path)
        seconds = blocks.seconds if recording.duration is None else recording.duration
        for piece in iter_chunks(_stretch(blocks, recording), audio.SAMPLE_RATE):
            yield piece, min(1.0, piece.end / audio.SAMPLE_RATE / max(seconds, 1e-3))
    except AudioseqError as error:
        yield error, 1.0


def _stretch(blocks: audio.Stream, recording: Recording) -> Iterator[np.ndarray]:
    """Yield the samples of the stretch of a recording that is wanted."""
    if recording.offset:
        if recording.offset >= blocks.seconds:
            raise AudioError(
                f"{recording.path}: has {blocks.seconds:.2f} s, but the stretch {recording.name} starts at "
                f"{recording.offset:.2f} s; correct its offset"
            )
        blocks.sound.seek(round(recording.offset * blocks.sound.samplerate))
    if recording.duration is None:
        yield from blocks
        return
    left = max(1, round(recording.duration * audio.SAMPLE_RATE))
    for block in blocks:
        yield block[:left]
        left -= len(block)
        if left <= 0:
            return
