"""Write the manifests of the English model from a folder of corpora: see README.md for what is in it."""

from __future__ import annotations

import argparse
from pathlib import Path

from audioseq.data import write_manifest
from audioseq.speech import corpora

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

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, default=Path("../shared/data/speech"))
    parser.add_argument("--out", type=Path, default=Path("runs/data/english"))
    arguments = parser.parse_args()
    for name, folders in (("train", TRAIN), ("dev", DEV)):
        read = [
            utterance for place, reader in folders.items() for utterance in reader(arguments.source / place)
        ]
        report = corpora.clean(read)
        write_manifest(arguments.out / f"{name}.jsonl", report.utterances)
        print(f"{arguments.out / name}.jsonl\n{report}")
