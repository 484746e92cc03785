"""Write the manifests of four kinds of music, and the pieces whose bars had to be found."""

from __future__ import annotations

import argparse
import sys
from itertools import chain
from pathlib import Path

from audioseq.errors import AudioseqError
from audioseq.music.data import corpora


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--from", dest="source", type=Path, required=True,
        help="folder with openscore-lieder/, openscore-quartets/, pop909/ and jsb-chorales/ in it",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("runs/data/music"))
    asked = parser.parse_args()
    source, out = asked.source, asked.out
    tunes = list(
        chain(
            corpora.lieder(source / "openscore-lieder"),
            corpora.quartets(source / "openscore-quartets", out / "quartets"),
            corpora.pop909(source / "pop909", out / "pop909"),
            corpora.chorales(source / "jsb-chorales" / "Jsb16thSeparated.json", out / "chorales"),
        )
    )
    for split in corpora.SPLITS:
        print(corpora.save(out / f"{split}.jsonl", [tune for part, tune in tunes if part == split]))


if __name__ == "__main__":
    try:
        main()
    except AudioseqError as error:
        sys.exit(f"error: {error}")
