"""F1 on transcripts, with the words of the reference and those of a recogniser, beside a baseline."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from audioseq.language.punctuation.evaluate import evaluate_texts
from audioseq.language.punctuation.labels import CASES, MARKS, LabelledWord, read_labels
from audioseq.language.punctuation.metrics import Score, transfer_labels
from audioseq.language.punctuation.pipeline import Punctuator

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(2, 31))
"""Pauses in seconds that are tried as thresholds of the baseline."""
Texts = list[tuple[list[LabelledWord], list[float]]]


@dataclass(frozen=True)
class Transcript:
    """An utterance."""

    reference: list[LabelledWord]
    reference_pauses: list[float]
    """Seconds after each word of the reference by the times of the recogniser; 0 after a word it missed."""
    recognised: list[LabelledWord]
    """The words of the recogniser with the labels of the reference."""
    pauses: list[float]
    """Seconds after each of them."""


def read_transcripts(table: Path, recognised: Path) -> list[Transcript]:
    """Read the output of recognise.py for the utterances of a table, which has ids and written texts."""
    rows = (line.split("\t") for line in table.read_text(encoding="utf-8").splitlines())
    written = {row[0]: row[-1] for row in rows}
    found = []
    for line in recognised.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["id"] not in written or not row["words"]:
            continue
        reference = list(read_labels(written[row["id"]]))
        words = [word for word, _, _ in row["words"]]
        pauses = [max(0.0, start - end) for (_, _, end), (_, start, _) in pairwise(row["words"])] + [0.0]
        mapped = [0.0] * len(reference)
        spoken = [each.word for each in reference]
        for block in Levenshtein.opcodes(spoken, words):
            if block.tag in ("equal", "replace"):
                mapped[block.src_start : block.src_end] = pauses[block.dest_start : block.dest_end]
        found.append(Transcript(reference, mapped, transfer_labels(reference, words), pauses))
    return found


def measure(
    punctuator: Punctuator, transcripts: Sequence[Transcript], fitted_on: Sequence[Transcript]
) -> dict[str, Any]:
    """Return the F1 of the model, and of thresholds of pauses that are fitted on other transcripts."""
    reference: Texts = [(each.reference, each.reference_pauses) for each in transcripts]
    recognised: Texts = [(each.recognised, each.pauses) for each in transcripts]
    comma, stop = fit_thresholds([(each.recognised, each.pauses) for each in fitted_on])
    scores = {
        "reference words": evaluate_texts(punctuator, without_pauses(reference)),
        "reference words, pauses": evaluate_texts(punctuator, with_pauses(reference)),
        "recognised words": evaluate_texts(punctuator, without_pauses(recognised)),
        "recognised words, pauses": evaluate_texts(punctuator, with_pauses(recognised)),
        "recognised words, pause thresholds": score_thresholds(recognised, comma, stop),
    }
    return {
        "thresholds": {"comma": comma, "full stop": stop},
        **{name: score.to_dict() for name, score in scores.items()},
    }


def without_pauses(texts: Texts) -> Iterator[tuple[list[LabelledWord], None]]:
    """Yield the texts without their pauses."""
    return ((words, None) for words, _ in texts)


def with_pauses(texts: Texts) -> Iterator[tuple[list[LabelledWord], list[float]]]:
    """Yield the texts with their pauses; that after the last word is not known."""
    return ((words, [*pauses[:-1], float("nan")]) for words, pauses in texts)


def score_thresholds(texts: Texts, comma: float, stop: float) -> Score:
    """Score the labels that pauses alone give: a comma, or a full stop with a capital after it."""
    score = Score()
    for words, pauses in texts:
        marks = [MARKS.index("." if pause >= stop else "," if pause >= comma else "") for pause in pauses]
        marks[-1] = MARKS.index(".")
        starts = [True, *(mark == MARKS.index(".") for mark in marks[:-1])]
        cases = [CASES.index("title" if start else "lower") for start in starts]
        score.add(words, zip(cases, marks, strict=True))
    return score


def fit_thresholds(texts: Texts) -> tuple[float, float]:
    """Return the pauses for a comma and for a full stop with the highest sum of their F1."""

    def quality(pair: tuple[float, float]) -> float:
        labels = score_thresholds(texts, *pair).labels
        return labels["comma"].f1 + labels["full stop"].f1

    pairs = [(comma, stop) for comma in THRESHOLDS[::2] for stop in THRESHOLDS[::2] if comma < stop]
    return max(pairs, key=quality)
