"""Split books into training, validation and test texts, and write the texts of LJ Speech as a table."""

from __future__ import annotations

import argparse
from pathlib import Path

from audioseq.files import write_bytes
from audioseq.language.corpus import read_lines
from audioseq.recipe import run_script

INTERVAL = 20
"""One book in this many is for testing, and one for validation."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--from", dest="source", type=Path, required=True,
        help="text, a paragraph a line, an empty line between books; also .xz",
    )  # fmt: skip
    parser.add_argument("--lj", type=Path, metavar="FOLDER", help="LJ Speech, for pauses: see measure.py")
    parser.add_argument("--out", type=Path, default=Path("runs/data/punctuation"))
    args = parser.parse_args()
    books = "".join(read_lines([args.source])).split("\n\n")
    parts: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for index, book in enumerate(books):
        part = {0: "test", INTERVAL // 2: "valid"}.get(index % INTERVAL, "train")
        parts[part].append(book.strip("\n"))
    for part, texts in parts.items():
        path = args.out / f"{part}.txt"
        content = "\n\n".join(texts) + "\n"
        write_bytes(path, content.encode(), make_folder=True)
        print(f"{path}: {len(texts)} books, {len(content.split()):,} words")
    if args.lj is not None:
        rows = [line.strip().split("|") for line in read_lines([args.lj / "metadata.csv"])]
        write_bytes(args.out / "lj.tsv", "".join(f"{row[0]}\t{row[-1]}\n" for row in rows).encode())


if __name__ == "__main__":
    run_script(main)
