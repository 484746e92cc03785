"""Transcribe many recordings, in batches of chunks of similar length from different recordings."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, groupby

from audioseq import audio
from audioseq.audio import Channels
from audioseq.errors import AudioError, AudioseqError
from audioseq.speech.batch.inputs import STDIN, Recording
from audioseq.speech.decoding.decoder import Decoder, Decoding
from audioseq.speech.longform.chunking import Chunk, iter_chunks
from audioseq.speech.longform.merging import ChunkEmissions
from audioseq.speech.pipeline import Recogniser
from audioseq.speech.readable import Punctuator
from audioseq.speech.transcript import Transcript, merge_channels

WINDOW_SECONDS = 600.0
"""Audio whose chunks are sorted by length together: 38 MB of samples, about a hundred sentences."""

ProgressCallback = Callable[[Recording, float], object]
"""Called with a recording and the share of it that is transcribed, 0 to 1."""


@dataclass(frozen=True)
class TranscriptionResult:
    """The transcript of a recording, or the error that prevented it."""

    recording: Recording
    transcript: Transcript | None = None
    error: AudioseqError | None = None
    seconds: float = 0.0
    """Seconds that it took: reading, its share of the batches, and decoding."""


@dataclass
class _Item:
    """A chunk of a recording, or the error that ended reading it."""

    index: int
    """Number of the recording."""
    recording: Recording
    chunk: Chunk | AudioseqError
    channel: int = 0
    """Number of the channel if they are transcribed separately."""
    share: float = 1.0
    """Share of the recording up to the end of the chunk."""
    seconds: float = 0.0
    """Seconds spent on the chunk so far."""
    warnings: list[str] = field(default_factory=list)
    """Warnings about the recording; complete once its last chunk has been read."""
    emissions: ChunkEmissions | None = None


def transcribe_each(
    recogniser: Recogniser,
    recordings: Iterable[Recording],
    *,
    words: bool = False,
    decoding: Decoding = None,
    channels: Channels = "mix",
    raw: bool = False,
    progress: ProgressCallback | None = None,
) -> Iterator[TranscriptionResult]:
    """Yield the transcripts of recordings in their order, or the errors of those that cannot be read.

    Memory does not depend on the number or the length of the recordings. Any exception that a recording
    causes is its error, except a MemoryError; the other recordings are transcribed.

    Args:
        recogniser: the model.
        recordings: opened one by one.
        words, decoding, channels, raw: as in `Recogniser.transcribe`.
        progress: called after each chunk.
    Raises:
        CheckpointError: the language model does not exist.
        ConfigError: a hotword has characters outside the model's alphabet.
    """
    decoder, punctuator = recogniser.choose_decoder(decoding), recogniser.choose_punctuator(raw)
    for _, items in groupby(_items(recogniser, recordings, channels), key=lambda item: item.index):
        yield _decode(recogniser, items, words, decoder, punctuator, channels, progress)


def _decode(
    recogniser: Recogniser,
    items: Iterator[_Item],
    words: bool,
    decoder: Decoder | None,
    punctuator: Punctuator | None,
    channels: Channels,
    progress: ProgressCallback | None,
) -> TranscriptionResult:
    """Decode the chunks of one recording."""
    first = next(items)
    recording, warnings, seconds = first.recording, first.warnings, 0.0

    def emissions(items: Iterable[_Item]) -> Iterator[ChunkEmissions]:
        # `items` also computes chunks of other recordings; this time does not count for this recording.
        nonlocal seconds, warnings
        resumed = time.perf_counter()
        for item in items:
            warnings = item.warnings
            seconds += item.seconds - (time.perf_counter() - resumed)
            if item.emissions is None:
                assert isinstance(item.chunk, AudioseqError)
                raise item.chunk
            yield item.emissions
            if progress is not None:
                progress(recording, item.share)
            resumed = time.perf_counter()
        seconds -= time.perf_counter() - resumed

    began = time.perf_counter()
    transcripts = []
    try:
        for _, part in groupby(chain([first], items), key=lambda item: item.channel):
            transcript = recogniser.transcribe_emissions(
                emissions(part), recording.path, words=words, decoder=decoder, punctuator=punctuator
            )
            transcripts.append(replace(transcript, warnings=(*warnings, *transcript.warnings)))
    except Exception as error:
        if progress is not None:
            progress(recording, 1.0)
        return TranscriptionResult(
            recording, error=to_error(recording, error), seconds=seconds + time.perf_counter() - began
        )
    transcript = merge_channels(transcripts) if channels == "split" else transcripts[0]
    transcript = replace(transcript, offset=recording.offset)
    return TranscriptionResult(recording, transcript, seconds=seconds + time.perf_counter() - began)


def to_error(recording: Recording, error: Exception) -> AudioseqError:
    """Return the one-line error of a recording for any exception; a MemoryError is raised again."""
    if isinstance(error, AudioseqError):
        return error
    if isinstance(error, MemoryError):
        raise error
    if type(error).__name__ == "OutOfMemoryError":  # of torch.cuda; torch may not be installed
        return AudioError(
            f"{recording.path}: the memory of the GPU is full; end other programs that use it, or use "
            "--device cpu"
        )
    message = " ".join(f"{type(error).__name__} {error}".split())
    result = AudioError(
        f"{recording.path}: unexpected {message}; convert it to wav, and report this with the file "
        "(AUDIOSEQ_DEBUG=1 prints the traceback)"
    )
    result.__cause__ = error
    return result


def _items(recogniser: Recogniser, recordings: Iterable[Recording], channels: Channels) -> Iterator[_Item]:
    """Yield the chunks of recordings in order, with emissions computed in batches of similar length."""
    window: list[_Item] = []
    samples = 0
    for index, recording in enumerate(recordings):
        began = time.perf_counter()
        for item in _chunks(index, recording, channels):
            item.seconds = time.perf_counter() - began
            window.append(item)
            samples += len(item.chunk.waveform) if isinstance(item.chunk, Chunk) else 0
            if samples >= WINDOW_SECONDS * audio.SAMPLE_RATE:
                yield from _add_emissions(recogniser, window)
                window, samples = [], 0
            began = time.perf_counter()
    yield from _add_emissions(recogniser, window)


def _add_emissions(recogniser: Recogniser, window: list[_Item]) -> list[_Item]:
    """Compute the emissions of all chunks, sorted by length so that batches have little padding."""
    pairs = [(item, item.chunk) for item in window if isinstance(item.chunk, Chunk)]
    pairs.sort(key=lambda pair: len(pair[1].waveform))
    began = time.perf_counter()
    try:
        computed = list(recogniser.compute_chunk_emissions(chunk for _, chunk in pairs))
        for (item, _), emissions in zip(pairs, computed, strict=True):
            item.emissions = emissions
    except Exception:  # find the recording that caused it
        for item, chunk in pairs:
            try:
                (item.emissions,) = recogniser.compute_chunk_emissions([chunk])
            except Exception as error:
                item.chunk = to_error(item.recording, error)
    seconds_per_sample = (time.perf_counter() - began) / max(
        1, sum(len(chunk.waveform) for _, chunk in pairs)
    )
    for item, chunk in pairs:
        item.seconds += seconds_per_sample * len(chunk.waveform)
    return window


def _chunks(index: int, recording: Recording, channels: Channels) -> Iterator[_Item]:
    """Yield the chunks of a recording, of one channel after another; finally the error, if any."""
    try:
        stream = audio.stream(
            sys.stdin.buffer if recording.path == STDIN else recording.path,
            channels=channels,
            amplify=True,
            offset=recording.offset,
            duration=recording.duration,
        )
        streams = stream.split()
        for channel, blocks in enumerate(streams):
            for chunk in iter_chunks(blocks, audio.SAMPLE_RATE):
                share = min(1.0, chunk.end / audio.SAMPLE_RATE / max(blocks.seconds, 1e-3))
                share = (channel + share) / len(streams)
                yield _Item(index, recording, chunk, channel, share, warnings=blocks.warnings)
    except Exception as error:
        yield _Item(index, recording, to_error(recording, error), channel=-1)
