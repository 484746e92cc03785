"""Write manifests of the pieces of one composer: a test set, and 5, 15 and 28 pieces to adapt with."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from audioseq.errors import DataError
from audioseq.music.data.corpora import PieceEntry, write_manifest
from audioseq.recipe import run_script

PIECES = (5, 15, 28)
TEST_PIECES = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, default=Path("../shared/data/music/joplin-rags"))
    parser.add_argument("--out", type=Path, default=Path("runs/data/adapt-music"))
    args = parser.parse_args()
    entries = [PieceEntry(path.stem, path, "other") for path in args.source.glob("*.mid")]
    if len(entries) != PIECES[-1] + TEST_PIECES:
        raise DataError(
            f"{args.source}: has {len(entries)} MIDI files instead of 35; give the folder of the rags"
        )
    entries.sort(key=lambda entry: hashlib.sha256(entry.id.encode()).digest())
    print(write_manifest(args.out / "test.jsonl", entries[:TEST_PIECES]))
    for count in PIECES:
        some = entries[TEST_PIECES : TEST_PIECES + count]
        held_out = max(count // 10, 1)
        print(write_manifest(args.out / f"{count:02}-valid.jsonl", some[:held_out]))
        print(write_manifest(args.out / f"{count:02}-train.jsonl", some[held_out:]))


if __name__ == "__main__":
    run_script(main)
