"""The network: a melody, read to its end, to the lower voices, sixteenth by sixteenth."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from audioseq.music.harmony.config import ModelConfig
from audioseq.music.harmony.voices import HIGHEST_PITCH, LOWEST_PITCH, QUARTER, VOCABULARY_SIZES, VOICES
from audioseq.nn import CellName, RecurrentStack, State

SOPRANO, ALTO, TENOR, BASS = range(len(VOICES))
ORDER = (BASS, TENOR, ALTO)
"""In which the voices of a sixteenth are chosen, each knowing the soprano and those before."""
KNOWN_VOICES = {BASS: (SOPRANO,), TENOR: (SOPRANO, BASS), ALTO: (SOPRANO, BASS, TENOR)}
"""The voices that are known when each is chosen."""
PITCHES = max(HIGHEST_PITCH) - min(LOWEST_PITCH) + 2
"""Pitches of all voices, and 0 for a rest."""
MAX_LEAP_SEMITONES = 12
"""Semitones; wider leaps count as this one."""
DURATION_CLASSES = 17
"""How long a note has lasted or will: 0 to 16 sixteenths, or more."""


class HarmonyModel(nn.Module):
    """Read the melody in both directions, then write the lower voices from left to right.

    One step of the writing layers is a sixteenth. Its voices are chosen one after the other, so the joint
    probability is exact: that of each voice, given the melody, all that was before, and the voices chosen at
    the same time. A note that is held looks like one that is repeated.

    A pitch is scored by itself, by its leap from the note before, and by its intervals to the voices that are
    known: what is learnt of an interval holds in every key. A table scores how two voices move together: from
    which interval, each in which direction, to which. So the rules of part-writing can be learnt.

    Args:
        cell: `gru` or `lstm`.
        width: size of an embedding.
        reading_size: units of each direction of each reading layer.
        reading_layers: layers that read the melody.
        hidden_size: units of each writing layer.
        num_layers: layers that write.
        head_size: units of the layer that each voice is chosen by.
        dropout: probability of zeroing a feature of each layer's output while training.
    """

    def __init__(
        self,
        cell: CellName = "lstm",
        width: int = 32,
        reading_size: int = 96,
        reading_layers: int = 2,
        hidden_size: int = 224,
        num_layers: int = 1,
        head_size: int = 128,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.pitch = nn.Embedding(PITCHES, width)
        self.pitch_class = nn.Embedding(13, width)
        self.place = nn.Embedding(QUARTER, width)
        self.since, self.until = nn.Embedding(DURATION_CLASSES, width), nn.Embedding(DURATION_CLASSES, width)
        self.held = nn.Embedding(DURATION_CLASSES, width)
        self.reader = RecurrentStack(
            cell, width, reading_size, reading_layers,
            bidirectional=True, dropout=dropout, layer_norm=True, residual=True,
        )  # fmt: skip
        self.writer = RecurrentStack(
            cell, self.reader.output_size + len(ORDER) * width, hidden_size, num_layers,
            dropout=dropout, layer_norm=True, residual=True,
        )  # fmt: skip
        summary = self.reader.output_size + hidden_size
        self.inner, self.outer, self.motion = nn.ModuleDict(), nn.ModuleDict(), nn.ParameterDict()
        for voice in ORDER:
            name, known = VOICES[voice], KNOWN_VOICES[voice]
            self.inner[name] = nn.Sequential(
                nn.Linear(summary + (len(known) + 1) * width, head_size), nn.GELU(), nn.Dropout(dropout)
            )
            self.outer[name] = nn.Linear(
                head_size, VOCABULARY_SIZES[voice] + 2 * MAX_LEAP_SEMITONES + 1 + 12 * len(known)
            )
            self.register_buffer(f"rows_{name}", _relative_index(voice), persistent=False)
            for other in known:
                self.motion[f"{name}_{VOICES[other]}"] = nn.Parameter(torch.zeros(3 * 3 * 12 * 12, 1))

    def encode_melody(self, melody: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return what there is to know of the melody at each sixteenth `[B, T, E]`.

        Args:
            melody: tokens of the soprano, int64 `[B, T]`.
            lengths: valid sixteenths, int64 `[B]`; all where it is not given.
        """
        place = torch.arange(melody.shape[1], device=melody.device) % QUARTER
        x = self._embed(melody, SOPRANO) + self.place(place) + self.since(elapsed_sixteenths(melody))
        x = x + self.until(elapsed_sixteenths(melody.flip(1)).flip(1))
        y: Tensor = self.reader(x, lengths)[0]
        return y

    def summarise(
        self, melody: Tensor, before: Tensor, held: Tensor, state: tuple[State, ...] | None = None
    ) -> tuple[Tensor, tuple[State, ...] | None]:
        """Return what is known before the voices of each sixteenth are chosen `[B, T, S]`, and the state.

        Args:
            melody: as `read` returns it `[B, T, E]`.
            before: tokens of all voices in the sixteenth before, 0 at the beginning, int64 `[B, T, 4]`.
            held: for how long each has lasted by then, as `ages` tells, int64 `[B, T, 4]`.
            state: of the writing layers, after the sixteenths before.
        """
        voices = [self._embed(before[..., voice], voice) + self.held(held[..., voice]) for voice in ORDER]
        y, state = self.writer(torch.cat([melody, *voices], dim=2), state=state)
        return torch.cat([melody, y], dim=2), state

    def score_voice(self, summary: Tensor, voice: int, now: Tensor, before: Tensor) -> Tensor:
        """Score the tokens of one voice.

        Args:
            summary: as `remember` returns it `[N, S]`.
            voice: which.
            now: tokens of the voices, int64 `[N, 4]`; those that are known count.
            before: tokens in the sixteenth before, int64 `[N, 4]`.
        Returns:
            unnormalised log-probabilities `[N, V]`.
        """
        name, known = VOICES[voice], KNOWN_VOICES[voice]
        seen = [self._embed(now[:, other], other) for other in known]
        z = self.inner[name](torch.cat([summary, *seen, self._embed(before[:, voice], voice)], dim=1))
        absolute, leaps, *intervals = self.outer[name](z).split(
            [VOCABULARY_SIZES[voice], 2 * MAX_LEAP_SEMITONES + 1, *[12] * len(known)], dim=1
        )
        leap_rows, interval_rows = getattr(self, f"rows_{name}")
        scores: Tensor = absolute + _gather_scores(leaps, leap_rows[self._pitch(before[:, voice], voice)])
        for other, relative in zip(known, intervals, strict=True):
            scores = scores + _gather_scores(relative, interval_rows[self._pitch(now[:, other], other)])
            scores = scores + self._score_motion(voice, other, now, before)
        return scores

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the nats of alto, tenor and bass in each sixteenth, 0 past the end, `[B, T, 3]`.

        Args:
            tokens: of all voices, int64 `[B, T, 4]`.
            lengths: valid sixteenths, int64 `[B]`.
        """
        before = nn.functional.pad(tokens[:, :-1], (0, 0, 1, 0))
        held = nn.functional.pad(
            torch.stack([elapsed_sixteenths(voice) for voice in tokens[:, :-1].unbind(2)], dim=2),
            (0, 0, 1, 0),
        )
        summary, _ = self.summarise(self.encode_melody(tokens[..., SOPRANO], lengths), before, held)
        valid = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
        summary, now, before = summary[valid], tokens[valid], before[valid]
        nats = [
            nn.functional.cross_entropy(
                self.score_voice(summary, voice, now, before).float(), now[:, voice], reduction="none"
            )
            for voice in sorted(ORDER)
        ]
        result = nats[0].new_zeros(*tokens.shape[:2], len(ORDER))
        result[valid] = torch.stack(nats, dim=1)
        return result

    def _score_motion(self, voice: int, other: int, now: Tensor, before: Tensor) -> Tensor:
        """Score the pitches of a voice by how it would move with another one `[N, V]`; 0 where one rests."""
        pitches = self._pitch(torch.arange(VOCABULARY_SIZES[voice], device=now.device), voice)
        from_, to = self._pitch(before[:, other], other)[:, None], self._pitch(now[:, other], other)[:, None]
        own = self._pitch(before[:, voice], voice)[:, None]
        directions = 3 * ((to - from_).sign() + 1) + (pitches - own).sign() + 1
        index = 12 * (12 * directions + (own - from_) % 12) + (pitches - to) % 12
        sounding = (from_ > 0) & (to > 0) & (own > 0) & (pitches > 0)
        scores = nn.functional.embedding(index, self.motion[f"{VOICES[voice]}_{VOICES[other]}"]).squeeze(2)
        return torch.where(sounding, scores, 0.0)

    def _pitch(self, tokens: Tensor, voice: int) -> Tensor:
        """Return tokens of a voice as those of all voices: 0 for a rest, and 1 for the bass's lowest note."""
        return torch.where(tokens > 0, tokens + (LOWEST_PITCH[voice] - min(LOWEST_PITCH)), 0)

    def _embed(self, tokens: Tensor, voice: int) -> Tensor:
        pitch = self._pitch(tokens, voice)
        found: Tensor = self.pitch(pitch) + self.pitch_class(torch.where(pitch > 0, pitch % 12 + 1, 0))
        return found


def elapsed_sixteenths(tokens: Tensor) -> Tensor:
    """Return for how many sixteenths each token has come in a row, 16 at most, int64 `[B, T]`.

    Example:
        >>> ages(torch.tensor([[5, 5, 7, 7, 7]])).tolist()
        [[1, 2, 1, 2, 3]]
    """
    index = torch.arange(tokens.shape[1], device=tokens.device)
    begins = torch.ones_like(tokens, dtype=torch.bool)
    begins[:, 1:] = tokens[:, 1:] != tokens[:, :-1]
    return (index - torch.where(begins, index, 0).cummax(dim=1).values + 1).clamp(max=DURATION_CLASSES - 1)


def build(config: ModelConfig) -> HarmonyModel:
    """Make a model with fresh weights."""
    return HarmonyModel(**config.model_dump())


def _relative_index(voice: int) -> Tensor:
    """Return which relative score each pitch of a voice has, given another pitch: as a leap, as an interval.

    Returns:
        int64 `[2, PITCHES, V]`; one past the last leap for a rest on either side.
    """
    own = torch.arange(VOCABULARY_SIZES[voice]) - 1 + LOWEST_PITCH[voice]
    other = torch.arange(PITCHES).unsqueeze(1) - 1 + min(LOWEST_PITCH)
    leaps = (own - other).clamp(-MAX_LEAP_SEMITONES, MAX_LEAP_SEMITONES) + MAX_LEAP_SEMITONES
    rows = torch.stack([leaps, (own - other) % 12])
    rows[:, 0], rows[:, :, 0] = -1, -1
    return rows


def _gather_scores(relative: Tensor, rows: Tensor) -> Tensor:
    """Return the relative score of each pitch; 0 for row -1."""
    found = relative.gather(1, rows.clamp(min=0))
    return torch.where(rows >= 0, found, 0.0)
