"""Live streams for requests: blocks of samples in, partial and final texts out."""

from __future__ import annotations

from dataclasses import dataclass

from audioseq.server.recognition import BatchedRecogniser
from audioseq.speech.decoding.decoder import DecodingOptions
from audioseq.speech.streaming.options import StreamOptions
from audioseq.speech.streaming.session import FinalResult, Session


@dataclass(frozen=True)
class LiveText:
    """What is known after a block."""

    partial: str
    """The text of the segment that has not ended, which may change."""
    finals: tuple[FinalResult, ...] = ()
    """The segments that ended with the block."""


class LiveStream:
    """A stream whose text is known while it arrives. Its methods compute, so they are called in threads.

    Args:
        shared: its model, decoders and punctuation are used.
        sample_rate: of the samples, Hz.
        decoding: None for greedy decoding.
    """

    def __init__(self, shared: BatchedRecogniser, sample_rate: int, decoding: DecodingOptions | None) -> None:
        self._session = Session(
            shared.recogniser.model,
            shared.recogniser.tokenizer,
            shared.recogniser.segment_decoder,
            sample_rate,
            decoder=None if decoding is None else shared.load_decoder(decoding),
            punctuator=shared.punctuator,
            options=StreamOptions(),
        )

    @property
    def seconds(self) -> float:
        """Length of the stream so far."""
        return self._session.seconds

    def feed(self, samples: bytes) -> LiveText:
        """Add signed 16-bit little-endian samples, and return what is known now."""
        self._session.feed(samples)
        return LiveText(self._session.partial, tuple(self._session.finals()))

    def finish(self) -> LiveText:
        """End the stream, and return its last segment."""
        self._session.close()
        return LiveText("", tuple(self._session.finals()))
