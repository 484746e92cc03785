"""Measure how the pianists of POP909 use the pedal, and how far from the grid they play.

    python recipes/music-lstm/performance.py --from DIR [--learn SONGS] [--pieces 40] [--publish HARDWARE]

DIR is the folder with `pop909/`; `prepare.py` has written the manifests. With `--learn`, the habits of that
many training songs are written to `audioseq/music/composing/performance.json`. Then composed pieces are
compared with held-out songs. With `--publish`, the figures become the entry `performance` of `results.json`.

The pedal is that of the track PIANO, in the songs in which it is changed at least every other bar. The onsets
of most tracks are exactly on the grid: they were quantised. The timing is that of the other tracks.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from audioseq.midi import Score
from audioseq.midi.pedal import spans
from audioseq.music import pipeline
from audioseq.music.analysis import statistics
from audioseq.music.composing import performance as p
from audioseq.music.data.corpora import read_manifest
from audioseq.music.pipeline import CompositionOptions
from audioseq.music.representation.grid import to_grid
from audioseq.recipe import OPTIONS, run_script, write_results

HERE, DATA = Path(__file__).parent, Path("runs/data/music")
HABITS = Path(p.__file__).with_name("performance.json")
QUANTILES = np.linspace(0.02, 0.98, 25)
MIN_CHANGES = 0.5  # changes of the pedal a bar, from which a song uses it
MIN_FREE = 0.8  # share of the onsets off the grid, from which a track was not quantised
MAX_DEVIATION = 0.04  # seconds; larger ones are ornaments and other notes that the grid does not have
ON_GRID = 0.002  # seconds


@dataclass(frozen=True)
class Song:
    """A song: as it was recorded, and on the grid.

    Args:
        recorded: with keys, pedals, and the times of the recording.
        grid: with bar lines, as `prepare.py` writes it.
        shift: quarter notes from a time of the recording to the grid.
    """

    recorded: Score
    grid: Score
    shift: float

    @property
    def piano(self) -> int:
        """The track whose pedal is measured."""
        return max(note.track for note in self.recorded.notes)


def read_songs(folder: Path, split: str, most: int = 10_000) -> list[Song]:
    """Return songs of a split, evenly from its list."""
    songs = []
    entries = [entry for entry in read_manifest(DATA / f"{split}.jsonl") if entry.style == "pop"]
    for entry in entries[:: -(-len(entries) // most)]:
        recorded = Score.load(folder / "pop909" / f"{entry.id.removeprefix('pop909-')}.mid", pedal=False)
        grid = Score.load(entry.midi_filepath)
        onsets = [np.sort(s.beats(np.array([n.onset for n in s.notes]))) for s in (recorded, grid)]
        length = min(map(len, onsets))
        songs.append(Song(recorded, grid, float(np.median(onsets[1][:length] - onsets[0][:length]))))
    return songs


def pedal_of(song: Song) -> list[tuple[float, float]]:
    """Return when the pedal of the piano is down, in quarter notes of the grid."""
    down = spans(song.recorded.pedals, song.recorded.end).get(song.piano, [])
    return [tuple(song.recorded.beats(np.array(each)) + song.shift) for each in down]


def describe_pedal(down: list[tuple[float, float]], bars: int) -> tuple[float, float]:
    """Return the changes of the pedal a bar of 4/4, and the share of the time for which it is down."""
    return len(down) / bars, sum(end - start for start, end in down) / (4 * bars)


def learn_pedal(songs: list[Song]) -> dict[str, Any]:
    """Return how often the pedal is changed at each kind of beat, and the times of lifts and presses."""
    counts = np.zeros((2, p.PLACES, 3, 2, p.MAX_WAIT))
    lifts, presses = [], []
    for song in songs:
        down = pedal_of(song)
        notes = [note for note in song.grid.notes if note.track == song.piano]
        beat_seconds = 60 / song.recorded.tempos[0][1]
        changes = defaultdict(list)
        for (_, lift), (press, _) in pairwise(down):
            changes[round(lift)].append(lift)
            presses.append((press - lift) * beat_seconds)
        foot = p.Foot()
        for beat in p.beats_of(song.grid, notes):
            if not down[0][0] < beat.position < down[-1][1]:
                continue
            cell, changed = foot.reach(beat), round(beat.position) in changes
            counts[(int(changed), *cell)] += 1
            if changed:
                lifts += [(each - beat.position) * beat_seconds for each in changes[round(beat.position)]]
                foot.change(beat)
    mean = counts[1].sum() / counts.sum()
    change = (counts[1] + mean) / (counts.sum(axis=0) + 1)
    return {
        "change": np.round(change, 3).tolist(),
        "lift": np.round(np.quantile(lifts, QUANTILES), 3).tolist(),
        "press": np.round(np.quantile(presses, QUANTILES), 3).tolist(),
    }


def deviations(score: Score) -> dict[int, list[tuple[int, np.ndarray]]]:
    """Return for each track its chords: the sixteenth, and the deviations of the notes from it, seconds."""
    sixteenths = 4 * np.asarray(score.beats(np.array([note.onset for note in score.notes])))
    offset = np.angle(np.exp(2j * np.pi * sixteenths).mean()) / (2 * np.pi)
    nearest = np.rint(sixteenths - offset).astype(int)
    times = (sixteenths - offset - nearest) * 15 / score.tempos[0][1]
    found: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for note, place, seconds in zip(score.notes, nearest.tolist(), times.tolist(), strict=True):
        found[note.track][place].append(seconds)
    return {track: [(k, np.array(v)) for k, v in sorted(chords.items())] for track, chords in found.items()}


def free_tracks(scores: list[Score]) -> tuple[list[list[tuple[int, np.ndarray]]], int]:
    """Return the chords of the tracks that were not quantised, and the number of all tracks."""
    free, count = [], 0
    for score in scores:
        for chords in deviations(score).values():
            every = np.concatenate([each for _, each in chords])
            every = every - np.median(every)
            count += 1
            if np.mean(np.abs(every) > ON_GRID) >= MIN_FREE:
                free.append(chords)
    return free, count


def near(chords: list[tuple[int, np.ndarray]]) -> list[np.ndarray]:
    """Return the deviations of each chord without ornaments, around the median of the track."""
    median = np.median(np.concatenate([each for _, each in chords]))
    kept = [each[np.abs(each - median) < MAX_DEVIATION] - median for _, each in chords]
    return [each for each in kept if len(each)]


def learn_timing(tracks: list[list[tuple[int, np.ndarray]]]) -> dict[str, Any]:
    """Return the quantiles of the deviations, and the correlations of their normal scores.

    A correlation is that of normal variables with the same median difference: outliers do not count, and
    chords have the median spread of the songs.
    """
    kept = [near(chords) for chords in tracks]
    every = np.sort(np.concatenate([each for chords in kept for each in chords]))
    inverse = NormalDist().inv_cdf

    def scores(values: np.ndarray) -> np.ndarray:
        shares = (np.searchsorted(every, values) + 0.5) / (len(every) + 1)
        return np.array([inverse(share) for share in shares])

    pairs, neighbours = [], []
    for chords in kept:
        normal = [scores(each) for each in chords]
        pairs += [(a, b) for each in normal for i, a in enumerate(each) for b in each[i + 1 :]]
        means = [each.mean() for each in normal]
        neighbours += [*pairwise(means)]
    return {
        "deviation": np.round(np.quantile(every, QUANTILES), 4).tolist(),
        "chord": correlation(pairs),
        "next": correlation(neighbours),
    }


def correlation(pairs: list[tuple[float, float]]) -> float:
    """Return the correlation of pairs of standard normal variables, from their median difference."""
    first, second = np.array(pairs).T
    spread = np.median(np.abs(first - second)) / NormalDist().inv_cdf(0.75)
    return round(float(max(1 - spread**2 / 2, 0.0)), 3)


def learn(songs: list[Song]) -> None:
    """Write the habits of the training songs into the package."""
    pedalled = [song for song in songs if uses_pedal(song)]
    free, tracks = free_tracks([song.recorded for song in songs])
    stored = {
        "source": "POP909, training songs; see recipes/music-lstm/performance.py",
        "songs": len(songs), "songs_with_pedal": len(pedalled), "tracks": tracks, "free_tracks": len(free),
        "habits": asdict(p.Habits(**learn_pedal(pedalled), **learn_timing(free))),
    }  # fmt: skip
    HABITS.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    p.Habits.load.cache_clear()


def uses_pedal(song: Song) -> bool:
    """Return whether the pedal is changed at least every other bar."""
    return describe_pedal(pedal_of(song), len(song.grid.bars()) - 1)[0] >= MIN_CHANGES


def summarise(
    pedals: list[tuple[float, float]], tracks: list[list[tuple[int, np.ndarray]]]
) -> dict[str, Any]:
    """Return quartiles of the use of the pedal, and the spread of the onsets."""
    changes, shares = np.quantile(np.array(pedals), (0.25, 0.5, 0.75), axis=0).round(3).T.tolist()
    every = [each for chords in tracks for each in near(chords)]
    spread = [float(np.ptp(each)) for each in every if len(each) > 1]
    quantiles = np.quantile(np.concatenate(every), (0.05, 0.25, 0.75, 0.95)) if every else np.full(4, np.nan)
    return {
        "changes_per_bar": changes,
        "share_of_time_down": shares,
        "deviation_ms_5_25_75_95": (1000 * quantiles).round(1).tolist(),
        "spread_of_a_chord_ms": round(1000 * float(np.median(spread)), 1) if spread else None,
    }


def compare(songs: list[Song], pieces: int) -> dict[str, Any]:
    """Compare composed pieces with held-out songs."""
    pedalled = [song for song in songs if uses_pedal(song)]
    free, tracks = free_tracks([song.recorded for song in songs])
    options = CompositionOptions("pop", bars=16, pedal=True, humanise=True)
    made = pipeline.load_composer().compose(1, count=pieces, options=options)
    down = [
        [tuple(each.score.beats(np.array(span))) for span in spans(each.score.pedals, 0).get(2, [])]
        for each in made
    ]
    played = [replace(each.performance, pedals=()) for each in made]
    own = [chords for score in played for chords in deviations(score).values()]
    sounding = [statistics.describe(to_grid(each.performance.sustained())).polyphony for each in made]
    real = [statistics.describe(to_grid(song.grid)).polyphony for song in pedalled]
    return {
        "songs": len(songs), "songs_with_pedal": len(pedalled), "tracks": tracks, "free_tracks": len(free),
        "held_out": summarise(
            [describe_pedal(pedal_of(song), len(song.grid.bars()) - 1) for song in pedalled], free
        ) | {"polyphony": np.quantile(real, (0.25, 0.5, 0.75)).round(2).tolist()},
        "pieces": len(made),
        "ours": summarise(
            [describe_pedal(d, len(m.score.bars()) - 1) for d, m in zip(down, made, strict=True)], own
        ) | {"polyphony": np.quantile(sounding, (0.25, 0.5, 0.75)).round(2).tolist()},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--from", dest="source", type=Path, required=True, help="folder with pop909/")
    parser.add_argument("--learn", type=int, metavar="SONGS", help="write the habits of training songs")
    parser.add_argument("--split", choices=("valid", "test"), default="valid")
    parser.add_argument("--pieces", type=int, default=40, help="composed pieces")
    parser.add_argument("--publish", **OPTIONS["publish"])
    args = parser.parse_args()
    if args.learn:
        learn(read_songs(args.source, "train", args.learn))
    figures = compare(read_songs(args.source, args.split), args.pieces)
    print(json.dumps(figures, indent=2))
    if args.publish:
        run = {"split": args.split, "date": datetime.date.today().isoformat(), "hardware": args.publish}
        results = json.loads((HERE / "results.json").read_text())
        write_results(HERE, {**results, "performance": figures | run})


if __name__ == "__main__":
    run_script(main)
