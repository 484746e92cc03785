"""How well a language model foresees text: log probabilities of sentences and words, and perplexity."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Sequence
from itertools import accumulate, pairwise

import torch
from torch import nn

from audioseq.data import pad
from audioseq.language.model import log_probs
from audioseq.language.ngram.model import Perplexity
from audioseq.language.units import Units

TOKENS_AT_ONCE = 4096
"""Tokens, padding counted, whose scores are in memory at once."""


@torch.no_grad()
def sentence_scores(model: nn.Module, units: Units, texts: Sequence[str]) -> list[list[float]]:
    """Return the natural log probability of each token of each sentence, that of its end last.

    Args:
        model: in evaluation mode.
        units: its tokens.
        texts: normalised sentences; an empty one has an end only.
    Raises:
        DataError: a character is not in the alphabet.
    """
    device = next(model.parameters()).device
    rows = [torch.tensor([units.end, *units.encode(text), units.end]) for text in texts]
    scores: list[list[float]] = [[] for _ in rows]
    for batch in _batches([len(row) - 1 for row in rows]):
        tokens, lengths = pad([rows[index] for index in batch])
        tokens = tokens.to(device)
        found = log_probs(model(tokens[:, :-1])[0], tokens[:, 1:]).cpu()
        for index, row, length in zip(batch, found, lengths.tolist(), strict=True):
            scores[index] = row[: length - 1].tolist()
    return scores


def word_scores(units: Units, text: str, scores: Sequence[float]) -> list[float]:
    """Add up the scores of the tokens of each word of a sentence; that of its end is the last.

    That a word ends where it does is known only from the token after it, and counts there.
    """
    ends = [0, *accumulate(units.words(text)), len(scores)]
    return [sum(scores[start:end]) for start, end in pairwise(ends)]


def word_perplexity(
    units: Units, texts: Sequence[str], scores: Iterable[Sequence[float]], known: Container[str] | None = None
) -> Perplexity:
    """Return the perplexity of words, which compares whatever the tokens are.

    Args:
        units: the tokens.
        texts: normalised sentences.
        scores: of their tokens, as `sentence_scores` gives them.
        known: words that count as known; all where it is not given.
    Returns:
        as an n-gram says it. A model that spells has no `<unk>`: its perplexity with unknown words is that of
        spelling them, which is harder.
    """
    total = of_unknown = 0.0
    words = unknown = sentences = 0
    for text, tokens in zip(texts, scores, strict=True):
        by_word = word_scores(units, text, tokens)
        total += sum(by_word)
        sentences += 1
        words += len(by_word) - 1
        for word, score in zip(text.split(), by_word, strict=False):
            if known is not None and word not in known:
                unknown += 1
                of_unknown += score
    counted = words + sentences
    return Perplexity(
        math.exp((of_unknown - total) / max(1, counted - unknown)),
        math.exp(-total / counted),
        words,
        unknown,
        sentences,
    )


def _batches(lengths: Sequence[int]) -> Iterable[list[int]]:
    """Group indices of about the same length, so that a padded group has few enough tokens (or is one)."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and lengths[index] * (len(batch) + 1) > TOKENS_AT_ONCE:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
