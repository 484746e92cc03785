"""What a speech recipe's `config.toml` may say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from audioseq.audio.augment import WaveAugment
from audioseq.audio.features import SpecAugment
from audioseq.config import Config
from audioseq.speech.pronunciation import ENGLISH
from audioseq.text.tokenizer import DEFAULT_ALPHABET
from audioseq.training import TrainingConfig

Size = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0, lt=1)]


class ModelConfig(Config):
    """The acoustic model; the meaning of each value is told in `AcousticModel`."""

    cell: Literal["rnn_tanh", "rnn_relu", "gru", "lstm"] = "lstm"
    n_mels: Annotated[int, Field(ge=8, le=256)] = 80
    hop_length: Annotated[int, Field(ge=40, le=400)] = 160
    channels: tuple[Size, ...] = (192, 256)
    lower_layers: Size = 2
    lower_size: Size = 256
    upper_layers: Size = 2
    upper_size: Size = 320
    speller_layers: Annotated[int, Field(ge=0)] = 0
    speller_size: Size = 288
    join: Size = 2
    bidirectional: bool = True
    dropout: Weight = 0.1


class DataConfig(Config):
    """Manifests (relative to the working directory) and how examples become batches."""

    train: tuple[Path, ...]
    valid: tuple[Path, ...]
    cache: Path | None = None
    """Directory for decoded recordings (115 MB an hour); without it each epoch decodes them anew."""
    seconds_per_batch: Annotated[float, Field(gt=0)] = 90.0
    """Seconds of audio, padding counted, in one update over all processes."""
    min_seconds: Annotated[float, Field(ge=0)] = 0.3
    max_seconds: Annotated[float, Field(gt=0)] = 20.0
    shortest_first: Annotated[int, Field(ge=0)] = 1
    """Number of epochs, from the first, that go from short to long utterances."""


class TextOnlyConfig(Config):
    """What a model with a speller learns phones and spellings from, see `Unspoken`."""

    dictionary: str | Path = ENGLISH
    """Pronunciations: `english`, or a file in the format of CMUdict."""
    texts: tuple[Path, ...] = ()
    """Texts without recordings, a sentence a line, for the speller alone."""
    segments: Path | None = None
    """What the model hears of recordings, to say these texts with; without it subwords are found in them."""
    sentences: Size = 3
    """Of these texts, to each recording."""


class SpeechConfig(Config):
    """A speech recipe: waveform to text by CTC."""

    task: Literal["speech"] = "speech"
    alphabet: str = DEFAULT_ALPHABET
    subwords: Annotated[int, Field(ge=0, le=5000)] = 0
    """Tokens that the model emits, learnt from the training texts; 0: characters."""
    intermediate_weight: Weight = 0.4
    """Share of the loss that the CTC of characters on top of the lower layers has, or that of phones."""
    spelling: TextOnlyConfig | None = None
    data: DataConfig
    model: ModelConfig = ModelConfig()
    wave_augment: WaveAugment | None = WaveAugment()
    spec_augment: SpecAugment | None = SpecAugment()
    training: TrainingConfig = TrainingConfig()
    card: dict[str, Any] = Field(default_factory=dict)
    """What the model files say beside what training itself knows: data, licences, limits."""

    @model_validator(mode="after")
    def _spelling_needs_a_speller(self) -> Self:
        if self.spelling is not None and not self.model.speller_layers:
            raise ValueError("spelling is for a model with a speller; set model.speller_layers, say to 2")
        return self
