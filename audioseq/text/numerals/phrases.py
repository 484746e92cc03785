"""Phrases that are always in figures: letters, times, dates, years, runs of digits, decimals and quantities.

Each function reads a phrase that begins at a word of a stretch; it returns nothing if there is none.
"""

from __future__ import annotations

from itertools import pairwise

from audioseq.text.numerals.spoken import (
    BELOW_TWENTY,
    DECADES,
    DIGITS,
    TEENS,
    UNITS,
    Number,
    read_below_hundred,
    read_number,
)
from audioseq.text.numerals.stretch import Stretch, Written, figures, ordinal_figures

MONTHS = {
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
}  # fmt: skip
VERBS = {"march", "may"}
"""Months that are a month only if they have a capital."""
BEFORE_TIMES = {"at", "by", "until", "till", "before", "after", "around", "about"}
BEFORE_YEARS = {
    "in",
    "since",
    "year",
    "circa",
    "until",
    "till",
    "during",
    "by",
    "from",
    "early",
    "late",
} | MONTHS
COUNTED = {
    "minutes",
    "hours",
    "days",
    "weeks",
    "months",
    "years",
    "times",
    "miles",
    "feet",
    "men",
    "people",
    "pounds",
}
"""Words before which two numbers are no time."""
SHORT = {"a": "a.m.", "p": "p.m.", "am": "a.m.", "pm": "p.m."}
QUARTERS = {"half": 30, "quarter": 15}
ROUND_MINUTES = {5, 10, 20, 25}
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
YEARS = range(1000, 2100)
"""Numbers that can be years."""
LARGE = {10**6: "million", 10**9: "billion", 10**12: "trillion"}


def read_letters(stretch: Stretch, start: int) -> list[Written]:
    """Read spelled-out letters, such as "b b c's", as one abbreviation.

    "a", "i" and "o" are also words: at least two of the letters must be others. An "a" before
    three letters or more is the article.
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
    if sum(letter not in "aio" for letter in letters) < 2:
        return []
    *rest, last = letters
    return [Written("".join(rest).upper() + last[0].upper() + last[1:], end - start)]


def read_time(stretch: Stretch, start: int) -> list[Written]:
    """Read a time: "half past two", "ten minutes to three", "at ten oh seven", "seven thirty p m"."""
    return _read_relative_time(stretch, start) or _read_clock(stretch, start)


def _read_relative_time(stretch: Stretch, start: int) -> list[Written]:
    at = start + (stretch.at(start) == "a" and stretch.at(start + 1) == "quarter")
    number = read_below_hundred(stretch.words, at)
    if stretch.has(at, QUARTERS):
        minutes, end, is_sure = QUARTERS[stretch.at(at)], at + 1, True
    elif number is not None and not number.is_ordinal and number.value < 60:
        minutes, end = number.value, number.end
        is_sure = stretch.has(end, {"minute", "minutes"})
        end += is_sure
    else:
        return []
    relation = stretch.at(end)
    hour = _hour(stretch, end + 1)
    if hour is None:
        return []
    if relation == "past" and (is_sure or minutes in ROUND_MINUTES):
        pass
    elif (
        relation == "to"
        and minutes < 30
        and (is_sure or (minutes in ROUND_MINUTES and stretch.at(start - 1) == "at"))
    ):
        hour, minutes = (hour - 2) % 12 + 1, 60 - minutes
    else:
        return []
    end += 2
    end += stretch.at(end) == "o'clock"
    return _time(stretch, start, f"{hour}:{minutes:02}", end)


def _read_clock(stretch: Stretch, start: int) -> list[Written]:
    hour, end = _hour(stretch, start), start + 1
    if hour is None:
        return []
    if stretch.at(end) == "o'clock":
        return stretch.copy(start, end + 1)
    if _half_of_day(stretch, end):
        return _time(stretch, start, str(hour), end)
    minute = _read_two_digits(stretch, end)
    if minute is None or minute.value >= 60 or stretch.has(minute.end, DIGITS):
        return []
    is_sure = hour >= 10 > minute.value and not stretch.has(start - 1, BEFORE_YEARS)
    if _half_of_day(stretch, minute.end) or (
        (is_sure or stretch.has(start - 1, BEFORE_TIMES))
        and not stretch.begins_number(minute.end)
        and not stretch.has(minute.end, COUNTED | CURRENCIES.keys() | {"hundred", "thousand"})
    ):
        return _time(stretch, start, f"{hour}:{minute.value:02}", minute.end)
    return []


def _read_two_digits(stretch: Stretch, start: int) -> Number | None:
    """Read the minutes of a time or the second part of a year: "oh five", or 10 to 99."""
    if stretch.has(start, {"oh", "o"}) and stretch.has(start + 1, UNITS):
        return Number(UNITS[stretch.at(start + 1)], start + 2)
    number = read_below_hundred(stretch.words, start)
    return None if number is None or number.is_ordinal or number.value < 10 else number


def _hour(stretch: Stretch, index: int) -> int | None:
    hour = BELOW_TWENTY.get(stretch.at(index), 0)
    return hour if 1 <= hour <= 12 else None


def _half_of_day(stretch: Stretch, index: int) -> int:
    """Return the number of words of "a m", "p m", "am" or "pm"."""
    if stretch.has(index, {"am", "pm"}):
        return 1
    return 2 * (stretch.has(index, {"a", "p"}) and stretch.at(index + 1) == "m")


def _time(stretch: Stretch, start: int, text: str, end: int) -> list[Written]:
    written = [Written(text, end - start)]
    if count := _half_of_day(stretch, end):
        written.append(Written(SHORT[stretch.at(end)], count))
    return written


def read_date(stretch: Stretch, start: int) -> list[Written]:
    """Read a day with its month: "March third", "the third of March"; a year after it gets a comma."""
    if _is_month(stretch, start):
        day = read_below_hundred(stretch.words, start + 1)
        is_day = day is not None and day.value <= 31 and not stretch.begins_number(day.end)
        year = [] if day is None or day.value > 31 else _read_year_of_date(stretch, day.end)
        if day is None or not (is_day or year) or _continues(stretch, day.end):
            return []
        comma = "," if year else ""
        return [
            Written(stretch.originals[start], 1),
            Written(f"{day.value}{comma}", day.end - start - 1),
            *year,
        ]
    day = read_below_hundred(stretch.words, start)
    if day is None or not day.is_ordinal or day.value > 31 or stretch.at(day.end) != "of":
        return []
    if not stretch.has(day.end + 1, MONTHS):
        return []
    return [Written(ordinal_figures(day.value), day.end - start)]


def _is_month(stretch: Stretch, index: int) -> bool:
    return stretch.has(index, MONTHS - VERBS) or (
        stretch.has(index, VERBS) and stretch.originals[index][0].isupper()
    )


def _read_year_of_date(stretch: Stretch, start: int) -> list[Written]:
    """Read a year, also one that is only a number, such as "two thousand and six"."""
    number = read_number(stretch.words, start) if stretch.begins_number(start) else None
    if number is None or number.is_ordinal or number.value not in YEARS:
        return read_year(stretch, start)
    return [Written(str(number.value), number.end - start)]


def _continues(stretch: Stretch, index: int) -> bool:
    """Return whether a number continues with a larger one, as in "may five hundred"."""
    return stretch.has(index, {"hundred", "thousand", "million"})


def read_year(stretch: Stretch, start: int) -> list[Written]:
    """Read a year or a decade that is spoken in two parts: "nineteen oh five", "eighteen sixties"."""
    first = TEENS.get(stretch.at(start), 20 * (stretch.at(start) == "twenty"))
    if not first:
        return []
    if stretch.has(start + 1, DECADES):
        return [Written(f"{100 * first + DECADES[stretch.at(start + 1)]}s", 2)]
    second = _read_two_digits(stretch, start + 1)
    if second is None or stretch.begins_number(second.end) or _continues(stretch, second.end):
        return []
    # "fifteen twenty minutes" and "twelve thirty": only what goes before can tell.
    is_estimate = second.end == start + 2 and second.value - first in (1, 2, 5, 10)
    is_time = first <= 12 and second.value < 60
    if (is_estimate or is_time) and not stretch.has(start - 1, BEFORE_YEARS):
        return []
    return [Written(str(100 * first + second.value), second.end - start)]


def read_digits(stretch: Stretch, start: int) -> list[Written]:
    """Read three digits or more, as of a telephone number; "double" and "triple" repeat a digit.

    Counting ("one two three") stays words.
    """
    digits, end, has_repeat = [], start, False
    while True:
        repeat = {"double": 2, "triple": 3}.get(stretch.at(end), 1)
        if not stretch.has(end + (repeat > 1), DIGITS):
            break
        digits += [DIGITS[stretch.at(end + (repeat > 1))]] * repeat
        end += 1 + (repeat > 1)
        has_repeat = has_repeat or repeat > 1
    steps = {b - a for a, b in pairwise(digits)}
    is_counting = not has_repeat and (steps == {1} or steps == {-1})
    if len(digits) < 3 or is_counting or stretch.begins_number(end) or _continues(stretch, end):
        return []
    if stretch.has(start, {"oh", "o"}) and len(digits) < 4:
        return []
    return [Written("".join(map(str, digits)), end - start)]


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
    """Read the digits after a "point", and return them with the index of the word after them."""
    end, digits = point + 1, ""
    while stretch.has(end, DIGITS):
        digits += str(DIGITS[stretch.at(end)])
        end += 1
    if not digits:
        number = read_below_hundred(stretch.words, end)
        if number is None or number.is_ordinal:
            return None
        digits, end = str(number.value), number.end
    return digits, end


PHRASES = (read_letters, read_time, read_date, read_year, read_digits, read_quantity)
"""In this order: the first that finds a phrase decides."""
