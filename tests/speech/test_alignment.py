"""Texts are aligned with long recordings by the shipped model of digits."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq import audio
from audioseq.data import read_manifest, write_manifest
from audioseq.errors import DataError
from audioseq.speech import alignment, pipeline
from audioseq.speech.alignment import RecordingEmissions, align_recording
from audioseq.speech.cutting import PADDING_SECONDS, cut_utterances, to_utterances
from audioseq.speech.pipeline import Recogniser
from audioseq.speech.transcript import Word
from audioseq.text.tokenizer import CharTokenizer

ROOT = Path(__file__).parents[2]
DIGITS = "three seven one nine four"
"""The text of assets/digits.flac."""


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return pipeline.load_recogniser("digits", "cpu")


def pause(random: np.random.Generator) -> np.ndarray:
    noise: np.ndarray = random.normal(scale=1e-3, size=random.integers(3_000, 6_000)).astype(np.float32)
    return noise


@pytest.fixture(scope="module")
def minute() -> tuple[np.ndarray, list[float]]:
    """Return 20 repetitions of the sample with noise between them, and the start of each in seconds."""
    sample = audio.load(ROOT / "assets" / "digits.flac")
    random = np.random.default_rng(0)
    waveform, starts = np.zeros(0, np.float32), []
    for _ in range(20):
        waveform = np.concatenate([waveform, pause(random)])
        starts.append(len(waveform) / audio.SAMPLE_RATE)
        waveform = np.concatenate([waveform, sample])
    return np.concatenate([waveform, pause(random)]), starts


def test_words_have_the_expected_times(
    recogniser: Recogniser, minute: tuple[np.ndarray, list[float]]
) -> None:
    waveform, starts = minute
    words, _ = align_recording(recogniser, waveform, "\n".join([DIGITS] * 20))
    assert [word.word for word in words] == DIGITS.split() * 20
    assert all(one.end <= two.start for one, two in pairwise(words))
    alone, _ = align_recording(recogniser, waveform[: int(starts[1] * audio.SAMPLE_RATE)], DIGITS)
    errors = [
        abs(word.start - start - single.start + starts[0])
        for start, indices in zip(starts, np.arange(100).reshape(20, 5).tolist(), strict=True)
        for word, single in zip([words[index] for index in indices], alone, strict=True)
    ]
    assert np.median(errors) < 0.06 and np.quantile(errors, 0.9) < 0.2 and max(errors) < 0.5


def test_words_keep_their_spelling_and_numbers_their_place(
    recogniser: Recogniser, minute: tuple[np.ndarray, list[float]]
) -> None:
    words, _ = align_recording(recogniser, minute[0][:80_000], "Three-seven, ONE — 4 nine; four!")
    assert [word.word for word in words] == ["Three-seven,", "ONE", "4", "nine;", "four!"]
    assert words[0].end - words[0].start > words[1].end - words[1].start
    assert (words[2].start, words[2].end, words[2].confidence) == (words[1].end, words[3].start, 0)
    at_ends, _ = align_recording(recogniser, minute[0][:80_000], "1 2 three seven one nine four 5")
    assert [word.word for word in at_ends] == ["1", "2", "three", "seven", "one", "nine", "four", "5"]
    assert at_ends[0].start == at_ends[1].end == at_ends[2].start and at_ends[-1].end == at_ends[-2].end


def test_a_wrong_text_agrees_less_than_the_right_one(
    recogniser: Recogniser, minute: tuple[np.ndarray, list[float]]
) -> None:
    _, emissions = align_recording(recogniser, minute[0], " ".join([DIGITS] * 20))
    alphabet = recogniser.tokenizer.alphabet
    right, wrong = (
        alignment.text_agreement(" ".join([text] * 20), emissions, alphabet)
        for text in (DIGITS, "it was a dark and stormy night")
    )
    assert wrong < alignment.MIN_AGREEMENT < 0.9 < right


def test_missing_speech_and_missing_text_are_not_in_the_utterances(
    recogniser: Recogniser, minute: tuple[np.ndarray, list[float]]
) -> None:
    waveform, starts = minute
    # Noise replaces the third to the sixth repetition, and a wrong text their transcripts.
    text = [*[DIGITS] * 2, "eight " * 30, *[DIGITS] * 14]
    noise = np.random.default_rng(1).normal(scale=0.1, size=160_000).astype(np.float32)
    at = int(starts[2] * audio.SAMPLE_RATE)
    mixed = np.concatenate([waveform[:at], noise, waveform[int(starts[6] * audio.SAMPLE_RATE) :]])
    words, emissions = align_recording(recogniser, mixed, " ".join(text))
    segments = cut_utterances(words, emissions, mixed, recogniser.tokenizer.alphabet)
    kept = [segment for segment in segments if segment.agreement >= 0.8]
    assert sum(len(segment.words) for segment in kept) >= 70
    assert not any("eight" in segment.text for segment in kept)
    for segment in kept:
        transcript = recogniser.transcribe(
            mixed[int(segment.start * audio.SAMPLE_RATE) : int(segment.end * audio.SAMPLE_RATE)],
            audio.SAMPLE_RATE,
        )
        # The model emits a digit at its end, so the first and last one may be on the other side of a cut.
        assert " ".join(word.word for word in segment.words[1:-1]) in transcript.text


def test_utterances_cover_all_words_within_the_limits(
    recogniser: Recogniser, minute: tuple[np.ndarray, list[float]], tmp_path: Path
) -> None:
    waveform, _ = minute
    words, emissions = align_recording(recogniser, waveform, " ".join([DIGITS] * 20))
    segments = cut_utterances(words, emissions, waveform, recogniser.tokenizer.alphabet)
    assert [word for segment in segments for word in segment.words] == words
    assert all(2 <= segment.end - segment.start <= 16 for segment in segments)
    assert all(one.end <= two.start + 1e-6 for one, two in pairwise(segments))
    assert min(segment.agreement for segment in segments) > 0.8
    audio.write(tmp_path / "talk.flac", waveform)
    entries = to_utterances(segments, tmp_path / "talk.flac")
    write_manifest(tmp_path / "talk.jsonl", entries)
    assert read_manifest(tmp_path / "talk.jsonl") == entries
    assert len(entries[1].load()) == round(entries[1].duration * audio.SAMPLE_RATE)


def test_a_large_region_is_divided_at_weaker_anchors(
    recogniser: Recogniser, minute: tuple[np.ndarray, list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = " ".join([DIGITS] * 20)
    whole, _ = align_recording(recogniser, minute[0], text)
    monkeypatch.setattr(alignment, "ANCHOR_CHARACTERS", (1000, 3))
    monkeypatch.setattr(alignment, "MAX_ALIGNMENT_CELLS", 40_000)
    parts, _ = align_recording(recogniser, minute[0], text)
    assert np.median([abs(a.start - b.start) for a, b in zip(whole, parts, strict=True)]) < 0.05
    # Without anchors, no word is aligned.
    unaligned, emissions = align_recording(recogniser, minute[0], "eight " * 400)
    assert {word.confidence for word in unaligned} == {0.0}
    assert cut_utterances(unaligned, emissions, minute[0], recogniser.tokenizer.alphabet) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0.05, 4)), min_size=1, max_size=40))
def test_utterances_keep_order_and_limits(gaps: list[tuple[float, float]]) -> None:
    words, time = [], 0.0
    for gap, length in gaps:
        words.append(Word(time + gap, time + gap + length, "a", 0.9))
        time += gap + length
    emissions = RecordingEmissions(np.zeros((2, 2)), np.array([0.0, time / 2, time]), "a", np.array([[0, 1]]))
    waveform = np.random.default_rng(0).normal(size=int(time * audio.SAMPLE_RATE) + 1)
    segments = cut_utterances(words, emissions, waveform, " a", (1.0, 6.0))
    kept = [word for segment in segments for word in segment.words]
    assert kept == [word for word in words if word in kept]
    for segment in segments:
        assert 1.0 <= segment.end - segment.start <= 6.0 + 2 * PADDING_SECONDS
        assert segment.start <= segment.words[0].start + 1e-9 and segment.words[-1].end <= segment.end + 1e-9
    assert all(one.end <= two.start + 1e-9 for one, two in pairwise(segments))


def test_texts_and_alphabets_without_words_are_errors(
    recogniser: Recogniser, minute: tuple[np.ndarray, list[float]]
) -> None:
    with pytest.raises(DataError, match="the text has no word in the model's alphabet"):
        align_recording(recogniser, minute[0], "1, 2, 3")
    spaceless = Recogniser(recogniser.model, CharTokenizer("abc"), replace(recogniser.header))
    with pytest.raises(DataError, match="has no space"):
        align_recording(spaceless, minute[0], "abc")
