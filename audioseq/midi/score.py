"""Score: the notes, tempos and time signatures of a piece of music."""

from __future__ import annotations

import io
import math
import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from audioseq.errors import MidiError
from audioseq.files import write_bytes
from audioseq.midi.notes import Note, TempoMap
from audioseq.midi.pedal import PedalChange, sustain
from audioseq.midi.read import extract_score, parse_file
from audioseq.midi.write import TICKS_PER_BEAT, to_midi

MAX_BARS = 100_000
"""Maximum number of bars; a score with more has wrong time signatures or tempos."""


@dataclass(frozen=True)
class Score:
    """Piece of music; notes are sorted by onset, track and pitch.

    Example:
        >>> score = Score((Note(60, 80, onset=0.0, duration=0.5), Note(64, 80, onset=1.0, duration=2.0)))
        >>> score.end, score.beats(score.end), score.bars().tolist()
        (3.0, 6.0, [0.0, 2.0, 4.0])
    """

    notes: tuple[Note, ...]
    tempos: tuple[tuple[float, float], ...] = ((0.0, 120.0),)
    """(seconds, quarter notes per minute), in order; the first applies from the start, whatever its time."""
    time_signatures: tuple[tuple[float, int, int], ...] = ((0.0, 4, 4),)
    """(seconds, numerator, denominator), in order; the first applies from the start."""
    keys: tuple[tuple[float, str], ...] = ()
    """(seconds, key signature such as `Eb` or `F#m`), in order."""
    names: tuple[str, ...] = ()
    """Names of the tracks; empty for tracks without a name."""
    text: str = ""
    """Text of the file, such as the origin of the piece."""
    chords: tuple[tuple[float, str], ...] = ()
    """(seconds, chord symbol such as `Am7` or `Bb/D`) where the harmony changes, in order; files have them as
    markers, and are read with `markers` in place of chords."""
    markers: tuple[tuple[float, str], ...] = ()
    """(seconds, text) of markers, and of texts after the beginning, in order."""
    pedals: tuple[PedalChange, ...] = ()
    """(seconds, track, whether it goes down) of the sustain pedal, in order; controller 64 of a file.
    Durations are those of the keys; see `sustained`."""
    ticks_per_beat: int = TICKS_PER_BEAT
    """Resolution of the file, ticks per quarter note."""
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """What was ignored or corrected when the score was read from a damaged file, one line."""

    def __post_init__(self) -> None:
        ordered = sorted(self.notes, key=lambda note: (note.onset, note.track, note.pitch))
        object.__setattr__(self, "notes", tuple(ordered))

    @property
    def end(self) -> float:
        """End of the last note, seconds; 0 without notes."""
        return max((note.end for note in self.notes), default=0.0)

    def beats(self, seconds: Any) -> Any:
        """Return the positions in quarter notes of times in seconds; a number or an array."""
        return self._tempo_map.position(seconds)

    def seconds(self, beats: Any) -> Any:
        """Return the times in seconds of positions in quarter notes; the inverse of `beats`."""
        return self._tempo_map.seconds(beats)

    @property
    def pickup(self) -> float:
        """Length of an incomplete bar at the beginning, quarter notes; 0 if there is none.

        It has a time signature of its own, or ends early at one, and is shorter than the bars that follow.
        """
        if len(self.time_signatures) < 2:
            return 0.0
        (_, *first), (start, *second) = self.time_signatures[:2]
        length, full = (4 * numerator / denominator for numerator, denominator in (first, second))
        end = self.beats(start)
        return end if 0 < end <= length + 1e-6 and end < full - 1e-6 else 0.0

    def bars(self) -> np.ndarray:
        """Return the times of the bar lines, seconds `[bars + 1]`: from 0 to the first at or after the end.

        A bar ends early at a change of time signature.

        Raises:
            MidiError: there are more than 100 000 bars.
        """
        signatures = self.time_signatures or ((0.0, 4, 4),)
        end = self.beats(self.end)
        changes = [0.0, *(self.beats(start) for start, _, _ in signatures[1:]), math.inf]
        lines: list[float] = []
        last = end  # of the last bar, in the signature that it has
        for (_, numerator, denominator), (start, stop) in zip(signatures, pairwise(changes), strict=True):
            length = 4 * numerator / denominator
            count = math.ceil((min(stop, end) - start) / length - 1e-6)
            if len(lines) + count > MAX_BARS:
                raise MidiError(f"has more than {MAX_BARS} bars; correct the time signatures and the tempos")
            if count > 0:
                lines += [start + length * index for index in range(count)]
                last = min(lines[-1] + length, stop)
        return np.asarray(self.seconds(np.array([*lines, max(last, end)])))

    @cached_property
    def _tempo_map(self) -> TempoMap:
        starts, bpm = np.array(self.tempos or ((0.0, 120.0),), dtype=np.float64).T
        starts[0] = 0.0
        return TempoMap(starts, np.cumsum([0.0, *np.diff(starts) * bpm[:-1] / 60]), bpm / 60)

    def sustained(self) -> Score:
        """Return the score without pedals, in which notes last as long as they sound."""
        if not self.pedals:
            return self
        return replace(self, notes=tuple(sustain(self.notes, self.pedals)), pedals=())

    @classmethod
    def load(cls, source: str | os.PathLike[str] | bytes, *, pedal: bool = True) -> Score:
        """Read a Standard MIDI File of type 0 or 1, or of type 2 with one track; also within RIFF (.rmi).

        Each combination of file track, channel and program becomes a track of the score. The sustain pedal
        extends notes until it is lifted or the same pitch is played again. Of notes of one track in unison
        the longest is kept. Of a damaged or truncated file, the valid events are read, and `warnings` tells
        what was wrong; see `repair`.

        Args:
            source: path or content of a file.
            pedal: whether the sustain pedal extends notes; if not, they end when their keys are released,
                and `pedals` has the changes of the pedal.
        Raises:
            MidiError: the file is missing, not MIDI, without tracks or notes, longer than 4 hours, larger
                than 8 MiB, or has more than 100 000 bars.
        """
        file, where, warnings = parse_file(source)
        try:
            score = cls(**extract_score(file, pedal), warnings=warnings)
            score.bars()
        except MidiError as error:
            hint = " (it is damaged or truncated)" if warnings else ""
            raise MidiError(f"{where}: {error}{hint}") from None
        return score

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a Standard MIDI File of type 1 atomically; equal scores give equal files.

        Raises:
            MidiError: a note is out of range.
            FileError: the file cannot be written; an existing file is left unchanged.
        """
        write_bytes(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the content of the file that `save` writes; times are rounded to ticks.

        Raises:
            MidiError: a note is out of range.
        """
        buffer = io.BytesIO()
        to_midi(self).save(file=buffer)
        return buffer.getvalue()

    def to_musicxml(self, path: str | os.PathLike[str], *, title: str = "") -> None:
        """Write sheet music in MusicXML, which notation programs open; needs `audioseq[notation]`.

        Args:
            path: of the file.
            title: of the piece; the name of the file if not given.
        Raises:
            AudioseqError: music21 is not installed.
            MidiError: the score has no notes.
            FileError: the file cannot be written; an existing file is left unchanged.
        """
        from audioseq.midi.notation.musicxml import to_musicxml
        from audioseq.midi.notation.sheet import to_sheet

        write_bytes(path, to_musicxml(to_sheet(self), title or Path(path).stem))

    def to_abc(self, path: str | os.PathLike[str], *, title: str = "") -> None:
        """Write the melody in ABC notation.

        Args:
            path: of the file.
            title: of the tune; the name of the file if not given.
        Raises:
            MidiError: the score has no notes.
            FileError: the file cannot be written; an existing file is left unchanged.
        """
        from audioseq.midi.notation.abc import to_abc
        from audioseq.midi.notation.sheet import to_sheet

        write_bytes(path, to_abc(to_sheet(self), title or Path(path).stem).encode())
