"""The calibration of word confidences."""

from __future__ import annotations

import numpy as np
import pytest

from audioseq.speech.decoding.confidence import (
    Calibration,
    mean_probability,
    set_confidences,
    stored_calibration,
    word_logits,
)
from audioseq.speech.decoding.greedy import BestPath
from audioseq.speech.decoding.nbest import Hypothesis
from audioseq.speech.evaluation.calibrate import (
    DecodedUtterance,
    Evidence,
    calibration_error,
    collect_evidence,
    fit_calibration,
)
from audioseq.speech.transcript import Word
from audioseq.text.tokenizer import CharTokenizer

TRUE = Calibration(offset=-0.5, posterior=0.3, acoustic=0.8, segment=0.4)


def sample(count: int, seed: int = 0) -> Evidence:
    """Return words that are correct as often as `TRUE` says."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(1, 2, (count, 3))
    return Evidence(logits, (generator.random(count) < TRUE(logits)).astype(float))


def test_the_fit_finds_the_weights_that_the_words_were_sampled_with() -> None:
    fitted = fit_calibration(sample(20_000), posteriors=True)
    for name in ("offset", "posterior", "acoustic", "segment"):
        assert getattr(fitted, name) == pytest.approx(getattr(TRUE, name), abs=0.06)
    held_out = sample(20_000, seed=1)
    assert calibration_error(fitted(held_out.logits), held_out.correct) < 0.01
    assert calibration_error(np.full(20_000, 0.99), held_out.correct) > 0.2


def test_the_posterior_of_greedy_words_has_no_weight() -> None:
    assert fit_calibration(sample(500), posteriors=False).posterior == 0.0


@pytest.mark.parametrize("correct", [0.0, 1.0])
def test_weights_stay_finite_if_all_words_are_alike(correct: float) -> None:
    fitted = fit_calibration(Evidence(sample(50).logits, np.full(50, correct)), posteriors=True)
    assert np.isfinite(fitted(sample(50).logits)).all()


def test_the_error_is_the_mean_difference_of_confidence_and_accuracy_by_bins() -> None:
    confidences, correct = np.array([0.95, 0.95, 0.95, 0.15, 1.0]), np.array([1.0, 1.0, 0.0, 1.0, 1.0])
    expected = (4 * abs((3 * 0.95 + 1) / 4 - 3 / 4) + abs(0.15 - 1)) / 5
    assert calibration_error(confidences, correct) == pytest.approx(expected)
    assert calibration_error(np.array([]), np.array([])) == 0.0


def test_evidence_compares_the_words_of_all_chunks_with_the_reference() -> None:
    tokenizer = CharTokenizer(" ab")
    tokens = tokenizer.encode("a b")
    chunk = np.log(np.eye(4)[tokens] * 0.6 + 0.1)
    hypotheses = [Hypothesis("a b", tuple(tokens), -1.0, -1.0, 0.0, 0)]
    utterance = DecodedUtterance("a a a b", [chunk, chunk], [hypotheses, hypotheses])
    for method in ("beam", "greedy"):
        evidence = collect_evidence([utterance], tokenizer, method)
        assert evidence.correct.sum() == 3 and evidence.logits.shape == (4, 3)
        assert np.isfinite(evidence.logits).all()


def test_words_get_calibrated_confidences_and_without_a_calibration_posteriors() -> None:
    words, path = [Word(0, 1, "so", 0.8), Word(1, 2, "it", 0.5)], BestPath((1,), ((0, 1),), (np.log(0.7),))
    assert mean_probability(path) == pytest.approx(0.7) and mean_probability(BestPath((), (), ())) == 0.0
    assert [word.confidence for word in set_confidences(words, [0.9, 0.4], path, None)] == [0.9, 0.4]
    found = [word.confidence for word in set_confidences(words, [0.9, 0.4], path, TRUE)]
    odds = [(0.9 / 0.1) ** 0.3 * 4**0.8, (0.4 / 0.6) ** 0.3]
    odds = [each * np.exp(-0.5) * (0.7 / 0.3) ** 0.4 for each in odds]
    assert found == pytest.approx([each / (1 + each) for each in odds])
    assert word_logits([], [], 0.0).shape == (0, 3)


def test_a_card_without_a_calibration_of_the_method_or_a_damaged_one_has_none() -> None:
    card = {"decoder": {"confidence": {"beam": {"offset": 1, "acoustic": "much"}, "greedy": 3}}}
    assert stored_calibration(card, "beam") == Calibration(offset=1.0)
    assert stored_calibration(card, "greedy") is None
    assert stored_calibration({"decoder": {"confidence": 1}}, "beam") is None
    assert stored_calibration({}, "beam") is None
