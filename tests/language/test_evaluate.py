"""Comparison of a recurrent and an n-gram language model over the same words."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from audioseq.language import pipeline
from audioseq.language.corpus import build_corpus
from audioseq.language.evaluate import compare
from audioseq.language.ngram import arpa
from audioseq.language.ngram.kneser_ney import estimate
from audioseq.language.vocabulary import Vocabulary
from tests.language.tiny import TEXTS, save

SENTENCES = ["ab abc", "cab bab ab", "c ab"]


def test_both_use_the_vocabulary_of_the_ngram(tmp_path: Path) -> None:
    corpus = build_corpus(TEXTS * 3)
    vocabulary = Vocabulary(tuple(word for word in corpus.words if word != "c"))
    ids = [vocabulary.index(word) for word in corpus.words]
    ngram = estimate(np.array(ids)[corpus.tokens], vocabulary, order=2)
    arpa.write(tmp_path / "lm.arpa", ngram)
    (tmp_path / "text").write_text("\n".join(SENTENCES))
    model = save(tmp_path / "lm.safetensors", "subwords")
    table = compare(model, tmp_path / "lm.arpa", tmp_path / "text")
    for found in table.values():
        assert (found["words"], found["unknown"], found["sentences"]) == (7, 1, 3)
    by_word = pipeline.load_predictor(model).score_words(SENTENCES)
    assert table["lstm"]["perplexity_with_unknown"] == pytest.approx(math.exp(-sum(map(sum, by_word)) / 10))
    rest = sum(map(sum, by_word)) - by_word[2][0]
    assert table["lstm"]["perplexity"] == pytest.approx(math.exp(-rest / 9))


def test_without_ngram(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("\n".join(SENTENCES))
    table = compare(save(tmp_path / "lm.safetensors", "words"), None, tmp_path / "text")
    assert list(table) == ["lstm"]
    assert table["lstm"]["unknown"] == 1
