"""Subtitles: where cues and lines break, and how long they are shown."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from audioseq.speech.transcript import PAUSE_SECONDS, Transcript, Word
from audioseq.speech.writers import SubtitleOptions, write
from audioseq.speech.writers.cues import (
    MAX_CHARACTERS_PER_SECOND,
    MAX_SECONDS,
    MIN_SECONDS,
    Cue,
    make_cues,
)
from audioseq.speech.writers.lines import break_cost, break_lines, count_lines

LAYOUT = SubtitleOptions()


def speak(text: str, seconds: float = 0.3, pauses: dict[str, float] | None = None) -> Transcript:
    """Return a transcript of a text with words of a given duration, and pauses after some words."""
    words, clock = [], 0.0
    for word in text.split():
        words.append(Word(clock, clock + seconds, word, 1.0))
        clock += seconds + (pauses or {}).get(word, 0.0)
    return Transcript(None, text, clock + 5, (), tuple(words))


def shown(transcript: Transcript, options: SubtitleOptions = LAYOUT) -> list[str]:
    return [cue.text for cue in make_cues(transcript, options)]


def test_cues_end_at_sentences_then_at_clauses_and_pauses() -> None:
    text = "The rain had stopped. She opened the window, and she looked at the street for a very long time."
    assert shown(speak(text)) == [
        "The rain had stopped.",
        "She opened the window, and she looked\nat the street for a very long time.",
    ]
    text = "When she had come home to the old house, she opened the window, and she looked at the street."
    assert shown(speak(text)) == [
        "When she had come home to the old house,\nshe opened the window,",
        "and she looked at the street.",
    ]
    text = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    first, second = shown(speak(text, pauses={"nine": 0.4}))
    assert first.endswith("nine") and second.startswith("ten")


def test_short_sentences_share_a_cue() -> None:
    assert shown(speak("Yes. No. I do not know.", seconds=0.2)) == ["Yes. No. I do not know."]


def test_a_long_pause_always_ends_a_cue() -> None:
    assert shown(speak("She looked at the rain", pauses={"at": 1.0})) == ["She looked at", "the rain"]


def test_cues_last_into_the_silence_after_them() -> None:
    text = "Extraordinarily straightforward characteristics."
    (cue,) = make_cues(speak(text, seconds=0.25), LAYOUT)
    assert cue.end == len(text) / MAX_CHARACTERS_PER_SECOND > 0.75
    first, second = make_cues(speak(f"{text} so", seconds=0.25, pauses={"characteristics.": 1.25}), LAYOUT)
    assert first.end <= second.start == 2
    assert second.end == second.start + MIN_SECONDS


def test_lines_are_balanced_and_break_between_clauses() -> None:
    assert break_lines(["a"], 42) == ["a"]
    for lines in (
        ["when she had gone home,", "he sat down by the fire"],
        ["it was the beginning", "of the end of everything"],
    ):
        assert break_lines(" ".join(lines).split(), 42) == lines


@given(
    st.lists(st.sampled_from(["the", "word", "longest,", "end.", "i", "we"]), max_size=9), st.integers(8, 20)
)
def test_lines_have_the_lowest_cost(words: list[str], width: int) -> None:
    found = break_lines(words, width)
    assert " ".join(found).split() == words and all(len(line) <= width for line in found)
    options = [
        [" ".join(words[a:b]) for a, b in pairwise((0, *bounds, len(words)))]
        for bounds in combinations(range(1, len(words)), max(0, count_lines(words, width) - 1))
    ]
    options = [lines for lines in options if all(len(line) <= width for line in lines)]
    if not words:
        return

    def cost(lines: list[str]) -> float:
        mean = sum(map(len, lines)) / len(lines)
        return sum(abs(len(line) - mean) for line in lines) + sum(
            break_cost(line.split()[-1]) for line in lines[:-1]
        )

    assert abs(cost(found) - min(map(cost, options))) < 1e-9


WORDS = ["a", "the", "of", "rain", "window,", "evening.", "considerable", "1,234", "yes?", "wall –", "it"]
TIMED = st.lists(
    st.tuples(st.sampled_from(WORDS), st.floats(0.01, 0.12), st.sampled_from([0, 0, 0, 0.1, 0.4, 1.2, 3]))
)


@settings(deadline=None, max_examples=150)
@given(TIMED, st.sampled_from([LAYOUT, SubtitleOptions(20, 1), SubtitleOptions(32, 3)]))
@example([("considerable", 0.01, 0.0)] * 60, LAYOUT)
def test_cues_keep_the_limits(spoken: list[tuple[str, float, float]], options: SubtitleOptions) -> None:
    words, clock = [], 0.5
    for text, seconds, pause in spoken:
        words.append(Word(clock, clock + seconds * len(text), text, 1.0))
        clock = words[-1].end + pause
    duration = clock + 9
    transcript = Transcript(None, " ".join(word.word for word in words), duration, (), tuple(words))
    cues = make_cues(transcript, options)
    assert " ".join(cue.text for cue in cues).split() == transcript.text.split()
    for cue in cues:
        lines = cue.text.split("\n")
        assert len(lines) <= options.max_line_count
        assert all(len(line) <= options.max_line_width for line in lines)
    assert all(one.end <= other.start for one, other in pairwise(cues))
    starts = {word.start: index for index, word in enumerate(words)}
    for cue, following in pairwise([*cues, Cue(duration, duration, "")]):
        first = starts[cue.start]
        speech = words[first : first + len(cue.text.replace(" –", "_").split())]
        # The speech of a cue has no long pause, and is short unless it is one word.
        assert all(b.start - a.end < PAUSE_SECONDS for a, b in pairwise(speech))
        assert speech[-1].end - cue.start <= MAX_SECONDS or len(speech) == 1
        # It is shown until its speech ends, and for the time that reading needs or the next cue leaves.
        needed = max(MIN_SECONDS, len(cue.text) / MAX_CHARACTERS_PER_SECOND)
        assert cue.end >= min(speech[-1].end, following.start) - 1e-9
        assert cue.end - cue.start >= min(needed, following.start - cue.start) - 1e-9


def test_speakers_have_cues_of_their_own() -> None:
    words = tuple(Word(n / 4, n / 4 + 0.25, f"word{n}.", 1.0, str(n % 2 + 1)) for n in range(8))
    transcript = Transcript(None, " ".join(word.word for word in words), 9.0, (), words, speakers=("1", "2"))
    printed = write(transcript, "srt")
    assert "1: word0." in printed and "2: word1." in printed


def test_text_of_a_readable_transcript_has_paragraphs() -> None:
    from audioseq.speech.transcript import Segment

    segments = (
        Segment(0, 1, "She sat", raw="she sat"),
        Segment(3, 4, "down. It rained.", raw="down it rained"),
        Segment(5.2, 6, "It was late.", raw="it was late"),
        Segment(8, 9, "The next day", raw="the next day"),
    )
    text = " ".join(segment.text for segment in segments)
    raw = " ".join(segment.raw for segment in segments)
    readable = Transcript(None, text, 9.0, segments, raw=raw)
    assert write(readable, "txt") == "She sat down. It rained. It was late.\nThe next day\n"
    long = tuple(Segment(n, n + 1, "Word " * 29 + "end.", raw="word " * 30) for n in range(12))
    lines = write(Transcript(None, "", 12.0, long, raw="word"), "txt").splitlines()
    assert [len(line.split()) for line in lines] == [150, 150, 60]
    call = tuple(Segment(n, n + 1, f"Turn {n}.", str(n % 2), f"turn {n}") for n in range(2))
    assert write(Transcript(None, "", 2.0, call, raw="turn"), "txt") == "0: Turn 0.\n1: Turn 1.\n"
