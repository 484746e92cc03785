"""Readers of the layouts in which speech corpora come, and what makes a manifest of their utterances."""

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
"""Of recordings; of an utterance that is there under several, the first of these is taken."""
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
"""The words of the ten digits, by value."""

GAP = (0.05, 0.4)
"""Shortest and longest silence between joined clips, seconds."""

Folder = str | os.PathLike[str]
WarningCallback = Callable[[AudioseqError], object]
"""Takes the error of a single recording."""


def librispeech(folder: Folder, tell: WarningCallback | None = None) -> list[Utterance]:
    """Read LibriSpeech's layout: `speaker/chapter/speaker-chapter.trans.txt` beside the recordings.

    Like every reader here it leaves the texts as they stand, orders the utterances by id, and names the
    data set after the folder.

    Args:
        folder: a subset ("train-clean-5"), or a folder of subsets.
        tell: takes the errors of single recordings, which are then left out, instead of their being raised.
    Raises:
        DataError: there are no transcripts, or one has no recording. This holds for every reader.
        AudioError: a recording cannot be opened. This, too.
    """
    rows = []
    for transcript in _found(folder, "**/*.trans.txt"):
        recordings = _recordings(transcript.parent)
        for name, _, text in (line.partition(" ") for line in _lines(transcript)):
            rows.append((name, recordings, text, name.split("-")[0]))
    return _utterances(folder, rows, tell)


def tsv(folder: Folder, tell: WarningCallback | None = None) -> list[Utterance]:
    """Read a `manifest.tsv` whose header names the columns utt, speaker and text, among any others.

    The recordings are beside it, or in `clips/`. Results and errors as in `librispeech`.
    """
    manifest = _found(folder, "manifest.tsv")[0]
    clips = manifest.parent / "clips"
    recordings = _recordings(clips if clips.is_dir() else manifest.parent)
    rows = []
    for row in _table(manifest, {"utt", "speaker", "text"}):
        rows.append((row["utt"], recordings, row["text"], row["speaker"]))
    return _utterances(folder, rows, tell)


def ljspeech(folder: Folder, tell: WarningCallback | None = None) -> list[Utterance]:
    """Read LJSpeech's layout: `metadata.csv` (id|text|the text with its numbers spelled out) and `wavs/`.

    Results and errors as in `librispeech`.
    """
    metadata = _found(folder, "metadata.csv")[0]
    recordings = _recordings(metadata.parent / "wavs")
    rows = []
    for number, fields in enumerate((line.split("|") for line in _lines(metadata)), 1):
        if len(fields) != 3:
            raise DataError(f"{metadata}:{number}: has {len(fields)} columns, not id|text|spelled text")
        rows.append((fields[0], recordings, fields[2], "lj"))
    return _utterances(folder, rows, tell)


def vctk(folder: Folder, tell: WarningCallback | None = None) -> list[Utterance]:
    """Read VCTK's layout: `txt/speaker/utterance.txt` and `wav48/speaker/`.

    Results and errors as in `librispeech`.
    """
    rows = []
    for speaker in sorted({text.parent for text in _found(folder, "txt/*/*.txt")}):
        recordings = _recordings(Path(folder) / "wav48" / speaker.name)
        for text in sorted(speaker.glob("*.txt")):
            rows.append((text.stem, recordings, " ".join(_lines(text)), speaker.name))
    return _utterances(folder, rows, tell)


def common_voice(folder: Folder, tell: WarningCallback | None = None) -> list[Utterance]:
    """Read Common Voice's layout: `validated.tsv` and `clips/`; speakers are the first digits of client_id.

    Results and errors as in `librispeech`.
    """
    table = _found(folder, "validated.tsv")[0]
    recordings = _recordings(table.parent / "clips")
    rows = []
    for row in _table(table, {"path", "client_id", "sentence"}):
        rows.append((Path(row["path"]).stem, recordings, row["sentence"], row["client_id"][:16]))
    return _utterances(folder, rows, tell)


def fsdd(folder: Folder) -> list[Utterance]:
    """Read the free-spoken-digit-dataset: `recordings/{digit}_{speaker}_{index}.wav`; ids are the stems.

    Results and errors as in `librispeech`.
    """
    recordings = _recordings(Path(folder) / "recordings")
    rows = []
    for name in recordings:
        digit, speaker, _ = name.split("_")
        rows.append((name, recordings, DIGITS[int(digit)], speaker))
    if not rows:
        raise DataError(f"{folder}: has no recordings/{{digit}}_{{speaker}}_{{index}}.wav; check the path")
    return _utterances(folder, rows)


def concatenate_clips(
    clips: Sequence[Utterance], folder: Folder, name: str, count: int, sizes: range
) -> list[Utterance]:
    """Write recordings of several clips each, one speaker at a time, with silence between and around them.

    Args:
        clips: what to choose from; the texts are joined as well.
        folder: where the recordings go, as `name-number.flac`.
        name: begins their ids, and decides with the clips what is chosen.
        count: number of recordings.
        sizes: numbers of clips to choose from.
    Returns:
        one utterance a recording.
    Raises:
        AudioError: a clip cannot be read, or a recording not be written.
    """
    chance = random.Random(name)
    speakers: dict[str | None, list[Utterance]] = {}
    for clip in clips:
        speakers.setdefault(clip.speaker, []).append(clip)
    place = Path(os.path.abspath(folder))
    place.mkdir(parents=True, exist_ok=True)
    joined = []
    for number in range(count):
        chosen = chance.choices(chance.choice(list(speakers.values())), k=chance.choice(sizes))
        sounds = [audio.read(clip.audio_filepath) for clip in chosen]
        rate = sounds[0][1]
        silences = [np.zeros(round(chance.uniform(*GAP) * rate), np.float32) for _ in range(len(sounds) + 1)]
        pieces = [
            piece for (sound, _), silence in zip(sounds, silences, strict=False) for piece in (silence, sound)
        ]
        waveform = np.concatenate([*pieces, silences[-1]])
        path = place / f"{name}-{number:04}.flac"
        audio.write(path, waveform, rate)
        text = " ".join(clip.text for clip in chosen)
        joined.append(
            Utterance(path.stem, path, len(waveform) / rate, text, chosen[0].speaker, dataset=place.name)
        )
    return joined


class Report(NamedTuple):
    """What was written to a manifest, and what was not."""

    path: Path
    utterances: list[Utterance]
    dropped: list[str]
    """A line for each reason for which something was left out."""

    def __str__(self) -> str:
        """Tell counts and hours by data set, then what was dropped."""
        groups: dict[str, list[Utterance]] = {}
        for utterance in self.utterances:
            groups.setdefault(utterance.dataset or "?", []).append(utterance)
        lines = [
            f"{name:24} {len(group):7,} utterances {sum(each.duration for each in group) / 3600:8.2f} h "
            f"{len({each.speaker for each in group}):5} speakers"
            for name, group in [*groups.items(), ("all", self.utterances)]
        ]
        return "\n  ".join([str(self.path), *lines, *self.dropped])


def save(path: Path, utterances: Iterable[Utterance], alphabet: str = DEFAULT_ALPHABET) -> Report:
    """Write a manifest with normalised texts, without what cannot be trained on.

    Left out are utterances without text, with numbers in figures (which may be said in many ways), and
    with an id seen before.

    Args:
        path: of the manifest.
        utterances: as the readers return them.
        alphabet: the characters that texts are brought to.
    Returns:
        what was written, and what was dropped; as a string, the report for people.
    Raises:
        DataError: nothing is left, or the manifest cannot be written.
    """
    kept: dict[str, Utterance] = {}
    characters, reasons = Counter[str](), Counter[str]()
    for utterance in utterances:
        text, lost = normalise(utterance.text, alphabet)
        if any(char.isdigit() for char in lost):
            reasons["with figures"] += 1
        elif not text:
            reasons["without text"] += 1
        elif utterance.id in kept:
            reasons["with an id seen before"] += 1
        else:
            characters += lost
            kept[utterance.id] = replace(utterance, text=text)
    dropped = [f"dropped: {count} utterances {reason}" for reason, count in reasons.items()]
    if characters:
        shown = " ".join(f"{char}×{count}" for char, count in characters.most_common())
        dropped.append(f"dropped from texts: {shown}")
    if not kept:
        raise DataError(f"{path}: nothing is left to write ({'; '.join(dropped) or 'no utterances'})")
    write_manifest(path, kept.values())
    return Report(path, list(kept.values()), dropped)


_Row = tuple[str, dict[str, Path], str, str]


def _found(folder: Folder, pattern: str) -> list[Path]:
    found = sorted(Path(os.path.abspath(folder)).glob(pattern))
    if not found:
        raise DataError(f"{folder}: has no {pattern.removeprefix('**/')}; check the path and the layout")
    return found


def _lines(path: Path) -> Iterator[str]:
    return (line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip())


def _table(path: Path, needed: set[str]) -> Iterator[dict[str, str]]:
    """Yield the rows of a table whose first line names the columns."""
    header, *lines = [line.split("\t") for line in _lines(path)]
    if missing := needed - set(header):
        raise DataError(f"{path}:1: has no column {min(missing)!r}; name it in the first line")
    for number, line in enumerate(lines, 2):
        if len(line) != len(header):
            raise DataError(f"{path}:{number}: has {len(line)} columns, the first line {len(header)}")
        yield dict(zip(header, line, strict=True))


def _recordings(folder: Path) -> dict[str, Path]:
    """Return the recordings in a folder by stem."""
    paths = [path for path in Path(os.path.abspath(folder)).glob("*.*") if path.suffix in SUFFIXES]
    paths.sort(key=lambda path: SUFFIXES.index(path.suffix), reverse=True)
    return {path.stem: path for path in paths}


def _utterances(folder: Folder, rows: Sequence[_Row], tell: WarningCallback | None = None) -> list[Utterance]:
    place = Path(os.path.abspath(folder))
    dataset = f"{place.parent.name}-{place.name}" if place.name in ("train", "dev", "test") else place.name
    utterances = []
    for row in rows:
        try:
            utterances.append(_utterance(dataset, *row))
        except AudioseqError as error:
            if tell is None:
                raise
            tell(error)
    return sorted(utterances, key=lambda utterance: utterance.id)


def _utterance(dataset: str, name: str, recordings: dict[str, Path], text: str, speaker: str) -> Utterance:
    if name not in recordings:
        raise DataError(f"{dataset}: has a text but no recording for {name}; is the copy complete?")
    path = recordings[name]
    try:
        info = soundfile.info(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise AudioError(f"{path}: cannot be opened as audio; is the copy complete?") from error
    return Utterance(name, path, info.frames / info.samplerate, text, speaker, dataset=dataset)
