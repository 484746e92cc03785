"""Text files as word ids, n-gram models of a given size, and `audioseq lm`."""

from __future__ import annotations

import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from audioseq.cli.main import run
from audioseq.errors import ConfigError, DataError
from audioseq.language import corpus
from audioseq.language.ngram.build import NGramOptions, build
from audioseq.language.ngram.files import load_ngram
from audioseq.language.vocabulary import SPECIAL_TOKENS, Vocabulary

TEXT = "The cat sat.\n\n  the cat's on  the mat 2 \n ' \n<s> the end </s>\r\n"
PLAIN = [["the", "cat", "sat"], ["the", "cat's", "on", "the", "mat"], ["s", "the", "end", "s"]]
STORY = "the cat sat on the mat\nthe dog sat on the cat\na cat saw the dog\n" * 20


def test_text_is_normalised_and_dropped_characters_are_counted() -> None:
    text = corpus.build_corpus(TEXT.splitlines(keepends=True))
    assert [[text.words[t] for t in text.tokens if t > 2]] == [[w for line in PLAIN for w in line]]
    assert list(corpus.sentences(TEXT.splitlines())) == PLAIN
    assert text.dropped == {".": 1, "2": 1, "'": 1, "<": 2, ">": 2, "/": 1}
    assert text.summary().startswith("12 words in 3 sentences; 8 characters left out, most often '<' 2 '>' 2")
    assert text.counts()["the"] == 4


def test_encode_with_vocabulary() -> None:
    text = corpus.build_corpus(["to be", "or not"])
    assert text.encode(Vocabulary((*SPECIAL_TOKENS, "not", "to"))).tolist() == [1, 4, 0, 2, 1, 0, 3, 2]


@pytest.mark.parametrize(
    ("suffix", "compress"), [(".txt", bytes), (".gz", gzip.compress), (".xz", lzma.compress)]
)
def test_compressed_files(suffix: str, compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / f"text{suffix}"
    path.write_bytes(compress(TEXT.encode()))
    assert list(corpus.sentences(corpus.read_lines([path]))) == PLAIN


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("none.txt", None, "cannot be read .No such file"),
        ("latin.txt", "caf\u00e9".encode("latin-1"), "not UTF-8"),
        ("bad.xz", b"not compressed", "cannot be read"),
        ("bad.gz", gzip.compress(b"some text", mtime=0)[:-9], "cannot be read"),
        ("worse.gz", gzip.compress(b"", mtime=0)[:10] + b"\xff" * 50, "cannot be read .*decompressing"),
        ("long.xz", lzma.compress(b"a" * 2**24, preset=0), "a line has more than 16,777,216 characters"),
        ("null\0.txt", None, "cannot be read .*null"),
    ],
)
def test_unreadable_file_is_an_error(name: str, content: bytes | None, reason: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: .*{reason}"):
        list(corpus.read_lines([tmp_path / name]))


def test_build_options_limit_the_size() -> None:
    text = corpus.build_corpus(STORY.splitlines())
    whole, small = build(text, NGramOptions()), build(text, NGramOptions(vocabulary=4, at_least=[1, 30]))
    assert len(small.vocabulary) == 3 + 4 and sum(small.sizes) < sum(whole.sizes)
    assert sum(build(text, NGramOptions(prune=0.5)).sizes) < sum(whole.sizes)
    with pytest.raises(ConfigError, match="only fits the unigrams"):
        build(text, NGramOptions(max_size=0.001))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"order": 0}, "order must be 1 to 6"),
        ({"vocabulary": 0}, "vocabulary must be more than 0"),
        ({"max_size": -1.0}, "max_size must be more than 0"),
        ({"prune": -1.0}, "prune must be 0 or more"),
    ],
)
def test_options_out_of_range_are_errors(options: dict[str, float], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        NGramOptions(**options)  # type: ignore[arg-type]


def test_lm_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "story.txt").write_text(STORY)
    (tmp_path / "own.txt").write_text("a zebra saw the cat\n" * 5)
    model, arpa, own = (str(tmp_path / name) for name in ("lm.safetensors", "lm.arpa", "own.safetensors"))

    assert run(["lm", "train", str(tmp_path / "story.txt"), "-o", model, "--order", "2"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{model}\n"
    assert "340 words in 60 sentences" in err and "2-grams" in err

    assert run(["lm", "convert", model, "-o", arpa]) == 0
    capsys.readouterr()
    figures = []
    for name in (model, arpa):
        assert run(["lm", "evaluate", name, str(tmp_path / "own.txt"), "--json"]) == 0
        figures.append(json.loads(capsys.readouterr().out))
    assert figures[0] == pytest.approx(figures[1], rel=1e-5)
    assert figures[0]["unknown"] == 5

    monkeypatch.setattr("sys.stdin", io.StringIO((tmp_path / "own.txt").read_text()))
    assert run(["lm", "train", "-", "-o", own, "--with", model, "--weight", "0.3"]) == 0
    assert "zebra" in load_ngram(own).vocabulary
    capsys.readouterr()
    assert run(["lm", "evaluate", own, str(tmp_path / "own.txt")]) == 0
    assert "0 of 25 words unknown" in capsys.readouterr().out

    assert run(["lm", "train", str(tmp_path / "own.txt"), "-o", own]) == 1
    assert "--force overwrites it" in capsys.readouterr().err
