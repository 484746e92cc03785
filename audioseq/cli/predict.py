"""`audioseq predict`: the next words of a text."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from audioseq.cli.common import MODEL_HELP, Device, Json, print_result


def predict(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Beginning of a sentence, quoted.")],
    n: Annotated[int, typer.Option("-n", metavar="N", min=1, help="Number of words to print.")] = 5,
    model: Annotated[
        str | None,
        typer.Option("-m", "--model", metavar="MODEL", help=MODEL_HELP, show_default="english-4gram"),
    ] = None,
    as_json: Json = False,
    device: Device = "auto",
) -> None:
    """Predict the next word of a text.

    Prints the most probable next words, each with its probability. MODEL is an n-gram or a recurrent
    language model.
    """
    from audioseq import checkpoint, models
    from audioseq.language.ngram import binary
    from audioseq.text.tokenizer import normalise

    path = models.resolve(model if model is not None else models.default_for(binary.TASK))
    if checkpoint.read_header(path).task == binary.TASK:
        words = binary.load(path).predict(normalise(text).text.split(), n)
    else:
        from audioseq.language import pipeline

        words = pipeline.load_predictor(path, device).predict(text, n)
    if as_json:
        found = [{"word": word, "probability": round(probability, 6)} for word, probability in words]
        print_result(json.dumps({"text": text, "words": found}, ensure_ascii=False))
    else:
        for word, probability in words:
            print_result(f"{word}\t{probability:.4f}")
