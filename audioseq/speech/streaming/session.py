"""A stream in progress: blocks of samples in, partial and final texts out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import soxr
from numpy.typing import NDArray

from audioseq.audio import SAMPLE_RATE
from audioseq.audio.io import check_rate
from audioseq.errors import AudioError
from audioseq.speech.decoding.decoder import N_BEST, Decoder
from audioseq.speech.decoding.greedy import greedy
from audioseq.speech.emissions import EmissionModel
from audioseq.speech.longform.chunking import Chunk
from audioseq.speech.longform.merging import SegmentEmissions
from audioseq.speech.longform.speech_detection import SpeechDetector
from audioseq.speech.readable import Punctuator, SegmentWriter
from audioseq.speech.segments import SegmentDecoder
from audioseq.speech.streaming.encoder import StreamingEncoder
from audioseq.speech.streaming.options import StreamOptions
from audioseq.speech.streaming.partial import PartialText
from audioseq.speech.transcript import Segment, Word, to_segment
from audioseq.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class FinalResult:
    """The text of a segment that has ended; it does not change any more."""

    segment: Segment
    words: tuple[Word, ...]


class Session:
    """Transcribes a stream while it arrives; `Recogniser.stream` makes one.

    The blocks may have any length: the result is the same. The memory does not grow with the stream. At the
    end of a `with` block, the stream ends, and the last segment becomes final.

    Args:
        model: the acoustic model.
        tokenizer: its tokenizer.
        segment_decoder: turns the emissions of a segment that has ended into words.
        sample_rate: of the stream, Hz.
        decoder: beam search and language models; None for the best path.
        punctuator: writes the final texts; None to leave them as recognised.
        options: delay and endpointing.
    """

    def __init__(
        self,
        model: EmissionModel,
        tokenizer: Tokenizer,
        segment_decoder: SegmentDecoder,
        sample_rate: int,
        *,
        decoder: Decoder | None,
        punctuator: Punctuator | None,
        options: StreamOptions,
    ) -> None:
        check_rate(sample_rate, "stream")
        self._tokenizer, self._segment_decoder = tokenizer, segment_decoder
        self._frame_seconds, self._windows = model.frame_seconds, model.window_model()
        self._decoder, self._writer, self._options = decoder, SegmentWriter(punctuator), options
        self._resampler = soxr.ResampleStream(sample_rate, SAMPLE_RATE, num_channels=1, dtype="float32")
        self._resamples = sample_rate != SAMPLE_RATE
        self._odd_byte = b""
        self._closed = False
        self._detector = SpeechDetector()
        self._finals: deque[FinalResult] = deque()
        self._start = 0  # first sample of the segment in the stream
        self._blocks: list[NDArray[np.float32]] = []  # samples of the segment
        self._samples = 0  # in the blocks
        self._start_segment()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def seconds(self) -> float:
        """Length of the stream so far, seconds."""
        return (self._start + self._samples) / SAMPLE_RATE

    @property
    def partial(self) -> str:
        """The first words of the segment that has not ended, as recognised; few of them change."""
        return " ".join(self._partial.words)

    def finals(self) -> Iterator[FinalResult]:
        """Yield the segments that ended since the last call, in order."""
        while self._finals:
            yield self._finals.popleft()

    def warnings(self) -> tuple[str, ...]:
        """Return reasons to distrust the text so far."""
        return self._detector.warnings()

    def feed(self, samples: NDArray[Any] | bytes) -> None:
        """Add the next block of the stream.

        Args:
            samples: `[n]` or `[n, channels]`, which are mixed; floats in -1..1 or integers, or bytes of
                signed 16-bit little-endian samples of one channel.
        Raises:
            AudioError: a sample is not finite, the block has another shape, or the stream has ended.
        """
        if self._closed:
            raise AudioError("the stream has ended; start another one")
        block = self._to_float(samples)
        if self._resamples:
            block = self._resampler.resample_chunk(block)
        self._add(block)

    def close(self) -> None:
        """End the stream: the last segment becomes final."""
        if self._closed:
            return
        self._closed = True
        if self._resamples:
            self._add(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        waveform = self._waveform()
        if (emissions := self._encoder.finish(waveform)) is not None:
            self._append(emissions)
        if self._emissions:
            self._finish_segment(waveform, len(self._best))

    def _to_float(self, samples: NDArray[Any] | bytes) -> NDArray[np.float32]:
        if isinstance(samples, bytes):
            data = self._odd_byte + samples
            self._odd_byte = data[len(data) // 2 * 2 :]
            samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2")
        if samples.ndim not in (1, 2) or 0 in samples.shape[1:] or samples.dtype.kind not in "fi":
            raise AudioError(
                f"a block of shape {samples.shape} and type {samples.dtype}: must be [n] or [n, channels], "
                "of floats or signed integers"
            )
        if not np.isfinite(samples).all():
            raise AudioError(f"sample at {self.seconds:.2f} s is not finite; check the source of the stream")
        block = samples.astype(np.float32)
        if samples.dtype.kind == "i":
            block /= -float(np.iinfo(samples.dtype).min)
        return block.mean(axis=1) if block.ndim == 2 else block

    def _add(self, block: NDArray[np.float32]) -> None:
        self._blocks.append(block)
        self._samples += len(block)
        while self._samples >= self._encoder.samples_needed:
            waveform = self._waveform()
            emissions = self._encoder.advance(waveform)
            assert emissions is not None
            self._append(emissions)
            frame = self._options.endpointing.find(self._best, self._frame_seconds)
            if frame is not None:
                self._finish_segment(waveform, frame)

    def _waveform(self) -> NDArray[np.float32]:
        """Return the samples of the segment so far."""
        if len(self._blocks) != 1:
            self._blocks = [np.concatenate([np.zeros(0, np.float32), *self._blocks])]
        return self._blocks[0]

    def _start_segment(self) -> None:
        self._encoder = StreamingEncoder(self._windows, self._options.latency)
        self._search = None if self._decoder is None else self._decoder.beam_decoder.start()
        self._emissions: list[NDArray[np.float32]] = []
        self._best = np.zeros(0, np.int64)
        self._partial = PartialText()

    def _append(self, emissions: NDArray[np.float32]) -> None:
        """Add the emissions of a window `[T, V]` to the segment."""
        self._emissions.append(emissions)
        self._best = np.append(self._best, emissions.argmax(axis=1))
        if self._search is not None:
            self._search.advance(emissions)
            text = self._search.best_text()
        else:
            text = self._tokenizer.decode(greedy(np.concatenate(self._emissions)).tokens)
        self._partial.add(text.split())

    def _finish_segment(self, waveform: NDArray[np.float32], frame: int) -> None:
        """Make the text so far final, and start the next segment at a frame of this one."""
        end = min(round(frame * self._frame_seconds * SAMPLE_RATE), len(waveform))
        if self._closed:
            end = len(waveform)
        log_probs = np.concatenate(self._emissions)
        start, chunk = self._start / SAMPLE_RATE, Chunk(self._start, waveform[:end])
        segment = SegmentEmissions(start, start + end / SAMPLE_RATE, log_probs, chunk)
        decoder = None if self._decoder is None else _FinishedSearch(self._decoder, self._finish_search)
        found = self._segment_decoder.decode([segment], decoder, self._detector)
        for words in filter(None, found):
            written = self._writer.write(words)
            self._finals.append(FinalResult(to_segment(written), tuple(written)))
        self._start += end
        self._blocks = [waveform[end:].copy()]
        self._samples = len(waveform) - end
        self._start_segment()

    def _finish_search(self) -> list[Any]:
        assert self._search is not None
        return self._search.finish(N_BEST)


@dataclass(frozen=True)
class _FinishedSearch:
    """The decoder of a segment whose search has already read all emissions."""

    decoder: Decoder
    finish: Callable[[], list[Any]]

    def decode_words(self, emissions: Sequence[np.ndarray], frame_seconds: float) -> list[list[Word]]:
        """Return the words of the segment; none if it is not speech."""
        return [
            self.decoder.to_words(log_probs, self.decoder.rescore([self.finish()])[0], frame_seconds)
            for log_probs in emissions
        ]
