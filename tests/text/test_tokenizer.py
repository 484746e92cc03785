"""Text normalisation and the character tokenizer."""

from __future__ import annotations

import unicodedata
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.errors import CheckpointError, ConfigError, DataError
from audioseq.text.tokenizer import DEFAULT_ALPHABET, CharTokenizer, normalise


@pytest.mark.parametrize(
    ("text", "plain", "dropped"),
    [
        ("MISTER QUILTER IS", "mister quilter is", ""),
        ("don\u2019t  \n stop", "don't stop", ""),
        ("Café, naïve cœur; Straße!", "cafe naive coeur strasse", ",;!"),
        ("cafe\u0301 so\u00adft\u200b", "cafe soft", ""),  # combining and invisible characters
        ("twenty-one (21)", "twenty one", "-(21)"),
        ("rock 'n' roll ' ''", "rock 'n' roll", "'''"),
        ("3rd ½", "rd", "3½"),
        ("日本 tea", "tea", "日本"),
        ("", "", ""),
    ],
)
def test_normalise_counts_dropped_characters(text: str, plain: str, dropped: str) -> None:
    assert normalise(text) == (plain, Counter(dropped))


def test_normalise_keeps_characters_of_the_alphabet() -> None:
    assert normalise("Éa 20", "é ab20").text == "éa 20"
    assert normalise("A b", "Ab").text == "Ab"  # without a space in the alphabet, words are concatenated


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=40))
def test_normalised_text_is_encodable_and_stable(text: str) -> None:
    tokenizer = CharTokenizer()
    plain, dropped = normalise(text)
    assert tokenizer.decode(tokenizer.encode(plain)) == plain
    assert normalise(plain) == (plain, Counter())
    assert dropped.keys() <= {*unicodedata.normalize("NFC", text), "'"}  # "'" replaces other apostrophes
    assert dropped.total() <= len(text)


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters(categories=["L"], max_codepoint=0x24F), min_size=1, max_size=20))
def test_every_letter_is_kept_or_counted(text: str) -> None:
    plain, dropped = normalise(text)
    assert bool(plain) or dropped.total() == len(unicodedata.normalize("NFC", text))


def test_ids_start_after_the_blank() -> None:
    tokenizer = CharTokenizer()
    assert tokenizer.size == 29
    assert tokenizer.encode(DEFAULT_ALPHABET) == list(range(1, 29))
    assert tokenizer.decode([1, 2, 1, 1, 3, 1]) == "a b"


def test_tokenizer_round_trips_through_its_description() -> None:
    stored = CharTokenizer("xyz ").to_dict()
    assert CharTokenizer.from_dict(stored).alphabet == "xyz "
    for wrong in ({}, {"kind": "pieces"}, {"kind": "characters", "alphabet": 3}):
        with pytest.raises(CheckpointError, match="not a character tokenizer"):
            CharTokenizer.from_dict(wrong)


def test_invalid_alphabets_texts_and_ids_are_rejected() -> None:
    with pytest.raises(ConfigError, match="only once"):
        CharTokenizer("aba")
    with pytest.raises(ConfigError, match="at least one"):
        CharTokenizer("")
    with pytest.raises(DataError, match="'B' is not in the alphabet"):
        CharTokenizer().encode("aB")
    for token in (0, 29, -1):
        with pytest.raises(ValueError, match="1 to 28"):
            CharTokenizer().decode([token])
