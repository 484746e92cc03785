"""The network: a bidirectional encoder of the melody, and a generator of the lower voices."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from audioseq.music.harmony.config import ModelConfig
from audioseq.music.harmony.voices import QUARTER, VOCABULARY_SIZES
from audioseq.music.representation.part_writing import HIGHEST_PITCH, LOWEST_PITCH, VOICES
from audioseq.nn import CellName, RecurrentStack, States

SOPRANO, ALTO, TENOR, BASS = range(len(VOICES))
ORDER = (BASS, TENOR, ALTO)
"""Order in which the voices of a sixteenth are predicted, each given the soprano and the voices before it."""
KNOWN_VOICES = {BASS: (SOPRANO,), TENOR: (SOPRANO, BASS), ALTO: (SOPRANO, BASS, TENOR)}
"""The voices that each prediction is conditioned on."""
PITCHES = max(HIGHEST_PITCH) - min(LOWEST_PITCH) + 2
"""Number of pitch tokens shared by all voices: 0 is a rest, 1 the lowest note of the bass."""
MAX_LEAP_SEMITONES = 12
"""Wider leaps are scored as this one."""
DURATION_CLASSES = 17
"""Number of classes of elapsed or remaining durations: 0 to 15 sixteenths, and 16 or more."""


class HarmonyModel(nn.Module):
    """Encode the melody in both directions, then generate the lower voices from left to right.

    One step of the generator is a sixteenth. Its voices are predicted one after the other, so the joint
    probability is exact: each voice is conditioned on the melody, all previous sixteenths and the voices
    predicted before it. Held and repeated notes are not distinguished.

    The score of a pitch is the sum of scores of the pitch, of the leap from the previous note, and of the
    intervals to the known voices; leaps and intervals are shared by all keys. A table scores the motion of
    each pair of voices by the interval before, both directions and the interval after, so that the rules of
    part-writing can be learnt.

    Args:
        cell: `gru` or `lstm`.
        width: size of an embedding.
        reading_size: units of each direction of each encoder layer.
        reading_layers: number of encoder layers.
        hidden_size: units of each generator layer.
        num_layers: number of generator layers.
        head_size: units of the hidden layer of the head of each voice.
        dropout: probability of zeroing a feature of each layer's output in training.
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
            scores = VOCABULARY_SIZES[voice] + 2 * MAX_LEAP_SEMITONES + 1 + 12 * len(known)
            self.outer[name] = nn.Linear(head_size, scores)
            self.register_buffer(f"relative_index_{name}", _relative_index(voice), persistent=False)
            for other in known:
                self.motion[f"{name}_{VOICES[other]}"] = nn.Parameter(torch.zeros(3 * 3 * 12 * 12, 1))

    def encode_melody(self, melody: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Encode the melody: return features of each sixteenth `[B, T, E]`.

        Args:
            melody: tokens of the soprano, int64 `[B, T]`.
            lengths: valid sixteenths, int64 `[B]`; all if not given.
        """
        place = torch.arange(melody.shape[1], device=melody.device) % QUARTER
        x = self._embed(melody, SOPRANO) + self.place(place) + self.since(elapsed_sixteenths(melody))
        x = x + self.until(elapsed_sixteenths(melody.flip(1)).flip(1))
        y: Tensor = self.reader(x, lengths)[0]
        return y

    def summarise(
        self, melody: Tensor, before: Tensor, held: Tensor, state: States | None = None
    ) -> tuple[Tensor, States | None]:
        """Return the input of the heads for each sixteenth `[B, T, S]`, and the state of the generator.

        Args:
            melody: output of `encode_melody` `[B, T, E]`.
            before: tokens of all voices in the previous sixteenth, 0 at the beginning, int64 `[B, T, 4]`.
            held: `elapsed_sixteenths` of each of them, 0 at the beginning, int64 `[B, T, 4]`.
            state: state of the generator after the previous sixteenths.
        """
        voices = [self._embed(before[..., voice], voice) + self.held(held[..., voice]) for voice in ORDER]
        y, state = self.writer(torch.cat([melody, *voices], dim=2), state=state)
        return torch.cat([melody, y], dim=2), state

    def score_voice(self, summary: Tensor, voice: int, now: Tensor, before: Tensor) -> Tensor:
        """Score the tokens of one voice.

        Args:
            summary: output of `summarise` `[N, S]`.
            voice: index of the voice.
            now: tokens of the voices, int64 `[N, 4]`; only the known voices are used.
            before: tokens in the previous sixteenth, int64 `[N, 4]`.
        Returns:
            unnormalised log-probabilities `[N, V]`.
        """
        name, known = VOICES[voice], KNOWN_VOICES[voice]
        current = [self._embed(now[:, other], other) for other in known]
        z = self.inner[name](torch.cat([summary, *current, self._embed(before[:, voice], voice)], dim=1))
        absolute, leaps, *intervals = self.outer[name](z).split(
            [VOCABULARY_SIZES[voice], 2 * MAX_LEAP_SEMITONES + 1, *[12] * len(known)], dim=1
        )
        leap_index, interval_index = getattr(self, f"relative_index_{name}")
        scores: Tensor = absolute + _gather_scores(leaps, leap_index[self._pitch(before[:, voice], voice)])
        for other, relative in zip(known, intervals, strict=True):
            scores = scores + _gather_scores(relative, interval_index[self._pitch(now[:, other], other)])
            scores = scores + self._score_motion(voice, other, now, before)
        return scores

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Compute the nats of alto, tenor and bass in each sixteenth, 0 in the padding, `[B, T, 3]`.

        Args:
            tokens: tokens of all voices, int64 `[B, T, 4]`.
            lengths: valid sixteenths, int64 `[B]`.
        """
        before = nn.functional.pad(tokens[:, :-1], (0, 0, 1, 0))
        elapsed = torch.stack([elapsed_sixteenths(voice) for voice in tokens[:, :-1].unbind(2)], dim=2)
        held = nn.functional.pad(elapsed, (0, 0, 1, 0))
        summary, _ = self.summarise(self.encode_melody(tokens[..., SOPRANO], lengths), before, held)
        valid = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
        summary, now, before = summary[valid], tokens[valid], before[valid]
        voices = sorted(ORDER)
        scores = (self.score_voice(summary, voice, now, before).float() for voice in voices)
        pairs = zip(scores, now[:, voices].unbind(1), strict=True)
        nats = [nn.functional.cross_entropy(each, targets, reduction="none") for each, targets in pairs]
        result = nats[0].new_zeros(*tokens.shape[:2], len(ORDER))
        result[valid] = torch.stack(nats, dim=1)
        return result

    def _score_motion(self, voice: int, other: int, now: Tensor, before: Tensor) -> Tensor:
        """Score the motion to each pitch of a voice relative to another voice `[N, V]`; 0 where one rests."""
        pitches = self._pitch(torch.arange(VOCABULARY_SIZES[voice], device=now.device), voice)
        from_, to = self._pitch(before[:, other], other)[:, None], self._pitch(now[:, other], other)[:, None]
        own = self._pitch(before[:, voice], voice)[:, None]
        # The table has an entry for both directions, the interval before and the interval after.
        directions = 3 * ((to - from_).sign() + 1) + (pitches - own).sign() + 1
        index = 12 * (12 * directions + (own - from_) % 12) + (pitches - to) % 12
        sounding = (from_ > 0) & (to > 0) & (own > 0) & (pitches > 0)
        scores = nn.functional.embedding(index, self.motion[f"{VOICES[voice]}_{VOICES[other]}"]).squeeze(2)
        return torch.where(sounding, scores, 0.0)

    def _pitch(self, tokens: Tensor, voice: int) -> Tensor:
        """Convert tokens of a voice to pitch tokens shared by all voices."""
        return torch.where(tokens > 0, tokens + (LOWEST_PITCH[voice] - min(LOWEST_PITCH)), 0)

    def _embed(self, tokens: Tensor, voice: int) -> Tensor:
        pitch = self._pitch(tokens, voice)
        embedded: Tensor = self.pitch(pitch) + self.pitch_class(torch.where(pitch > 0, pitch % 12 + 1, 0))
        return embedded


def elapsed_sixteenths(tokens: Tensor) -> Tensor:
    """Count how many times in a row each token has occurred, at most 16, int64 `[B, T]`.

    Example:
        >>> elapsed_sixteenths(torch.tensor([[5, 5, 7, 7, 7]])).tolist()
        [[1, 2, 1, 2, 3]]
    """
    index = torch.arange(tokens.shape[1], device=tokens.device)
    changes = torch.ones_like(tokens, dtype=torch.bool)
    changes[:, 1:] = tokens[:, 1:] != tokens[:, :-1]
    return (index - torch.where(changes, index, 0).cummax(dim=1).values + 1).clamp(max=DURATION_CLASSES - 1)


def build(config: ModelConfig) -> HarmonyModel:
    """Build a model with random weights."""
    return HarmonyModel(**config.model_dump())


def _relative_index(voice: int) -> Tensor:
    """Return the index of the leap and of the interval score of each pitch of a voice, given another pitch.

    Returns:
        int64 `[2, PITCHES, V]`; -1 where either is a rest.
    """
    own = torch.arange(VOCABULARY_SIZES[voice]) - 1 + LOWEST_PITCH[voice]
    other = torch.arange(PITCHES).unsqueeze(1) - 1 + min(LOWEST_PITCH)
    leaps = (own - other).clamp(-MAX_LEAP_SEMITONES, MAX_LEAP_SEMITONES) + MAX_LEAP_SEMITONES
    index = torch.stack([leaps, (own - other) % 12])
    index[:, 0], index[:, :, 0] = -1, -1
    return index


def _gather_scores(relative: Tensor, index: Tensor) -> Tensor:
    """Return the relative score of each pitch; 0 where the index is -1."""
    return torch.where(index >= 0, relative.gather(1, index.clamp(min=0)), 0.0)
