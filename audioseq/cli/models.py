"""`audioseq models`: what models there are, what a model file says about itself, and fetching."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from audioseq.cli.common import ModelArgument, put
from audioseq.errors import AudioseqError, CheckpointError, DataError

app = typer.Typer(help="List, show and fetch models.", no_args_is_help=True, rich_markup_mode=None)

SHOWN = 60
"""Values of the longest list that `show` prints."""


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
    """Print what a model file says about itself, as JSON: data, licences, results, limits, config.

    Of long tables only their length is printed.
    """
    from audioseq import checkpoint, models

    path = models.resolve(model)
    header = _shortened(asdict(checkpoint.read_header(path)))
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


def _shortened(value: Any) -> Any:
    """Put the number of its values in place of each list that is longer than a person reads."""
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value] if len(value) <= SHOWN else f"{len(value)} values"
    return value
