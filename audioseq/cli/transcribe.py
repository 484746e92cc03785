"""`audioseq transcribe`: recordings in; text, subtitles or JSON out."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

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
    beam_search,
    note,
    put,
    watched,
)
from audioseq.errors import AudioError, AudioseqError

if TYPE_CHECKING:
    from audioseq.speech import search as searching
    from audioseq.speech.pipeline import Recogniser
    from audioseq.speech.transcript import Transcript

STDIN = Path("-")

Form = Literal["txt", "srt", "vtt", "tsv", "json", "ctm", "textgrid"]


class Job(NamedTuple):
    """A recording, and the file that its transcript goes to (None: stdout)."""

    recording: Path
    target: Path | None


def transcribe(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="FILES...|DIR|-", help="Recordings, folders of recordings, or - for stdin."),
    ],
    model: Model = DEFAULT_MODEL,
    form: Annotated[Form, typer.Option("-f", "--format", help="Form of the transcripts.")] = "txt",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Write one file a recording here.")
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
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite transcripts that are there already.")
    ] = False,
) -> None:
    """Write down what is said in recordings.

    The text goes to stdout; with several recordings each line is the path, a tab and the text. Everything
    that soundfile reads will do: wav, flac, mp3, ogg, opus, aiff, at any sample rate and number of channels.
    """
    if words and form != "json":
        raise typer.BadParameter("only -f json holds the times of words", param_hint="--words")
    if force and output is None:
        raise typer.BadParameter("nothing is overwritten without -o DIR", param_hint="--force")
    failures = Failures()
    jobs = _jobs(inputs, output, form, force, failures)
    several = len(inputs) > 1 or len(jobs) > 1
    if several and output is None and form not in ("txt", "json"):
        raise typer.BadParameter(f"several recordings do not fit in one {form}; give -o DIR", param_hint="-f")
    if jobs:
        from audioseq.speech import pipeline, writers

        recogniser = pipeline.load(model, device)
        search = beam_search(
            recogniser.usual,
            beam=beam,
            lm=lm,
            rescorer=rescorer,
            hotwords=hotwords,
            hotword_file=hotword_file,
        )
        recogniser.chosen(search)  # what is wrong with it is no recording's fault
        words = words or form not in ("txt", "tsv", "json")  # the others need the times of words
        # Lines that appear on a terminal are progress enough.
        for recording, target in watched(jobs, "transcribing", hidden=output is None and sys.stdout.isatty()):
            with failures.tolerated():
                transcript = _listen(recogniser, recording, words, search)
                for warning in transcript.warnings:
                    note(f"warning: {recording}: {warning}")
                if target is not None:
                    _write(target, writers.write(transcript, form))
                elif several and form == "txt":
                    put(f"{recording}\t{transcript.text}")
                else:
                    put(writers.write(transcript, form).rstrip("\n"))
    failures.exit()


def _jobs(
    inputs: Sequence[Path], output: Path | None, form: str, force: bool, failures: Failures
) -> list[Job]:
    """Find the recordings that the inputs stand for; a folder keeps its shape in the output."""
    from audioseq import audio

    jobs: list[Job] = []
    taken: dict[Path, Path] = {}
    for given in inputs:
        found: Sequence[Path] = ()
        with failures.tolerated():
            found = audio.find([given]) if given.is_dir() else [given]
        for recording in found:
            if output is None:
                jobs.append(Job(recording, None))
                continue
            name = recording.relative_to(given) if given.is_dir() else Path(recording.name)
            target = output / (Path("stdin") if recording == STDIN else name).with_suffix(f".{form}")
            with failures.tolerated():
                if target in taken:
                    raise AudioError(
                        f"{recording}: {target} is for {taken[target]} already; take two folders"
                    )
                if target.exists() and not force:
                    raise AudioError(f"{recording}: {target} is there already; --force overwrites it")
                taken[target] = recording
                jobs.append(Job(recording, target))
    return jobs


def _listen(recogniser: Recogniser, recording: Path, words: bool, search: searching.Beam) -> Transcript:
    if recording != STDIN:
        return recogniser.transcribe(recording, words=words, beam=search)
    from audioseq import audio

    waveform, sample_rate = audio.read(sys.stdin.buffer)
    transcript = recogniser.transcribe(waveform, sample_rate, words=words, beam=search)
    return dataclasses.replace(transcript, path="-")


def _write(target: Path, text: str) -> None:
    from audioseq.files import write_atomically

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AudioseqError(f"cannot make the folder {target.parent}: {error.strerror}") from None
    write_atomically(target, lambda file: file.write(text.encode()))
    note(f"wrote {target}")
