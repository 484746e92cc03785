"""Readable transcripts, with a punctuation model that only looks at pauses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq import audio
from audioseq.cli.main import run
from audioseq.models import CATALOGUE, Model
from audioseq.speech import pipeline
from audioseq.speech.readable import (
    CONTEXT_WORDS,
    LOOKAHEAD_WORDS,
    WINDOW_WORDS,
    SegmentWriter,
    recommended_punctuation,
    write_readable,
)
from audioseq.speech.transcript import Word, split_at_pauses
from tests.language.punctuation import tiny as tiny_punctuation
from tests.speech import babbler
from tests.speech.pauses import PausePunctuator
from tests.speech.tiny import say

Captured = pytest.CaptureFixture[str]


def speak(text: str, pauses: Sequence[float], seconds: float = 0.25) -> list[Word]:
    """Return the words of a text, each with a pause after it and a different confidence."""
    words, clock = [], 0.0
    for index, (word, pause) in enumerate(zip(text.split(), pauses, strict=True)):
        words.append(Word(clock, clock + seconds, word, 1 - index / 1000))
        clock += seconds + pause
    return words


def texts(words: Sequence[Sequence[Word]]) -> list[str]:
    return [" ".join(word.word for word in part) for part in words]


def test_a_written_word_has_the_times_of_the_words_that_it_stands_for() -> None:
    words = speak("it was in twenty twenty six then", [0, 0, 0, 0, 0, 0.6, 0])
    ((spoken, written),) = write_readable([words], PausePunctuator())
    assert spoken == words
    assert texts([written]) == ["It was in 2026. Then."]
    year = written[3]
    assert (year.start, year.end, year.raw) == (words[3].start, words[5].end, "twenty twenty six")
    assert year.confidence == words[3].confidence * words[4].confidence * words[5].confidence < 1


def test_a_mark_at_the_end_of_a_segment_depends_on_the_next_segment() -> None:
    words = speak("are you there yes i am", [0, 0, 0.2, 0, 0, 0])
    segments = [words[:3], words[3:5], words[5:]]
    assert texts([written for _, written in write_readable(segments, PausePunctuator())]) == [
        "Are you there?", "Yes i", "am.",
    ]  # fmt: skip


def test_a_number_that_continues_a_sentence_does_not_begin_one() -> None:
    words = speak("there were thirty men", [0, 0.4, 0, 0])
    found = write_readable([words[:2], words[2:]], PausePunctuator())
    assert texts([written for _, written in found]) == ["There were,", "30 men."]


def test_a_sentence_continues_over_a_pause_of_a_stream() -> None:
    class Recorder(PausePunctuator):
        def punctuate(self, words: Sequence[str], pauses: Sequence[float] | None = None) -> list[str]:
            assert pauses is not None
            self.read = list(zip(words, pauses, strict=True))
            *before, last = super().punctuate(words, pauses)
            return [*before, last.rstrip(".") if last.lower().startswith("the") else last]

    words = speak("he went to the window in nineteen oh five yes", [0, 0, 0, 0.4, 0, 0, 0, 0, 0.9, 0])
    punctuator = Recorder()
    writer = SegmentWriter(punctuator)
    segments = [words[:4], words[4:9], words[9:]]
    assert texts([writer.write(segment) for segment in segments]) == [
        "He went to the", "window in 1905.", "Yes.",
    ]  # fmt: skip
    assert [word for word, _ in punctuator.read] == [word.word for word in words]
    assert punctuator.read[3][1] == pytest.approx(0.4) and np.isnan(punctuator.read[-1][1])
    for _ in range(CONTEXT_WORDS):
        writer.write(words[9:])
    assert len(punctuator.read) == CONTEXT_WORDS + 1
    assert SegmentWriter(None).write(words) is words


def test_sentences_begin_with_a_capital() -> None:
    class Careless(PausePunctuator):
        def punctuate(self, words: Sequence[str], pauses: Sequence[float] | None = None) -> list[str]:
            return [word.lower().replace("ipad", "iPad") for word in super().punctuate(words, pauses)]

    words = speak("it rains yes 'tis wet ipad", [0, 0, 0.6, 0, 0.6, 0])
    found = write_readable([words[:2], words[2:]], Careless())
    assert texts([written for _, written in found]) == ["It rains?", "Yes. 'Tis wet. iPad."]


def test_without_a_model_words_are_as_recognised() -> None:
    words = speak("in twenty twenty six", [0, 0, 0, 0])
    assert list(write_readable([words], None)) == [(words, words)]


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 1500), st.integers(1, 400), st.sampled_from([3, 20, 150, 10**6]))
def test_windows_give_the_text_of_the_whole(count: int, segment_words: int, sentence_words: int) -> None:
    pauses = [0.6 if index % sentence_words == sentence_words - 1 else 0.0 for index in range(count)]
    words = speak(" ".join(f"word{index}" for index in range(count)), pauses)
    segments = [words[first : first + segment_words] for first in range(0, count, segment_words)]
    read = 0

    def reading() -> Iterator[Sequence[Word]]:
        nonlocal read
        for segment in segments:
            read += len(segment)
            yield segment

    punctuator, written, spoken = PausePunctuator(), list[Word](), list[Word]()
    for raw, words_of_segment in write_readable(reading(), punctuator):
        # What is waiting does not grow with the recording.
        assert read - len(spoken) <= WINDOW_WORDS + 2 * segment_words
        spoken += raw
        written += words_of_segment
    assert spoken == words and [word.raw for word in written] == [word.word for word in words]
    assert [(word.start, word.end) for word in written] == [(word.start, word.end) for word in words]
    assert all(call <= WINDOW_WORDS for call in punctuator.calls)
    if sentence_words < WINDOW_WORDS - LOOKAHEAD_WORDS or sentence_words > count < WINDOW_WORDS:
        whole = PausePunctuator().punctuate([word.word for word in words], [*pauses[:-1], 9.0])
        assert [word.word for word in written] == whole


def test_cards_recommend_punctuation(monkeypatch: pytest.MonkeyPatch) -> None:
    models = (
        *CATALOGUE,
        Model("english-punctuation", "punctuation", "p", "", ""),
        Model("mine", "punctuation", "m", "", ""),
    )
    monkeypatch.setattr("audioseq.models.CATALOGUE", models)
    assert recommended_punctuation({}) is None
    assert recommended_punctuation({"decoder": {"lm": "english-4gram"}}) == "english-punctuation"
    assert recommended_punctuation({"decoder": {"lm": "english-3gram"}}) == "english-punctuation"
    assert recommended_punctuation({"decoder": {"lm": "mine.safetensors"}}) is None
    assert recommended_punctuation({"punctuation": "mine"}) == "mine"
    assert recommended_punctuation({"punctuation": "none", "decoder": {"lm": "english-4gram"}}) is None
    monkeypatch.setattr("audioseq.models.CATALOGUE", ())
    assert recommended_punctuation({"decoder": {"lm": "english-4gram"}}) is None


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return babbler.make(tmp_path_factory.mktemp("model"))


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A recording of two channels in the current folder; every model recommends the `PausePunctuator`."""
    file = tmp_path / "punctuation.safetensors"
    file.write_bytes(b"weights")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipeline, "recommended_punctuation", lambda card: "punctuation.safetensors")
    monkeypatch.setattr(
        "audioseq.language.punctuation.pipeline.load_punctuator", lambda name, device: PausePunctuator()
    )
    sides = [
        say("abc dad bad" + " " * 20 + "cab"),
        say(" " * 9 + "dad abc" + " " * 9 + "cab bad")[: len(say("x" * 34))],
    ]
    audio.write("call.wav", np.stack([side[: min(map(len, sides))] for side in sides], axis=1))
    return "call.wav"


def test_a_transcript_has_both_texts(call: str, model: Path) -> None:
    recogniser = pipeline.load_recogniser(model, "cpu")
    found, raw = (recogniser.transcribe(call, words=True, raw=raw) for raw in (False, True))
    assert raw.text == raw.raw == found.raw and raw.words == found.raw_words and raw.raw_words == ()
    assert found.text.endswith(".") and found.text[0].isupper() and found.text.lower() != found.raw
    assert found.text == " ".join(segment.text for segment in found.segments)
    assert found.raw == " ".join(segment.raw for segment in found.segments)
    assert found.text == " ".join(word.word for word in found.words)
    assert found.raw == " ".join(word.raw for word in found.words)
    assert [(s.start, s.end, s.raw) for s in found.segments] == [
        (s.start, s.end, s.text) for s in raw.segments
    ]
    assert [part[0].start for part in split_at_pauses(found.raw_words)] == [s.start for s in found.segments]


def test_the_user_may_choose_the_punctuation_model(
    model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Captured
) -> None:
    audio.write(tmp_path / "talk.wav", say("abc dad bad"))
    mine = tiny_punctuation.save(tmp_path / "mine.safetensors")
    recogniser = pipeline.load_recogniser(model, "cpu", punctuation=mine)
    found = recogniser.transcribe(tmp_path / "talk.wav")
    assert found.raw != found.text
    command = ["transcribe", str(tmp_path / "talk.wav"), "-m", str(model), "--punctuation"]
    assert run([*command, str(mine)]) == 0
    assert capsys.readouterr().out.split() == found.text.split()
    assert run([*command, str(mine), "--raw"]) == 2
    assert "does not go with --raw" in capsys.readouterr().err
    assert run([*command, str(mine), "-f", "ctm"]) == 2
    assert "has no effect on ctm" in capsys.readouterr().err
    assert run([*command, "none.safetensors"]) == 1
    assert "none.safetensors" in capsys.readouterr().err


def test_speakers_have_sentences_of_their_own(call: str, model: Path) -> None:
    recogniser = pipeline.load_recogniser(model, "cpu")
    found = recogniser.transcribe(call, words=True, channels="split")
    assert found.speakers == ("1", "2")
    for parts in (found.words, found.raw_words):
        assert {word.speaker for word in parts} == {"1", "2"}
        assert all(one.start <= other.start for one, other in pairwise(parts))
    for speaker in found.speakers:
        last = [word for word in found.words if word.speaker == speaker][-1]
        assert last.word.endswith(".")


def test_the_command_writes_readable_text_unless_it_is_to_be_raw(
    call: str, model: Path, capsys: Captured
) -> None:
    command = ["transcribe", call, "-m", str(model)]
    assert run([*command, "-f", "json", "--words"]) == 0
    readable_json = json.loads(capsys.readouterr().out)
    assert run([*command, "-f", "json", "--words", "--raw"]) == 0
    raw_json = json.loads(capsys.readouterr().out)
    assert raw_json["text"] == raw_json["raw"] == readable_json["raw"] != readable_json["text"]
    assert [word["raw"] for word in readable_json["words"]] == [word["word"] for word in raw_json["words"]]
    assert run(command) == 0
    assert " ".join(capsys.readouterr().out.split()) == readable_json["text"]
    assert run([*command, "--raw"]) == 0
    assert " ".join(capsys.readouterr().out.split()) == raw_json["text"]
    for form in ("ctm", "textgrid"):
        assert run([*command, "-f", form]) == 0
        printed = capsys.readouterr().out
        assert run([*command, "-f", form, "--raw"]) == 0
        assert capsys.readouterr().out == printed and "." not in printed.split()[4]


def test_a_folder_is_resumed_with_the_same_text(call: str, model: Path, capsys: Captured) -> None:
    command = ["transcribe", ".", "-m", str(model), "-f", "txt,json,srt,ctm", "-o", "out"]
    assert run(command) == 0
    assert Path("out/call.txt").read_text().strip().endswith(".")
    assert json.loads(Path("out/call.json").read_text())["raw"]
    capsys.readouterr()
    assert run([*command, "--resume"]) == 0
    assert "0 transcribed, 1 skipped" in capsys.readouterr().err
    assert run([*command, "--resume", "--raw"]) == 1  # ctm is the same
    assert "call.txt and 2 others: made with another model or other settings" in capsys.readouterr().err
    Path("punctuation.safetensors").write_bytes(b"other weights")
    assert run([*command, "--resume", "--force"]) == 0
    rows = [json.loads(line) for line in Path("out/results.jsonl").read_text().splitlines()]
    assert {row["words"] for row in rows} == {
        len(json.loads(Path("out/call.json").read_text())["raw"].split())
    }
