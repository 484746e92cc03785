"""Readers of speech corpora, and writing of manifests."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from audioseq import audio
from audioseq.data import Utterance, write_manifest
from audioseq.errors import AudioError, AudioseqError, DataError
from audioseq.text.tokenizer import DEFAULT_ALPHABET, normalise

SUFFIXES = (".flac", ".wav", ".opus", ".ogg", ".mp3")
"""Suffixes of recordings; if an utterance has several files, the first suffix in this list is used."""
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
"""Names of the ten digits, indexed by value."""

GAP_SECONDS = (0.05, 0.4)
"""Shortest and longest silence between concatenated clips."""

Folder = str | os.PathLike[str]
WarningCallback = Callable[[AudioseqError], object]
"""Called with the error of a single recording."""


def librispeech(folder: Folder, warn: WarningCallback | None = None) -> list[Utterance]:
    """Read the layout of LibriSpeech: `speaker/chapter/speaker-chapter.trans.txt` beside the recordings.

    Like all readers in this module, it does not normalise the texts, sorts the utterances by id, and names
    the data set after the folder.

    Args:
        folder: a subset ("train-clean-5"), or a folder of subsets.
        warn: called with the error of a single recording, which is then left out; without it, the error is
            raised.
    Returns:
        the utterances, sorted by id.
    Raises:
        DataError: there are no transcripts, or a transcript has no recording.
        AudioError: a recording cannot be opened.
    """
    rows = []
    for transcript in _glob(folder, "**/*.trans.txt"):
        recordings = _recordings(transcript.parent)
        for name, _, text in (line.partition(" ") for line in _lines(transcript)):
            rows.append((name, recordings, text, name.split("-")[0]))
    return _utterances(folder, rows, warn)


def tsv(folder: Folder, warn: WarningCallback | None = None) -> list[Utterance]:
    """Read a `manifest.tsv` with the columns utt, speaker and text; further columns are ignored.

    The recordings are in the same folder, or in `clips/`. Arguments, result and errors as in `librispeech`.
    """
    manifest = _glob(folder, "manifest.tsv")[0]
    clips = manifest.parent / "clips"
    recordings = _recordings(clips if clips.is_dir() else manifest.parent)
    rows = []
    for row in _table(manifest, {"utt", "speaker", "text"}):
        rows.append((row["utt"], recordings, row["text"], row["speaker"]))
    return _utterances(folder, rows, warn)


def ljspeech(folder: Folder, warn: WarningCallback | None = None) -> list[Utterance]:
    """Read the layout of LJSpeech: `metadata.csv` (id|text|text with numbers spelled out) and `wavs/`.

    Arguments, result and errors as in `librispeech`.
    """
    metadata = _glob(folder, "metadata.csv")[0]
    recordings = _recordings(metadata.parent / "wavs")
    rows = []
    for number, fields in enumerate((line.split("|") for line in _lines(metadata)), 1):
        if len(fields) != 3:
            raise DataError(
                f"{metadata}:{number}: {len(fields)} columns, not id|text|spelled text; correct the line"
            )
        rows.append((fields[0], recordings, fields[2], "lj"))
    return _utterances(folder, rows, warn)


def vctk(folder: Folder, warn: WarningCallback | None = None) -> list[Utterance]:
    """Read the layout of VCTK: `txt/speaker/utterance.txt` and `wav48/speaker/`.

    Arguments, result and errors as in `librispeech`.
    """
    rows = []
    for speaker in sorted({text.parent for text in _glob(folder, "txt/*/*.txt")}):
        recordings = _recordings(Path(folder) / "wav48" / speaker.name)
        for text in sorted(speaker.glob("*.txt")):
            rows.append((text.stem, recordings, " ".join(_lines(text)), speaker.name))
    return _utterances(folder, rows, warn)


def common_voice(folder: Folder, warn: WarningCallback | None = None) -> list[Utterance]:
    """Read the layout of Common Voice: `validated.tsv` and `clips/`.

    The speaker is the first 16 digits of client_id. Arguments, result and errors as in `librispeech`.
    """
    table = _glob(folder, "validated.tsv")[0]
    recordings = _recordings(table.parent / "clips")
    rows = []
    for row in _table(table, {"path", "client_id", "sentence"}):
        rows.append((Path(row["path"]).stem, recordings, row["sentence"], row["client_id"][:16]))
    return _utterances(folder, rows, warn)


def fsdd(folder: Folder) -> list[Utterance]:
    """Read the Free Spoken Digit Dataset: `recordings/{digit}_{speaker}_{index}.wav`.

    The id is the stem of the file name. Result and errors as in `librispeech`.
    """
    recordings = _recordings(Path(folder) / "recordings")
    rows = []
    for name in recordings:
        digit, speaker, _ = name.split("_")
        rows.append((name, recordings, DIGITS[int(digit)], speaker))
    if not rows:
        raise DataError(f"{folder}: no recordings/{{digit}}_{{speaker}}_{{index}}.wav found; check the path")
    return _utterances(folder, rows)


def concatenate_clips(
    clips: Sequence[Utterance], folder: Folder, name: str, count: int, sizes: range
) -> list[Utterance]:
    """Write recordings that concatenate clips of one speaker, with silence between and around the clips.

    Args:
        clips: to draw from; their texts are concatenated too.
        folder: of the recordings, which are named `name-number.flac`.
        name: prefix of the ids, and seed of the random choices.
        count: number of recordings to write.
        sizes: numbers of clips in a recording, to draw from.
    Returns:
        one utterance per recording.
    Raises:
        AudioError: a clip cannot be read, or a recording cannot be written.
    """
    draw = random.Random(name)
    speakers: dict[str | None, list[Utterance]] = {}
    for clip in clips:
        speakers.setdefault(clip.speaker, []).append(clip)
    target = Path(os.path.abspath(folder))
    target.mkdir(parents=True, exist_ok=True)
    utterances = []
    for number in range(count):
        chosen = draw.choices(draw.choice(list(speakers.values())), k=draw.choice(sizes))
        sounds = [audio.read(clip.audio_filepath) for clip in chosen]
        rate = sounds[0][1]
        parts = []
        for sound, _ in [*sounds, (np.zeros(0, np.float32), rate)]:  # the last silence has no clip after it
            parts += [np.zeros(round(draw.uniform(*GAP_SECONDS) * rate), np.float32), sound]
        waveform = np.concatenate(parts)
        path = target / f"{name}-{number:04}.flac"
        audio.write(path, waveform, rate)
        text = " ".join(clip.text for clip in chosen)
        utterances.append(
            Utterance(path.stem, path, len(waveform) / rate, text, chosen[0].speaker, dataset=target.name)
        )
    return utterances


class ManifestReport(NamedTuple):
    """Utterances written to a manifest, and reasons why others were left out."""

    path: Path
    utterances: list[Utterance]
    dropped: list[str]
    """One line per reason for leaving out utterances or characters."""

    def __str__(self) -> str:
        """Return a table of utterances, hours and speakers per data set, then the reasons."""
        groups: dict[str, list[Utterance]] = {}
        for utterance in self.utterances:
            groups.setdefault(utterance.dataset or "?", []).append(utterance)
        lines = [
            f"{name:24} {len(group):7,} utterances {sum(each.duration for each in group) / 3600:8.2f} h "
            f"{len({each.speaker for each in group}):5} speakers"
            for name, group in [*groups.items(), ("all", self.utterances)]
        ]
        return "\n  ".join([str(self.path), *lines, *self.dropped])


def save_manifest(
    path: Path, utterances: Iterable[Utterance], alphabet: str = DEFAULT_ALPHABET
) -> ManifestReport:
    """Write a manifest with normalised texts, without utterances that cannot be used for training.

    Utterances without text, with digits in the text (their pronunciation is ambiguous), and with the id of
    an earlier utterance are left out.

    Args:
        path: of the manifest.
        utterances: as the readers return them.
        alphabet: characters of the normalised texts.
    Returns:
        the utterances written, and the reasons why others were left out; as a string, a table.
    Raises:
        DataError: nothing is left, or the manifest cannot be written.
    """
    kept: dict[str, Utterance] = {}
    characters, reasons = Counter[str](), Counter[str]()
    for utterance in utterances:
        text, removed = normalise(utterance.text, alphabet)
        if any(char.isdigit() for char in removed):
            reasons["with digits in the text"] += 1
        elif not text:
            reasons["without text"] += 1
        elif utterance.id in kept:
            reasons["with the id of an earlier utterance"] += 1
        else:
            characters += removed
            kept[utterance.id] = replace(utterance, text=text)
    dropped = [f"left out: {count} utterances {reason}" for reason, count in reasons.items()]
    if characters:
        listed = " ".join(f"{char}×{count}" for char, count in characters.most_common())
        dropped.append(f"characters removed from texts: {listed}")
    if not kept:
        raise DataError(f"{path}: no utterances to write ({'; '.join(dropped) or 'none given'})")
    write_manifest(path, kept.values())
    return ManifestReport(path, list(kept.values()), dropped)


_Row = tuple[str, dict[str, Path], str, str]
"""Id, recordings by stem, text, speaker."""


def _glob(folder: Folder, pattern: str) -> list[Path]:
    """Return the files that match a pattern, sorted; DataError if there are none."""
    found = sorted(Path(os.path.abspath(folder)).glob(pattern))
    if not found:
        raise DataError(f"{folder}: no {pattern.removeprefix('**/')} found; check the path and the layout")
    return found


def _lines(path: Path) -> Iterator[str]:
    return (line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip())


def _table(path: Path, needed: set[str]) -> Iterator[dict[str, str]]:
    """Yield the rows of a tab-separated table whose first line names the columns."""
    header, *lines = [line.split("\t") for line in _lines(path)]
    if missing := needed - set(header):
        raise DataError(f"{path}:1: no column {min(missing)!r}; add it to the header")
    for number, line in enumerate(lines, 2):
        if len(line) != len(header):
            raise DataError(
                f"{path}:{number}: {len(line)} columns, but {len(header)} in the header; correct the line"
            )
        yield dict(zip(header, line, strict=True))


def _recordings(folder: Path) -> dict[str, Path]:
    """Return the recordings in a folder, keyed by stem."""
    paths = [path for path in Path(os.path.abspath(folder)).glob("*.*") if path.suffix in SUFFIXES]
    paths.sort(key=lambda path: SUFFIXES.index(path.suffix), reverse=True)
    return {path.stem: path for path in paths}


def _utterances(folder: Folder, rows: Sequence[_Row], warn: WarningCallback | None = None) -> list[Utterance]:
    root = Path(os.path.abspath(folder))
    dataset = f"{root.parent.name}-{root.name}" if root.name in ("train", "dev", "test") else root.name
    utterances = []
    for row in rows:
        try:
            utterances.append(_utterance(dataset, *row))
        except AudioseqError as error:
            if warn is None:
                raise
            warn(error)
    return sorted(utterances, key=lambda utterance: utterance.id)


def _utterance(dataset: str, name: str, recordings: dict[str, Path], text: str, speaker: str) -> Utterance:
    if name not in recordings:
        raise DataError(f"{dataset}: {name} has a text but no recording; check that the copy is complete")
    path = recordings[name]
    try:
        info = soundfile.info(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise AudioError(f"{path}: cannot be opened as audio; check that the copy is complete") from error
    return Utterance(name, path, info.frames / info.samplerate, text, speaker, dataset=dataset)
