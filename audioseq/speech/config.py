"""The configuration of a speech recipe, `config.toml`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from audioseq.audio.augment import WaveAugment
from audioseq.audio.spec_augment import SpecAugment
from audioseq.checkpoint import Header
from audioseq.config import (
    Config,
    Count,
    Fraction,
    Layers,
    Size,
    merge,
    normalise_table,
    read_recipe,
    resolve,
)
from audioseq.speech.pronunciation import ENGLISH
from audioseq.text.tokenizer import DEFAULT_ALPHABET
from audioseq.training import TrainingConfig

SECOND_PASS_SHIFT_FRAMES = 2
"""Log-mel frames by which the second pass is delayed: half a step of the lower layers."""
PHONE_TEMPERATURE = 2.0
"""Softmax temperature of the phone probabilities that the phone-to-grapheme decoder reads."""
ADAPTATION: dict[str, Any] = {
    "data": {"seconds_per_batch": 40.0, "shortest_first": 0},
    "training": {"learning_rate": 2e-4, "warmup": 20, "epochs": 10.0, "decay": 0.8},
}
"""Default configuration for adapting a trained model to minutes of recordings of a new speaker."""


class ModelConfig(Config):
    """The acoustic model; `AcousticModel` documents each value."""

    former_names: ClassVar[dict[str, str]] = {
        "speller_layers": "p2g_layers",
        "speller_size": "p2g_size",
        "join": "frame_stacking",
    }

    cell: Literal["rnn_tanh", "rnn_relu", "gru", "lstm"] = "lstm"
    n_mels: Annotated[int, Field(ge=8, le=256)] = 80
    hop_length: Annotated[int, Field(ge=40, le=400)] = 160
    channels: Annotated[tuple[Size, ...], Field(min_length=1)] = (192, 256)
    lower_layers: Layers = 2
    lower_size: Size = 256
    upper_layers: Layers = 2
    upper_size: Size = 320
    p2g_layers: Annotated[int, Field(ge=0, le=1000)] = 0
    p2g_size: Size = 288
    frame_stacking: Size = 2
    bidirectional: bool = True
    dropout: Fraction = 0.1


class DataConfig(Config):
    """Manifests (relative to the working directory) and batching."""

    train: tuple[Path, ...]
    valid: tuple[Path, ...]
    cache: Path | None = None
    """Directory for decoded recordings (115 MB per hour); without it, every epoch decodes them again."""
    seconds_per_batch: Annotated[float, Field(gt=0)] = 90.0
    """Seconds of audio in one update over all processes, including padding."""
    max_batch: Count = 0
    """Maximum number of recordings in a batch; 0: no limit."""
    batch_multiple: Size = 1
    """Numbers of recordings in a batch are multiples of this one, if it is large enough."""
    resident: Literal["auto", "always", "never"] = "auto"
    """Whether the recordings stay in the memory of the device; `auto`: on a GPU, if they fit."""
    min_seconds: Annotated[float, Field(ge=0)] = 0.3
    max_seconds: Annotated[float, Field(gt=0)] = 20.0
    shortest_first: Count = 1
    """Number of initial epochs that order the utterances from short to long."""


class TextOnlyConfig(Config):
    """Pronunciations and texts for a model with a phone-to-grapheme decoder, see `TextOnlyData`."""

    dictionary: str | Path = ENGLISH
    """Pronunciation dictionary: `english`, or a file in the format of CMUdict."""
    texts: tuple[Path, ...] = ()
    """Texts without recordings, one sentence per line, that train the phone-to-grapheme decoder only."""
    segments: Path | None = None
    """Phone posteriors of recordings, from which those of the texts are synthesised (`PhoneSegments`).
    Without it, the texts are only used to learn the subwords."""
    sentences: Size = 3
    """Sentences of these texts per recording in a batch."""


class SpeechConfig(Config):
    """A speech recipe: waveform to text by CTC."""

    former_names: ClassVar[dict[str, str]] = {"spelling": "text_only"}

    task: Literal["speech"] = "speech"
    alphabet: str = DEFAULT_ALPHABET
    subwords: Annotated[int, Field(ge=0, le=5000)] = 0
    """Size of the subword vocabulary, learnt from the training texts; 0: characters."""
    intermediate_weight: Fraction = 0.4
    """Share of the loss for intermediate CTC: of characters, or of phones with a p2g decoder."""
    text_only: TextOnlyConfig | None = None
    data: DataConfig
    model: ModelConfig = ModelConfig()
    wave_augment: WaveAugment | None = WaveAugment()
    spec_augment: SpecAugment | None = SpecAugment()
    training: TrainingConfig = TrainingConfig()
    card: dict[str, Any] = Field(default_factory=dict)
    """Entries of the model card that training itself does not know: data, licences, limits."""

    @model_validator(mode="after")
    def _check_text_only(self) -> Self:
        if self.text_only is not None and not self.model.p2g_layers:
            raise ValueError(
                "text_only needs a phone-to-grapheme decoder; set model.p2g_layers, such as to 2"
            )
        return self


def resolve_config(
    source: Path,
    overrides: Sequence[str],
    *,
    valid: Path | None,
    smoke: bool,
    gpu: bool,
    start: Header | None,
    run_dir: Path,
) -> SpeechConfig:
    """Return the configuration of a training run.

    With a warm start, the defaults are those of the model: it keeps its alphabet, subwords and layers if the
    recipe does not set them, and its bundled dictionary if the alphabet stays the same.

    Args:
        source: a recipe's `config.toml`, or a manifest to train on with the default recipe.
        overrides: changes to the recipe.
        valid: manifest to validate on, instead of the recipe's.
        smoke: whether the recipe's `[smoke]` table is applied.
        gpu: whether the recipe's `[gpu]` table is applied.
        start: header of the model of a warm start.
        run_dir: run directory, which also holds the cache of decoded recordings by default.
    Raises:
        ConfigError: the recipe is invalid, or there is no validation manifest.
    """
    defaults = merge({} if start is None else ADAPTATION, {"data": {"cache": str(run_dir / "cache")}})
    table = read_recipe(source, valid, defaults, "recordings")
    if start is not None:
        kept = {key: start.config[key] for key in ("alphabet", "subwords", "model") if key in start.config}
        table = kept | table
    config = resolve(SpeechConfig, table, overrides, smoke=smoke, where=str(source), gpu=gpu)
    if start is not None and config.text_only is None and config.alphabet == start.config.get("alphabet"):
        text_only = normalise_table(SpeechConfig, start.config).get("text_only")
        if isinstance(text_only, dict) and text_only.get("dictionary") == ENGLISH:
            return config.model_copy(update={"text_only": TextOnlyConfig()})
    return config
