"""The labels of a word, its case and the mark after it: read from written text, and written to words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from audioseq.text.tokenizer import normalise

CASES = ("lower", "title", "upper")
"""Case of a word: as spoken, first letter upper case, or all letters upper case."""
MARKS = ("", ",", ".", "?", "!", ":", ";", " –")
"""What follows a word. A dash has a space before it, as it stands between words."""
NAMES = ("none", "comma", "full stop", "question", "exclamation", "colon", "semicolon", "dash")
"""Names of the marks, for tables and keys."""
ABBREVIATIONS = frozenset(
    {"mr", "mrs", "ms", "dr", "st", "messrs", "mme", "mlle", "jr", "sr", "capt", "col", "gen", "rev", "hon"}
    | {"prof", "lieut", "lt", "sergt", "maj", "esq", "vol", "pp", "viz", "cf", "fig", "vs"}
)
"""Words whose full stop belongs to them and is no mark, like that of initials."""
_PRIORITY = ("?", "!", ".", ";", ":", ",", " –")
"""Of several marks after a word, the first of these is its label."""
_DASH = re.compile(r"-{2,}|[\u2012-\u2015]|(?<=\s)-+(?=\s)")
_ELLIPSIS = re.compile(r"(\.\s?){2,}|…")
_WORD = re.compile(r"[^\W_]+(?:['\u2018\u2019][^\W_]+)*")
_ELIDED = re.compile(r"['\u2018\u2019](?=(?:tis|twas|twere|twill|em|til|bout|cause)\b)", re.IGNORECASE)
_PREFIX = re.compile(r"(?:mc|o['\u2019](?!clock))(?=\w{3})")
"""Beginnings of names that have a second capital after them: McDonald, O'Brien."""


class LabelledWord(NamedTuple):
    """A word with its labels."""

    word: str
    """As spoken: lower case, without marks."""
    case: int
    """Index into `CASES`."""
    mark: int
    """Index into `MARKS`."""
    written: str
    """As in the text, without the mark, such as "McDonald" and "Mr."."""


def read_labels(text: str) -> Iterator[LabelledWord]:
    """Yield the words of a written text with their labels.

    Hyphens separate words, as in speech. Quotation marks and brackets are left out. A word in mixed case
    counts as title case.

    Example:
        >>> [(each.word, CASES[each.case], MARKS[each.mark]) for each in read_labels('"No," he said--why?')]
        [('no', 'title', ','), ('he', 'lower', ''), ('said', 'lower', ' –'), ('why', 'lower', '?')]
    """
    found = [(match.start(), match.end()) for match in _WORD.finditer(text)]
    for index, (start, end) in enumerate(found):
        if _ELIDED.match(text, start - 1) and start:
            start -= 1
        written = text[start:end]
        following = found[index + 1][0] if index + 1 < len(found) else len(text)
        word = _spoken(written)
        between, is_last = text[end:following], following == len(text)
        is_abbreviation = word in ABBREVIATIONS or (len(word) == 1 and word not in "aio")
        if is_abbreviation and between.startswith(".") and not is_last:
            written, between = f"{written}.", between[1:]
        mark = _mark(between, is_last or text[following].isupper())
        yield LabelledWord(word, _case(written), MARKS.index(mark), written)


def write_word(word: str, case: int, mark: int, forms: Mapping[str, str]) -> str:
    """Write a word with its labels; capitals and a mark that it already has are kept.

    Args:
        word: as spoken, or as written.
        case: index into `CASES`.
        mark: index into `MARKS`.
        forms: written forms of words in mixed case, used in place of title case.
    Example:
        >>> write_word("duquesne", 1, 2, {"duquesne": "DuQuesne"}), write_word("Don't!", 0, 1, {})
        ('DuQuesne.', "Don't!")
        >>> write_word("o'brien", 1, 0, {})
        "O'Brien"
    """
    marked = word if has_mark(word) else word + MARKS[mark]
    if has_capital(word) or not case:
        return marked
    if CASES[case] == "upper":
        return _upper(marked)
    if word in forms:
        form = forms[word]
        return form + marked[len(word) :].removeprefix("." if form.endswith(".") else "")
    first = next((place for place, char in enumerate(marked) if char.isalnum()), 0)
    prefix = _PREFIX.match(marked, first)
    capitals = {first, prefix.end() if prefix else first}
    return "".join(_upper(char) if place in capitals else char for place, char in enumerate(marked))


def has_capital(text: str) -> bool:
    """Whether a text has an upper-case letter."""
    return text != text.lower()


def has_mark(word: str) -> bool:
    """Whether a word ends with a mark, which closing quotation marks and brackets may follow."""
    return word.rstrip("\"'\u2019\u201d\u00bb)]}").endswith((",", ".", "?", "!", ":", ";", "-", "…", *"‒–—―"))


def _upper(text: str) -> str:
    """Return upper case; letters whose upper case has more letters stay as they are."""
    return "".join(char.upper() if len(char.upper()) == 1 else char for char in text)


@lru_cache(100_000)
def _case(written: str) -> int:
    letters = [char for char in written if char.isalpha()]
    if not letters or not any(char.isupper() for char in letters):
        return CASES.index("lower")
    return CASES.index("upper" if len(letters) > 1 and all(char.isupper() for char in letters) else "title")


@lru_cache(100_000)
def _spoken(written: str) -> str:
    return normalise(written).text.replace(" ", "") or written


def _mark(between: str, starts_sentence: bool) -> str:
    """Return the mark in the text between two words."""
    if between == " ":
        return ""
    between = _DASH.sub(" – ", _ELLIPSIS.sub("." if starts_sentence else " – ", between))
    if not starts_sentence:  # the full stop of an abbreviation that is not in the list
        between = between.replace(".", "")
    return next((mark for mark in _PRIORITY if mark.strip() in between), "")
