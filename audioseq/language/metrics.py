"""Log probabilities of sentences and words under a language model, and perplexity."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from itertools import accumulate, pairwise

import torch
from torch import nn

from audioseq.data import pad
from audioseq.language.model import log_probs
from audioseq.language.ngram.model import Perplexity, safe_exp
from audioseq.language.units import Units

MAX_BATCH_TOKENS = 4096
"""Tokens in a batch, including padding; limits the memory of the scores."""


@torch.no_grad()
def sentence_scores(model: nn.Module, units: Units, texts: Sequence[str]) -> list[list[float]]:
    """Compute the natural log probability of each token of each sentence, with the end token last.

    Args:
        model: in evaluation mode.
        units: its tokens.
        texts: normalised sentences; an empty sentence has only an end token.
    Raises:
        DataError: a character is not in the alphabet.
    """
    device = next(model.parameters()).device
    rows = [torch.tensor([units.end, *units.encode(text), units.end]) for text in texts]
    scores: list[list[float]] = [[] for _ in rows]
    for batch in _batches([len(row) - 1 for row in rows]):
        tokens, lengths = pad([rows[index] for index in batch])
        tokens = tokens.to(device)
        batch_scores = log_probs(model(tokens[:, :-1])[0], tokens[:, 1:]).cpu()
        for index, row, length in zip(batch, batch_scores, lengths.tolist(), strict=True):
            scores[index] = row[: length - 1].tolist()
    return scores


def word_scores(units: Units, text: str, scores: Sequence[float]) -> list[float]:
    """Sum the token scores of each word of a sentence; the last score is that of the sentence end.

    The end of a word is only predicted by the token after it, so it counts towards the next score.
    """
    bounds = [0, *accumulate(units.tokens_per_word(text)), len(scores)]
    return [sum(scores[start:end]) for start, end in pairwise(bounds)]


def word_perplexity(
    units: Units,
    texts: Sequence[str],
    scores: Iterable[list[float]],
    vocabulary: Container[str] | None = None,
) -> Perplexity:
    """Compute the perplexity per word, which is comparable across models with different tokens.

    Args:
        units: the tokens.
        texts: normalised sentences.
        scores: token scores from `sentence_scores`.
        vocabulary: words that count as in-vocabulary; all words if not given.
    Returns:
        the measures of an n-gram model. A model of subwords or characters has no `<unk>`: its perplexity with
        unknown words includes the probability of their spelling, which is harder to predict.
    """
    total = unknown_total = 0.0
    words = unknown = sentences = 0
    for text, tokens in zip(texts, scores, strict=True):
        by_word = word_scores(units, text, tokens)
        total += sum(by_word)
        sentences += 1
        words += len(by_word) - 1
        for word, score in zip(text.split(), by_word, strict=False):
            if vocabulary is not None and word not in vocabulary:
                unknown += 1
                unknown_total += score
    predicted = words + sentences
    perplexity = safe_exp((unknown_total - total) / max(1, predicted - unknown))
    return Perplexity(perplexity, safe_exp(-total / max(1, predicted)), words, unknown, sentences)


def _batches(lengths: Sequence[int]) -> Iterable[list[int]]:
    """Group sentences of similar length into batches of at most `MAX_BATCH_TOKENS`, but at least one each."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and lengths[index] * (len(batch) + 1) > MAX_BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
