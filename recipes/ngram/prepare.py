"""Write the sentences that are counted, and those that are held out: every hundredth."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from audioseq.checkpoint import write_atomically
from audioseq.errors import AudioseqError
from audioseq.language import corpus


def write(path: Path, sentences: list[str]) -> None:
    text = "".join(f"{sentence}\n" for sentence in sentences)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write(text.encode()))
    print(f"{path}: {len(sentences):,} sentences, {len(text.split()):,} words")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--from", dest="source", type=Path, required=True, help="one sentence a line, also .xz"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/data/ngram"))
    asked = parser.parse_args()
    try:
        sentences = [" ".join(words) for words in corpus.sentences(corpus.read([asked.source]))]
        write(asked.out / "held-out.txt", sentences[::100])
        del sentences[::100]
        write(asked.out / "train.txt", sentences)
    except AudioseqError as error:
        sys.exit(f"error: {error}")
