"""Measure a composer: likelihood, conditioning, endings, styles, and copies of training data.

    python recipes/music-lstm/measure.py [MODEL] [--split valid] [--pieces 16] [--publish HARDWARE]

Pieces of 32 bars in each style are compared with 32 bars from the middle of held-out pieces. Further pieces
are composed with key, tempo, density and bars all given.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audioseq.config import load
from audioseq.music import pipeline
from audioseq.music.config import MusicConfig
from audioseq.music.data.corpora import read_manifest
from audioseq.music.data.examples import Example, read_data, read_examples
from audioseq.music.evaluate import load_network
from audioseq.music.memorisation.copies import CopyIndex
from audioseq.music.model import MusicModel
from audioseq.music.pipeline import Composer, Composition, CompositionOptions
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.grid import Piece, to_grid
from audioseq.music.representation.tokenizer import encode
from audioseq.music.task import compute_metrics, compute_nats
from audioseq.recipe import OPTIONS, publish, run_script

HERE, DATA = Path(__file__).parent, Path("runs/data/music")
BARS = 32
CLASSIFIER_PIECES = 600  # training pieces per style for the style classifier
MAX_SHARED_NOTES = 16  # longer runs of notes that are in the training data count as copies


def middle(piece: Piece) -> Piece:
    """Return `BARS` bars from the middle of a piece."""
    first = max(len(piece.meters) - BARS, 0) // 2
    lines = piece.starts[first : first + BARS + 1]
    start, end = lines[0], lines[-1]
    notes = [note._replace(onset=note.onset - start) for note in piece.notes if start <= note.onset < end]
    return replace(piece, notes=tuple(notes), meters=piece.meters[first : first + BARS])


def histograms(piece: Piece) -> np.ndarray:
    """Return features of the style: durations, positions and pitches, without instruments and velocities."""
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


def endings(made: list[Composition], network: MusicModel) -> tuple[float, float]:
    """Return the share of pieces whose end the model prefers to a new bar, and that end on the tonic."""
    nats = []
    pieces = [to_grid(each.score) for each in made]
    for step in (v.END, v.BAR):
        examples = []
        for each, piece in zip(made, pieces, strict=True):
            conditions = replace(each.conditions, programs=piece.programs, bars=len(piece.meters))
            events = encode(piece)
            events[-1, : v.METER + 1] = step, piece.meters[-1] if step == v.BAR else -1
            examples.append(Example("", events, conditions))
        nats.append([each[-1, v.STEP] for each in compute_nats(network, examples)])
    on_tonic = [piece.final_bass == each.conditions.tonic for each, piece in zip(made, pieces, strict=True)]
    return float(np.mean(np.array(nats[0]) < np.array(nats[1]))), float(np.mean(on_tonic))


def compose(composer: Composer, style: str, pieces: int) -> list[Composition]:
    """Compose pieces of a style."""
    made: list[Composition] = []
    while len(made) < pieces:
        count = min(pieces - len(made), pipeline.MAX_BATCH_PIECES)
        made += composer.compose(len(made), count=count, options=CompositionOptions(style, bars=BARS))
    return made


def granted(composer: Composer, pieces: int) -> dict[str, Any]:
    """Compose with random options, and return how well the pieces follow them."""
    random = np.random.default_rng(1)
    made: list[tuple[CompositionOptions, Composition]] = []
    while len(made) < pieces:  # four pieces for each set of options
        tonic, minor = v.TONICS[random.integers(12)], random.random() < 0.5
        options = CompositionOptions(
            key=f"{tonic} {'minor' if minor else 'major'}",
            tempo=round(random.uniform(50, 160)),
            density=round(2 ** random.uniform(0.5, 3), 2),
            bars=int(random.integers(8, 49)),
        )
        made += [(options, each) for each in composer.compose(len(made), count=4, options=options)]
    results = [(options, to_grid(each.score), each.conditions) for options, each in made]
    densities = [(options.density, piece.density) for options, piece, _ in results]
    return {
        "key": float(
            np.mean([piece.key() == (conditions.tonic, conditions.minor) for _, piece, conditions in results])
        ),
        "tempo": float(
            np.mean([abs(piece.bpm - (options.tempo or 0)) < 0.5 for options, piece, _ in results])
        ),
        "density_spearman": float(spearmanr(densities).statistic),
        "length": float(
            np.mean([abs(len(p.meters) - (options.bars or 0)) <= 1 for options, p, _ in results])
        ),
    }


@dataclass
class Reference:
    """Real music that composers are compared with.

    Args:
        split: of the held-out pieces, `valid` or `test`.
    """

    split: str
    held_out: list[Example] = field(init=False)
    real: dict[str, list[Piece]] = field(init=False)
    classifier: Any = field(init=False)
    index: CopyIndex = field(init=False)

    def __post_init__(self) -> None:
        training, valid = read_data(load(MusicConfig, HERE / "config.toml").data)
        self.held_out = valid if self.split == "valid" else read_examples(read_manifest(DATA / "test.jsonl"))
        self.real = by_style(self.held_out, len(self.held_out))
        training_pieces = by_style(training, CLASSIFIER_PIECES)
        self.classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
        self.classifier.fit(
            [histograms(p) for s in training_pieces for p in training_pieces[s]],
            [s for s in training_pieces for _ in training_pieces[s]],
        )
        self.index = CopyIndex.from_pieces(example.piece() for example in training)

    def style_accuracy(self, pieces: dict[str, list[Piece]]) -> dict[str, float]:
        """Return the accuracy of the style classifier on the pieces of each style."""
        return {
            s: float(np.mean(self.classifier.predict([*map(histograms, pieces[s])]) == s)) for s in pieces
        }

    def copies(self, pieces: list[Piece]) -> dict[str, float]:
        """Return statistics of the longest run of notes that each piece shares with a training piece."""
        notes = [self.index.longest_run(piece).notes for piece in pieces]
        over = np.mean(np.array(notes) > MAX_SHARED_NOTES)
        return {"median": float(np.median(notes)), "longest": max(notes), "too_long": float(over)}


def by_style(examples: list[Example], most: int) -> dict[str, list[Piece]]:
    """Return bars from the middle of some pieces of each style."""
    found: dict[str, list[Piece]] = {}
    for style in sorted({v.STYLES[example.conditions.style] for example in examples}):
        own = [example for example in examples if v.STYLES[example.conditions.style] == style]
        found[style] = [middle(example.piece()) for example in own[:: max(len(own) // most, 1)][:most]]
    return found


def measure(composer: Composer, network: MusicModel, reference: Reference, pieces: int) -> dict[str, Any]:
    """Return all measurements, on a number of pieces per style and as many with random options."""
    styles = sorted(reference.real)
    held_out = sorted(reference.held_out, key=lambda example: len(example.events))
    made = {style: compose(composer, style, pieces) for style in styles}
    ours = {style: [to_grid(each.score) for each in made[style]] for style in styles}
    every = [(piece, each) for style in styles for piece, each in zip(ours[style], made[style], strict=True)]
    ends, tonics = np.mean([endings(made[style], network) for style in styles], axis=0).tolist()
    figures: dict[str, Any] = {
        reference.split: compute_metrics(network, held_out),
        "pieces": pieces,
        "style_of_real_pieces": reference.style_accuracy(reference.real),
        "style": reference.style_accuracy(ours),
        "key": float(np.mean([p.key() == (m.conditions.tonic, m.conditions.minor) for p, m in every])),
        "granted": granted(composer, pieces),
        "end_by_themselves": ends,
        "final_bass_on_tonic": tonics,
        "copied": float(np.mean([each.copied for _, each in every])),
    }
    for style in styles:
        figures[style] = {
            "copies": reference.copies(ours[style]),
            "copies_of_real_pieces": reference.copies(reference.real[style]),
            "redrawn": float(np.mean([each.resampled for each in made[style]])),
            "pieces_with_redrawn": float(np.mean([each.resampled > 0 for each in made[style]])),
        }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", default="music-small", help="name or path of a model")
    parser.add_argument("--split", choices=("valid", "test"), default="valid")
    parser.add_argument("--pieces", type=int, default=100, help="pieces of each kind")
    parser.add_argument("--publish", **OPTIONS["publish"])
    args = parser.parse_args()
    composer, network = pipeline.load_composer(args.model), load_network(args.model)
    figures = measure(composer, network, Reference(args.split), args.pieces)
    headline = f"{figures[args.split]['nats_per_note']:.2f} nats"
    path = HERE / "results.json"
    others = json.loads(path.read_text()) if path.exists() else {}  # those of compare.py and performance.py
    publish(HERE, {**others, "headline": headline, **figures}, args.publish)


if __name__ == "__main__":
    run_script(main)
