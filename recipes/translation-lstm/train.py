"""Train translators with several seeds, tune their search on the validation pairs, and test them."""

from __future__ import annotations

import json
from pathlib import Path

from experiment import publish, run
from translation import TranslationConfig

from audioseq.config import load
from audioseq.recipe import run_script, training_parser

HERE = Path(__file__).parent


def main() -> None:
    args = training_parser(__doc__, "runs/translation", "resume", "smoke", "set", "publish").parse_args()
    config = load(TranslationConfig, HERE / "config.toml", args.set, args.smoke)
    results = run(config, args.run_dir, args.publish or "unnamed hardware", resume=args.resume)
    for folder in [args.run_dir] + [HERE] * bool(args.publish):
        publish(results, folder)
    print(json.dumps({name: value for name, value in results.items() if name != "runs"}, indent=2))


if __name__ == "__main__":
    run_script(main)
