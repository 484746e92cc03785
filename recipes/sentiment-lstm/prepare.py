"""Write texts with their labels and folds, and the text that a language model reads before."""

from __future__ import annotations

import argparse
from itertools import chain, islice
from pathlib import Path

import texts

from audioseq.download import fetch
from audioseq.language import corpus
from audioseq.recipe import run_script

URL = "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora"
ARCHIVES = {  # with their sums in the index.xml there
    "sentence_polarity.zip": "md5:5cdc0cae7f558040d050c90eb2b72e97",
    "movie_reviews.zip": "md5:155de2b77c6834dd8eea7cbe88e93acb",
}
SMOKE = 20
"""A trial of seconds takes one text in so many."""
HELD_OUT = 100
"""One sentence of the unlabelled text in so many is not trained on."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--from", dest="source", type=Path,
        help="folder with NLTK's sentence_polarity.zip and movie_reviews.zip, else they are downloaded; or "
        "your own texts: a file of lines pos<TAB>text and neg<TAB>text, or a folder of pos/*.txt, neg/*.txt",
    )  # fmt: skip
    parser.add_argument("--text", type=Path, help="more text to read before, one sentence a line, also .xz")
    parser.add_argument("--out", type=Path, default=Path("runs/data/sentiment"))
    parser.add_argument("--smoke", action="store_true", help="one text in twenty, for train.py --smoke")
    args = parser.parse_args()
    archives = [(args.source or args.out) / name for name in ARCHIVES]
    out, every = (args.out.with_name(f"{args.out.name}-smoke"), SMOKE) if args.smoke else (args.out, 1)
    readable: list[str] = []
    if args.source and not archives[0].exists():
        labelled = kept_apart = texts.own(args.source)[::every]
    else:
        if not args.source:
            for archive, checksum in zip(archives, ARCHIVES.values(), strict=True):
                fetch(f"{URL}/{archive.name}", archive, checksum)
        labelled = texts.polarity(archives[0])[::every]
        reviews = dict(islice(texts.reviews(archives[1]).items(), 0, None, every))
        print(texts.write(out / "reviews.tsv", list(reviews)))
        kept_apart = labelled + [text for text in reviews if text.fold == texts.REVIEWS_TEST]
        others = (lines for text, lines in reviews.items() if text.fold != texts.REVIEWS_TEST)
        readable += chain.from_iterable(others)
    print(texts.write(out / "sentences.tsv", labelled))
    if args.text:
        readable += map(" ".join, corpus.sentences(corpus.read_lines([args.text])))
    if readable:
        allowed = list(texts.without_copies(readable, kept_apart))
        print(f"left out {len(readable) - len(allowed)} unlabelled sentences that repeat what is tested on")
        train = [line for number, line in enumerate(allowed) if number % HELD_OUT]
        print(texts.save(out / "unlabelled-train.txt", train))
        print(texts.save(out / "unlabelled-valid.txt", allowed[::HELD_OUT]))


if __name__ == "__main__":
    run_script(main)
