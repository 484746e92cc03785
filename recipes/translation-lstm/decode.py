"""From a model file and sentences to their translations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from beam import Hypothesis, search
from pairs import BEGIN, END, Subwords
from torch import Tensor
from translator import Source, Translator

from audioseq import checkpoint
from audioseq.data import pad
from audioseq.errors import CheckpointError, DataError

AT_ONCE = 64
"""Sentences that are translated in one batch."""
LONGEST = 500
"""Tokens of a sentence; of a longer text there is no sense in one translation."""


@dataclass(frozen=True)
class Translation:
    """What a sentence may mean.

    Args:
        text: in the other language.
        score: what it was ranked by, higher is better.
        tokens: ids, with the end.
    """

    text: str
    score: float
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class Interpreter:
    """A trained network with its subwords, and how it searches.

    Args:
        model: in evaluation mode.
        subwords: its tokens.
        beam, penalty: as in `beam.search` and `Hypothesis.score`.
    """

    model: Translator
    subwords: Subwords
    beam: int = 5
    penalty: float = 1.0

    @classmethod
    def load(cls, path: Path, *, beam: int = 1) -> Interpreter:
        """Read a model file, which says how to search.

        Args:
            path: where it is.
            beam: the narrowest that will do.
        Raises:
            CheckpointError: it is missing, damaged, or of another task.
        """
        stored = checkpoint.load(path, task="translation")
        subwords = Subwords.from_dict(stored.header.tokenizer)
        try:
            model = Translator(subwords.size, **stored.header.config["model"])
            tuned, penalty = (stored.header.config["search"][name][0] for name in ("beams", "penalties"))
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError):
            raise CheckpointError(f"{path}: its config is damaged; get or train it again") from None
        stored.fill(model)
        return cls(model.eval(), subwords, max(tuned, beam), penalty)

    def translate(self, texts: Sequence[str]) -> list[list[Translation]]:
        """Return the translations of each sentence, the best first, up to `beam` of them.

        Raises:
            DataError: a text is empty, or far too long for a sentence.
        """
        for number, text in enumerate(texts, 1):
            length = len(self.subwords.encode(text))
            if length == 1:
                raise DataError(f"sentence {number}: {text!r} is nothing to translate; leave it out")
            if length > LONGEST:
                raise DataError(
                    f"sentence {number}: {text[:40]!r} … has {length} tokens; split it at full stops"
                )
        found = hypotheses(self.model, self.subwords, texts, self.beam)
        return [[self._translation(each) for each in ranked(row, self.penalty)] for row in found]

    def attention(self, text: str, translation: Translation) -> tuple[list[str], list[str], Tensor]:
        """Return the pieces of a sentence and of its translation, and where each layer looked `[L, U, T]`."""
        tokens = self.subwords.encode(text)
        before = torch.tensor([[BEGIN, *translation.tokens[:-1]]])
        with torch.inference_mode():
            source, states = self.model.read(torch.tensor([tokens]), torch.tensor([len(tokens)]))
            _, _, looked = self.model.write(before, source, states)
        return self.subwords.pieces(tokens), self.subwords.pieces(translation.tokens), torch.cat(looked)

    def _translation(self, hypothesis: Hypothesis) -> Translation:
        text = self.subwords.decode(hypothesis.tokens)
        return Translation(text, hypothesis.score(self.penalty), hypothesis.tokens)


class Writing:
    """Sentences that a network is about to translate: what the beam search goes on with."""

    def __init__(self, model: Translator, source: Tensor, lengths: Tensor) -> None:
        self.model = model
        self.source, self.states = model.read(source, lengths)

    def step(self, tokens: Tensor) -> Tensor:
        """Write a token in each row `[N]`; return the log probabilities of the next `[N, V]`."""
        tokens = tokens.to(self.source.memory.device)
        scores, self.states, _ = self.model.write(tokens.unsqueeze(1), self.source, self.states)
        return scores[:, 0].float().log_softmax(dim=1).cpu()

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows."""
        rows = rows.to(self.source.memory.device)
        self.source = Source(*(part[rows] for part in self.source))
        self.states = [(h[rows], c[rows]) for h, c in self.states]


def hypotheses(
    model: Translator, subwords: Subwords, texts: Sequence[str], beam: int
) -> list[list[Hypothesis]]:
    """Search for `beam` translations of each text; none is longer than twice its source and ten."""
    tokens = [subwords.encode(text) for text in texts]
    order = sorted(range(len(texts)), key=lambda index: len(tokens[index]))
    found: list[list[Hypothesis]] = [[]] * len(texts)
    device = model.embedding.weight.device
    with torch.inference_mode():
        for start in range(0, len(order), AT_ONCE):
            chosen = order[start : start + AT_ONCE]
            source, lengths = pad([torch.tensor(tokens[index]) for index in chosen])
            writing = Writing(model, source.to(device), lengths.to(device))
            limits = [2 * length + 10 for length in lengths.tolist()]
            for index, each in zip(chosen, search(writing, limits, beam, begin=BEGIN, end=END), strict=True):
                found[index] = each
    return found


def ranked(found: Sequence[Hypothesis], penalty: float) -> list[Hypothesis]:
    """Return hypotheses, the best first."""
    return sorted(found, key=lambda each: -each.score(penalty))
