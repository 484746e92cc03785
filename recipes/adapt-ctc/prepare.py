"""Write manifests of one speaker: a test, and 5 to 60 minutes to adapt with, without the test's sentences."""

from __future__ import annotations

import argparse
import random
import sys
from itertools import accumulate
from pathlib import Path

from audioseq.errors import AudioseqError
from audioseq.speech.data import corpora
from audioseq.speech.data.prepare import split_by_text
from audioseq.text.tokenizer import normalise

MINUTES = (5, 10, 30, 60)
TEST = 320  # the last recordings; they are numbered by sentence, then by time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, default=Path("../shared/data/speech/kathleen"))
    parser.add_argument("--out", type=Path, default=Path("runs/data/adapt"))
    asked = parser.parse_args()
    recordings = corpora.tsv(asked.source)
    test = corpora.save(asked.out / "test.jsonl", recordings[-TEST:])
    print(test)
    sentences = {utterance.text for utterance in test.utterances}
    pool = [each for each in recordings[:-TEST] if normalise(each.text).text not in sentences]
    random.Random(0).shuffle(pool)
    ends = list(accumulate(utterance.duration / 60 for utterance in pool))
    for minutes in MINUTES:
        some = [utterance for utterance, end in zip(pool, ends, strict=True) if end <= minutes]
        for name, part in zip(("train", "valid"), split_by_text(some, 0.1), strict=True):
            print(corpora.save(asked.out / f"{minutes:02}-{name}.jsonl", part))


if __name__ == "__main__":
    try:
        main()
    except AudioseqError as error:
        sys.exit(f"error: {error}")
