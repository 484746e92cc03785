"""Corpora of music: read their layouts, find bar lines where they are missing, and write manifests."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from audioseq.errors import DataError
from audioseq.files import parse_json, read_text, write_bytes, writing
from audioseq.midi import SUFFIXES, Score
from audioseq.music.representation.grid import GridNote, Piece, to_score
from audioseq.music.representation.vocabulary import METER_TICKS, STYLES, TICKS_PER_QUARTER

SIXTEENTH_TICKS = TICKS_PER_QUARTER // 4
SPLITS = ("train", "valid", "test")
HELD_OUT_ONE_IN = 20
"""One piece in this many is in the validation set, and one in the test set."""
MIN_PHASE_COHERENCE = 0.75
"""How well the onsets of a performance must agree on a grid of sixteenths, 0 to 1."""
MIN_MOVEMENT_BARS = 40
"""Length of the shortest movement."""


@dataclass(frozen=True)
class PieceEntry:
    """An entry of a music manifest: a MIDI file and its style."""

    id: str
    midi_filepath: Path
    style: str


def read_manifest(path: str | Path) -> list[PieceEntry]:
    """Read a manifest: one JSON object per line, with `midi_filepath` relative to the manifest.

    `id` (default: the path) and `style` (default: `other`) are optional; other fields are ignored.

    Raises:
        DataError: the file or a line is invalid; the message names the line.
    """
    path = Path(path)
    entries: list[PieceEntry] = []
    for number, line in enumerate(read_text(path, DataError).split("\n"), 1):
        if not line.strip():
            continue
        try:
            fields = parse_json(line)
            name, style = fields["midi_filepath"], fields.get("style", "other")
            entry = PieceEntry(str(fields.get("id", name)), path.parent / name, style)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DataError(f"{path}:{number}: is not a JSON object with midi_filepath; correct it") from None
        if style not in STYLES:
            raise DataError(f"{path}:{number}: style is {style!r}; give one of {', '.join(STYLES)}")
        entries.append(entry)
    return entries


def write_manifest(path: str | Path, entries: Iterable[PieceEntry]) -> str:
    """Write a manifest, and return a line with its name and number of pieces."""
    path, lines = Path(path).absolute(), []
    for entry in entries:
        file = entry.midi_filepath.absolute()
        name = file.relative_to(path.parent) if file.is_relative_to(path.parent) else file
        lines.append(json.dumps({"midi_filepath": str(name), "style": entry.style, "id": entry.id}) + "\n")
    write_bytes(path, "".join(lines).encode(), make_folder=True)
    return f"{path.name}: {len(lines)} pieces"


def split_of(name: str) -> str:
    """Return the split of a piece, `train`, `valid` or `test`, from a hash of its name.

    Example:
        >>> from collections import Counter
        >>> sorted(Counter(split_of(f"piece {i}") for i in range(1000)).items())
        [('test', 67), ('train', 882), ('valid', 51)]
    """
    draw = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % HELD_OUT_ONE_IN
    return {0: "valid", 1: "test"}.get(draw, "train")


def split_folder(folder: Path, out: Path) -> tuple[Path, Path]:
    """Write a training and a validation manifest of the MIDI files in a folder, and return their paths.

    A tenth of the files, at least one, is held out, chosen by a hash of their names. Existing manifests are
    kept.

    Raises:
        DataError: the folder has fewer than two files.
    """
    manifests = out / "train.jsonl", out / "valid.jsonl"
    if not all(path.exists() for path in manifests):
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if len(paths) < 2:
            raise DataError(f"{folder}: has {len(paths)} MIDI files (.mid); add some, at least 2 are needed")
        names = [path.relative_to(folder).with_suffix("").as_posix() for path in paths]
        entries = [PieceEntry(name, path, "other") for name, path in zip(names, paths, strict=True)]
        entries.sort(key=lambda entry: hashlib.sha256(os.fsencode(entry.id)).digest())
        held_out = max(len(entries) // 10, 1)
        for path, some in zip(manifests, (entries[held_out:], entries[:held_out]), strict=True):
            write_manifest(path, some)
    return manifests


def lieder(folder: Path) -> Iterator[tuple[str, PieceEntry]]:
    """Yield the split and the entry of each song of OpenScore Lieder."""
    for path in _midi_files(folder):
        yield split_of(path.stem), PieceEntry(path.stem, path, "lied")


def quartets(folder: Path, out: Path) -> Iterator[tuple[str, PieceEntry]]:
    """Write the movements of OpenScore's string quartets to `out`, and yield the split and entry of each.

    All movements of a work are in the same split.
    """
    for path in _midi_files(folder):
        for number, movement in enumerate(split_movements(Score.load(path)), 1):
            yield split_of(path.stem), _save(movement, out / f"{path.stem}--{number}.mid", "quartet")


def pop909(folder: Path, out: Path) -> Iterator[tuple[str, PieceEntry]]:
    """Write the songs of POP909 with bar lines to `out`, and yield the split and entry of each.

    Songs without a steady beat are skipped.
    """
    for path in _midi_files(folder):
        piece = align_to_bars(Score.load(path))
        if piece is not None:
            score = to_score(piece, names=("melody", "bridge", "piano")[-len(piece.programs) :])
            entry = _save(score, out / f"pop909-{path.stem}.mid", "pop")
            yield split_of(entry.id), entry


def chorales(path: Path, out: Path) -> Iterator[tuple[str, PieceEntry]]:
    """Write Bach's chorales to `out`, and yield the standard split and the entry of each.

    The file has the pitches of four voices for each sixteenth (`Jsb16thSeparated.json`). Equal consecutive
    pitches of a voice become one note.
    """
    try:
        splits = json.loads(read_text(path, DataError))
    except ValueError as error:
        raise DataError(f"{path}: is not JSON ({error}); download it again") from None
    for split, pieces in splits.items():
        for number, rows in enumerate(pieces):
            score = to_score(build_chorale(rows), names=("soprano", "alto", "tenor", "bass"))
            yield split, _save(score, out / f"chorale-{split}-{number:03d}.mid", "chorale")


def split_movements(score: Score) -> list[Score]:
    """Split a work where the meter or the tempo changes at a bar line that no note crosses."""
    lines = score.bars()
    ends = np.maximum.accumulate(np.array([note.end for note in score.notes]))
    onsets = np.array([note.onset for note in score.notes])
    changes = [seconds for (_, *a), (seconds, *b) in pairwise(score.time_signatures) if a != b]
    changes += [seconds for (_, a), (seconds, b) in pairwise(score.tempos) if max(a, b) > 1.15 * min(a, b)]
    cuts = [0]
    for seconds in sorted(changes):
        bar = int(np.argmin(np.abs(lines - seconds)))
        first = int(np.searchsorted(onsets, lines[bar] - 1e-3))
        quiet = 0 < first < len(onsets) and ends[first - 1] <= lines[bar] + 1e-3
        if quiet and bar - cuts[-1] >= MIN_MOVEMENT_BARS and len(lines) - 1 - bar >= MIN_MOVEMENT_BARS:
            cuts.append(bar)
    return [_excerpt(score, lines[start], lines[end]) for start, end in pairwise([*cuts, len(lines) - 1])]


def _excerpt(score: Score, start: float, end: float) -> Score:
    def sliced(changes: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
        before = [change for change in changes if change[0] <= start + 1e-3][-1:]
        within = [change for change in changes if start + 1e-3 < change[0] < end - 1e-3]
        return tuple((max(seconds - start, 0.0), *rest) for seconds, *rest in [*before, *within])

    return replace(
        score,
        notes=tuple(
            replace(note, onset=max(note.onset - start, 0.0))
            for note in score.notes
            if start - 1e-3 <= note.onset < end - 1e-3
        ),
        tempos=sliced(score.tempos),
        time_signatures=sliced(score.time_signatures),
        keys=sliced(score.keys),
    )


def align_to_bars(score: Score) -> Piece | None:
    """Find the bars of a performance in 4/4 that was recorded to a click; None if its beat is not steady.

    All onsets have the same offset from the grid of sixteenths: the angle of the mean of their phases. The
    downbeat is where long and low notes start; see `find_downbeat`.
    """
    times = np.array([(note.onset, note.end) for note in score.notes]).T
    onsets, ends = 4 * np.asarray(score.beats(times))
    phase = np.exp(2j * np.pi * onsets).mean()
    if abs(phase) < MIN_PHASE_COHERENCE:
        return None
    offset = float(np.angle(phase)) / (2 * np.pi)
    starts = _snap(onsets - offset)
    durations = np.maximum(_snap(ends - offset) - starts, 1)
    tracks = sorted({note.track for note in score.notes})
    pitches = np.array([note.pitch for note in score.notes])
    starts = starts - SIXTEENTH_TICKS * find_downbeat(starts, durations, pitches)
    starts = starts - METER_TICKS[0] * (int(starts.min()) // METER_TICKS[0])
    notes = tuple(
        GridNote(int(start), tracks.index(note.track), -note.pitch, int(duration), note.velocity)
        for note, start, duration in zip(score.notes, starts, durations, strict=True)
    )
    bars = int(starts.max()) // METER_TICKS[0] + 1
    mean_bpm = 60 * score.beats(score.end) / score.end if len(score.tempos) > 1 else score.tempos[0][1]
    return Piece(tuple(sorted(notes)), (0,) * bars, (0,) * len(tracks), round(mean_bpm, 2))


def build_chorale(rows: Sequence[Sequence[int]]) -> Piece:
    """Return the chorale with these pitches of the voices in each sixteenth `[T, 4]`; -1 is a rest."""
    notes = []
    for track, pitches in enumerate(zip(*rows, strict=True)):
        cuts = [0, *(i for i in range(1, len(pitches)) if pitches[i] != pitches[i - 1]), len(pitches)]
        notes += [
            GridNote(start * SIXTEENTH_TICKS, track, -int(pitch), (end - start) * SIXTEENTH_TICKS, 80)
            for start, end in pairwise(cuts)
            if (pitch := pitches[start]) >= 0
        ]
    onsets, _, negative_pitches, durations, _ = np.array(notes).T
    upbeat = -find_downbeat(onsets, durations, -negative_pitches, step=4) % 16 * SIXTEENTH_TICKS
    bars = (len(rows) * SIXTEENTH_TICKS + upbeat - 1) // METER_TICKS[0] + 1
    moved = sorted(note._replace(onset=note.onset + upbeat) for note in notes)
    return Piece(tuple(moved), (0,) * bars, (52,) * 4, 76.0)


def find_downbeat(starts: np.ndarray, durations: np.ndarray, pitches: np.ndarray, step: int = 1) -> int:
    """Estimate which sixteenth, 0 to 15, is the first of a 4/4 bar, from where long and low notes start.

    Args:
        starts, durations: in ticks.
        pitches: 0 to 127.
        step: distance of the candidates, in sixteenths.
    """
    weight = np.minimum(durations, METER_TICKS[0]) * np.clip((66 - pitches) / 12, 0.2, 2)
    beat = np.bincount((starts // SIXTEENTH_TICKS) % 16, weight, minlength=16)
    evidence = [
        # A bar is stressed on beat 1, less on beat 3, and least on beats 2 and 4.
        beat[first] + 0.6 * beat[(first + 8) % 16] + 0.3 * (beat[(first + 4) % 16] + beat[(first + 12) % 16])
        for first in range(0, 16, step)
    ]
    return step * int(np.argmax(evidence))


def _snap(sixteenths: np.ndarray) -> np.ndarray:
    """Convert to ticks; an onset within a tick of a sixteenth is moved to the sixteenth."""
    ticks = np.rint(sixteenths * SIXTEENTH_TICKS).astype(np.int64)
    nearest = np.rint(sixteenths).astype(np.int64) * SIXTEENTH_TICKS
    return np.asarray(np.where(np.abs(ticks - nearest) <= 1, nearest, ticks))


def _midi_files(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*.mid"))
    if not found:
        raise DataError(f"{folder}: has no MIDI files (.mid); check the path")
    return found


def _save(score: Score, path: Path, style: str) -> PieceEntry:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    score.save(path)
    return PieceEntry(path.stem, path, style)
