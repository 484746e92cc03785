"""Continuations of twenty plain tunes: key, range, hands, density, and the notes of the primer.

    python -m tests.benchmarks.bench_continue [--each 5] [--bars 12]

Each tune of `tunes.py` is continued several times by the default model. The key of a continuation is
estimated from its notes alone; it is right if its key signature is that of the tune. A primer counts as
unchanged if a file with the continuation has the same notes up to the end of the primer, to the tick.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from audioseq.midi import Score
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
        for piece in composer.compose(number, count=options.each, options=wishes, primer=primer):
            whole = Score.load(piece.score.to_bytes())
            before = [note for note in whole.notes if note.onset < primer.end - 1e-3]
            new = to_grid(Score(whole.notes[len(before) :], whole.tempos, whole.time_signatures))
            counts["continuations"] += 1
            counts["in the key of the tune"] += signature(new.key()) == key
            counts["with a note outside the range of the instrument"] += leaves_range(new)
            counts["with a chord that two hands cannot play"] += not all(map(is_playable, chords(new)))
            counts["with an unchanged primer"] += np.allclose(
                [(note.pitch, note.velocity, note.onset, note.end) for note in before],
                [(note.pitch, note.velocity, note.onset, note.end) for note in primer.notes],
                atol=1e-3,
            )
            density = len(new.notes) / (whole.beats(whole.end) - whole.beats(primer.end))
            ratios.append(density / (len(primer.notes) / primer.beats(primer.end)))
        report.show({"tune": tune.name, "style": piece.style, "key": piece.key})
    row: report.Row = {**counts, "density, ratio to the tune (median)": round(float(np.median(ratios)), 2)}
    report.write(options.output, {"Continuations of plain tunes": [row]})


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
