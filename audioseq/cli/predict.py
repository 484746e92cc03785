"""`audioseq predict`: the next words of a sentence that has begun."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from audioseq.cli.common import Device, put


def predict(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="How the sentence begins.")],
    n: Annotated[int, typer.Option("-n", metavar="N", min=1, help="How many words.")] = 5,
    model: Annotated[
        str | None, typer.Option("-m", "--model", help="Name of a model, or path of a .safetensors file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
    device: Device = "auto",
) -> None:
    """Print the most probable next words, each with its probability.

    Both kinds of language models will do: n-grams, and recurrent ones.
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
        put(json.dumps({"text": text, "words": found}, ensure_ascii=False))
    else:
        for word, probability in words:
            put(f"{word}\t{probability:.4f}")
