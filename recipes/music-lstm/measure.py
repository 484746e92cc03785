"""Measure a composer: is its music as asked, does it end, is it like real music, does it copy?

    python recipes/music-lstm/measure.py [MODEL] [--split valid] [--pieces 16] [--publish HARDWARE]

Pieces of 32 bars in each style stand beside 32 bars from the middle of held-out pieces. Others are composed
with all other wishes at once: key, tempo, density, bars.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audioseq.config import load
from audioseq.errors import AudioseqError
from audioseq.music import pipeline
from audioseq.music.analysis import statistics
from audioseq.music.config import MusicConfig
from audioseq.music.data.corpora import read_manifest
from audioseq.music.data.examples import Example, read, read_data
from audioseq.music.memorisation.copies import Copies
from audioseq.music.pipeline import Composer, Composition, CompositionOptions
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.grid import Piece, to_grid
from audioseq.music.representation.tokenizer import encode
from audioseq.music.task import measure as nats
from audioseq.music.task import nats_of

HERE, DATA = Path(__file__).parent, Path("runs/data/music")
BARS = 32
LEARNT = 600  # training pieces of a style that the classifier of styles learns from
MOST_COPIED = 16  # notes in a row that may be in the training data too


def middle(piece: Piece) -> Piece:
    """Return bars from the middle of a piece."""
    first = max(len(piece.meters) - BARS, 0) // 2
    lines = piece.starts[first : first + BARS + 1]
    start, end = lines[0], lines[-1]
    notes = [note._replace(onset=note.onset - start) for note in piece.notes if start <= note.onset < end]
    return replace(piece, notes=tuple(notes), meters=piece.meters[first : first + BARS])


def histograms(piece: Piece) -> np.ndarray:
    """Return what tells a style: durations, places in the bar, pitches; neither instruments nor loudness."""
    starts, notes = np.array(piece.starts), piece.notes
    onsets, durations, pitches = np.array([(note.onset, note.duration, note.pitch) for note in notes]).T
    places = onsets - starts[np.searchsorted(starts, onsets, side="right") - 1]
    parts = [
        np.bincount(np.minimum(durations // 3, 32), minlength=33),
        np.bincount(places // 3 % 32, minlength=32),
        np.bincount(np.clip(np.diff(pitches), -24, 24) + 24, minlength=49),
        np.bincount(np.minimum(np.diff(onsets) // 3, 16), minlength=17),
        np.bincount(pitches // 6, minlength=22),
    ]
    return np.concatenate([np.sqrt(part / len(notes)) for part in parts])


def endings(made: list[Composition], composer: Composer) -> tuple[float, float]:
    """Return the share of pieces where the model would rather end than go on to a new bar; that come home."""
    nats = []
    pieces = [to_grid(each.score) for each in made]
    for step in (v.END, v.BAR):
        examples = []
        for each, piece in zip(made, pieces, strict=True):
            asked = replace(each.conditions, programs=piece.programs, bars=len(piece.meters))
            events = encode(piece)
            events[-1, : v.METER + 1] = step, piece.meters[-1] if step == v.BAR else -1
            examples.append(Example("", events, asked))
        nats.append([each[-1, v.STEP] for each in nats_of(composer.model, examples)])
    home = [piece.final_bass == each.conditions.tonic for each, piece in zip(made, pieces, strict=True)]
    return float(np.mean(np.array(nats[0]) < np.array(nats[1]))), float(np.mean(home))


def compose(composer: Composer, style: str, pieces: int) -> list[Composition]:
    """Compose so many pieces of a style."""
    made: list[Composition] = []
    while len(made) < pieces:
        count = min(pieces - len(made), pipeline.MOST_AT_ONCE)
        made += composer.compose(len(made), count=count, options=CompositionOptions(style, bars=BARS))
    return made


def granted(composer: Composer, pieces: int) -> dict[str, Any]:
    """Compose with wishes of every kind, and return how many of them were granted."""
    random = np.random.default_rng(1)
    made: list[tuple[CompositionOptions, Composition]] = []
    while len(made) < pieces:  # four by four
        tonic, minor = v.TONICS[random.integers(12)], random.random() < 0.5
        wishes = CompositionOptions(
            key=f"{tonic} {'minor' if minor else 'major'}",
            tempo=round(random.uniform(50, 160)),
            density=round(2 ** random.uniform(0.5, 3), 2),
            bars=int(random.integers(8, 49)),
        )
        made += [(wishes, each) for each in composer.compose(len(made), count=4, options=wishes)]
    got = [(wishes, to_grid(each.score), each.conditions) for wishes, each in made]
    densities = [(wishes.density, piece.density) for wishes, piece, _ in got]
    return {
        "key": float(np.mean([piece.key() == (asked.tonic, asked.minor) for _, piece, asked in got])),
        "tempo": float(np.mean([abs(piece.bpm - (wishes.tempo or 0)) < 0.5 for wishes, piece, _ in got])),
        "density_spearman": float(spearmanr(densities).statistic),
        "length": float(np.mean([abs(len(p.meters) - (wishes.bars or 0)) <= 1 for wishes, p, _ in got])),
    }


@dataclass
class Reference:
    """Real music: what a composer is measured by, whichever it is.

    Args:
        split: of the held-out pieces, `valid` or `test`.
    """

    split: str
    held_out: list[Example] = field(init=False)
    real: dict[str, list[Piece]] = field(init=False)
    teller: Any = field(init=False)
    index: Copies = field(init=False)

    def __post_init__(self) -> None:
        training, valid = read_data(load(MusicConfig, HERE / "config.toml").data)
        self.held_out = valid if self.split == "valid" else read(read_manifest(DATA / "test.jsonl"))
        self.real = by_style(self.held_out, len(self.held_out))
        known = by_style(training, LEARNT)
        self.teller = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
        self.teller.fit(
            [histograms(p) for s in known for p in known[s]], [s for s in known for _ in known[s]]
        )
        self.index = Copies.of(example.piece() for example in training)

    def told(self, pieces: dict[str, list[Piece]]) -> dict[str, float]:
        """Return the share of pieces of each style whose style is told right."""
        return {s: float(np.mean(self.teller.predict([*map(histograms, pieces[s])]) == s)) for s in pieces}

    def copies(self, pieces: list[Piece]) -> dict[str, float]:
        """Return how long the longest run of notes is that a piece shares with a training piece."""
        notes = [self.index.longest_run(piece).notes for piece in pieces]
        over = np.mean(np.array(notes) > MOST_COPIED)
        return {"median": float(np.median(notes)), "longest": max(notes), "too_long": float(over)}


def by_style(examples: list[Example], most: int) -> dict[str, list[Piece]]:
    """Return bars from the middle of some pieces of each style."""
    found: dict[str, list[Piece]] = {}
    for style in sorted({v.STYLES[example.conditions.style] for example in examples}):
        own = [example for example in examples if v.STYLES[example.conditions.style] == style]
        found[style] = [middle(example.piece()) for example in own[:: max(len(own) // most, 1)][:most]]
    return found


def measure(composer: Composer, reference: Reference, pieces: int) -> dict[str, Any]:
    """Measure everything, on so many pieces of each style, and as many with other wishes."""
    styles = sorted(reference.real)
    held_out = sorted(reference.held_out, key=lambda example: len(example.events))
    made = {style: compose(composer, style, pieces) for style in styles}
    ours = {style: [to_grid(each.score) for each in made[style]] for style in styles}
    every = [(piece, each) for style in styles for piece, each in zip(ours[style], made[style], strict=True)]
    ends, tonics = np.mean([endings(made[style], composer) for style in styles], axis=0).tolist()
    figures: dict[str, Any] = {
        reference.split: nats(composer.model, held_out),
        "pieces": pieces,
        "style_of_real_pieces": reference.told(reference.real),
        "style": reference.told(ours),
        "key": float(np.mean([p.key() == (m.conditions.tonic, m.conditions.minor) for p, m in every])),
        "granted": granted(composer, pieces),
        "end_by_themselves": ends,
        "final_bass_on_tonic": tonics,
        "copied": float(np.mean([each.copied for _, each in every])),
    }
    for style in styles:
        own, theirs = (
            [statistics.describe(piece) for piece in group[style]] for group in (ours, reference.real)
        )
        rows = statistics.compare(own, theirs)
        print(f"\n{style}", statistics.table(rows), sep="\n", flush=True)
        figures[style] = {
            "outside": [row.name for row in rows if not row.alike],
            "copies": reference.copies(ours[style]),
            "copies_of_real_pieces": reference.copies(reference.real[style]),
            "redrawn": float(np.mean([each.resampled for each in made[style]])),
            "pieces_with_redrawn": float(np.mean([each.resampled > 0 for each in made[style]])),
        }
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", default="music-small", help="a name, or a file")
    parser.add_argument("--split", choices=("valid", "test"), default="valid")
    parser.add_argument("--pieces", type=int, default=100, help="of each kind")
    parser.add_argument("--publish", metavar="HARDWARE", help="write results.json: measured on what")
    asked = parser.parse_args()
    try:
        figures = measure(pipeline.load_composer(asked.model), Reference(asked.split), asked.pieces)
    except AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
    headline = f"{figures[asked.split]['nats_per_note']:.2f} nats"
    about = {"headline": headline, "date": date.today().isoformat(), "hardware": asked.publish}
    text = json.dumps(about | figures, indent=2)
    if asked.publish:
        (HERE / "results.json").write_text(text + "\n")
    print(text)
