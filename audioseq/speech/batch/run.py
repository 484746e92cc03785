"""A folder of transcripts: what is done, what may be written, and a journal of what became of each."""

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
from audioseq.errors import AudioError, CheckpointError, ConfigError, DataError
from audioseq.speech import writers
from audioseq.speech.batch import journal
from audioseq.speech.batch.inputs import Recording, find_recordings
from audioseq.speech.batch.journal import Entry, Journal, SourceState
from audioseq.speech.batch.shard import WHOLE, Shard
from audioseq.speech.batch.transcribe import ProgressCallback, TranscriptionResult, transcribe_each
from audioseq.speech.decoding.decoder import Decoding, DecodingOptions
from audioseq.speech.pipeline import Recogniser, load_recogniser

WITH_WORDS = ("srt", "vtt", "ctm", "textgrid")
"""Forms that need the times of words; long subtitles are divided by them."""


@dataclass(frozen=True)
class Summary:
    """How a run over a folder went; counts are recordings."""

    done: int
    skipped: int
    """Done before."""
    failed: int
    """Without a transcript, or with one that must not be overwritten."""
    seconds: float
    """Of audio that was transcribed."""
    elapsed: float
    """Seconds that it took."""
    journal: Path
    """The file with a line of JSON for each recording."""

    def __str__(self) -> str:
        return (
            f"{self.done:,} transcribed, {self.skipped:,} done before, {self.failed:,} failed; "
            f"{self.seconds / 3600:.2f} h of audio in {timedelta(seconds=round(self.elapsed))}; "
            f"{self.journal} tells of each"
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
    tell: Callable[[TranscriptionResult], object] | None = None,
    progress: ProgressCallback | None = None,
) -> Summary:
    """Transcribe any number of recordings, each to a file in a folder; go on where a run has died.

    What became of each recording is written to `results.jsonl` in the folder, a line of JSON each. Killed at
    any moment, a run leaves whole transcripts only, and its journal tells which. One recording that cannot be
    read is one such line, and an outcome with an error; the others go on.

    Args:
        inputs: recordings, folders, patterns and manifests as `recordings.find` takes them.
        output: the folder of the transcripts; made if it is not there.
        model: what `load` returns, or takes.
        form: of the transcripts, one of `writers.FORMATS`.
        words, beam: as in `Recogniser.transcribe`.
        resume: skip recordings whose transcripts are there, made with the same model and settings, if the
            recordings have not changed since.
        force: overwrite transcripts that are there; with `resume`, only those that it does not skip.
        shard: do this part of the recordings only; other processes do the others, into the same folder.
        tell: called with the outcome of each recording, in their order.
        progress: called with a recording and the share of it that is done.
    Raises:
        AudioError: an input has no recordings.
        DataError: another process is at work in the folder, or a manifest or journal is damaged.
        CheckpointError: there is no such model, or the journal cannot be written.
        ConfigError: the form is unknown, or the model cannot spell a hotword.
    """
    if form not in writers.FORMATS:
        raise ConfigError(f"unknown form {form!r}; choose from {', '.join(writers.FORMATS)}")
    began = time.perf_counter()
    several = [inputs] if isinstance(inputs, str | os.PathLike) else inputs
    wanted: list[Recording] = []
    for given in several:
        wanted += [given] if isinstance(given, Recording) else find_recordings(given)
    recogniser = model if isinstance(model, Recogniser) else load_recogniser(model)
    words = words or form in WITH_WORDS
    settings = _fingerprint(recogniser, decoding, form, words)
    seconds, done, failed = 0.0, 0, 0
    with journal.opened(Path(output), shard) as book:
        plan = _plan(shard.take(wanted), book, settings, form, resume, force)
        for recording in plan.skipped:
            if progress is not None:
                progress(recording, 1.0)
        for refusal in plan.refusals:
            if tell is not None:
                tell(refusal)
        book.begin(plan.jobs)
        recordings = [recording for recording, _ in plan.jobs.values()]
        outcomes = transcribe_each(recogniser, recordings, words=words, decoding=decoding, progress=progress)
        for (name, (_, source)), outcome in zip(plan.jobs.items(), outcomes, strict=True):
            outcome = _record(book, name, source, outcome, form)
            if outcome.transcript is not None:
                done += 1
                seconds += outcome.transcript.duration
            else:
                failed += 1
            if tell is not None:
                tell(outcome)
    return Summary(
        done=done,
        skipped=len(plan.skipped),
        failed=failed + plan.refused,
        seconds=seconds,
        elapsed=time.perf_counter() - began,
        journal=book.path,
    )


@dataclass
class _Plan:
    """What a run is going to do."""

    jobs: dict[str, tuple[Recording, SourceState]]
    """By the paths of their transcripts in the folder."""
    skipped: list[Recording]
    refusals: list[TranscriptionResult]
    """One for each reason."""
    refused: int


def _plan(
    recordings: Iterable[Recording], book: Journal, settings: str, form: str, resume: bool, force: bool
) -> _Plan:
    plan = _Plan({}, [], [], 0)
    taken: dict[str, Recording] = {}
    otherwise: list[str] = []
    refused: dict[str, list[tuple[Recording, str]]] = {}
    for recording in recordings:
        name = Path(f"{recording.name}.{form}").as_posix()
        source = SourceState(recording.offset, recording.duration, stamp(Path(recording.path)), settings)
        entry = book.done.get(name)
        same = entry is not None and entry.path == recording.path and bool(source.stamp)
        reason = ""
        if name in taken:
            reason = f"is for {taken[name].path} already; take two folders"
        elif resume and entry and same and entry.source == source and book.settle(entry):
            plan.skipped.append(recording)
        elif force or not os.path.lexists(book.folder / name):
            plan.jobs[name] = recording, source
        elif resume and entry and same and replace(entry.source, settings=settings) == source:
            otherwise.append(name)
        elif resume and entry:
            reason = (
                "was made of another recording, or of this one before it changed; add --force to overwrite"
            )
        elif resume:
            reason = "is there already, and no journal tells of it; add --force to overwrite"
        else:
            reason = "is there already; --resume skips what is done, --force overwrites it"
        taken.setdefault(name, recording)
        if reason:
            refused.setdefault(reason, []).append((recording, name))
    if otherwise:
        raise DataError(
            f"{book.folder / otherwise[0]}{_more(otherwise)}: made with another model or other settings; "
            "add --force to make them again, or choose another folder"
        )
    for reason, cases in refused.items():
        recording, name = cases[0]
        error = AudioError(f"{recording.path}: {book.folder / name}{_more(cases)} {reason}")
        plan.refusals.append(TranscriptionResult(recording, error=error))
        plan.refused += len(cases)
    return plan


def _more(cases: Sized) -> str:
    return f" and {len(cases) - 1} more like it" if len(cases) > 1 else ""


def _record(
    book: Journal, name: str, source: SourceState, outcome: TranscriptionResult, form: str
) -> TranscriptionResult:
    """Write a transcript and its line; a transcript that cannot be written is a failure."""
    entry = Entry(
        status="failed",
        path=outcome.recording.path,
        output=name,
        seconds=round(outcome.seconds, 3),
        source=source,
    )
    if outcome.transcript is not None:
        content = writers.write(outcome.transcript, form).encode()
        done = replace(
            entry,
            status="done",
            duration=round(outcome.transcript.duration, 3),
            words=len(outcome.transcript.text.split()),
            warnings=outcome.transcript.warnings,
            sha256=hashlib.sha256(content).hexdigest(),
        )
        try:
            book.add(done, content)
        except CheckpointError as error:
            outcome = replace(outcome, transcript=None, error=error)
    if outcome.error is not None:
        book.add(replace(entry, error=str(outcome.error)))
    return outcome


def _fingerprint(recogniser: Recogniser, beam: Decoding, form: str, words: bool) -> str:
    """Return what tells apart any two ways to transcribe a recording."""
    digest = hashlib.sha256()
    for name, tensor in sorted(recogniser.model.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    header = recogniser.header
    chosen = beam or recogniser.recommended or "greedy"
    if isinstance(chosen, DecodingOptions):
        for model in (chosen.lm, chosen.rescorer):
            if model is not None:
                with models.resolve(model).open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
        chosen = replace(chosen, lm=None, rescorer=None)
    digest.update(json.dumps([header.config, header.tokenizer, header.card]).encode())
    digest.update(repr((chosen, form, words)).encode())
    return digest.hexdigest()[:16]
