"""`audioseq punctuate`, and training and evaluation of its models from the command line."""

from __future__ import annotations

import io
import json
import lzma
import sys
from pathlib import Path

import pytest

from audioseq.cli.main import run
from audioseq.language.punctuation.labels import read_labels
from tests.language.punctuation.tiny import save

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


def test_a_line_in_is_a_line_out(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    lines = ["the cat sat on that mat", "", "  Already written, as one sees.", "мир и the hat", "это"]
    (tmp_path / "text.txt").write_text("\r\n".join(lines), encoding="utf-8")
    assert run(["punctuate", str(tmp_path / "text.txt"), "-m", model]) == 0
    printed = capsys.readouterr()
    written = printed.out.split("\n")
    assert len(written) == len(lines) + 1
    assert [each.word for each in read_labels(written[0])] == lines[0].split()
    assert written[0] != lines[0]
    assert written[1:3] == lines[1:3]
    assert written[3].startswith("мир и ")
    assert printed.err.splitlines() == [
        "warning: words in another alphabet are left as they are, such as 'мир'"
    ]
    with lzma.open(tmp_path / "text.xz", "wt", encoding="utf-8") as file:
        file.write(lines[0])
    assert run(["punctuate", str(tmp_path / "text.xz"), "-m", model]) == 0
    assert capsys.readouterr().out == written[0] + "\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines[0] + "\n"))
    assert run(["punctuate", "-", "-m", model]) == 0
    assert capsys.readouterr().out == written[0] + "\n"


def test_bad_input_is_an_error_of_one_line(model: str, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "latin.txt").write_bytes("the cat\ncaf\xe9".encode("latin-1"))
    for name, reason in ("none.txt", "cannot be read"), ("latin.txt", "is not UTF-8 text"):
        assert run(["punctuate", str(tmp_path / name), "-m", model]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert name in line and reason in line
    assert run(["punctuate", str(tmp_path / "latin.txt"), "-m", "english-4gram"]) == 1
    assert "is a model for ngram, not for punctuation" in capsys.readouterr().err


def test_models_are_evaluated(model: str, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "text.txt").write_text("The cat sat. That hat is flat!\n\nThe mat, that is.\n")
    assert run(["evaluate", model, str(tmp_path / "text.txt"), "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["words"] == 11 and table["books"] == 2 and table["comma"]["count"] == 1
    assert set(table["f1_by_book"]) == {"macro", "comma", "full stop", "exclamation", "title"}
    assert table["f1_by_book"]["comma"]["lowest"] == table["comma"]["f1"]  # in one of the books
    assert run(["evaluate", model, str(tmp_path / "text.txt")]) == 0
    assert "by book: median" in capsys.readouterr().out
