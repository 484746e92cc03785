"""An example application: do brackets balance?   python recipes/brackets.py "(()())" "(()))(" """

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from audioseq import checkpoint
from audioseq.data import length_batches, pad
from audioseq.nn import Recurrent
from audioseq.training import Loss, TrainingConfig, fit


def draw(seed: int, count: int) -> list[str]:  # 1. Data: balanced texts, half of them shuffled
    source, texts = random.Random(seed), [""] * count
    for number in range(count):
        for _ in range(source.randint(1, 8)):
            place = source.randint(0, len(texts[number]))
            texts[number] = f"{texts[number][:place]}(){texts[number][place:]}"
    return ["".join(source.sample(text, len(text))) if source.random() < 0.5 else text for text in texts]


def balanced(text: str) -> bool:
    depths = [text[:end].count("(") - text[:end].count(")") for end in range(len(text) + 1)]
    return min(depths) == 0 == depths[-1]


class Batch(NamedTuple):  # the training loop moves its tensors to the model's device
    x: Tensor
    lengths: Tensor
    y: Tensor


def collate(texts: Sequence[str]) -> Batch:
    numbers = [torch.tensor([int(bracket == ")") for bracket in text]) for text in texts]
    return Batch(*pad(numbers), y=torch.tensor([float(balanced(text)) for text in texts]))


class BracketsModel(nn.Module):  # 2. Model: built from the shared layers
    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.embedding, self.recurrent = nn.Embedding(2, 8), Recurrent("lstm", 8, hidden_size)
        self.head = nn.Linear(hidden_size, 1)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        _, state = self.recurrent(self.embedding(x), lengths)  # the state before any padding
        score: Tensor = self.head(state[0])
        return score.squeeze(1)


class BracketsTask:  # 3. Task: the interface of the training loop, see audioseq.training.Task
    name, metric = "brackets", "errors"

    def __init__(self, seed: int, hidden_size: int) -> None:
        self.seed, self.train, self.valid = seed, draw(seed, 2000), collate(draw(seed + 1, 500))
        torch.manual_seed(seed)
        self.options = {"hidden_size": hidden_size}
        self.model = BracketsModel(**self.options)

    def plan(self, epoch: int) -> list[list[int]]:
        lengths = [len(text) for text in self.train]
        return length_batches(lengths, 512, seed=self.seed, epoch=epoch, shortest_first=False)

    def collate(self, indices: Sequence[int], epoch: int) -> Batch:
        return collate([self.train[index] for index in indices])

    def loss(self, batch: Batch, model: nn.Module) -> Loss:
        scores = model(batch.x, batch.lengths)
        total = nn.functional.binary_cross_entropy_with_logits(scores, batch.y, reduction="sum")
        return Loss(total, len(scores))

    def validate(self, model: nn.Module) -> dict[str, float]:
        predicted = model(self.valid.x, self.valid.lengths) > 0
        return {"errors": (predicted != self.valid.y.bool()).float().mean().item()}

    def header(self, card: dict[str, Any]) -> checkpoint.Header:
        return checkpoint.Header("brackets", self.options, card=card)


if __name__ == "__main__":
    config = TrainingConfig(epochs=5, learning_rate=1e-2, warmup=20)  # 4. Training
    best = fit(BracketsTask(config.seed, hidden_size=32), config, "runs/brackets", resume=True).best
    stored = checkpoint.load(best, task="brackets")  # 5. Use: the model file is sufficient
    model = BracketsModel(**stored.header.config).eval()
    stored.fill(model)
    for text in sys.argv[1:]:
        predicted = model(*collate([text])[:2]).item() > 0
        print(text, "balances" if predicted else "does not balance")
