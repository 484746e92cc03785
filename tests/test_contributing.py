"""The tree, the answers, the layers and the links of CONTRIBUTING are up to date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import audioseq
from tests.test_layers import LAYERS, WINGS

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
CONTRIBUTING = (GITHUB / "CONTRIBUTING.md").read_text(encoding="utf-8")
ANSWERS = re.findall(r"^\| (Where .+\?) \| `(.+?)` \| (?:`(\w+)`)? ?\|$", CONTRIBUTING, re.MULTILINE)


def tree() -> set[str]:
    """Return the paths of the files in the tree of CONTRIBUTING."""
    (block,) = re.findall(r"```text\n(audioseq/\n.*?)```", CONTRIBUTING, re.DOTALL)
    paths: set[str] = set()
    folders: list[str] = []
    for line in block.splitlines():
        name, _, purpose = line.strip().partition(" ")
        del folders[(len(line) - len(line.lstrip())) // 2 :]
        if name.endswith("/"):
            folders.append(name)
        else:
            assert purpose.strip(), f"{name} has no purpose"
            paths.add("".join(folders) + name)
    return paths


def test_the_tree_lists_all_files() -> None:
    files = {path for path in (ROOT / "audioseq").rglob("*") if path.suffix in (".py", ".typed")}
    assert tree() == {path.relative_to(ROOT).as_posix() for path in files}


@pytest.mark.parametrize(("question", "path", "name"), ANSWERS, ids=lambda text: text.rpartition("/")[2])
def test_the_answer_to_a_question_exists(question: str, path: str, name: str) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")
    assert not name or re.search(rf"^ *(def|class) {name}\b", source, re.MULTILINE), question


def test_there_are_answers() -> None:
    assert len(ANSWERS) >= 10
    assert len(ANSWERS) == CONTRIBUTING.count("| Where ")


def test_layers_and_wings_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| \d+(?: \(lowest\))? \| (.+) \|$", CONTRIBUTING, re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == list(LAYERS)
    for part, levels in WINGS.items():
        (row,) = re.findall(rf"^\| `{part}` \| (.+) \|$", CONTRIBUTING, re.MULTILINE)
        assert [set(re.findall(r"`(\w+)`", level)) for level in row.split(" · ")] == list(levels)


@pytest.mark.parametrize("page", sorted(GITHUB.glob("*.md")), ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_changelog_describes_this_version() -> None:
    changelog = (GITHUB / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d.+?)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    assert versions[0] == audioseq.__version__
