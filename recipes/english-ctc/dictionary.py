"""Write how the words that the English model learns are said: those of the recordings and of english-3gram.

What the first dictionary (CMUdict) lacks is made from it where a word only has an `'s` more, and else looked
for in the further ones, such as the guesses of a program; the words that none has are named.
"""

from __future__ import annotations

import argparse
import lzma
from collections.abc import Sequence
from pathlib import Path

import audioseq
from audioseq.data import read_manifest
from audioseq.files import write_atomically
from audioseq.language.ngram.files import load_ngram
from audioseq.models import resolve
from audioseq.speech.pronunciation import MARK, PHONES, Pronunciations

MOST = 4
"""Pronunciations of a word."""
Way = tuple[str, ...]


def ways(word: str, dictionary: Pronunciations) -> list[Way]:
    """Return the pronunciations of a word, or of what is before its `'s` or `'`, with the sound of that."""
    found = [tuple(PHONES[unit - MARK - 1] for unit in way) for way in dictionary.ways(word)]
    if not found and word.endswith("'s"):
        found = [(*way, *possessive(way[-1])) for way in ways(word[:-2], dictionary)]
    return found or (ways(word.strip("'"), dictionary) if word != word.strip("'") else [])


def possessive(last: str) -> Sequence[str]:
    """Return how an `'s` is said after a phone."""
    if last in {"S", "Z", "SH", "ZH", "CH", "JH"}:
        return ("IH", "Z")
    return ("S",) if last in {"P", "T", "K", "F", "TH"} else ("Z",)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dictionaries", nargs="+", type=Path, help="the first is trusted most: cmudict.dict")
    parser.add_argument("--manifest", type=Path, nargs="*", default=[Path("runs/data/english/train.jsonl")])
    parser.add_argument("-o", "--out", type=Path, default=Path("assets/models/english-dictionary.txt.xz"))
    asked = parser.parse_args()
    try:
        dictionaries = [Pronunciations.read(path) for path in asked.dictionaries]
        words = set(load_ngram(resolve("english-3gram", task="ngram")).vocabulary.words[3:])
        for manifest in asked.manifest:
            words.update(word for utterance in read_manifest(manifest) for word in utterance.text.split())
        lines, missing = [], []
        for word in sorted(words):
            found = next(filter(None, (ways(word, each) for each in dictionaries)), [])
            lines += [
                f"{word}{f'({number})' if number > 1 else ''} {' '.join(way)}\n"
                for number, way in enumerate(found[:MOST], 1)
            ]
            missing += [] if found else [word]
        packed = lzma.compress("".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME)
        write_atomically(asked.out, lambda file: file.write(packed))
    except audioseq.AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
    print(f"{asked.out}: {len(words) - len(missing):,} words; {len(missing):,} are missing", *missing)
