"""What the protocols and the page share in a process: the models, their threads, and the limits."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from audioseq import audio, models
from audioseq.errors import AudioError
from audioseq.files import printable
from audioseq.server.composing import ComposeOptions, SharedComposer
from audioseq.server.errors import RequestError
from audioseq.server.live import LiveStream, LiveText
from audioseq.server.metrics import Metrics
from audioseq.server.options import ServerOptions
from audioseq.server.recognition import BatchedRecogniser, Cancelled, Job, SegmentCallback, too_long
from audioseq.server.spool import private_folder
from audioseq.speech.decoding.decoder import DecodingOptions
from audioseq.speech.pipeline import load_recogniser
from audioseq.speech.transcript import Transcript

if TYPE_CHECKING:
    from audioseq.music.harmony.pipeline import Harmonisation
    from audioseq.music.pipeline import Composition

THREADS = 32
"""Recordings that are read and transcribed at the same time; most of these threads wait for a batch."""
RETRY_SECONDS = 2
"""Time after which a refused client should try again, seconds."""

T = TypeVar("T")


class Service:
    """Transcribes and composes for concurrent callers in one event loop.

    Args:
        options: the options of the server.
    Raises:
        CheckpointError: the speech model does not exist.
    """

    def __init__(self, options: ServerOptions) -> None:
        self.options = options
        model = options.model or models.default_for("speech")
        self.model_name = Path(model).stem
        """Name of the speech model; of a file, without its folder."""
        self.is_english = model in {known.name for known in models.CATALOGUE}
        """Whether the model is known to be for English only; a file may be for any language."""
        self.model_created = int(models.resolve(model, "speech").stat().st_mtime)
        """Time of the model file, seconds since 1970."""
        self.metrics = Metrics()
        self.active = 0
        """Requests that are being served."""
        self._stack = ExitStack()
        recogniser = load_recogniser(options.model, options.device)
        recommended = None if options.greedy else recogniser.recommended_options
        if recommended is not None:
            recogniser.load_decoder(recommended)  # so that the first request does not wait for it
        self.folder = self._stack.enter_context(private_folder())
        """Private folder for temporary files, removed by `close`."""
        self.recogniser = BatchedRecogniser(recogniser, options.batch_ms / 1000)
        self._composer = SharedComposer(options.music_model, options.harmony_model, options.device)
        self._threads = ThreadPoolExecutor(min(THREADS, options.queue), "transcribe")
        self._composing = ThreadPoolExecutor(1, "compose")
        self._live = ThreadPoolExecutor(1, "live")

    def close(self) -> None:
        """Wait for what runs, end the threads, and remove the temporary files."""
        for executor in (self._threads, self._composing, self._live):
            executor.shutdown(cancel_futures=True)
        self.recogniser.close()
        self._stack.close()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Count a request, from before its upload to its end.

        Raises:
            RequestError: the server has too many requests (429).
        """
        if self.active >= self.options.queue:
            self.metrics.refused.inc()
            raise RequestError(
                f"the server is busy with {self.active} requests; try again in {RETRY_SECONDS} s",
                status=429,
                code="rate_limit_exceeded",
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        self.active += 1
        self.metrics.active.set(self.active)
        try:
            yield
        finally:
            self.active -= 1
            self.metrics.active.set(self.active)

    async def transcribe(
        self,
        source: Path | np.ndarray,
        sample_rate: int | None = None,
        *,
        name: str = "file",
        words: bool = True,
        hotwords: Sequence[str] = (),
        greedy: bool = False,
        progress: Callable[[float, float], object] | None = None,
        on_segment: SegmentCallback | None = None,
    ) -> Transcript:
        """Transcribe a recording, batched with those of other callers.

        Args:
            source: a file, or a waveform as in `audio.stream_array`.
            sample_rate: sample rate of a waveform in Hz.
            name: name of the file in error messages, which may come from the client.
            words: whether the transcript has words with timestamps and confidences.
            hotwords: words or phrases to boost.
            greedy: decode without language models, which is faster; ignored with hotwords.
            progress: called in another thread with the seconds done and the estimated total seconds.
            on_segment: called in another thread with each segment and its words once it is complete.
        Raises:
            AudioError: the recording cannot be read.
            ConfigError: a hotword has characters that the model does not emit.
            RequestError: the recording is too long, or takes too long.
        """
        decoding = self.decoding(hotwords, greedy=greedy)

        def work(cancelled: threading.Event) -> Transcript:
            began = time.perf_counter()
            stream, seconds = self._open(source, sample_rate)
            job = Job(
                stream,
                words=words,
                decoding=decoding,
                max_seconds=self.options.max_seconds,
                cancelled=cancelled,
                progress=None if progress is None else lambda done: progress(done, seconds),
                on_segment=on_segment,
            )
            transcript = self.recogniser.transcribe(job)
            self.metrics.add_transcript(transcript.duration, time.perf_counter() - began)
            return transcript

        try:
            return await self._run(self._threads, work)
        except AudioError as error:
            raise AudioError(str(error).replace(str(source), printable(name), 1)) from error

    def decoding(self, hotwords: Sequence[str] = (), *, greedy: bool = False) -> DecodingOptions | None:
        """Return the decoding options for a request; None for greedy decoding."""
        recommended = self.recogniser.recogniser.recommended_options
        if hotwords:
            return replace(recommended or DecodingOptions(), hotwords=tuple(hotwords))
        return None if greedy or self.options.greedy else recommended

    async def open_live(self, sample_rate: int, hotwords: Sequence[str] = ()) -> LiveStream:
        """Start a live stream of samples at a rate in Hz."""

        def start(cancelled: threading.Event) -> LiveStream:
            return LiveStream(self.recogniser, sample_rate, self.decoding(hotwords))

        return await self._run(self._live, start)

    async def feed_live(self, stream: LiveStream, samples: bytes) -> LiveText:
        """Add signed 16-bit little-endian samples to a live stream, and return what is known then."""
        return await self._run(self._live, lambda cancelled: stream.feed(samples))

    async def finish_live(self, stream: LiveStream) -> LiveText:
        """End a live stream, and return its last segment."""
        known = await self._run(self._live, lambda cancelled: stream.finish())
        self.metrics.audio.inc(stream.seconds)
        return known

    async def compose(self, wanted: ComposeOptions) -> Sequence[Composition | Harmonisation]:
        """Compose pieces; one request after another. Errors as in `SharedComposer.compose`."""
        return await self._run(self._composing, lambda cancelled: self._composer.compose(wanted))

    async def run(self, work: Callable[[], T]) -> T:
        """Run other work that would block the event loop, such as rendering, in a thread."""
        return await self._run(self._composing, lambda cancelled: work())

    def _open(self, source: Path | np.ndarray, sample_rate: int | None) -> tuple[audio.Stream, float]:
        """Open a recording; return it with its estimated duration in seconds."""
        limit = self.options.max_seconds
        if isinstance(source, np.ndarray):
            stream = audio.stream_array(source, sample_rate or audio.SAMPLE_RATE, amplify=True)
            return stream, stream.seconds
        seconds = audio.stream(source).seconds
        if seconds > limit:
            raise too_long(limit)
        # With a duration, as a small file may decode to days of silence.
        return audio.stream(source, amplify=True, duration=limit + 1), seconds

    async def _run(self, executor: Executor, work: Callable[[threading.Event], T]) -> T:
        """Run work in a thread; if the caller is cancelled, wait until the work has stopped."""
        cancelled = threading.Event()
        job = executor.submit(work, cancelled)
        waiting = asyncio.wrap_future(job)
        try:
            async with asyncio.timeout(self.options.timeout_seconds):
                return await asyncio.shield(waiting)
        except (TimeoutError, asyncio.CancelledError) as error:
            cancelled.set()
            if not job.cancel():
                await asyncio.wait([waiting])
                waiting.exception()  # mark it as retrieved
            if isinstance(error, TimeoutError):
                raise RequestError(
                    f"took longer than {self.options.timeout_seconds:g} s; split the recording",
                    status=504,
                    code="timeout",
                ) from None
            raise
        except Cancelled:
            raise RequestError("cancelled", status=499) from None
