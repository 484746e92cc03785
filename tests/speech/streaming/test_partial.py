"""Which words of a stream are shown before its segment is final."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from audioseq.speech.streaming.partial import AGREEING_TEXTS, PartialText


def shown(texts: list[str]) -> list[str]:
    """Return what is shown after each text."""
    partial, found = PartialText(), []
    for text in texts:
        partial.add(text.split())
        found.append(" ".join(partial.words))
    return found


def test_a_word_in_doubt_stays_and_a_replaced_word_is_replaced() -> None:
    agreed = ["so far so"] * AGREEING_TEXTS
    assert shown(agreed)[-1] == "so far"
    assert shown([*agreed, "sofa so"])[-1] == "so far"  # in doubt
    assert shown([*agreed, *["sofa so good"] * AGREEING_TEXTS])[-1] == "sofa so"


@given(st.lists(st.lists(st.sampled_from("ab"), max_size=4).map(" ".join), max_size=12))
def test_shown_words_were_the_start_of_a_text_that_continued(texts: list[str]) -> None:
    for count, text in enumerate(shown(texts), 1):
        starts = [longer for longer in texts[:count] if longer.startswith(text)]
        assert not text or (len(starts) >= AGREEING_TEXTS and any(longer != text for longer in starts))
