"""`audioseq evaluate`: metrics of a model on held-out data, and statistics of music."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from audioseq.cli.common import (
    Beam,
    Device,
    ErrorCounter,
    HotwordFile,
    HotwordOption,
    Json,
    Lm,
    Rescorer,
    Threads,
    decoding_options,
    log,
    print_result,
)
from audioseq.cli.progress import track_progress
from audioseq.errors import CheckpointError

MIDI = "MIDI"
OPTIONS = {
    "speech": {"--beam", "--lm", "--rescore", "--hotword", "--hotwords", "--device"},
    "music": {"--device"},
    "language": {"--lm"},
    "punctuation": {"--device"},
    "ngram": set(),
    MIDI: {"--training", "--plot"},
}
"""The tasks that can be evaluated, and the options that apply to each."""


class Report(Protocol):
    """Result of an evaluation."""

    def summary(self) -> str:
        """Return the result as tables."""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-serialisable values."""


def evaluate(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|MIDI", help="Name or file of a model; or a MIDI file, or a folder of MIDI files."
        ),
    ],
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="For a speech or music model, a manifest (.jsonl); for a language or punctuation model, a "
            "text file; for MIDI files, a manifest or a folder of MIDI files to compare them with.",
        ),
    ],
    as_json: Json = False,
    beam: Beam = None,
    lm: Lm = None,
    rescorer: Rescorer = None,
    hotwords: HotwordOption = None,
    hotword_file: HotwordFile = None,
    training: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="MIDI files: report notes copied from this manifest or folder."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="MIDI files: also plot the statistics.")
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Evaluate a model on held-out data, or compare MIDI files.

    \b
    Speech model    word and character error rates, error types, the most
                    frequent confusions, the worst utterances
    Music model     negative log-likelihood per note and per event, in nats
    Language model  perplexity; with --lm, beside that of an n-gram model
    Punctuation     precision, recall and F1 of each mark and of capitals
    MIDI files      statistics beside those of DATA; the longest copied runs
    """
    given = {
        "--beam": beam, "--lm": lm, "--rescore": rescorer, "--hotword": hotwords, "--hotwords": hotword_file,
        "--training": training, "--plot": plot, "--device": None if device == "auto" else device,
    }  # fmt: skip
    kind = _kind(subject)
    for option in sorted(name for name, value in given.items() if value is not None):
        if option not in OPTIONS[kind]:
            what = "MIDI files" if kind == MIDI else f"a model for {kind}"
            raise typer.BadParameter(f"has no effect on {what}", param_hint=option)
    report: Report
    errors = ErrorCounter()
    if kind == "speech":
        from audioseq.data import read_manifest
        from audioseq.speech import pipeline
        from audioseq.speech.evaluation import evaluate

        recogniser = pipeline.load_recogniser(subject, device)
        search = decoding_options(
            recogniser,
            beam=beam,
            lm=lm,
            rescorer=rescorer,
            hotwords=hotwords,
            hotword_file=hotword_file,
        )
        utterances = track_progress(read_manifest(data), "evaluating")
        report = evaluate.evaluate(recogniser, utterances, search, errors.report)
    elif kind == "music":
        from audioseq.music import evaluate as music

        report = music.evaluate(subject, data, device)
    elif kind == "punctuation":
        from audioseq.language.punctuation import evaluate as punctuation

        report = punctuation.evaluate(subject, data, device)
    elif kind == MIDI:
        report = _compare_midi(Path(subject), data, training, plot)
    else:
        from audioseq.language import evaluate as language

        report = language.evaluate(subject, data, lm)
    print_result(json.dumps(report.to_dict(), ensure_ascii=False) if as_json else report.summary())
    errors.exit_if_any()


def _kind(subject: str) -> str:
    """Return the task of a model, or MIDI."""
    from audioseq import checkpoint, models
    from audioseq.midi import SUFFIXES

    if Path(subject).is_dir() or subject.lower().endswith(SUFFIXES):
        return MIDI
    task = checkpoint.read_header(models.resolve(subject)).task
    if task not in OPTIONS:
        raise CheckpointError(f"{subject}: a model for {task} cannot be evaluated; choose another model")
    return task


def _compare_midi(folder: Path, reference: Path, training: Path | None, plot: Path | None) -> Report:
    from audioseq.music.analysis import plot as drawing
    from audioseq.music.analysis.comparison import compare, read_pieces

    if plot is not None:
        drawing.check(plot)

    def read(source: Path) -> dict[str, Any]:
        return read_pieces(source, log, lambda files: track_progress(files, f"reading {source}"))

    report = compare(read(folder), read(reference), None if training is None else read(training))
    if plot is not None:
        drawing.compare(report.rows, plot, f"{folder} · {len(report.statistics)} pieces")
    return report
