"""Why words were mistaken, as far as spelling tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from itertools import groupby

from rapidfuzz.distance import Levenshtein

from audioseq.speech.metrics import Edit, UtteranceResult, align_texts

NEAR = 0.5
"""Words of which at least this share of letters is alike, in order, are near in spelling."""
ERROR_TYPES = ("unknown", "joined", "near", "other", "deleted", "inserted")


def classify_errors(
    results: Iterable[UtteranceResult], vocabulary: Container[str] | None = None
) -> Counter[str]:
    """Count the errors in words by what they look like.

    The first that fits is counted: `unknown`, a word that the language model does not know was said;
    `joined`, the letters are right and the spaces between them wrong, each wrong word counted; `near`, a word
    of about the same spelling was heard; `other`, quite another one; `deleted` and `inserted`.

    Args:
        results: what was said, and what was heard.
        vocabulary: the words of the language model; without one, nothing is unknown.
    Example:
        >>> result = Result("a", "any one saw the sea", "anyone saw a see")
        >>> sorted(causes([result], {"any", "one", "saw", "the", "sea", "a"}).items())
        [('joined', 2), ('near', 1), ('other', 1)]
    """
    found: Counter[str] = Counter()
    for result in results:
        edits = align_texts(result.reference.split(), result.hypothesis.split())
        for wrong, run in groupby(edits, key=lambda edit: edit.mark != " "):
            if wrong:
                found.update(_causes(list(run), vocabulary))
    return found


def _causes(run: list[Edit], vocabulary: Container[str] | None) -> Iterable[str]:
    """Return the cause of each error in a run of them, between words that were heard right."""
    same = "".join(edit.reference for edit in run) == "".join(edit.hypothesis for edit in run)
    for edit in run:
        if vocabulary is not None and edit.reference and edit.reference not in vocabulary:
            yield "unknown"
        elif same:
            yield "joined"
        elif edit.mark == "S":
            alike = Levenshtein.normalized_similarity(edit.reference, edit.hypothesis)
            yield "near" if alike >= NEAR else "other"
        else:
            yield "deleted" if edit.mark == "D" else "inserted"
