"""The table of the recipe: train and evaluate a model for each row."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from audioseq.config import Config
from audioseq.language import corpus
from audioseq.language.ngram.build import NGramOptions, build
from audioseq.language.ngram.files import load_ngram, save_ngram


class Row(Config):
    """Order and size of a model; see `audioseq.language.ngram.build.NGramOptions`."""

    order: int
    max_size: float | None = None

    @property
    def name(self) -> str:
        """Name of the model and of its file."""
        return f"{self.order}-gram" + (f"-{self.max_size:g}MB" if self.max_size else "")


class TableConfig(Config):
    """The `config.toml` of the recipe."""

    data: Path
    vocabulary: int
    best: str
    models: tuple[Row, ...]
    card: dict[str, Any]


def fill(config: TableConfig, run_dir: Path) -> dict[str, dict[str, Any]]:
    """Train each model, save it in the run directory, and evaluate the file on the held-out sentences."""
    run_dir.mkdir(parents=True, exist_ok=True)
    text = corpus.build_corpus(corpus.read_lines([config.data / "train.txt"]))
    held_out = list(corpus.sentences(corpus.read_lines([config.data / "held-out.txt"])))
    rows = {}
    for row in config.models:
        start = time.process_time()
        model = build(text, NGramOptions(row.order, config.vocabulary, max_size=row.max_size))
        path = run_dir / f"{row.name}.safetensors"
        save_ngram(path, model, config.card | {"text": text.summary()})
        seconds = time.process_time() - start
        result = load_ngram(path).perplexity(held_out)
        rows[row.name] = {
            "perplexity": round(result.perplexity, 1),
            "unknown": round(result.unknown / max(1, result.words), 5),
            "ngrams": list(model.sizes),
            "megabytes": round(path.stat().st_size / 1e6, 2),
            "cpu_seconds": round(seconds),
        }
        print(f"{row.name}\t{rows[row.name]}", flush=True)
    return rows
