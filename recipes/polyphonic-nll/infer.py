"""Sample a piece from a trained network of piano rolls, and write it as MIDI."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from model import RollModel
from rolls import KeyRange, to_score
from sampling import sample
from task import load

from audioseq.errors import ConfigError
from audioseq.recipe import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="model file, such as averaged.safetensors of a run of jsb")
    parser.add_argument("-o", "--out", type=Path, default=Path("sample.mid"), help="MIDI file to write")
    parser.add_argument("--frames", type=int, default=64, help="length; a frame of JSB is a quarter")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random numbers")
    args = parser.parse_args()
    model, encode, header = load(args.model)
    if not isinstance(model, RollModel):
        raise ConfigError(f"{args.model}: is a model of voices; choose one of piano rolls")
    keys, generator = KeyRange(*header.config["range"]), torch.Generator().manual_seed(args.seed)
    roll = sample(model, encode, keys, np.zeros((0, 88), np.uint8), args.frames, generator)
    score = to_score(roll)
    score.save(args.out)
    print(f"{args.out}: {len(score.notes)} notes, {score.end:.0f} s")


if __name__ == "__main__":
    run_script(main)
