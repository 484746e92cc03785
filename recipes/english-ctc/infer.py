"""Print what is said in recordings."""

from __future__ import annotations

import argparse

import audioseq

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="+")
    parser.add_argument("--model", default="english-small", help="a name, or a file")
    asked = parser.parse_args()
    try:
        recogniser = audioseq.load(asked.model)
        for path in asked.recordings:
            print(path, recogniser.transcribe(path).text, sep="\t")
    except audioseq.AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
