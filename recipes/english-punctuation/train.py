"""Train, choose the biases of the marks on validation books, and evaluate on test books and transcripts."""

from __future__ import annotations

from pathlib import Path

from live import measure_live
from transcripts import measure, read_transcripts

from audioseq.language.punctuation.evaluate import evaluate, tune
from audioseq.language.punctuation.pipeline import load_punctuator
from audioseq.language.punctuation.task import train
from audioseq.recipe import publish, run_script, training_parser

HERE = Path(__file__).parent


def main() -> None:
    parser = training_parser(__doc__, "runs/punctuation", "resume", "set", "smoke", "model", "publish")
    parser.add_argument("--data", type=Path, default=Path("runs/data/punctuation"), help="from prepare.py")
    args = parser.parse_args()
    options = {"run_dir": args.run_dir, "overrides": args.set, "resume": args.resume}
    text = HERE / "smoke.txt" if args.smoke else args.data / "test.txt"
    model = args.model
    if model is None:
        last = train(HERE / "config.toml", smoke=args.smoke, **options).last
        valid = text if args.smoke else args.data / "valid.txt"
        model = tune(last, valid, args.run_dir / "tuned.safetensors")
    books = evaluate(model, text)
    results = {"headline": f"{books.total.macro_f1:.3f}", "books": books.to_dict()}
    if not args.smoke:
        parts = {"dev": HERE / "dev-clean.tsv", "lj": args.data / "lj.tsv"}
        spoken = {name: read_transcripts(table, args.data / f"{name}.jsonl") for name, table in parts.items()}
        results["transcripts"] = measure(load_punctuator(model), spoken["dev"], spoken["lj"])
        results["live"] = measure_live(model, text, args.data / "pauses.json")
    publish(HERE, results, args.publish)


if __name__ == "__main__":
    run_script(main)
