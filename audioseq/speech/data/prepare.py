"""Check recordings and their texts, and split them into training and validation data."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from audioseq import audio
from audioseq.data import Utterance
from audioseq.errors import AudioError, DataError
from audioseq.speech.data.discovery import Problem, find_utterances
from audioseq.text.tokenizer import DEFAULT_ALPHABET, normalise

SILENCE_RMS = 10 ** (-60 / 20)
"""Root mean square of 0.1 s below which it is silent; full scale is 1."""
CLIPPED_SHARE = 0.01
"""Share of samples at full scale above which a recording is rejected as clipped."""


@dataclass(frozen=True)
class RecordingLimits:
    """Limits of duration and speaking rate; recordings outside of them are left out."""

    min_seconds: float = 0.3
    """As `data.min_seconds` in training."""
    max_seconds: float = 20.0
    """As `data.max_seconds` in training."""
    min_chars_per_second: float = 2.0
    """Characters of text per second; read English has about 15."""
    max_chars_per_second: float = 30.0

    def __post_init__(self) -> None:
        durations = 0 < self.min_seconds < self.max_seconds
        if not (durations and 0 < self.min_chars_per_second < self.max_chars_per_second):
            raise DataError(f"{self}: lower limits must be above 0 and below the upper limits")


@dataclass(frozen=True)
class Prepared:
    """Utterances of a folder, split for training and validation, and what was left out."""

    train: tuple[Utterance, ...]
    valid: tuple[Utterance, ...]
    problems: tuple[Problem, ...]
    dropped: Counter[str]
    """Characters that normalisation removed from the texts that are kept."""

    def table(self) -> str:
        """Return a table: what is kept, then one line per reason for leaving recordings out."""
        lines = [_row(name, part) for name, part in (("train", self.train), ("valid", self.valid))]
        counts = Counter(problem.reason for problem in self.problems)
        examples = {problem.reason: problem.example for problem in reversed(self.problems)}
        lines += [
            f"left out {count:7,}  {reason}: {examples[reason]}" for reason, count in counts.most_common()
        ]
        if self.dropped:
            listed = " ".join(f"{char}×{count}" for char, count in self.dropped.most_common(20))
            lines.append(
                f"characters removed from texts: {listed} (spell out spoken ones, or set --alphabet)"
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
    """Find recordings with transcripts in a folder, check them, and split them.

    It finds, at any depth: recordings with a .txt or .lab file of the same name beside them; manifests
    (.jsonl); and the layouts of LibriSpeech, LJSpeech, VCTK, Common Voice and `manifest.tsv`. The split is
    deterministic, see `split_by_text`.

    Args:
        folder: to search.
        valid_share: share of the audio to validate on, above 0 and below 1.
        alphabet: characters of the normalised texts.
        limits: of the recordings that are kept.
        progress: called with the number of recordings checked so far and the total.
    Returns:
        the split utterances with normalised texts, and what was left out.
    Raises:
        DataError: there are no recordings with texts, or too few usable ones to split.
    """
    if not 0 < valid_share < 1:
        raise DataError(f"validation share {valid_share:g}: out of range; give a number between 0 and 1")
    found, problems = find_utterances(folder)
    limits = limits or RecordingLimits()
    by_file: dict[Path, list[Utterance]] = {}
    for utterance in found:
        by_file.setdefault(utterance.audio_filepath, []).append(utterance)
    kept: list[Utterance] = []
    dropped = Counter[str]()
    with ThreadPoolExecutor() as pool:
        checked = pool.map(lambda group: _check_file(group, alphabet, limits), by_file.values())
        for done, results in enumerate(checked, 1):
            for result, removed in results:
                if isinstance(result, Problem):
                    problems.append(result)
                else:
                    kept.append(result)
                    dropped += removed
            if progress:
                progress(done, len(by_file))
    train, valid = split_by_text(kept, valid_share)
    if not train or not valid:
        sentences = len({utterance.text for utterance in kept})
        left_out = "".join(f"; {len(problems)} left out: {p.example}: {p.reason}" for p in problems[:1])
        raise DataError(
            f"{folder}: {len(kept)} usable recordings with {sentences} different texts are too few to train "
            f"and validate on; add more{left_out}"
        )
    return Prepared(tuple(train), tuple(valid), tuple(problems), dropped)


def check(waveform: np.ndarray, text: str, limits: RecordingLimits) -> str | None:
    """Return why a recording `[N]` at 16 kHz and its normalised text cannot be used for training, or None."""
    seconds = len(waveform) / audio.SAMPLE_RATE
    if seconds < limits.min_seconds:
        return f"shorter than {limits.min_seconds:g} s"
    if seconds > limits.max_seconds:
        return f"longer than {limits.max_seconds:g} s; cut it with: audioseq align AUDIO TEXT --cut DIR"
    tenth = audio.SAMPLE_RATE // 10
    blocks = waveform[: len(waveform) // tenth * tenth].reshape(-1, tenth)
    if np.sqrt(np.square(blocks).mean(axis=1)).max() < SILENCE_RMS:
        return "silent"
    if (np.abs(waveform) >= 0.999).mean() > CLIPPED_SHARE:
        return "clipped; record it again with less gain"
    if len(text) / seconds < limits.min_chars_per_second:
        return f"fewer than {limits.min_chars_per_second:g} characters of text per second; complete the text"
    if len(text) / seconds > limits.max_chars_per_second:
        return f"more than {limits.max_chars_per_second:g} characters of text per second; correct the text"
    return None


def split_by_text(
    utterances: Sequence[Utterance], valid_share: float
) -> tuple[list[Utterance], list[Utterance]]:
    """Split utterances into training and validation data that have no sentence in common.

    Whole speakers are held out if their recordings add up to about the share; otherwise whole sentences,
    with all their repetitions. A hash of the speakers or sentences decides the order, so adding recordings
    moves few others. Sentences that both parts contain are removed from validation, or from training if too
    little would be left to validate on.

    Args:
        utterances: with normalised texts.
        valid_share: share of the seconds to validate on.
    Returns:
        training and validation utterances.
    """
    target = valid_share * _seconds(utterances)
    valid = _select_groups(utterances, lambda utterance: utterance.speaker or "", target)
    if _seconds(valid) < target / 2:
        valid = _select_groups(utterances, lambda utterance: utterance.text, target, at_least_one=True)
    ids = {utterance.id for utterance in valid}
    train = [utterance for utterance in utterances if utterance.id not in ids]
    shared = {utterance.text for utterance in valid} & {utterance.text for utterance in train}
    valid_only = [utterance for utterance in valid if utterance.text not in shared]
    if _seconds(valid_only) >= target / 2:
        return train, valid_only
    return [utterance for utterance in train if utterance.text not in shared], valid


def _select_groups(
    utterances: Sequence[Utterance],
    key: Callable[[Utterance], str],
    target_seconds: float,
    at_least_one: bool = False,
) -> list[Utterance]:
    """Return whole groups of about the target duration, at most 1.5 times as long."""
    groups: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        groups.setdefault(key(utterance), []).append(utterance)
    selected: list[Utterance] = []
    for name in sorted(groups, key=lambda name: hashlib.sha256(name.encode()).digest()):
        seconds = _seconds(selected)
        fits = seconds + _seconds(groups[name]) <= 1.5 * target_seconds
        if seconds < target_seconds and len(groups) > 1 and (fits or (at_least_one and not selected)):
            selected += groups[name]
    return selected


def _check_file(
    group: Sequence[Utterance], alphabet: str, limits: RecordingLimits
) -> list[tuple[Utterance | Problem, Counter[str]]]:
    """Check the utterances of one recording.

    Returns:
        for each utterance, itself with its text normalised, or a problem; and the characters removed.
    """
    path = group[0].audio_filepath
    try:
        recording = audio.load(path)
    except AudioError as error:
        return [(Problem.of(error), Counter()) for _ in group]
    results: list[tuple[Utterance | Problem, Counter[str]]] = []
    whole = len(group) == 1 and not group[0].offset
    for utterance in group:
        text, removed = normalise(utterance.text, alphabet)
        try:
            waveform = recording if whole else utterance.cut(recording)
        except AudioError as error:
            results.append((Problem.of(error), removed))
            continue
        if any(char.isdigit() for char in removed):
            reason: str | None = "with digits in the text; spell them out as they are spoken"
        elif not text:
            reason = f"without text in the alphabet {alphabet!r}"
        else:
            reason = check(waveform, text, limits)
        if reason:
            results.append((Problem(reason, f"{path} {utterance.text[:40]!r}"), removed))
        else:
            seconds = round(len(waveform) / audio.SAMPLE_RATE, 3)
            results.append((replace(utterance, text=text, duration=seconds), removed))
    return results


def _row(name: str, utterances: Sequence[Utterance]) -> str:
    speakers = {utterance.speaker for utterance in utterances}
    sentences = {utterance.text for utterance in utterances}
    return (
        f"{name:8} {len(utterances):7,} recordings, {_seconds(utterances) / 60:.1f} minutes, "
        f"{len(sentences):,} sentences, {len(speakers):,} speaker{'s' * (len(speakers) > 1)}"
    )


def _seconds(utterances: Iterable[Utterance]) -> float:
    return sum(utterance.duration for utterance in utterances)
