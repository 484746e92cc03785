"""From a model file to the next word, and to how likely a sentence is."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from audioseq import checkpoint, models
from audioseq.checkpoint import Header
from audioseq.config import parse
from audioseq.device import choose_device
from audioseq.errors import ConfigError, DataError
from audioseq.language.config import LanguageConfig
from audioseq.language.metrics import sentence_scores, word_scores
from audioseq.language.model import LanguageModel, State, build
from audioseq.language.units import Units, restore
from audioseq.text.tokenizer import normalise

STEPS_AT_ONCE = 16
"""Beginnings of words that are continued side by side."""
LONGEST_WORD = 40
"""Characters; a longer beginning is not continued."""


@dataclass(order=True)
class _Beginning:
    """What may become the next word; those with a higher probability come first."""

    cost: float
    """Negative probability."""
    tokens: tuple[int, ...]
    state: State = field(compare=False)
    """After all its tokens but the last."""


class Predictor:
    """A trained language model that tells which word is next, and how likely sentences are.

    Args:
        model: the network, with its weights.
        units: its tokens.
        header: what the model file says about it.
        device: where it runs.
    """

    def __init__(self, model: LanguageModel, units: Units, header: Header, device: torch.device) -> None:
        self.model = model.to(device).eval()
        self.units = units
        self.header = header
        self.device = device
        pieces = units.pieces
        self._opens = torch.tensor([piece.startswith(" ") for piece in pieces], device=device)
        self._inside = torch.tensor([bool(p) and not p.startswith(" ") for p in pieces], device=device)
        self._closes = self._opens.clone()  # a word is over where another begins, or the sentence ends
        self._closes[units.end] = True

    def score(self, texts: Sequence[str]) -> list[float]:
        """Return the natural log probability of each sentence, its end included.

        Args:
            texts: normalised sentences; one without words has the probability of an end at once. A model of
                words takes one that it does not know as `<unk>`.
        Raises:
            DataError: a character is not in the alphabet.
        """
        return [sum(scores) for scores in sentence_scores(self.model, self.units, texts)]

    def score_words(self, texts: Sequence[str]) -> list[list[float]]:
        """Return the natural log probability of each word of each sentence, and of its end, which is last."""
        scores = sentence_scores(self.model, self.units, texts)
        return [word_scores(self.units, text, each) for text, each in zip(texts, scores, strict=True)]

    @torch.no_grad()
    def predict(self, text: str, n: int = 5) -> list[tuple[str, float]]:
        """Return the `n` most probable next words of a sentence that has begun, with their probabilities.

        Where words are spelt, that of a word is the product over its tokens, as the tokenizer spells it, and
        of a word ending there. Beginnings are continued, the most probable first, until none can become a
        word that is more probable than the `n` found: the result is exact. All words together with the
        sentence's end have a probability of 1.

        Args:
            text: any text; it is normalised.
            n: number of words, at least 1.
        Raises:
            DataError: the text has no words.
            ConfigError: `n` is less than 1.
        """
        if n < 1:
            raise ConfigError(f"{n} words cannot be predicted; ask for at least 1")
        plain = normalise(text, self.units.alphabet).text
        if not plain:
            raise DataError(f"{text[:60]!r} has no words to go on from; give at least one")
        context = torch.tensor([[self.units.end, *self.units.encode(plain)]], device=self.device)
        scores, state = self.model(context)
        probabilities = scores[:, -1].float().softmax(-1)
        if self._spells:
            return self._spell(probabilities[0], state, n)
        found = (probabilities[0] * self._opens).topk(min(n, int(self._opens.sum())))
        pairs = zip(found.indices.tolist(), found.values.tolist(), strict=True)
        return [(self.units.pieces[token].strip(), probability) for token, probability in pairs]

    @property
    def _spells(self) -> bool:
        return bool(self._inside.any())

    def _spell(self, first: Tensor, state: State, n: int) -> list[tuple[str, float]]:
        """Find the next words of a model whose words have several tokens, by best-first search.

        Args:
            first: probabilities of the next token `[V]`.
            state: what the model remembers, of one row.
            n: number of words.
        """
        units, words = self.units, dict[str, float]()
        beginnings = [
            _Beginning(-probability, (token,), state)
            for token, probability in enumerate((first * self._opens).tolist())
            if probability > 0
        ]
        heapq.heapify(beginnings)
        least = 0.0  # what a word must have to be among the n
        while beginnings and -beginnings[0].cost > least:
            some = [heapq.heappop(beginnings) for _ in range(min(STEPS_AT_ONCE, len(beginnings)))]
            tokens = torch.tensor([[b.tokens[-1]] for b in some], device=self.device)
            states = tuple(torch.cat(parts) for parts in zip(*(b.state for b in some), strict=True))
            scores, states = self.model(tokens, states)
            following = scores[:, -1].float().softmax(-1)
            ends = (following * self._closes).sum(-1).tolist()
            inside = following * self._inside
            for beginning, end in zip(some, ends, strict=True):
                text = "".join(units.pieces[token] for token in beginning.tokens)
                word, canonical = text.strip(), list(beginning.tokens)
                if word and units.encode(text) == canonical:
                    words[word] = -beginning.cost * end
            if len(words) >= n:
                least = heapq.nlargest(n, words.values())[-1]
            for row, beginning in enumerate(some):
                if sum(len(units.pieces[token]) for token in beginning.tokens) > LONGEST_WORD:
                    continue
                after = tuple(part[row : row + 1] for part in states)
                chances = inside[row] * -beginning.cost
                for token in (chances > least).nonzero().flatten().tolist():
                    new = _Beginning(-float(chances[token]), (*beginning.tokens, token), after)
                    heapq.heappush(beginnings, new)
        return heapq.nsmallest(n, words.items(), key=lambda pair: (-pair[1], pair[0]))


def load_predictor(model: str | Path | None = None, device: str = "auto") -> Predictor:
    """Open a language model by its name or the path of its file, or the one that is used when none is named.

    Raises:
        CheckpointError: there is no such model, or the file is damaged or of another task.
        ConfigError: the device does not exist.
    """
    model = model if model is not None else models.default_for("language")
    stored = checkpoint.load(models.resolve(model, task="language"), task="language")
    config = parse(LanguageConfig, stored.header.config, f"the config in {model}")
    units = restore(stored.header.tokenizer)
    network = build(config, units)
    stored.fill(network, model)
    return Predictor(network, units, stored.header, choose_device(device))
