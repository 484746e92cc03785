"""Recordings and their texts found in a folder, checked, and divided for training and validation."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from audioseq import audio
from audioseq.data import Utterance, read_manifest
from audioseq.errors import AudioError, AudioseqError, DataError
from audioseq.speech.data import corpora
from audioseq.text.tokenizer import DEFAULT_ALPHABET, normalise

TEXT_SUFFIXES = (".txt", ".lab")
"""Of the transcript beside a recording of the same name."""
OUTPUTS = ("train.jsonl", "valid.jsonl")
"""What preparing writes, and so does not take for data."""
SILENT = 10 ** (-60 / 20)
"""Root mean square of a tenth of a second below which nothing is said in it; full scale is 1."""
CLIPPED = 0.01
"""Share of samples at full scale above which a recording is too distorted."""

_LAYOUTS: dict[str, Callable[[Path, corpora.WarningCallback], list[Utterance]]] = {
    "manifest.tsv": corpora.tsv,
    "metadata.csv": corpora.ljspeech,
    "validated.tsv": corpora.common_voice,
}
"""Readers of the folders in which there is such a file."""


@dataclass(frozen=True)
class RecordingLimits:
    """What a recording and its text must be like to be kept."""

    shortest: float = 0.3
    """Seconds; with the longest, those of `data.min_seconds` and `data.max_seconds` in training."""
    longest: float = 20.0
    slowest: float = 2.0
    """Characters of text a second; English is read at about 15."""
    fastest: float = 30.0

    def __post_init__(self) -> None:
        if not (0 < self.shortest < self.longest and 0 < self.slowest < self.fastest):
            raise DataError(f"{self}: the lower limits must be above 0 and below the upper ones")


class Problem(NamedTuple):
    """A recording that is left out."""

    reason: str
    """What is wrong, and what to do."""
    example: str


@dataclass(frozen=True)
class Prepared:
    """What was found in a folder."""

    train: tuple[Utterance, ...]
    valid: tuple[Utterance, ...]
    problems: tuple[Problem, ...]
    dropped: Counter[str]
    """Characters that the kept texts lost."""

    def table(self) -> str:
        """Return the table that a person reads: what is kept, then a line for each reason not to."""
        lines = [_row(name, part) for name, part in (("train", self.train), ("valid", self.valid))]
        counts = Counter(problem.reason for problem in self.problems)
        examples = {problem.reason: problem.example for problem in reversed(self.problems)}
        lines += [
            f"left out {count:7,}  {reason}: {examples[reason]}" for reason, count in counts.most_common()
        ]
        if self.dropped:
            shown = " ".join(f"{char}×{count}" for char, count in self.dropped.most_common(20))
            lines.append(
                f"dropped from texts: {shown} (if some are spoken, spell them out, or give --alphabet)"
            )
        return "\n".join(lines)


def prepare(
    folder: Path,
    *,
    valid_share: float = 0.1,
    alphabet: str = DEFAULT_ALPHABET,
    limits: RecordingLimits | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Prepared:
    """Find recordings with transcripts in a folder, check them, and divide them.

    Found are, at any depth: a recording with a .txt or .lab of the same name beside it; manifests (.jsonl);
    and the layouts of LibriSpeech, LJSpeech, VCTK, Common Voice and `manifest.tsv`. The same folder is always
    divided alike. No sentence is on both sides, and no speaker where there are enough of them.

    Args:
        folder: where to look.
        valid_share: share of the audio to validate on, above 0 and below 1.
        alphabet: the characters that texts are brought to.
        limits: what is kept.
        progress: called with the recordings checked so far and their number.
    Raises:
        DataError: there are no recordings with texts, or too few good ones to divide.
    """
    if not 0 < valid_share < 1:
        raise DataError(f"the share to validate on is {valid_share:g}; give a number between 0 and 1")
    found, problems = find(folder)
    limits = limits or RecordingLimits()
    by_file: dict[Path, list[Utterance]] = {}
    for utterance in found:
        by_file.setdefault(utterance.audio_filepath, []).append(utterance)
    kept: list[Utterance] = []
    dropped = Counter[str]()
    with ThreadPoolExecutor() as pool:
        checked = pool.map(lambda group: _check_file(group, alphabet, limits), by_file.values())
        for done, results in enumerate(checked, 1):
            for result, lost in results:
                if isinstance(result, Problem):
                    problems.append(result)
                else:
                    kept.append(result)
                    dropped += lost
            if progress:
                progress(done, len(by_file))
    train, valid = split_by_text(kept, valid_share)
    if not train or not valid:
        table = Prepared((), (), tuple(problems), dropped).table()
        raise DataError(
            f"{folder}: {len(kept)} good recordings are too few to train and validate on\n{table}"
        )
    return Prepared(tuple(train), tuple(valid), tuple(problems), dropped)


def find(folder: Path) -> tuple[list[Utterance], list[Problem]]:
    """Return all recordings with their texts below a folder, as they stand, and those that have none.

    Raises:
        DataError: nothing was found, or what lists recordings is damaged.
    """
    folder = Path(os.path.abspath(folder))
    if not folder.is_dir():
        raise DataError(f"{folder}: is no folder; name one with recordings and their texts")
    problems: list[Problem] = []

    def tell(error: AudioseqError) -> None:
        problems.append(_told(error))

    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found: list[Utterance] = []
    for path in files:
        if reader := _LAYOUTS.get(path.name):
            found += reader(path.parent, tell)
        elif path.suffix == ".jsonl" and path.name not in OUTPUTS:
            found += read_manifest(path)
    for place in sorted({path.parent for path in files if path.name.endswith(".trans.txt")}):
        found += corpora.librispeech(place, tell)
    for place in sorted({path.parents[2] for path in files if path.match("txt/*/*.txt")}):
        if (place / "wav48").is_dir():
            found += corpora.vctk(place, tell)
    listed = {utterance.audio_filepath for utterance in found}
    for path in files:
        if path.suffix.lower() in audio.SUFFIXES and path not in listed:
            try:
                found.append(_beside(path, folder))
            except AudioseqError as error:
                tell(error)
    if not found:
        hint = f"; {problems[0].example} is without a text (.txt) beside it" if problems else ""
        raise DataError(f"{folder}: has no recordings with texts{hint}; see: audioseq prepare --help")
    return _distinct(found), problems


def check(waveform: np.ndarray, text: str, limits: RecordingLimits) -> str | None:
    """Return why a recording `[N]` at 16 kHz and its normalised text are not fit to learn from, if so."""
    seconds = len(waveform) / audio.SAMPLE_RATE
    if seconds < limits.shortest:
        return f"shorter than {limits.shortest:g} s"
    if seconds > limits.longest:
        return f"longer than {limits.longest:g} s; cut it by: audioseq align AUDIO TEXT --cut DIR"
    tenth = audio.SAMPLE_RATE // 10
    blocks = waveform[: len(waveform) // tenth * tenth].reshape(-1, tenth)
    if np.sqrt(np.square(blocks).mean(axis=1)).max() < SILENT:
        return "silent"
    if (np.abs(waveform) >= 0.999).mean() > CLIPPED:
        return "clipped all over; record it again with less gain"
    if len(text) / seconds < limits.slowest:
        return f"fewer than {limits.slowest:g} characters of text a second; is there speech without text?"
    if len(text) / seconds > limits.fastest:
        return f"more than {limits.fastest:g} characters of text a second; is it the right text?"
    return None


def split_by_text(
    utterances: Sequence[Utterance], valid_share: float
) -> tuple[list[Utterance], list[Utterance]]:
    """Divide into what is trained on and what is validated on, without a sentence in both.

    Whole speakers are set aside where some together come near the share; else whole sentences, with all
    their repetitions. What comes first is decided by a hash of names or sentences, so adding recordings
    moves few others. Sentences that speakers on both sides say are left out on the side that loses less.

    Args:
        utterances: with normalised texts.
        valid_share: of the seconds.
    """
    wanted = valid_share * _seconds(utterances)
    chosen = _some(utterances, lambda utterance: utterance.speaker or "", wanted)
    if _seconds(chosen) < wanted / 2:
        chosen = _some(utterances, lambda utterance: utterance.text, wanted, at_least_one=True)
    ids = {utterance.id for utterance in chosen}
    rest = [utterance for utterance in utterances if utterance.id not in ids]
    shared = {utterance.text for utterance in chosen} & {utterance.text for utterance in rest}
    own = [utterance for utterance in chosen if utterance.text not in shared]
    if _seconds(own) >= wanted / 2:
        return rest, own
    return [utterance for utterance in rest if utterance.text not in shared], chosen


def _some(
    utterances: Sequence[Utterance],
    key: Callable[[Utterance], str],
    wanted: float,
    at_least_one: bool = False,
) -> list[Utterance]:
    """Return whole groups of about as many seconds as wanted, and at most half as many again."""
    groups: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        groups.setdefault(key(utterance), []).append(utterance)
    chosen: list[Utterance] = []
    for name in sorted(groups, key=lambda name: hashlib.sha256(name.encode()).digest()):
        fits = _seconds(chosen) + _seconds(groups[name]) <= 1.5 * wanted
        if _seconds(chosen) < wanted and len(groups) > 1 and (fits or (at_least_one and not chosen)):
            chosen += groups[name]
    return chosen


def _check_file(
    group: Sequence[Utterance], alphabet: str, limits: RecordingLimits
) -> list[tuple[Utterance | Problem, Counter[str]]]:
    """Check the utterances of one recording: each becomes one with its text normalised, or a problem."""
    path = group[0].audio_filepath
    try:
        recording = audio.load(path)
    except AudioError as error:
        return [(_told(error), Counter()) for _ in group]
    results: list[tuple[Utterance | Problem, Counter[str]]] = []
    whole = len(group) == 1 and not group[0].offset
    for utterance in group:
        text, lost = normalise(utterance.text, alphabet)
        try:
            waveform = recording if whole else utterance.cut(recording)
        except AudioError as error:
            results.append((_told(error), lost))
            continue
        if any(char.isdigit() for char in lost):
            reason: str | None = "with figures in the text; spell them out as they are said"
        elif not text:
            reason = f"without text in the alphabet {alphabet!r}"
        else:
            reason = check(waveform, text, limits)
        if reason:
            results.append((Problem(reason, f"{path} {utterance.text[:40]!r}"), lost))
        else:
            seconds = round(len(waveform) / audio.SAMPLE_RATE, 3)
            results.append((replace(utterance, text=text, duration=seconds), lost))
    return results


def _beside(path: Path, folder: Path) -> Utterance:
    """Return a recording with the text beside it; the folders it is in count as its speaker."""
    text = next(
        (path.with_suffix(suffix) for suffix in TEXT_SUFFIXES if path.with_suffix(suffix).is_file()), None
    )
    if text is None:
        raise DataError(f"{path}: has no text; write what is said to {path.stem}.txt beside it")
    try:
        written = " ".join(text.read_text(encoding="utf-8-sig").split())
        info = soundfile.info(path)
    except UnicodeDecodeError:
        raise DataError(f"{text}: is not UTF-8 text; save it as UTF-8") from None
    except (OSError, soundfile.LibsndfileError):
        raise AudioError(f"{path}: cannot be opened; record or copy it again") from None
    name = path.relative_to(folder)
    speaker = name.parent.as_posix() if name.parent != Path(".") else None
    seconds = info.frames / info.samplerate
    return Utterance(name.with_suffix("").as_posix(), path, seconds, written, speaker, dataset=folder.name)


def _distinct(utterances: Iterable[Utterance]) -> list[Utterance]:
    """Leave out what was found twice, and give those with an id that is taken one that is their path."""
    kept: dict[str, Utterance] = {}
    places: set[tuple[Path, float]] = set()
    for utterance in utterances:
        place = (utterance.audio_filepath, utterance.offset)
        if place in places:
            continue
        places.add(place)
        if utterance.id in kept:
            utterance = replace(utterance, id=f"{utterance.audio_filepath.as_posix()}#{utterance.offset:g}")
        kept[utterance.id] = utterance
    return list(kept.values())


def _told(error: AudioseqError) -> Problem:
    """Turn "where: what; what to do" around, so that equal problems can be counted."""
    where, _, what = str(error).partition(": ")
    return Problem(what.replace(Path(where).stem, "NAME"), where)


def _row(name: str, utterances: Sequence[Utterance]) -> str:
    speakers = {utterance.speaker for utterance in utterances}
    sentences = {utterance.text for utterance in utterances}
    return (
        f"{name:8} {len(utterances):7,} recordings, {_seconds(utterances) / 60:.1f} minutes, "
        f"{len(sentences):,} sentences, {len(speakers):,} speaker{'s' * (len(speakers) > 1)}"
    )


def _seconds(utterances: Iterable[Utterance]) -> float:
    return sum(utterance.duration for utterance in utterances)
