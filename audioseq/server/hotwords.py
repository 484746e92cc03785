"""Hotwords of requests: keywords, and the words that a prompt contains."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from audioseq.server.errors import RequestError
from audioseq.speech.decoding.hotwords import normalise_hotword

MAX_PROMPT_LETTERS = 10_000
"""Maximum length of a prompt."""
MAX_HOTWORDS = 100
"""Maximum number of hotwords of a request; further ones of a prompt are left out."""
MAX_LETTERS = 100
"""Maximum length of a hotword."""
MAX_PHRASE_WORDS = 3
"""Length up to which a phrase of a prompt is a hotword; a longer one is a sentence."""


def choose_hotwords(keywords: Sequence[str], prompt: str, alphabet: str) -> list[str]:
    """Return the hotwords of a request.

    The words of a sentence are not boosted, since most of them are common: too much would be recognised as
    one of them. Of a prompt, its short phrases (as in a list of names) and the capitalised words within its
    sentences are. Words that the model cannot emit are left out.

    Args:
        keywords: words or phrases; all are hotwords.
        prompt: a text.
        alphabet: the characters that the model emits.
    Raises:
        RequestError: the model cannot emit a keyword, or it is too long.
    Example:
        >>> choose_hotwords([], "Kubernetes, pod. Then Ada Lovelace spoke.", "abcdeklnoprstuvwy ")
        ['kubernetes', 'pod', 'ada lovelace']
    """
    found: dict[str, None] = {}
    for keyword in keywords:
        normalised = normalise_hotword(keyword, alphabet)
        if normalised is None or len(keyword) > MAX_LETTERS:
            raise RequestError(
                f"keywords: {keyword[:MAX_LETTERS]!r} is too long, or cannot be written with the characters "
                f"that the model emits: {alphabet!r}",
                code="invalid_value",
                param="keywords",
            )
        found[normalised] = None
    for phrase in _phrases(prompt):
        normalised = normalise_hotword(phrase, alphabet)
        if normalised is not None and len(normalised) <= MAX_LETTERS:
            found[normalised] = None
    return list(found)[:MAX_HOTWORDS]


def _phrases(prompt: str) -> Iterator[str]:
    """Yield the short phrases of a prompt, and the names within its sentences."""
    for part in re.split(r"[,;:.!?\n\"()]+", prompt):
        words = part.split()
        if len(words) <= MAX_PHRASE_WORDS:
            yield part
        else:
            yield from re.findall(r"(?<=\s)[A-Z]\S+(?:\s+[A-Z]\S+)*", " ".join(words))
