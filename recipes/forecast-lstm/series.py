"""Read and write series, and convert between their levels and the values to forecast."""

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
from audioseq.files import read_text, write_bytes

Kind = Literal["log returns", "values"]
"""What is forecast: log returns in percent, or the levels themselves."""


@dataclass(frozen=True)
class Series:
    """Levels at dates, the oldest first.

    Args:
        dates: dates in ISO format.
        levels: the numbers of the file `[N]`.
        kind: what is forecast.
    """

    dates: list[str]
    levels: np.ndarray
    kind: Kind

    @property
    def values(self) -> np.ndarray:
        """The values to forecast; log returns have none at the first date."""
        return self.levels if self.kind == "values" else 100 * np.diff(np.log(self.levels))

    def index(self, start: str) -> int:
        """Return the index in `values` of the first date that is `start` or later."""
        index = next((index for index, label in enumerate(self.dates) if label >= start), len(self.dates))
        return max(0, index - (len(self.dates) - len(self.values)))

    def to_levels(self, values: np.ndarray) -> np.ndarray:
        """Convert values after the last date `[..., T]` to levels."""
        if self.kind == "values":
            return values
        levels: np.ndarray = self.levels[-1] * np.exp(values.cumsum(-1) / 100)
        return levels

    def next_dates(self, count: int) -> list[str]:
        """Return the next dates: monthly if all dates are, otherwise at the median interval."""
        days = [date.fromisoformat(label) for label in self.dates]
        months = [12 * day.year + day.month for day in days]
        if all(after - before == 1 for before, after in pairwise(months)):
            following = [divmod(months[-1] + step - 1, 12) for step in range(1, count + 1)]
            return [f"{year}-{month + 1:02d}" for year, month in following]
        gap = timedelta(days=float(np.median(np.diff([day.toordinal() for day in days]))))
        return [(days[-1] + step * gap).isoformat() for step in range(1, count + 1)]


def read(path: Path, kind: Kind, column: str | None = None) -> Series:
    """Read a CSV file with a header line and dates in the first column.

    Args:
        path: the file.
        kind: what is forecast.
        column: name of the value column; default: the second column.
    Raises:
        DataError: a line is invalid; the message names file and line.
    """
    try:
        names, *rows = [row for row in csv.reader(io.StringIO(read_text(path, DataError))) if row] or [[]]
    except csv.Error as error:
        raise DataError(f"{path}: is not a CSV file ({error}); save it as one") from None
    if len(names) < 2 or (column or names[1]) not in names:
        raise DataError(f"{path}: has no column {column or 'of values'}; it has {', '.join(names) or 'none'}")
    index = names.index(column) if column else 1
    dates: list[str] = []
    levels: list[float] = []
    for number, row in enumerate(rows, 2):
        dates.append(_date(row[0], dates[-1] if dates else "", f"{path}:{number}"))
        levels.append(_number(row[index] if index < len(row) else "", kind, f"{path}:{number}"))
    return Series(dates, np.array(levels), kind)


def write(path: Path, dates: Iterable[str], levels: Iterable[float]) -> None:
    """Write a series to a file, exactly as `read` reads it."""
    lines = (f"{label},{level!r}\n" for label, level in zip(dates, levels, strict=True))
    text = "date,value\n" + "".join(lines)
    write_bytes(path, text.encode(), make_folder=True)


def _date(text: str, before: str, where: str) -> str:
    try:
        label = date.fromisoformat(f"{text}-01" if len(text) == 7 else text).isoformat()
    except ValueError:
        raise DataError(f"{where}: {text!r} is not a date; write it as 2024-01-31 or 2024-01") from None
    if label <= before:
        raise DataError(f"{where}: {text} is not after {before}; sort the lines, one for each date")
    return label


def _number(text: str, kind: Kind, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: the value {text!r} is not a number; correct or remove the line")
    if kind == "log returns" and value <= 0:
        raise DataError(f"{where}: {text} has no log return, it is not positive; use --values")
    return value
