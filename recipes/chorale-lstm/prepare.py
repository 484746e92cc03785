"""Convert Bach's chorales to MIDI files, and write the manifests of their standard split."""

from __future__ import annotations

import argparse
from pathlib import Path

from audioseq.music.data import corpora
from audioseq.recipe import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        required=True,
        help="Jsb16thSeparated.json: four voices in sixteenths",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/data/chorales"))
    args = parser.parse_args()
    tunes = list(corpora.chorales(args.source, args.out / "midi"))
    for split in corpora.SPLITS:
        pieces = [tune for part, tune in tunes if part == split]
        print(corpora.write_manifest(args.out / f"{split}.jsonl", pieces))


if __name__ == "__main__":
    run_script(main)
