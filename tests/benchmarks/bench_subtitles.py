"""Subtitles: where they break, and how long they are shown.

    audioseq transcribe DEV -f json --words --raw --lm none -o transcripts
    python -m tests.benchmarks.bench_subtitles transcripts [hour/hour.json ...] [--punctuation MODEL]

Makes subtitles of the default layout from transcripts with word timestamps: those of a folder together, and
those of each file. The words are punctuated first. The limits that must hold are counted as violations: two
lines of 42 characters, no overlap, and at least a second and the time that reading needs unless the next
subtitle starts before. Reported beside them are the subtitles that are faster than 21 characters per second
because the speech is, where subtitles end, and the processor time of both steps.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import json
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from audioseq.language.punctuation.pipeline import Punctuator, load_punctuator
from audioseq.speech.readable import write_readable
from audioseq.speech.transcript import Transcript, Word, ends_sentence, split_at_pauses
from audioseq.speech.writers.cues import (
    MAX_CHARACTERS_PER_SECOND,
    MIN_SECONDS,
    Cue,
    SubtitleOptions,
    make_cues,
)
from tests.benchmarks import report

LAYOUT = SubtitleOptions()


def violations(cues: list[Cue], duration: float) -> int:
    """Return the number of limits that the subtitles of a recording do not keep."""
    found = 0
    for cue, following in pairwise([*cues, Cue(duration, duration, "")]):
        lines = cue.text.split("\n")
        available = following.start - cue.start
        needed = min(available, max(MIN_SECONDS, len(cue.text) / MAX_CHARACTERS_PER_SECOND))
        found += len(lines) > LAYOUT.max_line_count
        found += any(len(line) > LAYOUT.max_line_width for line in lines)
        found += cue.end > following.start + 1e-6
        found += cue.end - cue.start < needed - 1e-6
    return found


def read(path: Path, punctuator: Punctuator) -> Transcript:
    """Read the words of a raw transcript, and write them with punctuation, capitals and figures."""
    fields = json.loads(path.read_text(encoding="utf-8"))
    words = [Word(word["start"], word["end"], word["word"], word["confidence"]) for word in fields["words"]]
    written = [word for _, part in write_readable(split_at_pauses(words), punctuator) for word in part]
    text = " ".join(word.word for word in written)
    return Transcript(fields["path"], text, fields["duration"], (), tuple(written), raw=fields["text"])


def row(name: str, paths: Sequence[Path], punctuator: Punctuator) -> report.Row:
    """Return a row of the table about recordings, all of them together."""
    broken, cues, times = 0, list[Cue](), [time.process_time()]
    transcripts = [read(path, punctuator) for path in paths]
    times.append(time.process_time())
    for transcript in transcripts:
        made = make_cues(transcript, LAYOUT)
        broken += violations(made, max([transcript.duration, *(word.end for word in transcript.words)]))
        cues += made
    times.append(time.process_time())
    hours = sum(transcript.duration for transcript in transcripts) / 3600
    durations = np.array([cue.end - cue.start for cue in cues])
    speeds = np.array([len(cue.text) for cue in cues]) / durations
    last = [cue.text.split()[-1] for cue in cues]
    sentences = sum(map(ends_sentence, last))
    clauses = sum(not word[-1].isalnum() for word in last) - sentences
    readable_seconds, subtitle_seconds = np.diff(times) / hours
    return {
        "recordings": name,
        "hours": round(hours, 2),
        "subtitles": len(cues),
        "violations": broken,
        "median, s": round(float(np.median(durations)), 1),
        "below 1 s": int((durations < MIN_SECONDS - 1e-6).sum()),
        "above 21 characters per second": int((speeds > MAX_CHARACTERS_PER_SECOND + 1e-6).sum()),
        "end with a sentence, %": round(100 * sentences / len(cues)),
        "with a clause, %": round(100 * clauses / len(cues)),
        "readable text, core-hours per hour": round(readable_seconds / 3600, 5),
        "subtitles, core-hours per hour": round(subtitle_seconds / 3600, 5),
    }


def main() -> None:
    parser = report.parser("subtitles", __doc__)
    parser.add_argument("transcripts", type=Path, nargs="+", help="JSON files, or folders of them")
    parser.add_argument("--punctuation", help="punctuation model (default: english-punctuation)")
    options = parser.parse_args()
    punctuator = load_punctuator(options.punctuation, "cpu")
    rows = []
    for given in options.transcripts:
        paths = sorted(given.rglob("*.json")) if given.is_dir() else [given]
        name = f"{len(paths)} files" if given.is_dir() else "one"
        rows.append(row(name, paths, punctuator))
        report.show(rows[-1])
    report.write(options.output, {"subtitles": rows})


if __name__ == "__main__":
    main()
