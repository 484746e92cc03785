"""What the protocols and the page share in a process: the models, their threads, and the limits."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from audioseq import audio
from audioseq.errors import AudioError
from audioseq.files import printable
from audioseq.server.composing import ComposeOptions, SharedComposer
from audioseq.server.errors import RequestError
from audioseq.server.live import LiveStream, LiveText
from audioseq.server.metrics import Metrics
from audioseq.server.options import ServerOptions
from audioseq.server.recognition import Job, SegmentCallback, too_long
from audioseq.server.speech import SpeechModel, load_models
from audioseq.server.spool import private_folder
from audioseq.server.work import Check, run_in_thread
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
        CheckpointError: a speech model does not exist, or is damaged.
        ConfigError: two speech models have the same name.
    """

    def __init__(self, options: ServerOptions) -> None:
        self.options = options
        self.models = load_models(options)
        """The speech models by their names, the default one first."""
        self.metrics = Metrics()
        self.active = 0
        """Requests that are being served."""
        self._stack = ExitStack()
        self.folder = self._stack.enter_context(private_folder())
        """Private folder for temporary files, removed by `close`."""
        self._composer = SharedComposer(options.music_model, options.harmony_model, options.device)
        self._threads = ThreadPoolExecutor(min(THREADS, options.queue), "transcribe")
        self._composing = ThreadPoolExecutor(1, "compose")
        self._live = ThreadPoolExecutor(1, "live")

    def close(self) -> None:
        """Wait for what runs, end the threads, and remove the temporary files."""
        for executor in (self._threads, self._composing, self._live):
            executor.shutdown(cancel_futures=True)
        for model in self.models.values():
            model.recogniser.close()
        self._stack.close()

    def find_model(self, name: str | None = None) -> SpeechModel:
        """Return a speech model by its name; the default one if not given.

        Raises:
            RequestError: the server does not have it (404).
        """
        found = next(iter(self.models.values())) if name is None else self.models.get(name)
        if found is None:
            raise RequestError(
                f"the model {str(name)[:100]!r} does not exist; this server has {', '.join(self.models)}",
                status=404,
                code="model_not_found",
                param="model",
            )
        return found

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
        model: SpeechModel,
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
            model: one of `models`.
            source: a file, or a waveform as in `audio.stream_array`.
            sample_rate: sample rate of a waveform in Hz.
            name: name of the file in error messages, which may come from the client.
            words: whether the transcript has words with timestamps and confidences.
            hotwords: words or phrases to boost.
            greedy: as in `SpeechModel.decoding`.
            progress: called in another thread with the seconds done and the estimated total seconds.
            on_segment: called in another thread with each segment and its words once it is complete.
        Raises:
            AudioError: the recording cannot be read.
            ConfigError: a hotword has characters that the model does not emit.
            RequestError: the recording is too long, or takes too long.
        """
        decoding = model.decoding(hotwords, greedy=greedy)

        def work(check: Check) -> Transcript:
            began = time.perf_counter()
            stream = self._open(source, sample_rate)
            job = Job(
                stream,
                words=words,
                decoding=decoding,
                max_seconds=self.options.max_seconds,
                check=check,
                progress=None if progress is None else lambda done: progress(done, stream.seconds),
                on_segment=on_segment,
            )
            transcript = model.recogniser.transcribe(job)
            self.metrics.add_transcript(transcript.duration, time.perf_counter() - began)
            return transcript

        try:
            return await self._run(self._threads, work)
        except AudioError as error:
            raise AudioError(str(error).replace(str(source), printable(name), 1)) from error

    async def open_live(
        self, model: SpeechModel, sample_rate: int, hotwords: Sequence[str] = ()
    ) -> LiveStream:
        """Start a live stream of samples at a rate in Hz."""

        def start(check: Check) -> LiveStream:
            return LiveStream(model.recogniser, sample_rate, model.decoding(hotwords))

        return await self._run(self._live, start)

    async def feed_live(self, stream: LiveStream, samples: bytes) -> LiveText:
        """Add signed 16-bit little-endian samples to a live stream, and return what is known then."""
        return await self._run(self._live, lambda check: stream.feed(samples))

    async def finish_live(self, stream: LiveStream) -> LiveText:
        """End a live stream, and return its last segment."""
        known = await self._run(self._live, lambda check: stream.finish())
        self.metrics.audio.inc(stream.seconds)
        return known

    async def compose(self, wanted: ComposeOptions) -> Sequence[Composition | Harmonisation]:
        """Compose pieces; one request after another. Errors as in `SharedComposer.compose`."""
        return await self._run(self._composing, lambda check: self._composer.compose(wanted, check))

    async def read(self, work: Callable[[Check], T]) -> T:
        """Run work that reads a recording in a thread; it calls its argument repeatedly, to stop."""
        return await self._run(self._threads, work)

    async def run(self, work: Callable[[], T]) -> T:
        """Run other work that would block the event loop, such as rendering, in a thread."""
        return await self._run(self._composing, lambda check: work())

    def _open(self, source: Path | np.ndarray, sample_rate: int | None) -> audio.Stream:
        """Open a recording; RequestError if it is too long by its header."""
        if isinstance(source, np.ndarray):
            return audio.stream_array(source, sample_rate or audio.SAMPLE_RATE, amplify=True)
        limit = self.options.max_seconds
        # With a duration, as a small file may decode to days of silence.
        stream = audio.stream(source, amplify=True, duration=limit + 1)
        if stream.seconds > limit:
            raise too_long(limit)
        return stream

    async def _run(self, executor: Executor, work: Callable[[Check], T]) -> T:
        return await run_in_thread(executor, work, self.options.timeout_seconds)
