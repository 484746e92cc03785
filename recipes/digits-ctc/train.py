"""Train on digits and strings of digits, and evaluate on the test recordings."""

from __future__ import annotations

import time
from pathlib import Path

import audioseq
from audioseq.data import read_manifest
from audioseq.recipe import publish, run_script, training_parser
from audioseq.speech.evaluation.evaluate import evaluate
from audioseq.speech.task import train

HERE = Path(__file__).parent
TESTS = {"digits": "runs/data/digits/test.jsonl", "strings": "runs/data/digits/test-strings.jsonl"}
METRICS = ("wer", "cer", "exact", "utterances", "seconds")


def main() -> None:
    args = training_parser(__doc__, "runs/digits-ctc", "model", "publish").parse_args()
    model = args.model or train(HERE / "config.toml", run_dir=args.run_dir).best
    minutes = None if args.model else round(time.process_time() / 60, 1)
    recogniser = audioseq.load(model)
    reports = {name: evaluate(recogniser, read_manifest(path)).to_dict() for name, path in TESTS.items()}
    results = {name: {key: report[key] for key in METRICS} for name, report in reports.items()}
    headline = f"{100 * results['digits']['exact']:.2f} %"
    publish(HERE, {"headline": headline, **results, "cpu_minutes": minutes}, args.publish)


if __name__ == "__main__":
    run_script(main)
