"""Revisions of a piece: some bars are rewritten, and the others are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from audioseq.errors import DataError
from audioseq.midi import Note, Score
from audioseq.music.composing.candidates import DRAFTING, FINISHING, Candidate, Job, Plan
from audioseq.music.composing.composition import Composition, describe_origin
from audioseq.music.composing.options import CompositionOptions, check_range
from audioseq.music.composing.pieces import COPY_WARNING, Start
from audioseq.music.generation.draft import Draft, parts_of
from audioseq.music.generation.dynamics import refine
from audioseq.music.generation.endings import end_at_next, has_ending
from audioseq.music.generation.given import Given
from audioseq.music.generation.primer import Primer
from audioseq.music.generation.scores import add_notes, add_text, fine_resolution, places_of
from audioseq.music.memorisation.fingerprint import Fingerprint
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.chords import parse_progression
from audioseq.music.representation.grid import GridNote, Piece, to_grid
from audioseq.music.representation.tokenizer import decode, encode

CONTEXT_BARS = 32
"""Bars before the first new one that the model reads; a multiple of 8, as it counts bars modulo 8."""
FOLLOWING_BARS = 8
"""Bars after the last new one by which candidates are compared; the model looks back as far."""
UNIT_BARS = 2
"""Neighbouring bars that a variation changes together."""
HELD_SECONDS = 1e-3
"""How long a note of the user sounds on at least, where a new note of its pitch would cut it."""


def bars_to_fill(primer: Primer, bars: tuple[int, int]) -> frozenset[int]:
    """Return the bars of the grid that are rewritten.

    Args:
        primer: the piece.
        bars: first and last bar as the user counts them, from 1; a pickup is bar 0.
    Raises:
        DataError: the piece does not have these bars.
    """
    first, last = bars
    lowest = 0 if primer.score.pickup else 1
    lines = np.rint(np.asarray(primer.score.beats(primer.score.bars())) * v.TICKS_PER_QUARTER)
    highest = len(lines) - 2 + lowest
    if not lowest <= first <= last <= highest:
        raise DataError(f"bars are {first}-{last}; the piece has bars {lowest}-{highest}: give some of these")
    starts = np.array(primer.piece.starts)
    begin, end = (int(np.abs(starts - lines[line]).argmin()) for line in (first - lowest, last - lowest + 1))
    return frozenset(range(min(begin, len(starts) - 2), max(end, begin + 1)))


def bars_to_vary(bars: int, strength: float, random: np.random.Generator) -> frozenset[int]:
    """Return the bars that a variation rewrites: pairs of neighbours, the last pair only at strength 1.

    Args:
        bars: number of bars of the piece.
        strength: share of the pairs.
        random: source of randomness.
    Raises:
        ConfigError: the strength is not in 0..1.
    Example:
        >>> sorted(bars_to_vary(8, 0.5, np.random.default_rng(1)))
        [0, 1, 2, 3]
    """
    check_range("strength", strength, 0, 1, "(the share of the bars that change)")
    units = -(-bars // UNIT_BARS)
    order = [*random.permutation(units - 1).tolist(), units - 1]
    chosen = order[: round(strength * units)]
    return frozenset(bar for unit in chosen for bar in range(bars) if bar // UNIT_BARS == unit)


@dataclass(frozen=True)
class RevisionPlanner:
    """Plans the candidates of revisions.

    A candidate is written from left to right, with the bars before as context. The best is the one that makes
    the bars that follow likeliest: candidates are samples of the model, so by Bayes' rule this likelihood is
    the weight of each (importance resampling, Rubin 1988). With their own likelihood added, dense bars, whose
    notes are easier to predict, were preferred. At the end of a piece, where nothing follows, it decides.

    Args:
        runs: runs of notes of the training data.
        start: the piece of the user.
        options: requested properties: chords and density.
        choose: returns the bars to rewrite, as bars of the grid.
        windows: what the model reads for some of these bars; all candidates for a result share it.
    """

    runs: Fingerprint | None
    start: Start
    options: CompositionOptions
    choose: Callable[[Job], frozenset[int]]
    windows: dict[frozenset[int], _Window] = field(default_factory=dict)

    def __call__(self, job: Job) -> Plan:
        """Return the plan of a candidate."""
        free = self.choose(job)
        if free not in self.windows:
            self.windows[free] = _Window.around(self.start, free)
        window = self.windows[free]
        draft = self._draft(window, job)

        def finish() -> Candidate:
            made = self._finish(draft, window, job)
            faults = made.copied + (draft.ending and not has_ending(draft))
            nats = draft.given_nats_per_event if draft.given_events else draft.nats_per_event
            return Candidate(made, faults, nats)

        return Plan(draft, finish)

    def _draft(self, window: _Window, job: Job) -> Draft:
        start, options = self.start, self.options
        primer, row = start.primer, start.conditions
        density = options.density or window.kept_density or primer.density
        row = replace(row, bars=row.bars - window.first, density=v.density_class(density))
        draft = Draft(
            row, job.random(DRAFTING), density=density, ending=window.reaches_end,
            events=[event.copy() for event in window.events_before], given=window.given,
            parts=primer.parts(start.setting, parts_of(row), join=False),
            meters=window.piece.meters[window.begin :] or window.piece.meters,
            grid=primer.grid, levels=primer.levels, key_strength=primer.key_strength,
            shares=primer.shares(start.setting),
        )  # fmt: skip
        if options.chords is not None:
            draft.chords = parse_progression(options.chords, (row.tonic, row.minor)).after(window.begin)
        return draft

    def _finish(self, draft: Draft, window: _Window, job: Job) -> Composition:
        start, conditions = self.start, draft.conditions
        primer = start.primer
        single = {track for track, part in enumerate(draft.parts) if part.most == 1}
        written = decode(draft.events, conditions.programs, primer.bpm)
        new = end_at_next(replace(written, notes=tuple(window.new_notes(written))), single)
        copied = self.runs is not None and self.runs.shares_run_with(new)
        heard = [note.velocity for note in primer.score.notes if not note.drum]
        new = refine(new, conditions.style, job.random(FINISHING), heard)
        score = window.put(new.notes, describe_origin(job.seed, job.number, conditions, primer.bpm))
        return Composition(
            score, job.seed, job.number, start.conditions, primer.bpm, draft.nats_per_event,
            to_grid(score).density if score.notes else 0.0, copied, draft.resampled,
            (COPY_WARNING,) * copied,
        )  # fmt: skip


@dataclass(frozen=True)
class _Window:
    """The part of a piece that the model reads and writes; bars and ticks count from its first bar.

    Args:
        start: the piece of the user.
        first: index of the first bar in the piece.
        piece: the bars, from the first to the end of the piece, on the tracks of the model.
        free: the bars to rewrite.
    """

    start: Start
    first: int
    piece: Piece
    free: frozenset[int]

    @classmethod
    def around(cls, start: Start, free: frozenset[int]) -> _Window:
        """Return the window around bars of the piece."""
        whole = start.primer.piece
        first = max(min(free, default=0) - CONTEXT_BARS, 0) // 8 * 8
        begin = whole.starts[first]
        placed = sorted(start.setting.place(note) for note in whole.notes if note.onset >= begin)
        notes = tuple(note._replace(onset=note.onset - begin) for note in placed)
        piece = Piece(notes, whole.meters[first:], start.setting.programs, whole.bpm)
        return cls(start, first, piece, frozenset(bar - first for bar in free))

    @property
    def begin(self) -> int:
        """The first bar to write."""
        return min(self.free, default=0)

    @property
    def reaches_end(self) -> bool:
        """Whether the last bar of the piece is rewritten."""
        return len(self.piece.meters) - 1 in self.free

    @cached_property
    def events_before(self) -> list[list[int]]:
        """The events before the first bar to write."""
        end = self.piece.starts[self.begin]
        notes = tuple(note for note in self.piece.notes if note.onset < end)
        before = replace(self.piece, notes=notes, meters=self.piece.meters[: self.begin])
        events: list[list[int]] = encode(before)[:-1].tolist()
        return events

    @cached_property
    def given(self) -> Given:
        """The kept notes after the first new bar that the model reads."""
        end = max(self.free) + 1 + FOLLOWING_BARS if self.free else 0
        begin = self.piece.starts[self.begin]
        notes = [note for note in self.piece.notes if note.onset >= begin and not self._is_free(note.onset)]
        return Given(notes, self.free, None if end >= len(self.piece.meters) else end)

    @cached_property
    def kept_density(self) -> float:
        """Notes per quarter of the kept bars; 0 if there are none."""
        kept = [bar for bar in range(len(self.piece.meters)) if bar not in self.free]
        ticks = sum(v.METER_TICKS[self.piece.meters[bar]] for bar in kept)
        count = sum(not self._is_free(note.onset) for note in self.piece.notes)
        return count * v.TICKS_PER_QUARTER / ticks if ticks else 0.0

    def new_notes(self, written: Piece) -> Iterator[GridNote]:
        """Yield the new notes of a finished draft, in ticks of the piece; they end with the new bars."""
        offset = self.start.primer.piece.starts[self.first]
        spans = self._spans
        for note in written.notes:
            for begin, end in spans:
                if begin <= note.onset < end:
                    length = min(note.duration, end - note.onset)
                    yield note._replace(onset=note.onset + offset, duration=length)

    def put(self, new: tuple[GridNote, ...], text: str) -> Score:
        """Return the score of the user with the new notes in place of those that begin in these bars."""
        primer = self.start.primer
        score, offset = primer.score, primer.piece.starts[self.first]
        places, names = places_of(primer, self.start.setting)
        onsets = np.rint(np.asarray(score.beats([note.onset for note in score.notes])) * v.TICKS_PER_QUARTER)
        kept = [
            note
            for note, onset in zip(score.notes, onsets.tolist(), strict=True)
            if note.drum or not self._is_free(int(onset) - offset)
        ]
        made = [note for note in add_notes(score, new, places) if not _is_held(note, kept)]
        used = {note.track for note in made} - {note.track for note in score.notes}
        return replace(
            score, notes=(*kept, *made), text=add_text(score, text), ticks_per_beat=fine_resolution(score),
            names=tuple(names) if used and any(names) else score.names,
        )  # fmt: skip

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        """Start and end of each run of bars to write, ticks."""
        spans: list[tuple[int, int]] = []
        for bar in sorted(self.free):
            begin, end = self.piece.starts[bar : bar + 2]
            if spans and spans[-1][1] == begin:
                begin = spans.pop()[0]
            spans.append((begin, end))
        return spans

    def _is_free(self, onset: int) -> bool:
        return any(begin <= onset < end for begin, end in self._spans)


def _is_held(new: Note, kept: list[Note]) -> bool:
    """Return whether a note of the user with the same pitch sounds on in the same voice."""
    return any(
        note.onset <= new.onset < note.end - HELD_SECONDS
        for note in kept
        if (note.pitch, note.track, note.program) == (new.pitch, new.track, new.program) and not note.drum
    )
