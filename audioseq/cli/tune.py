"""`audioseq tune`: how much to trust a language model."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from audioseq.cli.common import Beam, Device, Lm, ModelArgument, Rescorer, decoding_options, note, put
from audioseq.errors import CheckpointError


def tune(
    model: ModelArgument,
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="JSON lines: audio_filepath, duration, text, speaker.")
    ],
    lm: Lm = None,
    beam: Beam = None,
    rescorer: Rescorer = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write the model here, with the weights found."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
    device: Device = "auto",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file of -o.")] = False,
) -> None:
    """Find the weights of a language model that make the fewest word errors.

    They are found on the first half of the speakers, by name, and told of on the other half too. A model
    written with -o carries them: transcribe and evaluate use them whenever they are given a language model.
    """
    if output is not None and output.exists() and not force:
        raise CheckpointError(f"{output}: is there already; --force overwrites it")
    from audioseq import models
    from audioseq.data import read_manifest
    from audioseq.speech import pipeline
    from audioseq.speech.decoding.decoder import CARD_KEY
    from audioseq.speech.evaluation.tune import tune

    options = decoding_options(None, beam=beam, lm=lm, rescorer=rescorer)
    if options == "greedy":
        raise typer.BadParameter("give a language model", param_hint="--lm")
    found = tune(pipeline.load_recogniser(model, device), read_manifest(manifest), options)
    put(json.dumps(found.to_dict()) if as_json else found.summary())
    if output is not None:
        card = {CARD_KEY: {**found.to_dict(), "lm": str(lm), "rescorer": str(rescorer)}}
        _write(output, models.resolve(model, task="speech"), card)
        note(f"wrote {output}")


def _write(output: Path, model: Path, card: dict[str, Any]) -> None:
    """Write a model with more on its card, its weights to the bit as they were."""
    from audioseq import checkpoint

    stored = checkpoint.load(model)
    header = dataclasses.replace(stored.header, card={**stored.header.card, **card})
    checkpoint.save(output, stored.weights, header, half=stored.half)
