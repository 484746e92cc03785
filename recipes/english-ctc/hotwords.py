"""Evaluate hotwords: recall of out-of-vocabulary words, with distractors among the hotwords.

    python recipes/english-ctc/hotwords.py MODEL MANIFEST --lm FILE [--rescore FILE] --others MANIFEST

The hotwords are the out-of-vocabulary words of the manifest, and distractors that do not occur in it: a
random sample of the out-of-vocabulary words of the other manifest. Prints, without hotwords and for each
boost, the share of the out-of-vocabulary words that is recognised, and the word error rate of the other
utterances.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from pathlib import Path

from audioseq import load
from audioseq.data import read_manifest
from audioseq.recipe import run_script
from audioseq.speech.decoding.decoder import DecodingOptions
from audioseq.speech.evaluation.evaluate import utterance_emissions
from audioseq.speech.metrics import UtteranceResult, align_texts, word_errors
from audioseq.text.tokenizer import normalise


def count_recognised(results: list[UtteranceResult], words: set[str]) -> tuple[int, int]:
    """Return how often the words occur in the references, and how often they are recognised."""
    marks = Counter(
        edit.mark
        for result in results
        for edit in align_texts(result.reference.split(), result.hypothesis.split())
        if edit.reference in words
    )
    return marks.total(), marks[" "]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--lm", required=True)
    parser.add_argument("--rescore")
    parser.add_argument("--others", type=Path, required=True)
    parser.add_argument("--distractors", type=int, default=100)
    parser.add_argument("--boost", type=float, nargs="+", default=[DecodingOptions.boost])
    args = parser.parse_args()
    recogniser = load(args.model)
    emissions = [utterance_emissions(recogniser, utterance) for utterance in read_manifest(args.manifest)]
    model = recogniser.load_decoder(DecodingOptions(lm=args.lm)).beam_decoder.model
    assert model is not None
    targets = {word for item in emissions for word in item.reference.split() if word not in model.vocabulary}
    texts = (
        normalise(other.text, recogniser.tokenizer.alphabet).text for other in read_manifest(args.others)
    )
    others = {word for text in texts for word in text.split() if word not in model.vocabulary} - targets
    distractors = random.Random(0).sample(sorted(others), args.distractors)
    hotwords = (*sorted(targets), *distractors)
    for boost in (0.0, *args.boost):
        words = hotwords if boost else ()
        options = DecodingOptions(lm=args.lm, rescorer=args.rescore, hotwords=words, boost=boost)
        decoder = recogniser.load_decoder(options)
        results = [item.decode(decoder) for item in emissions]
        total, recognised = count_recognised(results, targets)
        rest = [result for result in results if not targets & set(result.reference.split())]
        print(
            f"boost {boost:g}: {recognised} of {total} recognised ({recognised / total:.1%}); "
            f"WER of the {len(rest)} other utterances: {word_errors(rest).rate:.2%}"
        )


if __name__ == "__main__":
    run_script(main)
