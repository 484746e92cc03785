"""Classify word errors by spelling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from itertools import groupby

from rapidfuzz.distance import Levenshtein

from audioseq.speech.metrics import Edit, UtteranceResult, align_texts

MIN_SIMILARITY = 0.5
"""Least normalised Levenshtein similarity of words with a similar spelling, 0 to 1."""
ERROR_TYPES = {
    "unknown": "out-of-vocabulary word",
    "joined": "word boundary error",
    "near": "substitution with a similar spelling",
    "other": "other substitution",
    "deleted": "deletion",
    "inserted": "insertion",
}
"""Error types and their descriptions, in the order in which they are tested."""


def classify_errors(
    results: Iterable[UtteranceResult], vocabulary: Container[str] | None = None
) -> Counter[str]:
    """Count word errors by type.

    Each error has the first type that applies: `unknown`, the reference word is not in the vocabulary of the
    language model; `joined`, the letters of a run of errors are correct and only the spaces are wrong (every
    wrong word counts); `near`, a substitution by a word of similar spelling; `other`, another substitution;
    `deleted`; `inserted`.

    Args:
        results: references and hypotheses.
        vocabulary: the words of the language model; without it, no word is `unknown`.
    Returns:
        number of errors per type.
    Example:
        >>> result = UtteranceResult("a", "any one saw the sea", "anyone saw a see")
        >>> sorted(classify_errors([result], {"any", "one", "saw", "the", "sea", "a"}).items())
        [('joined', 2), ('near', 1), ('other', 1)]
    """
    found: Counter[str] = Counter()
    for result in results:
        edits = align_texts(result.reference.split(), result.hypothesis.split())
        for wrong, run in groupby(edits, key=lambda edit: edit.mark != " "):
            if wrong:
                found.update(_error_types(list(run), vocabulary))
    return found


def _error_types(run: list[Edit], vocabulary: Container[str] | None) -> Iterable[str]:
    """Yield the type of each error in a run of consecutive errors."""
    same_letters = "".join(edit.reference for edit in run) == "".join(edit.hypothesis for edit in run)
    for edit in run:
        if vocabulary is not None and edit.reference and edit.reference not in vocabulary:
            yield "unknown"
        elif same_letters:
            yield "joined"
        elif edit.mark == "S":
            similarity = Levenshtein.normalized_similarity(edit.reference, edit.hypothesis)
            yield "near" if similarity >= MIN_SIMILARITY else "other"
        else:
            yield "deleted" if edit.mark == "D" else "inserted"
