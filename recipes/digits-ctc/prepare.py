"""Write the manifests of spoken digits, and of strings of digits joined from clips of one speaker."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from audioseq.download import fetch_folder
from audioseq.errors import AudioseqError
from audioseq.speech.data import corpora

COMMIT = "26eb9aaf76e81b692f806f9140c2d2777410d7a1"
URL = f"https://codeload.github.com/Jakobovski/free-spoken-digit-dataset/tar.gz/{COMMIT}"
SHA256 = "9a68686ad29274bd0affde81b244953e677c9d7048dfb8acaf1168d7758bafab"
# The takes of a split, and how many strings are made of them. The test of single digits is the official one.
SPLITS = {"test": (range(5), 150), "dev": (range(5, 8), 100), "train": (range(8, 50), 600)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, help="folder with recordings/ in it")
    parser.add_argument("--out", type=Path, default=Path("runs/data/digits"))
    asked = parser.parse_args()
    name = f"free-spoken-digit-dataset-{COMMIT}"
    source = asked.source or fetch_folder(URL, f"sha256:{SHA256}", name, asked.out / "fsdd")
    digits = corpora.fsdd(source)
    for split, (takes, count) in SPLITS.items():
        clips = [digit for digit in digits if int(digit.id.split("_")[2]) in takes]
        strings = corpora.concatenate_clips(clips, asked.out / "strings", split, count, range(2, 7))
        print(corpora.save(asked.out / f"{split}.jsonl", clips))
        print(corpora.save(asked.out / f"{split}-strings.jsonl", strings))


if __name__ == "__main__":
    try:
        main()
    except AudioseqError as error:
        sys.exit(f"error: {error}")
