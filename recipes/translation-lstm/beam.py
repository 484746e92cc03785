"""Beam search for the most probable target sentences of a decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class StepDecoder(Protocol):
    """A decoder of several sentences at once, which keeps its state between steps."""

    def step(self, tokens: Tensor) -> Tensor:
        """Append a token to each row `[N]`; return log probabilities of the next tokens `[N, V]`."""

    def select(self, rows: Tensor) -> None:
        """Replace the rows by those at the indices `[N']`, which may be repeated or missing."""


@dataclass(frozen=True)
class Hypothesis:
    """A target sentence, complete or not.

    Args:
        tokens: ids; a complete sentence ends with the end token.
        log_prob: log probability of all tokens, nats.
    """

    tokens: tuple[int, ...] = ()
    log_prob: float = 0.0

    def score(self, penalty: float) -> float:
        """Return the log probability with length normalisation, by which hypotheses are ranked.

        Each token reduces the probability of a sentence, so the most probable sentences are too short. A
        larger penalty favours longer sentences; 0 disables it.
        Source: Wu et al. 2016, "Google's neural machine translation system", equation 14.
        """
        return self.log_prob / float(((5 + len(self.tokens)) / 6) ** penalty)


def search(
    decoder: StepDecoder, limits: Sequence[int], beam: int, *, begin: int, end: int
) -> list[list[Hypothesis]]:
    """Find up to `beam` complete hypotheses for each sentence.

    The `beam` most probable hypotheses of a sentence are kept in each step. A complete hypothesis keeps its
    place in the beam, and the search ends when all are complete. A beam of 1 is greedy search, and a beam
    with room for all sentences is exhaustive. The search does not depend on the length penalty.

    Args:
        decoder: a decoder with one row for each sentence.
        limits: maximum number of tokens of each sentence, including the end token.
        beam: the beam size.
        begin, end: tokens at the beginning and at the end of a sentence.
    Returns:
        the hypotheses of each sentence.
    """
    active = [[Hypothesis()] for _ in limits]
    complete: list[list[Hypothesis]] = [[] for _ in limits]
    last = [begin] * len(limits)
    while last:
        log_probs = decoder.step(torch.tensor(last))
        best = log_probs.topk(min(beam, log_probs.shape[1]))
        choices = [
            list(zip(*row, strict=True))
            for row in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]
        ends = [[(value, end)] for value in log_probs[:, end].tolist()]
        origins: list[int] = []
        last, row = [], 0
        for index, hypotheses in enumerate(active):
            extended = []
            for hypothesis in hypotheses:
                at_limit = len(hypothesis.tokens) + 1 >= limits[index]
                for value, token in ends[row] if at_limit else choices[row]:
                    extension = Hypothesis((*hypothesis.tokens, token), hypothesis.log_prob + value)
                    extended.append((extension, row))
                row += 1
            extended.sort(key=lambda each: -each[0].log_prob)
            active[index] = []
            for extension, origin in extended[: beam - len(complete[index])]:
                if extension.tokens[-1] == end:
                    complete[index].append(extension)
                else:
                    active[index].append(extension)
                    origins.append(origin)
                    last.append(extension.tokens[-1])
        decoder.select(torch.tensor(origins, dtype=torch.int64))
    return complete
