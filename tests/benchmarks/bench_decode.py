"""Cost and accuracy of decoding: greedy, by beam size, with a language model and with rescoring.

    python -m tests.benchmarks.bench_decode MANIFEST [--model MODEL] [--lm FILE] [--rescore FILE]
                                            [--beam-sizes 16 100 400] [--every 1]

Runs on one thread with all model files loaded. Reported are the core-hours (processor time of this process,
so that other work on the machine does not count) per hour of audio of the emissions and of each way to
decode them, and the word error rates.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from pathlib import Path

from audioseq.data import read_manifest
from audioseq.models import default_for
from audioseq.speech import pipeline
from audioseq.speech.decoding.beam_search import BeamLimits
from audioseq.speech.decoding.decoder import DecodingOptions
from audioseq.speech.evaluation.evaluate import utterance_emissions
from audioseq.speech.metrics import word_errors
from tests.benchmarks import report

if __name__ == "__main__":
    parser = report.parser("decode", __doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default=default_for("speech"))
    parser.add_argument("--lm")
    parser.add_argument("--rescore", help="language model for rescoring, at a beam size of 100")
    parser.add_argument("--beam-sizes", type=int, nargs="+", default=[16, 100, 400])
    parser.add_argument("--every", type=int, default=1, help="take every N-th utterance")
    arguments = parser.parse_args()
    utterances = read_manifest(arguments.manifest)[:: arguments.every]
    hours = sum(utterance.duration for utterance in utterances) / 3600
    recogniser = pipeline.load_recogniser(arguments.model, "cpu")

    rows: list[report.Row] = []

    def add(name: str, began: float, figures: report.Row) -> None:
        cost = (time.process_time() - began) / 3600 / hours
        rows.append({"step": name, "core-hours per hour of audio": round(cost, 4), **figures})
        report.show(rows[-1])

    began = time.process_time()
    emissions = [utterance_emissions(recogniser, utterance) for utterance in utterances]
    add("emissions", began, {"WER (%)": ""})
    lms = (None, arguments.lm) if arguments.lm else (None,)
    ways = [DecodingOptions(lm=lm, limits=BeamLimits(size)) for lm in lms for size in arguments.beam_sizes]
    if arguments.rescore:
        ways.append(DecodingOptions(lm=arguments.lm, rescorer=arguments.rescore))
    for options in ways:
        name = f"beam size {options.limits.beam_size}, {options.lm or 'no language model'}"
        name += f", rescored by {options.rescorer}" if options.rescorer else ""
        decoder = recogniser.load_decoder(options)
        began = time.process_time()
        rate = word_errors([each.decode(decoder) for each in emissions]).rate
        add(name, began, {"WER (%)": round(100 * rate, 2)})
    report.write(arguments.output, {f"{arguments.model}, {hours:.2f} h of audio": rows})
