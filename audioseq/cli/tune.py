"""`audioseq tune`: tune the weights of a language model for decoding."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from audioseq.cli.common import (
    Beam,
    Device,
    Force,
    Json,
    ModelArgument,
    Rescorer,
    decoding_options,
    log,
    print_result,
)
from audioseq.cli.paths import refuse_to_overwrite


def tune(
    model: ModelArgument,
    manifest: Annotated[
        Path,
        typer.Argument(
            metavar="MANIFEST", help="Manifest (.jsonl) of recordings of two speakers or more, with texts."
        ),
    ],
    lm: Annotated[
        str | None, typer.Option(metavar="LM", help="N-gram language model: a name or a file.")
    ] = None,
    beam: Beam = None,
    rescorer: Rescorer = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write a copy of MODEL with the tuned weights."),
    ] = None,
    as_json: Json = False,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Tune the weights of a language model for decoding.

    Minimises the word error rate. Give --lm or --rescore, or both. The weights are tuned on the first half of
    the speakers, sorted by name, and evaluated on both halves. The model written with -o stores them in its
    card; transcribe and evaluate use them with any language model.
    """
    refuse_to_overwrite(output, force)
    from audioseq import models
    from audioseq.data import read_manifest
    from audioseq.speech import pipeline
    from audioseq.speech.decoding.decoder import CARD_KEY
    from audioseq.speech.evaluation.tune import tune

    options = decoding_options(None, beam=beam, lm=lm, rescorer=rescorer)
    if options == "greedy":
        raise typer.BadParameter("give a language model", param_hint="--lm")
    result = tune(pipeline.load_recogniser(model, device), read_manifest(manifest), options)
    print_result(json.dumps(result.to_dict()) if as_json else result.summary())
    if output is not None:
        card = {CARD_KEY: {**result.to_dict(), "lm": str(lm), "rescorer": str(rescorer)}}
        _write_with_card(output, models.resolve(model, task="speech"), card)
        log(f"wrote {output}")


def _write_with_card(output: Path, model: Path, card: dict[str, Any]) -> None:
    """Write a copy of a model with additions to its card; the weights stay bit for bit the same."""
    from audioseq import checkpoint

    stored = checkpoint.load(model)
    header = dataclasses.replace(stored.header, card={**stored.header.card, **card})
    checkpoint.save(output, stored.weights, header, precision=stored.precision)
