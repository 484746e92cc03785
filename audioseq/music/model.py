"""The network: from the input before an event to scores of the fields of the event."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from audioseq.music.config import ModelConfig
from audioseq.music.representation import event_state as e
from audioseq.music.representation.event_state import FIELD_OFFSETS, FIELD_SIZES, KNOWN_FIELDS
from audioseq.nn import CellName, RecurrentStack, States


class MusicModel(nn.Module):
    """Embed the input, run recurrent layers over it, and score the fields of the next event.

    One step of the recurrent layers is a whole event. Small output heads predict its fields in order, each
    conditioned on the fields before. The values of all columns share one embedding table, whose rows are also
    the output weights of the fields (tied, Press & Wolf 2017). The events one, two, four and eight bars ago
    are further inputs (after the lookback of Waite 2016, Magenta).

    Args:
        cell: `gru` or `lstm`.
        width: size of an embedding.
        look_width: size of the embedding of each lookback event.
        hidden_size: units of each layer.
        num_layers: number of layers.
        dropout: probability of zeroing a feature of each layer's output in training.
    """

    offsets: Tensor
    lookback_offsets: Tensor
    pitch_class_bits: Tensor

    def __init__(
        self,
        cell: CellName = "lstm",
        width: int = 192,
        look_width: int = 64,
        hidden_size: int = 448,
        num_layers: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        *offsets, rows = e.COLUMN_OFFSETS
        *lookback_offsets, lookback_rows = e.LOOKBACK_OFFSETS
        self.register_buffer("offsets", torch.tensor(offsets), persistent=False)
        self.register_buffer("lookback_offsets", torch.tensor(lookback_offsets), persistent=False)
        self.register_buffer("pitch_class_bits", torch.tensor([1 << i for i in range(12)]), persistent=False)
        self.table = nn.EmbeddingBag(rows, width, mode="sum")
        self.look = nn.EmbeddingBag(lookback_rows, look_width, mode="sum")
        for table in (self.table, self.look):
            nn.init.normal_(table.weight, std=0.1)
        self.stack = RecurrentStack(
            cell, width + len(e.LOOKBACK_BARS) * look_width + 12, hidden_size, num_layers,
            dropout=dropout, layer_norm=True, residual=True,
        )  # fmt: skip
        self.project = nn.Linear(hidden_size, width)
        self.heads = nn.ModuleList(nn.Linear(width, width) for _ in FIELD_SIZES)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(size)) for size in FIELD_SIZES)

    def forward(self, features: Tensor, state: States | None = None) -> tuple[Tensor, States | None]:
        """Return the input of the output heads `[B, T, width]`, and the state after the last event.

        Args:
            features: `[B, T, FEATURES]` int64, see `EventState.features`.
            state: of the recurrent layers, after the events before.
        """
        rows = features.flatten(0, 1)
        columns, lookbacks, sounding = rows.split([len(e.COLUMNS), e.FEATURES - len(e.COLUMNS) - 1, 1], dim=1)
        embedded = self.table(columns + self.offsets)
        indices = lookbacks.reshape(-1, len(e.LOOKBACK_SIZES)) + self.lookback_offsets
        repeated = self.look(indices).reshape(len(rows), -1)
        chord = ((sounding & self.pitch_class_bits) > 0).to(embedded.dtype)
        x = torch.cat([embedded, repeated, chord], dim=1).unflatten(0, features.shape[:2])
        y, state = self.stack(x, state=state)
        return self.project(y), state

    def score_field(self, summary: Tensor, field: int, chosen: dict[int, Tensor]) -> Tensor:
        """Return the scores of the values of a field.

        Args:
            summary: result of `forward` `[..., width]`.
            field: column of an event.
            chosen: values of the fields in `KNOWN_FIELDS`, int64 `[...]`.
        Returns:
            unnormalised log-probabilities `[..., V]`.
        """
        z = summary
        for known in KNOWN_FIELDS[field]:
            z = z + nn.functional.embedding(chosen[known] + FIELD_OFFSETS[known], self.table.weight)
        z = nn.functional.gelu(self.heads[field](z))
        start = FIELD_OFFSETS[field]
        rows = self.table.weight[start : start + FIELD_SIZES[field]]
        return nn.functional.linear(z, rows, self.biases[field])

    def losses(self, summary: Tensor, events: Tensor) -> Tensor:
        """Return the negative log-likelihood of each field in nats `[N, 6]`; 0 for fields without a value.

        Args:
            summary: result of `forward` `[N, width]`.
            events: `[N, 6]` int64; -1 marks fields without a value, and all fields of padding.
        """
        result = summary.new_zeros(events.shape, dtype=torch.float32)
        for field in range(len(FIELD_SIZES)):
            index = (events[:, field] >= 0).nonzero().squeeze(1)
            targets = events[index]
            chosen = {known: targets[:, known] for known in KNOWN_FIELDS[field]}
            logits = self.score_field(summary[index], field, chosen)
            nats = nn.functional.cross_entropy(logits.float(), targets[:, field], reduction="none")
            result[:, field] = result[:, field].index_put((index,), nats)
        return result


def build(config: ModelConfig) -> MusicModel:
    """Build a model with random weights."""
    return MusicModel(**config.model_dump())
