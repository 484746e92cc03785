"""Write manifests of spoken digits, and of digit strings concatenated from clips of one speaker."""

from __future__ import annotations

import argparse
from pathlib import Path

from audioseq.download import fetch_folder
from audioseq.recipe import run_script
from audioseq.speech.data import corpora

COMMIT = "26eb9aaf76e81b692f806f9140c2d2777410d7a1"
URL = f"https://codeload.github.com/Jakobovski/free-spoken-digit-dataset/tar.gz/{COMMIT}"
SHA256 = "9a68686ad29274bd0affde81b244953e677c9d7048dfb8acaf1168d7758bafab"
# Takes of each split, and the number of digit strings. The test set of single digits is the official one.
SPLITS = {"test": (range(5), 150), "dev": (range(5, 8), 100), "train": (range(8, 50), 600)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, help="folder with recordings/ in it")
    parser.add_argument("--out", type=Path, default=Path("runs/data/digits"))
    args = parser.parse_args()
    name = f"free-spoken-digit-dataset-{COMMIT}"
    source = args.source or fetch_folder(URL, f"sha256:{SHA256}", name, args.out / "fsdd")
    digits = corpora.fsdd(source)
    for split, (takes, count) in SPLITS.items():
        clips = [digit for digit in digits if int(digit.id.split("_")[2]) in takes]
        strings = corpora.concatenate_clips(clips, args.out / "strings", split, count, range(2, 7))
        print(corpora.save_manifest(args.out / f"{split}.jsonl", clips))
        print(corpora.save_manifest(args.out / f"{split}-strings.jsonl", strings))


if __name__ == "__main__":
    run_script(main)
