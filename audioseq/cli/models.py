"""`audioseq models`: what models there are, what a model file says about itself, and fetching."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from audioseq.cli.common import ModelArgument, put
from audioseq.errors import AudioseqError, CheckpointError, DataError

app = typer.Typer(help="List, show and fetch models.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_models() -> None:
    """Print the models that have a name: name, task, where it is, and what it is."""
    from audioseq import models

    for model in models.CATALOGUE:
        try:
            place = str(models.resolve(model.name))
        except AudioseqError:
            place = "not here"
        put(f"{model.name}\t{model.task}\t{place}\t{model.summary}")


@app.command()
def show(
    model: ModelArgument,
) -> None:
    """Print what a model file says about itself, as JSON: data, licences, results, limits, config."""
    from audioseq import checkpoint, models

    path = models.resolve(model)
    header = asdict(checkpoint.read_header(path))
    put(json.dumps({"path": str(path), "bytes": path.stat().st_size, **header}, indent=2, ensure_ascii=False))


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name from `audioseq models list`.")],
) -> None:
    """Download a model into the cache, check it, and print its path."""
    from audioseq import models

    put(str(models.fetch(name)))


@app.command()
def export(
    model: ModelArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The file to write.")],
    results: Annotated[
        Path | None, typer.Option(metavar="JSON", help="A recipe's results.json, to be put into the card.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the file if it is there already.")
    ] = False,
) -> None:
    """Write a model file to hand on: weights of half the size (fp16), and measured results in its card."""
    from audioseq import checkpoint, models

    if output.exists() and not force:
        raise CheckpointError(f"{output}: is there already; --force overwrites it")
    stored = checkpoint.load(models.resolve(model))
    card = stored.header.card
    if results is not None:
        try:
            card = {**card, "results": json.loads(results.read_text(encoding="utf-8"))}
        except (OSError, ValueError) as error:
            raise DataError(f"{results}: cannot be read as JSON ({error})") from None
    checkpoint.save(output, stored.weights, replace(stored.header, card=card), half=True)
    put(str(output))
