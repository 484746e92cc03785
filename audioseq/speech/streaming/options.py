"""Options of a stream: its delay, and where its segments end."""

from __future__ import annotations

from dataclasses import dataclass, field

from audioseq.speech.streaming.endpointing import Endpointing


@dataclass(frozen=True)
class Latency:
    """Division of a stream into windows; the unit is a step of the model's upper stack.

    The emissions of a step need the samples of its window, so they are delayed by at most
    `chunk_steps + lookahead_steps` steps.
    """

    chunk_steps: int = 3
    """Steps that a window adds; fewer steps give a lower delay and need more computation."""
    lookahead_steps: int = 7
    """Steps after them that the backward layers read; fewer steps give a lower delay and more errors."""

    def __post_init__(self) -> None:
        if self.chunk_steps < 1 or self.lookahead_steps < 0:
            raise ValueError(f"{self}: needs at least 1 chunk step and 0 lookahead steps")


@dataclass(frozen=True)
class StreamOptions:
    """Options of a stream."""

    latency: Latency = Latency()
    """Delay of the emissions."""
    endpointing: Endpointing = field(default_factory=Endpointing)
    """Rules that end a segment."""
