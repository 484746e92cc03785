"""Write Bach's chorales as MIDI files, and the manifests of their usual split."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from audioseq.errors import AudioseqError
from audioseq.music.data import corpora

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        required=True,
        help="Jsb16thSeparated.json, four voices by sixteenths",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/data/chorales"))
    asked = parser.parse_args()
    try:
        tunes = list(corpora.chorales(asked.source, asked.out / "midi"))
        for split in corpora.SPLITS:
            print(corpora.save(asked.out / f"{split}.jsonl", [tune for part, tune in tunes if part == split]))
    except AudioseqError as error:
        sys.exit(f"error: {error}")
