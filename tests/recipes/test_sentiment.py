"""Tests of the recipe sentiment-lstm: folds, pretraining, network, a smoke run, and published results."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.config import load
from audioseq.errors import DataError
from tests.recipes.script import importer, run

RECIPE = Path(__file__).parents[2] / "recipes" / "sentiment-lstm"
GOOD, BAD = ("fine", "lovely", "moving"), ("dull", "stupid", "tired")


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    return importer(RECIPE, monkeypatch)


def sentences(label: str, count: int = 150) -> list[str]:
    """Return different sentences in which one word determines the label."""
    words = GOOD if label == "pos" else BAD
    return [f"number {chr(97 + n % 26) * (n // 26 + 1)} is a {words[n % 3]} film !" for n in range(count)]


def archives(folder: Path) -> Path:
    """Write two small archives; each review contains a labelled sentence and a line of the test reviews."""
    folder.mkdir()
    with zipfile.ZipFile(folder / "sentence_polarity.zip", "w") as file:
        for label in ("pos", "neg"):
            file.writestr(f"sentence_polarity/rt-polarity.{label}", "\n".join(sentences(label)))
        file.writestr("sentence_polarity/README.txt", "about it")
    with zipfile.ZipFile(folder / "movie_reviews.zip", "w") as file:
        for label in ("pos", "neg"):
            for fold in range(10):
                word = (GOOD if label == "pos" else BAD)[fold % 3]
                lines = [
                    f"in the year {'i' * (fold + 1)} there came a film",
                    "number a is a fine film",
                    f"we saw {word} things in it again {'x' * (fold + 1)}",
                    "written by one who writes the very same line below all of them",
                ]
                file.writestr(f"movie_reviews/{label}/cv{fold}00_1.txt", " .\n".join(lines))
    return folder


def test_folds_do_not_overlap_and_equal_texts_share_a_fold(recipe: Callable[[str], Any]) -> None:
    texts = recipe("texts")
    found = texts.labelled((label, line) for label in ("pos", "neg") for line in sentences(label) * 2)
    seen: set[str] = set()
    for fold in range(texts.FOLDS):
        train, valid, test = ({text.words for text in part} for part in texts.split(found, fold))
        assert train and valid and test
        assert not (train & valid or train & test or valid & test or seen & test)
        assert train | valid | test == {text.words for text in found}
        seen |= test
    assert seen == {text.words for text in found}


def test_pretraining_text_does_not_overlap_with_test_texts(
    recipe: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    texts = recipe("texts")
    (tmp_path / "more.txt").write_text("This is read too.\nNumber A is a fine film\n")
    run(
        RECIPE / "prepare.py", "--from", archives(tmp_path / "archives"), "--text", tmp_path / "more.txt",
        "--out", tmp_path / "out", monkeypatch=monkeypatch,
    )  # fmt: skip
    labelled = {text.words for text in texts.read(tmp_path / "out" / "sentences.tsv")}
    reviews = texts.read(tmp_path / "out" / "reviews.tsv")
    assert len(labelled) == 300 and "number a is a fine film" in labelled
    assert sorted((text.fold, text.label) for text in reviews) == [(n // 2, n % 2) for n in range(20)]
    parts = [texts.lines(tmp_path / "out" / f"unlabelled-{part}.txt") for part in ("train", "valid")]
    unlabelled = [line for part in parts for line in part]
    assert "this is read too" in unlabelled and len(parts[1]) == 1
    assert not labelled & set(unlabelled)
    assert not any("same line below all" in line for line in unlabelled)  # the test reviews contain it
    assert sum(line.startswith("in the year") for line in unlabelled) == 2 * 9
    output = capsys.readouterr().out
    run(
        RECIPE / "prepare.py", "--from", tmp_path / "archives", "--out", tmp_path / "out", "--smoke",
        monkeypatch=monkeypatch,
    )  # fmt: skip
    assert len(texts.read(tmp_path / "out-smoke" / "sentences.tsv")) == 300 / 20
    assert "removed 37 unlabelled sentences" in output


def test_missing_archives_are_downloaded(
    recipe: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, served = recipe("prepare"), archives(tmp_path / "served")
    monkeypatch.setattr(prepare, "URL", served.as_uri())
    monkeypatch.setattr(sys, "argv", ["prepare.py", "--out", str(tmp_path / "out")])
    with pytest.raises(DataError, match="checksum differs"):  # not the real archives
        prepare.main()
    sums = {name: f"md5:{md5((served / name).read_bytes()).hexdigest()}" for name in prepare.ARCHIVES}
    monkeypatch.setattr(prepare, "ARCHIVES", sums)
    prepare.main()
    assert len(recipe("texts").read(tmp_path / "out" / "sentences.tsv")) == 300


def test_invalid_archives_are_reported(recipe: Callable[[str], Any], tmp_path: Path) -> None:
    texts = recipe("texts")
    (tmp_path / "x.zip").write_text("no archive")
    with pytest.raises(DataError, match=r"x\.zip: cannot be read as a zip archive"):
        texts.polarity(tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "y.zip", "w") as file:
        file.writestr("other.txt", "")
    with pytest.raises(DataError, match=r"y\.zip: has no sentence_polarity/rt-polarity\.neg"):
        texts.polarity(tmp_path / "y.zip")
    with pytest.raises(DataError, match=r"y\.zip: has no reviews"):
        texts.reviews(tmp_path / "y.zip")


def test_read_own_texts(recipe: Callable[[str], Any], tmp_path: Path) -> None:
    texts = recipe("texts")
    table = tmp_path / "mine.tsv"
    table.write_text("pos\tLovely!\nneg\tDull.\n", encoding="utf-8")
    for label, words in (("pos", "Lovely!"), ("neg", "Dull.")):
        (tmp_path / "mine" / label).mkdir(parents=True)
        (tmp_path / "mine" / label / "1.txt").write_text(words, encoding="utf-8")
    for source in (table, tmp_path / "mine"):
        assert {(text.words, text.label) for text in texts.read_own(source)} == {("lovely", 1), ("dull", 0)}
    table.write_text("pos\tLovely!\ngood\tFine\n")
    with pytest.raises(DataError, match=r"mine\.tsv:2: is not pos or neg, a tab and a text"):
        texts.read_own(table)
    table.write_text("pos\tLovely!\n")
    with pytest.raises(DataError, match="both positive and negative"):
        texts.read_own(table)
    table.write_bytes(b"pos\tcaf\xe9\n")
    with pytest.raises(DataError, match=r"mine\.tsv: is not UTF-8 text"):
        texts.read_own(table)
    with pytest.raises(DataError, match="gone: cannot be read"):
        texts.read_own(tmp_path / "gone")


def test_scores_do_not_depend_on_the_batch(recipe: Callable[[str], Any]) -> None:
    task, model = recipe("task"), recipe("model")

    @settings(deadline=None, max_examples=30)
    @given(
        st.lists(st.integers(1, 12), min_size=1, max_size=6), st.sampled_from(["last", "mean"]), st.booleans()
    )
    def check(lengths: list[int], pooling: str, bidirectional: bool) -> None:
        torch.manual_seed(0)
        network = model.Classifier(9, 4, 5, bidirectional=bidirectional, pooling=pooling).eval()
        rows = [torch.randint(9, (length,)) for length in lengths]
        alone = torch.cat([network(row[None], torch.tensor([len(row)])) for row in rows])
        torch.testing.assert_close(task.score(network, rows), alone.detach(), rtol=1e-4, atol=1e-6)
        padded, sizes = torch.nn.utils.rnn.pad_sequence(rows, True, 7.0), torch.tensor(lengths)
        torch.testing.assert_close(network(padded.long(), sizes), alone, rtol=1e-4, atol=1e-6)

    check()


def test_long_texts_are_split_into_windows(recipe: Callable[[str], Any]) -> None:
    task, model, texts = recipe("task"), recipe("model"), recipe("texts")
    torch.manual_seed(0)
    network = model.Classifier(9, 4, 5, piece=4).eval()
    rows = [torch.randint(9, (length,)) for length in (10, 3)]
    windows = [rows[0][:4], rows[0][4:7], rows[0][7:], rows[1]]
    each = torch.cat([network(row[None], torch.tensor([len(row)])) for row in windows]).detach()
    torch.testing.assert_close(task.score(network, rows), torch.stack([each[:3].mean(), each[3]]))
    long, short = texts.Text("a b c d e f g", 1, 0), texts.Text("b a", 0, 0)
    units = task.count_words([long, short], at_least=1)
    sentiment = task.SentimentTask(
        {"piece": 4}, [long, short], [short], units, batch_size=9, batch_tokens=99, seed=1
    )
    assert [len(piece) for piece in sentiment.train] == [4, 3, 2] and sentiment.labels.tolist() == [1, 1, 0]
    assert torch.cat(sentiment.train[:2]).tolist() == units.encode(long.words)


def test_sentence_model_is_not_trained_on_sentences_of_reviews(
    recipe: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment, texts = recipe("experiment"), recipe("texts")
    copied = "it has to be seen to be believed and"
    copies = [("pos", f"{copied} {'ever ' * n}again") for n in range(30)]
    texts.write(
        tmp_path / "sentences.tsv", texts.labelled([*copies, *(("neg", s) for s in sentences("neg"))])
    )
    reviews = [texts.Text(f"{'so ' * n}{copied} on", 1, n % 10) for n in range(50)]
    texts.write(tmp_path / "reviews.tsv", reviews)
    seen: list[Any] = []

    def record(network: dict[str, Any], train: list[Any], *rest: Any, **options: Any) -> None:
        seen.extend(train)
        raise InterruptedError

    monkeypatch.setattr(experiment, "SentimentTask", record)
    changes = [f"data={tmp_path}", "ours.network.pretrained=false"]
    config = load(experiment.ExperimentConfig, RECIPE / "config.toml", changes)
    model = config.ours.changed(config.ours.reviews)
    with pytest.raises(InterruptedError):
        experiment.Experiment(config, tmp_path / "run").train("ours", model, "reviews", 9, 1)
    assert len(seen) > 80 and not any(copied in text.words for text in seen)


def test_tutorial_network_matches_plain_torch(recipe: Callable[[str], Any]) -> None:
    """Compare with an embedding, `torch.nn.LSTM` and a linear layer on its last output."""
    config = load(recipe("experiment").ExperimentConfig, RECIPE / "config.toml").tutorial
    options = config.network.model_dump(exclude={"pretrained"})
    model = recipe("model").Classifier(20, **options)
    assert set(dict(model.named_parameters())) == {
        "embedding.weight", "head.weight", "head.bias",
        *(f"recurrent.forward_layer.{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")),
    }  # fmt: skip
    lstm = torch.nn.LSTM(config.network.embedding_size, 64, batch_first=True)
    lstm.load_state_dict(model.recurrent.forward_layer.state_dict())
    tokens = torch.randint(20, (3, 6))
    y, _ = lstm(model.embedding(tokens))
    expected = y[:, -1] @ model.head.weight[0] + model.head.bias
    torch.testing.assert_close(model(tokens, torch.full((3,), 6)), expected)
    assert not config.training.weight_decay and not config.training.decay  # plain Adam


def test_last_output_of_each_direction_depends_on_all_tokens(recipe: Callable[[str], Any]) -> None:
    model = recipe("model").Classifier(9, 4, 5, bidirectional=True)
    model.head = torch.nn.Identity()  # returns the pooled outputs
    rows = torch.tensor([[1, 2, 3, 0], [4, 2, 3, 0], [1, 2, 4, 0]])
    original, other_first, other_last = model(rows, torch.tensor([3, 3, 3]))
    assert (original != other_first).all() and (original != other_last).all()


def test_each_language_model_uses_one_side_only(recipe: Callable[[str], Any]) -> None:
    model = recipe("pretrain").BidirectionalLanguageModel(12, 4, 5, 0.0)
    tokens = torch.randint(1, 12, (1, 7))
    features, targets = model(tokens, torch.tensor([7]))
    assert targets.tolist() == [*tokens[0, 1:].tolist(), *tokens[0, :-1].tolist()]
    for place in range(7):
        changed = tokens.clone()
        changed[0, place] = 0
        same = (model(changed, torch.tensor([7]))[0] == features).all(1)
        assert same.tolist() == [*(n < place for n in range(6)), *(n >= place for n in range(6))]
    padded = torch.cat([tokens, torch.full((1, 3), 11)], dim=1)
    torch.testing.assert_close(model(padded, torch.tensor([7]))[0], features)


def test_sampled_softmax_has_the_same_optimum(recipe: Callable[[str], Any]) -> None:
    """Among scores by word frequency, the true log frequencies have the lowest loss."""
    pretrain = recipe("pretrain")
    generator = torch.Generator().manual_seed(0)
    drawn = torch.multinomial(1.0 / torch.arange(1, 200), 12 * 800, True, generator=generator).view(800, 12)
    lines = [" ".join(chr(97 + n // 26) + chr(97 + n % 26) for n in row) for row in drawn.tolist()]
    network = {"embedding_size": 4, "hidden_size": 4, "dropout": 0.0}
    task = pretrain.PretrainingTask(lines, lines[:9], network, words=300, batch_tokens=400, seed=1)
    counts = torch.bincount(torch.cat(task.train), minlength=task.units.size).clamp(min=1)
    task.model.embedding.weight.data.zero_()
    losses = []
    for bias in (-0.3, 0.0, 0.3):  # towards rare words, or frequent ones
        task.model.bias.data = (1 + bias) * (counts / counts.sum()).log()
        losses.append(
            sum(task.loss(task.collate(batch, 0), task.model).total.item() for batch in task.plan(0))
        )
    assert losses[1] == min(losses)


def test_smoke_run_learns_and_publishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "recipe"
    ignored = shutil.ignore_patterns("__pycache__", "results.json", "*.png", ".mypy_cache")
    shutil.copytree(RECIPE, copy, ignore=ignored)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^error: .*is missing; run prepare\.py"):
        run(copy / "train.py", "--smoke", monkeypatch=monkeypatch)
    archives(tmp_path / "archives")
    run(
        copy / "prepare.py",
        "--from",
        "archives",
        "--out",
        "runs/data/sentiment-smoke",
        monkeypatch=monkeypatch,
    )
    run(copy / "train.py", "--smoke", "--publish", "a test", monkeypatch=monkeypatch)
    results = json.loads((copy / "results.json").read_text(encoding="utf-8"))
    assert results["hardware"] == "a test"
    assert results["sentences"]["ours"]["accuracy"] == 1
    assert results["sentences"]["naive Bayes"]["accuracy"] == 1
    assert results["sentences"]["ours, all seeds together"]["accuracy"] == 1
    assert {"ours", "tutorial", "majority"} < set(results["reviews"])
    assert len(results["reviews"]["ours"]["by_seed"]) == 2
    assert 0.3 < results["sentences"]["majority"]["accuracy"] < 0.6
    assert f"**{results['headline']}**" in (copy / "README.md").read_text(encoding="utf-8")
    assert (copy / "folds.png").stat().st_size > 5_000
    assert (copy / "results.json").read_bytes() == (tmp_path / "runs/sentiment/results.json").read_bytes()

    journal = tmp_path / "runs/sentiment/figures.jsonl"
    before = journal.read_bytes()
    run(copy / "train.py", "--smoke", "--one", monkeypatch=monkeypatch)
    assert "100.0% accuracy on fold 0" in capsys.readouterr().out
    assert journal.read_bytes() == before  # no model was trained again

    with pytest.raises(SystemExit, match=r"^error: runs/sentiment: contains results of other settings"):
        run(copy / "train.py", "--smoke", "--set", "ours.batch_size=7", monkeypatch=monkeypatch)

    run(copy / "infer.py", "A dull film!", "--plot", "words.png", monkeypatch=monkeypatch)
    *words, result = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in words] == ["a", "dull", "film"]
    assert result.startswith("negative, ") and float(words[-1].split()[0]) < 0.5
    assert (tmp_path / "words.png").stat().st_size > 3_000
    with pytest.raises(SystemExit, match="has no words to classify"):
        run(copy / "infer.py", "...", monkeypatch=monkeypatch)


def test_published_results_match_readme(recipe: Callable[[str], Any]) -> None:
    results = json.loads((RECIPE / "results.json").read_text(encoding="utf-8"))
    assert recipe("report").section(results) in (RECIPE / "README.md").read_text(encoding="utf-8")
    config = load(recipe("experiment").ExperimentConfig, RECIPE / "config.toml")
    improved = results["sentences"]["ours"]
    assert len(improved["by_fold"]) == 10 and len(improved["by_seed"]) == len(config.ours.seeds) == 3
    assert improved["accuracy"] > 0.76 and results["reviews"]["ours"]["accuracy"] > 0.8
    assert set(results["ablation"]) == {"ours", *config.ablation}
