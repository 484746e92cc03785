"""Labelled texts: reading, folds, and the removal of overlapping text from the pretraining data."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from audioseq.errors import DataError
from audioseq.files import read_text, write_bytes
from audioseq.text.tokenizer import normalise

FOLDS = 10
LABELS = {"neg": 0, "pos": 1}
REVIEWS_TEST = 9
"""Test fold of the whole reviews; it is excluded from pretraining."""
COPIED_WORDS = 8
"""Number of consecutive words that count as a copy."""


@dataclass(frozen=True)
class Text:
    """A normalised text, its label (1 positive, 0 negative), and its fold (0 to 9)."""

    words: str
    label: int
    fold: int


def polarity(archive: Path) -> list[Text]:
    """Read Pang & Lee's 10,662 sentences; NLTK's archive `sentence_polarity.zip`."""
    files = _unpack(archive)
    names = {label: f"sentence_polarity/rt-polarity.{label}" for label in LABELS}
    if not files.keys() >= set(names.values()):
        raise DataError(f"{archive}: has no {' and '.join(names.values())}; get NLTK's archive of that name")
    return labelled((label, line) for label, name in names.items() for line in files[name].splitlines())


def reviews(archive: Path) -> dict[Text, list[str]]:
    """Read Pang & Lee's 2,000 whole reviews, each with its lines; NLTK's archive `movie_reviews.zip`.

    The folds are the authors' own: cv000 to cv099 of both labels are fold 0, and so on.
    """
    texts = {}
    for name, content in sorted(_unpack(archive).items()):
        match = re.fullmatch(r"movie_reviews/(pos|neg)/cv(\d)\d\d_\d+\.txt", name)
        if match:
            lines = [words for words in map(_plain, content.splitlines()) if words]
            texts[Text(" ".join(lines), LABELS[match[1]], int(match[2]))] = lines
    if not texts:
        raise DataError(f"{archive}: has no reviews pos/cv*.txt and neg/cv*.txt; get NLTK's archive")
    return texts


def read_own(source: Path) -> list[Text]:
    """Read the user's texts: lines `pos<TAB>text` and `neg<TAB>text`, or files in folders `pos` and `neg`."""
    if source.is_dir():
        files = [(label, path) for label in LABELS for path in sorted((source / label).glob("*.txt"))]
        pairs = [(label, read_text(path, DataError)) for label, path in files]
    else:
        pairs = []
        for number, line in enumerate(read_text(source, DataError).splitlines(), 1):
            label, tab, text = line.partition("\t")
            if label not in LABELS or not tab:
                raise DataError(f"{source}:{number}: is not pos or neg, a tab and a text; correct the line")
            pairs.append((label, text))
    texts = labelled(pairs)
    if {text.label for text in texts} != {0, 1}:
        raise DataError(f"{source}: needs both positive and negative texts; add the missing ones")
    return texts


def labelled(pairs: Iterable[tuple[str, str]]) -> list[Text]:
    """Normalise texts and give each a fold, by a hash of its words: equal texts share one.

    Example:
        >>> labelled([("pos", "A fine film."), ("neg", "..."), ("pos", "a fine film !")])
        [Text(words='a fine film', label=1, fold=1), Text(words='a fine film', label=1, fold=1)]
    """
    plain = ((_plain(text), LABELS[label]) for label, text in pairs)
    return [Text(words, label, hash_number(words) % FOLDS) for words, label in plain if words]


def hash_number(words: str) -> int:
    """Return a hash of the words as a number."""
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8])


def split(texts: Sequence[Text], fold: int) -> tuple[list[Text], list[Text], list[Text]]:
    """Split texts into training, validation (a tenth of the other folds) and test texts (the fold)."""
    rest = [text for text in texts if text.fold != fold]
    held_out = [hash_number(text.words) // FOLDS % FOLDS == 0 for text in rest]
    train, valid = (
        [t for t, held in zip(rest, held_out, strict=True) if held == wanted] for wanted in (False, True)
    )
    return train, valid, [text for text in texts if text.fold == fold]


def without_copies(lines: Iterable[str], texts: Sequence[Text]) -> Iterator[str]:
    """Remove lines that equal one of the texts, or share eight consecutive words with one."""
    whole = {text.words for text in texts}
    ngrams = {ngram for text in whole for ngram in _ngrams(text)}
    return (line for line in lines if line not in whole and ngrams.isdisjoint(_ngrams(line)))


def write(path: Path, texts: Sequence[Text]) -> str:
    """Write texts as lines of fold, label and words; return a line that describes the file."""
    positive = sum(text.label for text in texts)
    description = write_lines(path, [f"{text.fold}\t{text.label}\t{text.words}" for text in texts])
    return f"{description}, {positive:,} of them positive"


def write_lines(path: Path, lines: Sequence[str]) -> str:
    """Write lines to a file; return a line that describes it."""
    content = "".join(f"{line}\n" for line in lines).encode()
    write_bytes(path, content, make_folder=True)
    return f"{path}: {len(lines):,} texts"


def read(path: Path) -> list[Text]:
    """Read a file that `write` wrote; DataError if it is missing."""
    if not path.exists():
        raise DataError(f"{path}: is missing; run prepare.py first, with --out set to this folder")
    rows = (line.split("\t") for line in path.read_text("utf-8").splitlines())
    return [Text(words, int(label), int(fold)) for fold, label, words in rows]


def lines(path: Path) -> list[str]:
    """Read unlabelled sentences that prepare.py wrote.

    Raises:
        DataError: the file is missing.
    """
    if not path.exists():
        raise DataError(
            f"{path}: is missing; run prepare.py with --text FILE, or train with --set "
            "ours.network.pretrained=false"
        )
    return path.read_text("utf-8").splitlines()


def _plain(text: str) -> str:
    return normalise(text).text


def _ngrams(words: str) -> Iterator[str]:
    parts = words.split()
    return (" ".join(parts[start : start + COPIED_WORDS]) for start in range(len(parts) - COPIED_WORDS + 1))


def _unpack(archive: Path) -> dict[str, str]:
    """Return the text files of a zip archive."""
    try:
        with zipfile.ZipFile(archive) as file:
            return {
                name: file.read(name).decode("utf-8", "replace")
                for name in file.namelist()
                if name[-1] != "/"
            }
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{archive}: cannot be read as a zip archive ({error}); download it again") from None
