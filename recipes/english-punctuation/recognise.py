"""Recognise recordings with word timestamps: the source of a recogniser's errors and of pauses.

Writes a line of JSON for each utterance: id, text, and the words with their start and end in seconds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import audioseq
from audioseq.data import read_manifest
from audioseq.recipe import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--dataset", help="only the utterances of this data set")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth utterance")
    parser.add_argument(
        "--only", type=Path, metavar="TSV", help="only the ids in the first column of a table"
    )
    parser.add_argument("--model", default="english-small", help="name or path of a recogniser")
    args = parser.parse_args()
    recogniser = audioseq.load(args.model)
    utterances = [each for each in read_manifest(args.manifest) if args.dataset in (None, each.dataset)]
    if args.only is not None:
        ids = {line.partition("\t")[0] for line in args.only.read_text(encoding="utf-8").splitlines()}
        utterances = [each for each in utterances if each.id in ids]
    args.output.parent.mkdir(parents=True, exist_ok=True)
    with args.output.open("w", encoding="utf-8") as file:
        for utterance in utterances[:: args.every]:
            found = recogniser.transcribe(utterance.load(), 16_000, words=True, raw=True).words
            words = [(each.word, round(each.start, 3), round(each.end, 3)) for each in found]
            line = {"id": utterance.id, "text": utterance.text, "words": words}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()


if __name__ == "__main__":
    run_script(main)
