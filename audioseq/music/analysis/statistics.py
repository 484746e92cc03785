"""Statistics of pieces of music, and their comparison with reference pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from audioseq.music.representation.grid import GridNote, Piece
from audioseq.music.representation.vocabulary import DRUMS, PITCHES, TICKS_PER_QUARTER

SIXTEENTH = TICKS_PER_QUARTER // 4
_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_HARMONIC_MINOR = (0, 2, 3, 5, 7, 8, 11)
_STEPS = [np.isin(np.arange(12), steps) for steps in (_MAJOR, _HARMONIC_MINOR)]
_SCALES = np.array([np.roll(steps, tonic) for steps in _STEPS for tonic in range(12)])
"""Masks of the pitch classes of the 24 scales `[24, 12]`."""


@dataclass(frozen=True)
class Statistics:
    """Statistics of one piece; drums count in rhythm and density, not in pitch."""

    pitch_class_entropy: float
    """Nats; ln 12 = 2.48 if all twelve are equally frequent."""
    pitch_range: float
    """Semitones from the lowest note to the highest."""
    scale_consistency: float
    """Share of the notes in the best-fitting major or harmonic minor scale."""
    polyphony: float
    """Mean number of simultaneous notes, over the time in which any note sounds."""
    notes_per_second: float
    notes_per_bar: float
    groove_consistency: float
    """Similarity of the onsets of neighbouring bars: the share of sixteenths on which they agree."""
    repetition: float
    """Share of the bars with notes that repeat an earlier bar: the same pitches on the same sixteenths."""
    self_similarity: float
    """Similarity of a bar to the most similar earlier bar: intersection over union, mean over the bars."""
    similarity_4: float
    """Similarity to the bar 4 bars before: intersection over union, mean over the bars with notes."""
    similarity_8: float
    """Similarity to the bar 8 bars before."""
    similarity_16: float
    """Similarity to the bar 16 bars before."""
    note_length: float
    """Median length of a note, quarters."""
    note_length_spread: float
    """Standard deviation of the binary logarithms of the lengths."""
    velocities: float
    """Number of different velocities."""
    velocity_spread: float
    """Standard deviation of the velocities."""
    longest_copy: int | None = None
    """Notes in the longest run that is also in the training data; None if not searched."""


class Row(NamedTuple):
    """One statistic: 25th, 50th and 75th percentile of the pieces and of the reference pieces."""

    name: str
    pieces: tuple[float, float, float]
    reference: tuple[float, float, float]

    @property
    def within_range(self) -> bool:
        """Whether the median of the pieces is between the 25th and 75th percentile of the reference."""
        low, _, high = self.reference
        return low <= self.pieces[1] <= high


def describe(piece: Piece) -> Statistics:
    """Compute the statistics of a piece.

    Example:
        >>> scale = tuple(GridNote(24 * n, 0, -pitch, 24, 80) for n, pitch in enumerate((60, 62, 64, 65)))
        >>> found = describe(Piece(scale, meters=(0,), programs=(0,), bpm=120.0))
        >>> found.pitch_range, found.scale_consistency, found.polyphony, found.notes_per_second
        (5.0, 1.0, 1.0, 2.0)
    """
    pitches = np.array([note.pitch for note in piece.pitched], dtype=np.int64)
    classes = np.bincount(pitches % 12, minlength=12)
    shares = classes[classes > 0] / max(len(pitches), 1)
    bars = _bars(piece)
    lengths = np.array([note.duration for note in piece.notes]) / TICKS_PER_QUARTER
    velocities = [note.velocity for note in piece.notes]
    return Statistics(
        pitch_class_entropy=float(-(shares * np.log(shares)).sum()) + 0.0,
        pitch_range=float(np.ptp(pitches)) if len(pitches) else 0.0,
        scale_consistency=float((_SCALES @ classes).max() / max(len(pitches), 1)),
        polyphony=_polyphony(piece.pitched),
        notes_per_second=len(piece.notes) / (piece.starts[-1] / TICKS_PER_QUARTER * 60 / piece.bpm),
        notes_per_bar=len(piece.notes) / len(piece.meters),
        groove_consistency=_groove(piece, bars),
        repetition=_repetition(bars),
        self_similarity=_self_similarity(bars),
        similarity_4=_similarity(bars, 4),
        similarity_8=_similarity(bars, 8),
        similarity_16=_similarity(bars, 16),
        note_length=float(np.median(lengths)) if len(lengths) else 0.0,
        note_length_spread=float(np.log2(lengths).std()) if len(lengths) else 0.0,
        velocities=float(len(set(velocities))),
        velocity_spread=float(np.std(velocities)) if velocities else 0.0,
    )


def compare(pieces: Sequence[Statistics], reference: Sequence[Statistics]) -> list[Row]:
    """Compare each statistic that both the pieces and the reference pieces have."""
    groups = [[asdict(statistics) for statistics in group] for group in (pieces, reference)]
    rows = []
    for name in groups[0][0]:
        own, others = ([each[name] for each in group if each[name] is not None] for group in groups)
        if own and others:
            rows.append(Row(name, _percentiles(own), _percentiles(others)))
    return rows


def table(rows: Sequence[Row]) -> str:
    """Return a readable table."""
    lines = [f"{'':22s}{'pieces':>18s}{'reference':>27s}"]
    lines.append(f"{'':22s}" + f"{'25 %':>9s}{'median':>9s}{'75 %':>9s}" * 2)
    for row in rows:
        figures = "".join(f"{value:9.2f}" for value in (*row.pieces, *row.reference))
        lines.append(f"{label(row.name):22s}{figures}{'' if row.within_range else '   median outside'}")
    return "\n".join(lines)


def label(name: str) -> str:
    """Return a readable name of a statistic."""
    return name.replace("pitch_class", "pitch-class").replace("_", " ")


def _percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    low, middle, high = np.percentile(values, (25, 50, 75)).tolist()
    return low, middle, high


def _bars(piece: Piece) -> list[frozenset[tuple[int, int]]]:
    """Return the notes of each bar as pairs: onset in sixteenths from the start of the bar, and pitch."""
    starts = piece.starts
    onsets = SIXTEENTH * np.rint([note.onset / SIXTEENTH for note in piece.notes])
    bars: list[set[tuple[int, int]]] = [set() for _ in piece.meters]
    indices = np.searchsorted(starts, onsets, side="right") - 1
    for note, onset, index in zip(piece.notes, onsets.tolist(), indices.tolist(), strict=True):
        bar = min(index, len(bars) - 1)
        pitch = note.pitch + PITCHES * (piece.programs[note.track] == DRUMS)
        bars[bar].add((round((onset - starts[bar]) / SIXTEENTH), pitch))
    return [frozenset(bar) for bar in bars]


def _polyphony(notes: Sequence[GridNote]) -> float:
    sounding = reached = 0
    for note in sorted(notes):
        sounding += max(note.end - max(note.onset, reached), 0)
        reached = max(reached, note.end)
    return sum(note.duration for note in notes) / sounding if sounding else 0.0


def _groove(piece: Piece, bars: Sequence[frozenset[tuple[int, int]]]) -> float:
    """Compare neighbouring bars of equal length that both have notes, as in MusPy (Dong et al. 2020)."""
    lengths = np.diff(piece.starts) // SIXTEENTH
    rhythms = [({position for position, _ in bar}, length) for bar, length in zip(bars, lengths, strict=True)]
    similarities = [
        1 - len(one ^ other) / length
        for (one, length), (other, next_length) in pairwise(rhythms)
        if one and other and length == next_length
    ]
    return float(np.mean(similarities)) if similarities else 0.0


def _repetition(bars: Sequence[frozenset[tuple[int, int]]]) -> float:
    filled = [bar for bar in bars if bar]
    return 1 - len(set(filled)) / len(filled) if filled else 0.0


def _similarity(bars: Sequence[frozenset[tuple[int, int]]], lag: int) -> float:
    pairs = [(bar, earlier) for bar, earlier in zip(bars[lag:], bars, strict=False) if bar and earlier]
    return float(np.mean([len(bar & earlier) / len(bar | earlier) for bar, earlier in pairs] or [0.0]))


def _self_similarity(bars: Sequence[frozenset[tuple[int, int]]]) -> float:
    filled = [sorted(bar) for bar in bars if bar]
    if len(filled) < 2:
        return 0.0
    events = {event: index for index, event in enumerate(sorted({event for bar in filled for event in bar}))}
    columns = [events[event] for bar in filled for event in bar]
    sizes = np.array([len(bar) for bar in filled])
    bounds = np.concatenate(([0], np.cumsum(sizes)))
    contains = csr_array((np.ones(len(columns)), columns, bounds), shape=(len(filled), len(events)))
    common = (contains @ contains.T).toarray()
    similarity = np.tril(common / (sizes[:, None] + sizes[None, :] - common), -1)
    return float(similarity[1:].max(axis=1).mean())
