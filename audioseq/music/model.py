"""The network: what is known of a piece so far to scores of its next event."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from audioseq.music.config import ModelConfig
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import COLUMNS, FEATURES, LAGS, LOOKBACK, RELATIVE_PITCHES
from audioseq.nn import CellName, RecurrentStack, State

SIZES = (v.STEPS, len(v.METERS), v.TRACKS, RELATIVE_PITCHES, v.DURATIONS, v.VELOCITIES)
"""Values of each field; pitches as they are written in C major or A minor."""
TIED = ("position", "meter", "track", "pitch", "duration", "velocity")
"""The column of what the model is told whose rows of the table score each field too."""
GIVEN = (
    (),
    (v.STEP,),
    (v.STEP,),
    (v.STEP, v.TRACK),
    (v.STEP, v.TRACK, v.PITCH),
    (v.STEP, v.TRACK, v.PITCH, v.DURATION),
)
"""The fields that are known when each is chosen."""


class MusicModel(nn.Module):
    """Embed what is known, run recurrent layers over it, and score the fields of the next event one by one.

    One step of the recurrent layers is a whole note: its fields are chosen one after the other, each knowing
    those before, by small heads on top. All values of all fields share one table of embeddings; its rows
    score the fields as well (tied, Press & Wolf 2017). Events one, two, four and eight bars ago stand
    beside (after the look-back of Waite 2016, Magenta).

    Args:
        cell: `gru` or `lstm`.
        width: size of an embedding.
        look_width: size of what is seen at each look back.
        hidden_size: units of each layer.
        num_layers: layers.
        dropout: probability of zeroing a feature of each layer's output while training.
    """

    offsets: Tensor
    look_offsets: Tensor
    bits: Tensor

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
        starts = [0]
        for size in COLUMNS.values():
            starts.append(starts[-1] + size)
        look_starts = [0]
        for size in LOOKBACK:
            look_starts.append(look_starts[-1] + size)
        names = list(COLUMNS)
        self.places = tuple(starts[names.index(name)] for name in TIED)
        self.register_buffer("offsets", torch.tensor(starts[:-1]), persistent=False)
        self.register_buffer("look_offsets", torch.tensor(look_starts[:-1]), persistent=False)
        self.register_buffer("bits", torch.tensor([1 << i for i in range(12)]), persistent=False)
        self.table = nn.EmbeddingBag(starts[-1], width, mode="sum")
        self.look = nn.EmbeddingBag(look_starts[-1], look_width, mode="sum")
        for table in (self.table, self.look):
            nn.init.normal_(table.weight, std=0.1)
        self.stack = RecurrentStack(
            cell, width + len(LAGS) * look_width + 12, hidden_size, num_layers,
            dropout=dropout, layer_norm=True, residual=True,
        )  # fmt: skip
        self.project = nn.Linear(hidden_size, width)
        self.heads = nn.ModuleList(nn.Linear(width, width) for _ in SIZES)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(size)) for size in SIZES)

    def forward(
        self, features: Tensor, state: tuple[State, ...] | None = None
    ) -> tuple[Tensor, tuple[State, ...] | None]:
        """Return what the heads read `[B, T, width]`, and the state to go on from.

        Args:
            features: `[B, T, FEATURES]` int64, as `grammar.Walk.features` tells.
            state: of the recurrent layers, after the events before.
        """
        batch, frames, _ = features.shape
        rows = features.reshape(-1, FEATURES)
        columns, looks, sounding = rows.split([len(COLUMNS), FEATURES - len(COLUMNS) - 1, 1], dim=1)
        known = self.table(columns + self.offsets)
        seen = self.look(looks.reshape(-1, len(LOOKBACK)) + self.look_offsets).reshape(len(rows), -1)
        chord = ((sounding & self.bits) > 0).to(known.dtype)
        x = torch.cat([known, seen, chord], dim=1).reshape(batch, frames, -1)
        y, state = self.stack(x, state=state)
        return self.project(y), state

    def choose(self, summary: Tensor, field: int, chosen: dict[int, Tensor]) -> Tensor:
        """Score the values of one field.

        Args:
            summary: what `forward` returns `[..., width]`.
            field: column of an event.
            chosen: values of the fields before, int64 `[...]`, those in `GIVEN`.
        Returns:
            unnormalised log-probabilities `[..., V]`.
        """
        z = summary
        for known in GIVEN[field]:
            z = z + nn.functional.embedding(chosen[known] + self.places[known], self.table.weight)
        z = nn.functional.gelu(self.heads[field](z))
        start = self.places[field]
        rows = self.table.weight[start : start + SIZES[field]]
        return nn.functional.linear(z, rows, self.biases[field])

    def losses(self, summary: Tensor, events: Tensor) -> Tensor:
        """Return the nats of each field of each event `[N, 6]`; 0 where an event has no such field.

        Args:
            summary: `[N, width]`.
            events: `[N, 6]` int64, -1 where there is no such field, and everywhere in what does not count.
        """
        result = summary.new_zeros(events.shape, dtype=torch.float32)
        for field in range(len(SIZES)):
            index = (events[:, field] >= 0).nonzero().squeeze(1)
            some = events[index]
            logits = self.choose(summary[index], field, {known: some[:, known] for known in GIVEN[field]})
            nats = nn.functional.cross_entropy(logits.float(), some[:, field], reduction="none")
            result[:, field] = result[:, field].index_put((index,), nats)
        return result


def build(config: ModelConfig) -> MusicModel:
    """Make a model with fresh weights."""
    options = config.model_dump()
    return MusicModel(**options)
