"""Train on digits and strings of digits; count the test recordings heard without error."""

from __future__ import annotations

import argparse
import json
import time
from datetime import date
from pathlib import Path

import audioseq
from audioseq.data import read_manifest
from audioseq.speech.evaluation.evaluate import evaluate
from audioseq.speech.task import train

HERE = Path(__file__).parent
TESTS = {"digits": "runs/data/digits/test.jsonl", "strings": "runs/data/digits/test-strings.jsonl"}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, default=Path("runs/digits-ctc"))
    parser.add_argument("--model", type=Path, help="measure this one instead of training")
    parser.add_argument("--publish", metavar="HARDWARE", help="write results.json: measured on what")
    asked = parser.parse_args()
    try:
        model = asked.model or train(HERE / "config.toml", run_dir=asked.run_dir).best
        minutes = None if asked.model else round(time.process_time() / 60, 1)
        heard = audioseq.load(model)
        tests = {name: evaluate(heard, read_manifest(path)).to_dict() for name, path in TESTS.items()}
    except audioseq.AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
    keys = ("wer", "cer", "exact", "utterances", "seconds")
    results = {name: {key: report[key] for key in keys} for name, report in tests.items()}
    about = {"cpu_minutes": minutes, "date": date.today().isoformat(), "hardware": asked.publish}
    text = json.dumps({"headline": f"{100 * results['digits']['exact']:.2f} %", **results, **about}, indent=2)
    if asked.publish:
        (HERE / "results.json").write_text(text + "\n")
    print(text)
