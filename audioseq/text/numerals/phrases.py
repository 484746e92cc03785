"""Phrases that are always in figures: letters, runs of digits, decimals and quantities; times and dates.

Each function reads a phrase that begins at a word of a stretch; it returns nothing if there is none.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from audioseq.text.numerals.dates import read_date, read_year
from audioseq.text.numerals.spoken import DIGITS, Number, read_below_hundred, read_number
from audioseq.text.numerals.stretch import Stretch, Written, continues, figures
from audioseq.text.numerals.times import read_time

CURRENCIES = {"dollar": "$", "dollars": "$", "euro": "€", "euros": "€"}
METRIC = {
    f"{prefix}{unit}{plural}"
    for unit in ("metre", "meter", "gram", "litre", "liter", "watt", "volt", "hertz", "byte", "pixel")
    for prefix in ("", "kilo", "centi", "milli", "mega", "giga", "tera")
    for plural in ("", "s")
} | {"degree", "degrees", "cents", "pence"}
"""Units before which also small numbers are in figures."""
LABELS = {
    "page", "pages", "chapter", "verse", "section", "paragraph", "figure", "table", "volume", "version",
    "room", "flight", "channel", "route", "highway", "gate", "platform",
}  # fmt: skip
"""Words after which also small numbers are in figures."""
ABBREVIATIONS = {"ai", "cia", "ioc", "ok"}
"""Abbreviations with fewer than two letters that are not words themselves."""
FEWEST_TELEPHONE_DIGITS = 7
"""Digits of the shortest telephone number that is said with hundreds and pairs."""
LARGE = {10**6: "million", 10**9: "billion", 10**12: "trillion"}


def read_letters(stretch: Stretch, start: int) -> list[Written]:
    """Read spelled-out letters, such as "b b c's", as one abbreviation.

    "a", "i" and "o" are also words: at least two of the letters must be others, unless the abbreviation is
    well known. An "a" before three letters or more is the article.
    """
    end = start
    while len(stretch.at(end)) == 1 and stretch.at(end).isalpha():
        end += 1
    letters = stretch.words[start:end]
    if len(letters) > 0 and len(stretch.at(end).removesuffix("'s")) == 1 and stretch.at(end).endswith("'s"):
        letters, end = (*letters, stretch.at(end)), end + 1
    is_all = len(letters) == len(stretch.words)
    if letters[:1] == ("a",) and len(letters) > 3 and not is_all:
        return []
    is_known = len(stretch.at(start - 1)) != 1 and "".join(letters).removesuffix("'s") in ABBREVIATIONS
    if not is_known and sum(letter not in "aio" for letter in letters) < 2:
        return []
    *rest, last = letters
    return [Written("".join(rest).upper() + last[0].upper() + last[1:], end - start)]


def read_digits(stretch: Stretch, start: int) -> list[Written]:
    """Read three digits or more; "double" and "triple" repeat a digit.

    Counting ("one two three") stays words. A telephone number, of which at least three digits in a row are
    single, may also have hundreds and pairs: "eight hundred five five five twelve thirty". Numbers that
    increase are a list.
    """
    groups, end = list[_Group](), start
    while (group := _read_group(stretch, end)) is not None:
        groups.append(group)
        end = group.end
    digits = "".join(group.digits for group in groups)
    singles = "".join(str(len(group.digits)) if group.is_single else " " for group in groups)
    if " " in singles:
        is_list = all(int(a.digits) < int(b.digits) for a, b in pairwise(groups))
        is_telephone = len(digits) >= FEWEST_TELEPHONE_DIGITS and "111" in singles and not is_list
        return [Written(digits, end - start)] if is_telephone else []
    steps = {int(b) - int(a) for a, b in pairwise(digits)}
    is_counting = len(digits) == len(groups) and (steps == {1} or steps == {-1})
    if len(digits) < 3 or is_counting or stretch.begins_number(end) or continues(stretch, end):
        return []
    if stretch.has(start, {"oh", "o"}) and len(digits) < 4:
        return []
    decimals = _read_decimals(stretch, end) if stretch.at(end) == "point" else None
    if decimals is not None:
        digits, end = f"{digits}.{decimals[0]}", decimals[1]
    return [Written(digits, end - start)]


class _Group(NamedTuple):
    """Digits of a telephone number that are said together."""

    digits: str
    end: int
    """Index of the word after them."""
    is_single: bool
    """Whether it is a digit, maybe repeated."""


def _read_group(stretch: Stretch, start: int) -> _Group | None:
    """Read a digit, "double five", "eight hundred" or "fifty two"."""
    repeat = {"double": 2, "triple": 3}.get(stretch.at(start), 1)
    at = start + (repeat > 1)
    if stretch.has(at, DIGITS):
        digits = str(DIGITS[stretch.at(at)]) * repeat
        is_hundreds = repeat == 1 and stretch.at(at + 1) == "hundred"
        return _Group(digits + "00" * is_hundreds, at + 1 + is_hundreds, not is_hundreds)
    number = read_below_hundred(stretch.words, at)
    if number is None or number.is_ordinal or repeat > 1:
        return None
    return _Group(str(number.value), number.end, False)


def read_quantity(stretch: Stretch, start: int) -> list[Written]:
    """Read a decimal, a number with a unit, a number after a label, or two numbers with one unit."""
    found = _read_measure(stretch, start)
    if found:
        return found
    number = read_number(stretch.words, start)
    if number is None or number.is_ordinal or not stretch.has(number.end, {"or", "to"}):
        return []
    measure = _read_measure(stretch, number.end + 1)
    if not measure or measure[0].text[0] in CURRENCIES.values() or stretch.has(number.end + 1, {"a"}):
        return []
    return [
        Written(figures(number.value), number.end - start),
        Written(stretch.originals[number.end], 1),
        *measure,
    ]


def _read_measure(stretch: Stretch, start: int) -> list[Written]:
    number = read_number(stretch.words, start) if start < len(stretch.words) else None
    if number is None and stretch.has(start, {"oh"}):
        number = Number(0, start + 1)
    if number is None or number.is_ordinal or stretch.at(start) == "a":
        return []
    text, end, scale = figures(number.value), number.end, ""
    decimals = _read_decimals(stretch, end) if stretch.at(end) == "point" else None
    if decimals is not None:
        text, end = f"{text}.{decimals[0]}", decimals[1]
        if stretch.has(end, LARGE.values()):
            scale, end = stretch.at(end), end + 1
    elif number.scale in LARGE and number.value < 1000 * number.scale and number.end > start + 1:
        text, scale = figures(number.value // number.scale), LARGE[number.scale]
    unit = stretch.at(end)
    scaled = [Written(scale, 1)] if scale else []
    words = end - start - len(scaled)
    if unit == "percent" or (unit == "per" and stretch.at(end + 1) == "cent"):
        count = 1 + (unit == "per")
        if scale:
            return [Written(text, words), *scaled, Written("percent", count)]
        return [Written(f"{text}%", words + count)]
    if unit in CURRENCIES:
        return _money(stretch, f"{CURRENCIES[unit]}{text}", words, scale, end)
    is_measure = decimals is not None or bool(scale) or unit in METRIC or stretch.has(start - 1, LABELS)
    return [Written(text, words), *scaled] if is_measure and not stretch.begins_number(end) else []


def _money(stretch: Stretch, text: str, words: int, scale: str, end: int) -> list[Written]:
    if scale:
        return [Written(text, words), Written(scale, 2)]
    at = end + 1 + (stretch.at(end + 1) == "and")
    cents = read_below_hundred(stretch.words, at)
    if (
        cents is not None
        and not cents.is_ordinal
        and stretch.has(cents.end, {"cent", "cents"})
        and "." not in text
    ):
        return [Written(f"{text}.{cents.value:02}", words + cents.end + 1 - end)]
    return [Written(text, words + 1)]


def _read_decimals(stretch: Stretch, point: int) -> tuple[str, int] | None:
    """Read the digits after a "point", and return them with the index of the word after them.

    Further points, as of versions and sections, belong to them: "three point one point two".
    """
    end, digits = point + 1, ""
    while stretch.has(end + (digits != "" and stretch.at(end) == "point"), DIGITS):
        digits += "." if stretch.at(end) == "point" else str(DIGITS[stretch.at(end)])
        end += 1
    if not digits:
        number = read_below_hundred(stretch.words, end)
        if number is None or number.is_ordinal:
            return None
        digits, end = str(number.value), number.end
    return digits, end


PHRASES = (read_letters, read_time, read_date, read_year, read_digits, read_quantity)
"""In this order: the first that finds a phrase decides."""
