"""Predict the next word and score sentences with a recurrent language model."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from audioseq.checkpoint import Header
from audioseq.device import choose_device
from audioseq.errors import ConfigError, DataError
from audioseq.language.config import LanguageConfig
from audioseq.language.metrics import sentence_scores, word_scores
from audioseq.language.model import LanguageModel, State, build
from audioseq.language.units import Units, restore_units
from audioseq.models import open_model
from audioseq.text.tokenizer import normalise

BATCH_PREFIXES = 16
"""Word prefixes that are extended in one batch."""
MAX_WORD_CHARACTERS = 40
"""Longer prefixes are not extended."""


@dataclass(order=True)
class _Prefix:
    """The first tokens of a possible next word; sorted by descending probability."""

    cost: float
    """Negative probability."""
    tokens: tuple[int, ...]
    state: State = field(compare=False)
    """Recurrent state before the last token."""


class Predictor:
    """A trained language model for next-word prediction and sentence scoring.

    Args:
        model: the network, with its weights.
        units: its tokens.
        header: header of the model file.
        device: device to run on.
    """

    def __init__(self, model: LanguageModel, units: Units, header: Header, device: torch.device) -> None:
        self.model = model.to(device).eval()
        self.units = units
        self.header = header
        self.device = device
        pieces = units.pieces
        self._starts_word = torch.tensor([piece.startswith(" ") for piece in pieces], device=device)
        self._continues_word = torch.tensor(
            [bool(p) and not p.startswith(" ") for p in pieces], device=device
        )
        self._ends_word = self._starts_word.clone()  # the next word or the sentence end completes a word
        self._ends_word[units.end] = True

    def score(self, texts: Sequence[str]) -> list[float]:
        """Compute the natural log probability of each sentence, including its end.

        Args:
            texts: normalised sentences; for an empty one, the probability of the sentence end. A word model
                maps OOV words to `<unk>`.
        Raises:
            DataError: a character is not in the alphabet.
        """
        return [sum(scores) for scores in sentence_scores(self.model, self.units, texts)]

    def score_words(self, texts: Sequence[str]) -> list[list[float]]:
        """Compute the natural log probability of each word of each sentence, with the sentence end last."""
        scores = sentence_scores(self.model, self.units, texts)
        return [word_scores(self.units, text, each) for text, each in zip(texts, scores, strict=True)]

    @torch.no_grad()
    def predict(self, text: str, n: int = 5) -> list[tuple[str, float]]:
        """Predict the `n` most probable next words of a sentence, with their probabilities.

        With subwords or characters, the probability of a word is the product of the probabilities of its
        tokens, as the tokenizer encodes it, and of the word ending there. Best-first search extends prefixes
        until none can lead to a word that is more probable than the best `n`, so the result is exact. The
        probabilities of all words and of the sentence end sum to 1.

        Args:
            text: any text; it is normalised.
            n: number of words, at least 1.
        Raises:
            DataError: the text has no words.
            ConfigError: `n` is less than 1.
        """
        if n < 1:
            raise ConfigError(f"cannot predict {n} words; the number must be at least 1")
        normalised = normalise(text, self.units.alphabet).text
        if not normalised:
            raise DataError(f"{text[:60]!r} has no words; give at least one")
        context = torch.tensor([[self.units.end, *self.units.encode(normalised)]], device=self.device)
        scores, state = self.model(context)
        probabilities = scores[:, -1].float().softmax(-1)
        if self._has_subwords:
            return self._search(probabilities[0], state, n)
        best = (probabilities[0] * self._starts_word).topk(min(n, int(self._starts_word.sum())))
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return [(self.units.pieces[token].strip(), probability) for token, probability in pairs]

    @property
    def _has_subwords(self) -> bool:
        return bool(self._continues_word.any())

    def _search(self, first: Tensor, state: State, n: int) -> list[tuple[str, float]]:
        """Find the next words of a subword or character model by best-first search.

        Args:
            first: probabilities of the next token `[V]`.
            state: recurrent state after the context, of one row.
            n: number of words.
        """
        units, words = self.units, dict[str, float]()
        prefixes = [
            _Prefix(-probability, (token,), state)
            for token, probability in enumerate((first * self._starts_word).tolist())
            if probability > 0
        ]
        heapq.heapify(prefixes)
        threshold = 0.0  # the n-th highest probability of a word so far
        # A word is at most as probable as its prefixes, so the search can stop at the threshold.
        while prefixes and -prefixes[0].cost > threshold:
            batch = [heapq.heappop(prefixes) for _ in range(min(BATCH_PREFIXES, len(prefixes)))]
            tokens = torch.tensor([[prefix.tokens[-1]] for prefix in batch], device=self.device)
            states = tuple(
                torch.cat(parts) for parts in zip(*(prefix.state for prefix in batch), strict=True)
            )
            scores, states = self.model(tokens, states)
            next_tokens = scores[:, -1].float().softmax(-1)
            ends = (next_tokens * self._ends_word).sum(-1).tolist()
            continuations = next_tokens * self._continues_word
            for prefix, end in zip(batch, ends, strict=True):
                text = "".join(units.pieces[token] for token in prefix.tokens)
                word = text.strip()
                # Other tokens can spell the same word; only the tokenizer's encoding occurs in training.
                if word and units.encode(text) == list(prefix.tokens):
                    words[word] = -prefix.cost * end
            if len(words) >= n:
                threshold = heapq.nlargest(n, words.values())[-1]
            for row, prefix in enumerate(batch):
                if sum(len(units.pieces[token]) for token in prefix.tokens) > MAX_WORD_CHARACTERS:
                    continue
                next_state = tuple(part[row : row + 1] for part in states)
                extended = continuations[row] * -prefix.cost
                for token in (extended > threshold).nonzero().flatten().tolist():
                    new = _Prefix(-float(extended[token]), (*prefix.tokens, token), next_state)
                    heapq.heappush(prefixes, new)
        return heapq.nsmallest(n, words.items(), key=lambda pair: (-pair[1], pair[0]))


def load_predictor(model: str | Path | None = None, device: str = "auto") -> Predictor:
    """Load a recurrent language model by its name or path; the default model if not given.

    Raises:
        CheckpointError: the model does not exist, is damaged, or is for another task.
        ConfigError: the device does not exist.
    """
    config, stored = open_model(model, "language", LanguageConfig)
    units = restore_units(stored.header.tokenizer)
    network = stored.restore(lambda: build(config, units))
    return Predictor(network, units, stored.header, choose_device(device))
