"""Transcribe many recordings to a folder; a journal makes the run resumable."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from audioseq import models
from audioseq.data import stamp
from audioseq.errors import AudioError, ConfigError, DataError, FileError
from audioseq.speech import writers
from audioseq.speech.batch.inputs import Recording, find_recordings
from audioseq.speech.batch.journal import Entry, Journal, SourceState, open_journal
from audioseq.speech.batch.shard import WHOLE, Shard
from audioseq.speech.batch.transcribe import ProgressCallback, TranscriptionResult, transcribe_each
from audioseq.speech.decoding.decoder import Decoding, DecodingOptions
from audioseq.speech.pipeline import Recogniser, load_recogniser

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
            f"{self.seconds / 3600:.2f} h of audio in {timedelta(seconds=round(self.elapsed))}; "
            f"see {self.journal}"
        )


def transcribe_all(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str] | Recording],
    output: str | os.PathLike[str],
    *,
    model: Recogniser | str | Path | None = None,
    form: str = "txt",
    words: bool = False,
    decoding: Decoding = None,
    resume: bool = False,
    force: bool = False,
    shard: Shard = WHOLE,
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
        form: format of the transcripts, one of `writers.FORMATS`.
        words: as in `Recogniser.transcribe`.
        decoding: as in `Recogniser.transcribe`.
        resume: skip recordings that have been transcribed with the same model and settings, and have not
            changed since.
        force: overwrite existing transcripts; with `resume`, only those that are not skipped.
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
    if form not in writers.FORMATS:
        raise ConfigError(f"unknown format {form!r}; choose from {', '.join(writers.FORMATS)}")
    began = time.perf_counter()
    found: list[Recording] = []
    for given in [inputs] if isinstance(inputs, str | os.PathLike) else inputs:
        found += [given] if isinstance(given, Recording) else find_recordings(given)
    recogniser = model if isinstance(model, Recogniser) else load_recogniser(model)
    words = words or form in FORMATS_WITH_WORDS
    settings = _fingerprint(recogniser, decoding, form, words)
    seconds, done, failed = 0.0, 0, 0
    with open_journal(Path(output), shard) as journal:
        plan = _plan(shard.select(found), journal, settings, form, resume, force)
        for recording in plan.skipped:
            if progress is not None:
                progress(recording, 1.0)
        for refusal in plan.refusals:
            if on_result is not None:
                on_result(refusal)
        journal.begin(plan.jobs)
        recordings = [recording for recording, _ in plan.jobs.values()]
        results = transcribe_each(recogniser, recordings, words=words, decoding=decoding, progress=progress)
        for (name, (_, source)), result in zip(plan.jobs.items(), results, strict=True):
            result = _record(journal, name, source, result, form)
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


@dataclass
class _Plan:
    """Recordings that a run transcribes, skips and refuses."""

    jobs: dict[str, tuple[Recording, SourceState]]
    """Recordings to transcribe, keyed by the path of the transcript in the folder."""
    skipped: list[Recording]
    refusals: list[TranscriptionResult]
    """One error per reason."""
    refused: int
    """Number of refused recordings."""


def _plan(
    recordings: Iterable[Recording], journal: Journal, settings: str, form: str, resume: bool, force: bool
) -> _Plan:
    """Decide for each recording whether to transcribe, skip or refuse it, by the journal and the options."""
    plan = _Plan({}, [], [], 0)
    by_name: dict[str, Recording] = {}
    other_settings: list[str] = []
    refused: dict[str, list[tuple[Recording, str]]] = {}
    for recording in recordings:
        name = Path(f"{recording.name}.{form}").as_posix()
        source = SourceState(recording.offset, recording.duration, stamp(Path(recording.path)), settings)
        entry = journal.done.get(name)
        same = entry is not None and entry.path == recording.path and bool(source.stamp)
        reason = ""
        if name in by_name:
            reason = f"is the transcript of {by_name[name].path}; use two output folders"
        elif resume and entry and same and entry.source == source and journal.ensure_transcript(entry):
            plan.skipped.append(recording)
        elif force or not os.path.lexists(journal.folder / name):
            plan.jobs[name] = recording, source
        elif resume and entry and same and replace(entry.source, settings=settings) == source:
            other_settings.append(name)
        elif resume and entry:
            reason = "is of another recording, or of this one before it changed; add --force to overwrite it"
        elif resume:
            reason = "already exists and is not in the journal; add --force to overwrite it"
        else:
            reason = "already exists; --resume skips it, --force overwrites it"
        by_name.setdefault(name, recording)
        if reason:
            refused.setdefault(reason, []).append((recording, name))
    if other_settings:
        raise DataError(
            f"{journal.folder / other_settings[0]}{_more(other_settings)}: made with another model or other "
            "settings; add --force to overwrite, or choose another folder"
        )
    for reason, cases in refused.items():
        recording, name = cases[0]
        error = AudioError(f"{recording.path}: {journal.folder / name}{_more(cases)} {reason}")
        plan.refusals.append(TranscriptionResult(recording, error=error))
        plan.refused += len(cases)
    return plan


def _more(cases: Sized) -> str:
    return f" and {len(cases) - 1} others" if len(cases) > 1 else ""


def _record(
    journal: Journal, name: str, source: SourceState, result: TranscriptionResult, form: str
) -> TranscriptionResult:
    """Write a transcript and its line; return the result, with an error if it cannot be written."""
    entry = Entry(
        status="failed",
        path=result.recording.path,
        output=name,
        seconds=round(result.seconds, 3),
        source=source,
    )
    if result.transcript is not None:
        content = writers.write(result.transcript, form).encode()
        done = replace(
            entry,
            status="done",
            duration=round(result.transcript.duration, 3),
            words=len(result.transcript.text.split()),
            warnings=result.transcript.warnings,
            sha256=hashlib.sha256(content).hexdigest(),
        )
        try:
            journal.add(done, content)
        except FileError as error:
            result = replace(result, transcript=None, error=error)
    if result.error is not None:
        journal.add(replace(entry, error=str(result.error)))
    return result


def _fingerprint(recogniser: Recogniser, decoding: Decoding, form: str, words: bool) -> str:
    """Return a hash of everything besides the recording that a transcript depends on."""
    digest = hashlib.sha256()
    for name, tensor in sorted(recogniser.model.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    header = recogniser.header
    options = decoding or recogniser.recommended_options or "greedy"
    if isinstance(options, DecodingOptions):
        for model in (options.lm, options.rescorer):
            if model is not None:
                with models.resolve(model).open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
        options = replace(options, lm=None, rescorer=None)
    digest.update(json.dumps([header.config, header.tokenizer, header.card]).encode())
    digest.update(repr((options, form, words)).encode())
    return digest.hexdigest()[:16]
