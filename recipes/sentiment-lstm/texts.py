"""Texts with labels: where they come from, their folds, and what a language model may read of them."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from audioseq.errors import DataError
from audioseq.files import read_text, write_atomically
from audioseq.text.tokenizer import normalise

FOLDS = 10
LABELS = {"neg": 0, "pos": 1}
REVIEWS_TEST = 9
"""Fold of the whole reviews that they are tested on, and that no model reads."""
SHARED = 8
"""Words in a row that count as copied."""


@dataclass(frozen=True)
class Text:
    """A normalised text, whether it is positive (1) or negative (0), and its fold (0 to 9)."""

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
    found = {}
    for name, content in sorted(_unpack(archive).items()):
        place = re.fullmatch(r"movie_reviews/(pos|neg)/cv(\d)\d\d_\d+\.txt", name)
        if place:
            lines = [words for words in map(_plain, content.splitlines()) if words]
            found[Text(" ".join(lines), LABELS[place[1]], int(place[2]))] = lines
    if not found:
        raise DataError(f"{archive}: has no reviews pos/cv*.txt and neg/cv*.txt; get NLTK's archive")
    return found


def own(source: Path) -> list[Text]:
    """Read one's own texts: `pos<TAB>text` or `neg<TAB>text` a line, or files in folders `pos` and `neg`."""
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
        raise DataError(f"{source}: has not both positive and negative texts; give some of both")
    return texts


def labelled(pairs: Iterable[tuple[str, str]]) -> list[Text]:
    """Normalise texts and give each a fold, by a hash of its words: equal texts share one.

    Example:
        >>> labelled([("pos", "A fine film."), ("neg", "..."), ("pos", "a fine film !")])
        [Text(words='a fine film', label=1, fold=1), Text(words='a fine film', label=1, fold=1)]
    """
    plain = ((_plain(text), LABELS[label]) for label, text in pairs)
    return [Text(words, label, drawn(words) % FOLDS) for words, label in plain if words]


def drawn(words: str) -> int:
    """Return a number that is drawn by the words alone."""
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8])


def split(texts: Sequence[Text], fold: int) -> tuple[list[Text], list[Text], list[Text]]:
    """Return the texts to train on, to validate on (a tenth of the other folds), and to test on: the fold."""
    rest = [text for text in texts if text.fold != fold]
    held_out = [drawn(text.words) // FOLDS % FOLDS == 0 for text in rest]
    train, valid = (
        [t for t, held in zip(rest, held_out, strict=True) if held == kept] for kept in (False, True)
    )
    return train, valid, [text for text in texts if text.fold == fold]


def without_copies(lines: Iterable[str], texts: Sequence[Text]) -> Iterator[str]:
    """Leave out lines that are one of the texts, or share eight words in a row with one."""
    whole = {text.words for text in texts}
    runs = {run for text in whole for run in _runs(text)}
    return (line for line in lines if line not in whole and runs.isdisjoint(_runs(line)))


def write(path: Path, texts: Sequence[Text]) -> str:
    """Write texts to a file, a line each: fold, label, words; return a line that tells of it."""
    positive = sum(text.label for text in texts)
    told = save(path, [f"{text.fold}\t{text.label}\t{text.words}" for text in texts])
    return f"{told}, {positive:,} of them positive"


def save(path: Path, lines: Sequence[str]) -> str:
    """Write lines to a file; return a line that tells of it."""
    content = "".join(f"{line}\n" for line in lines).encode()
    write_atomically(path, lambda file: file.write(content), make_folder=True)
    return f"{path}: {len(lines):,} texts"


def read(path: Path) -> list[Text]:
    """Read what `write` wrote."""
    if not path.exists():
        raise DataError(
            f"{path}: is missing; run prepare.py first, into the folder of texts that is used here"
        )
    rows = (line.split("\t") for line in path.read_text("utf-8").splitlines())
    return [Text(words, int(label), int(fold)) for fold, label, words in rows]


def lines(path: Path) -> list[str]:
    """Read unlabelled sentences that prepare.py wrote.

    Raises:
        DataError: there are none.
    """
    if not path.exists():
        raise DataError(
            f"{path}: is missing; run prepare.py with --text FILE, or train with --set "
            "ours.network.pretrained=false"
        )
    return path.read_text("utf-8").splitlines()


def _plain(text: str) -> str:
    return normalise(text).text


def _runs(words: str) -> Iterator[str]:
    each = words.split()
    return (" ".join(each[start : start + SHARED]) for start in range(len(each) - SHARED + 1))


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
        raise DataError(f"{archive}: cannot be read as a zip archive ({error}); get it again") from None
