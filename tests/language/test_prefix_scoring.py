"""Scores by shared prefixes: equal to those of whole sentences."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from audioseq import checkpoint
from audioseq.errors import CheckpointError, DataError
from audioseq.language import prefix_scoring
from audioseq.language.pipeline import Predictor, load_predictor
from audioseq.language.prefix_scoring import PrefixScorer, fuse_stack, load_prefix_scorer
from tests.arrays import to_arrays
from tests.language import tiny

SENTENCES = st.lists(st.lists(st.text("abc", min_size=1, max_size=4), max_size=6).map(" ".join), max_size=12)


def scorer(predictor: Predictor) -> PrefixScorer:
    cell = tiny.MODEL.cell
    return PrefixScorer(fuse_stack(to_arrays(predictor.model), cell), cell, predictor.units)


@pytest.mark.parametrize("kind", list(tiny.UNITS))
@given(texts=SENTENCES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_scores_equal_those_of_whole_sentences(
    kind: str, texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    predictor = load_predictor(tiny.save(tmp_path_factory.mktemp("model") / "a", kind), "cpu")
    score = scorer(predictor)
    assert score(texts) == pytest.approx(predictor.score(texts), abs=1e-4)


def test_each_prefix_is_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = load_predictor(tiny.save(tmp_path / "a", "characters"), "cpu")
    score = scorer(predictor)
    monkeypatch.setattr(prefix_scoring, "HEAD_ROWS", 3)  # several blocks
    rows: list[int] = []
    step = score._step

    def counting(x: object, states: object) -> object:
        rows.append(len(x))  # type: ignore[arg-type]
        return step(x, states)  # type: ignore[arg-type]

    monkeypatch.setattr(score, "_step", counting)
    monkeypatch.setattr(counting, "initial_states", step.initial_states, raising=False)
    texts = ["abc ab", "abc ac", "abc", "abc ab", ""]
    assert score(texts) == pytest.approx(predictor.score(texts), abs=1e-4)
    assert rows == [1, 1, 1, 1, 1, 1, 2]


def test_products_are_computed_on_one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = load_predictor(tiny.save(tmp_path / "a", "characters"), "cpu")
    score = scorer(predictor)
    step, threads = score._step, list[int]()

    def record(x: object, states: object) -> object:
        threads.extend(each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas")
        return step(x, states)  # type: ignore[arg-type]

    monkeypatch.setattr(score, "_step", record)
    monkeypatch.setattr(record, "initial_states", step.initial_states, raising=False)
    score(["abc"])
    assert set(threads) <= {1}


def test_an_unknown_character_is_an_error(tmp_path: Path) -> None:
    predictor = load_predictor(tiny.save(tmp_path / "a", "characters"), "cpu")
    with pytest.raises(DataError, match="alphabet"):
        scorer(predictor)(["abc", "x"])


@pytest.mark.parametrize(
    "name", ["embedding.weight", "stack.layers.1.forward_layer.weight_hh_l0", "head.bias"]
)
def test_weights_that_do_not_match_the_config_are_an_error(name: str, tmp_path: Path) -> None:
    stored = checkpoint.load(tiny.save(tmp_path / "a", "characters"))
    for other in ({}, {name: stored.weights[name][:-1].clone()}):
        rest = {key: weight for key, weight in stored.weights.items() if key != name}
        checkpoint.save(tmp_path / "b", rest | other, stored.header)
        with pytest.raises(CheckpointError, match="do not match its config"):
            load_prefix_scorer(tmp_path / "b")
    checkpoint.save(
        tmp_path / "c", stored.weights | {name: stored.weights[name] * float("nan")}, stored.header
    )
    with pytest.raises(CheckpointError, match="not finite"):
        load_prefix_scorer(tmp_path / "c")


def test_a_named_model_gives_the_same_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny.save(tmp_path / "a", "subwords")
    texts = ["abc ab", "cab"]
    expected = load_prefix_scorer(path)(texts)
    monkeypatch.setenv("AUDIOSEQ_CACHE", str(tmp_path))
    for _ in range(2):
        assert load_prefix_scorer(path)(texts) == expected
        assert (tmp_path / "a.steps").exists()
    damaged = checkpoint.load(path)
    checkpoint.save(path, {}, damaged.header)
    with pytest.raises(CheckpointError, match="do not match its config"):
        load_prefix_scorer(path)
