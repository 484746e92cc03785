"""Translate sentences with a model file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from beam import Hypothesis, search
from pairs import BEGIN, END, Subwords
from torch import Tensor
from translator import EncoderOutput, Translator

from audioseq import checkpoint
from audioseq.data import pad
from audioseq.errors import CheckpointError, DataError

BATCH_SIZE = 64
"""Number of sentences that are translated in one batch."""
MAX_TOKENS = 500
"""Maximum number of tokens of a sentence; a longer text must be split."""


@dataclass(frozen=True)
class Translation:
    """A translation of a sentence.

    Args:
        text: the target sentence.
        score: log probability with length normalisation; higher is better.
        tokens: ids with the end token.
    """

    text: str
    score: float
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class TranslationPipeline:
    """A trained network with its subwords and the options of the beam search.

    Args:
        model: the network in evaluation mode.
        subwords: its subwords.
        beam, penalty: beam size and length penalty, as in `beam.search` and `Hypothesis.score`.
    """

    model: Translator
    subwords: Subwords
    beam: int = 5
    penalty: float = 1.0

    @classmethod
    def load(cls, path: Path, *, beam: int = 1) -> TranslationPipeline:
        """Load a model file, which contains the options of the beam search.

        Args:
            path: the model file.
            beam: minimum beam size.
        Raises:
            CheckpointError: the file is missing, damaged, or of another task.
        """
        stored = checkpoint.load(path, task="translation")
        subwords = Subwords.from_dict(stored.header.tokenizer)
        try:
            model = Translator(subwords.size, **stored.header.config["model"])
            tuned, penalty = (stored.header.config["search"][name][0] for name in ("beams", "penalties"))
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError):
            raise CheckpointError(f"{path}: its config is damaged; download or train it again") from None
        stored.fill(model)
        return cls(model.eval(), subwords, max(tuned, beam), penalty)

    def translate(self, texts: Sequence[str]) -> list[list[Translation]]:
        """Translate sentences; return up to `beam` translations of each, the best first.

        Raises:
            DataError: a text is empty, or too long for a sentence.
        """
        for number, text in enumerate(texts, 1):
            length = len(self.subwords.encode(text))
            if length == 1:
                raise DataError(f"sentence {number}: {text!r} contains no text; remove it")
            if length > MAX_TOKENS:
                raise DataError(
                    f"sentence {number}: {text[:40]!r} … has {length} tokens; split it at full stops"
                )
        found = find_hypotheses(self.model, self.subwords, texts, self.beam)
        return [[self._translation(each) for each in ranked(row, self.penalty)] for row in found]

    def attention(self, text: str, translation: Translation) -> tuple[list[str], list[str], Tensor]:
        """Return the subwords of a sentence and of its translation, and the attention weights `[L, U, T]`."""
        tokens = self.subwords.encode(text)
        previous = torch.tensor([[BEGIN, *translation.tokens[:-1]]])
        with torch.inference_mode():
            source, states = self.model.encode(torch.tensor([tokens]), torch.tensor([len(tokens)]))
            _, _, weights = self.model.decode(previous, source, states)
        return self.subwords.pieces(tokens), self.subwords.pieces(translation.tokens), torch.cat(weights)

    def _translation(self, hypothesis: Hypothesis) -> Translation:
        text = self.subwords.decode(hypothesis.tokens)
        return Translation(text, hypothesis.score(self.penalty), hypothesis.tokens)


class BatchDecoder:
    """Decoder of a batch of sentences for the beam search, see `beam.StepDecoder`.

    Args:
        model: the network.
        source: ids of the source sentences `[B, T]`.
        lengths: their lengths `[B]`.
    """

    def __init__(self, model: Translator, source: Tensor, lengths: Tensor) -> None:
        self.model = model
        self.source, self.states = model.encode(source, lengths)

    def step(self, tokens: Tensor) -> Tensor:
        """Append a token to each row `[N]`; return log probabilities of the next tokens `[N, V]`."""
        tokens = tokens.to(self.source.features.device)
        scores, self.states, _ = self.model.decode(tokens.unsqueeze(1), self.source, self.states)
        return scores[:, 0].float().log_softmax(dim=1).cpu()

    def select(self, rows: Tensor) -> None:
        """Replace the rows by those at the indices."""
        rows = rows.to(self.source.features.device)
        self.source = EncoderOutput(*(part[rows] for part in self.source))
        self.states = [(h[rows], c[rows]) for h, c in self.states]


def find_hypotheses(
    model: Translator, subwords: Subwords, texts: Sequence[str], beam: int
) -> list[list[Hypothesis]]:
    """Find up to `beam` translations of each text, of at most 2 T + 10 tokens for a source of T tokens."""
    tokens = [subwords.encode(text) for text in texts]
    order = sorted(range(len(texts)), key=lambda index: len(tokens[index]))
    found: list[list[Hypothesis]] = [[]] * len(texts)
    device = model.embedding.weight.device
    with torch.inference_mode():
        for start in range(0, len(order), BATCH_SIZE):
            chosen = order[start : start + BATCH_SIZE]
            source, lengths = pad([torch.tensor(tokens[index]) for index in chosen])
            decoder = BatchDecoder(model, source.to(device), lengths.to(device))
            limits = [2 * length + 10 for length in lengths.tolist()]
            for index, each in zip(chosen, search(decoder, limits, beam, begin=BEGIN, end=END), strict=True):
                found[index] = each
    return found


def ranked(found: Sequence[Hypothesis], penalty: float) -> list[Hypothesis]:
    """Return hypotheses ordered by score, the best first."""
    return sorted(found, key=lambda each: -each.score(penalty))
