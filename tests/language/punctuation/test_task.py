"""Examples, batches and training of models that restore punctuation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audioseq import checkpoint
from audioseq.errors import DataError
from audioseq.language.punctuation.books import SENTENCE_ENDS, cut_examples, read_books
from audioseq.language.punctuation.config import PunctuationConfig
from audioseq.language.punctuation.evaluate import choose_biases, evaluate, read_written, tune
from audioseq.language.punctuation.labels import CASES, MARKS
from audioseq.language.punctuation.model import PunctuationModel, batch_words
from audioseq.language.punctuation.pipeline import load_punctuator
from audioseq.language.punctuation.task import IGNORED, PunctuationTask
from audioseq.training import fit
from tests.training.conftest import assert_same_result

TEXT = """CHAPTER I

The cat sat on Mr. Hat's mat, and Anna McDonald saw it. Did she laugh? Yes!
It was late. McDonald slept; so did the cat. "McDonald!" cried Anna.

No one came. The night was long--and cold.
"""


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT * 3)
    return path


def config(text: Path, model: dict[str, Any] | None = None, **training: Any) -> PunctuationConfig:
    """Return a recipe for a tiny model."""
    sizes = {"embedding_size": 12, "hidden_size": 12, "num_layers": 1, "dropout": 0.0, **(model or {})}
    options = {"epochs": 2, "learning_rate": 2e-2, "warmup": 5, "precision": "fp32", **training}
    data = {"train": [text], "valid": [text], "words": 12, "batch_words": 40}
    for name in "errors", "pauses":
        path = text.with_name(f"{name}.json")
        data |= {name: path} if path.exists() else {}
    table = {"subwords": 70, "data": data, "model": sizes, "training": options}
    return PunctuationConfig.model_validate(table)


def write_augmentation(folder: Path) -> None:
    counts = {"substitution": 2, "deletion": 1, "insertion": 1}
    errors = {"counts": counts, "confusions": {"cat": ["hat's"]}, "inserted": ["so"]}
    (folder / "errors.json").write_text(json.dumps(errors))
    (folder / "pauses.json").write_text(json.dumps({"none": [0.0], "comma": [0.4], "full stop": [0.9]}))


def test_books_are_read_without_headings(text: Path) -> None:
    books = read_books([text])
    assert len(books.books) == 6
    assert books.words[0] == "the" and "chapter" not in books.words
    assert books.forms == {"mcdonald": "McDonald", "mr": "Mr."}
    assert [len(book) for book in read_written(text)] == [len(book) for book in books.books]
    with pytest.raises(DataError, match="has no words; give texts with a paragraph per line"):
        (text.parent / "empty.txt").write_text("\n\n")
        read_books([text.parent / "empty.txt"])


def test_examples_cover_each_book_and_mostly_end_with_a_sentence(text: Path) -> None:
    books = read_books([text]).books * 30
    examples = cut_examples(books, 12, np.random.default_rng(3))
    for index, book in enumerate(books):
        bounds = [(start, end) for number, start, end in examples if number == index]
        assert [start for start, _ in bounds] == [0, *(end for _, end in bounds[:-1])]
        assert bounds[-1][1] == len(book)
        assert all(0 < end - start <= 12 for start, end in bounds)
    ends = [books[index].marks[end - 1] in SENTENCE_ENDS for index, _, end in examples]
    assert 0.7 < np.mean(ends) < 1


def test_batches_have_errors_and_pauses_in_their_shares(text: Path) -> None:
    write_augmentation(text.parent)
    task = PunctuationTask(config(text))
    clean = PunctuationTask(
        config(text).model_copy(update={"data": config(text).data.model_copy(update={"error_share": 0.0})})
    )
    with_pauses = changed = total = 0
    for epoch in range(12):
        assert task.plan(epoch) == clean.plan(epoch)
        for indices in task.plan(epoch):
            batch, other = task.collate(indices, epoch), clean.collate(indices, epoch)
            assert torch.equal(batch.words.pieces, task.collate(indices, epoch).words.pieces)
            inside = torch.arange(batch.cases.shape[1]) < batch.words.lengths[:, None]
            assert bool(
                ((batch.cases == IGNORED) == ~inside).all() & ((batch.marks == IGNORED) == ~inside).all()
            )
            with_pauses += int((batch.words.pauses > 0).any(1).sum())
            same = batch.cases.shape == other.cases.shape
            changed += not same or not torch.equal(batch.words.pieces, other.words.pieces)
            total += len(indices)
            assert not batch.words.pauses[range(len(indices)), batch.words.lengths - 1].any()
    assert 0.3 < with_pauses / total < 0.6
    assert changed


def test_the_loss_is_the_sum_over_words(text: Path) -> None:
    task = PunctuationTask(config(text))
    (indices, *_) = task.plan(0)
    whole = task.loss(task.collate(indices, 0), task.model)
    parts = [task.loss(task.collate([index], 0), task.model) for index in indices]
    assert float(whole.total.detach()) == pytest.approx(
        sum(float(part.total.detach()) for part in parts), rel=1e-4
    )
    assert whole.weight == sum(part.weight for part in parts)


def test_the_scores_depend_on_all_words_of_a_text_alone() -> None:
    torch.manual_seed(1)
    model = PunctuationModel(20, 6, 7, 2).eval()
    rows = [[[3], [4, 5], [6], [7], [8]], [[9], [10]]]
    together = model(batch_words(rows, [None, [0.1, 0.9]]))
    alone = model(batch_words(rows[1:], [[0.1, 0.9]]))
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a[1, :2], b[0], atol=1e-6, rtol=1e-5)
    changed = model(batch_words([[*rows[0][:4], [11]]], [None]))
    assert not any(torch.allclose(a, b) for a, b in zip(together.marks[0], changed.marks[0], strict=True))


def test_training_overfits_and_the_model_file_restores_it(text: Path, tmp_path: Path) -> None:
    made = config(text, {"hidden_size": 24}, epochs=40, validate_every=40)
    result = fit(PunctuationTask(made), made.training, tmp_path / "run", device="cpu")
    assert result.metrics["macro_f1"] > 0.95
    punctuator = load_punctuator(tune(result.best, text, tmp_path / "tuned.safetensors"), "cpu")
    words = ["the", "cat", "sat", "on", "mr", "hat's", "mat", "and", "anna", "mcdonald", "saw", "it"]
    assert " ".join(punctuator.punctuate(words)) == "The cat sat on Mr. Hat's mat, and Anna McDonald saw it."
    report = evaluate(tmp_path / "tuned.safetensors", text, "cpu")
    assert report.total.macro_f1 > 0.9
    assert report.to_dict()["books"] == 6
    assert "macro F1 of the marks" in report.summary()


def test_a_resumed_run_is_equal_bit_for_bit(text: Path, tmp_path: Path) -> None:
    write_augmentation(text.parent)
    made = config(text, {"dropout": 0.2}, epochs=2, decay=0.0, save_every=2, average=2)
    fit(PunctuationTask(made), made.training, tmp_path / "whole", device="cpu")
    half = made.training.model_copy(update={"epochs": 1.0})
    fit(PunctuationTask(made), half, tmp_path / "part", device="cpu")
    fit(PunctuationTask(made), made.training, tmp_path / "part", resume=True, device="cpu")
    assert_same_result(tmp_path / "whole", tmp_path / "part")


def test_embeddings_come_from_a_language_model(text: Path, tmp_path: Path) -> None:
    from tests.language.tiny import save

    source = save(tmp_path / "language.safetensors", "subwords")
    made = config(text, {"embedding_size": 4}).model_copy(update={"embeddings": str(source)})
    task = PunctuationTask(made)
    original = checkpoint.load(source).weights["embedding.weight"]
    reduced = task.model.embedding.weight.detach()
    assert reduced.shape == (len(original), 4)
    assert not reduced[0].any()
    centred = (original - original.mean(0))[1:]
    angles = torch.nn.functional.cosine_similarity(
        centred[0] @ centred.T, (reduced[1] @ reduced[1:].T), dim=0
    )
    assert angles > 0.9  # the largest components keep most of the inner products
    assert len(CASES) + len(MARKS) == task.model.head.out_features


def test_the_bias_of_a_label_gives_the_highest_f1_with_enough_precision() -> None:
    """Three of four scores of b below that of a by 0.6 are right, and one of four below it by 2.1."""
    margins, reference = [0.6] * 4 + [2.1] * 4, [1, 1, 1, 0, 1, 0, 0, 0]
    scores = np.array([[0.0, -margin, -9.0] for margin in margins])
    assert choose_biases(scores, np.array(reference), ["a", "b", "c"]) == {"b": 0.75, "c": -3.0}
    scores[:, 2] = 5.0  # a label that is never right
    assert choose_biases(scores, np.array(reference), ["a", "b", "c"])["c"] == -3.0
