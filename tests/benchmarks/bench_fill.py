"""How well new bars fit between the bars of held-out pieces.

    python -m tests.benchmarks.bench_fill [--pieces N] [--bars N] [--styles STYLE ...] [--manifest FILE.jsonl]

In the middle of each piece some bars are replaced: by `fill`, with the best of several candidates or a
single one; by the same bars of another piece of the style, transposed to the key; or not at all. Nats per
note of the eight bars that follow, given the bars before them, tell how well the bars lead on. In key is the
share of the notes in these bars in the scale of the piece (of the harmonic minor, where it is minor); density
is their number relative to the original bars (median).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from audioseq.music.composing.composer import CANDIDATES
from audioseq.music.composing.revision import CONTEXT_BARS, FOLLOWING_BARS
from audioseq.music.data.corpora import read_manifest
from audioseq.music.pipeline import Composer, CompositionOptions, load_composer
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import Conditions
from audioseq.music.representation.grid import Piece, read_piece, to_grid, to_score
from audioseq.music.representation.tokenizer import conditions_of, encode, features
from tests.benchmarks import report

STYLES = ("pop", "lied", "quartet", "chorale")
SCALES = ({0, 2, 4, 5, 7, 9, 11}, {0, 2, 3, 5, 7, 8, 10, 11})
"""Semitones above the tonic, in major and in minor."""
MOST_BARS = 200
"""Longest piece that is used."""


def main() -> None:
    """Parse the options, fill, write the results."""
    parser = report.parser("fill", __doc__)
    parser.add_argument("--styles", nargs="+", default=STYLES, choices=STYLES)
    parser.add_argument("--pieces", type=int, default=6, help="pieces of each style")
    parser.add_argument("--bars", type=int, default=4, help="bars that are replaced")
    parser.add_argument("--manifest", type=Path, default=Path("runs/data/music/valid.jsonl"))
    options = parser.parse_args()
    composer = load_composer()
    rows: list[report.Row] = []
    for style in options.styles:
        pieces = read_pieces(options.manifest, style, options.pieces, options.bars)
        measured: dict[str, list[tuple[float, float, float]]] = {}
        for number, piece in enumerate(pieces):
            other = pieces[number - 1]
            for name, each in replacements(composer, piece, other, style, options.bars).items():
                measured.setdefault(name, []).append(measure(composer, piece, each, style, options.bars))
        for name, figures in measured.items():
            nats, key, density = zip(*figures, strict=True)
            rows.append(
                {
                    "style": style,
                    "bars": name,
                    "pieces": len(figures),
                    "nats per note of the following bars": round(float(np.mean(nats)), 3),
                    "in key (%)": round(100 * float(np.mean(key)), 1),
                    "density": round(float(np.median(density)), 2),
                }
            )
            report.show(rows[-1])
    report.write(options.output, {"Bars in the middle of held-out pieces": rows})


def read_pieces(manifest: Path, style: str, most: int, bars: int) -> list[Piece]:
    """Return pieces of a style, evenly from the list, with bars before and after those that are replaced."""
    found = []
    for entry in read_manifest(manifest):
        if entry.style == style and (piece := read_piece(entry.midi_filepath, print)) is not None:
            piece = to_grid(to_score(piece))  # as it is read from a file
            if bars + FOLLOWING_BARS < len(piece.meters) / 2 <= MOST_BARS / 2 and window(piece, bars)[2]:
                found.append(piece)
        if len(found) >= 4 * most:
            break
    return found[:: max(len(found) // most, 1)][:most]


def window(piece: Piece, bars: int) -> tuple[int, int, int]:
    """Return start and end, in ticks, of the bars in the middle, and their number of notes."""
    first = len(piece.meters) // 2
    begin, end = piece.starts[first], piece.starts[first + bars]
    return begin, end, sum(begin <= note.onset < end for note in piece.notes)


def replacements(composer: Composer, piece: Piece, other: Piece, style: str, bars: int) -> dict[str, Piece]:
    """Return the piece, and what becomes of it in each way."""
    first = len(piece.meters) // 2 + 1
    options = CompositionOptions(style=style)
    filled = {
        f"filled, best of {count}": to_grid(
            composer.fill(to_score(piece), (first, first + bars - 1), 1, options=options, best_of=count)[
                0
            ].score
        )
        for count in (1, CANDIDATES)
    }
    return {"original": piece, **filled, "of another piece": transplant(piece, other, bars)}


def transplant(piece: Piece, other: Piece, bars: int) -> Piece:
    """Return the piece with the bars in the middle of another one, in its own key."""
    begin, end, _ = window(piece, bars)
    source, source_end, _ = window(other, bars)
    (tonic, _), (from_tonic, _) = piece.key(), other.key()
    shift = (tonic - from_tonic + 6) % 12 - 6
    length = min(end - begin, source_end - source)
    notes = [
        note._replace(
            onset=note.onset - source + begin,
            negative_pitch=-min(max(note.pitch + shift, 0), v.PITCHES - 1),
            track=min(note.track, len(piece.programs) - 1),
        )
        for note in other.notes
        if source <= note.onset < source + length
    ]
    kept = [note for note in piece.notes if not begin <= note.onset < end]
    unique = {note[:3]: note for note in kept + notes}
    return replace(piece, notes=tuple(sorted(unique.values())))


def measure(
    composer: Composer, original: Piece, piece: Piece, style: str, bars: int
) -> tuple[float, float, float]:
    """Return nats per note of the following bars, the share of new notes in key, and relative density."""
    begin, end, count = window(original, bars)
    conditions = conditions_of(original, v.STYLES.index(style))
    tonic, minor = conditions.tonic, conditions.minor
    new = [note for note in piece.notes if begin <= note.onset < end]
    in_key = [(note.pitch - tonic) % 12 in SCALES[minor] for note in new]
    nats = following_nats(composer, piece, conditions, len(original.meters) // 2 + bars)
    return nats, float(np.mean(in_key)) if new else 1.0, len(new) / count


def following_nats(composer: Composer, piece: Piece, conditions: Conditions, bar: int) -> float:
    """Return the negative log-likelihood per note of eight bars, from a bar on, given the bars before."""
    first = max(bar - CONTEXT_BARS, 0) // 8 * 8
    starts, last = piece.starts, min(bar + FOLLOWING_BARS, len(piece.meters))
    notes = [
        note._replace(onset=note.onset - starts[first])
        for note in piece.notes
        if starts[first] <= note.onset < starts[last]
    ]
    events = encode(replace(piece, notes=tuple(notes), meters=piece.meters[first:last]))[:-1]
    here = replace(conditions, bars=conditions.bars - first)
    rows = features(events, here)
    following = np.cumsum(events[:, v.STEP] == v.BAR) > bar - first
    counted = int((events[following, v.PITCH] >= 0).sum())
    events[events[:, v.PITCH] >= 0, v.PITCH] -= here.shift - 6
    summaries, _ = composer.step.read(rows[:, None].astype(np.int64), 1)
    nats = composer.step.nats(np.concatenate(summaries), events)
    return float(nats[following].sum()) / max(counted, 1)


if __name__ == "__main__":
    main()
