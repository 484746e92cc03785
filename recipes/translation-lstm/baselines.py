"""What is trivial: each word by the one that it most often is, as counted from the pairs."""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from pairs import Pair

ROUNDS = 5
_WORD = re.compile(r"\w+|[^\w\s]")


def learn_dictionary(pairs: Sequence[Pair]) -> dict[str, str]:
    """Return the most probable translation of each word, by expectation maximisation.

    Each word of a target comes from any word of its source, or from none, wherever it stands. Source: Brown
    et al. 1993, "The mathematics of statistical machine translation", model 1.

    Example:
        >>> pairs = [Pair("a man", "ein Mann"), Pair("a dog", "ein Hund"), Pair("the dog", "der Hund")]
        >>> learn_dictionary(pairs)
        {'a': 'ein', 'man': 'Mann', 'dog': 'Hund', 'the': 'der'}
    """
    sources, targets = _numbering(), _numbering()
    nothing = sources[""]
    source, target, place = (
        array("q"),
        array("q"),
        array("q"),
    )  # of each word that a target's word may be from
    places = 0
    for pair in pairs:
        words = [nothing, *(sources[word] for word in _WORD.findall(pair.source))]
        for word in _WORD.findall(pair.target):
            source.extend(words)
            target.extend([targets[word]] * len(words))
            place.extend([places] * len(words))
            places += 1
    couples, index = np.unique(np.asarray(source) * len(targets) + np.asarray(target), return_inverse=True)
    first, second = np.divmod(couples, len(targets))
    probability = np.ones(len(couples))
    for _ in range(ROUNDS):
        share = probability[index]
        share /= np.bincount(place, share)[place]
        count = np.bincount(index, share)
        probability = count / np.bincount(first, count)[first]
    order = np.argsort(probability, kind="stable")  # the best of a word comes last, and is kept
    spelt, meant = list(sources), list(targets)
    best = {spelt[first[couple]]: meant[second[couple]] for couple in order}
    return {word: best[word] for word in spelt[1:]}


def _numbering() -> defaultdict[str, int]:
    """Return a table that gives each new word the next number."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    return numbers


def word_by_word(text: str, dictionary: dict[str, str]) -> str:
    """Translate each word by itself; what is unknown stays as it is.

    Example:
        >>> word_by_word("A dog.", {"A": "Ein", "dog": "Hund"})
        'Ein Hund.'
    """
    words = " ".join(dictionary.get(word, word) for word in _WORD.findall(text))
    return re.sub(r"\s+([.,;:!?])", r"\1", words)
