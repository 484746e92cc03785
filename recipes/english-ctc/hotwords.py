"""What hotwords bring: words that the language model lacks are looked for, among as many that nobody says.

    python recipes/english-ctc/hotwords.py MODEL MANIFEST --lm FILE --others MANIFEST [--boost 0.4 0.8]

The hotwords are the words of the manifest that the language model does not know, and distractors that nobody
says in it: words of the other manifest that the language model does not know either, taken at random. Printed
are how many of the words sought were found, without and with hotwords, and the word error rate of the
utterances without them.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from pathlib import Path

from audioseq import load
from audioseq.data import read_manifest
from audioseq.speech.decoding.decoder import DecodingOptions
from audioseq.speech.evaluation.evaluate import utterance_emissions
from audioseq.speech.metrics import UtteranceResult, align_texts, word_errors
from audioseq.text.tokenizer import normalise


def found(results: list[UtteranceResult], words: set[str]) -> tuple[int, int]:
    """Return how many of the words there are in the references, and how many of these were heard."""
    marks = Counter(
        edit.mark
        for result in results
        for edit in align_texts(result.reference.split(), result.hypothesis.split())
        if edit.reference in words
    )
    return marks.total(), marks[" "]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--lm", required=True)
    parser.add_argument("--others", type=Path, required=True)
    parser.add_argument("--distractors", type=int, default=100)
    parser.add_argument("--boost", type=float, nargs="+", default=[DecodingOptions.boost])
    arguments = parser.parse_args()
    recogniser = load(arguments.model)
    heard = [utterance_emissions(recogniser, utterance) for utterance in read_manifest(arguments.manifest)]
    plain = recogniser.decoder(DecodingOptions(lm=arguments.lm))
    assert plain.decoder.model is not None
    vocabulary = plain.decoder.model.vocabulary
    sought = {word for item in heard for word in item.reference.split() if word not in vocabulary}
    texts = (
        normalise(other.text, recogniser.tokenizer.alphabet).text for other in read_manifest(arguments.others)
    )
    strange = {word for text in texts for word in text.split() if word not in vocabulary} - sought
    distractors = random.Random(0).sample(sorted(strange), arguments.distractors)
    expected = (*sorted(sought), *distractors)
    for boost in (0.0, *arguments.boost):
        options = DecodingOptions(lm=arguments.lm, hotwords=expected if boost else (), boost=boost)
        search = recogniser.decoder(options)
        results = [item.decode(search) for item in heard]
        total, right = found(results, sought)
        rest = [result for result in results if not sought & set(result.reference.split())]
        print(
            f"boost {boost:g}: {right} of {total} found ({right / total:.1%}), "
            f"WER of the {len(rest)} utterances without them {word_errors(rest).rate:.2%}"
        )
