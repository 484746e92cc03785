"""Accompaniments: the parts of a style below a melody of the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from audioseq.errors import ConfigError
from audioseq.midi import Score
from audioseq.music.composing.candidates import DRAFTING, FINISHING, Candidate, Job, Plan
from audioseq.music.composing.composition import Composition, describe_origin
from audioseq.music.composing.conditions import (
    TrainingConditions,
    check_style,
    sample_conditions,
    usual_programs,
)
from audioseq.music.composing.options import CompositionOptions
from audioseq.music.composing.pieces import COPY_WARNING, Start
from audioseq.music.generation.draft import Draft, parts_of
from audioseq.music.generation.dynamics import refine
from audioseq.music.generation.endings import (
    end_at_next,
    has_ending,
    is_stuck,
    release_together,
    trim_to_last_bar,
)
from audioseq.music.generation.given import Given
from audioseq.music.generation.primer import Primer, Setting, choose_setting
from audioseq.music.generation.scores import TRACK_NAMES, add_notes, add_text, fine_resolution, places_of
from audioseq.music.generation.stepper import EventStep
from audioseq.music.memorisation.fingerprint import Fingerprint
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.chords import choose_key, parse_progression
from audioseq.music.representation.event_state import Conditions
from audioseq.music.representation.keys import key_name, key_signature
from audioseq.music.representation.melody_track import find_melody
from audioseq.music.representation.tokenizer import decode

ACCOMPANIED_STYLES = ("pop", "lied", "quartet")
"""Styles whose first track is, or can be, a melody over others; chorales have a model of their own."""
MELODY = 0
"""Track of the melody in these styles."""
DENSITY_RATIO = 2.0
"""Density of a piece, relative to that of its melody, at least."""


def read_melody(
    step: EventStep, known: TrainingConditions, score: Score, options: CompositionOptions
) -> Start:
    """Return the melody of a score as the model reads it, in the style in which the model finds it likeliest.

    Raises:
        DataError: the score has no melody, or too many bars.
        ConfigError: the style is not one of `ACCOMPANIED_STYLES`, or the model does not have it.
    """
    if options.style not in (None, *ACCOMPANIED_STYLES):
        styles = ", ".join(ACCOMPANIED_STYLES)
        raise ConfigError(f"style is {options.style!r}; accompany in {styles}, or harmonise for a chorale")
    check_style(options.style, known)
    warnings: list[str] = []
    melody = find_melody(score, warnings)
    names = score.names[melody[0].track : melody[0].track + 1]
    notes = tuple(replace(note, track=0) for note in melody)
    primer = Primer(replace(score, notes=notes, names=names, warnings=tuple(warnings)))
    programs = {
        style: each
        for style, each in usual_programs(known, options.style).items()
        if style in ACCOMPANIED_STYLES and len(each) > 1
    }
    if not programs:
        raise ConfigError("this model has no style with a melody over other tracks; use another model")
    places = ((MELODY, MELODY),)
    settings = [Setting(v.STYLES.index(style), each, places) for style, each in sorted(programs.items())]
    key = _key(primer, options)
    conditions = Conditions(
        0, *key, v.tempo_class(primer.bpm), v.density_class(primer.density), len(primer.piece.meters), (0,)
    )
    setting = choose_setting(step, primer, settings, conditions)
    conditions = replace(conditions, style=setting.style, programs=setting.programs)
    return Start(primer, setting, conditions, [])


def _key(primer: Primer, options: CompositionOptions) -> tuple[int, bool]:
    """Return the key: as requested, that of the chords, or that of the melody."""
    if options.key is not None:
        return v.parse_key(options.key)
    return primer.key if options.chords is None else choose_key(options.chords, primer.key)


@dataclass(frozen=True)
class AccompanimentPlanner:
    """Plans the candidates of accompaniments.

    The notes of the melody are given, and those of the other tracks are sampled in between. The best
    candidate is the one in which the melody is likeliest, and that is likely itself, each per event.

    Args:
        known: conditions of the training pieces.
        runs: runs of notes of the training data.
        start: the melody.
        options: requested properties: key, density and chords.
    """

    known: TrainingConditions
    runs: Fingerprint | None
    start: Start
    options: CompositionOptions

    def __call__(self, job: Job) -> Plan:
        """Return the plan of a candidate."""
        draft = self._draft(job)

        def finish() -> Candidate:
            made = self._finish(draft, job)
            faults = is_stuck(draft.events) + made.copied + (draft.ending and not has_ending(draft))
            return Candidate(made, faults, draft.nats_per_event + draft.given_nats_per_event)

        return Plan(draft, finish)

    def _draft(self, job: Job) -> Draft:
        primer, setting, options = self.start.primer, self.start.setting, self.options
        tonic, minor = self.start.conditions.tonic, self.start.conditions.minor
        wanted = replace(
            options, style=v.STYLES[setting.style], key=key_name(tonic, minor), tempo=None, chords=None
        )
        random = np.random.default_rng([job.seed, job.number])
        row, _ = sample_conditions(self.known, wanted, random)
        least = v.density_class(DENSITY_RATIO * primer.density)
        row = replace(
            row, tempo=self.start.conditions.tempo, bars=len(primer.piece.meters), programs=setting.programs,
            density=row.density if options.density else max(row.density, least),
        )  # fmt: skip
        parts = [replace(part, silent=number == MELODY) for number, part in enumerate(parts_of(row))]
        draft = Draft(
            row, job.random(DRAFTING), density=options.density, parts=parts, meters=primer.piece.meters,
            given=Given(sorted(map(setting.place, primer.piece.notes))), ending=options.chords is None,
        )  # fmt: skip
        if options.chords is not None:
            progression = parse_progression(options.chords, (tonic, minor))
            draft.chords = progression.after(int(primer.score.pickup > 0))
        return draft

    def _finish(self, draft: Draft, job: Job) -> Composition:
        start, conditions = self.start, draft.conditions
        primer, setting = start.primer, start.setting
        single = [track for track, part in enumerate(draft.parts) if part.most == 1]
        piece = release_together(trim_to_last_bar(decode(draft.events, conditions.programs, primer.bpm)))
        new = replace(piece, notes=tuple(note for note in piece.notes if note.track != MELODY))
        copied = self.runs is not None and self.runs.shares_run_with(new)
        new = refine(end_at_next(new, single), conditions.style, job.random(FINISHING))
        score = primer.score
        places, names = places_of(primer, setting)
        score = replace(
            score, notes=(*score.notes, *add_notes(score, new.notes, places)),
            keys=score.keys or ((0.0, key_signature(conditions.tonic, conditions.minor)),),
            names=_names(names, conditions), ticks_per_beat=fine_resolution(score),
            text=add_text(score, describe_origin(job.seed, job.number, conditions, primer.bpm)),
        )  # fmt: skip
        if draft.chords is not None:
            score = replace(score, chords=draft.chords.symbols(score, int(score.pickup > 0)))
        return Composition(
            score, job.seed, job.number, conditions, primer.bpm, draft.nats_per_event,
            piece.density, copied, draft.resampled, (*score.warnings, *(COPY_WARNING,) * copied),
        )  # fmt: skip


def _names(names: Sequence[str], conditions: Conditions) -> tuple[str, ...]:
    """Return the names of the tracks: those of the style if it has as many, and the user's of the melody."""
    own = TRACK_NAMES.get(v.STYLES[conditions.style], ())
    if len(own) != len(names):
        return (names[0] or "Melody", *names[1:])
    return (names[0] or own[0], *own[1:])
