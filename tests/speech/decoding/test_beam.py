"""The beam search against an exhaustive search over all paths of tiny inputs."""

from __future__ import annotations

from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.speech.decoding.beam import BeamDecoder
from audioseq.speech.decoding.beam_search import BeamLimits
from audioseq.speech.decoding.weights import DecodingWeights
from audioseq.text.tokenizer import BLANK
from tests.speech.words import Bigrams

Seeds = st.integers(0, 2**32 - 1)
CHARACTERS = ["", "a", "b", " "]
SUBWORDS = ["", "a", "b", " a", " b", "ab", " ab"]
ALL = BeamLimits(beam_size=10**6, beam_size_token=10**6, beam_threshold=np.inf, blank_skip_threshold=1.0)
"""No limits: the search is exact."""


def random_log_probs(seed: int, frames: int, vocabulary: int, scale: float = 2.0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(scale=scale, size=(frames, vocabulary))
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


def boosts(text: str, hotwords: list[str], boost: float) -> float:
    """Return the hotword boosts of a text: each occurrence between spaces counts."""
    padded = f" {text} "
    return sum(
        boost * len(phrase.replace(" ", ""))
        for phrase in hotwords
        for start in range(len(padded))
        if padded.startswith(f" {phrase} ", start)
    )


def by_brute_force(
    log_probs: np.ndarray,
    pieces: list[str],
    model: Bigrams | None,
    weights: DecodingWeights,
    hotwords: list[str],
    boost: float,
) -> dict[str, tuple[float, float]]:
    """Return the total and the acoustic score of every text, from all paths."""
    acoustic_scores: dict[str, float] = {}
    frames = np.arange(len(log_probs))
    shares = np.exp(log_probs) * [np.exp(-weights.blank_penalty), *[1.0] * (len(pieces) - 1)]
    log_probs = np.log(shares / shares.sum(axis=1, keepdims=True))
    for path in product(range(len(pieces)), repeat=len(log_probs)):
        joined = "".join(pieces[token] for token, _ in groupby(path) if token != BLANK)
        text = " ".join(joined.split())
        acoustic_scores[text] = np.logaddexp(
            acoustic_scores.get(text, -np.inf), log_probs[frames, list(path)].sum()
        )
    scores = {}
    for text, acoustic in acoustic_scores.items():
        score = acoustic + boosts(text, hotwords, boost)
        if model is not None:
            words = text.split()
            score += weights.alpha * model.score(words) + weights.beta * len(words)
            new = {word for word in " ".join(hotwords).split() if word not in model.vocabulary}
            oov = [word for word in words if word not in model.vocabulary and word not in new]
            score += weights.oov_penalty * len("".join(oov))
            score -= weights.alpha * sum(np.log(len(new)) for word in words if word in new)
        scores[text] = float(score), float(acoustic)
    return scores


@settings(deadline=None, max_examples=60)
@given(
    seed=Seeds,
    frames=st.integers(0, 5),
    pieces=st.sampled_from([CHARACTERS, SUBWORDS]),
    words=st.none() | st.sets(st.sampled_from(["a", "b", "ab", "ba", "aab"])),
    weights=st.builds(
        DecodingWeights, st.floats(0, 2), st.floats(-2, 2), st.floats(-2, 0.5), st.floats(0, 4)
    ),
    hotwords=st.lists(st.sampled_from(["a", "ab", "bb", "a b", "ab a", "b a b"]), unique=True, max_size=3),
    boost=st.floats(0.1, 3),
)
def test_an_unlimited_search_equals_an_exhaustive_one(
    seed: int,
    frames: int,
    pieces: list[str],
    words: set[str] | None,
    weights: DecodingWeights,
    hotwords: list[str],
    boost: float,
) -> None:
    frames = min(frames, 4) if len(pieces) > 4 else frames
    log_probs = random_log_probs(seed, frames, len(pieces))
    model = None if words is None else Bigrams(sorted(words), seed)
    expected = by_brute_force(log_probs, pieces, model, weights, hotwords, boost)

    decoder = BeamDecoder(pieces, model, weights=weights, limits=ALL, hotwords=hotwords, boost=boost)
    found = decoder(log_probs, count=10**6)

    assert {hypothesis.text for hypothesis in found} == set(expected)
    assert len(found) == len(expected)
    for hypothesis in found:
        score, acoustic = expected[hypothesis.text]
        assert hypothesis.score == pytest.approx(score, abs=1e-5)
        assert hypothesis.acoustic_score == pytest.approx(acoustic, abs=1e-9)
        joined = "".join(pieces[token] for token in hypothesis.tokens)
        assert " ".join(joined.split()) == hypothesis.text
    scores = [hypothesis.score for hypothesis in found]
    assert scores == sorted(scores, reverse=True)
