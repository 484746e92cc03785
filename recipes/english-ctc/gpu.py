"""Train the larger English model on a GPU, from the last saved state on; `--prepare` first, on a CPU."""

from __future__ import annotations

import sys
from pathlib import Path

from segments import collect_segments

from audioseq.config import load
from audioseq.data import read_manifest
from audioseq.errors import ConfigError
from audioseq.recipe import run_script, training_parser
from audioseq.speech.config import SpeechConfig
from audioseq.speech.data.cache import WaveformCache
from audioseq.speech.model import load_acoustic_model
from audioseq.speech.pronunciation import ENGLISH, Pronunciations
from audioseq.speech.task import train

CONFIG = Path(__file__).parent / "config.toml"
SMALL = "english-small"
"""Model whose subwords and convolutions the larger one starts from, and that computes the phone segments."""
SEGMENTS = Path("runs/data/english/segments.npz")


def prepare(config: SpeechConfig) -> None:
    """Decode all recordings into the cache, and write the phone segments."""
    train_set, valid = (
        [utterance for path in paths for utterance in read_manifest(path)]
        for paths in (config.data.train, config.data.valid)
    )
    if config.data.cache is None:
        raise ConfigError(f"{CONFIG}: data.cache is not set; without it a GPU waits for decoding")
    for error in WaveformCache(config.data.cache).build([*train_set, *valid]):
        print(f"left out: {error}", file=sys.stderr)
    if not SEGMENTS.exists():
        pronunciations = Pronunciations.read(ENGLISH)
        collect_segments(load_acoustic_model(SMALL, "cpu"), train_set, pronunciations).save(SEGMENTS)


def main() -> None:
    parser = training_parser(__doc__, "runs/english-large", "set")
    parser.add_argument("--prepare", action="store_true", help="only prepare, on the CPU")
    parser.add_argument("--device", default="cuda", help="device to train on (default: %(default)s)")
    args = parser.parse_args()
    if args.prepare:
        prepare(load(SpeechConfig, CONFIG, args.set))
        return
    if not SEGMENTS.exists():
        raise ConfigError(f"{SEGMENTS}: is missing; run this script with --prepare first, on a CPU")
    result = train(
        CONFIG,
        run_dir=args.run_dir,
        overrides=[f"text_only.segments={str(SEGMENTS)!r}", *args.set],
        start_from=SMALL,
        resume=(args.run_dir / "state.pt").exists(),
        device=args.device,
    )
    print(result.best)


if __name__ == "__main__":
    run_script(main)
