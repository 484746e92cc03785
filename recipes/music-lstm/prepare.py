"""Write the manifests of four corpora, and MIDI files of the pieces that need bar lines."""

from __future__ import annotations

import argparse
from itertools import chain
from pathlib import Path

from audioseq.music.data import corpora
from audioseq.recipe import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--from", dest="source", type=Path, required=True,
        help="folder with openscore-lieder/, openscore-quartets/, pop909/ and jsb-chorales/",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("runs/data/music"))
    args = parser.parse_args()
    source, out = args.source, args.out
    entries = list(
        chain(
            corpora.lieder(source / "openscore-lieder"),
            corpora.quartets(source / "openscore-quartets", out / "quartets"),
            corpora.pop909(source / "pop909", out / "pop909"),
            corpora.chorales(source / "jsb-chorales" / "Jsb16thSeparated.json", out / "chorales"),
        )
    )
    for split in corpora.SPLITS:
        split_entries = [entry for name, entry in entries if name == split]
        print(corpora.write_manifest(out / f"{split}.jsonl", split_entries))


if __name__ == "__main__":
    run_script(main)
