"""`audioseq lm`: train, evaluate and convert n-gram language models."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from audioseq.cli.common import Force, Json, log, print_result
from audioseq.cli.paths import refuse_to_overwrite

app = typer.Typer(
    help="Train, evaluate and convert n-gram language models.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Texts = Annotated[
    list[str],
    typer.Argument(
        metavar="TEXT",
        help="Text files, one sentence per line, plain or compressed (.xz, .gz, .bz2); - reads stdin.",
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Output file: .safetensors, .safetensors.xz (compressed) or .arpa (ARPA text).",
    ),
]
Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="Name of a model, or path of a .safetensors or .arpa file.")
]


@app.command()
def train(
    texts: Texts,
    output: Output,
    order: Annotated[int, typer.Option(metavar="N", help="Order of the n-gram model.")] = 3,
    vocabulary: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Limit the vocabulary to the N most frequent words.", show_default="all words"
        ),
    ] = None,
    at_least: Annotated[
        list[int] | None,
        typer.Option(
            metavar="N",
            help="Minimum count of 2-grams; repeat for 3-grams and so on.",
        ),
    ] = None,
    prune: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="Prune n-grams that change the perplexity by less than this share, such as 1e-8.",
        ),
    ] = 0.0,
    max_size: Annotated[
        float | None, typer.Option(metavar="MB", help="Prune n-grams until the file has this size.")
    ] = None,
    within: Annotated[
        str | None,
        typer.Option("--with", metavar="MODEL", help="Interpolate with this model, to adapt it to the text."),
    ] = None,
    weight: Annotated[
        float,
        typer.Option(
            metavar="SHARE", min=0, max=1, help="Interpolation weight of the text; MODEL gets the rest."
        ),
    ] = 0.5,
    force: Force = False,
) -> None:
    """Train an n-gram model on text.

    Prints the path of the model. Example: audioseq lm train mine.txt -o mine.safetensors
    """
    from audioseq import models
    from audioseq.language import corpus
    from audioseq.language.ngram.build import NGramOptions, build
    from audioseq.language.ngram.files import load_ngram, save_ngram

    refuse_to_overwrite(output, force)
    options = NGramOptions(order, vocabulary, at_least or (), prune, max_size)
    base = None if within is None else load_ngram(models.resolve(within, task="ngram"))
    text = corpus.build_corpus(corpus.read_lines(texts))
    log(text.summary())
    model = build(text, options, base, weight)
    card: dict[str, object] = {"text": text.summary(), "options": asdict(options)}
    if within is not None:
        card |= {"with": Path(within).name, "weight": weight}
    save_ngram(output, model, card)
    log(_describe_size(model.sizes, output))
    print_result(str(output))


@app.command()
def evaluate(
    model: Model,
    texts: Texts,
    as_json: Json = False,
) -> None:
    """Print the perplexity and the OOV rate of a text."""
    from audioseq import models
    from audioseq.language.evaluate import compute_perplexity

    measured = compute_perplexity(models.resolve(model, task="ngram"), texts)
    print_result(json.dumps(asdict(measured)) if as_json else measured.summary())


@app.command()
def convert(model: Model, output: Output, force: Force = False) -> None:
    """Convert a model from or to the ARPA format.

    The suffix of the output file selects the format. Prints its path.
    """
    from audioseq import models
    from audioseq.language.ngram.files import load_ngram, save_ngram

    refuse_to_overwrite(output, force)
    stored = load_ngram(models.resolve(model, task="ngram"))
    save_ngram(output, stored)
    log(_describe_size(stored.sizes, output))
    print_result(str(output))


def _describe_size(sizes: tuple[int, ...], path: Path) -> str:
    grams = ", ".join(f"{size:,} {order}-grams" for order, size in enumerate(sizes, 1))
    return f"{grams}; {path.stat().st_size / 1e6:.2f} MB"
