"""Streams of samples: recordings decoded block by block to mono, at a level and a sample rate."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from itertools import chain

import numpy as np

from audioseq.audio.levels import Channels, Survey
from audioseq.audio.resampling import resampled
from audioseq.audio.sources import Source
from audioseq.errors import AudioError

SURVEY_SAMPLES = 1 << 21
"""Samples after which an ordinary recording is no longer surveyed: two minutes at 16 kHz."""
KEPT_SAMPLES = 1 << 23
"""Further samples, over all channels, that are kept for the survey of another recording (32 MB); a longer one
is decoded twice."""


class Stream:
    """Recording that is decoded block by block with constant memory; created by `audio.stream`.

    It yields mono float32 blocks `[n]` and can be iterated once; concatenated, the blocks equal `load`.
    Long recordings with several channels or floating-point samples, and long quiet ones that are amplified,
    are decoded twice: levels and channels are those of the whole recording.

    Raises:
        AudioError: while iterating, if nothing can be decoded, or there are NaN or infinite samples.
    """

    def __init__(
        self,
        where: str,
        source: Source,
        sample_rate: int | None,
        *,
        channels: Channels = "mix",
        amplify: bool = False,
        offset: float = 0.0,
        duration: float | None = None,
    ) -> None:
        self.where = where
        """Name of the recording in error messages."""
        self.sample_rate = sample_rate or source.rate
        """Sample rate of the blocks, Hz."""
        self.warnings: list[str] = []
        """What is missing or wrong in the recording, one line each; complete when all blocks are read."""
        _check_channels(channels, source.channels, where)
        self._source, self._channels, self._amplify = source, channels, amplify
        self._offset, self._duration = offset, duration
        self._mutes_crosstalk = False

    @property
    def seconds(self) -> float:
        """Duration by the header of what is read, seconds; for some formats an estimate."""
        rest = max(0.0, self._source.seconds - self._offset)
        return rest if self._duration is None else min(rest, self._duration)

    @property
    def channels(self) -> int:
        """Number of channels of the recording."""
        return self._source.channels

    def split(self) -> list[Stream]:
        """Return a stream for each channel if `channels` is `split`, else only this one.

        The streams decode the recording one after another. A channel that has only crosstalk is silent.
        """
        if self._channels != "split":
            return [self]
        streams = [copy.copy(self) for _ in range(self.channels)]
        for number, each in enumerate(streams, 1):
            each._channels, each._mutes_crosstalk, each.warnings = number, True, []
        if self.channels == 1:
            streams[0].warnings.append("has one channel, so everything is from speaker 1")
        return streams

    def __iter__(self) -> Iterator[np.ndarray]:
        return resampled(self._mono(), self._source.rate, self.sample_rate)

    def _mono(self) -> Iterator[np.ndarray]:
        """Yield the samples of the recording, mixed to mono."""
        rate, done = self._source.rate, 0
        blocks, weights, gain = self._survey()
        for block in blocks:
            mono = block.mean(axis=1) if weights is None else block @ weights
            _check_finite(mono, round(self._offset * rate) + done, rate, self.where)
            done += len(mono)
            yield mono if gain == 1 else mono * np.float32(gain)
        self.warnings[:0] = self._source.warnings
        if not done and self._offset:
            raise AudioError(f"{self.where}: ends before {self._offset:.2f} s; correct its offset")
        check_not_empty(done, self.where)

    def _survey(self) -> tuple[Iterator[np.ndarray], np.ndarray | None, float]:
        """Return the blocks, the weights of the channels (None for their mean) and the gain."""
        source = self._source
        survey = Survey(source.channels, source.rate, is_float=source.is_float)
        blocks = self._blocks()

        def add(samples: int) -> Iterator[np.ndarray]:
            while samples > 0 and (block := next(blocks, None)) is not None:
                survey.add(block)
                samples -= block.size
                yield block

        start = list(add(SURVEY_SAMPLES))
        if not survey.is_ordinary():
            start += add(KEPT_SAMPLES)
            if sum(len(block) for block in add(sys.maxsize)):
                start, blocks = [], self._blocks()
        weights, warnings = survey.choose_channels()
        if self._channels != "mix":
            chosen = {"left": 1, "right": 2}.get(str(self._channels), self._channels)
            weights, warnings = np.zeros_like(weights), []
            channel = min(int(chosen), source.channels) - 1
            weights[channel] = not (self._mutes_crosstalk and survey.is_silent(channel))
        gain, quiet = survey.choose_gain(weights, amplify=self._amplify)
        self.warnings += warnings + quiet
        is_mean = bool((weights == np.float32(1 / source.channels)).all())
        return chain(start, blocks), None if is_mean else weights, gain

    def _blocks(self) -> Iterator[np.ndarray]:
        """Yield the blocks `[n, channels]` between the offset and the end of the part."""
        left = sys.maxsize
        if self._duration is not None:
            left = max(1, round(self._duration * self._source.rate))
        for block in self._source.blocks(self._offset):
            if left > 0 and len(block):
                yield block[:left]
            left -= len(block)
            if left <= 0:
                return


def _check_channels(channels: Channels, count: int, where: str) -> None:
    if channels not in ("mix", "left", "right", "split", *range(1, count + 1)):
        raise AudioError(
            f"{where}: has no channel {channels!r}; choose mix, left, right, split or a number up to {count}"
        )


def check_not_empty(samples: int, where: str) -> None:
    """Raise an AudioError for a recording without samples."""
    if not samples:
        raise AudioError(f"{where}: has no samples; record or export it again")


def _check_finite(waveform: np.ndarray, start: int, rate: int, where: str) -> None:
    """Raise an AudioError if a block that begins at sample `start` has NaN or infinite samples."""
    finite = np.isfinite(waveform)
    if not finite.all():
        second = (start + int(np.argmin(finite))) / rate
        raise AudioError(f"{where}: has NaN or infinite samples from {second:.2f} s on; export it again")
