"""Decoding options: language models from files, confidences, rescoring, tuning, and the commands."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from audioseq import checkpoint, models
from audioseq.cli.common import decoding_options
from audioseq.cli.main import run
from audioseq.data import Utterance, write_manifest
from audioseq.errors import CheckpointError, ConfigError, DataError
from audioseq.language.model import build
from audioseq.language.ngram import binary
from audioseq.language.ngram.kneser_ney import estimate
from audioseq.language.units import Units
from audioseq.language.vocabulary import Vocabulary
from audioseq.speech import pipeline
from audioseq.speech.decoding.beam_search import BeamLimits
from audioseq.speech.decoding.decoder import Decoder, DecodingOptions
from audioseq.speech.decoding.nbest import HOTWORD_FACTOR, Hypothesis, rescore, word_posteriors
from audioseq.speech.decoding.weights import DecodingWeights, RescoringWeights
from audioseq.speech.evaluation.calibrate import DecodedUtterance
from audioseq.speech.evaluation.evaluate import evaluate
from audioseq.speech.evaluation.tune import minimise, tune
from audioseq.speech.evaluation.tune_rescoring import tune_rescoring
from audioseq.speech.metrics import UtteranceResult, word_errors
from audioseq.speech.task import SpeechTask
from audioseq.text.tokenizer import CharTokenizer
from tests.language import tiny as tiny_language
from tests.speech.tiny import config, utterances

WORDS = Vocabulary(("<unk>", "<s>", "</s>", "ab", "cd"))


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lm") / "words.safetensors"
    binary.save(path, estimate(np.array([1, 3, 4, 2, 1, 4, 3, 2, 1, 3, 2]), WORDS, order=2))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    made = utterances(folder, ["ab"])
    untrained = SpeechTask(config(), made, made)
    torch.nn.init.normal_(untrained.model.head.linear.weight, std=1.0)
    path = folder / "tiny.safetensors"
    checkpoint.save(path, untrained.model.state_dict(), untrained.header({}), precision="fp16")
    return path


@pytest.fixture
def spoken(tmp_path: Path) -> list[Utterance]:
    """Recordings of two speakers, in a manifest."""
    made = [
        Utterance(**{**vars(utterance), "speaker": speaker})
        for speaker, utterance in zip("AABB", utterances(tmp_path, ["ab", "cd", "ab cd", "dab"]), strict=True)
    ]
    write_manifest(tmp_path / "spoken.jsonl", made)
    return made


def n_best(*pairs: tuple[str, float]) -> list[Hypothesis]:
    return [Hypothesis(text, (), score, score, 0.0, 0) for text, score in pairs]


def test_a_beam_search_gives_words_with_times_and_confidences(
    model: Path, lm: Path, spoken: list[Utterance]
) -> None:
    recogniser = pipeline.load_recogniser(model, "cpu")
    options = DecodingOptions(lm=lm, hotwords=["dab"])
    transcript = recogniser.transcribe(spoken[2].audio_filepath, words=True, decoding=options)
    assert transcript.text == " ".join(word.word for word in transcript.words)
    assert all(0 <= word.start < word.end <= transcript.duration for word in transcript.words)
    assert all(0 < word.confidence <= 1 for word in transcript.words)
    equal = DecodingOptions(lm=lm, hotwords=("dab",))
    assert recogniser.load_decoder(options) is recogniser.load_decoder(equal)
    report = evaluate(recogniser, spoken, options)
    assert report.results[2].hypothesis == transcript.text


def test_without_limits_and_language_model_the_score_is_the_ctc_probability(
    model: Path, spoken: list[Utterance]
) -> None:
    recogniser = pipeline.load_recogniser(model, "cpu")
    exact = BeamLimits(
        beam_size=10**4, beam_size_token=100, beam_threshold=math.inf, blank_skip_threshold=1.0
    )
    (segment,) = recogniser.compute_emissions(spoken[0].load()[:1600])
    found = recogniser.load_decoder(DecodingOptions(limits=exact)).decode(segment.log_probs)
    for hypothesis in found[:3]:
        targets = torch.tensor([hypothesis.tokens])
        loss = torch.nn.functional.ctc_loss(
            torch.from_numpy(segment.log_probs)[:, None],
            targets,
            torch.tensor([len(segment.log_probs)]),
            torch.tensor([targets.shape[1]]),
            reduction="sum",
        )
        assert hypothesis.acoustic_score >= -float(loss) - 1e-4  # sums all token sequences of the text


def test_weights_come_from_the_options_else_the_card_else_the_defaults(lm: Path) -> None:
    tuned = {"alpha": 0.7, "gamma": 0.2, "speakers": ["A"], "beta": "much", "unknown": -2}
    card: dict[str, object] = {"decoder": tuned}

    def weights(
        options: DecodingOptions, card: Mapping[str, object]
    ) -> tuple[DecodingWeights, RescoringWeights]:
        decoder = Decoder(options, CharTokenizer(), card)
        return decoder.beam_decoder.weights, decoder.rescoring_weights

    search = DecodingWeights(alpha=0.7, oov_penalty=-2.0)
    assert weights(DecodingOptions(lm=lm), card) == (search, RescoringWeights(0.7, 1.5, -2.0, 0.2))
    with_rescoring = {"decoder": {**tuned, "rescoring": {"alpha": 0.2, "gamma": 0.8}}}
    assert weights(DecodingOptions(), with_rescoring) == (search, RescoringWeights(0.2, 1.5, -2.0, 0.8))
    given = DecodingWeights(1, 2, 3), RescoringWeights(4, 5, 6, 7)
    assert weights(DecodingOptions(weights=given[0], rescoring_weights=given[1]), card) == given
    assert weights(DecodingOptions(), {"decoder": "damaged"})[0] == DecodingWeights()


def test_invalid_options_are_errors() -> None:
    with pytest.raises(CheckpointError, match="no-such-lm"):
        Decoder(DecodingOptions(lm="no-such-lm"), CharTokenizer(), {})
    for word in ("", "naïve 2", "?"):
        with pytest.raises(ConfigError, match="hotword"):
            Decoder(DecodingOptions(hotwords=(word,)), CharTokenizer("abc"), {})
    with pytest.raises(ValueError, match="NaN"):
        Decoder(DecodingOptions(), CharTokenizer("a"), {}).decode(np.full((2, 2), np.nan))


def test_no_frames_give_no_words() -> None:
    decoder = Decoder(DecodingOptions(), CharTokenizer("ab"), {})
    assert decoder.decode(np.zeros((0, 3)))[0].text == ""
    assert decoder.decode_words([np.zeros((0, 3))], 0.04) == [[]]


def test_a_confidence_is_the_posterior_of_the_word_in_the_n_best_list() -> None:
    found = n_best(("a b c", math.log(0.5)), ("a c", math.log(0.3)), ("x b c d", math.log(0.2)))
    assert word_posteriors(found) == pytest.approx([0.8, 0.7, 1.0])
    assert word_posteriors(n_best(("", -1.0), ("a", -2.0))) == []


def test_rescoring_replaces_the_weights_of_the_search() -> None:
    """What is neither a model's score nor a bonus is the boost of hotwords, which is multiplied."""
    search, weights = DecodingWeights(0.5, 1.0, -2.0, 3.0), RescoringWeights(0.2, 1.5, -0.5, gamma=2.0)
    hotword = 0.25
    parts = [("oat", -1.0, -4.0, 0), ("a boat", -1.5, -3.0, 0), ("noat", -2.0, -6.0, 4)]
    lists = [
        [
            Hypothesis(text, (), ac + 0.5 * lm + 1.0 * len(text.split()) - 2.0 * oov + hotword, ac, lm, oov)
            for text, ac, lm, oov in parts
        ]
        for parts in (parts[:2], parts[2:])
    ]
    again = rescore(lists, lambda texts: [-len(text) / 100 for text in texts], search, weights)
    expected = {
        text: ac
        + 0.2 * lm
        + 1.5 * len(text.split())
        - 0.5 * oov
        - 2.0 * len(text) / 100
        + HOTWORD_FACTOR * hotword
        for text, ac, lm, oov in parts
    }
    assert [[each.text for each in found] for found in again] == [["a boat", "oat"], ["noat"]]
    for found in again:
        assert [each.score for each in found] == pytest.approx([expected[each.text] for each in found])


def test_the_pattern_search_finds_the_minimum_of_a_bowl() -> None:
    trials = []

    def bowl(point: tuple[float, ...]) -> float:
        trials.append(point)
        return (point[0] - 0.5) ** 2 + (point[1] + 1.25) ** 2

    assert minimise(bowl, (0.0, 0.0, 7.0), [1.0, 1.0, 0.0], halvings=2) == (0.5, -1.25, 7.0)
    assert all(point[2] == 7 for point in trials)


def test_the_card_recommends_a_language_model_of_the_catalogue_only(
    model: Path, lm: Path, spoken: list[Utterance], monkeypatch: pytest.MonkeyPatch
) -> None:
    named = models.Model("words", "ngram", lm.name, "", "")
    monkeypatch.setattr(models, "CATALOGUE", (named,))
    monkeypatch.setattr(models, "bundled_dir", lambda: lm.parent)
    recogniser = pipeline.load_recogniser(model, "cpu")
    path = spoken[3].audio_filepath
    assert recogniser.recommended_options is None and recogniser.choose_decoder(None) is None
    recogniser.header.card["decoder"] = {"lm": "words"}
    assert recogniser.recommended_options == DecodingOptions(lm="words")
    assert recogniser.choose_decoder("greedy") is None
    assert recogniser.transcribe(path) == recogniser.transcribe(path, decoding=DecodingOptions(lm=lm))
    recogniser.header.card["decoder"] = {"lm": str(lm)}  # a file may be anywhere, or nowhere
    assert recogniser.recommended_options is None


def test_tuning_lowers_the_error_rate_and_reports_the_speakers(
    model: Path, lm: Path, spoken: list[Utterance]
) -> None:
    recogniser = pipeline.load_recogniser(model, "cpu")
    tuned = tune(recogniser, spoken, DecodingOptions(lm=lm, limits=BeamLimits(beam_size=10)))
    assert tuned.speakers == ("A",)
    assert tuned.after.chosen <= tuned.before.chosen
    weighed = DecodingOptions(lm=lm, limits=BeamLimits(beam_size=10), weights=tuned.weights)
    assert evaluate(recogniser, spoken, weighed).wer == pytest.approx(tuned.after.all)
    assert tuned.rescoring_weights is None
    assert set(tuned.calibrations) == set(tuned.calibration_errors) == {"beam", "greedy"}
    with pytest.raises(DataError, match="two speakers"):
        tune(recogniser, spoken[:2], DecodingOptions(lm=lm))
    with pytest.raises(DataError, match="language model"):
        tune(recogniser, spoken, DecodingOptions())


def test_rescoring_is_tuned_on_the_lists_of_the_search(
    model: Path, lm: Path, spoken: list[Utterance], tmp_path: Path
) -> None:
    recogniser = pipeline.load_recogniser(model, "cpu")
    rescorer, units = tmp_path / "rescorer.safetensors", Units(recogniser.tokenizer)
    config = tiny_language.config()
    header = checkpoint.Header("language", config.model_dump(mode="json"), tokenizer=units.to_dict())
    checkpoint.save(rescorer, build(config, units).state_dict(), header)
    options = DecodingOptions(lm=lm, rescorer=rescorer, limits=BeamLimits(beam_size=10))
    tuned = tune(recogniser, spoken, options, search=False)
    assert tuned.trials == 1 and tuned.rescoring_weights is not None
    assert tuned.weights == recogniser.load_decoder(options).beam_decoder.weights
    assert tuned.after.chosen <= tuned.before.chosen  # the grid has points without the rescorer
    weighed = replace(options, weights=tuned.weights, rescoring_weights=tuned.rescoring_weights)
    assert evaluate(recogniser, spoken, weighed).wer == pytest.approx(tuned.after.all)


def test_the_grid_finds_the_weights_that_a_trial_of_each_point_finds() -> None:
    generator = np.random.default_rng(0)
    words, search = ["dab", "bad", "cab"], DecodingWeights(0.4, 0.5, -1.0)

    def hypothesis() -> Hypothesis:
        text = " ".join(generator.choice(words, generator.integers(1, 4)))
        score, acoustic, lm = generator.normal(0, 3, 3).tolist()
        return Hypothesis(text, (), score, acoustic, lm, int(generator.integers(0, 3)))

    utterances = [
        DecodedUtterance("dab cab bad", [], [[hypothesis() for _ in range(6)] for _ in range(chunks)])
        for chunks in (1, 2, 1, 3)
    ]
    texts = {each.text for item in utterances for found in item.lists for each in found}
    log_probs = {text: float(generator.normal(0, 3)) for text in texts}

    def errors(weights: RescoringWeights) -> int:
        results = []
        for item in utterances:
            again = rescore(item.lists, lambda texts: [log_probs[text] for text in texts], search, weights)
            text = " ".join(found[0].text for found in again)
            results.append(UtteranceResult("", item.reference, text))
        return word_errors(results).errors

    trials = [
        RescoringWeights(alpha, search.beta + beta, search.oov_penalty + oov, gamma)
        for alpha in (0.0, 0.3, 0.7)
        for beta in (-2.0, 0.0, 1.5)
        for oov in (-3.0, 0.0, 2.0)
        for gamma in (0.0, 0.5, 1.2)
    ]
    found = tune_rescoring(utterances, log_probs, search)
    assert errors(found) <= min(errors(weights) for weights in trials)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ("words", "sentences")),
        ({"rescorer": "none"}, ("words", None)),
        ({"rescorer": "mine"}, ("words", "mine")),
        ({"lm": "words"}, ("words", "sentences")),
        ({"lm": "mine"}, ("mine", None)),
        ({"lm": "none", "rescorer": "mine"}, (None, "mine")),
        ({"lm": "none", "beam": 5}, (None, None)),
        ({"lm": "none"}, "greedy"),
    ],
)
def test_language_models_that_the_command_line_leaves_out_are_the_recommended_ones(
    arguments: dict[str, Any], expected: object
) -> None:
    recommended = DecodingOptions(lm="words", rescorer="sentences")
    recogniser = cast(pipeline.Recogniser, SimpleNamespace(recommended_options=recommended))
    options = decoding_options(recogniser, **arguments)
    assert (options if options == "greedy" else (options.lm, options.rescorer)) == expected


def test_the_commands_decode_and_tuned_weights_are_stored_in_the_model(
    model: Path, lm: Path, spoken: list[Utterance], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, tuned = str(tmp_path / "spoken.jsonl"), tmp_path / "tuned.safetensors"
    arguments = ["--lm", str(lm), "--beam", "8"]
    assert run(["tune", str(model), manifest, *arguments, "--json", "-o", str(tuned)]) == 0
    found = json.loads(capsys.readouterr().out)
    card = checkpoint.read_header(tuned).card["decoder"]
    assert (card["alpha"], card["lm"]) == (found["alpha"], str(lm))
    assert tuned.stat().st_size < model.stat().st_size + 2000  # in halves as before
    assert run(["evaluate", str(tuned), manifest, *arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["wer"] == pytest.approx(found["after"]["all"], abs=1e-5)
    assert run(["tune", str(model), manifest, *arguments, "-o", str(tuned)]) == 1
    assert "--force" in capsys.readouterr().err
    assert run(["tune", str(model), manifest]) == 2

    expected = tmp_path / "expected.txt"
    expected.write_text("dab\n\nbad cab\n")
    recording = str(spoken[3].audio_filepath)
    assert run(["transcribe", recording, "-m", str(model), "--hotwords", str(expected), "--lm", "none"]) == 0
    assert run(["transcribe", recording, "-m", str(model), "--hotwords", str(tmp_path / "none.txt")]) == 1
    assert "none.txt" in capsys.readouterr().err
    assert run(["transcribe", recording, "-m", str(model), "--hotword", "?"]) == 1
    assert "hotword '?'" in capsys.readouterr().err
    assert run(["transcribe", recording, "-m", str(model), "--lm", str(model)]) == 1
    assert "is a model for speech, not for ngram" in capsys.readouterr().err
