"""A recogniser that concurrent requests share: their chunks and segments are processed in batches."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from audioseq import audio
from audioseq.server.batching import Batcher
from audioseq.server.errors import RequestError
from audioseq.server.work import Check
from audioseq.speech.decoding.decoder import Decoder, DecodingOptions
from audioseq.speech.longform.chunking import Chunk, iter_chunks
from audioseq.speech.longform.merging import ChunkEmissions
from audioseq.speech.pipeline import BATCH_SECONDS, Recogniser
from audioseq.speech.transcript import Segment, Transcript, Word

DECODING_SECONDS = 30.0
"""Maximum seconds of audio that are decoded together; a longer batch would delay short recordings."""
LOOKAHEAD_CHUNKS = 16
"""Chunks of a recording that are read ahead of its decoding: as many as are decoded together."""


SegmentCallback = Callable[[Segment, Sequence[Word]], object]
"""Called with each segment of a transcript and its words once it is complete."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """A recording to transcribe."""

    stream: audio.Stream = field(kw_only=False)
    words: bool
    """Whether the transcript has words."""
    decoding: DecodingOptions | None
    """None for greedy decoding."""
    max_seconds: float
    """Length at which the recording is refused, seconds."""
    check: Check
    """Called repeatedly; an error that it raises stops the transcription."""
    progress: Callable[[float], object] | None = None
    """Called with the seconds of the recording that are done."""
    on_segment: SegmentCallback | None = None


class _Segment(NamedTuple):
    decoding: DecodingOptions
    log_probs: np.ndarray


class BatchedRecogniser:
    """Transcribes recordings of several threads; the acoustic model and the decoders work on batches.

    Args:
        recogniser: the model.
        wait_seconds: as in `Batcher`.
    """

    def __init__(self, recogniser: Recogniser, wait_seconds: float) -> None:
        self.recogniser = recogniser
        self._loading = threading.Lock()
        self.punctuator = recogniser.choose_punctuator()
        frame_seconds = recogniser.model.frame_seconds
        self._acoustic = Batcher(
            self._compute_emissions,
            cost=lambda chunk: len(chunk.waveform) / audio.SAMPLE_RATE,
            max_cost=BATCH_SECONDS,
            wait_seconds=wait_seconds,
        )
        self._decoding = Batcher(
            self._decode,
            cost=lambda segment: len(segment.log_probs) * frame_seconds,
            max_cost=DECODING_SECONDS,
            wait_seconds=wait_seconds,
        )

    def transcribe(self, job: Job) -> Transcript:
        """Transcribe a recording; called in a thread of the request.

        Raises:
            Cancelled: the check of the job found that it is.
            AudioError: the recording cannot be read.
            RequestError: it is too long.
            CheckpointError, ConfigError: as in `Recogniser.load_decoder`.
        """
        decoder = None if job.decoding is None else _JobDecoder(self._decoding, job)
        transcript = self.recogniser.transcribe_emissions(
            self._emissions(job),
            words=job.words,
            decoder=decoder,
            punctuator=self.punctuator,
            on_segment=job.on_segment,
        )
        return replace(transcript, warnings=(*job.stream.warnings, *transcript.warnings))

    def load_decoder(self, decoding: DecodingOptions) -> Decoder:
        """Load a decoder, or return it from the cache; also called in other threads."""
        with self._loading:
            return self.recogniser.load_decoder(decoding)

    def close(self) -> None:
        """Finish what is queued, and end the threads."""
        self._acoustic.close()
        self._decoding.close()

    def _emissions(self, job: Job) -> Iterator[ChunkEmissions]:
        """Yield the chunks of a recording with their emissions; some chunks are read ahead."""
        pending: deque[Future[ChunkEmissions]] = deque()
        limit = job.max_seconds * audio.SAMPLE_RATE
        try:
            for chunk in iter_chunks(job.stream, audio.SAMPLE_RATE):
                if chunk.end > limit:
                    raise too_long(job.max_seconds)
                pending.append(self._acoustic.submit(job, chunk))
                if len(pending) > LOOKAHEAD_CHUNKS:
                    yield self._next(pending, job)
            while pending:
                yield self._next(pending, job)
        finally:
            for future in pending:
                future.cancel()

    def _next(self, pending: deque[Future[ChunkEmissions]], job: Job) -> ChunkEmissions:
        job.check()
        found = pending.popleft().result()
        if job.progress is not None:
            job.progress(found.chunk.end / audio.SAMPLE_RATE)
        return found

    def _compute_emissions(self, chunks: list[Chunk]) -> list[ChunkEmissions]:
        order = sorted(range(len(chunks)), key=lambda index: len(chunks[index].waveform))
        computed = self.recogniser.compute_chunk_emissions(chunks[index] for index in order)
        found = dict(zip(order, computed, strict=True))
        return [found[index] for index in range(len(chunks))]

    def _decode(self, segments: list[_Segment]) -> list[list[Word]]:
        found: dict[int, list[Word]] = {}
        for decoding in {segment.decoding for segment in segments}:
            decoder = self.load_decoder(decoding)
            chosen = [index for index, segment in enumerate(segments) if segment.decoding == decoding]
            words = decoder.decode_words(
                [segments[index].log_probs for index in chosen], self.recogniser.model.frame_seconds
            )
            found.update(zip(chosen, words, strict=True))
        return [found[index] for index in range(len(segments))]


class _JobDecoder:
    """Decodes the segments of one recording together with those of others."""

    def __init__(self, batcher: Batcher[_Segment, list[Word]], job: Job) -> None:
        self._batcher, self._job = batcher, job

    def decode_words(self, emissions: Sequence[np.ndarray], frame_seconds: float) -> list[list[Word]]:
        assert self._job.decoding is not None
        futures = [self._batcher.submit(self._job, _Segment(self._job.decoding, each)) for each in emissions]
        try:
            return list(self._results(futures))
        finally:
            for future in futures:
                future.cancel()

    def _results(self, futures: Iterable[Future[list[Word]]]) -> Iterator[list[Word]]:
        for future in futures:
            self._job.check()
            yield future.result()


def too_long(max_seconds: float) -> RequestError:
    """Return the error of a recording that is longer than a limit in seconds."""
    return RequestError(
        f"file: is longer than the limit of {max_seconds:g} s; split it",
        code="audio_too_long",
        param="file",
    )
