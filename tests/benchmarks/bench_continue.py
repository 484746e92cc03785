"""Continuations of twenty plain tunes: key, range, hands, density, and the notes of the primer.

    python -m tests.benchmarks.bench_continue [--each 5] [--bars 12]

Each tune of `tunes.py` is continued several times by the default model. The key of a continuation is
estimated from its notes alone; it is right if its key signature is that of the tune. Beside the estimate for
the tunes stands that of music21. A primer counts as unchanged if a file with the continuation has the same
notes up to the end of the primer, to the tick and with their velocities. That is also checked for each tune
with swing and random velocities, and for each with quintuplets.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np

from audioseq.midi import Score
from audioseq.music.composing.swing import swing
from audioseq.music.pipeline import CompositionOptions, load_composer
from audioseq.music.representation.grid import Piece, to_grid
from audioseq.music.representation.playing import instrument_range, is_playable
from tests.benchmarks import report
from tests.benchmarks.tunes import TUNES, to_score

INSTRUMENTS = (0, 73, 40, 56, 24)
"""Programs of the tunes, in turn: piano, flute, violin, trumpet, guitar."""


def main() -> None:
    """Parse the options, measure, write the results."""
    parser = report.parser("continue", __doc__)
    parser.add_argument("--each", type=int, default=5, help="continuations of each tune")
    parser.add_argument("--bars", type=int, default=12)
    options = parser.parse_args()
    composer, wishes = load_composer(), CompositionOptions(bars=options.bars)
    counts: dict[str, int] = defaultdict(int)
    ratios = []
    for number, tune in enumerate(TUNES):
        primer = to_score(tune, program=INSTRUMENTS[number % len(INSTRUMENTS)])
        key = signature((tune.tonic, tune.minor))
        counts["tunes whose key signature is estimated right"] += signature(to_grid(primer).key(False)) == key
        counts["by music21"] += signature(estimate_with_music21(primer)) == key
        for piece in composer.compose(number, count=options.each, options=wishes, primer=primer):
            whole = Score.load(piece.score.to_bytes())
            before = [note for note in whole.notes if note.onset < primer.end - 1e-3]
            new = to_grid(Score(whole.notes[len(before) :], whole.tempos, whole.time_signatures))
            counts["continuations"] += 1
            counts["in the key of the tune"] += signature(new.key()) == key
            counts["with a note outside the range of the instrument"] += leaves_range(new)
            counts["with a chord that two hands cannot play"] += not all(map(is_playable, chords(new)))
            counts["with an unchanged primer"] += is_unchanged(primer, whole)
            density = len(new.notes) / (whole.beats(whole.end) - whole.beats(primer.end))
            ratios.append(density / (len(primer.notes) / primer.beats(primer.end)))
        report.show({"tune": tune.name, "style": piece.style, "key": piece.key})
    uneven: dict[str, int] = defaultdict(int)
    for number, tune in enumerate(TUNES):
        straight = to_score(tune, program=INSTRUMENTS[number % len(INSTRUMENTS)])
        for kind, primer in (("swing", with_swing(straight, number)), ("quintuplets", with_fives(straight))):
            (piece,) = composer.compose(number, options=CompositionOptions(bars=2), primer=primer)
            uneven[f"with {kind}"] += 1
            uneven[f"with {kind} and unchanged"] += is_unchanged(primer, Score.load(piece.score.to_bytes()))
    row: report.Row = {**counts, "density, ratio to the tune (median)": round(float(np.median(ratios)), 2)}
    report.write(
        options.output,
        {"Continuations of plain tunes": [row], "Continuations of the tunes in uneven rhythms": [uneven]},
    )


def is_unchanged(primer: Score, whole: Score) -> bool:
    """Return whether a piece begins with the notes of a primer, to half a tick."""
    before = [note for note in whole.notes if note.onset < primer.end - 1e-3]
    rows = [
        [(note.pitch, note.velocity, note.onset, note.end) for note in notes]
        for notes in (before, primer.notes)
    ]
    tick = 60 / max(bpm for _, bpm in primer.tempos) / primer.ticks_per_beat
    return len(rows[0]) == len(rows[1]) and np.allclose(rows[0], rows[1], rtol=0, atol=tick / 2)


def with_swing(tune: Score, seed: int) -> Score:
    """Return a tune as a file has it whose eighths swing, with a velocity of its own for each note."""
    random = np.random.default_rng(seed)
    notes = tuple(replace(note, velocity=int(random.integers(1, 128))) for note in swing(tune, 64).notes)
    return Score.load(replace(tune, notes=notes).to_bytes())


def with_fives(tune: Score) -> Score:
    """Return a tune as a file has it whose quarters are five notes each."""
    quarter = 60 / tune.tempos[0][1]
    notes = [
        replace(note, onset=note.onset + n * quarter / 5, duration=quarter / 5)
        if abs(note.duration - quarter) < 1e-6
        else note
        for note in tune.notes
        for n in range(5 if abs(note.duration - quarter) < 1e-6 else 1)
    ]
    return Score.load(replace(tune, notes=tuple(notes)).to_bytes())


def estimate_with_music21(tune: Score) -> tuple[int, bool]:
    """Return the key that music21 finds: tonic, and whether it is minor."""
    from music21 import note, stream

    line = stream.Stream()
    for each in tune.notes:
        line.append(note.Note(each.pitch, quarterLength=each.duration * tune.tempos[0][1] / 60))
    key = line.analyze("key")
    return int(key.tonic.pitchClass), key.mode == "minor"


def signature(key: tuple[int, bool]) -> int:
    """Return the major tonic of a key signature."""
    return (key[0] - (9 if key[1] else 0)) % 12


def leaves_range(piece: Piece) -> bool:
    """Return whether a note is outside the range of its instrument."""
    ranges = [instrument_range(program) for program in piece.programs]
    return any(not ranges[n.track][0] <= n.pitch <= ranges[n.track][1] for n in piece.notes)


def chords(piece: Piece) -> list[set[int]]:
    """Return the pitches that begin together."""
    found: dict[int, set[int]] = defaultdict(set)
    for note in piece.notes:
        found[note.onset].add(note.pitch)
    return list(found.values())


if __name__ == "__main__":
    main()
