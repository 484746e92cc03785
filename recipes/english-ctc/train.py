"""Train the English model, and evaluate it on the development set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import audioseq
from audioseq.data import read_manifest
from audioseq.recipe import publish, run_script, training_parser
from audioseq.speech.decoding.decoder import Decoding
from audioseq.speech.evaluation.evaluate import evaluate
from audioseq.speech.task import train

HERE = Path(__file__).parent
VALID = Path("runs/data/english/dev.jsonl")
METRICS = ("wer", "cer", "exact", "utterances", "seconds", "error_types")


def main() -> None:
    parser = training_parser(__doc__, "runs/english-ctc", "model", "publish")
    parser.add_argument("--valid", type=Path, default=VALID, help="manifest to evaluate on")
    args = parser.parse_args()
    model = args.model or train(HERE / "config.toml", run_dir=args.run_dir, valid=args.valid).best
    recogniser, utterances = audioseq.load(model), read_manifest(args.valid)
    decodings: dict[str, Decoding] = {"greedy": "greedy"}
    if options := recogniser.recommended_options:
        decodings |= {"language model": replace(options, rescorer=None), "rescored": options}
    reports = {name: evaluate(recogniser, utterances, each).to_dict() for name, each in decodings.items()}
    results = {name: {key: report[key] for key in METRICS} for name, report in reports.items()}
    headline = f"{100 * results['greedy']['wer']:.2f} %"
    publish(HERE, {"headline": headline, args.valid.stem: results}, args.publish)


if __name__ == "__main__":
    run_script(main)
