"""Training of speech recognition, from recordings to a model that transcribes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from audioseq import checkpoint
from audioseq.audio.augment import WaveAugment
from audioseq.audio.spec_augment import SpecAugment
from audioseq.config import dump_toml
from audioseq.data import Utterance, write_manifest
from audioseq.errors import ConfigError, DataError
from audioseq.speech import pipeline, task
from audioseq.speech.config import DataConfig, SpeechConfig, TextOnlyConfig
from audioseq.speech.data.collate import compute_features
from audioseq.speech.task import SpeechTask
from audioseq.training import fit
from audioseq.training.batches import to_device
from audioseq.training.distributed import join_group
from tests.speech.tiny import MODEL, config, say, utterances

TEXTS = ["ab", "ba cd", "cab", "dad", "a bad cab", "dab", "abba", "cd ab", "bcd", "dcba"]


def ready(folder: Path, texts: list[str] = TEXTS, **training: object) -> SpeechTask:
    made = utterances(folder, texts)
    return ready_with(config(**training), made)


def ready_with(recipe: SpeechConfig, made: list[Utterance]) -> SpeechTask:
    prepared = SpeechTask(recipe, made, made)
    prepared.prepare(join_group("cpu"))
    return prepared


def test_a_tiny_model_learns_and_transcribes_tiny_recordings(tmp_path: Path) -> None:
    result = fit(
        ready(tmp_path, epochs=40, validate_every=40),
        config(epochs=40, validate_every=40).training,
        tmp_path / "run",
        device="cpu",
    )
    assert result.metrics["wer"] == 0
    recogniser = pipeline.load_recogniser(result.best, "cpu")
    transcript = recogniser.transcribe(say("bad dad"), 16000, words=True)
    assert transcript.text == "bad dad"
    # Each letter takes 160 ms, of which the last 80 are silent.
    for word, (start, end) in zip(transcript.words, [(0.0, 0.4), (0.64, 1.04)], strict=True):
        assert abs(word.start - start) < 0.1 and abs(word.end - end) < 0.1 and word.confidence > 0.5


def test_augmentation_depends_only_on_the_utterance_and_the_epoch(tmp_path: Path) -> None:
    made = utterances(tmp_path, TEXTS)
    augmented = SpeechTask(
        config().model_copy(update={"wave_augment": WaveAugment(), "spec_augment": SpecAugment()}), made, made
    )

    def features(indices: list[int], epoch: int, row: int) -> Tensor:
        recordings = augmented.collate(indices, epoch).recordings
        computed, frames = compute_features(recordings, augmented.model.log_mel)
        return computed[row, : frames[row]]

    one, two, other = features([3, 1], 2, 1), features([1, 0], 2, 0), features([1], 3, 0)
    torch.testing.assert_close(one, two, rtol=0, atol=1e-2)
    assert other.shape != one.shape or (other - one).abs().max() > 0.1


def test_resident_recordings_give_the_same_loss(tmp_path: Path) -> None:
    made = utterances(tmp_path, TEXTS)
    recipe = config().model_copy(update={"wave_augment": WaveAugment(), "spec_augment": SpecAugment()})
    data = recipe.data.model_copy(update={"resident": "always"})
    losses = []
    for each in (recipe, recipe.model_copy(update={"data": data})):
        learner = ready_with(each, made)
        batch = learner.collate([7, 2, 4], epoch=1)
        losses.append(learner.loss(batch, learner.model))
    assert batch.recordings.samples.numel() == 0
    assert losses[0] == losses[1]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_computes_the_loss_of_the_cpu(tmp_path: Path) -> None:
    made = utterances(tmp_path, TEXTS)
    always = WaveAugment(noise_prob=1, low_pass_prob=1, room_prob=1, warp_prob=1)
    recipe = config().model_copy(update={"wave_augment": always, "spec_augment": SpecAugment()})
    learner = SpeechTask(recipe, made, made)
    learner.prepare(join_group("cpu"))
    batch = learner.collate([7, 2, 4], epoch=1)
    expected = learner.loss(batch, learner.model).total
    learner.prepare(join_group("cuda"))
    assert learner.resident is not None
    learner.model.cuda()
    got = learner.loss(to_device(learner.collate([7, 2, 4], epoch=1), torch.device("cuda")), learner.model)
    torch.testing.assert_close(got.total.cpu(), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_tiny_model_learns_on_a_gpu(tmp_path: Path) -> None:
    made = utterances(tmp_path, TEXTS)
    recipe = config(epochs=40, validate_every=40)
    learner = SpeechTask(recipe, made, made)
    learner.prepare(join_group("cuda"))
    assert fit(learner, recipe.training, tmp_path / "run", device="cuda").metrics["wer"] == 0


def test_unusable_utterances_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = utterances(tmp_path, [*TEXTS, "a"])
    unfit = [
        *made,
        *(
            utterance.__class__(
                **{**vars(utterance), "id": f"{utterance.id}-long", "text": utterance.text * 9}
            )
            for utterance in made[:2]
        ),
    ]
    prepared = SpeechTask(
        config().model_copy(update={"data": config().data.model_copy(update={"min_seconds": 0.2})}),
        unfit,
        made,
    )
    prepared.prepare(join_group("cpu"))
    assert len(prepared.train) == len(TEXTS)
    log = capsys.readouterr().err.splitlines()
    assert "left out 1 utterances: shorter than data.min_seconds = 0.2" in log
    assert "left out 2 utterances: text too long for its audio" in log
    with pytest.raises(DataError, match="no utterances to train on"):
        SpeechTask(config(), unfit[-2:], made)


def test_advice_if_the_model_emits_only_blanks(tmp_path: Path) -> None:
    advice = ready(tmp_path).advice
    assert "only blanks" in (advice({"wer": 1.0, "cer": 1.0, "empty": 1.0}) or "")
    assert advice({"wer": 0.5, "cer": 0.5, "empty": 0.1}) is None


def test_training_from_a_manifest_and_from_a_model(tmp_path: Path) -> None:
    made = utterances(tmp_path, TEXTS)
    manifest = tmp_path / "mine.jsonl"
    write_manifest(manifest, made)
    tiny = [
        f"model.{key}={list(value) if isinstance(value, tuple) else value}"
        for key, value in config().model.model_dump(exclude={"cell", "bidirectional"}).items()
    ]
    options = [
        *tiny,
        "training.epochs=1",
        "data.min_seconds=0.1",
        f"data.cache='{(tmp_path / 'cache').as_posix()}'",
    ]
    first = task.train(manifest, valid=manifest, run_dir=tmp_path / "one", overrides=options, device="cpu")
    second = task.train(
        manifest, valid=manifest, run_dir=tmp_path / "two", 
        overrides=[*options, "training.learning_rate=1e-9"], start_from=first.best, device="cpu",
    )  # fmt: skip
    before, after = (
        pipeline.load_recogniser(result.best, "cpu").model.weights() for result in (first, second)
    )
    for name, weights in before.items():
        torch.testing.assert_close(after[name], weights, rtol=0, atol=1e-6)


def test_an_adapted_model_keeps_its_subwords(tmp_path: Path) -> None:
    made = utterances(tmp_path, TEXTS)
    write_manifest(tmp_path / "all.jsonl", made)
    write_manifest(tmp_path / "few.jsonl", made[:3])
    options = ["training.epochs=1", "data.min_seconds=0.1"]
    recipe = config().model_copy(update={"alphabet": " abcd", "subwords": 14})
    (tmp_path / "config.toml").write_text(dump_toml(recipe))
    paths = [f"data.{name}=['{(tmp_path / 'all.jsonl').as_posix()}']" for name in ("train", "valid")]
    first = task.train(
        tmp_path / "config.toml", run_dir=tmp_path / "one", overrides=[*options, *paths], device="cpu"
    )
    few = tmp_path / "few.jsonl"
    second = task.train(
        few, valid=few, run_dir=tmp_path / "two", overrides=options, start_from=first.best, device="cpu"
    )
    tokenizers = [
        pipeline.load_recogniser(result.best, "cpu").tokenizer.to_dict() for result in (first, second)
    ]
    assert tokenizers[0] == tokenizers[1]
    assert len(tokenizers[0]["merges"]) == 14 - 9


def test_a_model_is_adapted_to_another_alphabet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The head is initialised for the letters of the new texts; the layers below it are kept."""
    made = utterances(tmp_path, TEXTS)
    write_manifest(tmp_path / "old.jsonl", made)
    foreign = {ord("a"): "ä", ord("b"): "ж", ord("c"): "ç", ord("d"): "ß"}
    write_manifest(
        tmp_path / "new.jsonl", [replace(each, text=each.text.translate(foreign)) for each in made]
    )
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    (tmp_path / "config.toml").write_text(dump_toml(config(epochs=20, validate_every=20)))
    paths = [f"data.{name}=['{old.as_posix()}']" for name in ("train", "valid")]
    first = task.train(tmp_path / "config.toml", run_dir=tmp_path / "one", overrides=paths, device="cpu")
    options = [
        "alphabet=' äжçß'", "data.min_seconds=0.1", "data.seconds_per_batch=8", "training.epochs=30",
        "training.learning_rate=1e-2", "training.precision='fp32'", "training.validate_every=30",
        "wave_augment.speed=[1,1]", "wave_augment.low_pass_prob=0", "wave_augment.noise_prob=0",
        "spec_augment.freq_masks=0", "spec_augment.time_masks_per_second=0",
    ]  # fmt: skip
    second = task.train(
        new,
        valid=new,
        run_dir=tmp_path / "two",
        overrides=options,
        start_from=first.best,
        device="cpu",
    )
    log = capsys.readouterr().err
    assert "head.linear.weight is [12, 48], was [58, 48]" in log and "lower" not in log.split("not copied")[1]
    assert second.metrics["wer"] < 0.2
    assert pipeline.load_recogniser(second.best, "cpu").tokenizer.alphabet == " äжçß"


def test_a_recipe_keeps_the_layers_of_the_model_it_starts_from(tmp_path: Path) -> None:
    made = utterances(tmp_path, TEXTS)
    write_manifest(tmp_path / "mine.jsonl", made)
    (tmp_path / "config.toml").write_text(dump_toml(config()))
    paths = [f"data.{name}=['{(tmp_path / 'mine.jsonl').as_posix()}']" for name in ("train", "valid")]
    options = [*paths, "training.epochs=1", "data.min_seconds=0.1"]
    first = task.train(tmp_path / "config.toml", run_dir=tmp_path / "one", overrides=options, device="cpu")
    (tmp_path / "adapt.toml").write_text("[training]\nlearning_rate = 1e-9\n")
    second = task.train(
        tmp_path / "adapt.toml",
        run_dir=tmp_path / "two",
        overrides=options,
        start_from=first.best,
        device="cpu",
    )
    before, after = (
        pipeline.load_recogniser(result.best, "cpu").model.weights() for result in (first, second)
    )
    for name, weights in before.items():
        torch.testing.assert_close(after[name], weights, rtol=0, atol=1e-6)


def test_a_p2g_decoder_is_trained_without_a_dictionary(tmp_path: Path) -> None:
    made = utterances(tmp_path, TEXTS)
    two_stage = MODEL.model_copy(update={"p2g_layers": 1, "p2g_size": 24})
    learner = SpeechTask(config().model_copy(update={"model": two_stage}), made, made)
    learner.prepare(join_group("cpu"))
    found = learner.loss(learner.collate([0, 1], epoch=0), learner.model)
    found.total.backward()
    moved = {name for name, weights in learner.model.named_parameters() if weights.grad is not None}
    assert {"lower", "upper", "phone_head", "p2g_decoder", "head"} <= {name.split(".")[0] for name in moved}
    assert not any(name.startswith("intermediate_head") for name in moved)


@pytest.mark.parametrize(("alphabet", "dictionary"), [(None, "english"), (" äabcd", None)])
def test_an_adapted_model_keeps_its_dictionary_with_its_alphabet(
    alphabet: str | None, dictionary: str | None, tmp_path: Path
) -> None:
    made = utterances(tmp_path, ["a bad cab", "dad"])
    write_manifest(tmp_path / "mine.jsonl", made)
    two_stage = MODEL.model_copy(update={"p2g_layers": 1, "p2g_size": 24})
    recipe = config(epochs=1).model_copy(update={"model": two_stage, "text_only": TextOnlyConfig()})
    first = fit(ready_with(recipe, made), recipe.training, tmp_path / "one", device="cpu").last
    options = ["data.min_seconds=0.1", "training.epochs=1", *([f"alphabet={alphabet!r}"] if alphabet else [])]
    mine = tmp_path / "mine.jsonl"
    adapted = task.train(
        mine, valid=mine, run_dir=tmp_path / "two", overrides=options, start_from=first, device="cpu"
    )
    text_only = checkpoint.read_header(adapted.last).config["text_only"]
    assert (text_only and text_only["dictionary"]) == dictionary


def test_recordings_with_out_of_vocabulary_words_are_trained_on(tmp_path: Path) -> None:
    made = utterances(tmp_path, ["a bad cab", "dbca"])
    two_stage = MODEL.model_copy(update={"p2g_layers": 1, "p2g_size": 24})
    learner = ready_with(
        config().model_copy(update={"model": two_stage, "text_only": TextOnlyConfig()}), made
    )
    for indices in ([0], [1], [0, 1]):
        total = learner.loss(learner.collate(indices, epoch=0), learner.model).total
        total.backward()
        assert torch.isfinite(total) and total > 0


def test_text_only_data_requires_a_p2g_decoder(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"set model\.p2g_layers"):
        SpeechConfig(
            data=DataConfig(train=(), valid=()), text_only=TextOnlyConfig(dictionary=tmp_path / "d.txt")
        )


def test_a_manifest_requires_a_validation_manifest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give --valid MANIFEST"):
        task.train(tmp_path / "mine.jsonl", run_dir=tmp_path / "run")
