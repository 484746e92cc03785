"""The plan of a run: recordings to transcribe, to skip and to refuse, by the journal and the options."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

from audioseq.data import stamp
from audioseq.errors import AudioError, DataError
from audioseq.speech.batch.inputs import Recording
from audioseq.speech.batch.journal import Journal, SourceState
from audioseq.speech.batch.transcribe import TranscriptionResult


class Job(NamedTuple):
    """A transcript to write."""

    recording: Recording
    source: SourceState
    form: str


@dataclass(frozen=True)
class Plan:
    """Recordings that a run transcribes, skips and refuses."""

    jobs: dict[str, Job]
    """Transcripts to write, keyed by their path in the folder; those of one recording are consecutive."""
    skipped: list[Recording]
    refusals: list[TranscriptionResult]
    """One error per reason."""
    refused: int
    """Number of refused recordings."""


def make_plan(
    recordings: Sequence[Recording], journal: Journal, settings: Mapping[str, str], resume: bool, force: bool
) -> Plan:
    """Decide for each recording whether to transcribe, skip or refuse it.

    Args:
        recordings: of this run or part of a run.
        journal: lists the transcripts of earlier runs.
        settings: the formats to write, and the fingerprint of the model and the settings of each.
        resume, force: as in `transcribe_all`.
    Raises:
        DataError: transcripts of an earlier run were made with other settings.
    """
    jobs: dict[str, Job] = {}
    by_name: dict[str, Recording] = {}
    other_settings: list[str] = []
    refused: dict[str, list[tuple[Recording, str]]] = {}
    skipped: set[int] = set()
    refused_recordings: set[int] = set()
    for index, (form, fingerprint) in product(range(len(recordings)), settings.items()):
        recording = recordings[index]
        name = Path(f"{recording.name}.{form}").as_posix()
        source = SourceState(recording.offset, recording.duration, stamp(Path(recording.path)), fingerprint)
        entry = journal.done.get(name)
        same = entry is not None and entry.path == recording.path and bool(source.stamp)
        reason = ""
        if name in by_name:
            reason = f"is the transcript of {by_name[name].path}; use two output folders"
        elif resume and entry and same and entry.source == source and journal.ensure_transcript(entry):
            skipped.add(index)
        elif force or not os.path.lexists(journal.folder / name):
            jobs[name] = Job(recording, source, form)
        elif resume and entry and same and replace(entry.source, settings=fingerprint) == source:
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
            refused_recordings.add(index)
    if other_settings:
        raise DataError(
            f"{journal.folder / other_settings[0]}{_more(other_settings)}: made with another model or other "
            "settings; add --force to overwrite, or choose another folder"
        )
    refusals = []
    for reason, cases in refused.items():
        recording, name = cases[0]
        error = AudioError(f"{recording.path}: {journal.folder / name}{_more(cases)} {reason}")
        refusals.append(TranscriptionResult(recording, error=error))
    writing = {job.recording for job in jobs.values()}
    done = [recordings[i] for i in sorted(skipped - refused_recordings) if recordings[i] not in writing]
    return Plan(jobs, done, refusals, len(refused_recordings))


def _more(cases: Sized) -> str:
    return f" and {len(cases) - 1} others" if len(cases) > 1 else ""
