from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.errors import ConfigError
from audioseq.speech.transcript import Segment, Transcript, Word
from audioseq.speech.writers import FORMATS, SubtitleOptions, write

EMPTY = Transcript("a.wav", "", 2.0)
TWO = Transcript(
    "talks/a.wav",
    "good morning all right",
    3725.0,
    (Segment(0.0804, 1.5, "good morning"), Segment(3723.4, 3724.9996, "all right")),
    (
        Word(0.0804, 0.5, "good", 0.91234),
        Word(0.9, 1.5, "morning", 0.5),
        Word(3723.4, 3723.8, "all", 1.0),
        Word(3724.0, 3724.9996, "right", 0.75),
    ),
)


def segment(text: str, start: float = 0.0, end: float = 10.0) -> Transcript:
    return Transcript("a.wav", text, end, (Segment(start, end, text),))


def cues(subtitles: str) -> list[tuple[int, int, list[str]]]:
    """Read subtitles back as (start in ms, end in ms, lines)."""
    clock = r"(\d\d+):([0-5]\d):([0-5]\d)[,.](\d{3})"
    found = []
    for match in re.finditer(rf"^{clock} --> {clock}\n((?:.+\n)+)", subtitles, flags=re.MULTILINE):
        *numbers, text = match.groups()
        h1, m1, s1, ms1, h2, m2, s2, ms2 = map(int, numbers)
        start, end = ((h1 * 60 + m1) * 60 + s1) * 1000 + ms1, ((h2 * 60 + m2) * 60 + s2) * 1000 + ms2
        found.append((start, end, text.splitlines()))
    return found


def test_txt_has_a_line_per_pause_of_a_second() -> None:
    assert write(TWO, "txt") == "good morning\nall right\n"
    close = replace(TWO, segments=(TWO.segments[0], replace(TWO.segments[1], start=2.49)))
    assert write(close, "txt") == "good morning all right\n"
    assert write(replace(TWO, segments=()), "txt") == "good morning all right\n"
    assert write(segment("a\n\tb"), "txt") == "a b\n"


def test_json_is_one_object_on_one_line() -> None:
    text = write(TWO, "json")
    assert text.endswith("}\n") and text.count("\n") == 1
    assert json.loads(text) == {
        "path": "talks/a.wav",
        "text": "good morning all right",
        "raw": "good morning all right",
        "duration": 3725.0,
        "segments": [
            {"start": 0.08, "end": 1.5, "text": "good morning", "raw": "good morning"},
            {"start": 3723.4, "end": 3725.0, "text": "all right", "raw": "all right"},
        ],
        "words": [
            {"start": 0.08, "end": 0.5, "word": "good", "confidence": 0.912, "raw": "good"},
            {"start": 0.9, "end": 1.5, "word": "morning", "confidence": 0.5, "raw": "morning"},
            {"start": 3723.4, "end": 3723.8, "word": "all", "confidence": 1.0, "raw": "all"},
            {"start": 3724.0, "end": 3725.0, "word": "right", "confidence": 0.75, "raw": "right"},
        ],
        "warnings": [],
    }


def test_json_keeps_line_separators_and_undecodable_names() -> None:
    strange = Transcript("caf\u00e9\u2028\udcff\n.wav", "\u00e9\u2028", 1.0)
    text = write(strange, "json")
    assert len(text.splitlines()) == 1 and text.isascii()
    assert json.loads(text)["path"] == strange.path


def test_tsv_has_one_row_per_segment() -> None:
    assert (
        write(TWO, "tsv") == "start\tend\ttext\n0.080\t1.500\tgood morning\n3723.400\t3725.000\tall right\n"
    )
    assert write(segment("a\tb\nc"), "tsv").splitlines()[1] == "0.000\t10.000\ta b c"


def test_srt_exactly() -> None:
    assert write(TWO, "srt") == (
        "1\n00:00:00,080 --> 00:00:01,500\ngood morning\n\n2\n01:02:03,400 --> 01:02:05,000\nall right\n"
    )


def test_vtt_exactly() -> None:
    assert write(TWO, "vtt") == (
        "WEBVTT\n\n00:00:00.080 --> 00:00:01.500\ngood morning\n\n01:02:03.400 --> 01:02:05.000\nall right\n"
    )


def test_empty_transcripts_are_valid_files() -> None:
    assert write(EMPTY, "txt") == "\n"
    assert json.loads(write(EMPTY, "json"))["segments"] == []
    assert write(EMPTY, "tsv") == "start\tend\ttext\n"
    assert write(EMPTY, "srt") == ""
    assert write(EMPTY, "vtt") == "WEBVTT\n"


def test_text_is_not_mistaken_for_structure() -> None:
    tricky = segment("a <b> & c --> d", 0, 3)
    assert "\na &lt;b&gt; &amp; c --&gt; d\n" in write(tricky, "vtt")
    assert "\na <b> & c -> d\n" in write(tricky, "srt")


def test_long_segments_without_word_times_are_split_by_length() -> None:
    text = " ".join(["four"] * 40)  # 199 characters, of which 160 are letters
    shown = cues(write(segment(text, 10, 26), "srt"))
    assert [" ".join(lines) for _, _, lines in shown] == [
        " ".join(["four"] * count)
        for count in (16, 16, 8)  # eight words fit on a line
    ]
    assert [(start, end) for start, end, _ in shown] == [(10000, 16400), (16400, 22800), (22800, 26000)]


def test_subtitles_end_at_pauses_and_after_seven_seconds() -> None:
    times = [(0, 0.3), (0.5, 1.0), (2.1, 4.0), (4.5, 6.5), (7.0, 9.2)]  # a pause of 1.1 s after the second
    words = tuple(Word(start, end, name, 1.0) for name, (start, end) in zip("abcde", times, strict=True))
    transcript = Transcript(None, "a b c d e", 12.0, (Segment(0, 9.2, "a b c d e"),), words)
    assert cues(write(transcript, "vtt")) == [
        (0, 1000, ["a b"]),
        (2100, 6500, ["c d"]),
        (7000, 9200, ["e"]),
    ]


def test_short_subtitles_last_a_second_if_the_next_one_allows_it() -> None:
    segments = (Segment(1.0, 1.2, "a"), Segment(2.2, 2.3, "b"), Segment(4.9, 4.95, "c"))
    shown = cues(write(Transcript(None, "a b c", 5.0, segments), "srt"))
    assert [(start, end) for start, end, _ in shown] == [(1000, 2000), (2200, 3200), (4900, 5000)]


def test_subtitles_have_the_given_lines() -> None:
    narrow = SubtitleOptions(max_line_width=10, max_line_count=1)
    shown = cues(write(segment("one two three four"), "vtt", narrow))
    assert [lines for *_, lines in shown] == [["one two"], ["three four"]]
    tall = SubtitleOptions(max_line_width=10, max_line_count=3)
    assert [lines for *_, lines in cues(write(segment("a " * 15, 0, 6), "srt", tall))] == [["a a a a a"] * 3]


def test_subtitles_of_words_have_the_times_of_the_words() -> None:
    shown = cues(write(TWO, "srt", SubtitleOptions(words=True)))
    assert shown[:3] == [(80, 500, ["good"]), (900, 1500, ["morning"]), (3723400, 3723800, ["all"])]
    long = "a" * 60
    assert [lines for *_, lines in cues(write(segment(long), "vtt", SubtitleOptions(words=True)))] == [[long]]


def test_hours_beyond_99_and_empty_segments_are_written() -> None:
    assert "100:00:00.000 --> 100:00:00.001" in write(segment("a", 360000.0, 360000.0), "vtt")


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.lists(st.text("ab<&-", min_size=1, max_size=100), min_size=1, max_size=12), max_size=4),
    st.booleans(),
    st.data(),
)
def test_subtitles_keep_all_characters_and_limits_and_do_not_overlap(
    texts: list[list[str]], timed: bool, data: st.DataObject
) -> None:
    count = 2 * sum(map(len, texts))
    steps = data.draw(st.lists(st.floats(0, 4), min_size=count, max_size=count))
    clock = 0.0
    segments: list[Segment] = []
    words: list[Word] = []
    for text in texts:
        begun = len(words)
        for word in text:
            start = clock + steps.pop()
            clock = start + steps.pop()
            words.append(Word(start, clock, word, 0.5))
        segments.append(Segment(words[begun].start, clock, " ".join(text)))
    whole = " ".join(segment.text for segment in segments)
    transcript = Transcript("a.wav", whole, clock, tuple(segments), tuple(words) if timed else ())

    subtitles = write(transcript, "vtt")
    shown = cues(subtitles)

    lines = [[html.unescape(line) for line in lines] for _, _, lines in shown]
    assert all(len(two) <= 2 and all(0 < len(line) <= 42 for line in two) for two in lines)
    assert "".join("".join(two) for two in lines).replace(" ", "") == whole.replace(" ", "")
    assert all(start < end for start, end, _ in shown)
    assert all(end <= max(after, start + 1) for (start, end, _), (after, _, _) in pairwise(shown))


def test_an_unknown_format_is_an_error_that_lists_the_formats() -> None:
    assert FORMATS == ("txt", "json", "srt", "vtt", "tsv", "ctm", "textgrid")
    with pytest.raises(ConfigError, match="'doc'; choose from txt, json, srt, vtt, tsv, ctm, textgrid"):
        write(EMPTY, "doc")


def test_ctm_has_one_line_per_word() -> None:
    assert write(TWO, "ctm").splitlines() == [
        "a 1 0.080 0.420 good 0.912",
        "a 1 0.900 0.600 morning 0.500",
        "a 1 3723.400 0.400 all 1.000",
        "a 1 3724.000 1.000 right 0.750",
    ]
    assert write(replace(TWO, path=None), "ctm").startswith("- 1 ")
    assert write(replace(TWO, path="my talk.wav"), "ctm").startswith("my_talk 1 ")


@pytest.mark.parametrize("form", ["ctm", "textgrid"])
def test_ctm_and_textgrid_need_word_timestamps(form: str) -> None:
    with pytest.raises(ConfigError, match="words=True"):
        write(replace(TWO, words=()), form)
    assert write(EMPTY, form) is not None


def intervals(textgrid: str) -> list[tuple[float, float, str]]:
    """Read a TextGrid of one tier as Praat does: only its numbers and quoted texts."""
    values = re.findall(r'"((?:[^"]|"")*)"|(-?[\d.]+)', textgrid.split("<exists>")[1])
    flat = [quoted.replace('""', '"') if not number else float(number) for quoted, number in values]
    tiers, kind, name, start, end, count, *rows = flat
    assert (tiers, kind, name, start) == (1, "IntervalTier", "words", 0) and count == len(rows) / 3
    found = list(zip(rows[::3], rows[1::3], rows[2::3], strict=True))
    assert found[-1][1] == end
    return found  # type: ignore[return-value]


def test_a_textgrid_covers_the_recording_without_gaps() -> None:
    quoted = replace(TWO, words=(*TWO.words[:3], Word(3724.0, 3724.5, 'so "right"', 0.75)))
    found = intervals(write(quoted, "textgrid"))
    assert [text for *_, text in found if text] == ["good", "morning", "all", 'so "right"']
    assert found[0] == (0, 0.0804, "") and found[-1][1] == 3725
    assert all(one[1] == other[0] for one, other in pairwise(found))
    assert all(start < end for start, end, _ in found)
    assert intervals(write(EMPTY, "textgrid")) == [(0, 2, "")]


TURNS = Transcript(
    "call.wav",
    "good morning yes all right",
    9.0,
    (
        Segment(0.5, 1.5, "good morning", "1"),
        Segment(1.25, 1.5, "yes", "2"),
        Segment(4.0, 5.0, "all <right>", "1"),
    ),
    (
        Word(0.5, 0.75, "good", 0.9, "1"),
        Word(1.0, 1.5, "morning", 0.5, "1"),
        Word(1.25, 1.5, "yes", 1.0, "2"),
        Word(4.0, 4.25, "all", 1.0, "1"),
        Word(4.5, 5.0, "<right>", 1.0, "1"),
    ),
    speakers=("1", "2"),
)


def test_speakers_are_labelled_in_all_formats() -> None:
    assert write(TURNS, "txt") == "1: good morning\n2: yes\n1: all <right>\n"
    assert write(TURNS, "tsv") == (
        "start\tend\tspeaker\ttext\n"
        "0.500\t1.500\t1\tgood morning\n1.250\t1.500\t2\tyes\n4.000\t5.000\t1\tall <right>\n"
    )
    assert cues(write(TURNS, "srt")) == [
        (500, 1500, ["1: good morning"]), (1250, 2250, ["2: yes"]), (4000, 5000, ["1: all <right>"]),
    ]  # fmt: skip
    assert [text for *_, (text,) in cues(write(TURNS, "vtt"))] == [
        "<v 1>good morning", "<v 2>yes", "<v 1>all &lt;right&gt;",
    ]  # fmt: skip
    parsed = json.loads(write(TURNS, "json"))
    assert parsed["segments"][1] == {"start": 1.25, "end": 1.5, "text": "yes", "speaker": "2", "raw": "yes"}
    assert [word["speaker"] for word in parsed["words"]] == ["1", "1", "2", "1", "1"]
    channels = [line.split()[1:5] for line in write(TURNS, "ctm").splitlines()]
    assert [(channel, word) for channel, *_, word in channels] == [
        ("1", "good"), ("1", "morning"), ("1", "all"), ("1", "<right>"), ("2", "yes"),
    ]  # fmt: skip
    header, *tiers = write(TURNS, "textgrid").split('"IntervalTier"\n')
    assert header.endswith("<exists>\n2\n") and [tier.split("\n")[0] for tier in tiers] == ['"1"', '"2"']
    assert tiers[1].split("\n")[3:] == [
        "3", "0.000000", "1.250000", '""', "1.250000", "1.500000", '"yes"', "1.500000", "9.000000", '""', "",
    ]  # fmt: skip


def test_labels_of_speakers_count_as_width() -> None:
    narrow = SubtitleOptions(max_line_width=12, max_line_count=1)
    lines = [line for *_, text in cues(write(TURNS, "srt", narrow)) for line in text]
    assert lines == ["1: good", "1: morning", "2: yes", "1: all", "1: <right>"]
    assert cues(write(TURNS, "vtt", narrow))[0][2] == ["<v 1>good morning"]
    words = SubtitleOptions(words=True)
    assert [text for *_, text in cues(write(TURNS, "srt", words))] == [[line] for line in lines[:1]] + [
        ["1: morning"], ["2: yes"], ["1: all"], ["1: <right>"],
    ]  # fmt: skip


def test_a_split_transcript_without_speech_has_its_columns() -> None:
    silent = replace(EMPTY, speakers=("1", "2"))
    assert write(silent, "txt") == "\n"
    assert write(silent, "tsv") == "start\tend\tspeaker\ttext\n"
    assert write(silent, "textgrid").count('"IntervalTier"') == 2
