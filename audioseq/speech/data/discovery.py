"""Find recordings and their texts in a folder of any layout."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import soundfile

from audioseq import audio
from audioseq.data import Utterance, read_manifest
from audioseq.errors import AudioError, AudioseqError, DataError
from audioseq.files import read_text
from audioseq.speech.data import corpora

TEXT_SUFFIXES = (".txt", ".lab")
"""File name suffixes of a transcript beside its recording."""
OUTPUTS = ("train.jsonl", "valid.jsonl")
"""Manifests that `audioseq prepare` writes; they are not read as data."""

_LAYOUTS: dict[str, Callable[[Path, corpora.WarningCallback], list[Utterance]]] = {
    "manifest.tsv": corpora.tsv,
    "metadata.csv": corpora.ljspeech,
    "validated.tsv": corpora.common_voice,
}
"""Readers of folders, keyed by the name of the file that identifies the layout."""


class Problem(NamedTuple):
    """A recording that is left out."""

    reason: str
    """What is wrong; what to do."""
    example: str
    """The recording."""

    @classmethod
    def of(cls, error: AudioseqError) -> Problem:
        """Split an error message "where: what is wrong; what to do", so that equal reasons can be counted."""
        where, _, reason = str(error).partition(": ")
        return cls(reason.replace(Path(where).stem, "NAME"), where)


def find_utterances(folder: Path) -> tuple[list[Utterance], list[Problem]]:
    """Return all recordings below a folder that have a text, and a problem for each that has none.

    The texts are not normalised.

    Raises:
        DataError: there are no recordings with texts, or a manifest or table is damaged.
    """
    folder = Path(os.path.abspath(folder))
    if not folder.is_dir():
        raise DataError(f"{folder}: is not a folder; give a folder with recordings and their texts")
    problems: list[Problem] = []

    def warn(error: AudioseqError) -> None:
        problems.append(Problem.of(error))

    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found: list[Utterance] = []
    for path in files:
        if reader := _LAYOUTS.get(path.name):
            found += reader(path.parent, warn)
        elif path.suffix == ".jsonl" and path.name not in OUTPUTS:
            found += read_manifest(path)
    for chapter in sorted({path.parent for path in files if path.name.endswith(".trans.txt")}):
        found += corpora.librispeech(chapter, warn)
    for corpus in sorted({path.parents[2] for path in files if path.match("txt/*/*.txt")}):
        if (corpus / "wav48").is_dir():
            found += corpora.vctk(corpus, warn)
    listed = {utterance.audio_filepath for utterance in found}
    for path in files:
        if path.suffix.lower() in audio.SUFFIXES and path not in listed:
            try:
                found.append(_utterance_with_text_file(path, folder))
            except AudioseqError as error:
                warn(error)
    if not found:
        hint = f"; {problems[0].example} has no text (.txt) beside it" if problems else ""
        raise DataError(f"{folder}: has no recordings with texts{hint}; see: audioseq prepare --help")
    return _deduplicate(found), problems


def _utterance_with_text_file(path: Path, folder: Path) -> Utterance:
    """Return a recording with the text in a file beside it; the path of its folder is the speaker."""
    candidates = map(path.with_suffix, TEXT_SUFFIXES)
    text_file = next((candidate for candidate in candidates if candidate.is_file()), None)
    if text_file is None:
        raise DataError(f"{path}: has no text; write the transcript to {path.stem}.txt beside it")
    text = " ".join(read_text(text_file, DataError).split())
    try:
        info = soundfile.info(path)
    except (OSError, soundfile.LibsndfileError):
        raise AudioError(f"{path}: cannot be opened; record or copy it again") from None
    name = path.relative_to(folder)
    speaker = name.parent.as_posix() if name.parent != Path(".") else None
    seconds = info.frames / info.samplerate
    return Utterance(name.with_suffix("").as_posix(), path, seconds, text, speaker, dataset=folder.name)


def _deduplicate(utterances: Iterable[Utterance]) -> list[Utterance]:
    """Keep the first of utterances with equal path and offset; give those with an id in use a new id."""
    kept: dict[str, Utterance] = {}
    seen: set[tuple[Path, float]] = set()
    for utterance in utterances:
        source = (utterance.audio_filepath, utterance.offset)
        if source in seen:
            continue
        seen.add(source)
        if utterance.id in kept:
            utterance = replace(utterance, id=f"{utterance.audio_filepath.as_posix()}#{utterance.offset:g}")
        kept[utterance.id] = utterance
    return list(kept.values())
