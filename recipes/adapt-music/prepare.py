"""Write manifests of a composer's pieces: a test, and 5, 15 and 28 pieces to adapt with."""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from audioseq.errors import AudioseqError, DataError
from audioseq.music.data.corpora import PieceEntry, save

PIECES = (5, 15, 28)
TEST = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, default=Path("../shared/data/music/joplin-rags"))
    parser.add_argument("--out", type=Path, default=Path("runs/data/adapt-music"))
    asked = parser.parse_args()
    tunes = [PieceEntry(path.stem, path, "other") for path in asked.source.glob("*.mid")]
    if len(tunes) != PIECES[-1] + TEST:
        raise DataError(f"{asked.source}: has {len(tunes)} MIDI files, not 35; give the folder of the rags")
    tunes.sort(key=lambda tune: hashlib.sha256(tune.id.encode()).digest())
    print(save(asked.out / "test.jsonl", tunes[:TEST]))
    for count in PIECES:
        some = tunes[TEST : TEST + count]
        held_out = max(count // 10, 1)
        print(save(asked.out / f"{count:02}-valid.jsonl", some[:held_out]))
        print(save(asked.out / f"{count:02}-train.jsonl", some[held_out:]))


if __name__ == "__main__":
    try:
        main()
    except AudioseqError as error:
        sys.exit(f"error: {error}")
