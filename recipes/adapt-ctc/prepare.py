"""Write manifests of one speaker: a test set, and 5 to 60 minutes of other sentences to adapt to."""

from __future__ import annotations

import argparse
import random
from itertools import accumulate
from pathlib import Path

from audioseq.recipe import run_script
from audioseq.speech.data import corpora
from audioseq.speech.data.prepare import split_by_text
from audioseq.text.tokenizer import normalise

MINUTES = (5, 10, 30, 60)
TEST_SIZE = 320  # the last recordings; they are numbered by sentence, then by time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, default=Path("../shared/data/speech/kathleen"))
    parser.add_argument("--out", type=Path, default=Path("runs/data/adapt"))
    args = parser.parse_args()
    recordings = corpora.tsv(args.source)
    test = corpora.save_manifest(args.out / "test.jsonl", recordings[-TEST_SIZE:])
    print(test)
    sentences = {utterance.text for utterance in test.utterances}
    pool = [each for each in recordings[:-TEST_SIZE] if normalise(each.text).text not in sentences]
    random.Random(0).shuffle(pool)
    ends = list(accumulate(utterance.duration / 60 for utterance in pool))
    for minutes in MINUTES:
        chosen = [utterance for utterance, end in zip(pool, ends, strict=True) if end <= minutes]
        for name, part in zip(("train", "valid"), split_by_text(chosen, 0.1), strict=True):
            print(corpora.save_manifest(args.out / f"{minutes:02}-{name}.jsonl", part))


if __name__ == "__main__":
    run_script(main)
