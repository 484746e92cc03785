"""Candidates: several drafts for each piece, of which the best becomes the piece."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from audioseq.music.composing.composition import Composition
from audioseq.music.generation.draft import Draft


class Job(NamedTuple):
    """One candidate to generate.

    Args:
        seed: of all pieces of a call.
        number: index of the piece, from 0.
        attempt: index of the candidate for this piece, from 0.
    """

    seed: int
    number: int
    attempt: int

    def random(self, purpose: int) -> np.random.Generator:
        """Return the source of randomness for a purpose, which depends on nothing else but the job."""
        return np.random.default_rng([*self, purpose])


DRAFTING, FINISHING, PEDALLING = range(1, 4)
"""Purposes of randomness: the events of a draft, and the velocities and the pedal of the finished piece."""


@dataclass(frozen=True)
class Candidate:
    """A finished candidate; the best has the fewest faults, and of these the fewest nats.

    Args:
        piece: the result if it is the best.
        faults: number of faults, such as a copy of the training data or a missing cadence.
        nats: negative log-likelihood per event, of the events by which candidates are compared.
    """

    piece: Composition
    faults: int
    nats: float


@dataclass(frozen=True)
class Plan:
    """A candidate before its generation.

    Args:
        draft: what the model begins with, and what it may add.
        finish: called when the draft is complete.
    """

    draft: Draft
    finish: Callable[[], Candidate]
