"""Beam search: the most probable sentences that a network would write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Writer(Protocol):
    """What writes several sentences at once, a token a step, and remembers what it has written."""

    def step(self, tokens: Tensor) -> Tensor:
        """Take the token that each row `[N]` ends with; return log probabilities of the next `[N, V]`."""

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows `[N']`, of which some may come twice and some not at all."""


@dataclass(frozen=True)
class Hypothesis:
    """A sentence that may be meant.

    Args:
        tokens: ids, the end among them once it has been written.
        log_prob: of all tokens, nats.
    """

    tokens: tuple[int, ...] = ()
    log_prob: float = 0.0

    def score(self, penalty: float) -> float:
        """Return what hypotheses are ranked by: the log probability, 0, or the more for its length.

        Every token costs probability, so a search for the most probable sentence prefers short ones.
        Source: Wu et al. 2016, "Google's neural machine translation system", equation 14.
        """
        return self.log_prob / float(((5 + len(self.tokens)) / 6) ** penalty)


def search(
    writer: Writer, limits: Sequence[int], beam: int, *, begin: int, end: int
) -> list[list[Hypothesis]]:
    """Find finished sentences, up to `beam` of each.

    The candidates of a sentence are kept while they are among its `beam` most probable ones. One that is
    finished keeps its place in the beam, and the search ends when all are. So a beam of 1 is greedy, and one
    with room for all sentences finds all of them. How they are ranked in the end changes nothing here.

    Args:
        writer: has a row for each sentence.
        limits: the most tokens that each may have, its end among them.
        beam: the number of candidates.
        begin, end: the tokens that each sentence is taken to begin with, and that ends it.
    """
    live = [[Hypothesis()] for _ in limits]
    done: list[list[Hypothesis]] = [[] for _ in limits]
    last = [begin] * len(limits)
    while last:
        log_probs = writer.step(torch.tensor(last))
        best = log_probs.topk(min(beam, log_probs.shape[1]))
        choices = [
            list(zip(*row, strict=True))
            for row in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]
        ends = [[(value, end)] for value in log_probs[:, end].tolist()]
        origins: list[int] = []
        last, row = [], 0
        for index, hypotheses in enumerate(live):
            grown = []
            for hypothesis in hypotheses:
                full = len(hypothesis.tokens) + 1 >= limits[index]
                for value, token in ends[row] if full else choices[row]:
                    longer = Hypothesis((*hypothesis.tokens, token), hypothesis.log_prob + value)
                    grown.append((longer, row))
                row += 1
            grown.sort(key=lambda each: -each[0].log_prob)
            live[index] = []
            for longer, origin in grown[: beam - len(done[index])]:
                if longer.tokens[-1] == end:
                    done[index].append(longer)
                else:
                    live[index].append(longer)
                    origins.append(origin)
                    last.append(longer.tokens[-1])
        writer.keep(torch.tensor(origins, dtype=torch.int64))
    return done
