"""ARPA files: round trip, errors, and the same scores as KenLM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audioseq.errors import CheckpointError
from audioseq.language.ngram.files import load_ngram, save_ngram
from audioseq.language.ngram.prune import by_loss
from tests.language.small import random_model, random_text

TINY = """made by hand
\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-99\t<s>\t-0.5
-0.4\t</s>
-0.7\tone\t-0.2
-0.6\ttwo

\\2-grams:
-0.1\t<s> one
-0.3\tone two

\\end\\
"""


@pytest.mark.parametrize("suffix", [".arpa", ".arpa.gz", ".arpa.xz"])
def test_write_and_read(suffix: str, tmp_path: Path) -> None:
    model = by_loss(random_model(4), 1e-4)
    save_ngram(tmp_path / f"lm{suffix}", model)
    again = load_ngram(tmp_path / f"lm{suffix}")
    np.testing.assert_array_equal(again.keys, model.keys)
    np.testing.assert_allclose(again.log_probs, model.log_probs, rtol=1e-5)
    np.testing.assert_allclose(again.backoffs, model.backoffs, rtol=1e-5, atol=1e-6)
    assert again.vocabulary == model.vocabulary and again.sizes == model.sizes


@pytest.mark.parametrize("order", [2, 3, 4])
def test_scores_equal_kenlm(order: int, tmp_path: Path) -> None:
    pytest.importorskip("flashlight.lib.text", reason="flashlight-text is not installed")
    from flashlight.lib.text.decoder.kenlm import KenLM
    from flashlight.lib.text.dictionary import Dictionary

    model = by_loss(random_model(order), 1e-3)
    save_ngram(tmp_path / "lm.arpa", model)
    words = model.vocabulary.words
    dictionary = Dictionary(list(words))
    dictionary.set_default_index(0)
    other = KenLM(str(tmp_path / "lm.arpa"), dictionary)
    for sentence in [*random_text(50, seed=2), ["a", "never", "b"]]:
        state, expected = other.start(False), []
        for index in model.vocabulary.encode(sentence):
            state, log_prob = other.score(state, index)
            expected.append(log_prob * np.log(10))
        expected.append(other.finish(state)[1] * np.log(10))
        np.testing.assert_allclose(model.score(sentence), expected, rtol=1e-4, atol=1e-5)


def test_special_tokens_and_weights_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "lm.arpa").write_text(TINY)
    model = load_ngram(tmp_path / "lm.arpa")
    assert model.vocabulary.words == ("<unk>", "<s>", "</s>", "one", "two")
    np.testing.assert_allclose(
        np.array(model.score(["one", "two", "one"])) / np.log(10), [-0.1, -0.3, -0.7, -0.6], rtol=1e-5
    )
    assert model.score(["three"])[0] < -200


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("\\data\\", "data", "no .data. section"),
        ("ngram 2=2", "ngram 3=2", "not a count of 2-grams"),
        ("ngram 1=4\nngram 2=2", "", "no n-gram counts"),
        ("ngram 2=2", "ngram 2=3", "2 2-grams instead of 3"),
        ("one two", "one three", "not among the 1-grams"),
        ("one two", "one", "is not a 2-gram"),
        ("-0.3", "minus", "is not a 2-gram"),
        ("-0.3", "0.3", "is not a 2-gram"),
        ("one two", "<s> one", "an n-gram occurs twice"),
        ("two\n", "one\n", "twice"),
        ("\\end\\", "", "ends within the 2-grams"),
        ("\n\\2-grams:", "\n\\3-grams:", "4 1-grams"),
        ("ngram 2=2", "ngram 2=" + "2" * 5000, "not a count of 2-grams"),
        ("one\t-0.2", "one\t-1e308", "is not a 1-gram"),
    ],
)
def test_errors_name_the_line(old: str, new: str, reason: str, tmp_path: Path) -> None:
    assert old in TINY
    (tmp_path / "lm.arpa").write_text(TINY.replace(old, new))
    with pytest.raises(CheckpointError, match=rf"lm\.arpa, line \d+: .*{reason}"):
        load_ngram(tmp_path / "lm.arpa")


def test_an_order_may_have_no_ngrams(tmp_path: Path) -> None:
    text = TINY.replace("ngram 2=2", "ngram 2=0")
    text = text.partition("\\2-grams:\n")[0] + "\\2-grams:\n\n\\end\\\n"
    (tmp_path / "lm.arpa").write_text(text)
    model = load_ngram(tmp_path / "lm.arpa")
    assert model.sizes[1] == 0 and len(model.score(["one", "two"])) == 3


def test_missing_context_is_an_error(tmp_path: Path) -> None:
    tri = TINY.replace("ngram 2=2", "ngram 2=2\nngram 3=1").replace(
        "\\end\\", "\\3-grams:\n-0.2\ttwo one two\n\n\\end\\"
    )
    (tmp_path / "lm.arpa").write_text(tri)
    with pytest.raises(CheckpointError, match="'two one', which is not among the 2-grams"):
        load_ngram(tmp_path / "lm.arpa")


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_ngram(tmp_path / "none.arpa")
