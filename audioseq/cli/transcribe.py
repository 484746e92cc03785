"""`audioseq transcribe`: recordings in; text, subtitles or JSON out."""

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
    Failures,
    HotwordFile,
    HotwordOption,
    Lm,
    Model,
    Rescorer,
    decoding_options,
    metered,
    note,
    put,
)

if TYPE_CHECKING:
    from audioseq.speech.batch.inputs import Recording
    from audioseq.speech.batch.transcribe import TranscriptionResult

STDIN = Path("-")

Form = Literal["txt", "srt", "vtt", "tsv", "json", "ctm", "textgrid"]


def transcribe(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILES...|DIR|GLOB|MANIFEST|-",
            help="Recordings, folders of them, quoted patterns such as 'clips/**/*.wav', "
            "manifests (.jsonl), or - for a recording on stdin.",
            show_default=False,
        ),
    ] = None,
    listing: Annotated[
        Path | None,
        typer.Option(
            "--list", metavar="FILE|-", help="Also those that a file, or stdin, names: a path a line."
        ),
    ] = None,
    model: Model = DEFAULT_MODEL,
    form: Annotated[Form, typer.Option("-f", "--format", help="Form of the transcripts.")] = "txt",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Write one file a recording here, and results.jsonl about all.",
        ),
    ] = None,
    words: Annotated[
        bool, typer.Option("--words", help="With json: times and confidences of words.")
    ] = False,
    beam: Beam = None,
    lm: Lm = None,
    rescorer: Rescorer = None,
    hotwords: HotwordOption = None,
    hotword_file: HotwordFile = None,
    device: Device = "auto",
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on where a run has ended: skip what is done and has not changed."),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Overwrite transcripts that are there; with --resume only those that are out of date.",
        ),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Do part I of N, from 1/N to N/N; processes that torchrun or srun started know their parts.",
        ),
    ] = None,
) -> None:
    """Write down what is said in recordings.

    The text goes to stdout; with several recordings each line is the path, a tab and the text, in the order
    of the inputs, folders sorted. Everything that soundfile reads will do: wav, flac, mp3, ogg, opus, aiff,
    at any sample rate and number of channels.

    With -o a folder can be gone on with at any time: killed or not, it holds whole transcripts only, and
    results.jsonl says of each recording whether it is done or what is wrong with it.
    """
    inputs = inputs or []
    if not inputs and listing is None:
        raise typer.BadParameter("name a recording, a folder, or --list", param_hint="FILES...")
    if STDIN in inputs and listing == STDIN:
        raise typer.BadParameter("stdin holds a recording or a list, not both", param_hint="--list")
    if words and form != "json":
        raise typer.BadParameter("only -f json holds the times of words", param_hint="--words")
    if resume and output is None:
        raise typer.BadParameter("what is done is known only with -o DIR", param_hint="--resume")
    if force and output is None:
        raise typer.BadParameter("nothing is overwritten without -o DIR", param_hint="--force")
    failures = Failures()
    recordings = _find(inputs, listing, failures)
    several = len(inputs) > 1 or len(recordings) > 1 or listing is not None
    if several and output is None and form not in ("txt", "json"):
        raise typer.BadParameter(f"several recordings do not fit in one {form}; give -o DIR", param_hint="-f")
    if not recordings:
        failures.exit()

    from audioseq.speech import pipeline, writers
    from audioseq.speech.batch import run as folder
    from audioseq.speech.batch import transcribe as many
    from audioseq.speech.batch.shard import choose
    from audioseq.training.distributed import total

    part = choose(shard)
    if shard is None and part.count > 1:
        note(f"part {part} of the recordings, as torchrun or srun tell this process; --shard 1/1 does all")

    recogniser = pipeline.load_recogniser(model, device)
    search = decoding_options(
        recogniser.recommended,
        beam=beam,
        lm=lm,
        rescorer=rescorer,
        hotwords=hotwords,
        hotword_file=hotword_file,
    )
    recogniser.decoder_for(search)  # what is wrong with it is no recording's fault

    def tell(outcome: TranscriptionResult) -> None:
        with failures.tolerated():
            if outcome.error is not None:
                raise outcome.error
        for warning in outcome.transcript.warnings if outcome.transcript else ():
            note(f"warning: {outcome.recording.path}: {warning}")

    words = words or form in folder.WITH_WORDS
    # Lines that appear on a terminal are progress enough.
    with metered(
        part.take(recordings), hidden=several and output is None and sys.stdout.isatty()
    ) as progress:
        if output is not None:
            summary = folder.transcribe_all(
                recordings,
                output,
                model=recogniser,
                form=form,
                words=words,
                decoding=search,
                resume=resume,
                force=force,
                shard=part,
                tell=tell,
                progress=progress,
            )
        else:
            for outcome in many.transcribe_each(
                recogniser, part.take(recordings), words=words, decoding=search, progress=progress
            ):
                tell(outcome)
                if outcome.transcript is not None and several and form == "txt":
                    put(f"{outcome.recording.path}\t{outcome.transcript.text}")
                elif outcome.transcript is not None:
                    put(writers.write(outcome.transcript, form).rstrip("\n"))
    if output is not None:
        note(f"part {part}: {summary}" if part.count > 1 else str(summary))
    if shard is None:
        failures.count = total(failures.count)
    failures.exit()


def _find(inputs: Sequence[Path], listing: Path | None, failures: Failures) -> list[Recording]:
    """Return the recordings that are meant; an input without any is a failure, and the others go on."""
    from audioseq.speech.batch import inputs as recordings

    found: list[Recording] = []
    for given in inputs:
        with failures.tolerated():
            found += recordings.find_recordings(given)
    if listing is not None:
        with failures.tolerated():
            found += recordings.read_list(listing)
    return found
