"""Write labelled texts with their folds, and the unlabelled text for pretraining."""

from __future__ import annotations

import argparse
from itertools import chain, islice
from pathlib import Path

import texts

from audioseq.download import fetch
from audioseq.language import corpus
from audioseq.recipe import run_script

URL = "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora"
ARCHIVES = {  # checksums from the index.xml at URL
    "sentence_polarity.zip": "md5:5cdc0cae7f558040d050c90eb2b72e97",
    "movie_reviews.zip": "md5:155de2b77c6834dd8eea7cbe88e93acb",
}
SMOKE_EVERY = 20
"""`--smoke` uses one text in this many."""
HELD_OUT_EVERY = 100
"""One unlabelled sentence in this many is held out for validation."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--from", dest="source", type=Path,
        help="folder with NLTK's sentence_polarity.zip and movie_reviews.zip (default: download them); or "
        "your own texts: a file of lines pos<TAB>text and neg<TAB>text, or a folder of pos/*.txt, neg/*.txt",
    )  # fmt: skip
    parser.add_argument("--text", type=Path, help="more text for pretraining, one sentence a line, also .xz")
    parser.add_argument("--out", type=Path, default=Path("runs/data/sentiment"), help="folder to write to")
    parser.add_argument("--smoke", action="store_true", help="one text in twenty, for train.py --smoke")
    args = parser.parse_args()
    archives = [(args.source or args.out) / name for name in ARCHIVES]
    out, every = (args.out.with_name(f"{args.out.name}-smoke"), SMOKE_EVERY) if args.smoke else (args.out, 1)
    unlabelled: list[str] = []
    if args.source and not archives[0].exists():
        labelled = excluded = texts.read_own(args.source)[::every]
    else:
        if not args.source:
            for archive, checksum in zip(archives, ARCHIVES.values(), strict=True):
                fetch(f"{URL}/{archive.name}", archive, checksum)
        labelled = texts.polarity(archives[0])[::every]
        reviews = dict(islice(texts.reviews(archives[1]).items(), 0, None, every))
        print(texts.write(out / "reviews.tsv", list(reviews)))
        excluded = labelled + [text for text in reviews if text.fold == texts.REVIEWS_TEST]
        others = (lines for text, lines in reviews.items() if text.fold != texts.REVIEWS_TEST)
        unlabelled += chain.from_iterable(others)
    print(texts.write(out / "sentences.tsv", labelled))
    if args.text:
        unlabelled += map(" ".join, corpus.sentences(corpus.read_lines([args.text])))
    if unlabelled:
        allowed = list(texts.without_copies(unlabelled, excluded))
        print(f"removed {len(unlabelled) - len(allowed)} unlabelled sentences that overlap with test texts")
        train = [line for number, line in enumerate(allowed) if number % HELD_OUT_EVERY]
        print(texts.write_lines(out / "unlabelled-train.txt", train))
        print(texts.write_lines(out / "unlabelled-valid.txt", allowed[::HELD_OUT_EVERY]))


if __name__ == "__main__":
    run_script(main)
