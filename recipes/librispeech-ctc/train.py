"""Train on mini-LibriSpeech, and evaluate on its development set."""

from __future__ import annotations

from pathlib import Path

import audioseq
from audioseq.data import read_manifest
from audioseq.recipe import publish, run_script, training_parser
from audioseq.speech.evaluation.evaluate import evaluate
from audioseq.speech.task import train

HERE = Path(__file__).parent
VALID = Path("runs/data/librispeech/dev-clean-2.jsonl")
METRICS = ("wer", "cer", "exact", "utterances", "seconds")


def main() -> None:
    parser = training_parser(__doc__, "runs/librispeech-ctc", "model", "publish")
    parser.add_argument("--valid", type=Path, default=VALID, help="manifest to evaluate on")
    args = parser.parse_args()
    model = args.model or train(HERE / "config.toml", run_dir=args.run_dir, valid=args.valid).best
    recogniser, utterances = audioseq.load(model), read_manifest(args.valid)
    greedy = evaluate(recogniser, utterances, "greedy").to_dict()
    best = evaluate(recogniser, utterances).to_dict() if recogniser.recommended_options else None
    reports = {"greedy": greedy, "language model": best}
    results = {name: {key: report[key] for key in METRICS} for name, report in reports.items() if report}
    headline = f"{100 * (best or greedy)['wer']:.2f} %"
    publish(HERE, {"headline": headline, args.valid.stem: results}, args.publish)


if __name__ == "__main__":
    run_script(main)
