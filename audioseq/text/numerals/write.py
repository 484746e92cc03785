"""Write a spoken text with figures: each written word stands for one or more spoken words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from audioseq.text.numerals.dates import YEARS, read_year
from audioseq.text.numerals.phrases import FEWEST_TELEPHONE_DIGITS, PHRASES, read_digits
from audioseq.text.numerals.spoken import Number, read_number
from audioseq.text.numerals.stretch import Stretch, Written, count_words, figures, ordinal_figures

SMALLEST_IN_FIGURES = 10
LARGEST_AT_START = 100
"""Larger numbers are in figures also at the beginning of a sentence."""
MOST_TELEPHONE_WORDS = 20
"""Words of the longest telephone number that may have commas."""
LARGEST_INCHES = 11
"""Numbers to this stay words after feet: "five foot ten"."""
_BEFORE_YEARS = ("in", "since", "year", "until", "till", "circa")
_JOINING = ("or", "and", "to")
_EDGES = re.compile(r"(\W*)(.*?)(\W*)", re.DOTALL)
_SENTENCE_END = re.compile(r"[.?!]")
_Edges = tuple[str, str, str]
"""What goes before a word, the word, and what follows it."""


def write_numbers(words: Sequence[str], begins_sentence: bool = True) -> list[Written]:
    """Write the numbers of an English text in figures where an editor would.

    - Numbers from 10 are in figures, with commas; a round million is "2 million". From one to nine they stay
      words ("two or three", "no one", "a second"), as do "a hundred", numbers that are joined to such a word
      by "or", "and" or "to" ("two or three hundred"), those before "and a half", and numbers up to a hundred
      that begin a sentence. Compounds that stay words have a hyphen ("Twenty-five men").
    - Always in figures: decimals, percentages, money, metric units, dates, times, years, decades,
      pages and chapters, and three or more digits in a row.
    - Numbers in a row that are none of these stay words, as does a time before "o'clock".
    - Two or more letters in a row are an abbreviation: "b b c" is "BBC".

    A mark ends a number. The choices are those of style guides for prose (AP, Chicago).

    Args:
        words: the words, with case and marks if these are known.
        begins_sentence: whether a sentence begins with the first word.
    Returns:
        the written words with the number of spoken words that each stands for, in order.
    Example:
        >>> [text for text, _ in write_numbers("He paid twenty five dollars in nineteen oh five.".split())]
        ['He', 'paid', '$25', 'in', '1905.']
        >>> write_numbers(["twenty", "one", "men", "and", "no", "one"])[0]
        Written(text='twenty-one', spoken=2)
    """
    return [written for stretch in _split(words, begins_sentence) for written in stretch]


def _split(words: Sequence[str], begins_sentence: bool) -> Iterator[list[Written]]:
    """Split words at their marks, and yield what is written for each stretch."""
    edges = _join_telephone_numbers([_read_edges(word) for word in words])
    first = 0
    for index, (_, _, after) in enumerate(edges):
        end = index + 1
        if end < len(words) and not after and not edges[end][0]:
            continue
        ends_sentence = end == len(words) or bool(_SENTENCE_END.search(after))
        stretch = Stretch(tuple(core for _, core, _ in edges[first:end]), begins_sentence, ends_sentence)
        written = _write(stretch)
        written[0] = Written(edges[first][0] + written[0].text, written[0].spoken)
        last = written[-1].text
        after = after.removeprefix(".") if last.endswith(".") else after  # "at 7 a.m."
        written[-1] = Written(last + after, written[-1].spoken)
        yield written
        first, begins_sentence = end, ends_sentence


def _read_edges(word: str) -> _Edges:
    before, core, after = _EDGES.fullmatch(word).groups()  # type: ignore[union-attr]
    return before, core, after


def _join_telephone_numbers(edges: Sequence[_Edges]) -> list[_Edges]:
    """Remove commas within telephone numbers, unless more than half of the words have one, as in a list."""
    joined = list(edges)
    start = 0
    while start < len(edges):
        end = start + 1
        last = min(len(edges), start + MOST_TELEPHONE_WORDS)
        while end < last and edges[end - 1][2] in ("", ",") and not edges[end][0]:
            end += 1
        run = Stretch(tuple(core for _, core, _ in edges[start:end]), False, False)
        count = count_words(read_digits(run, 0))
        inner = range(start, start + count - 1)
        if count >= FEWEST_TELEPHONE_DIGITS and sum(edges[n][2] == "," for n in inner) <= len(inner) / 2:
            for n in inner:
                joined[n] = (*edges[n][:2], "")
        start += max(1, count)
    return joined


def _write(stretch: Stretch) -> list[Written]:
    written: list[Written] = []
    at = 0
    while at < len(stretch.words):
        phrases = (read(stretch, at) for read in PHRASES)
        found = next(filter(None, phrases), None) or _write_number(stretch, at) or stretch.copy(at, at + 1)
        written += found
        at += count_words(found)
    return written


def _write_number(stretch: Stretch, start: int) -> list[Written]:
    """Write a number that is no phrase, or several numbers in a row, as words or in figures."""
    number = read_number(stretch.words, start)
    if number is None:
        return []
    end = number.end
    while stretch.begins_number(end) and (following := read_number(stretch.words, end)) is not None:
        end = following.end
    if end > number.end:
        return stretch.copy(start, end)
    if stretch.has(end, _JOINING) and stretch.begins_number(end + 1):
        joined = read_number(stretch.words, end + 1)
        if joined is not None and (
            _stays_words(stretch, start, number) or joined.value < SMALLEST_IN_FIGURES
        ):
            return stretch.copy(start, joined.end)
    if _stays_words(stretch, start, number):
        return stretch.copy(start, end)
    if number.is_ordinal:
        return [Written(ordinal_figures(number.value), end - start)]
    text = figures(number.value)
    is_hundreds = number.value < 10_000 and "thousand" not in stretch.words[start:end]  # "nineteen hundred"
    is_year = stretch.has(start - 1, _BEFORE_YEARS) or _follows_year(stretch, start)
    if number.value in YEARS and (is_hundreds or is_year):
        text = str(number.value)
    return [Written(text, end - start)]


def _follows_year(stretch: Stretch, start: int) -> bool:
    """Return whether a year in two parts goes before, as in "nineteen ninety nine to two thousand five"."""
    counts = range(2, min(4, start)) if stretch.at(start - 1) == "to" else ()
    return any(count_words(read_year(stretch, start - 1 - count)) == count for count in counts)


def _stays_words(stretch: Stretch, start: int, number: Number) -> bool:
    fraction = stretch.words[number.end : number.end + 2] in (("and", "a"), ("and", "three"))
    is_whole_sentence = stretch.begins_sentence and stretch.ends_sentence and number.end == len(stretch.words)
    begins_sentence = start == 0 and stretch.begins_sentence and not is_whole_sentence
    return (
        number.value < SMALLEST_IN_FIGURES
        or (number.is_ordinal and stretch.has(start - 1, ("a", "an", "one")))
        or (stretch.has(start, ("a", "an")) and number.end == start + 2)
        or (number.value <= LARGEST_INCHES and stretch.has(start - 1, ("foot", "feet")))
        or (fraction and stretch.has(number.end + 2, ("half", "quarter", "third", "quarters")))
        or (begins_sentence and number.value <= LARGEST_AT_START)
    )
