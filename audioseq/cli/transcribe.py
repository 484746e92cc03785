"""`audioseq transcribe`: transcripts of recordings as text, subtitles, JSON and other formats."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING

import typer

from audioseq import models
from audioseq.cli import transcribe_options as o
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
    Runtime,
    Threads,
    decoding_options,
    log,
    print_result,
)
from audioseq.cli.paths import check_writable
from audioseq.cli.progress import transcription_progress
from audioseq.cli.recordings import STDIN, check_inputs, find_left_out, find_recordings
from audioseq.errors import ConfigError
from audioseq.files import write_bytes

if TYPE_CHECKING:
    from audioseq.speech.batch.transcribe import TranscriptionResult
    from audioseq.speech.transcript import Transcript

FORMATS_WITH_OPTIONAL_WORDS = {"json", "srt", "vtt"}
"""Formats that `--words` changes."""
TORCHRUN_VARIABLE = "TORCHELASTIC_RUN_ID"
"""Environment variable that torchrun sets."""
ENGLISH = ("en", "english")


def transcribe(
    inputs: o.Inputs = None,
    listing: o.Listing = None,
    model: Model = DEFAULT_MODEL,
    language: o.Language = None,
    form: o.Form = None,
    output: o.Output = None,
    words: o.Words = False,
    channels: o.Channels = "mix",
    raw: o.Raw = False,
    punctuation: o.Punctuation = None,
    max_line_width: o.MaxLineWidth = 42,
    max_line_count: o.MaxLineCount = 2,
    beam: Beam = None,
    lm: Lm = None,
    rescorer: Rescorer = None,
    hotwords: HotwordOption = None,
    hotword_file: HotwordFile = None,
    device: Device = "auto",
    runtime: Runtime = "auto",
    threads: Threads = None,
    resume: o.Resume = False,
    force: o.Force = False,
    shard: o.Shard = None,
    live: o.Live = False,
    microphone: o.Microphone = None,
    sample_rate: o.SampleRate = None,
    pause: o.Pause = None,
    max_segment: o.MaxSegment = None,
) -> None:
    """Transcribe recordings, or a microphone with --live.

    Prints the text, with punctuation, capitals and figures if the model recommends it; a line is a paragraph,
    or ends at a pause of a second with --raw. With several recordings, prints one line each: the path, a tab
    and the text. Reads wav, flac, mp3, ogg, opus, aiff and others; with the extra
    audioseq[formats] also m4a, mp4, mov, webm, mkv, amr, 3gp, wma and aac.

    \b
    audioseq transcribe talk.wav
    audioseq transcribe talk.wav -f srt > talk.srt
    audioseq transcribe interviews/ -o texts --resume
    audioseq transcribe --live
    arecord -f S16_LE -r 16000 | audioseq transcribe --live -

    A run with -o can be interrupted at any time; --resume continues it.
    """
    from audioseq.speech import writers

    inputs = inputs or []
    if raw and punctuation is not None:
        raise typer.BadParameter("does not go with --raw", param_hint="--punctuation")
    choose_decoding = partial(
        decoding_options, beam=beam, lm=lm, rescorer=rescorer, hotwords=hotwords, hotword_file=hotword_file
    )
    if live:
        from audioseq.cli.live import LiveOptions, refuse_other_options, transcribe_live

        files_only = {
            "--list": listing, "-o": output, "--words": words, "--resume": resume, "--force": force,
            "--shard": shard, "--channels": channels != "mix",
        }  # fmt: skip
        refuse_other_options(files_only, inputs, microphone)
        _check_language(language)
        live_options = LiveOptions(
            form=(form or "txt").lower(), model=model, device=device, runtime=runtime,
            from_stdin=bool(inputs), sample_rate=sample_rate, microphone=microphone, pause=pause,
            max_segment=max_segment, punctuation=punctuation, raw=raw,
        )  # fmt: skip
        transcribe_live(live_options, choose_decoding)
        return
    if any(value is not None for value in (microphone, sample_rate, pause, max_segment)):
        raise typer.BadParameter(
            "--microphone, --sample-rate, --pause and --max-segment need --live", param_hint="--live"
        )
    if not inputs and listing is None:
        raise typer.BadParameter("give a recording, a folder, or --list", param_hint="INPUT")
    if STDIN in inputs and listing == STDIN:
        raise typer.BadParameter("stdin cannot be both a recording and a list", param_hint="--list")
    suffix = output.suffix[1:].lower() if output is not None and not output.is_dir() else ""
    forms = _formats(form, suffix)
    if words and not FORMATS_WITH_OPTIONAL_WORDS.intersection(forms):
        raise typer.BadParameter("needs -f json, srt or vtt", param_hint="--words")
    if punctuation is not None and writers.RAW_FORMATS.issuperset(forms):
        raise typer.BadParameter(f"has no effect on {', '.join(forms)}", param_hint="--punctuation")
    for option, given in (("--resume", resume), ("--force", force)):
        if given and output is None:
            raise typer.BadParameter("needs -o DIR", param_hint=option)
    several = len(inputs) > 1 or listing is not None
    printable = {"txt", "json"}.issuperset(forms)
    if output is None and (len(forms) > 1 or (several and not printable)):
        raise typer.BadParameter("needs -o DIR for several formats or recordings", param_hint="-f")
    _check_language(language)
    errors = ErrorCounter()
    check_inputs(inputs, listing, errors)
    named = (model, "speech"), (lm, "ngram"), (rescorer, "language"), (punctuation, "punctuation")
    for name, task in named:
        if name not in (None, "none"):
            models.resolve(name, task)
    recordings = find_recordings(inputs, listing, errors)
    left_out = find_left_out(inputs)
    several = several or len(recordings) > 1
    if several and output is None and not printable:
        raise typer.BadParameter(f"{forms[0]} needs -o DIR for several recordings", param_hint="-f")
    target = output if suffix in writers.FORMATS else None
    if target is not None:
        if several or len(forms) > 1 or resume:
            raise typer.BadParameter(
                f"{target} names a file, for one recording in one format without --resume; name a folder",
                param_hint="-o",
            )
        check_writable(target, force)
    if not recordings:
        errors.exit_if_any()

    from audioseq.speech import pipeline
    from audioseq.speech.batch import run
    from audioseq.speech.batch.shard import choose
    from audioseq.speech.batch.transcribe import transcribe_each

    part = choose(shard)
    if shard is None and part.count > 1:
        log(f"part {part} of the recordings, set by torchrun or srun; --shard 1/1 processes all of them")

    recogniser = pipeline.load_recogniser(model, device, runtime, punctuation=punctuation)
    decoding = choose_decoding(recogniser)
    raw = raw or writers.RAW_FORMATS.issuperset(forms)
    recogniser.choose_decoder(decoding)  # fails on invalid options before the first recording
    recogniser.choose_punctuator(raw)
    subtitles = writers.SubtitleOptions(max_line_width, max_line_count, words)

    def report(result: TranscriptionResult) -> None:
        with errors.catch():
            if result.error is not None:
                raise result.error
        for warning in result.transcript.warnings if result.transcript else ():
            log(f"warning: {result.recording.label}: {warning}")

    def write(label: str, transcript: Transcript) -> None:
        content = writers.write(transcript, forms[0], subtitles)
        if target is not None:
            write_bytes(target, content.encode())
            log(f"wrote {target}")
        elif several and forms == ["txt"]:
            print_result(f"{label}\t{' '.join(content.split())}")
        else:
            print_result(content.rstrip("\n"))

    # Transcripts printed to a terminal show the progress themselves.
    hidden = several and output is None and sys.stdout.isatty()
    with transcription_progress(part.select(recordings), hidden=hidden) as progress:
        if output is not None and target is None:
            summary = run.transcribe_all(
                recordings,
                output,
                model=recogniser,
                form=forms,
                words=words,
                subtitles=subtitles,
                decoding=decoding,
                resume=resume,
                force=force,
                channels=channels,
                raw=raw,
                shard=part,
                left_out=left_out,
                on_result=report,
                progress=progress,
            )
        else:
            results = transcribe_each(
                recogniser,
                part.select(recordings),
                words=words or forms[0] in run.FORMATS_WITH_WORDS,
                decoding=decoding,
                channels=channels,
                raw=raw,
                progress=progress,
            )
            for result in results:
                report(result)
                if result.transcript is not None:
                    write(result.recording.label, result.transcript)
    if output is not None and target is None:
        log(f"part {part}: {summary}" if part.count > 1 else str(summary))
    if shard is None and TORCHRUN_VARIABLE in os.environ:
        from audioseq.training.distributed import sum_over_processes

        errors.count = sum_over_processes(errors.count)
    errors.exit_if_any()


def _formats(form: str | None, suffix: str) -> list[str]:
    """Return the formats of `-f`; without it, that of the suffix of the output file, or txt."""
    from audioseq.speech import writers

    if form is None:
        return [suffix if suffix in writers.FORMATS else "txt"]
    forms = list(dict.fromkeys(form.lower().split(",")))
    if unknown := [name for name in forms if name not in writers.FORMATS]:
        known = ", ".join(writers.FORMATS)
        raise typer.BadParameter(f"{unknown[0]!r} is not one of {known}", param_hint="-f")
    return forms


def _check_language(language: str | None) -> None:
    """Raise a ConfigError for a language that no named model transcribes."""
    if language is not None and language.lower() not in ENGLISH:
        names = " and ".join(model.name for model in models.CATALOGUE if model.task == "speech")
        raise ConfigError(
            f"--language {language}: the models {names} are for English (en); a model that you trained for "
            "another language is selected with -m FILE, without --language"
        )
