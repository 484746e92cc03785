"""The recipe english-punctuation: split by book, errors and pauses, transcripts, and a smoke run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from audioseq.config import load
from audioseq.language.punctuation.config import PunctuationConfig
from audioseq.language.punctuation.labels import NAMES, read_labels
from audioseq.language.punctuation.task import train
from tests.language.punctuation.tiny import punctuator, save
from tests.recipes.script import module

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "english-punctuation"


def test_prepare_splits_by_book(tmp_path: Path) -> None:
    books = [f"Book {number} begins.\nIt ends.\n" for number in range(45)]
    (tmp_path / "books.txt").write_text("\n".join(books))
    command = [sys.executable, str(RECIPE / "prepare.py"), "--from", str(tmp_path / "books.txt")]
    subprocess.run([*command, "--out", str(tmp_path)], check=True, capture_output=True)
    parts = {name: (tmp_path / f"{name}.txt").read_text() for name in ("train", "valid", "test")}
    assert parts["test"] == "\n".join(books[number] for number in (0, 20, 40))
    assert parts["valid"] == "\n".join(books[number] for number in (10, 30))
    assert sum(text.count("begins") for text in parts.values()) == 45


def test_errors_and_pauses_are_measured() -> None:
    measure = module(RECIPE / "measure.py")
    words = [("he", 0.0, 0.2), ("said", 0.25, 0.5), ("oh", 1.0, 1.1), ("know", 1.5, 1.9), ("sir", 2.0, 2.4)]
    line = {"id": "a", "text": "he said no dear sir", "words": words}
    errors = measure.measure_errors([line])
    assert errors["counts"] == {"substitution": 2, "deletion": 0, "insertion": 0}
    assert errors["confusions"] == {"no": ["oh"], "dear": ["know"]}
    pauses = measure.measure_pauses([line, {**line, "id": "b"}], {"a": "He said: no, dear sir."})
    assert pauses["none"] == [0.05, 0.1] and pauses["comma"] == [0.4]
    assert pauses["colon"] == pauses["full stop"] == [0.5]


def test_transcripts_have_labels_and_pauses(tmp_path: Path) -> None:
    transcripts = module(RECIPE / "transcripts.py")
    (tmp_path / "texts.tsv").write_text("a\tThe cat sat. That hat is flat.\nb\tNo one.\n")
    words = [("the", 0.0, 0.2), ("hat", 0.25, 0.5), ("sat", 0.6, 0.8), ("hat", 1.6, 1.7), ("is", 1.8, 2.0)]
    rows = [{"id": "a", "words": words}, {"id": "b", "words": []}, {"id": "c", "words": words}]
    (tmp_path / "words.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (found,) = transcripts.read_transcripts(tmp_path / "texts.tsv", tmp_path / "words.jsonl")
    assert found.pauses == pytest.approx([0.05, 0.1, 0.8, 0.1, 0.0])
    assert found.reference_pauses == pytest.approx([0.05, 0.1, 0.8, 0.0, 0.1, 0.0, 0.0])
    assert [word.mark for word in found.recognised] == [0, 0, 2, 0, 2]
    texts = [(list(read_labels("He came. He saw, and won.")), [0.15, 0.9, 0.0, 0.4, 0.0, 0.1])]
    comma, stop = transcripts.fit_thresholds(texts)
    assert 0.1 < comma <= 0.4 < stop <= 0.9
    score = transcripts.score_thresholds(texts, comma, stop)
    assert score.macro_f1 == score.labels["title"].f1 == 1.0
    table = transcripts.measure(punctuator(tmp_path), [found], [found])
    assert table["recognised words"]["words"] == 5
    assert table["reference words, pauses"]["words"] == 7


def test_enough_lookahead_gives_the_labels_of_the_whole_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = module(RECIPE / "live.py")
    book = "The cat sat, on the mat. That hat is flat! Is it? The mat sat: on that cat. "
    (tmp_path / "text.txt").write_text(f"{book * 2}\n\n{book[9:]}{book}\n")
    pauses = {name: [9.0 if name in ("full stop", "question", "exclamation") else 0.0] for name in NAMES}
    (tmp_path / "pauses.json").write_text(json.dumps(pauses))
    monkeypatch.setattr(live, "LOOKAHEADS", (0, 100))
    monkeypatch.setattr(live, "LATER_WORDS", (0, 100))
    found = live.measure_live(
        save(tmp_path / "tiny.safetensors"), tmp_path / "text.txt", tmp_path / "pauses.json", 34
    )
    assert found["lookahead of 100 words"] == found["whole text"] != found["lookahead of 0 words"]
    assert found["words per segment"] == round(34 / 8, 1)
    alone, *others = (found[name] for name in found if name.startswith("segments"))
    assert len(others) == 2 and alone != others[0] != others[1]


def test_the_table_of_written_utterances_is_complete() -> None:
    rows = [line.split("\t") for line in (RECIPE / "dev-clean.tsv").read_text(encoding="utf-8").splitlines()]
    assert len({row[0] for row in rows}) == 50
    assert all(len(list(read_labels(row[1]))) > 5 for row in rows)


def test_smoke_run_overfits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = train(RECIPE / "config.toml", run_dir=tmp_path, smoke=True, device="cpu")
    assert result.metrics["macro_f1"] == 1


def test_config_is_valid() -> None:
    assert load(PunctuationConfig, RECIPE / "config.toml").embeddings == "english-lstm"
