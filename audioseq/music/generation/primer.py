"""Primers: music of the user, as the model reads it, and what its continuation may play."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np

from audioseq.errors import DataError
from audioseq.midi import Score
from audioseq.music.generation.draft import Part
from audioseq.music.generation.endings import end_at_next
from audioseq.music.generation.stepper import EventStep
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import FEATURES, Conditions
from audioseq.music.representation.grid import GridNote, Piece, to_grid, voices_of
from audioseq.music.representation.playing import HAND_NOTES, instrument_range
from audioseq.music.representation.tokenizer import encode, features
from audioseq.music.representation.vocabulary import PITCH, STYLES, TICKS_PER_QUARTER
from audioseq.runtime.threads import one_thread

REGISTER_MARGIN = 5
"""Semitones by which a continuation may leave the register of the primer."""
MAX_OUTSIDE_SHARE = 0.1
"""Share of the notes of a primer outside its instrument's range from which the range is not trusted."""
SCORED_EVENTS = 192
"""Number of last events by which settings are compared."""
SPLIT_PITCH = 60
"""Lowest pitch of the right hand, where a track has the notes of both hands."""
TEMPO_BARS = 4
"""Bars at the end whose tempo the continuation has."""
MIN_SECONDS = 1e-6
"""Minimum duration of a stretch whose tempo is measured."""
GRIDS = (12, 8, 6, 4, 3, 1)
"""Rhythmic grids in ticks, from eighths to all ticks."""
GRID_SHARE = 0.97
"""Share of the onsets that lie on the grid of a primer."""

MAX_KEY_STRENGTH = 10.0
"""Factor of the guidance towards the key after a primer that stays in it."""
PLAIN_CHROMATIC_SHARE = 0.02
"""Share of the notes outside the key below which a primer counts as staying in it."""


@dataclass(frozen=True)
class Setting:
    """One way in which the model can read a primer: as a piece of a style with some of its instruments.

    Args:
        style: index into `STYLES`.
        programs: of the tracks that the model knows.
        places: for each track of the primer, the tracks of its notes from `SPLIT_PITCH` and of those below.
    """

    style: int
    programs: tuple[int, ...]
    places: tuple[tuple[int, int], ...]

    def place(self, note: GridNote) -> GridNote:
        """Return a note of the primer on the track of the model."""
        upper, lower = self.places[note.track]
        return note._replace(track=upper if note.pitch >= SPLIT_PITCH else lower)

    def origin(self, track: int) -> int | None:
        """Return the track of the primer that a track of the model stands for; None if it is a new one."""
        return next((index for index, pair in enumerate(self.places) if track in pair), None)


@dataclass(frozen=True)
class Primer:
    """Music that a piece continues.

    Args:
        score: the music of the user.
    Raises:
        DataError: the score has no pitched notes, or too many bars.
    """

    score: Score

    @cached_property
    def piece(self) -> Piece:
        """The pitched notes on the grid; those of a single voice do not overlap, whatever the pedal holds."""
        notes = tuple(note for note in self.score.notes if not note.drum)
        if not notes:
            raise DataError("has only drums, which the model cannot continue; add pitched notes")
        piece = to_grid(replace(self.score, notes=notes))
        counts = Counter((note.track, note.onset) for note in piece.notes)
        chords = {track for (track, _), count in counts.items() if count > 1}
        return end_at_next(piece, {*range(len(piece.programs))} - chords)

    @cached_property
    def voices(self) -> tuple[tuple[int, int], ...]:
        """Track of the score and program of each track of the piece."""
        return voices_of([note for note in self.score.notes if not note.drum])

    @cached_property
    def tracks(self) -> list[list[GridNote]]:
        """The notes of each track."""
        return [[n for n in self.piece.notes if n.track == track] for track in range(len(self.voices))]

    @cached_property
    def key(self) -> tuple[int, bool]:
        """The tonic, and whether the key is minor; from all notes."""
        return self.piece.key(complete=False)

    @cached_property
    def end(self) -> int:
        """The first tick that is not before the end of the last note; new notes begin there or later."""
        last = max(note.onset for note in self.piece.notes)
        longest = last + TEMPO_BARS * v.METER_TICKS[self.piece.meters[-1]]
        end = float(self.score.beats(self.score.end)) * TICKS_PER_QUARTER
        return min(math.ceil(end - 1e-6), longest)

    @property
    def density(self) -> float:
        """Notes per quarter, from the first to the end."""
        first = self.piece.notes[0].onset
        return len(self.piece.notes) * TICKS_PER_QUARTER / max(self.end - first, TICKS_PER_QUARTER)

    @cached_property
    def bpm(self) -> float:
        """Tempo of the continuation, quarters per minute: the median of the last bars, weighted by time."""
        starts = self.piece.starts
        first = starts[max(len(starts) - 1 - TEMPO_BARS, 0)] / TICKS_PER_QUARTER
        beats = np.linspace(first, max(self.end / TICKS_PER_QUARTER, first + 1), 64)
        seconds = np.maximum(np.diff(self.score.seconds(beats)), MIN_SECONDS)
        rates = np.diff(beats) / seconds
        order = np.argsort(rates)
        weights = np.cumsum(seconds[order])
        return round(60 * float(rates[order][np.searchsorted(weights, weights[-1] / 2)]), 3)

    @cached_property
    def meters(self) -> tuple[int, ...]:
        """Meters of the bars that continue the last time signature."""
        _, numerator, denominator = (self.score.time_signatures or ((0.0, 4, 4),))[-1]
        bars = Score(self.score.notes[:1], ((0.0, 60.0),), ((0.0, numerator, denominator),))
        length = 4 * numerator / denominator
        held = replace(bars, notes=(replace(bars.notes[0], onset=0.0, duration=length),))
        return to_grid(held).meters

    @property
    def grid(self) -> int:
        """The coarsest rhythmic grid with nearly all onsets, ticks; at most eighths."""
        starts = np.array(self.piece.starts)
        onsets = np.array([note.onset for note in self.piece.notes])
        positions = onsets - starts[np.searchsorted(starts, onsets, side="right") - 1]
        return next(grid for grid in GRIDS if grid == 1 or (positions % grid == 0).mean() >= GRID_SHARE)

    @property
    def levels(self) -> tuple[int, int]:
        """Lowest and highest velocity level."""
        levels = [v.velocity_level(note.velocity) for note in self.piece.notes]
        return min(levels), max(levels)

    @property
    def chromatic_share(self) -> float:
        """Share of the notes outside the key."""
        tonic, minor = self.key
        scale = {0, 2, 3, 5, 7, 8, 10, 11} if minor else {0, 2, 4, 5, 7, 9, 11}
        return float(np.mean([(note.pitch - tonic) % 12 not in scale for note in self.piece.notes]))

    @property
    def key_strength(self) -> float:
        """Factor of the guidance towards the key: the fewer notes are outside, the stronger."""
        return MAX_KEY_STRENGTH if self.chromatic_share < PLAIN_CHROMATIC_SHARE else 1.0

    def shares(self, setting: Setting) -> tuple[float, ...]:
        """Return the share of the notes of the primer on each track of the model."""
        counts = Counter(setting.place(note).track for note in self.piece.notes)
        return tuple(counts[track] / len(self.piece.notes) for track in range(len(setting.programs)))

    def parts(self, setting: Setting, free: Sequence[Part], join: bool) -> tuple[Part, ...]:
        """Return what each track of the model may play in the continuation.

        The tracks of the primer keep its register, within the ranges of their instruments, and its number of
        notes at once.

        Args:
            setting: how the model reads the primer.
            free: what the tracks could play without a primer.
            join: whether tracks that the primer does not have may enter.
        """
        parts = []
        for track, part in enumerate(free):
            if (origin := setting.origin(track)) is None:
                parts.append(replace(part, silent=not join))
                continue
            notes, program = self.tracks[origin], self.voices[origin][1]
            pitches = [note.pitch for note in notes]
            low, high = instrument_range(program)
            if np.mean([not low <= pitch <= high for pitch in pitches]) > MAX_OUTSIDE_SHARE:
                low, high = min(pitches), max(pitches)  # another instrument than the program says
            together = Counter(note.onset for note in notes)
            most = max(together.values())
            parts.append(
                Part(
                    low=max(min(pitches) - REGISTER_MARGIN, low),
                    high=min(max(pitches) + REGISTER_MARGIN, high),
                    hands=most > 1,
                    most=min(most, 2 * HAND_NOTES),
                )
            )
        return tuple(parts)


@one_thread()
def choose_setting(
    step: EventStep, primer: Primer, settings: Sequence[Setting], conditions: Conditions
) -> Setting:
    """Return the setting in which the model finds the primer likeliest.

    Args:
        step: the model.
        primer: music of the user.
        settings: at least one.
        conditions: of the primer, for any setting.
    """
    if len(settings) == 1:
        return settings[0]
    rows = []
    for setting in settings:
        placed = replace(conditions, style=setting.style, programs=setting.programs)
        events = place_events(primer, setting)[-SCORED_EVENTS:]
        first = next((i for i, event in enumerate(events) if event[v.STEP] == v.BAR), 0)
        array = np.array(events[first:], np.int16)
        read = features(array, placed)
        array[array[:, PITCH] >= 0, PITCH] -= placed.shift - 6
        rows.append((read, array))
    inputs = np.zeros((max(len(events) for _, events in rows), len(rows), FEATURES), np.int64)
    for row, (read, _) in enumerate(rows):
        inputs[: len(read), row] = read
    with np.errstate(all="ignore"):  # a model with weights that are NaN chooses too
        summaries = np.array(step.read(inputs, len(rows))[0])
        totals = [
            step.nats(summaries[: len(events), row], events).sum() for row, (_, events) in enumerate(rows)
        ]
    return settings[int(np.argmin(totals))]


def place_events(primer: Primer, setting: Setting) -> list[list[int]]:
    """Return the events of the primer as the model reads them, without an end."""
    piece = primer.piece
    notes = tuple(sorted(map(setting.place, piece.notes)))
    events: list[list[int]] = encode(replace(piece, notes=notes, programs=setting.programs))[:-1].tolist()
    return events


def settings_of(primer: Primer, programs: Mapping[str, tuple[int, ...]]) -> list[Setting]:
    """Return the settings in which the model can read a primer.

    The tracks are given to those of a style from the highest to the lowest, in every order-preserving way, so
    that each style is tried for a melody, a melody with a bass, or a whole piece. Instruments that the model
    does not know thus become instruments that it knows. If a primer has more tracks than every style, each
    track gets a similar instrument.

    Args:
        primer: music of the user.
        programs: programs of the tracks of each style.
    """
    found = [
        Setting(STYLES.index(style), known, places)
        for style, known in programs.items()
        for places in _places(primer, style, known)
    ]
    if found:
        return found
    similar = tuple(_similar_program(primer, track) for track in range(len(primer.tracks)))
    places = tuple((track, track) for track in range(len(primer.tracks)))
    styles = [style for style in programs if style != "chorale"] or [*programs]
    return [Setting(STYLES.index(style), similar, places) for style in styles]


def _places(primer: Primer, style: str, programs: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], ...]]:
    """Yield the ways to place the tracks of a primer on those of a style."""
    count = len(primer.tracks)
    if count > len(programs) or (style == "chorale" and count < len(programs)):
        return
    if primer.piece.programs == programs:
        yield tuple((track, track) for track in range(count))
        return
    order = sorted(range(count), key=lambda track: -np.mean([note.pitch for note in primer.tracks[track]]))
    for chosen in combinations(range(len(programs)), count):
        if all(
            programs[place] == 0 or _is_single(primer.tracks[track])
            for track, place in zip(order, chosen, strict=True)
        ):
            places = dict(zip(order, chosen, strict=True))
            yield tuple((places[track], places[track]) for track in range(count))
    if count == 1 and not _is_single(primer.tracks[0]) and programs[-2:] == (0, 0):
        yield ((len(programs) - 2, len(programs) - 1),)


def _is_single(notes: Sequence[GridNote]) -> bool:
    """Return whether a track plays one note at a time."""
    return len({note.onset for note in notes}) == len(notes)


def _similar_program(primer: Primer, track: int) -> int:
    """Return a program that the model knows: a piano for chords, else a voice or a cello."""
    if not _is_single(primer.tracks[track]):
        return 0
    mean = math.fsum(note.pitch for note in primer.tracks[track]) / len(primer.tracks[track])
    return 68 if mean >= 55 else 42
