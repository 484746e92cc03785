"""Print the transcripts of recordings."""

from __future__ import annotations

import argparse

import audioseq
from audioseq.recipe import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="+")
    parser.add_argument("--model", default="runs/librispeech-ctc/best.safetensors", help="name or path")
    args = parser.parse_args()
    recogniser = audioseq.load(args.model)
    for path in args.recordings:
        print(path, recogniser.transcribe(path).text, sep="\t")


if __name__ == "__main__":
    run_script(main)
