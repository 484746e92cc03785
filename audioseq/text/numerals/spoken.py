"""Numbers in words: their vocabulary, and their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

UNITS = dict(one=1, two=2, three=3, four=4, five=5, six=6, seven=7, eight=8, nine=9)
TEENS = dict(
    ten=10, eleven=11, twelve=12, thirteen=13, fourteen=14, fifteen=15, sixteen=16, seventeen=17, eighteen=18,
    nineteen=19,
)  # fmt: skip
TENS = dict(twenty=20, thirty=30, forty=40, fifty=50, sixty=60, seventy=70, eighty=80, ninety=90)
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
ZEROS = {"zero", "nought", "oh", "o"}
DIGITS = {**UNITS, **dict.fromkeys(ZEROS, 0)}
ORDINALS = {
    **dict(first="one", second="two", third="three", fifth="five", eighth="eight", ninth="nine"),
    **{f"{word}th": word for word in ("four", "six", "seven", *TEENS) if word != "twelve"},
    "twelfth": "twelve",
    **{f"{word[:-1]}ieth": word for word in TENS},
    **{f"{word}th": word for word in ("hundred", *SCALES)},
}
"""The cardinal of each ordinal word."""
DECADES = {f"{word[:-1]}ies": value for word, value in TENS.items()} | {"hundreds": 0}
BELOW_TWENTY = UNITS | TEENS
BELOW_HUNDRED = BELOW_TWENTY | TENS
NUMBER_WORDS = {*BELOW_HUNDRED, *ORDINALS, "zero", "nought"}
"""Words that begin a number."""


class Number(NamedTuple):
    """A number that was read from words."""

    value: int
    end: int
    """Index of the word after it."""
    is_ordinal: bool = False
    scale: int = 1
    """Its last scale if nothing follows it, as in "two million"."""


def read_below_hundred(words: Sequence[str], start: int) -> Number | None:
    """Read a number from 1 to 99."""
    word = words[start] if start < len(words) else ""
    if word in TENS and start + 1 < len(words):
        unit = words[start + 1]
        if UNITS.get(ORDINALS.get(unit, unit)):
            return Number(TENS[word] + UNITS[ORDINALS.get(unit, unit)], start + 2, unit in ORDINALS)
    value = BELOW_HUNDRED.get(ORDINALS.get(word, word))
    return None if value is None else Number(value, start + 1, word in ORDINALS)


def read_number(words: Sequence[str], start: int) -> Number | None:
    """Read the longest cardinal or ordinal that begins at a word, in British or American form.

    Hundreds may be counted up to ninety-nine, as in "nineteen hundred and five". "a" counts as one before
    "hundred" or a scale.

    Example:
        >>> read_number("two thousand and twenty first of may".split(), 0)
        Number(value=2021, end=5, is_ordinal=True, scale=1)
    """
    if words[start] in ("zero", "nought"):
        return Number(0, start + 1)
    number, limit = _read_group(words, start), 10**15
    total, end = 0, start
    while number is not None:
        scale = SCALES.get(_cardinal(words, number.end), 0)
        if number.is_ordinal or not scale:
            return number._replace(value=total + number.value)
        if scale >= limit or number.value >= 1000:
            break
        end = number.end + 1
        total, limit = total + number.value * scale, scale
        if words[number.end] in ORDINALS:
            return Number(total, end, True)
        rest = _read_group(words, end + (_at(words, end) == "and"))
        # Not a part of this number: "two thousand and three million", "one thousand nineteen hundred".
        after = SCALES.get(_cardinal(words, rest.end), 0) if rest is not None else 0
        if rest is None or after >= scale or rest.value >= 1000 or rest.value >= scale:
            return Number(total, end, scale=scale)
        number = rest
    return Number(total, end) if total else None


def _read_group(words: Sequence[str], start: int) -> Number | None:
    """Read a number below a thousand, or of hundreds, such as "nineteen hundred and five"."""
    if _at(words, start) in ("a", "an") and (
        _cardinal(words, start + 1) == "hundred" or _cardinal(words, start + 1) in SCALES
    ):
        head: Number | None = Number(1, start + 1)
    else:
        head = read_below_hundred(words, start)
    if head is None or head.is_ordinal or _cardinal(words, head.end) != "hundred":
        return head
    if head.value > 9 and head.value % 10 == 0:
        return head
    hundreds = Number(head.value * 100, head.end + 1, words[head.end] in ORDINALS)
    if hundreds.is_ordinal:
        return hundreds
    rest = read_below_hundred(words, hundreds.end + (_at(words, hundreds.end) == "and"))
    if rest is None or _cardinal(words, rest.end) == "hundred":
        return hundreds
    return rest._replace(value=hundreds.value + rest.value)


def _at(words: Sequence[str], index: int) -> str:
    return words[index] if index < len(words) else ""


def _cardinal(words: Sequence[str], index: int) -> str:
    return ORDINALS.get(_at(words, index), _at(words, index))
