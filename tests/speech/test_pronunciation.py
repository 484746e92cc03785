"""Pronunciation dictionaries."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pytest

from audioseq.errors import DataError
from audioseq.speech.pronunciation import NUM_PHONE_UNITS, PHONES, WORD_BOUNDARY, Pronunciations

LINES = """;;; a comment
cat K AE1 T
read R IY1 D # present
READ(2) R EH1 D
orange AO1 R AH0 N JH
orange(2) AO1 R N JH
"""


def names(units: list[int]) -> str:
    return " ".join("|" if unit == WORD_BOUNDARY else PHONES[unit - 2] for unit in units)


@pytest.fixture
def pronunciations(tmp_path: Path) -> Pronunciations:
    (tmp_path / "dictionary.txt").write_text(LINES)
    return Pronunciations.read(tmp_path / "dictionary.txt")


def test_a_dictionary_in_the_format_of_cmudict_is_read(pronunciations: Pronunciations) -> None:
    units = pronunciations.encode("cat read cat")
    assert units and names(units) == "K AE T | R IY D | K AE T"
    assert [names(list(way)) for way in pronunciations.lookup("read")] == ["R IY D", "R EH D"]
    assert (
        pronunciations.encode("cat dog") is None
        and pronunciations.lookup("dog") == ()
        and pronunciations.encode("") == []
    )
    assert max(max(way) for way in pronunciations.lookup("read")) < NUM_PHONE_UNITS


def test_a_compressed_dictionary_is_read(tmp_path: Path) -> None:
    (tmp_path / "d.xz").write_bytes(lzma.compress(LINES.encode()))
    assert len(Pronunciations.read(tmp_path / "d.xz").lookup("read")) == 2


def test_other_pronunciations_are_drawn_sometimes(pronunciations: Pronunciations) -> None:
    random = np.random.default_rng(0)
    drawn = [names(pronunciations.encode("orange", random) or []) for _ in range(400)]
    assert set(drawn) == {"AO R AH N JH", "AO R N JH"}
    assert 40 < drawn.count("AO R N JH") < 80  # half of the 30 % that are drawn


@pytest.mark.parametrize(
    ("line", "message"), [("cat K A T", "'A' is not a phone"), ("cat", "no phones follow")]
)
def test_a_malformed_line_is_an_error(line: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_text(f"a AH\n{line}\n")
    with pytest.raises(DataError, match=rf"d\.txt:2: .*{message}.*; write"):
        Pronunciations.read(tmp_path / "d.txt")


def test_a_missing_dictionary_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: cannot be read"):
        Pronunciations.read(tmp_path / "none.txt")


def test_the_english_dictionary_is_bundled() -> None:
    pronunciations = Pronunciations.read("english")
    assert (
        names(pronunciations.encode("through the knight's enough") or [])
        == "TH R UW | DH AH | N AY T S | IH N AH F"
    )
    assert pronunciations.lookup("qwxz") == ()
