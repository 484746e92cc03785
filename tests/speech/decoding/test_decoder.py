"""Decoding options: language models from files, confidences, rescoring, tuning, and the commands."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from audioseq import checkpoint, models
from audioseq.cli.main import run
from audioseq.data import Utterance, write_manifest
from audioseq.errors import CheckpointError, ConfigError, DataError
from audioseq.language.ngram import binary
from audioseq.language.ngram.kneser_ney import estimate
from audioseq.language.vocabulary import Vocabulary
from audioseq.speech import pipeline
from audioseq.speech.decoding.beam import BeamLimits, DecodingWeights
from audioseq.speech.decoding.decoder import Decoder, DecodingOptions
from audioseq.speech.decoding.nbest import Hypothesis, rescore, word_confidences
from audioseq.speech.evaluation.evaluate import evaluate
from audioseq.speech.evaluation.tune import minimise, tune
from audioseq.speech.task import SpeechTask
from audioseq.text.tokenizer import CharTokenizer
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
    card: dict[str, object] = {"decoder": {"alpha": 0.7, "gamma": 0.2, "speakers": ["A"], "beta": "much"}}

    def weights(options: DecodingOptions, card: dict[str, object]) -> tuple[DecodingWeights, float]:
        decoder = Decoder(options, CharTokenizer(), card)
        return decoder.beam_decoder.weights, decoder.gamma

    assert weights(DecodingOptions(lm=lm), card) == (DecodingWeights(alpha=0.7), 0.2)
    assert weights(DecodingOptions(lm=lm, weights=DecodingWeights(1, 2, 3), gamma=4), card) == (
        DecodingWeights(1, 2, 3),
        4,
    )
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
    assert decoder.decode_words(np.zeros((0, 3)), 0.04) == []


def test_a_confidence_is_the_posterior_of_the_word_in_the_n_best_list() -> None:
    found = n_best(("a b c", math.log(0.5)), ("a c", math.log(0.3)), ("x b c d", math.log(0.2)))
    assert word_confidences(found) == pytest.approx([0.8, 0.7, 1.0])
    assert word_confidences(n_best(("", -1.0), ("a", -2.0))) == []


def test_rescoring_adds_weighted_scores_of_the_second_language_model() -> None:
    found = n_best(("oat", -1.0), ("boat", -1.5), ("note", -9.0))
    again = rescore(found, lambda texts: [-len(text) / 100 for text in texts], gamma=2.0)
    assert [hypothesis.score for hypothesis in again] == pytest.approx([-1.06, -1.58, -9.08])
    assert rescore(found, lambda _: [-5, -4, -5], 1.0)[0].text == "boat"


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
    with pytest.raises(DataError, match="two speakers"):
        tune(recogniser, spoken[:2], DecodingOptions(lm=lm))
    with pytest.raises(DataError, match="language model"):
        tune(recogniser, spoken, DecodingOptions())


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
