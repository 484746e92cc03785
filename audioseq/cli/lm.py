"""`audioseq lm`: n-gram language models from text, their perplexity, and ARPA files."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from audioseq.cli.common import note, put
from audioseq.errors import CheckpointError

app = typer.Typer(
    help="Train n-gram language models, evaluate and convert them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Texts = Annotated[
    list[str],
    typer.Argument(metavar="TEXT...", help="Text, one sentence a line; .xz, .gz and .bz2 too; - is stdin."),
]
Output = Annotated[
    Path,
    typer.Option(
        "-o", "--output", metavar="FILE", help="The file to write; .arpa: ARPA text; .xz: compressed."
    ),
]
Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="Name of a model, or path of a .safetensors or .arpa file.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there already.")]


@app.command()
def train(
    texts: Texts,
    output: Output,
    order: Annotated[int, typer.Option(metavar="N", help="Words in the longest n-grams.")] = 3,
    vocabulary: Annotated[
        int | None, typer.Option(metavar="N", help="Know the N most frequent words; all unless given.")
    ] = None,
    at_least: Annotated[
        list[int] | None,
        typer.Option(
            metavar="N",
            help="Leave out 2-grams seen less often; given again, 3-grams, and so on.",
        ),
    ] = None,
    prune: Annotated[
        float,
        typer.Option(metavar="SHARE", help="Leave out n-grams worth less perplexity than this: 1e-8, say."),
    ] = 0.0,
    max_size: Annotated[
        float | None, typer.Option(metavar="MB", help="Leave out n-grams until the file is so small.")
    ] = None,
    within: Annotated[
        str | None, typer.Option("--with", metavar="MODEL", help="Adapt this model to the text: mix the two.")
    ] = None,
    weight: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the text in the mixture with MODEL.")
    ] = 0.5,
    force: Force = False,
) -> None:
    """Train a model on text, and print its path."""
    from audioseq import models
    from audioseq.language import corpus
    from audioseq.language.ngram.build import Options, build
    from audioseq.language.ngram.files import load_ngram, save_ngram

    _refuse_overwriting(output, force)
    options = Options(order, vocabulary, at_least or (), prune, max_size)
    base = None if within is None else load_ngram(models.resolve(within, task="ngram"))
    text = corpus.gather(corpus.read(texts))
    note(text.summary())
    model = build(text, options, base, weight)
    card: dict[str, object] = {"text": text.summary(), "options": asdict(options)}
    if within is not None:
        card |= {"with": Path(within).name, "weight": weight}
    save_ngram(output, model, card)
    note(_size(model.sizes, output))
    put(str(output))


@app.command()
def evaluate(
    model: Model,
    texts: Texts,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a line.")] = False,
) -> None:
    """Print the perplexity of a model on text, and how much of the text it does not know."""
    from audioseq import models
    from audioseq.language import corpus
    from audioseq.language.ngram.files import load_ngram

    measured = load_ngram(models.resolve(model, task="ngram")).perplexity(
        corpus.sentences(corpus.read(texts))
    )
    put(json.dumps(asdict(measured)) if as_json else measured.summary())


@app.command()
def convert(model: Model, output: Output, force: Force = False) -> None:
    """Write a model in another form: ARPA text, or a compact .safetensors file, as the name ends."""
    from audioseq import models
    from audioseq.language.ngram.files import load_ngram, save_ngram

    _refuse_overwriting(output, force)
    stored = load_ngram(models.resolve(model, task="ngram"))
    save_ngram(output, stored)
    note(_size(stored.sizes, output))
    put(str(output))


def _refuse_overwriting(path: Path, force: bool) -> None:
    if path.exists() and not force:
        raise CheckpointError(f"{path}: is there already; --force overwrites it")


def _size(sizes: tuple[int, ...], path: Path) -> str:
    grams = ", ".join(f"{size:,} {order}-grams" for order, size in enumerate(sizes, 1))
    return f"{grams}; {path.stat().st_size / 1e6:.2f} MB"
