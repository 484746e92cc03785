"""Corpora of music: their layouts, read into pieces with bar lines, and the manifests of those."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from audioseq.errors import AudioseqError, DataError
from audioseq.files import write_atomically
from audioseq.midi import SUFFIXES, Score
from audioseq.music.representation.grid import GridNote, Piece, to_score
from audioseq.music.representation.vocabulary import METER_TICKS, STYLES, TICKS

SIXTEENTH = TICKS // 4
SPLITS = ("train", "valid", "test")
HELD_OUT = 20
"""One piece in so many is for validation, and one for the test."""
STEADY = 0.75
"""How far the onsets of a performance must agree on a grid of sixteenths, 0 to 1."""
SHORTEST = 40
"""Bars of a movement."""


@dataclass(frozen=True)
class PieceEntry:
    """A piece of music to learn from: where its MIDI file is, and what style it has."""

    id: str
    midi_filepath: Path
    style: str


def read_manifest(path: str | Path) -> list[PieceEntry]:
    """Read a manifest: one JSON object a line, with `midi_filepath` relative to the manifest.

    `id` (else the path) and `style` (else `other`) may be there; other fields are ignored.

    Raises:
        DataError: naming file and line.
    """
    path = Path(path)
    tunes: list[PieceEntry] = []
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise DataError(f"{path}: cannot be read ({reason}); check the path") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            name, style = entry["midi_filepath"], entry.get("style", "other")
            tune = PieceEntry(str(entry.get("id", name)), path.parent / name, style)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DataError(f"{path}:{number}: is no JSON object with midi_filepath; correct it") from None
        if style not in STYLES:
            raise DataError(f"{path}:{number}: style is {style!r}; it must be one of {', '.join(STYLES)}")
        tunes.append(tune)
    return tunes


def save(path: str | Path, tunes: Iterable[PieceEntry]) -> str:
    """Write a manifest, and return one line that tells how many pieces are in it."""
    path, count, lines = Path(path).absolute(), 0, []
    for tune in tunes:
        count += 1
        name = str(tune.midi_filepath.absolute())
        if tune.midi_filepath.absolute().is_relative_to(path.parent):
            name = str(tune.midi_filepath.absolute().relative_to(path.parent))
        lines.append(json.dumps({"midi_filepath": name, "style": tune.style, "id": tune.id}) + "\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write("".join(lines).encode()))
    return f"{path.name}: {count} pieces"


def split_of(name: str) -> str:
    """Return the split of a piece, `train`, `valid` or `test`: by a hash of its name, the same for ever.

    Example:
        >>> from collections import Counter
        >>> sorted(Counter(split_of(f"piece {i}") for i in range(1000)).items())
        [('test', 67), ('train', 882), ('valid', 51)]
    """
    draw = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % HELD_OUT
    return {0: "valid", 1: "test"}.get(draw, "train")


def divide(folder: Path, out: Path) -> tuple[Path, Path]:
    """Write manifests of the MIDI files in a folder, to train on and to validate on, and return their paths.

    A tenth is held out, one at least, by a hash of their names. Manifests that are there already are kept.

    Raises:
        DataError: there are fewer than two files.
    """
    manifests = out / "train.jsonl", out / "valid.jsonl"
    if not all(path.exists() for path in manifests):
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if len(paths) < 2:
            raise DataError(f"{folder}: has {len(paths)} MIDI files (.mid), and 2 are needed; add some")
        tunes = [
            PieceEntry(path.relative_to(folder).with_suffix("").as_posix(), path, "other") for path in paths
        ]
        tunes.sort(key=lambda tune: hashlib.sha256(tune.id.encode()).digest())
        held_out = max(len(tunes) // 10, 1)
        for path, some in zip(manifests, (tunes[held_out:], tunes[:held_out]), strict=True):
            save(path, some)
    return manifests


def lieder(folder: Path) -> Iterator[tuple[str, PieceEntry]]:
    """Yield the songs of OpenScore Lieder, each with its split."""
    for path in _files(folder):
        yield split_of(path.stem), PieceEntry(path.stem, path, "lied")


def quartets(folder: Path, out: Path) -> Iterator[tuple[str, PieceEntry]]:
    """Yield the movements of OpenScore's string quartets, written to `out`; a work is in one split."""
    for path in _files(folder):
        for number, movement in enumerate(movements(Score.load(path)), 1):
            target = _ready(out / f"{path.stem}--{number}.mid")
            movement.save(target)
            yield split_of(path.stem), PieceEntry(target.stem, target, "quartet")


def pop909(folder: Path, out: Path) -> Iterator[tuple[str, PieceEntry]]:
    """Yield the songs of POP909 with bar lines, written to `out`; those without a beat are left out."""
    for path in _files(folder):
        piece = aligned(Score.load(path))
        if piece is not None:
            target = _ready(out / f"pop909-{path.stem}.mid")
            to_score(piece, names=("melody", "bridge", "piano")[-len(piece.programs) :]).save(target)
            yield split_of(f"pop909-{path.stem}"), PieceEntry(target.stem, target, "pop")


def chorales(path: Path, out: Path) -> Iterator[tuple[str, PieceEntry]]:
    """Yield Bach's chorales with their usual split, written to `out`.

    The file holds four voices by sixteenths (`Jsb16thSeparated.json`); a pitch that goes on is one note.
    """
    try:
        splits = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); check the path") from None
    for split, pieces in splits.items():
        for number, rows in enumerate(pieces):
            target = _ready(out / f"chorale-{split}-{number:03d}.mid")
            to_score(chorale(rows), names=("soprano", "alto", "tenor", "bass")).save(target)
            yield split, PieceEntry(target.stem, target, "chorale")


def movements(score: Score) -> list[Score]:
    """Cut a work where the meter or the tempo changes at a bar line that no note sounds across."""
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
        if quiet and bar - cuts[-1] >= SHORTEST and len(lines) - 1 - bar >= SHORTEST:
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


def aligned(score: Score) -> Piece | None:
    """Find the bars of a performance that was recorded to a click, in 4/4; None if its beat is not steady.

    Its onsets lie off the grid of sixteenths by one offset: the direction of the mean of their phases.
    Which sixteenth is the first of a bar is told by where long and low notes begin.
    """
    onsets = 4 * np.asarray(score.beats(np.array([note.onset for note in score.notes])))
    ends = 4 * np.asarray(score.beats(np.array([note.end for note in score.notes])))
    phase = np.exp(2j * np.pi * onsets).mean()
    if abs(phase) < STEADY:
        return None
    offset = float(np.angle(phase)) / (2 * np.pi)
    starts = _snapped(onsets - offset)
    durations = np.maximum(_snapped(ends - offset) - starts, 1)
    tracks = sorted({note.track for note in score.notes})
    pitches = np.array([note.pitch for note in score.notes])
    starts = starts - SIXTEENTH * downbeat(starts, durations, pitches)
    starts = starts - METER_TICKS[0] * (int(starts.min()) // METER_TICKS[0])
    notes = tuple(
        GridNote(int(start), tracks.index(note.track), -note.pitch, int(duration), note.velocity)
        for note, start, duration in zip(score.notes, starts, durations, strict=True)
    )
    bars = int(starts.max()) // METER_TICKS[0] + 1
    return Piece(tuple(sorted(notes)), (0,) * bars, (0,) * len(tracks), round(_median_tempo(score), 2))


def chorale(rows: Sequence[Sequence[int]]) -> Piece:
    """Return the chorale whose voices have these pitches, sixteenth by sixteenth `[T, 4]`; -1 is a rest."""
    notes = []
    for track, pitches in enumerate(zip(*rows, strict=True)):
        cuts = [0, *(i for i in range(1, len(pitches)) if pitches[i] != pitches[i - 1]), len(pitches)]
        notes += [
            GridNote(SIXTEENTH * start, track, -int(pitches[start]), SIXTEENTH * (end - start), 80)
            for start, end in pairwise(cuts)
            if pitches[start] >= 0
        ]
    starts, durations, pitched = (
        np.array([getattr(note, name) for note in notes]) for name in ("onset", "duration", "pitch")
    )
    upbeat = -downbeat(starts, durations, pitched, step=4) % 16 * SIXTEENTH
    bars = (len(rows) * SIXTEENTH + upbeat - 1) // METER_TICKS[0] + 1
    moved = sorted(note._replace(onset=note.onset + upbeat) for note in notes)
    return Piece(tuple(moved), (0,) * bars, (52,) * 4, 76.0)


def downbeat(starts: np.ndarray, durations: np.ndarray, pitches: np.ndarray, step: int = 1) -> int:
    """Return which sixteenth, 0 to 15, is the first of a 4/4 bar.

    Args:
        starts, durations: ticks.
        pitches: 0 to 127.
        step: only each so-many-th sixteenth may be it.
    """
    low = np.clip((66 - pitches) / 12, 0.2, 2)
    weight = np.minimum(durations, METER_TICKS[0]) * low
    at = np.bincount((starts // SIXTEENTH) % 16, weight, minlength=16)
    evidence = [
        at[first] + 0.6 * at[(first + 8) % 16] + 0.3 * (at[(first + 4) % 16] + at[(first + 12) % 16])
        for first in range(0, 16, step)
    ]
    return step * int(np.argmax(evidence))


def _snapped(sixteenths: np.ndarray) -> np.ndarray:
    """Return ticks; what is within a tick of a sixteenth goes there, for it was played there."""
    ticks = np.rint(sixteenths * SIXTEENTH).astype(np.int64)
    nearest = np.rint(sixteenths).astype(np.int64) * SIXTEENTH
    snapped: np.ndarray = np.where(np.abs(ticks - nearest) <= 1, nearest, ticks)
    return snapped


def _median_tempo(score: Score) -> float:
    beats = score.beats(score.end)
    return 60 * beats / score.end if len(score.tempos) > 1 else score.tempos[0][1]


def _files(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*.mid"))
    if not found:
        raise DataError(f"{folder}: has no MIDI files (.mid); check the path")
    return found


def _ready(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AudioseqError(f"cannot make the folder {path.parent}: {error.strerror}") from None
    return path
