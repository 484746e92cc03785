"""Times of day in words: "half past two", "ten oh seven"."""

from __future__ import annotations

from audioseq.text.numerals.dates import BEFORE_YEARS, read_two_digits
from audioseq.text.numerals.spoken import BELOW_TWENTY, DIGITS, read_below_hundred
from audioseq.text.numerals.stretch import Stretch, Written

BEFORE_TIMES = {"at", "by", "until", "till", "before", "after", "around", "about"}
NO_TIMES = {
    "minutes", "hours", "days", "weeks", "months", "years", "times", "miles", "feet", "men", "people",
    "pounds", "dollars", "euros", "hundred", "thousand",
}  # fmt: skip
"""Words before which two numbers are no time."""
HALVES_OF_DAY = {"a": "a.m.", "p": "p.m.", "am": "a.m.", "pm": "p.m."}
AFTER_TIMES = {"when", "in", "on", "this", "today", "tomorrow", "tonight", "sharp", "train", "bus", "flight"}
"""Words after which a quarter of an hour is a time, as in "the seven thirty train"."""
QUARTERS = {"half": 30, "quarter": 15}
ROUND_MINUTES = {5, 10, 20, 25}


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
    minute = read_two_digits(stretch, end)
    if minute is None or minute.value >= 60 or stretch.has(minute.end, DIGITS):
        return []
    is_sure = hour >= 10 > minute.value
    if minute.value in (15, 30, 45):
        is_last = minute.end == len(stretch.words) and stretch.has(start - 1, {"is", "was", "it's"})
        is_sure = is_last or stretch.has(minute.end, AFTER_TIMES)
    is_sure = is_sure and not stretch.has(start - 1, BEFORE_YEARS)
    if _half_of_day(stretch, minute.end) or (
        (is_sure or stretch.has(start - 1, BEFORE_TIMES))
        and not stretch.begins_number(minute.end)
        and not stretch.has(minute.end, NO_TIMES)
    ):
        return _time(stretch, start, f"{hour}:{minute.value:02}", minute.end)
    return []


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
        written.append(Written(HALVES_OF_DAY[stretch.at(end)], count))
    return written
