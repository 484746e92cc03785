"""Write the pronunciation dictionary of the English model: words of the manifests and of english-4gram.

The first dictionary (CMUdict) has precedence; words with `'s` are derived from it. Words that it lacks are
looked up in the other dictionaries, for example the output of a grapheme-to-phone program. Words without
pronunciation are printed.
"""

from __future__ import annotations

import argparse
import lzma
from collections.abc import Sequence
from pathlib import Path

from audioseq.data import read_manifest
from audioseq.files import write_bytes
from audioseq.language.ngram.files import load_ngram
from audioseq.models import resolve
from audioseq.recipe import run_script
from audioseq.speech.pronunciation import PHONES, WORD_BOUNDARY, Pronunciations

MAX_PRONUNCIATIONS = 4
"""Largest number of pronunciations of a word."""
Phones = tuple[str, ...]


def pronunciations(word: str, dictionary: Pronunciations) -> list[Phones]:
    """Return the pronunciations of a word; those of words with `'s` or `'` are derived if needed."""
    found = [tuple(PHONES[unit - WORD_BOUNDARY - 1] for unit in units) for units in dictionary.lookup(word)]
    if not found and word.endswith("'s"):
        found = [(*phones, *possessive(phones[-1])) for phones in pronunciations(word[:-2], dictionary)]
    return found or (pronunciations(word.strip("'"), dictionary) if word != word.strip("'") else [])


def possessive(last: str) -> Sequence[str]:
    """Return the phones of `'s` after a phone."""
    if last in {"S", "Z", "SH", "ZH", "CH", "JH"}:
        return ("IH", "Z")
    return ("S",) if last in {"P", "T", "K", "F", "TH"} else ("Z",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dictionaries", nargs="+", type=Path, help="in order of precedence")
    parser.add_argument("--manifest", type=Path, nargs="*", default=[Path("runs/data/english/train.jsonl")])
    parser.add_argument("-o", "--out", type=Path, default=Path("assets/models/english-dictionary.txt.xz"))
    args = parser.parse_args()
    dictionaries = [Pronunciations.read(path) for path in args.dictionaries]
    words = set(load_ngram(resolve("english-4gram", task="ngram")).vocabulary.words[3:])
    for manifest in args.manifest:
        words.update(word for utterance in read_manifest(manifest) for word in utterance.text.split())
    lines, missing = [], []
    for word in sorted(words):
        found = next(filter(None, (pronunciations(word, each) for each in dictionaries)), [])
        lines += [
            f"{word}{f'({number})' if number > 1 else ''} {' '.join(phones)}\n"
            for number, phones in enumerate(found[:MAX_PRONUNCIATIONS], 1)
        ]
        missing += [] if found else [word]
    packed = lzma.compress("".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME)
    write_bytes(args.out, packed)
    print(
        f"{args.out}: {len(words) - len(missing):,} words; {len(missing):,} have no pronunciation:", *missing
    )


if __name__ == "__main__":
    run_script(main)
