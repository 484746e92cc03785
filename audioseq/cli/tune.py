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
    Lm,
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
    lm: Lm = None,
    beam: Beam = None,
    rescorer: Rescorer = None,
    rescoring_only: Annotated[
        bool, typer.Option("--rescoring-only", help="Keep the weights of the search; decodes only once.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write a copy of MODEL with the tuned weights."),
    ] = None,
    as_json: Json = False,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Tune the weights of a language model for decoding.

    Minimises the word error rate: first of the search with the n-gram model, then of rescoring. The weights
    are tuned on the first half of the speakers, sorted by name, and evaluated on both halves. The model
    written with -o stores the weights and the names of the language models in its card; transcribe and
    evaluate use them.
    """
    refuse_to_overwrite(output, force)
    from audioseq import models
    from audioseq.data import read_manifest
    from audioseq.speech import pipeline
    from audioseq.speech.decoding.weights import CARD_KEY
    from audioseq.speech.evaluation.tune import tune

    recogniser = pipeline.load_recogniser(model, device)
    options = decoding_options(recogniser, beam=beam, lm=lm, rescorer=rescorer)
    if options == "greedy":
        raise typer.BadParameter("give a language model", param_hint="--lm")
    result = tune(recogniser, read_manifest(manifest), options, search=not rescoring_only)
    print_result(json.dumps(result.to_dict()) if as_json else result.summary())
    if output is not None:
        names = {"lm": options.lm, "rescorer": options.rescorer}
        card = {CARD_KEY: {**result.to_dict(), **{key: str(name) for key, name in names.items() if name}}}
        _write_with_card(output, models.resolve(model, task="speech"), card)
        log(f"wrote {output}")


def _write_with_card(output: Path, model: Path, card: dict[str, Any]) -> None:
    """Write a copy of a model with additions to its card; the weights stay bit for bit the same."""
    from audioseq import checkpoint

    stored = checkpoint.load(model)
    header = dataclasses.replace(stored.header, card={**stored.header.card, **card})
    checkpoint.save(output, stored.weights, header, precision=stored.precision)
