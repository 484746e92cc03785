"""Plots of music: a piano roll, and a comparison of statistics."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audioseq.errors import ConfigError
from audioseq.files import write_bytes
from audioseq.midi import Note, Score
from audioseq.music.analysis.statistics import Row, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#3b6fb6", "#d1603d", "#4f9d69", "#9b5fb3", "#c9a227", "#3aa6a6", "#c44e7b", "#7a7a7a")
"""Colours of the tracks in order, repeated for more tracks."""
INK, PALE, BACKGROUND = "#2b2b33", "#e3e1dc", "#fcfbf8"
SUFFIXES = (".png", ".svg", ".pdf")
MAX_WIDTH_INCHES = 48
"""Maximum width of a piano roll; the time scale of longer pieces is compressed."""
SECONDS_PER_INCH = 5.0


def piano_roll(score: Score, path: str | os.PathLike[str], title: str = "") -> None:
    """Draw the notes of a score over time, with a colour for each track; soft notes are pale.

    Args:
        score: the music.
        path: output file, .png, .svg or .pdf.
        title: title of the plot; the name of the file if empty.
    Raises:
        ConfigError: the suffix is not supported.
        FileError: the file cannot be written.
    """
    check(path)
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    bars = score.bars()
    end = max(float(bars[-1]), 1.0)
    pitches = [note.pitch for note in score.notes] or [60]
    low, high = min(pitches) - 2, max(pitches) + 3
    width = float(np.clip(end / SECONDS_PER_INCH, 8, MAX_WIDTH_INCHES))
    figure = Figure(figsize=(width, max(2.6, 0.065 * (high - low) + 1.3)), facecolor=BACKGROUND)
    axes = figure.add_subplot(facecolor=BACKGROUND)
    axes.set_axisbelow(True)
    for pitch in range(low, high):
        if pitch % 12 in (1, 3, 6, 8, 10):
            axes.axhspan(pitch - 0.5, pitch + 0.5, color="#f3f1ec", linewidth=0)
    _draw_bars(axes, bars)
    legend = []
    for number, track in enumerate(sorted({note.track for note in score.notes})):
        notes = [note for note in score.notes if note.track == track]
        colour = COLOURS[number % len(COLOURS)]
        boxes = PolyCollection(
            [_box(note) for note in notes],
            facecolors=[(colour, 0.25 + 0.75 * note.velocity / 127) for note in notes],
            edgecolors=colour,
            linewidths=0.4,
            zorder=2 - 0.01 * number,  # the first track, often the melody, is on top
        )
        axes.add_collection(boxes)
        legend.append(Patch(facecolor=colour, label=_name(score, track, notes[0])))
    axes.set_xlim(0, end)
    axes.set_ylim(low, high)
    octaves = [pitch for pitch in range(low, high) if pitch % 12 == 0]
    axes.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves])
    axes.set_xlabel("seconds")
    if len(legend) > 1:
        axes.legend(
            handles=legend, loc="lower right", bbox_to_anchor=(1, 1.0), ncols=min(len(legend), 6),
            frameon=False, fontsize=9, handlelength=1, handleheight=0.8, labelcolor=INK, borderaxespad=0.2,
        )  # fmt: skip
    axes.set_title(title or Path(path).stem, loc="left", color=INK, fontsize=12, pad=8)
    _finish(axes)
    _save(figure, path)


def compare(rows: Sequence[Row], path: str | os.PathLike[str], title: str = "") -> None:
    """Draw the statistics of pieces (coloured) above those of reference pieces (grey).

    Each statistic has its own scale. A bar shows the range from the 25th to the 75th percentile, a dot the
    median. A statistic is orange if its median is outside this range of the reference.

    Raises:
        ConfigError: there are no statistics, or the suffix is not .png, .svg or .pdf.
        FileError: the file cannot be written.
    """
    check(path)
    if not rows:
        raise ConfigError(f"{path}: no statistics to draw; give some pieces")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.78 * len(rows) + 0.6), facecolor=BACKGROUND)
    panels = figure.subplots(len(rows), 1, squeeze=False, gridspec_kw={"hspace": 0.75})[:, 0]
    for axes, row in zip(panels, rows, strict=True):
        colour = COLOURS[0] if row.within_range else COLOURS[1]
        for (start, middle, end), y, shade in ((row.reference, 0, "#b5b2aa"), (row.pieces, 1, colour)):
            axes.plot([start, end], [y, y], color=shade, linewidth=7, solid_capstyle="butt", alpha=0.55)
            axes.plot([middle], [y], "o", color=shade, markersize=7, markeredgecolor=BACKGROUND)
        axes.axvspan(row.reference[0], row.reference[2], color=PALE, alpha=0.6, linewidth=0, zorder=0)
        values = np.array([*row.pieces, *row.reference])
        margin = 0.15 * max(float(np.ptp(values)), 1e-3)
        axes.set_xlim(values.min() - margin, values.max() + margin)
        axes.set_ylim(-0.8, 1.8)
        axes.set_yticks([])
        axes.locator_params(axis="x", nbins=6)
        axes.set_ylabel(label(row.name), rotation=0, ha="right", va="center", color=INK)
        axes.set_facecolor(BACKGROUND)
        _finish(axes)
        axes.spines["left"].set_visible(False)
    heading = title or "25th to 75th percentile, and median"
    panels[0].set_title(f"{heading} · pieces above, reference below", loc="left", color=INK, fontsize=11)
    _save(figure, path)


def check(path: str | os.PathLike[str]) -> None:
    """Check the suffix of a plot file before the work starts.

    Raises:
        ConfigError: the suffix is not .png, .svg or .pdf.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path}: cannot draw {suffix or 'without suffix'}; use {', '.join(SUFFIXES)}")


def _draw_bars(axes: Axes, bars: np.ndarray) -> None:
    """Draw bar lines, and number at most about 40 of them."""
    every = next((1 << power for power in range(9) if len(bars) / 2**power <= 40), 512)
    for index, seconds in enumerate(bars.tolist()):
        numbered = index % every == 0
        axes.axvline(seconds, color=PALE, linewidth=1.0 if numbered else 0.4, zorder=0.5)
        if numbered and index < len(bars) - 1:
            axes.annotate(
                str(index + 1), (seconds, 1), xycoords=("data", "axes fraction"), xytext=(2, -2),
                textcoords="offset points", va="top", fontsize=6.5, color="#a09c92",
            )  # fmt: skip


def _box(note: Note) -> list[tuple[float, float]]:
    left, right, bottom, top = note.onset, note.end, note.pitch - 0.42, note.pitch + 0.42
    return [(left, bottom), (left, top), (right, top), (right, bottom)]


def _name(score: Score, track: int, note: Note) -> str:
    named = score.names[track] if track < len(score.names) else ""
    if named:
        return named
    if note.drum:
        return "drums"
    from pretty_midi import program_to_instrument_name

    return str(program_to_instrument_name(note.program)).lower()


def _finish(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(PALE)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.xaxis.label.set(color=INK, size=9)


def _save(figure: Figure, path: str | os.PathLike[str]) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=Path(path).suffix[1:].lower(), dpi=140, bbox_inches="tight")
    write_bytes(path, buffer.getvalue())
