"""`audioseq evaluate`: error rates of a model on recordings whose words are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from audioseq.cli.common import (
    Beam,
    Device,
    HotwordFile,
    HotwordOption,
    Lm,
    ModelArgument,
    Rescorer,
    beam_search,
    put,
)


def evaluate(
    model: ModelArgument,
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="JSON lines: audio_filepath, duration, text.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    beam: Beam = None,
    lm: Lm = None,
    rescorer: Rescorer = None,
    hotwords: HotwordOption = None,
    hotword_file: HotwordFile = None,
    device: Device = "auto",
) -> None:
    """Print word and character error rates, the worst utterances and what was mistaken for what."""
    from audioseq.data import read_manifest
    from audioseq.speech import pipeline
    from audioseq.speech.evaluate import evaluate

    recogniser = pipeline.load(model, device)
    search = beam_search(
        recogniser.usual, beam=beam, lm=lm, rescorer=rescorer, hotwords=hotwords, hotword_file=hotword_file
    )
    report = evaluate(recogniser, read_manifest(manifest), search)
    put(json.dumps(report.to_dict(), ensure_ascii=False) if as_json else report.summary())
