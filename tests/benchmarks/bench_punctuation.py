"""Cost and memory of restoring punctuation, in a text of many words in one line.

    python -m tests.benchmarks.bench_punctuation TEXT [--model MODEL] [--words 9000 100000 1000000]

Runs on one thread. Reported are the processor seconds for 9,000 words, about an hour of speech, and the
growth of the peak of the memory of the process by a text of each length, of which the words themselves are a
part. The text is repeated to the length, in lower case and without marks. Also reported is the share of
words whose labels depend on where windows begin: the text is labelled again without its first words.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import resource
import time
from itertools import cycle, islice
from pathlib import Path

from audioseq.language.punctuation.evaluate import read_written
from audioseq.language.punctuation.pipeline import WINDOW_WORDS, load_punctuator
from tests.benchmarks import report

HOUR_WORDS = 9000
"""Words in an hour of speech."""
SHIFT = WINDOW_WORDS // 2
"""Words left out at the beginning to move the windows."""


def peak() -> float:
    """Return the largest memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    parser = report.parser("punctuation", __doc__)
    parser.add_argument("text", type=Path, help="written text, a paragraph a line")
    parser.add_argument("--model", help="name or path of a model")
    parser.add_argument("--words", type=int, nargs="+", default=[9000, 100_000, 1_000_000])
    arguments = parser.parse_args()
    source = [word.word for book in read_written(arguments.text) for word in book]
    punctuator = load_punctuator(arguments.model, "cpu")
    punctuator.punctuate(source[:1000])

    rows: list[report.Row] = []
    for count in arguments.words:
        line = " ".join(islice(cycle(source), count))
        before, began = peak(), time.process_time()
        written = punctuator.punctuate_text(line)
        seconds = time.process_time() - began
        hours = count / HOUR_WORDS
        rows.append({
            "words in a line": f"{count:,}",
            "CPU seconds for 9,000 words": round(seconds / hours, 2),
            "core-hours per hour of audio": round(seconds / 3600 / hours, 5),
            "memory of the text and its result (MB)": round((len(line) + len(written)) / 1e6, 1),
            "growth of the peak of memory (MB)": round(peak() - before, 1),
        })  # fmt: skip
        report.show(rows[-1])
    labels = list(punctuator.label(source))
    moved = list(punctuator.label(source[SHIFT:]))
    same = sum(a == b for a, b in zip(labels[2 * SHIFT :], moved[SHIFT:], strict=True))
    agreement = 100 * same / len(labels[2 * SHIFT :])
    windows: list[report.Row] = [{
        "words": f"{len(labels):,}", "equal labels with other windows (%)": round(agreement, 3),
    }]  # fmt: skip
    report.show(windows[0])
    title = arguments.model or "english-punctuation"
    report.write(arguments.output, {title: rows, f"{title}: windows": windows})
