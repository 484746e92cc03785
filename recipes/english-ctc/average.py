"""Write a weighted mean of two models: the end of a training, and the model that it started from.

    python recipes/english-ctc/average.py LAST START -o averaged.safetensors

A mean of models on one path of training often generalises better than each of them. Source: Wortsman et al.
2022, "Robust fine-tuning of zero-shot models".
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from audioseq import checkpoint
from audioseq.errors import CheckpointError
from audioseq.recipe import run_script


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("last", type=Path, help="model file of the end; the mean has its header")
    parser.add_argument("start", type=Path, help="model file that the training started from")
    parser.add_argument("--share", type=float, default=0.2, help="weight of START (default: %(default)s)")
    parser.add_argument("-o", "--out", type=Path, required=True, help="model file to write, in fp32")
    args = parser.parse_args()
    last, start = (checkpoint.load(path, task="speech") for path in (args.last, args.start))
    shapes = [{name: each.shape for name, each in model.weights.items()} for model in (last, start)]
    if shapes[0] != shapes[1]:
        raise CheckpointError(f"{args.start}: has other layers than {args.last}; give models of one training")
    mean = {name: torch.lerp(each, start.weights[name], args.share) for name, each in last.weights.items()}
    checkpoint.save(args.out, mean, last.header)
    print(args.out)


if __name__ == "__main__":
    run_script(main)
