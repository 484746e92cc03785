"""Tests of the recipe translation-lstm: network, beam search, task, a smoke run, and published results."""

from __future__ import annotations

import doctest
import gzip
import hashlib
import io
import itertools
import json
import runpy
import shutil
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq import checkpoint
from audioseq.config import load
from audioseq.errors import CheckpointError, DataError
from audioseq.training import TrainingConfig
from tests.recipes.script import importer, module

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "translation-lstm"
PAD, BEGIN, END = 0, 2, 3


@pytest.fixture(scope="module")
def recipe() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield importer(RECIPE, patch)


def network(recipe: Any, vocabulary: int = 11, size: int = 6, seed: int = 0, **options: float) -> Any:
    """Return a network with widely different scores, as after training."""
    torch.manual_seed(seed)
    model = recipe("translator").Translator(vocabulary, size, 2, **options)
    for parameter in model.parameters():
        parameter.data.mul_(3)
    return model.eval()


def padded(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.tensor([len(row) for row in rows])
    tensor = torch.zeros(len(rows), int(lengths.max()), dtype=torch.int64)
    for index, row in enumerate(rows):
        tensor[index, : len(row)] = torch.tensor(row)
    return tensor, lengths


def log_prob(model: Any, source: list[int], target: tuple[int, ...]) -> float:
    """Return the log probability of a target, computed in one call."""
    previous = torch.tensor([[BEGIN, *target[:-1]]])
    with torch.no_grad():
        scores = model(torch.tensor([source]), torch.tensor([len(source)]), previous).log_softmax(2)
    return float(scores[0, range(len(target)), list(target)].sum())


def searched(
    recipe: Any, model: Any, sources: list[list[int]], limits: list[int], beam: int, end: int = END
) -> Any:
    with torch.inference_mode():
        decoder = recipe("decode").BatchDecoder(model, *padded(sources))
        return recipe("beam").search(decoder, limits, beam, begin=BEGIN, end=end)


sources = st.lists(st.lists(st.integers(1, 10), min_size=1, max_size=6), min_size=1, max_size=4)


@settings(deadline=None, max_examples=12)
@given(sources, st.integers(0, 3), st.integers(1, 3))
def test_search_does_not_depend_on_the_batch(
    recipe: Any, rows: list[list[int]], seed: int, beam: int
) -> None:
    model, limits = network(recipe, seed=seed), [5 + index for index in range(len(rows))]
    together = searched(recipe, model, rows, limits, beam)
    for row, limit, found in zip(rows, limits, together, strict=True):
        (alone,) = searched(recipe, model, [row], [limit], beam)
        assert [each.tokens for each in found] == [each.tokens for each in alone]
        for each in found:  # a step at a time gives what all steps at once give
            assert len(each.tokens) <= limit and each.tokens.index(END) == len(each.tokens) - 1
            assert each.log_prob == pytest.approx(log_prob(model, row, each.tokens), abs=1e-4)


@settings(deadline=None, max_examples=12)
@given(sources, st.integers(0, 3))
def test_beam_of_one_is_greedy(recipe: Any, rows: list[list[int]], seed: int) -> None:
    model = network(recipe, seed=seed)
    for row, (found,) in zip(rows, searched(recipe, model, rows, [8] * len(rows), 1), strict=True):
        tokens: list[int] = []
        while len(tokens) < 7 and END not in tokens:
            with torch.no_grad():
                previous = torch.tensor([[BEGIN, *tokens]])
                scores = model(torch.tensor([row]), torch.tensor([len(row)]), previous)
            tokens.append(int(scores[0, -1].argmax()))
        assert list(found.tokens) == (tokens if END in tokens else [*tokens, END])


@settings(deadline=None, max_examples=12)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(0, 9), st.sampled_from([0.0, 0.7, 2]))
def test_wide_beam_is_exhaustive(recipe: Any, source: list[int], seed: int, penalty: float) -> None:
    model, ranked = network(recipe, vocabulary=4, seed=seed), recipe("decode").ranked
    everything = [
        (*words, END) for length in range(4) for words in itertools.product(range(3), repeat=length)
    ]
    (found,) = searched(recipe, model, [source], [4], beam=len(everything))
    assert {each.tokens for each in found} == set(everything)
    scores = {
        tokens: log_prob(model, source, tokens) / ((5 + len(tokens)) / 6) ** penalty for tokens in everything
    }
    best = ranked(found, penalty)[0]
    assert best.score(penalty) == pytest.approx(max(scores.values()), abs=1e-4)
    assert scores[best.tokens] == pytest.approx(max(scores.values()), abs=1e-4)
    (narrow,) = searched(recipe, model, [source], [4], beam=3)
    assert 1 <= len(narrow) <= 3
    assert all(each.score(penalty) <= max(scores.values()) + 1e-4 for each in narrow)


def test_attention_ignores_padding_and_sums_to_one(recipe: Any) -> None:
    model = network(recipe)
    tokens, lengths = padded([[5, 4, 6, 3], [7, 3]])
    with torch.no_grad():
        source, states = model.encode(tokens, lengths)
        scores, _, attention = model.decode(torch.tensor([[BEGIN, 4, 5]] * 2), source, states)
        noisy = source._replace(features=torch.where(source.valid[..., None], source.features, 1e3))
        assert torch.equal(model.decode(torch.tensor([[BEGIN, 4, 5]] * 2), noisy, states)[0], scores)
    assert len(attention) == 2
    for weights in attention:
        assert weights.shape == (2, 3, 4)
        assert torch.allclose(weights.sum(2), torch.ones(2, 3))
        assert weights[1, :, 2:].eq(0).all() and weights[0].gt(0).all()


def test_word_dropout_zeroes_tokens_in_training_only(recipe: Any) -> None:
    model = network(recipe, word_dropout=0.5)
    tokens = torch.ones(8, 50, dtype=torch.int64)
    assert model._embed(tokens).abs().sum(2).gt(0).all()
    embedded = model.train()._embed(tokens)
    dropped = embedded.eq(0).all(2)
    assert torch.equal(dropped, embedded.eq(0).any(2)) and 0.3 < dropped.float().mean() < 0.7
    assert torch.allclose(embedded[~dropped], 2 * model.embedding.weight[1].expand_as(embedded[~dropped]))


def small(recipe: Any, **changes: Any) -> Any:
    """Return the task of the smoke run."""
    config = load(recipe("translation").TranslationConfig, RECIPE / "config.toml", smoke=True)
    files = tuple(ROOT / path for path in config.data.train)
    pairs = recipe("pairs").read_pairs(files)
    data = config.data.model_copy(update=changes)
    training = TrainingConfig(seed=3)
    config = config.model_copy(update={"data": data, "training": training, "label_smoothing": 0.1})
    return recipe("translation").TranslationTask(config, pairs, pairs)


def test_padding_does_not_change_the_loss(recipe: Any) -> None:
    task = small(recipe, tokens_per_batch=10_000)
    (whole,) = task.plan(0)
    assert sorted(whole) == list(range(7))
    with torch.no_grad():
        batch = task.loss(task.collate(whole, 0), task.model)
        separate = [task.loss(task.collate([index], 0), task.model) for index in whole]
    assert batch.weight == sum(loss.weight for loss in separate) == sum(len(pair[1]) for pair in task.pairs)
    assert float(batch.total) == pytest.approx(sum(float(loss.total) for loss in separate), rel=1e-5)


def test_long_pairs_are_skipped_and_reported(recipe: Any) -> None:
    task = small(recipe)
    lengths = sorted(max(map(len, pair)) for pair in task.pairs)
    assert task.advice({}) is None
    shorter = small(recipe, longest=lengths[-1] - 1)
    skipped = sum(length == lengths[-1] for length in lengths)
    assert len(shorter.pairs) == 7 - skipped
    assert shorter.advice({}) == f"{skipped} pairs of more than {lengths[-1] - 1} tokens skipped"
    with pytest.raises(DataError, match=r"all 7 pairs are longer than data\.longest = 3"):
        small(recipe, longest=3)


def test_subwords_encode_any_text(recipe: Any) -> None:
    texts = (RECIPE / "smoke" / "pairs.de").read_text(encoding="utf-8").splitlines()
    subwords = recipe("pairs").Subwords.learn(texts, 330)
    assert 256 < subwords.size <= 330
    for text in [*texts, "naïve café", "Żółć 日本 🙂", "don't – «stop»"]:
        tokens = subwords.encode(text)
        assert tokens[-1] == END and END not in tokens[:-1] and 1 not in tokens
        assert subwords.decode(tokens) == text
    assert recipe("pairs").Subwords.from_dict(subwords.to_dict()).encode(texts[0]) == subwords.encode(
        texts[0]
    )
    for damaged in ({}, {"model": "%"}, {"model": "AAAA"}, {"model": 3}):
        with pytest.raises(CheckpointError, match="subwords are damaged"):
            recipe("pairs").Subwords.from_dict(damaged)
    with pytest.raises(DataError, match=r"data\.vocabulary: 100 subwords cannot be learnt"):
        recipe("pairs").Subwords.learn(texts, 100)


def test_invalid_pairs_are_reported(recipe: Any, tmp_path: Path) -> None:
    read = recipe("pairs").read_pairs
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("a b\u2028c \r\nd\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"other: cannot be read .*run prepare\.py first"):
        read((one, other))
    other.write_text("A", encoding="utf-8")
    with pytest.raises(DataError, match=r"one has 2 lines, .*other has 1; each line must be"):
        read((one, other))
    other.write_text("A\n \n", encoding="utf-8")
    with pytest.raises(DataError, match="other:2: is empty; remove the line from both"):
        read((one, other))
    other.write_bytes(b"A\n\xff\n")
    with pytest.raises(DataError, match="other: is not UTF-8"):
        read((one, other))
    other.write_text("A\nD\n", encoding="utf-8")
    assert read((one, other)) == [("a b\u2028c", "A"), ("d", "D")]


words = st.text("abc", min_size=1, max_size=1)
sentence = st.lists(words, min_size=1, max_size=4).map(" ".join)


@settings(deadline=None, max_examples=12)
@given(st.lists(st.tuples(sentence, sentence), min_size=1, max_size=5))
def test_dictionary_matches_a_plain_implementation(recipe: Any, couples: list[tuple[str, str]]) -> None:
    pairs = [recipe("pairs").Pair(*couple) for couple in couples]
    probability: defaultdict[tuple[str, str], float] = defaultdict(lambda: 1.0)
    for _ in range(recipe("baselines").ITERATIONS):
        counts: Counter[tuple[str, str]] = Counter()
        for source, target in couples:
            places = ["", *source.split()]
            for word in target.split():
                total = sum(probability[place, word] for place in places)
                for place in places:
                    counts[place, word] += probability[place, word] / total  # type: ignore[assignment]
        sums: Counter[str] = Counter()
        for (place, _), count in counts.items():
            sums[place] += count
        probability = defaultdict(float, {key: count / sums[key[0]] for key, count in counts.items()})
    found = recipe("baselines").learn_dictionary(pairs)
    assert found.keys() == {word for source, _ in couples for word in source.split()}
    for word, translation in found.items():
        best = max(value for (place, _), value in probability.items() if place == word)
        assert probability[word, translation] == pytest.approx(best)


@pytest.mark.parametrize("name", ["baselines", "translator"])
def test_docstring_examples(recipe: Any, name: str) -> None:
    result = doctest.testmod(recipe(name))
    assert result.attempted and not result.failed


def test_prepare_downloads_or_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = module(RECIPE / "prepare.py")
    server, sums = tmp_path / "server", {}
    server.mkdir()
    for name in prepare.SHA256:
        packed = gzip.compress(f"{name}\nzwei\n".encode())
        (server / f"{name}.gz").write_bytes(packed)
        sums[name] = hashlib.sha256(packed).hexdigest()

    def run(*arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", ["prepare.py", *map(str, arguments)])
        prepare.main()

    with pytest.raises(DataError, match="checksum differs"):  # not the real files
        run("--url", server.as_uri(), "--out", tmp_path / "fetched")
    monkeypatch.setattr(prepare, "SHA256", sums)
    run("--url", server.as_uri(), "--out", tmp_path / "fetched")
    run("--from", server, "--out", tmp_path / "copied")
    for name in sums:
        for place in ("fetched", "copied"):
            assert (tmp_path / place / name).read_text() == f"{name}\nzwei\n"
    (server / "val.en.gz").write_bytes(b"no")
    with pytest.raises(DataError, match=r"val\.en\.gz: is damaged"):
        run("--from", server, "--out", tmp_path / "copied")
    with pytest.raises(DataError, match=r"train\.en\.gz: cannot be read .*name its folder with --from"):
        run("--from", tmp_path, "--out", tmp_path / "copied")


def test_local_copy_has_the_published_checksums(data_root: Path) -> None:
    for name, digits in module(RECIPE / "prepare.py").SHA256.items():
        packed = (data_root / "text" / "multi30k" / f"{name}.gz").read_bytes()
        assert hashlib.sha256(packed).hexdigest() == digits


def test_smoke_run_learns_publishes_and_translates(
    recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy, runs = tmp_path / "recipe", tmp_path / "runs"
    shutil.copytree(RECIPE, copy, ignore=shutil.ignore_patterns("__pycache__", "results.json", "*.png"))
    monkeypatch.chdir(ROOT)

    def run(script: str, *arguments: object) -> list[str]:
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        capsys.readouterr()
        runpy.run_path(str(copy / script), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    run("train.py", "--smoke", "--run-dir", runs, "--publish", "a test")
    results = json.loads((copy / "results.json").read_text(encoding="utf-8"))
    (only,) = results["runs"]
    assert results["headline"] == "100.0 BLEU" and results["hardware"] == "a test"
    assert only["test"] == only["valid"] == only["valid_by_pass"][-1] == 100
    assert [(each["beam"], each["penalty"]) for each in only["valid_by_search"]] == [(1, 1.0), (3, 1.0)]
    assert results["baselines"]["copy"] < results["baselines"]["dictionary"] < 50
    assert results["signature"].startswith("nrefs:1|case:mixed|")
    assert (copy / "learning.png").stat().st_size > 5_000
    with pytest.raises(SystemExit, match=r"^error: .*seed-1: already contains a run; continue"):
        run("train.py", "--smoke", "--run-dir", runs)
    again = json.loads("\n".join(run("train.py", "--smoke", "--run-dir", runs, "--resume")))
    assert again == {name: results[name] for name in again} | {"hardware": "unnamed hardware"}

    model = runs / "seed-1" / "translator.safetensors"
    assert checkpoint.read_header(model).config["search"] == {"beams": [1], "penalties": [1.0]}
    english, german = (
        (RECIPE / "smoke" / f"pairs.{language}").read_text(encoding="utf-8").splitlines()
        for language in ("en", "de")
    )
    assert run("infer.py", "-m", model, *english) == german
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(english)))
    assert run("infer.py", "-m", model, "-") == german
    plot = tmp_path / "attention.png"
    assert len(run("infer.py", "-m", model, "Żółw 日本 🙂 " * 5, "--plot", plot)) == 1
    assert plot.stat().st_size > 5_000
    for text, message in {
        " ": "' ' contains no text",
        "\u200b": "contains no text",
        "rain " * 300: "'rain .* … has [0-9]+ tokens; split it",
    }.items():
        with pytest.raises(SystemExit, match=f"^error: sentence 2: .*{message}"):
            run("infer.py", "-m", model, "rain", text)
    with pytest.raises(SystemExit, match=r"^error: .*nothing\.safetensors: cannot be read"):
        run("infer.py", "-m", tmp_path / "nothing.safetensors", "text")

    with pytest.raises(SystemExit, match=r"^error: .*no/a\.png: cannot be written"):
        run("infer.py", "-m", model, "rain", "--plot", tmp_path / "no" / "a.png")

    lines = [line.split("\t") for line in run("infer.py", "-m", model, "-n", 3, english[0])]
    assert lines[0][1] == german[0] and len(lines) == 3
    assert float(lines[0][0]) > float(lines[1][0]) >= float(lines[2][0])
    pipeline = recipe("decode").TranslationPipeline.load(model)
    (best,) = pipeline.translate(english[:1])[0]
    source, target, weights = pipeline.attention(english[0], best)
    assert weights.shape == (2, len(target), len(source)) and target[-1] == source[-1] == "</s>"

    stored = checkpoint.load(model)
    for config in ({}, {"model": {"size": "64", "layers": 2}, "search": {"beams": [], "penalties": [1.0]}}):
        checkpoint.save(tmp_path / "odd.safetensors", stored.weights, replace(stored.header, config=config))
        with pytest.raises(CheckpointError, match=r"odd\.safetensors: its config is damaged"):
            recipe("decode").TranslationPipeline.load(tmp_path / "odd.safetensors")


def test_published_results_match_readme(recipe: Any) -> None:
    results = json.loads((RECIPE / "results.json").read_text(encoding="utf-8"))
    readme = (RECIPE / "README.md").read_text(encoding="utf-8")
    config = load(recipe("translation").TranslationConfig, RECIPE / "config.toml")
    assert {run["seed"] for run in results["runs"]} <= set(config.seeds)
    assert results["signature"] in readme
    figures = [results["test"], results["test_lower_case"], *results["baselines"].values()]
    assert not [figure for figure in figures if f"{figure:.1f}" not in readme]
    for run in results["runs"]:
        chosen = {"beam": run["beam"], "penalty": run["penalty"], "bleu": run["valid"]}
        assert chosen in run["valid_by_search"]
        assert run["valid"] == max(each["bleu"] for each in run["valid_by_search"])
        assert len(run["valid_by_pass"]) == config.training.epochs
    assert results["test"] >= 32 > 2 * results["baselines"]["dictionary"]
