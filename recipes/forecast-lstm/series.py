"""Series as files: a date and a value a line; what is forecast of them, and the way back to their values."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np

from audioseq.errors import DataError
from audioseq.files import read_text, write_atomically

Kind = Literal["log returns", "values"]


@dataclass(frozen=True)
class Series:
    """Values at dates, the oldest first.

    Args:
        levels: `[N]`.
        kind: what is forecast: the values themselves, or how much they change, in percent of log.
    """

    dates: list[str]
    levels: np.ndarray
    kind: Kind

    @property
    def values(self) -> np.ndarray:
        """What is forecast; log returns have none for the first date."""
        return self.levels if self.kind == "values" else 100 * np.diff(np.log(self.levels))

    def index(self, start: str) -> int:
        """Return the place in `values` of the first date that is `start` or later."""
        place = next((place for place, label in enumerate(self.dates) if label >= start), len(self.dates))
        return max(0, place - (len(self.dates) - len(self.values)))

    def ahead(self, values: np.ndarray) -> np.ndarray:
        """Turn values after the last date `[..., T]` back into levels."""
        if self.kind == "values":
            return values
        levels: np.ndarray = self.levels[-1] * np.exp(values.cumsum(-1) / 100)
        return levels

    def next_dates(self, count: int) -> list[str]:
        """Return the dates that follow: by months where all dates are, else as far apart as most are."""
        days = [date.fromisoformat(label) for label in self.dates]
        months = [12 * day.year + day.month for day in days]
        if all(after - before == 1 for before, after in pairwise(months)):
            ahead = [divmod(months[-1] + step - 1, 12) for step in range(1, count + 1)]
            return [f"{year}-{month + 1:02d}" for year, month in ahead]
        gap = timedelta(days=float(np.median(np.diff([day.toordinal() for day in days]))))
        return [(days[-1] + step * gap).isoformat() for step in range(1, count + 1)]


def read(path: Path, kind: Kind, column: str | None = None) -> Series:
    """Read a CSV file with a line of names; dates stand in its first column.

    Args:
        column: name of that of the values; the second one where it is not given.
    Raises:
        DataError: naming file and line.
    """
    try:
        names, *rows = [row for row in csv.reader(io.StringIO(read_text(path, DataError))) if row] or [[]]
    except csv.Error as error:
        raise DataError(f"{path}: is not a CSV file ({error}); save it as one") from None
    if len(names) < 2 or (column or names[1]) not in names:
        raise DataError(f"{path}: has no column {column or 'of values'}; it has {', '.join(names) or 'none'}")
    place = names.index(column) if column else 1
    dates: list[str] = []
    levels: list[float] = []
    for number, row in enumerate(rows, 2):
        dates.append(_date(row[0], dates[-1] if dates else "", f"{path}:{number}"))
        levels.append(_number(row[place] if place < len(row) else "", kind, f"{path}:{number}"))
    return Series(dates, np.array(levels), kind)


def write(path: Path, dates: Iterable[str], levels: Iterable[float]) -> None:
    """Write a series that `read` reads back equal."""
    lines = (f"{label},{level!r}\n" for label, level in zip(dates, levels, strict=True))
    text = "date,value\n" + "".join(lines)
    write_atomically(path, lambda file: file.write(text.encode()), make_folder=True)


def _date(text: str, before: str, where: str) -> str:
    try:
        label = date.fromisoformat(f"{text}-01" if len(text) == 7 else text).isoformat()
    except ValueError:
        raise DataError(f"{where}: {text!r} is no date; write it as 2024-01-31 or 2024-01") from None
    if label <= before:
        raise DataError(f"{where}: {text} does not come after {before}; sort the lines, one a date")
    return label


def _number(text: str, kind: Kind, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: the value is {text!r}; give a number, or leave the line out")
    if kind == "log returns" and value <= 0:
        raise DataError(f"{where}: {text} has no log return, only what is above 0 has; use --values")
    return value
