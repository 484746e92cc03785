"""Write a manifest for each LibriSpeech subset, from a download or from a copy on disk."""

from __future__ import annotations

import argparse
from pathlib import Path

from audioseq.download import fetch_folder
from audioseq.recipe import run_script
from audioseq.speech.data import corpora

SUBSETS = {  # value of --sets, OpenSLR number, MD5 checksum as in OpenSLR's md5sum.txt
    "train-clean-5": ("mini", 31, "5df7d4e78065366204ca6845bb08f490"),
    "dev-clean-2": ("mini", 31, "6d7ab67ac6a1d2c993d050e16d61080d"),
    "train-clean-100": ("100", 12, "2a93770f6d5c6c964bc36631d331a522"),
    "train-clean-360": ("360", 12, "c0e676e450a7ff2f54aeade5171606fa"),
    "train-other-500": ("500", 12, "d1a0fd59409feb2c614ce4d30c387708"),
    "dev-clean": ("dev", 12, "42e2234ba48799c1f50f24a7926300a1"),
    "dev-other": ("dev", 12, "c8d0bcc9cca99d4f8b62fcc847357931"),
    "test-clean": ("test", 12, "32fa31d27d2e1cad72775fee3f4849a9"),
    "test-other": ("test", 12, "fb5a50374b501bb3bac4815ee91d3135"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sets", nargs="+", choices=sorted({row[0] for row in SUBSETS.values()}), default=["mini"]
    )
    parser.add_argument("--from", dest="source", type=Path, help="folder of subsets, instead of a download")
    parser.add_argument("--out", type=Path, default=Path("runs/data/librispeech"))
    parser.add_argument("--url", default="https://www.openslr.org/resources", help="base of the URLs")
    args = parser.parse_args()
    for name, (group, number, md5) in SUBSETS.items():
        if group in args.sets and not args.source:
            url = f"{args.url}/{number}/{name}.tar.gz"
            fetch_folder(url, f"md5:{md5}", f"LibriSpeech/{name}", args.out / name)
    root = args.source or args.out
    for folder in sorted({path.parents[2] for path in root.glob("*/*/*/*.trans.txt")}) or [root]:
        print(corpora.save_manifest(args.out / f"{folder.name}.jsonl", corpora.librispeech(folder)))


if __name__ == "__main__":
    run_script(main)
