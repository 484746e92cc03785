"""`audioseq transcribe`: transcripts of recordings as text, subtitles, JSON and other formats."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from audioseq.cli.common import (
    DEFAULT_MODEL,
    Beam,
    Device,
    ErrorCounter,
    HotwordFile,
    HotwordOption,
    Lm,
    Model,
    Rescorer,
    decoding_options,
    log,
    print_result,
)
from audioseq.cli.progress import transcription_progress

if TYPE_CHECKING:
    from audioseq.speech.batch.inputs import Recording
    from audioseq.speech.batch.transcribe import TranscriptionResult

STDIN = Path("-")

Format = Literal["txt", "srt", "vtt", "tsv", "json", "ctm", "textgrid"]


def transcribe(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="INPUT",
            help="Recordings, folders of recordings, quoted patterns such as 'clips/**/*.wav', "
            "manifests (.jsonl), or - for a recording on stdin.",
            show_default=False,
        ),
    ] = None,
    listing: Annotated[
        Path | None,
        typer.Option(
            "--list", metavar="FILE", help="File with the paths of recordings, one per line; - reads stdin."
        ),
    ] = None,
    model: Model = DEFAULT_MODEL,
    form: Annotated[Format, typer.Option("-f", "--format", help="Output format.")] = "txt",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Output folder: one transcript per recording, and results.jsonl with the status of each.",
            show_default="stdout",
        ),
    ] = None,
    words: Annotated[
        bool, typer.Option("--words", help="With -f json: word timestamps and confidences.")
    ] = False,
    beam: Beam = None,
    lm: Lm = None,
    rescorer: Rescorer = None,
    hotwords: HotwordOption = None,
    hotword_file: HotwordFile = None,
    device: Device = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="With -o: skip recordings that are already transcribed.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="With -o: overwrite existing transcripts; with --resume, only outdated ones."
        ),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Process part I of N parts, from 1/N to N/N.",
            show_default="1/1, or set by torchrun or srun",
        ),
    ] = None,
) -> None:
    """Transcribe recordings.

    Prints the text. With several recordings, prints one line each: the path, a tab and the text. Reads wav,
    flac, mp3, ogg, opus and aiff, at any sample rate and with any number of channels.

    \b
    audioseq transcribe talk.wav
    audioseq transcribe talk.wav -f srt > talk.srt
    audioseq transcribe interviews/ -o texts --resume

    A run with -o can be interrupted at any time; --resume continues it.
    """
    inputs = inputs or []
    if not inputs and listing is None:
        raise typer.BadParameter("give a recording, a folder, or --list", param_hint="INPUT")
    if STDIN in inputs and listing == STDIN:
        raise typer.BadParameter("stdin cannot be both a recording and a list", param_hint="--list")
    if words and form != "json":
        raise typer.BadParameter("needs -f json", param_hint="--words")
    if resume and output is None:
        raise typer.BadParameter("needs -o DIR", param_hint="--resume")
    if force and output is None:
        raise typer.BadParameter("needs -o DIR", param_hint="--force")
    errors = ErrorCounter()
    recordings = _find(inputs, listing, errors)
    several = len(inputs) > 1 or len(recordings) > 1 or listing is not None
    if several and output is None and form not in ("txt", "json"):
        raise typer.BadParameter(f"{form} needs -o DIR for several recordings", param_hint="-f")
    if not recordings:
        errors.exit_if_any()

    from audioseq.speech import pipeline, writers
    from audioseq.speech.batch import run
    from audioseq.speech.batch.shard import choose
    from audioseq.speech.batch.transcribe import transcribe_each
    from audioseq.training.distributed import sum_over_processes

    part = choose(shard)
    if shard is None and part.count > 1:
        log(f"part {part} of the recordings, set by torchrun or srun; --shard 1/1 processes all of them")

    recogniser = pipeline.load_recogniser(model, device)
    decoding = decoding_options(
        recogniser.recommended_options,
        beam=beam,
        lm=lm,
        rescorer=rescorer,
        hotwords=hotwords,
        hotword_file=hotword_file,
    )
    recogniser.choose_decoder(decoding)  # fails on invalid options before the first recording

    def report(result: TranscriptionResult) -> None:
        with errors.catch():
            if result.error is not None:
                raise result.error
        for warning in result.transcript.warnings if result.transcript else ():
            log(f"warning: {result.recording.path}: {warning}")

    words = words or form in run.FORMATS_WITH_WORDS
    # Transcripts printed to a terminal show the progress themselves.
    hidden = several and output is None and sys.stdout.isatty()
    with transcription_progress(part.select(recordings), hidden=hidden) as progress:
        if output is not None:
            summary = run.transcribe_all(
                recordings,
                output,
                model=recogniser,
                form=form,
                words=words,
                decoding=decoding,
                resume=resume,
                force=force,
                shard=part,
                on_result=report,
                progress=progress,
            )
        else:
            for result in transcribe_each(
                recogniser, part.select(recordings), words=words, decoding=decoding, progress=progress
            ):
                report(result)
                if result.transcript is not None and several and form == "txt":
                    print_result(f"{result.recording.path}\t{result.transcript.text}")
                elif result.transcript is not None:
                    print_result(writers.write(result.transcript, form).rstrip("\n"))
    if output is not None:
        log(f"part {part}: {summary}" if part.count > 1 else str(summary))
    if shard is None:
        errors.count = sum_over_processes(errors.count)
    errors.exit_if_any()


def _find(inputs: Sequence[Path], listing: Path | None, errors: ErrorCounter) -> list[Recording]:
    """Return the recordings of all inputs; an input without recordings is counted as an error."""
    from audioseq.speech.batch.inputs import find_recordings, read_list

    found: list[Recording] = []
    for given in inputs:
        with errors.catch():
            found += find_recordings(given)
    if listing is not None:
        with errors.catch():
            found += read_list(listing)
    return found
