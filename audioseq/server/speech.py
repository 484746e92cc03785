"""The speech models of a server: their names, and the recognisers that concurrent requests share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from audioseq import models
from audioseq.checkpoint import read_header
from audioseq.errors import CheckpointError, ConfigError
from audioseq.server.options import ServerOptions
from audioseq.server.recognition import BatchedRecogniser
from audioseq.speech.decoding.decoder import DecodingOptions
from audioseq.speech.pipeline import load_recogniser


class SpeechModel:
    """A speech model with its language models, loaded once for all requests.

    Args:
        name: name by which clients choose it.
        model: name or path of the model.
        options: options of the server.
    Raises:
        CheckpointError: the model or one of its language models does not exist, or is damaged.
    """

    def __init__(self, name: str, model: str, options: ServerOptions) -> None:
        self.name = name
        self.path = models.resolve(model, "speech")
        self.languages = ("en",) if model in {known.name for known in models.CATALOGUE} else ()
        """Codes of the languages that the model is for; a file may be for any, so that it has none."""
        self._greedy = options.greedy
        recogniser = load_recogniser(model, options.device)
        self.recogniser = BatchedRecogniser(recogniser, options.batch_ms / 1000)
        if (recommended := self.decoding()) is not None:
            self.recogniser.load_decoder(recommended)  # so that the first request does not wait for it

    @property
    def alphabet(self) -> str:
        """The characters that the model emits."""
        return self.recogniser.recogniser.tokenizer.alphabet

    def decoding(self, hotwords: Sequence[str] = (), *, greedy: bool = False) -> DecodingOptions | None:
        """Return the decoding options for a request; None for greedy decoding.

        Args:
            hotwords: words or phrases to boost.
            greedy: decode without language models, which is faster; ignored with hotwords.
        """
        recommended = self.recogniser.recogniser.recommended_options
        if hotwords:
            return replace(recommended or DecodingOptions(), hotwords=tuple(hotwords))
        return None if greedy or self._greedy else recommended


def load_models(options: ServerOptions) -> dict[str, SpeechModel]:
    """Load the speech models of a server by their names, the default one first.

    Raises:
        CheckpointError: a model does not exist, is damaged, or is not one of speech.
        ConfigError: two models have the same name.
    """
    named = choose_names(options.models).items()
    return {name: SpeechModel(name, model, options) for name, model in named}


def choose_names(chosen: Sequence[str]) -> dict[str, str]:
    """Return speech models by the names of which clients choose one; without any, the default model.

    The name of a file is that without its folder and suffix.

    Raises:
        CheckpointError: a model does not exist, or is not one of speech.
        ConfigError: two models have the same name.
    Example:
        >>> choose_names(["digits"])
        {'digits': 'digits'}
    """
    named: dict[str, str] = {}
    for model in chosen or (models.default_for("speech"),):
        path = models.resolve(model, "speech")
        if (task := read_header(path).task) != "speech":
            raise CheckpointError(
                f"--model {path}: is a model for {task}, not for speech; choose another one"
            )
        name = Path(model).stem
        if name in named:
            raise ConfigError(
                f"--model {model}: another model is called {name!r} too, so that clients could not choose "
                "between them; rename a file"
            )
        named[name] = model
    return named
