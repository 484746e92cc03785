"""The order of the house: a module imports only from layers below its own, and light ones stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "audioseq"

LAYERS: tuple[set[str], ...] = (
    {"errors"},
    {"config", "files", "nn", "text"},
    {"audio", "checkpoint", "download"},
    {"features", "augment", "data", "models", "midi"},
    {"cache"},
    {"training"},
    {"language"},
    {"speech", "music"},
    {"cli", "__init__", "__main__"},
)
"""From the ground up. Those in one set do not know each other."""

RANK = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}
TOP = len(LAYERS) - 1

FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    """Return the part of the package that a file belongs to: its folder, or its own name."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Return the full names of what a file imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide what depends on what"
            assert node.module is not None
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_parts(path: Path) -> set[str]:
    """Return the parts of audioseq that a file imports from."""
    names = [name.split(".") for name in imports_of(path) - {"audioseq.__version__"}]  # which has no layer
    parts = {name[1] if len(name) > 1 else "__init__" for name in names if name[0] == "audioseq"}
    return {part if part in RANK or (PACKAGE / part).exists() else "__init__" for part in parts}


def test_every_file_has_a_layer() -> None:
    assert len(FILES) > 20
    assert {part_of(path) for path in FILES} <= set(RANK)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_below(path: Path) -> None:
    here = part_of(path)
    for other in imported_parts(path) - {here}:
        assert RANK[other] < RANK[here] or RANK[here] == TOP, f"{here} imports from {other}"


def test_only_the_command_line_knows_typer() -> None:
    users = {
        part_of(path) for path in FILES if any(name.split(".")[0] == "typer" for name in imports_of(path))
    }
    assert users == {"cli"}


def modules_after(statement: str) -> set[str]:
    """Return the top-level modules that are loaded once a fresh interpreter has run a statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )


HEAVY = {"torch", "torchaudio", "numpy", "librosa", "matplotlib", "pydantic", "soundfile", "rich"}


def test_the_command_line_starts_without_heavy_modules() -> None:
    assert not modules_after("import audioseq.cli.main") & HEAVY


def test_the_package_itself_imports_nothing() -> None:
    assert not modules_after("import audioseq; audioseq.__version__; dir(audioseq)") & (HEAVY | {"typer"})


def test_what_needs_no_torch_does_not_load_it() -> None:
    light = (
        "errors config checkpoint models audio speech.transcript text.tokenizer speech.decode "
        "speech.align speech.metrics speech.segment speech.writers speech.beam speech.nbest"
    )
    assert "torch" not in modules_after("\n".join(f"import audioseq.{name}" for name in light.split()))
