"""The README's own commands, taken from the README itself."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import audioseq
from audioseq.cli.main import run

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

needs_the_model = pytest.mark.skipif(
    not (ROOT / "assets/models/digits.safetensors").exists(),
    reason="the bundled model digits is not in this checkout",
)


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of the README in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """Return every command in the README's shell blocks, as words without comments."""
    lines = "".join(blocks("sh")).splitlines()
    return [shlex.split(part, comments=True) for line in lines for part in line.split(" && ")]


INSTALL, TEST = (block.strip() for block in blocks("sh")[:2])


def own_arguments() -> Iterator[list[str]]:
    """Yield what follows `audioseq` in the commands that run it."""
    for words in commands():
        if Path(words[0]).name == "audioseq":
            yield words[1:]
        elif "audioseq" in words and words[words.index("audioseq") - 1] == "-m":
            yield words[words.index("audioseq") + 1 :]


@pytest.mark.parametrize("arguments", list(own_arguments()), ids=" ".join)
def test_the_command_line_understands_it(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*arguments, "--help"]) == 0  # options that do not exist are refused before help is printed


def test_the_first_command_installs_and_transcribes_the_sample() -> None:
    venv, install, transcribe = INSTALL.split(" && ")
    assert venv == "python3 -m venv .venv"
    assert install == ".venv/bin/pip install ."
    assert transcribe.startswith(".venv/bin/audioseq transcribe assets/")
    assert (ROOT / transcribe.split()[-1]).exists()


@needs_the_model
def test_the_sample_is_heard_as_the_readme_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert run(shlex.split(INSTALL.split(" && ")[-1])[1:]) == 0
    assert capsys.readouterr().out == blocks("text")[0]


def test_the_second_command_installs_what_there_is_and_tests_it() -> None:
    venv, install, test = TEST.split(" && ")
    assert venv == "python3 -m venv .venv"
    match = re.fullmatch(r'\.venv/bin/pip install -e "\.\[(.+)\]"', install)
    assert match and set(match[1].split(",")) <= set(PROJECT["optional-dependencies"])
    assert test == ".venv/bin/python -m pytest"


def test_torchrun_understands_its_options() -> None:
    from torch.distributed.run import get_args_parser

    found = [words for words in commands() if "torchrun" in words]
    assert len(found) == 3
    for words in found:
        parsed = get_args_parser().parse_args(words[words.index("torchrun") + 1 :])
        assert parsed.module and parsed.training_script == "audioseq"


@needs_the_model
def test_the_lines_of_python_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    (code,) = blocks("python")
    assert len(code.strip().replace("\n\n", "\n").splitlines()) == 4
    exec(compile(code, "README.md", "exec"), {})
    text, words = capsys.readouterr().out.splitlines()
    assert text == blocks("text")[0].strip()
    assert text.split() == [word for word, _, _ in eval(words)]


def test_files_of_the_repository_are_there() -> None:
    named = [word for words in commands() for word in words if word.startswith(("assets/", "recipes/"))]
    assert named and all((ROOT / name).exists() for name in named)


def test_public_names_exist() -> None:
    for name in dir(audioseq):
        assert getattr(audioseq, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = audioseq.no_such_name


def test_the_manifest_line_is_one(tmp_path: Path) -> None:
    from audioseq.data import read_manifest

    manifest = tmp_path / "mine.jsonl"
    (line,) = blocks("json")
    manifest.write_text(line)
    assert read_manifest(manifest)[0].text == "what is said in it"


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target
