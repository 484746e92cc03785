"""Next-word prediction against brute force, and sentence scores against single steps."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import pytest
import torch

from audioseq.cli.main import run
from audioseq.errors import AudioseqError, CheckpointError, ConfigError, DataError
from audioseq.language import pipeline
from audioseq.language.pipeline import Predictor
from audioseq.models import bundled_dir
from tests.language.tiny import ALPHABET, TEXTS, save

KINDS = ["words", "subwords", "characters"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of each kind."""
    folder = tmp_path_factory.mktemp("models")
    return {kind: save(folder / f"{kind}.safetensors", kind) for kind in KINDS}


@pytest.fixture(params=KINDS)
def predictor(request: pytest.FixtureRequest, files: dict[str, Path]) -> Predictor:
    return pipeline.load_predictor(files[request.param])


def step_by_step(predictor: Predictor, text: str) -> float:
    """Compute the log probability of a sentence one token at a time."""
    units, total, state = predictor.units, 0.0, ()
    previous = units.end
    for token in [*units.encode(text), units.end]:
        scores, state = predictor.model(torch.tensor([[previous]]), state)
        total += float(scores[0, 0].log_softmax(-1)[token])
        previous = token
    return total


@torch.no_grad()
def test_score_is_the_sum_of_steps(predictor: Predictor) -> None:
    texts = [*TEXTS, "", "abc " * 30 + "ab"]
    scores = predictor.score(texts)
    assert scores == pytest.approx([step_by_step(predictor, text) for text in texts], rel=1e-4)
    words = predictor.score_words(texts)
    assert [len(each) for each in words] == [len(text.split()) + 1 for text in texts]
    assert [sum(each) for each in words] == pytest.approx(scores)


def test_sentence_score_is_independent_of_the_batch(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    batched = predictor.score(TEXTS)
    monkeypatch.setattr("audioseq.language.metrics.MAX_BATCH_TOKENS", 1)
    assert predictor.score(TEXTS) == pytest.approx(batched, rel=1e-5)


@torch.no_grad()
def brute_force(predictor: Predictor, text: str, longest: int) -> dict[str, float]:
    """Compute the probabilities of all words up to a length: the product of their tokens and the word end."""
    units, model = predictor.units, predictor.model
    context = [units.end, *units.encode(text)]
    ends_word = [token for token, p in enumerate(units.pieces) if p.startswith(" ") or token == units.end]
    found = {}
    for length in range(1, longest + 1):
        spellings = ["".join(letters) for letters in itertools.product("abc", repeat=length)]
        rows = [[*context, *units.encode(f" {word}")] for word in spellings]
        for word, row in zip(spellings, rows, strict=True):
            probabilities = model(torch.tensor([row]))[0][0].softmax(-1)
            prefix = math.prod(float(probabilities[i - 1, row[i]]) for i in range(len(context), len(row)))
            found[word] = prefix * float(probabilities[-1, ends_word].sum())
    return found


@pytest.mark.parametrize("kind", ["subwords", "characters"])
@pytest.mark.parametrize("text", ["ab", "cab c"])
def test_predictions_against_brute_force(files: dict[str, Path], kind: str, text: str) -> None:
    predictor = pipeline.load_predictor(files[kind])
    expected = brute_force(predictor, text, longest=5)
    best = sorted(expected.items(), key=lambda pair: -pair[1])[:6]
    found = predictor.predict(text, 6)
    assert max(len(word) for word, _ in found) < 5  # longer words are not covered by brute force
    assert [word for word, _ in found] == [word for word, _ in best]
    assert [p for _, p in found] == pytest.approx([p for _, p in best], rel=1e-4)


def test_predictions_of_a_word_model(files: dict[str, Path]) -> None:
    predictor = pipeline.load_predictor(files["words"])
    found = predictor.predict("ab cab", 100)
    assert {word for word, _ in found} == {"ab", "abc", "cab", "bab"}
    for word, probability in found:
        expected = predictor.score_words([f"ab cab {word}"])[0][2]
        assert math.log(probability) == pytest.approx(expected, rel=1e-4)
    assert sorted(found, key=lambda pair: -pair[1]) == found


def test_predict_normalises_text(predictor: Predictor) -> None:
    predictor.units.alphabet = ALPHABET
    assert predictor.predict("Ab, CAB!") == predictor.predict("ab cab")


@pytest.mark.parametrize("text", ["", "?!"])
def test_text_without_words_is_an_error(predictor: Predictor, text: str) -> None:
    assert_one_line_error(DataError, "give at least one", lambda: predictor.predict(text))


def assert_one_line_error(kind: type[AudioseqError], message: str, call: object) -> None:
    with pytest.raises(kind, match=message) as caught:
        call()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_invalid_input(files: dict[str, Path]) -> None:
    characters = pipeline.load_predictor(files["characters"])
    assert_one_line_error(ConfigError, "at least 1", lambda: characters.predict("ab", 0))
    for kind in "characters", "subwords":
        assert_one_line_error(
            DataError,
            "not in the alphabet",
            lambda kind=kind: pipeline.load_predictor(files[kind]).score(["xyz"]),
        )
    speech = bundled_dir() / "digits.safetensors"
    assert_one_line_error(
        CheckpointError, "is a model for speech, not for language", lambda: pipeline.load_predictor(speech)
    )


def test_predict_command(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    model = ["-m", str(files["subwords"])]
    assert run(["predict", "ab cab", "-n", "3", *model]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    expected = pipeline.load_predictor(files["subwords"]).predict("ab cab", 3)
    assert lines == [[word, f"{probability:.4f}"] for word, probability in expected]
    assert run(["predict", "ab cab", "-n", "3", "--json", *model]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["text"] == "ab cab"
    assert [item["word"] for item in printed["words"]] == [word for word, _ in expected]
    assert run(["predict", "", *model]) == 1
    assert "give at least one" in capsys.readouterr().err
