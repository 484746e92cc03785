"""Labels of written texts, and how they are written again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioseq.language.punctuation.labels import CASES, MARKS, LabelledWord, read_labels, write_word

FORMS = {"mcdonald": "McDonald", "mr": "Mr."}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"No," he said--"why not?"', "No, he said – why not?"),
        (
            "Mr. McDonald (the baker) left; J. P. Smith stayed.",
            "Mr. McDonald the baker left; J P Smith stayed.",
        ),
        ("Well-known... it was a water-power mill", "Well known – it was a water power mill"),
        ("He waited. . . . Then: 'Tis I!", "He waited. Then: 'Tis I!"),
        ("NASA men, e.g. two of them,— laughed.", "NASA men, e g two of them, laughed."),
        (
            "\u2018It\u2019s mine,\u2019 she cried\u2014\u2018all mine!\u2019",
            "It's mine, she cried – all mine!",
        ),
        ("Really?! Yes! 3,000 of them.", "Really? Yes! 3, 000 of them."),
        ("— — ...", ""),
    ],
)
def test_texts_are_labelled_and_written_again(text: str, expected: str) -> None:
    words = read_labels(text)
    assert " ".join(write_word(each.word, each.case, each.mark, FORMS) for each in words) == expected


def test_the_written_form_keeps_mixed_case_and_the_stop_of_an_abbreviation() -> None:
    assert [each.written for each in read_labels("Mrs. O'Brien met Dr. Li.")] == [
        "Mrs.",
        "O'Brien",
        "met",
        "Dr.",
        "Li",
    ]


@given(
    st.lists(
        st.builds(
            LabelledWord,
            st.sampled_from(["the", "cat", "it's", "anna", "mcdonald"]),
            st.sampled_from(range(len(CASES))),
            st.sampled_from(range(len(MARKS))),
            st.just(""),
        ),
        max_size=20,
    )
)
def test_reading_inverts_writing(words: list[LabelledWord]) -> None:
    """The full stop needs a capital after it, as otherwise it marks an abbreviation."""
    text = " ".join(write_word(each.word, each.case, each.mark, FORMS) for each in words)
    stop, none = MARKS.index("."), 0
    expected = []
    for index, each in enumerate(words):
        is_abbreviation = each.mark == stop and index + 1 < len(words) and not words[index + 1].case
        expected.append((each.word, each.case, none if is_abbreviation else each.mark))
    assert [(each.word, each.case, each.mark) for each in read_labels(text)] == expected


@pytest.mark.parametrize(
    ("word", "case", "mark", "written"),
    [
        ("don't", 2, 1, "DON'T,"),
        ("'tis", 1, 0, "'Tis"),
        ("iPod", 1, 2, "iPod."),
        ("mr", 1, 2, "Mr."),
        ("mr", 1, 1, "Mr.,"),
        ("(hello", 1, 3, "(Hello?"),
        ('hello."', 1, 3, 'Hello."'),
        ("straße", 2, 0, "STRAßE"),
        ("said", 0, 7, "said –"),
        ("o'brien's", 1, 0, "O'Brien's"),
        ("(mcneill", 1, 1, "(McNeill,"),
        ("o'clock", 1, 0, "O'clock"),
        ("mcneill", 0, 0, "mcneill"),
    ],
)
def test_capitals_and_marks_are_kept(word: str, case: int, mark: int, written: str) -> None:
    assert write_word(word, case, mark, FORMS) == written
