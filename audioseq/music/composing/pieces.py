"""New pieces, and continuations of a primer: their drafts, and the pieces that these become."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from audioseq.midi import Score
from audioseq.music.analysis.statistics import describe
from audioseq.music.composing.candidates import DRAFTING, FINISHING, PEDALLING, Candidate, Job, Plan
from audioseq.music.composing.composition import Composition, describe_origin
from audioseq.music.composing.conditions import (
    TrainingConditions,
    check_style,
    sample_conditions,
    usual_programs,
)
from audioseq.music.composing.options import DEFAULT_METER, CompositionOptions, parse_meter
from audioseq.music.composing.performance import add_pedal, wants_pedal
from audioseq.music.composing.pickup import trim_to_pickup
from audioseq.music.composing.swing import swing
from audioseq.music.generation.draft import Draft, parts_of
from audioseq.music.generation.dynamics import refine
from audioseq.music.generation.endings import (
    end_at_next,
    has_ending,
    is_stuck,
    release_together,
    trim_to_last_bar,
)
from audioseq.music.generation.primer import Primer, Setting, choose_setting, place_events, settings_of
from audioseq.music.generation.scores import compose_score, continue_score
from audioseq.music.generation.stepper import EventStep
from audioseq.music.memorisation.fingerprint import Fingerprint
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.chords import parse_progression
from audioseq.music.representation.event_state import Conditions
from audioseq.music.representation.grid import to_grid
from audioseq.music.representation.tokenizer import decode

DEFAULT_SECONDS = 60.0
"""Length of a piece if neither bars nor seconds are given."""
DEFAULT_BARS = 32
"""Number of bars that the model expects at first if the length is given in seconds."""
LOOP_SIMILARITIES = {"pop": 0.24, "lied": 0.17, "quartet": 0.15, "chorale": 0.09}
"""75th percentile of `Statistics.similarity_4` of the validation pieces of each style."""
MAX_DENSITY_ERROR = 2
"""Density classes, a quarter of a doubling each, from which the difference to the request is reported."""

PEDAL_WARNING = "has no piano that a pedal could hold"
COPY_WARNING = "probably repeats a run of notes of the training data"


@dataclass(frozen=True)
class Start:
    """A primer as the model reads it.

    Args:
        primer: music of the user.
        setting: the style and the instruments as which the model reads it.
        conditions: of the primer.
        events: of the primer, without an end.
    """

    primer: Primer
    setting: Setting
    conditions: Conditions
    events: list[list[int]]


def read_start(
    step: EventStep, known: TrainingConditions, score: Score, options: CompositionOptions
) -> Start:
    """Choose how the model reads a primer.

    Raises:
        DataError: the score has no pitched notes, or too many bars.
        ConfigError: the model does not have the style.
    """
    primer = Primer(score)
    tonic, minor = v.parse_key(options.key) if options.key else primer.key
    check_style(options.style, known)
    density = v.density_class(options.density or primer.density)
    bars = len(primer.piece.meters)
    conditions = Conditions(0, tonic, minor, v.tempo_class(primer.bpm), density, bars, (0,))
    settings = settings_of(primer, usual_programs(known, options.style))
    setting = choose_setting(step, primer, settings, conditions)
    conditions = replace(conditions, style=setting.style, programs=setting.programs)
    return Start(primer, setting, conditions, place_events(primer, setting))


@dataclass(frozen=True)
class PiecePlanner:
    """Plans the candidates of new pieces and of continuations.

    Args:
        known: conditions of the training pieces.
        runs: runs of notes of the training data.
        options: requested properties.
        start: the primer; None for new pieces.
        with_primer: whether the result includes the primer.
        rates_loops: whether loops count as a fault.
    """

    known: TrainingConditions
    runs: Fingerprint | None
    options: CompositionOptions
    start: Start | None
    with_primer: bool
    rates_loops: bool

    def __call__(self, job: Job) -> Plan:
        """Return the plan of a candidate."""
        draft, bpm = self._draft(job)

        def finish() -> Candidate:
            made = self._finish(draft, bpm, job)
            faults = is_stuck(draft.events) + made.copied + (not has_ending(draft))
            faults += self.rates_loops and is_loop(made)
            return Candidate(made, faults, draft.new_nats_per_event)

        return Plan(draft, finish)

    def _draft(self, job: Job) -> tuple[Draft, float]:
        """Return the draft of a candidate, and its tempo in quarter notes per minute."""
        options, start = self.options, self.start
        random = job.random(DRAFTING)
        bars = options.bars or DEFAULT_BARS
        if start is None:
            row, bpm = sample_conditions(self.known, options, np.random.default_rng([job.seed, job.number]))
            begin = 0
            if options.pickup is not None:
                begin = v.METER_TICKS[parse_meter(options.meter or DEFAULT_METER)]
                begin -= round(options.pickup * v.TICKS_PER_QUARTER)
            draft = Draft(
                replace(row, bars=bars + (begin > 0)), random, density=options.density, ending=True,
                first_tick=begin, pickup=begin > 0,
            )  # fmt: skip
        else:
            primer, row = start.primer, start.conditions
            bpm = options.tempo or primer.bpm
            row = replace(row, tempo=v.tempo_class(bpm), bars=bars + row.bars)
            draft = Draft(
                row, random, density=options.density or primer.density, ending=True,
                events=[event.copy() for event in start.events],
                parts=primer.parts(start.setting, parts_of(row), join=options.style is not None),
                meters=primer.meters, first_tick=primer.end, grid=primer.grid, levels=primer.levels,
                key_strength=primer.key_strength,
                shares=() if options.style is not None else primer.shares(start.setting),
            )  # fmt: skip
            begin = primer.piece.starts[-1]
        if options.chords is not None:
            progression = parse_progression(options.chords, (row.tonic, row.minor))
            first = int(draft.pickup) if start is None else len(start.primer.piece.meters)
            draft.chords = progression.after(first)
            draft.ending = False  # the chords end the piece
        if options.meter is not None or draft.pickup:
            draft.meters = (parse_meter(options.meter or DEFAULT_METER),)
        if options.bars is None:
            seconds = options.seconds or DEFAULT_SECONDS
            draft.target_ticks = begin + seconds * bpm / 60 * v.TICKS_PER_QUARTER
        return draft, float(bpm)

    def _finish(self, draft: Draft, bpm: float, job: Job) -> Composition:
        """Return the piece of a finished draft."""
        start, conditions = self.start, draft.conditions
        key = conditions.tonic, conditions.minor
        piece = release_together(trim_to_last_bar(decode(draft.events, conditions.programs, bpm)))
        copied = self.runs is not None and self.runs.shares_run_with(piece)
        random = job.random(FINISHING)
        text = describe_origin(job.seed, job.number, conditions, bpm)
        single = [track for track, part in enumerate(draft.parts) if part.most == 1]
        if start is None:
            piece = refine(end_at_next(piece, single), conditions.style, random)
            score = compose_score(piece, conditions.style, key, text)
        else:
            new = replace(piece, notes=piece.notes[len(start.primer.piece.notes) :])
            heard = [note.velocity for note in start.primer.score.notes if not note.drum]
            new = refine(end_at_next(new, single), conditions.style, random, heard)
            score = continue_score(start.primer, start.setting, new, key, text, self.with_primer)
        if draft.chords is not None:
            bars = int(draft.pickup) if start is None else len(start.primer.piece.meters)
            progression = draft.chords if self.with_primer else draft.chords.after(-bars)
            score = replace(score, chords=progression.symbols(score, bars if self.with_primer else 0))
        begin = 0.0
        if start is not None and self.with_primer:
            begin = float(score.seconds(start.primer.end / v.TICKS_PER_QUARTER))
        if self.options.swing is not None:
            score = swing(score, self.options.swing, begin)
        if wants_pedal(self.options, v.STYLES[conditions.style], is_new=start is None):
            score = add_pedal(score, job.random(PEDALLING), begin)
        if self.options.pickup is not None:
            score = trim_to_pickup(score, self.options.pickup)
        density = piece.density
        return Composition(
            score, job.seed, job.number, conditions, bpm, draft.nats_per_event, density,
            copied, draft.resampled, tuple(self._warnings(draft, density, copied, score)),
            humanised_from=begin if self.options.humanise else None,
        )  # fmt: skip

    def _warnings(self, draft: Draft, density: float, copied: bool, score: Score) -> list[str]:
        """Return what the user should know of a piece."""
        warnings = []
        if copied:
            warnings.append(COPY_WARNING)
        if self.options.pedal and not score.pedals:
            warnings.append(PEDAL_WARNING)
        asked = draft.density if self.start is None else None
        if asked and abs(v.density_scale(density) - v.density_scale(asked)) > MAX_DENSITY_ERROR:
            many = "many" if asked > density else "few"
            warnings.append(f"{asked:g} notes per quarter were asked for; this style rarely has so {many}")
        return warnings


def is_loop(made: Composition) -> bool:
    """Return whether the bars of a piece are more similar to those 4 bars before than in real pieces."""
    if not made.score.notes or made.style not in LOOP_SIMILARITIES:
        return False
    return describe(to_grid(made.score)).similarity_4 > LOOP_SIMILARITIES[made.style]
