"""Transcripts as HTML."""

from __future__ import annotations

from html.parser import HTMLParser
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from audioseq.server.web.transcript_view import pair_words, segment_html
from audioseq.speech.transcript import Segment, Transcript, Word


class Buttons(HTMLParser):
    """The buttons of a page: their attributes, and their texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.attributes: list[dict[str, str | None]] = []
        self.texts: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "button":
            self.attributes.append(dict(attrs))
            self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self.texts and data.strip():
            self.texts[-1] += data


WORDS = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=("Z", "C")), min_size=1),
        st.floats(0.0, 2.0),
        st.floats(0, 1),
    )
)


@given(WORDS)
def test_every_word_is_a_button_and_its_text_no_markup(drawn: list[tuple[str, float, float]]) -> None:
    words, now = [], 0.0
    for text, gap, confidence in drawn:
        words.append(Word(now + gap, now + gap + 0.5, text, confidence))
        now += gap + 0.5
    pauses = [n for n, (a, b) in enumerate(pairwise(words), 1) if b.start - a.end > 1]
    parts = [words[start:end] for start, end in pairwise([0, *pauses, len(words)]) if words]
    segments = tuple(Segment(p[0].start, p[-1].end, " ".join(word.word for word in p)) for p in parts)
    transcript = Transcript(None, "", now, segments, tuple(words))
    paired = pair_words(transcript)
    assert [word for _, own in paired for word in own] == words
    assert [segment.text for segment, _ in paired] == [" ".join(w.word for w in own) for _, own in paired]
    page = Buttons("".join(segment_html(*pair, first=index == 0) for index, pair in enumerate(paired)))
    shown = [text for text, at in zip(page.texts, page.attributes, strict=True) if at["class"] == "word"]
    assert shown == [word.word for word in words]
    assert page.tags <= {"button", "span"}
    assert sum(at.get("tabindex") == "0" for at in page.attributes) == bool(words)


def test_a_word_has_its_times_and_the_shade_of_its_confidence() -> None:
    word = Word(1.5, 2.25, "well", 0.7)
    time, shown = Buttons(segment_html(Segment(61.5, 62.25, "well"), [word])).attributes
    assert (shown["data-start"], shown["data-end"]) == ("1.500", "2.250")
    assert shown["style"] == "--doubt:30%" and shown["data-confidence"] == "70"
    assert time["aria-label"] == "Play from 1:01"


def test_a_segment_without_words_shows_its_text() -> None:
    assert "<b>" not in segment_html(Segment(0, 1, "a <b> c"), [])
    assert "a &lt;b&gt; c" in segment_html(Segment(0, 1, "a <b> c"), [])
