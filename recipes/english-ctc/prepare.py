"""Write the manifests of the English model from a folder of corpora, see README.md."""

from __future__ import annotations

import argparse
from pathlib import Path

from audioseq.recipe import run_script
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
MACHINE = {"CommonVoice13-machine": corpora.tsv}
"""Recordings whose texts were written by Whisper base, not by people."""
DEV = {"LibriSpeech/dev-clean-part": corpora.librispeech}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, default=Path("../shared/data/speech"))
    parser.add_argument("--out", type=Path, default=Path("runs/data/english"))
    args = parser.parse_args()
    for name, folders in (("train", TRAIN), ("machine", MACHINE), ("dev", DEV)):
        utterances = [each for folder, read in folders.items() for each in read(args.source / folder)]
        print(corpora.save_manifest(args.out / f"{name}.jsonl", utterances))


if __name__ == "__main__":
    run_script(main)
