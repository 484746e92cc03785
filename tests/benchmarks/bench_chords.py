"""How well composed pieces follow given chords, beside pieces of the same seeds and key without chords.

    python -m tests.benchmarks.bench_chords [--pieces N] [--bars N]

For each style and progression, the share of the notes that belong to the chord at their onset; the share of
the sounding time in which a note belongs to the chord; how often the lowest note is the bass of the chord
when a chord begins; and how often the major or minor triad that fits the sounding time of a chord best has
its root. Nats per event tell what the chords cost in likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

import numpy as np

from audioseq.music.pipeline import Composer, Composition, CompositionOptions, load_composer
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.chords import Chord, Progression, parse_progression
from audioseq.music.representation.grid import Piece, to_grid
from tests.benchmarks import report

PROGRESSIONS = {
    "pop": "| C | Am7 | F | G7 |",
    "circle of fifths": "| Am | Dm7 | G7 | Cmaj7 | F | Bm7b5 | E7 | Am |",
    "two a bar": "| C G/B | Am Em/G | F C/E | Dm7 G7 |",
    "far": "| C | Ab | Fm7 | G |",
}
STYLES = ("pop", "lied", "quartet", "chorale")
TRIADS = np.array(
    [np.roll(np.isin(np.arange(12), (0, third, 7)), root) for third in (3, 4) for root in range(12)]
)


def main() -> None:
    """Parse the options, compose, write the results."""
    parser = report.parser("chords", __doc__)
    parser.add_argument("--pieces", type=int, default=4, help="pieces of each style and progression")
    parser.add_argument("--bars", type=int, default=16)
    options = parser.parse_args()
    composer = load_composer()
    rows: list[report.Row] = []
    for style in STYLES:
        for name, text in PROGRESSIONS.items():
            for chords in (text, None):
                rows.append(
                    {"style": style, "progression": name, "chords": "given" if chords else "not given"}
                    | measure(composer, style, text, chords, options.pieces, options.bars)
                )
                report.show(rows[-1])
    report.write(options.output, {"Pieces over given chords, and without": rows})


def measure(
    composer: Composer, style: str, text: str, chords: str | None, pieces: int, bars: int
) -> dict[str, str | float]:
    """Compose pieces, and return the means of their measures, in percent."""
    progression = parse_progression(text)
    tonic, minor = progression.key()
    key = v.TONICS[tonic] + ("m" if minor else "")
    wanted = CompositionOptions(style=style, key=key, bars=bars, chords=chords, meter="4/4")
    made = composer.compose(1, count=pieces, options=wanted)
    shares = np.mean([follow(to_grid(piece.score), progression) for piece in made], axis=0)
    names = (
        "notes in the chord (%)",
        "sounding time in the chord (%)",
        "bass of the chord (%)",
        "root found (%)",
    )
    row: dict[str, str | float] = {
        name: round(100 * share, 1) for name, share in zip(names, shares.tolist(), strict=True)
    }
    return row | {"nats per event": round(nats(made), 2)}


def nats(pieces: Sequence[Composition]) -> float:
    """Return the mean negative log-likelihood per event."""
    return mean(piece.nats_per_event for piece in pieces)


def follow(piece: Piece, progression: Progression) -> tuple[float, float, float, float]:
    """Return the measures of one piece, as shares."""
    spans = chord_spans(piece, progression)
    inside = np.array([note.pitch % 12 in chord_at(spans, note.onset).tones for note in piece.pitched])
    sounding = np.zeros((len(spans), 12))
    basses = []
    for index, (start, end, chord) in enumerate(spans):
        over = [note for note in piece.pitched if note.onset < end and note.end > start]
        for note in over:
            sounding[index, note.pitch % 12] += min(note.end, end) - max(note.onset, start)
        first = [note.pitch for note in over if note.onset <= start]
        if first:
            basses.append(min(first) % 12 == chord.bass)
    tones = np.array([[pitch in chord.tones for pitch in range(12)] for _, _, chord in spans])
    heard = sounding.sum(axis=1) > 0
    found = [
        int(np.argmax([np.corrcoef(row, triad)[0, 1] for triad in TRIADS])) % 12 for row in sounding[heard]
    ]
    roots = [chord.root for (_, _, chord), is_heard in zip(spans, heard, strict=True) if is_heard]
    return (
        float(inside.mean()),
        float((sounding * tones).sum() / sounding.sum()),
        float(np.mean(basses)),
        float(np.mean(np.array(found) == np.array(roots))),
    )


def chord_spans(piece: Piece, progression: Progression) -> list[tuple[int, int, Chord]]:
    """Return start and end, in ticks, and the chord of each part of the piece."""
    spans = []
    for bar, start in enumerate(piece.starts[:-1]):
        chords = progression.bars[bar % len(progression.bars)]
        length = (piece.starts[bar + 1] - start) // len(chords)
        spans += [(start + length * i, start + length * (i + 1), chord) for i, chord in enumerate(chords)]
    return spans


def chord_at(spans: Sequence[tuple[int, int, Chord]], tick: int) -> Chord:
    """Return the chord at a position."""
    return next((chord for start, end, chord in spans if start <= tick < end), spans[-1][2])


if __name__ == "__main__":
    main()
