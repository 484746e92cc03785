"""Dates, years and decades in words: "March third", "nineteen oh five"."""

from __future__ import annotations

from audioseq.text.numerals.spoken import DECADES, TEENS, UNITS, Number, read_below_hundred, read_number
from audioseq.text.numerals.stretch import Stretch, Written, continues, ordinal_figures

MONTHS = {
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
}  # fmt: skip
VERBS = {"march", "may"}
"""Months that are a month only if they have a capital, or an ordinal and a year after them."""
BEFORE_YEARS = MONTHS | {
    "in", "since", "year", "circa", "until", "till", "during", "by", "from", "early", "late",
}  # fmt: skip
YEARS = range(1000, 2100)
"""Numbers that can be years."""


def read_date(stretch: Stretch, start: int) -> list[Written]:
    """Read a day with its month: "March third", "the third of March"; a year after it gets a comma."""
    if stretch.has(start, MONTHS):
        day = read_below_hundred(stretch.words, start + 1)
        if day is None or day.value > 31 or continues(stretch, day.end):
            return []
        year = _read_year_of_date(stretch, day.end)
        # In "February eighteen oh nine", the number is the year.
        is_day = not stretch.begins_number(day.end) and not read_year(stretch, start + 1)
        is_month = not stretch.has(start, VERBS) or stretch.originals[start][0].isupper()
        if not (year or is_day) or not (is_month or (year and day.is_ordinal)):
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


def _read_year_of_date(stretch: Stretch, start: int) -> list[Written]:
    """Read a year, also one that is only a number, such as "two thousand and six"."""
    number = read_number(stretch.words, start) if stretch.begins_number(start) else None
    if number is None or number.is_ordinal or number.value not in YEARS:
        return read_year(stretch, start)
    return [Written(str(number.value), number.end - start)]


def read_year(stretch: Stretch, start: int) -> list[Written]:
    """Read a year in two parts or without its century, or a decade: "nineteen oh five", "in oh seven"."""
    if stretch.has(start, {"oh", "o"}) and stretch.has(start - 1, ("in", "since")):
        short = read_two_digits(stretch, start)
        return [] if short is None else [Written(f"'{short.value:02}", 2)]
    first = TEENS.get(stretch.at(start), 20 * (stretch.at(start) == "twenty"))
    if not first:
        return []
    if stretch.has(start + 1, DECADES):
        return [Written(f"{100 * first + DECADES[stretch.at(start + 1)]}s", 2)]
    second = read_two_digits(stretch, start + 1)
    if second is None or stretch.begins_number(second.end) or continues(stretch, second.end):
        return []
    # "fifteen twenty minutes" and "twelve thirty": only what goes before can tell.
    is_estimate = second.end == start + 2 and second.value - first in (1, 2, 5, 10)
    is_time = first <= 12 and second.value < 60
    if (is_estimate or is_time) and not stretch.has(start - 1, BEFORE_YEARS):
        return []
    return [Written(str(100 * first + second.value), second.end - start)]


def read_two_digits(stretch: Stretch, start: int) -> Number | None:
    """Read the minutes of a time or the second part of a year: "oh five", or 10 to 99."""
    if stretch.has(start, {"oh", "o"}) and stretch.has(start + 1, UNITS):
        return Number(UNITS[stretch.at(start + 1)], start + 2)
    number = read_below_hundred(stretch.words, start)
    return None if number is None or number.is_ordinal or number.value < 10 else number
