"""Rescoring: word error rate and processor time, by the number of hypotheses.

    python -m tests.benchmarks.bench_rescoring MANIFEST [--model MODEL] [--every 1]

The n-best lists of the recommended beam search are cut to the first hypotheses, and rescored with the
recommended language model in batches of `BATCH_SEGMENTS`. The best possible choice of each list limits what
rescoring can reach.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from pathlib import Path

from audioseq.data import read_manifest
from audioseq.models import default_for
from audioseq.speech import pipeline
from audioseq.speech.decoding.nbest import Hypothesis
from audioseq.speech.evaluation.evaluate import utterance_emissions
from audioseq.speech.metrics import ErrorRate, align_texts
from tests.benchmarks import report

COUNTS = 1, 5, 10, 20, 50, 100


def errors(reference: list[str], text: str) -> int:
    """Return the number of word errors of a text."""
    return sum(edit.mark != " " for edit in align_texts(reference, text.split()))


if __name__ == "__main__":
    parser = report.parser("rescoring", __doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default=default_for("speech"))
    parser.add_argument("--every", type=int, default=1, help="take every N-th utterance")
    arguments = parser.parse_args()
    recogniser = pipeline.load_recogniser(arguments.model, "cpu")
    decoder = recogniser.choose_decoder(None)
    assert decoder is not None and decoder.rescorer is not None
    utterances = read_manifest(arguments.manifest)[:: arguments.every]
    seconds = 0.0
    references: list[list[str]] = []
    lists: list[list[Hypothesis]] = []
    for utterance in utterances:
        found = utterance_emissions(recogniser, utterance)
        if len(found.emissions) > 1:  # each chunk has a list of its own
            continue
        references.append(found.reference.split())
        seconds += utterance.duration
        lists.append(decoder.beam_decoder(found.emissions[0], max(COUNTS)))
    rows: list[report.Row] = []
    for count in COUNTS:
        cut = [hypotheses[:count] for hypotheses in lists]
        before = time.process_time()
        rescored: list[list[Hypothesis]] = []
        for first in range(0, len(cut), pipeline.BATCH_SEGMENTS):
            rescored += decoder.rescore(cut[first : first + pipeline.BATCH_SEGMENTS])
        took = time.process_time() - before
        rate, oracle = ErrorRate(), 0
        for reference, hypotheses in zip(references, rescored, strict=True):
            rate.add(reference, hypotheses[0].text.split())
            oracle += min(errors(reference, each.text) for each in hypotheses)
        rows.append(
            {
                "hypotheses": count,
                "WER (%)": round(100 * rate.rate, 2),
                "best possible (%)": round(100 * oracle / sum(map(len, references)), 2),
                "core-hours of rescoring per hour": round(took / seconds, 4),
            }
        )
        report.show(rows[-1])
    report.write(arguments.output, {f"{arguments.model}, {len(lists)} utterances": rows})
