"""Performance: the sustain pedal and the timing of pianists, as measured in POP909.

`recipes/music-lstm/performance.py` measures the habits in `performance.json`.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from audioseq.midi import Note, Score
from audioseq.midi.pedal import PedalChange, spans
from audioseq.music.composing.options import CompositionOptions
from audioseq.music.representation.playing import is_piano

PLACES = 4
"""Beats of a bar that have habits of their own; further beats have those of the last of them."""
MAX_WAIT = 4
"""Beats since the last change of the pedal from which waiting longer makes no difference."""
SILENT, SAME_BASS, OTHER_BASS = range(3)
"""What happens at a beat: no note begins, or notes over the bass of the last change, or over another bass."""
NEAR_BEATS = 0.1
"""Quarter notes around a beat in which a note counts as on the beat."""
NEAR_END_BEATS = 0.3
"""Quarter notes around a beat in which the end of a note counts as on the beat."""
MIN_DOWN_SECONDS = 0.05
"""Shortest time for which the pedal is down."""
MAX_GAP_SHARE = 0.4
"""Largest deviation of an onset, as a share of the time to the neighbouring onsets of its track."""
MELODY_NAMES = ("melody", "bridge")
"""Names of tracks that the pedal does not hold: the lines of a pop song above its piano."""


@dataclass(frozen=True)
class Habits:
    """How pianists use the pedal, and how far from the beat they play.

    Args:
        change: probability that the pedal is changed at a beat `[PLACES][3][2][MAX_WAIT]`: by place in the
            bar, by what begins there, by whether notes end there, and by beats since the last change.
        lift: evenly spaced quantiles of the time from the beat to the lift, seconds.
        press: the same of the time from the lift until the pedal goes down again.
        deviation: the same of the time from the grid to the onset of a note.
        chord: correlation of the deviations of the notes of a chord.
        next: correlation of the deviations of neighbouring chords of a track.
    """

    change: Sequence[Sequence[Sequence[Sequence[float]]]]
    lift: Sequence[float]
    press: Sequence[float]
    deviation: Sequence[float]
    chord: float
    next: float

    @classmethod
    @cache
    def load(cls) -> Habits:
        """Return the habits that come with the package."""
        stored = json.loads(Path(__file__).with_name("performance.json").read_text(encoding="utf-8"))
        return cls(**stored["habits"])


class Beat(NamedTuple):
    """A beat of a piece."""

    position: float
    """In quarter notes."""
    place: int
    """Beats since the bar line."""
    bass: int | None
    """Pitch class of the lowest note that sounds; None if no note begins here."""
    ends: bool
    """Whether most notes that sound end here. The pedal holds notes in POP909, so it was probably lifted."""


@dataclass
class Foot:
    """What the next change of the pedal depends on.

    Args:
        bass: pitch class of the bass at the last change.
        wait: beats since then.
    """

    bass: int | None = None
    wait: int = 0

    def reach(self, beat: Beat) -> tuple[int, int, int, int]:
        """Return the index into `Habits.change` of the next beat."""
        self.wait += 1
        event = SILENT if beat.bass is None else SAME_BASS if beat.bass == self.bass else OTHER_BASS
        return beat.place, event, int(beat.ends), min(self.wait, MAX_WAIT) - 1

    def change(self, beat: Beat) -> None:
        """Record a change of the pedal at this beat."""
        self.bass, self.wait = beat.bass, 0


def add_pedal(score: Score, random: np.random.Generator, begin: float = 0.0) -> Score:
    """Return a score in which a pedal holds the piano tracks.

    At each beat, the pedal is changed with the probability of the habits: it is lifted near the beat, and
    goes down again a moment later. Notes keep their durations, which are those of the keys.

    Args:
        score: the piece.
        random: source of randomness.
        begin: the pedal is not used before this time, seconds.
    """
    tracks = pedalled_tracks(score)
    notes = [note for note in score.notes if note.track in tracks and note.onset >= begin - 1e-6]
    if not notes:
        return score
    habits = Habits.load()
    first, end = notes[0].onset, max(note.end for note in notes)
    changes = [(_draw(habits.press, random) + first, True)]
    foot = Foot()
    for beat in beats_of(score, notes):
        seconds = float(score.seconds(beat.position))
        if seconds <= first or seconds >= end:
            continue
        place, event, ends, wait = foot.reach(beat)
        if random.random() < habits.change[place][event][ends][wait]:
            lift = max(seconds + _draw(habits.lift, random), changes[-1][0] + MIN_DOWN_SECONDS)
            changes += [(lift, False), (lift + max(_draw(habits.press, random), 0.0), True)]
            foot.change(beat)
    changes = [change for change in changes if change[0] < end]
    if changes and changes[-1][1]:
        changes.append((end, False))
    pedals: list[PedalChange] = [(each[0], track, each[1]) for each in changes for track in sorted(tracks)]
    return replace(score, pedals=(*score.pedals, *pedals))


def release_keys(score: Score) -> Score:
    """Return a score whose keys are released with the pedal where notes would end soon after a lift.

    The model learnt the durations of notes that a pedal had prolonged. A note that ends while the pedal is
    down would sound until the next lift; if the last lift is nearer to its end, it ends there.
    """
    held = spans(score.pedals, score.end)
    notes = []
    for note in score.notes:
        down = held.get(note.track, [])
        index = bisect_right(down, (note.end, np.inf)) - 1
        if index > 0 and note.end < down[index][1]:
            lift = down[index - 1][1]
            if note.onset < lift and note.end - lift < down[index][1] - note.end:
                note = replace(note, duration=lift - note.onset)
        notes.append(note)
    return replace(score, notes=tuple(notes))


def wants_pedal(options: CompositionOptions, style: str, is_new: bool = True) -> bool:
    """Return whether a piece has a pedal: as asked for, else if it is a new piece of pop."""
    return is_new and style == "pop" if options.pedal is None else options.pedal


def pedalled_tracks(score: Score) -> set[int]:
    """Return the tracks that the pedal holds: pianos, without the melody and the bridge of a pop song."""
    names = dict(enumerate(score.names))
    return {
        note.track
        for note in score.notes
        if is_piano(note.program) and not note.drum and names.get(note.track, "").lower() not in MELODY_NAMES
    }


def beats_of(score: Score, notes: Iterable[Note]) -> Iterator[Beat]:
    """Yield the beats of a piece: quarters, or dotted quarters in meters such as 6/8.

    Args:
        score: the piece.
        notes: that the pedal holds.
    """
    lines = np.asarray(score.beats(score.bars()), np.float64)
    changes = np.asarray(score.beats(np.array([each[0] for each in score.time_signatures])), np.float64)
    rows = np.array([(note.onset, note.end, note.pitch) for note in notes])
    times, pitches = np.asarray(score.beats(rows[:, :2]), np.float64), rows[:, 2].astype(int)
    for start, stop in pairwise(lines.tolist()):
        index = max(int(np.searchsorted(changes, start + NEAR_BEATS, side="right")) - 1, 0)
        _, numerator, denominator = score.time_signatures[index]
        unit = 1.5 if denominator >= 8 and numerator % 3 == 0 else 1.0
        for place, position in enumerate(np.arange(start, stop - NEAR_BEATS, unit).tolist()):
            begins = np.abs(times[:, 0] - position) <= NEAR_BEATS
            sounding = begins | ((times[:, 0] < position) & (times[:, 1] > position + NEAR_BEATS))
            bass = int(pitches[sounding].min()) % 12 if begins.any() else None
            ending = np.abs(times[:, 1] - position) <= NEAR_END_BEATS
            held = (times[:, 0] < position - NEAR_BEATS) & (times[:, 1] > position + NEAR_END_BEATS)
            yield Beat(position, min(place, PLACES - 1), bass, bool(ending.sum() > held.sum()))


def humanise(score: Score, random: np.random.Generator, begin: float = 0.0) -> Score:
    """Return a score with the timing of a player: onsets deviate from the grid, and ends with them.

    The deviations have the quantiles of the habits. Those of a chord are correlated, and so are those of
    neighbouring chords of a track (a Gaussian copula).

    Args:
        score: the piece on the grid.
        random: source of randomness.
        begin: notes before this time are unchanged, seconds.
    """
    habits, normal = Habits.load(), NormalDist()
    tracks: dict[int, dict[float, list[Note]]] = defaultdict(dict)
    for note in score.notes:
        tracks[note.track].setdefault(round(note.onset, 6), []).append(note)
    result = [note for note in score.notes if note.onset < begin - 1e-6]
    for chords in tracks.values():
        onsets = [-np.inf, *chords, np.inf]
        common = random.standard_normal()
        for before, (onset, chord), after in zip(onsets, chords.items(), onsets[2:], strict=False):
            common = habits.next * common + (1 - habits.next**2) ** 0.5 * random.standard_normal()
            limit = MAX_GAP_SHARE * min(onset - before, after - onset)
            for note in chord:
                own = random.standard_normal()
                mixed = habits.chord**0.5 * common + (1 - habits.chord) ** 0.5 * own
                deviation = float(np.clip(_quantile(habits.deviation, normal.cdf(mixed)), -limit, limit))
                if note.onset >= begin - 1e-6:
                    result.append(replace(note, onset=max(note.onset + deviation, begin)))
    return replace(score, notes=tuple(result))


def _draw(quantiles: Sequence[float], random: np.random.Generator) -> float:
    return _quantile(quantiles, random.random())


def _quantile(quantiles: Sequence[float], share: float) -> float:
    """Return a quantile, between those that are given."""
    return float(np.interp(share, np.linspace(0, 1, len(quantiles)), quantiles))
