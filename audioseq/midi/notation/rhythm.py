"""Rhythms that can be read: quantised onsets, and durations that notation can write."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

QUARTER = 24
"""Ticks of a quarter note in notation: a 32nd is 3, an eighth of a triplet 8."""
GRIDS = ((24, 0.0), (12, 0.0), (6, 0.5), (8, 1.0), (4, 4.0), (3, 3.0))
"""Divisions of a quarter, in ticks between grid points, each with its cost: squared ticks per onset. From the
plainest to the finest, triplets after sixteenths."""
EXACT_TICKS = 0.75
"""The plainest grid is used if all onsets of a beat are within this distance."""
PLAIN_TICKS = (3, 6, 9, 12, 18, 24, 36, 48, 72, 96, 144, 192)
"""Durations that one note can have without a tuplet: undotted and dotted, from a 32nd."""
TRIPLET_TICKS = (4, 8, 16)
"""Durations that one note of a triplet can have."""


@dataclass(frozen=True)
class BeatGrids:
    """The division of each quarter of a part.

    Args:
        starts: start of each quarter, counted from the bar lines, in ticks.
        grids: ticks between the grid points of each quarter.
    Example:
        >>> grids = BeatGrids.choose([0, 12.2, 24, 32, 40.3, 48, 54, 66], range(0, 96, 24))
        >>> grids.grids, grids.quantise(40.3)
        ((12, 8, 6, 24), 40)
    """

    starts: Sequence[int]
    grids: Sequence[int]

    @classmethod
    def choose(cls, onsets: Iterable[float], starts: Sequence[int]) -> BeatGrids:
        """Return the grids for some onsets, in ticks that need not be whole.

        The plainest grid that is exact is used; for free timing, that with the smallest squared error plus
        cost.
        """
        offsets: list[list[float]] = [[] for _ in starts]
        for onset in onsets:
            beat = _beat(onset, starts)
            offsets[beat].append(onset - starts[beat])
        return cls(starts, tuple(map(_best_grid, offsets)))

    def at(self, tick: float) -> int:
        """Return the grid of the quarter with a position; a position just before a quarter belongs to it."""
        return self.grids[_beat(tick, self.starts)]

    def quantise(self, tick: float, unit: int | None = None) -> int:
        """Return the nearest position on the grid of its quarter, or on a coarser unit."""
        start, unit = self.starts[_beat(tick, self.starts)], unit or self.at(tick)
        return start + unit * round((tick - start) / unit)

    def written_end(self, start: int, end: float, following: int) -> int:
        """Return where a note ends in notation: at the next note rather than after a short rest.

        Args:
            start: onset, in ticks.
            end: where its sound ends.
            following: onset of the next note of the voice, or the end of the last bar.
        Example:
            >>> grids = BeatGrids.choose([0, 24], range(0, 96, 24))
            >>> [grids.written_end(0, end, following) for end, following in ((20, 24), (11, 96), (500, 48))]
            [24, 12, 48]
        """
        gap, length = following - end, end - start
        if gap < QUARTER / 2 or (gap < QUARTER and length >= 0.6 * (following - start)):
            return following
        beat_start = self.starts[_beat(start, self.starts)]
        if self.at(end) % 3:  # triplets
            unit = 8
        elif start == beat_start and length > 3 * QUARTER / 4:
            unit = QUARTER
        else:
            unit = QUARTER // 4 if (start - beat_start) % (QUARTER // 2) else QUARTER // 2
        first = beat_start + unit * ((start - beat_start) // unit + 1)
        return min(max(self.quantise(end, unit), first), following)


def _beat(tick: float, starts: Sequence[int]) -> int:
    return max(bisect_right(starts, tick + EXACT_TICKS) - 1, 0)


def _best_grid(offsets: Sequence[float]) -> int:
    """Return the grid for the onsets of one quarter, relative to its start."""
    errors = {grid: [abs(each - grid * round(each / grid)) for each in offsets] for grid, _ in GRIDS}
    exact = (grid for grid, _ in GRIDS if max(errors[grid], default=0) <= EXACT_TICKS)
    best = min(GRIDS, key=lambda grid: sum(error**2 + grid[1] for error in errors[grid[0]]))[0]
    return next(exact, best)


def split(
    start: int, end: int, meter: tuple[int, int], edges: Iterable[int], is_rest: bool = False
) -> Iterator[tuple[int, int, bool]]:
    """Split a note or rest within one bar into durations that one symbol can write.

    A note crosses a beat, or the middle of the bar, only if it starts or ends on a position at least as
    strong, or is a plain syncopation. A rest, and the dotted beats of 6/8, need both. In a beat with a
    triplet, symbols end with the beat.

    Args:
        start, end: in ticks from the bar line.
        meter: numerator and denominator.
        edges: all onsets and ends of the voice in this bar, which tell the beats with a triplet.
        is_rest: whether the span is a rest.
    Yields:
        start, end and whether the symbol belongs to a triplet.
    Example:
        >>> list(split(36, 72, (4, 4), []))  # from "2 and" to 4
        [(36, 48, False), (48, 72, False)]
    """
    position = start
    for first, last in triplet_spans(edges):
        if first < end and last > start:
            if position < first:
                yield from ((*span, False) for span in _split_plain(position, first, meter, is_rest))
                position = first
            stop = min(end, last)
            while position < stop:
                reach = stop
                if reach - position not in TRIPLET_TICKS:
                    reach = position + (8 if position % 8 == 0 and reach - position > 8 else 4)
                yield position, reach, True
                position = reach
    if position < end:
        yield from ((*span, False) for span in _split_plain(position, end, meter, is_rest))


def triplet_spans(edges: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield start and end of the triplets that the onsets and ends of a voice need: an eighth or a quarter.

    Example:
        >>> list(triplet_spans([0, 8, 16, 24, 36, 40, 44, 48, 54]))
        [(0, 24), (36, 48)]
    """
    by_beat: dict[int, set[int]] = {}
    for edge in edges:
        by_beat.setdefault(edge // QUARTER, set()).add(edge % QUARTER)
    for beat, offsets in sorted(by_beat.items()):
        start, half = beat * QUARTER, QUARTER // 2
        uneven = [offset for offset in offsets if offset % 3]
        if uneven and half in offsets:
            for first in (0, half):
                if any(first < offset < first + half for offset in uneven):
                    yield start + first, start + first + half
        elif uneven:
            yield start, start + QUARTER


def _split_plain(start: int, end: int, meter: tuple[int, int], is_rest: bool) -> Iterator[tuple[int, int]]:
    """Split a span into plain durations, at the strongest boundary that it must not cross."""
    if start >= end:
        return
    boundary = _boundary(start, end, meter, is_rest)
    if boundary is None and (end - start in PLAIN_TICKS or end - start < PLAIN_TICKS[0]):
        yield start, end
        return
    if boundary is None:
        # Two symbols are needed: the longer one stands where the metre is stronger.
        longest = max(ticks for ticks in (1, 2, *PLAIN_TICKS) if ticks < end - start)
        first_is_longer = _level(start, meter) <= _level(end, meter)
        boundary = start + longest if first_is_longer else end - longest
    yield from _split_plain(start, boundary, meter, is_rest)
    yield from _split_plain(boundary, end, meter, is_rest)


def _is_compound(meter: tuple[int, int]) -> bool:
    """Whether the beats are dotted, as in 6/8."""
    return meter[0] % 3 == 0 and meter[0] > 3 and meter[1] >= 8


def _periods(meter: tuple[int, int]) -> list[int]:
    """Return the periods of the metrical levels from the bar down, in ticks."""
    numerator, denominator = meter
    unit = 4 * QUARTER // denominator
    group = 3 if _is_compound(meter) else 1
    half = [numerator * unit // 2] if numerator % 2 == 0 and numerator > 2 * group else []
    periods = [numerator * unit, *half, *([group * unit] if group > 1 else []), unit]
    while periods[-1] % 2 == 0:
        periods.append(periods[-1] // 2)
    return periods


def _level(tick: int, meter: tuple[int, int]) -> int:
    """Return the metrical level of a position: 0 for the bar line, and more the weaker it is."""
    periods = _periods(meter)
    return next((index for index, period in enumerate(periods) if tick % period == 0), len(periods))


def _boundary(start: int, end: int, meter: tuple[int, int], is_rest: bool) -> int | None:
    """Return the strongest position within a span that one symbol must not cross, if any."""
    periods, levels = _periods(meter), (_level(start, meter), _level(end, meter))
    for level, period in enumerate(periods):
        inside = (start // period + 1) * period
        if inside >= end:
            continue
        if is_rest or (_is_compound(meter) and period > 4 * QUARTER // meter[1]):
            return None if max(levels) <= level else inside
        is_syncopation = levels[0] == level + 1 and end - start == 2 * periods[level + 1]
        return None if min(levels) <= level or is_syncopation else inside
    return None
