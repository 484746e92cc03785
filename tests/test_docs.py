"""The commands, code, links and figures of the README and of the documentation pages."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import audioseq
from audioseq.cli.main import run

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "assets/README.md", *sorted((ROOT / ".github/docs").rglob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
needs_the_model = pytest.mark.skipif(
    not (ROOT / "assets/models/digits.safetensors").exists(),
    reason="the bundled model digits is not in this checkout",
)


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced code blocks of a page in a language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """Return the commands of the shell blocks and of the table cells of a page, as words."""
    lines = "".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    lines += re.findall(r"^\|.*`(audioseq [^`]+)`", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found: list[list[str]] = []
    for line in lines:
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        found.append([])
        for word in lexer:
            if set(word) <= set("();<>|&"):  # an operator of the shell ends a command
                found.append([])
            else:
                found[-1].append(word)
    return [words for words in found if words]


def audioseq_commands() -> Iterator[Any]:
    """Yield the arguments of each `audioseq` command of the pages."""
    for page in PAGES:
        for words in commands(page):
            places = [place for place, word in enumerate(words) if Path(word).name == "audioseq"]
            if places and "install" not in words[: places[0]]:
                arguments = words[places[0] + 1 :]
                yield pytest.param(arguments, id=f"{page.name}: {shlex.join(arguments)}")


INSTALL, TEST = (block.strip() for block in blocks(README, "sh")[:2])


@pytest.mark.parametrize("arguments", list(audioseq_commands()))
def test_the_command_line_accepts_the_command(arguments: list[str]) -> None:
    assert run([*arguments, "--help"]) == 0  # unknown options are errors even with --help


@pytest.mark.parametrize("command", ["transcribe", "train", "compose"])
def test_the_examples_in_the_help_are_valid(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    examples = re.findall(r"^  audioseq (.*?)(?: > .*)?$", capsys.readouterr().out, flags=re.MULTILINE)
    assert examples
    for example in examples:
        assert run([*shlex.split(example), "--help"]) == 0


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 200


def test_the_readme_lists_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    listed = re.findall(r"^  (\w+)  ", capsys.readouterr().out.split("Commands:")[1], flags=re.MULTILINE)
    assert set(listed) == set(
        re.findall(r"^\| `(\w+)` \|", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    )


def test_the_first_command_installs_and_transcribes_the_sample() -> None:
    venv, install, transcribe = INSTALL.split(" && ")
    assert venv == "python3 -m venv .venv"
    assert install == ".venv/bin/pip install ."
    assert transcribe.startswith(".venv/bin/audioseq transcribe assets/")
    assert (ROOT / transcribe.split()[-1]).exists()


@needs_the_model
def test_the_transcript_of_the_sample_is_that_of_the_readme(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert run(shlex.split(INSTALL.split(" && ")[-1])[1:]) == 0
    assert capsys.readouterr().out == blocks(README, "text")[0]


def test_the_second_command_installs_the_test_dependencies_and_runs_the_tests() -> None:
    venv, install, test = TEST.split(" && ")
    assert venv == "python3 -m venv .venv"
    match = re.fullmatch(r'\.venv/bin/pip install -e "\.\[(.+)\]"', install)
    assert match and set(match[1].split(",")) <= set(PROJECT["optional-dependencies"])
    assert test == ".venv/bin/python -m pytest"


@each_page
def test_torchrun_accepts_its_options(page: Path) -> None:
    from torch.distributed.run import get_args_parser

    for words in commands(page):
        if "torchrun" in words:
            parsed = get_args_parser().parse_args(words[words.index("torchrun") + 1 :])
            assert parsed.module and parsed.training_script == "audioseq"


@needs_the_model
def test_the_python_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    (code,) = blocks(README, "python")
    assert len(code.strip().replace("\n\n", "\n").splitlines()) == 4
    exec(compile(code, "README.md", "exec"), {})
    text, words = capsys.readouterr().out.splitlines()
    assert text == blocks(README, "text")[0].strip()
    assert text.split() == [word for word, _, _ in eval(words)]


@each_page
def test_python_blocks_compile(page: Path) -> None:
    for code in blocks(page, "python"):
        compile(code, page.name, "exec")


@each_page
def test_files_of_the_repository_exist(page: Path) -> None:
    outputs = {word for words in commands(page) for before, word in pairwise(words) if before == "-o"}
    for words in commands(page):
        for name in words:
            if re.match(r"(assets|recipes|tests)/", name) and name not in outputs:
                assert (ROOT / name).exists(), name


@each_page
def test_manifest_examples_are_valid(page: Path, tmp_path: Path) -> None:
    from audioseq.data import read_manifest

    for number, block in enumerate(block for block in blocks(page, "json") if "audio_filepath" in block):
        manifest = tmp_path / f"{number}.jsonl"
        manifest.write_text(block)
        assert read_manifest(manifest)


@each_page
def test_links_exist(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), target


def numbers(value: Any) -> Iterator[float]:
    """Yield the numbers in JSON values."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from numbers(item)
    elif isinstance(value, int | float):
        yield value


def results(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the recipe and the cell of the column "result" of each table row that begins with a recipe."""
    column = None
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if "result" in cells:
            column = cells.index("result")
        elif column is not None and len(cells) > column:
            if match := re.match(r"\[[^]]*\]\([^)]*recipes/([\w-]+)", cells[1]):
                yield match[1], cells[column]
        else:
            column = None


@each_page
def test_figures_of_recipes_are_in_their_results(page: Path) -> None:
    """Each figure is a number in results.json, rounded, or the size of a bundled model in MB."""
    sizes = [file.stat().st_size / 1e6 for file in (ROOT / "assets/models").iterdir()]
    # Elsewhere than in the README, whole numbers may describe the task.
    figure = r"\d+(?:\.\d+)?" if page == README else r"\d+\.\d+"
    for recipe, cell in results(page):
        stored = [*numbers(json.loads((ROOT / "recipes" / recipe / "results.json").read_text())), *sizes]
        for number in re.findall(rf"(?<![\w.-]){figure}(?![\w-])", cell):
            error = 0.5 * 10.0 ** -len(number.partition(".")[2]) + 1e-9
            near = (abs(scale * value - float(number)) <= error for value in stored for scale in (1, 100))
            assert any(near), f"{recipe}: {number}"


def test_the_readme_has_a_result_of_each_recipe() -> None:
    assert {recipe for recipe, _ in results(README)} == {
        path.parent.name for path in (ROOT / "recipes").glob("*/results.json")
    }


def test_public_names_exist() -> None:
    for name in dir(audioseq):
        assert getattr(audioseq, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = audioseq.no_such_name
