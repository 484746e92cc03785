"""Transcribe many recordings to a folder; a journal makes the run resumable."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from pathlib import Path

from audioseq import audio, models
from audioseq.errors import ConfigError
from audioseq.speech import writers
from audioseq.speech.batch.inputs import Recording, find_left_out, find_recordings
from audioseq.speech.batch.journal import Entry, Journal, SourceState, open_journal
from audioseq.speech.batch.plan import Job, make_plan
from audioseq.speech.batch.shard import WHOLE, Shard
from audioseq.speech.batch.transcribe import (
    ProgressCallback,
    TranscriptionResult,
    to_error,
    transcribe_each,
)
from audioseq.speech.decoding.decoder import Decoding, DecodingOptions
from audioseq.speech.pipeline import Recogniser, load_recogniser
from audioseq.speech.transcript import Transcript
from audioseq.speech.writers import SubtitleOptions

FORMATS_WITH_WORDS = ("srt", "vtt", "ctm", "textgrid")
"""Formats that need word timestamps; subtitles need them to split long segments."""


@dataclass(frozen=True)
class Summary:
    """The result of a run; counts are recordings."""

    done: int
    skipped: int
    """Transcribed by an earlier run."""
    failed: int
    """Recordings with an error, or with a transcript that must not be overwritten."""
    seconds: float
    """Seconds of transcribed audio."""
    elapsed: float
    """Seconds that the run took."""
    journal: Path
    """File with one JSON object per line and recording."""

    def __str__(self) -> str:
        return (
            f"{self.done:,} transcribed, {self.skipped:,} skipped, {self.failed:,} failed; "
            f"{self.seconds / 60:,.1f} minutes of audio in {timedelta(seconds=round(self.elapsed))}; "
            f"see {self.journal}"
        )


def transcribe_all(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str] | Recording],
    output: str | os.PathLike[str],
    *,
    model: Recogniser | str | Path | None = None,
    form: str | Sequence[str] = "txt",
    words: bool = False,
    subtitles: SubtitleOptions | None = None,
    decoding: Decoding = None,
    resume: bool = False,
    force: bool = False,
    channels: audio.Channels = "mix",
    raw: bool = False,
    shard: Shard = WHOLE,
    left_out: Sequence[Path] = (),
    on_result: Callable[[TranscriptionResult], object] | None = None,
    progress: ProgressCallback | None = None,
) -> Summary:
    """Transcribe recordings, each to a file in a folder, and continue an interrupted run.

    The result of each recording is written to `results.jsonl` in the folder, one JSON object per line. A run
    that is killed at any moment leaves only complete transcripts, and its journal lists them. A recording
    that cannot be read gets a line and a result with an error; the run continues with the next one.

    Args:
        inputs: recordings, folders, glob patterns and manifests, see `find_recordings`.
        output: folder of the transcripts; created if it does not exist.
        model: a recogniser, or the name or path of a model.
        form: format of the transcripts, one of `writers.FORMATS`, or several; each has its own journal entry.
        words: as in `Recogniser.transcribe`.
        subtitles: layout of srt and vtt.
        decoding: as in `Recogniser.transcribe`.
        resume: skip recordings that have been transcribed with the same model and settings, and have not
            changed since.
        force: overwrite existing transcripts; with `resume`, only those that are not skipped.
        channels: as in `Recogniser.transcribe`.
        raw: as in `Recogniser.transcribe`.
        left_out: files in formats that cannot be read, for the journal; those in folders are found.
        shard: transcribe only this part of the recordings; other processes transcribe the others to the same
            folder.
        on_result: called with the result of each recording, in order.
        progress: called with a recording and the share of it that is done, 0 to 1.
    Returns:
        counts and durations.
    Raises:
        AudioError: an input has no recordings.
        DataError: another process writes to the folder, or a manifest or journal is damaged.
        CheckpointError: the model does not exist.
        FileError: the journal cannot be written.
        ConfigError: the format is unknown, or a hotword has characters outside the model's alphabet.
    """
    forms = [form] if isinstance(form, str) else form
    for each in forms:
        if each not in writers.FORMATS:
            raise ConfigError(f"unknown format {each!r}; choose from {', '.join(writers.FORMATS)}")
    began = time.perf_counter()
    found: list[Recording] = []
    unreadable = list(left_out)
    for given in [inputs] if isinstance(inputs, str | os.PathLike) else inputs:
        found += [given] if isinstance(given, Recording) else find_recordings(given)
        unreadable += [] if isinstance(given, Recording) else find_left_out(given)
    recogniser = model if isinstance(model, Recogniser) else load_recogniser(model)
    timed = {each: words or each in FORMATS_WITH_WORDS for each in forms}
    settings = {
        each: _fingerprint(recogniser, decoding, each, timed[each], subtitles, channels, raw)
        for each in forms
    }

    def content(transcript: Transcript, form: str) -> bytes:
        return writers.write(
            transcript if timed[form] else replace(transcript, words=(), raw_words=()), form, subtitles
        ).encode()

    seconds, done, failed = 0.0, 0, 0
    with open_journal(Path(output), shard) as journal:
        plan = make_plan(shard.select(found), journal, settings, resume, force)
        for recording in plan.skipped:
            if progress is not None:
                progress(recording, 1.0)
        for refusal in plan.refusals:
            if on_result is not None:
                on_result(refusal)
        lines = _left_out(unreadable) if shard.index == 1 else []
        journal.begin({*plan.jobs, *(line.output for line in lines)})
        for line in lines:
            journal.add(line)
        groups = [
            (recording, list(jobs))
            for recording, jobs in groupby(plan.jobs.items(), key=lambda job: job[1].recording)
        ]
        recordings = [recording for recording, _ in groups]
        any_timed = any(timed.values())
        results = transcribe_each(
            recogniser,
            recordings,
            words=any_timed,
            decoding=decoding,
            channels=channels,
            raw=raw,
            progress=progress,
        )
        for (_, jobs), result in zip(groups, results, strict=True):
            for name, job in jobs:
                result = _record(journal, name, job, result, content)
            if result.transcript is not None:
                done += 1
                seconds += result.transcript.duration
            else:
                failed += 1
            if on_result is not None:
                on_result(result)
    return Summary(
        done=done,
        skipped=len(plan.skipped),
        failed=failed + plan.refused,
        seconds=seconds,
        elapsed=time.perf_counter() - began,
        journal=journal.path,
    )


def _record(
    journal: Journal,
    name: str,
    job: Job,
    result: TranscriptionResult,
    content: Callable[[Transcript, str], bytes],
) -> TranscriptionResult:
    """Write a transcript and its line; return the result, with an error if it cannot be written."""
    entry = Entry(
        status="failed",
        path=result.recording.path,
        output=name,
        seconds=round(result.seconds, 3),
        source=job.source,
    )
    if result.transcript is not None:
        try:
            written = content(result.transcript, job.form)
            done = replace(
                entry,
                status="done",
                duration=round(result.transcript.duration, 3),
                words=len(result.transcript.raw.split()),
                warnings=result.transcript.warnings,
                sha256=hashlib.sha256(written).hexdigest(),
            )
            journal.add(done, written)
        except Exception as error:
            result = replace(result, transcript=None, error=to_error(result.recording, error))
    if result.error is not None:
        journal.add(replace(entry, error=str(result.error)))
    return result


def _left_out(paths: Iterable[Path]) -> list[Entry]:
    """Return the lines of files that cannot be read."""
    error = f"cannot be read without PyAV; {audio.INSTALL}"
    source = SourceState(0.0, None, (), "")
    return [
        Entry(status="left out", path=str(path), output=str(path), error=error, source=source)
        for path in paths
    ]


def _fingerprint(
    recogniser: Recogniser,
    decoding: Decoding,
    form: str,
    words: bool,
    subtitles: SubtitleOptions | None,
    channels: audio.Channels,
    raw: bool,
) -> str:
    """Return a hash of everything besides the recording that a transcript depends on."""
    digest = hashlib.sha256()
    for name, array in sorted(recogniser.model.weights().items(), key=lambda item: item[0]):
        digest.update(name.encode() + array.tobytes())
    header = recogniser.header
    options = decoding or recogniser.recommended_options or "greedy"
    if isinstance(options, DecodingOptions):
        for model in (options.lm, options.rescorer):
            if model is not None:
                digest.update(_file_digest(model))
        options = replace(options, lm=None, rescorer=None)
    digest.update(json.dumps([header.config, header.tokenizer, header.card]).encode())
    layout = subtitles if form in ("srt", "vtt") and subtitles != SubtitleOptions() else None
    digest.update(repr((options, form, words) + ((layout,) if layout else ())).encode())
    if channels != "mix":
        digest.update(str(channels).encode())
    if recogniser.punctuation is not None and not raw and form not in writers.RAW_FORMATS:
        digest.update(_file_digest(recogniser.punctuation))
    return digest.hexdigest()[:16]


def _file_digest(model: str | Path) -> bytes:
    with models.resolve(model).open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
