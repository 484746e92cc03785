"""Train on sentences, and evaluate the perplexity of held-out sentences, beside that of an n-gram model."""

from __future__ import annotations

from pathlib import Path

from audioseq.language.evaluate import compare
from audioseq.language.task import train
from audioseq.recipe import publish, run_script, training_parser

HERE = Path(__file__).parent


def main() -> None:
    parser = training_parser(__doc__, "runs/wordlm-lstm", "resume", "set", "smoke", "model", "publish")
    parser.add_argument("--ngram", type=Path, help="n-gram model of the same sentences to compare with")
    parser.add_argument("--valid", type=Path, default=Path("runs/data/wordlm/valid.txt"))
    args = parser.parse_args()
    options = {"run_dir": args.run_dir, "overrides": args.set, "resume": args.resume}
    model = args.model or train(HERE / "config.toml", smoke=args.smoke, **options).best
    table = compare(model, args.ngram, HERE / "smoke.txt" if args.smoke else args.valid)
    publish(HERE, {"headline": f"{table['lstm']['perplexity']:.1f}", **table}, args.publish)


if __name__ == "__main__":
    run_script(main)
