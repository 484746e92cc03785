"""Write the manifests of the English model from a folder of corpora, which README.md lists."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from audioseq.errors import AudioseqError
from audioseq.speech.data import corpora

TRAIN = {
    "LibriSpeech/train-clean-5": corpora.librispeech,
    "LibriSpeech/train-clean-100-part": corpora.librispeech,
    "speechocean762/train": corpora.tsv,
    "LJSpeech-part": corpora.ljspeech,
    "VCTK-part": corpora.vctk,
    "CommonVoice1-part": corpora.tsv,
    "CommonVoice-part": corpora.tsv,
    "CommonVoice13-part": corpora.tsv,
}
DEV = {"LibriSpeech/dev-clean-part": corpora.librispeech}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, default=Path("../shared/data/speech"))
    parser.add_argument("--out", type=Path, default=Path("runs/data/english"))
    asked = parser.parse_args()
    for name, folders in (("train", TRAIN), ("dev", DEV)):
        read = [utterance for place, reader in folders.items() for utterance in reader(asked.source / place)]
        print(corpora.save(asked.out / f"{name}.jsonl", read))


if __name__ == "__main__":
    try:
        main()
    except AudioseqError as error:
        sys.exit(f"error: {error}")
