"""Numbers in figures, with num2words as the oracle of how numbers are spoken."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from num2words import num2words

from audioseq.text.numerals.write import write_numbers

MONTHS = "January February March April May June July August September October November December"


def spoken(number: int, **form: str) -> list[str]:
    """Return a number as the recogniser writes it: words without hyphens and commas."""
    return re.sub(r"[-,]", " ", num2words(number, **form)).split()


def written(text: str) -> str:
    return " ".join(word for word, _ in write_numbers(text.split()))


def value_of(text: str) -> int:
    """Read figures back, such as "1,234" or "5 million"."""
    figures, _, scale = text.partition(" ")
    return (
        int(figures.replace(",", "")) * {"": 1, "million": 10**6, "billion": 10**9, "trillion": 10**12}[scale]
    )


def check_number(number: int) -> None:
    british = spoken(number)
    for words in {tuple(british), tuple(word for word in british if word != "and")}:
        (before, *inside, after) = write_numbers(["counting", *words, "things"])
        text = " ".join(word for word, _ in inside)
        assert (before, after) == (("counting", 1), ("things", 1))
        assert sum(count for _, count in inside) == len(words)
        if number < 10:
            assert text == " ".join(words)
        else:
            assert value_of(text) == number
            assert ("," in text) == (number >= 1000 and (number < 10**6 or number % 10**6 > 0))


def test_all_numbers_to_ten_thousand() -> None:
    for number in range(10_001):
        check_number(number)


@settings(deadline=None)
@given(st.integers(0, 12).flatmap(lambda digits: st.integers(0, 10**digits)))
def test_numbers_to_a_trillion(number: int) -> None:
    check_number(number)


@settings(deadline=None)
@given(st.integers(1, 10**6) | st.integers(1, 200))
def test_ordinals(number: int) -> None:
    words = spoken(number, to="ordinal")
    expected = " ".join(words) if number < 10 else num2words(number, to="ordinal_num")
    assert written(f"the {' '.join(words)} time").replace(",", "") == f"the {expected} time"


def test_all_years() -> None:
    for year in range(1000, 2100):
        words = spoken(year, to="year")
        forms = {" ".join(words), " ".join(spoken(year)), " ".join(words).replace("oh", "o")}
        for form in forms:
            assert written(f"it was in {form} that") == f"it was in {year} that", form
    assert written("the nineteen sixties and eighteen hundreds") == "the 1960s and 1800s"


def test_all_decimals() -> None:
    for whole, hundredths in product(range(12), range(100)):
        digits = f"{hundredths:02}"
        words = " ".join([*spoken(whole), "point", *(num2words(int(digit)) for digit in digits)])
        assert written(f"about {words} or so") == f"about {whole}.{digits} or so"
    assert written("three point one four one five nine million") == "3.14159 million"
    assert written("oh point five") == "0.5" and written("at this point five men") == "at this point five men"


def test_all_times() -> None:
    for hour, minute in product(range(1, 13), range(60)):
        oh = ["oh"] if minute < 10 else []
        words = " ".join([*spoken(hour), *(oh + spoken(minute) if minute else [])])
        clock = f"{hour}:{minute:02}" if minute else str(hour)
        assert written(f"it left {words} p m today") == f"it left {clock} p.m. today"
        if minute:
            assert written(f"it left at {words} today") == f"it left at {clock} today"
            assert (
                written(f"it left {' '.join(spoken(minute))} minutes past {num2words(hour)}")
                == f"it left {clock}"
            )
    assert written("half past two") == "2:30" and written("a quarter to one") == "12:45"
    assert written("at ten to three") == "at 2:50" and written("from ten to three") == "from ten to three"
    assert written("half past two o'clock in the night") == "2:30 in the night"
    assert written("ten oh seven") == "10:07" and written("seven oh seven") == "707"
    assert written("We met at seven a m.") == "We met at 7 a.m."


def test_all_dates() -> None:
    for month, day in product(MONTHS.split(), range(1, 32)):
        ordinal = " ".join(spoken(day, to="ordinal"))
        suffixed = num2words(day, to="ordinal_num")
        assert written(f"On {month} {ordinal} it rained.") == f"On {month} {day} it rained."
        assert (
            written(f"on the {ordinal} of {month} eighteen sixty five")
            == f"on the {suffixed} of {month} 1865"
        )
        assert written(f"On {month} {ordinal} eighteen sixty five.") == f"On {month} {day}, 1865."
    assert written("you may first march third") == "you may first march third"
    assert written("March third nineteen hundred") == "March 3, 1900"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("twenty five dollars and fifty cents", "$25.50"),
        ("two million dollars", "$2 million"),
        ("a five dollar bill", "a $5 bill"),
        ("seven euros", "€7"),
        ("six per cent of three pounds", "6% of three pounds"),
        ("five or six percent", "5 or 6%"),
        ("five kilometres and two miles", "5 kilometres and two miles"),
        ("five five five one two three four", "5551234"),
        ("double oh seven", "007"),
        ("on page seven of chapter three", "on page 7 of chapter 3"),
        ("twenty four to thirty men", "twenty-four to thirty men"),
        ("we saw ten to fifteen men", "we saw 10 to 15 men"),
        ("the b b c's man from i b m on t v", "the BBC's man from IBM on TV"),
        ("he saw a u f o", "he saw a UFO"),
        ("A l a n.", "ALAN."),
        ("in the u s.", "in the US."),
        ("an o k from the c i a's man", "an OK from the CIA's man"),
        ("section two point three point one", "section 2.3.1"),
        ("a summer in oh seven", "a summer in '07"),
        ("it was twelve forty five", "it was 12:45"),
        ("the ten thirty train", "the 10:30 train"),
        ("seven fifteen in the morning", "7:15 in the morning"),
        ("nineteen ninety nine to two thousand five", "1999 to 2005"),
        ("one eight hundred five five five oh one nine nine", "18005550199"),
        ("call five five five twelve thirty four", "call 5551234"),
        ("call eight hundred five, five five, oh one nine nine, please", "call 8005550199, please"),
        ("one oh one point five", "101.5"),
        ("february eighteen oh nine", "february 1809"),
        ("May twelve nineteen forty five", "May 12, 1945"),
        ("may third nineteen forty five", "may 3, 1945"),
        ("the one hundred and first", "the 101st"),
    ],
)  # fmt: skip
def test_always_in_figures(text: str, expected: str) -> None:
    assert written(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "one of them and no one else",
        "wait a second for the second one",
        "the first and the ninth",
        "two or three",
        "two or three hundred men",
        "five and twenty years",
        "nine or ten men",
        "a hundred men and a thousand more",
        "an hundred centuries",
        "hundreds of thousands",
        "half a dozen",
        "a tenth of it",
        "two thirds and three quarters",
        "at two o'clock",
        "one two three go",
        "fifteen twenty minutes",
        "two thirty year olds",
        "c i a i",
        "he gave me a b",
        "i o u",
        "oh one of them",
        "five foot ten",
        "twenty thirty forty men",
        "two three five seven eleven thirteen seventeen",
        "two, five, three, seven, one, nine, four",
        "you may first nineteen times",
    ],
)
def test_stays_words(text: str) -> None:
    assert written(text) == text


def test_numbers_that_stay_words_at_the_beginning_of_a_sentence_have_a_hyphen() -> None:
    assert written("Twenty five men came. Thirty died.") == "Twenty-five men came. Thirty died."
    assert written("Nineteen eighty four came.") == "1984 came." and written("Thirty.") == "30."
    assert written("twenty two and a half") == "twenty-two and a half"


def test_marks_end_a_number_and_are_kept() -> None:
    assert written('"Twenty, six," he said') == '"Twenty, six," he said'
    assert (
        written("He counted (twenty six), then forty two; no more.") == "He counted (26), then 42; no more."
    )
    assert written("in nineteen – eighty four") == "in 19 – 84"


VOCABULARY = (
    "a an and b c m p o oh i point per cent percent dollars cents hundred thousand million half quarter past "
    "to or of in at may March o'clock the double dollar sixties one two nine ten twenty thirty first third "
    "twentieth zero minutes . – é"
)


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            str.format,
            st.sampled_from(["{}"] * 4 + ["{},", "{}.", '"{}']),
            st.sampled_from(["", *VOCABULARY.split()]),
        )
    )
)
def test_every_word_is_written_once(words: list[str]) -> None:
    found = write_numbers(words)
    assert sum(count for _, count in found) == len(words)
    assert all(count >= 1 for _, count in found)
    again = write_numbers([text for text, _ in found])
    assert sum(count for _, count in again) == len(found)
