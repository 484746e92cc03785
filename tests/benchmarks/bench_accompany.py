"""Accompaniments of plain tunes: the notes of the tune, key and harmony, beside free and real pieces.

    python -m tests.benchmarks.bench_accompany [--candidates N] [--tunes N] [--manifest FILE.jsonl]

Each tune of `tunes.py` is accompanied in each style. Unchanged tunes have the same notes in the file with the
accompaniment, to the tick. In key is the share of the notes of the accompaniment in the scale of the tune (of
the harmonic minor, where it is minor). In harmony is the share of the time in which a note of the tune sounds
over an accompaniment and is one of its pitch classes; in clash, of that in which a pitch class of the
accompaniment is a semitone away. Free pieces of the style, composed without a tune, and held-out pieces are
measured in the same way, the first track as the tune.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from audioseq.midi import Score
from audioseq.music.composing.composer import CANDIDATES
from audioseq.music.data.corpora import read_manifest
from audioseq.music.pipeline import CompositionOptions, load_composer
from audioseq.music.representation.grid import Piece, read_piece, to_grid
from tests.benchmarks import report
from tests.benchmarks.bench_fill import SCALES
from tests.benchmarks.tunes import TUNES, to_score

STYLES = ("pop", "lied", "quartet")
FREE_BARS = 16


def main() -> None:
    """Parse the options, accompany, write the results."""
    parser = report.parser("accompany", __doc__)
    parser.add_argument("--candidates", type=int, default=CANDIDATES)
    parser.add_argument("--tunes", type=int, default=len(TUNES), help="number of tunes, and of other pieces")
    parser.add_argument("--manifest", type=Path, default=Path("runs/data/music/valid.jsonl"))
    options = parser.parse_args()
    composer, tunes = load_composer(), TUNES[:: max(len(TUNES) // options.tunes, 1)][: options.tunes]
    rows: list[report.Row] = []
    for style in STYLES:
        wanted = CompositionOptions(style=style)
        unchanged, found = 0, []
        for number, tune in enumerate(tunes):
            score = to_score(tune)
            (made,) = composer.accompany(score, number, options=wanted, best_of=options.candidates)
            written = Score.load(made.score.to_bytes())
            unchanged += is_unchanged(score, written)
            found.append(measure(to_grid(written), (tune.tonic, tune.minor)))
        rows.append(
            {"style": style, "pieces": "accompanied tunes", "unchanged tunes": unchanged, **mean(found)}
        )
        report.show(rows[-1])
        free = composer.compose(1, count=len(tunes), options=CompositionOptions(style=style, bars=FREE_BARS))
        found = [measure(to_grid(p.score), (p.conditions.tonic, p.conditions.minor)) for p in free]
        rows.append({"style": style, "pieces": "composed freely", "unchanged tunes": "", **mean(found)})
        report.show(rows[-1])
        entries = [entry for entry in read_manifest(options.manifest) if entry.style == style][: len(tunes)]
        real = [read_piece(entry.midi_filepath, print) for entry in entries]
        found = [measure(piece, piece.key()) for piece in real if piece is not None]
        rows.append({"style": style, "pieces": "held out", "unchanged tunes": "", **mean(found)})
        report.show(rows[-1])
    report.write(options.output, {"Accompaniments of plain tunes": rows})


def is_unchanged(tune: Score, written: Score) -> bool:
    """Return whether the first track of a file has the notes of the tune."""
    notes = [note for note in written.notes if note.track == 0]
    return len(notes) == len(tune.notes) and bool(
        np.allclose(
            [(note.pitch, note.velocity, note.onset, note.end) for note in notes],
            [(note.pitch, note.velocity, note.onset, note.end) for note in tune.notes],
            atol=1e-3,
        )
    )


def measure(piece: Piece, key: tuple[int, bool]) -> tuple[float, float, float]:
    """Return the shares of a piece: notes in key, time of the tune in harmony, and in a clash."""
    tonic, minor = key
    below = [note for note in piece.pitched if note.track > 0]
    end = max(note.end for note in piece.notes)
    sounding: np.ndarray = np.zeros((12, end), bool)
    for note in below:
        sounding[note.pitch % 12, note.onset : note.end] = True
    heard: np.ndarray = np.asarray(sounding.any(axis=0))
    near: np.ndarray = np.asarray(np.roll(sounding, 1, axis=0) | np.roll(sounding, -1, axis=0))
    time = np.zeros(3)  # over an accompaniment, in harmony, in a clash
    for note in piece.pitched:
        if note.track == 0:
            span, tone = slice(note.onset, note.end), note.pitch % 12
            inside = sounding[tone, span]
            clash = near[tone, span] & ~inside
            time += [heard[span].sum(), inside.sum(), clash.sum()]
    in_key = np.mean([(note.pitch - tonic) % 12 in SCALES[minor] for note in below]) if below else 1.0
    return float(in_key), float(time[1] / max(time[0], 1)), float(time[2] / max(time[0], 1))


def mean(found: list[tuple[float, float, float]]) -> dict[str, float]:
    """Return the mean shares, in percent."""
    key, harmony, clash = (round(100 * float(share), 1) for share in np.mean(found, axis=0))
    return {"in key (%)": key, "in harmony (%)": harmony, "in clash (%)": clash}


if __name__ == "__main__":
    main()
