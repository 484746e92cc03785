"""The composer: a trained model, and what it can do with and without music of the user."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from audioseq.checkpoint import Header
from audioseq.errors import ConfigError
from audioseq.midi import Score
from audioseq.music.composing.accompaniment import AccompanimentPlanner, read_melody
from audioseq.music.composing.candidates import Job, Plan
from audioseq.music.composing.composition import Composition
from audioseq.music.composing.conditions import read_conditions
from audioseq.music.composing.form import build, section_bars
from audioseq.music.composing.options import CompositionOptions, check_range
from audioseq.music.composing.pieces import PiecePlanner, read_start
from audioseq.music.composing.revision import RevisionPlanner, bars_to_fill, bars_to_vary
from audioseq.music.generation.generate import generate
from audioseq.music.generation.sampling import Sampling, resolve_seed
from audioseq.music.generation.stepper import EventStep
from audioseq.music.memorisation.fingerprint import Fingerprint

DEFAULT_SAMPLING = Sampling(temperature=1.05, top_p=0.98)
"""A temperature slightly above 1 adds variety; top-p removes the least likely values."""
CANDIDATES = 8
"""Candidates for each result that must fit music of the user, unless `best_of` is given."""
DEFAULT_STRENGTH = 0.5
"""Share of the bars that a variation changes."""
MAX_BATCH_PIECES = 64
"""Pieces that are generated at once, and limit of `count` and `best_of`."""


class Composer:
    """A trained music model that composes pieces.

    Args:
        step: the network with its weights.
        header: header of the model file.
        training_runs: runs of notes of the training data to avoid, if the model file has them.
    """

    def __init__(self, step: EventStep, header: Header, training_runs: Fingerprint | None = None) -> None:
        self.step = step
        self.header = header
        self.training_runs = training_runs
        self.training_conditions = read_conditions(header.tokenizer["asked"])

    def compose(
        self,
        seed: int | None = None,
        *,
        count: int = 1,
        options: CompositionOptions | None = None,
        sampling: Sampling | None = None,
        primer: Score | None = None,
        with_primer: bool = True,
        best_of: int = 1,
        check: Callable[[], object] | None = None,
    ) -> list[Composition]:
        """Compose pieces, as one batch.

        Args:
            seed: 0 or more; equal seeds give equal pieces (same version and processor). Random if not given.
            count: number of pieces.
            options: requested properties.
            sampling: options of sampling; default `DEFAULT_SAMPLING`.
            primer: music that each piece continues.
            with_primer: whether the result includes the primer.
            best_of: number of candidates per piece. The result is the likeliest candidate that ends with a
                cadence, is neither stuck nor a loop, and copies no training data, if any; events that repeat
                an earlier bar do not count, so that repetition has no advantage.
            check: called before each event; an error that it raises stops the generation.
        Raises:
            ConfigError: a value is out of range.
        """
        options, known = options or CompositionOptions(), self.training_conditions
        seed = _check(seed, count, best_of)
        if primer is not None and options.pickup is not None:
            raise ConfigError("pickup and primer exclude each other; leave out one of them")
        start = read_start(self.step, known, primer, options) if primer is not None else None
        plan = PiecePlanner(known, self.training_runs, options, start, with_primer, best_of > 1)
        return self._generate(plan, seed, count, best_of, sampling, check)

    def compose_form(
        self,
        form: str,
        seed: int | None = None,
        *,
        count: int = 1,
        options: CompositionOptions | None = None,
        sampling: Sampling | None = None,
        best_of: int = 1,
        check: Callable[[], object] | None = None,
    ) -> list[Composition]:
        """Compose pieces with a form of sections, such as AABA.

        A section that returns is a copy whose last two bars are rewritten.

        Args:
            form: a letter for each section.
            seed: as in `compose`.
            count: number of pieces.
            options: requested properties; bars is the length of the whole piece, by default eight a section.
            sampling: options of sampling; default `DEFAULT_SAMPLING`.
            best_of: number of candidates for each section and each return, as in `compose` and `fill`.
            check: called before each event; an error that it raises stops the generation.
        Raises:
            ConfigError: a value is out of range, the length is in seconds or no multiple of the sections, or
                chords are given.
        """
        options, seed = options or CompositionOptions(), _check(seed, count, best_of)
        bars = section_bars(form, options)
        more = {"sampling": sampling, "best_of": best_of, "check": check}
        return [build(self, form, bars, Job(seed, number, 0), options, more) for number in range(count)]

    def fill(
        self,
        score: Score,
        bars: tuple[int, int],
        seed: int | None = None,
        *,
        count: int = 1,
        options: CompositionOptions | None = None,
        sampling: Sampling | None = None,
        best_of: int = CANDIDATES,
        check: Callable[[], object] | None = None,
    ) -> list[Composition]:
        """Rewrite some bars of a piece, to fit the bars before and after them.

        The notes that begin in other bars, and all drums, are unchanged. New notes end with the last of these
        bars.

        Args:
            score: music of the user.
            bars: first and last bar, from 1; both are rewritten.
            seed: as in `compose`.
            count: number of results.
            options: style, key, density and chords of the new bars; by default those of the piece.
            sampling: options of sampling; default `DEFAULT_SAMPLING`.
            best_of: number of candidates for each result; the best makes the bars that follow likeliest.
            check: called before each event; an error that it raises stops the generation.
        Raises:
            ConfigError: a value is out of range.
            DataError: the piece does not have these bars, no pitched notes, or too many bars.
        """
        options = _check_kept(options, "fill")
        start = read_start(self.step, self.training_conditions, score, options)
        free = bars_to_fill(start.primer, bars)
        plan = RevisionPlanner(self.training_runs, start, options, lambda job: free)
        return self._generate(plan, _check(seed, count, best_of), count, best_of, sampling, check)

    def vary(
        self,
        score: Score,
        strength: float = DEFAULT_STRENGTH,
        seed: int | None = None,
        *,
        count: int = 1,
        options: CompositionOptions | None = None,
        sampling: Sampling | None = None,
        best_of: int = CANDIDATES,
        check: Callable[[], object] | None = None,
    ) -> list[Composition]:
        """Return variations of a piece: a share of its bars is rewritten, as `fill` does.

        Args:
            score: music of the user.
            strength: share of the bars, 0 to 1; at 0 the piece is unchanged. Pairs of neighbouring bars are
                chosen at random, the last pair only at 1.
            seed: as in `compose`.
            count: number of variations; each changes other bars.
            options: style, key, density and chords of the new bars; by default those of the piece.
            sampling: options of sampling; default `DEFAULT_SAMPLING`.
            best_of: number of candidates for each variation, as in `fill`.
            check: called before each event; an error that it raises stops the generation.
        Raises:
            ConfigError: a value is out of range.
            DataError: the piece has no pitched notes, or too many bars.
        """
        options = _check_kept(options, "vary")
        start = read_start(self.step, self.training_conditions, score, options)
        count_of_bars = len(start.primer.piece.meters)

        def choose(job: Job) -> frozenset[int]:
            return bars_to_vary(count_of_bars, strength, np.random.default_rng([job.seed, job.number]))

        plan = RevisionPlanner(self.training_runs, start, options, choose)
        return self._generate(plan, _check(seed, count, best_of), count, best_of, sampling, check)

    def accompany(
        self,
        score: Score,
        seed: int | None = None,
        *,
        count: int = 1,
        options: CompositionOptions | None = None,
        sampling: Sampling | None = None,
        best_of: int = CANDIDATES,
        check: Callable[[], object] | None = None,
    ) -> list[Composition]:
        """Accompany a melody in the style of pop, Lied or quartet.

        The notes of the melody are unchanged. It is the track with a name such as "melody", else the highest;
        other tracks are left out.

        Args:
            score: music of the user.
            seed: as in `compose`.
            count: number of accompaniments.
            options: style, key, density and chords; by default those that fit the melody.
            sampling: options of sampling; default `DEFAULT_SAMPLING`.
            best_of: number of candidates for each accompaniment; the best makes the melody likeliest, and is
                likely itself.
            check: called before each event; an error that it raises stops the generation.
        Raises:
            ConfigError: the style is another one, or a value is out of range.
            DataError: the score has no melody, or too many bars.
        """
        options, known = _check_kept(options, "accompany"), self.training_conditions
        start = read_melody(self.step, known, score, options)
        plan = AccompanimentPlanner(known, self.training_runs, start, options)
        return self._generate(plan, _check(seed, count, best_of), count, best_of, sampling, check)

    def _generate(
        self,
        plan: Callable[[Job], Plan],
        seed: int,
        count: int,
        best_of: int,
        sampling: Sampling | None,
        check: Callable[[], object] | None,
    ) -> list[Composition]:
        """Generate the candidates of all pieces, and return the best of each."""
        plans = [plan(Job(seed, *each)) for each in product(range(count), range(best_of))]
        for first in range(0, len(plans), MAX_BATCH_PIECES):
            drafts = [each.draft for each in plans[first : first + MAX_BATCH_PIECES]]
            generate(self.step, drafts, sampling or DEFAULT_SAMPLING, self.training_runs, check)
        candidates = [each.finish() for each in plans]
        groups = (candidates[first : first + best_of] for first in range(0, len(plans), best_of))
        return [min(group, key=lambda each: (each.faults, each.nats)).piece for group in groups]


def _check(seed: int | None, count: int, best_of: int) -> int:
    """Return the seed, or a random one; refuse numbers out of range."""
    seed = resolve_seed(seed)
    check_range("count", count, 1, MAX_BATCH_PIECES, "pieces")
    check_range("best-of", best_of, 1, MAX_BATCH_PIECES, "pieces")
    return seed


def _check_kept(options: CompositionOptions | None, doing: str) -> CompositionOptions:
    """Return the options, or refuse those that would change tempo, meter or length of the user's music."""
    options = options or CompositionOptions()
    for name in ("tempo", "bars", "seconds", "meter", "swing", "pedal", "humanise", "pickup"):
        if getattr(options, name) not in (None, False):
            raise ConfigError(
                f"{doing} keeps tempo, meter, length and performance of the music; leave out {name}"
            )
    return options
