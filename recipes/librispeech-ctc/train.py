"""Train on mini-LibriSpeech, and measure on its development set."""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path

import audioseq
from audioseq.data import read_manifest
from audioseq.speech.evaluation.evaluate import evaluate
from audioseq.speech.task import train

HERE = Path(__file__).parent
VALID = Path("runs/data/librispeech/dev-clean-2.jsonl")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, default=Path("runs/librispeech-ctc"))
    parser.add_argument("--valid", type=Path, default=VALID, help="manifest to measure on")
    parser.add_argument("--model", type=Path, help="measure this one instead of training")
    parser.add_argument("--publish", metavar="HARDWARE", help="write results.json: measured on what")
    asked = parser.parse_args()
    try:
        model = asked.model or train(HERE / "config.toml", run_dir=asked.run_dir, valid=asked.valid).best
        recogniser, utterances = audioseq.load(model), read_manifest(asked.valid)
        greedy = evaluate(recogniser, utterances, "greedy").to_dict()
        advised = evaluate(recogniser, utterances).to_dict() if recogniser.recommended else None
    except audioseq.AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
    keys = ("wer", "cer", "exact", "utterances", "seconds")
    measured = {"greedy": greedy, "language model": advised}
    figures = {name: {key: report[key] for key in keys} for name, report in measured.items() if report}
    about = {"date": date.today().isoformat(), "hardware": asked.publish}
    headline = f"{100 * (advised or greedy)['wer']:.2f} %"
    text = json.dumps({"headline": headline, asked.valid.stem: figures, **about}, indent=2)
    if asked.publish:
        (HERE / "results.json").write_text(text + "\n")
    print(text)
