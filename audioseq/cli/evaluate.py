"""`audioseq evaluate`: how well a model does on data that is new to it, and what pieces of music are like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from audioseq.cli.common import (
    Beam,
    Device,
    HotwordFile,
    HotwordOption,
    Lm,
    Rescorer,
    decoding_options,
    note,
    put,
    watched,
)
from audioseq.errors import CheckpointError

MIDI = "MIDI"
TAKEN = {
    "speech": {"--beam", "--lm", "--rescore", "--hotword", "--hotwords", "--device"},
    "music": {"--device"},
    "language": {"--lm"},
    "ngram": set(),
    MIDI: {"--training", "--plot"},
}
"""What can be evaluated, and the options that have an effect there."""


class Report(Protocol):
    """What an evaluation finds."""

    def summary(self) -> str:
        """Return the tables that a person reads."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that are ready for JSON."""


def evaluate(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|FOLDER", help="A model, by its name or its file; or MIDI files, by their folder."
        ),
    ],
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A manifest, with recordings or with MIDI files; for a language model, text; "
            "for MIDI files, others to compare them with: a manifest or a folder.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    beam: Beam = None,
    lm: Lm = None,
    rescorer: Rescorer = None,
    hotwords: HotwordOption = None,
    hotword_file: HotwordFile = None,
    training: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="MIDI: look for notes copied from here: a manifest or a folder."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="MIDI: also draw the statistics.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Measure a model on data that it has not seen, or compare pieces of music with others.

    Of a speech model: word and character error rates, the worst utterances, what was mistaken for what. Of a
    music model: nats per note and per event. Of a language model: perplexity. Of MIDI files: statistics
    beside those of other pieces, and the longest runs of notes that were copied.
    """
    given = {
        "--beam": beam, "--lm": lm, "--rescore": rescorer, "--hotword": hotwords, "--hotwords": hotword_file,
        "--training": training, "--plot": plot, "--device": None if device == "auto" else device,
    }  # fmt: skip
    kind = _kind(subject)
    for option in sorted(name for name, value in given.items() if value is not None):
        if option not in TAKEN[kind]:
            what = "MIDI files" if kind == MIDI else f"a model for {kind}"
            raise typer.BadParameter(f"has no effect on {what}", param_hint=option)
    report: Report
    if kind == "speech":
        from audioseq.data import read_manifest
        from audioseq.speech import pipeline
        from audioseq.speech.evaluation import evaluate

        recogniser = pipeline.load_recogniser(subject, device)
        search = decoding_options(
            recogniser.recommended,
            beam=beam,
            lm=lm,
            rescorer=rescorer,
            hotwords=hotwords,
            hotword_file=hotword_file,
        )
        report = evaluate.evaluate(recogniser, read_manifest(data), search)
    elif kind == "music":
        from audioseq.music import evaluate as music

        report = music.evaluate(subject, data, device)
    elif kind == MIDI:
        report = _likeness(Path(subject), data, training, plot)
    else:
        from audioseq.language import evaluate as language

        report = language.evaluate(subject, data, lm)
    put(json.dumps(report.to_dict(), ensure_ascii=False) if as_json else report.summary())


def _kind(subject: str) -> str:
    """Return what is evaluated: the task of a model, or MIDI files."""
    from audioseq import checkpoint, models
    from audioseq.midi import SUFFIXES

    if Path(subject).is_dir() or subject.lower().endswith(SUFFIXES):
        return MIDI
    task = checkpoint.read_header(models.resolve(subject)).task
    if task not in TAKEN:
        raise CheckpointError(f"{subject}: is a model for {task}, which cannot be evaluated; choose another")
    return task


def _likeness(folder: Path, reference: Path, training: Path | None, plot: Path | None) -> Report:
    from audioseq.music.analysis import plot as drawing
    from audioseq.music.analysis.comparison import compare, read_pieces

    if plot is not None:
        drawing.check(plot)

    def read(source: Path) -> dict[str, Any]:
        return read_pieces(source, note, lambda files: watched(files, f"reading {source}"))

    report = compare(read(folder), read(reference), None if training is None else read(training))
    if plot is not None:
        drawing.compare(report.rows, plot, f"{folder} · {len(report.statistics)} pieces")
    return report
