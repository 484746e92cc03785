"""The architecture: a module imports only from lower layers and wings; light modules stay light."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "audioseq"

LAYERS: tuple[set[str], ...] = (
    {"errors"},
    {"files", "quantisation"},
    {"runtime"},
    {"config", "device", "memory", "nn", "seeding", "text"},
    {"audio", "checkpoint", "download", "recipe"},
    {"data", "models", "midi"},
    {"array_cache", "training"},
    {"language"},
    {"speech", "music"},
    {"server"},
    {"cli", "__init__", "__main__"},
)
"""The parts of the package, from the lowest layer up. Parts of the same layer do not import each other."""

WINGS: dict[str, tuple[set[str], ...]] = {
    "language": (
        {"vocabulary", "config"},
        {"corpus", "units"},
        {"model", "ngram"},
        {"metrics", "prefix_scoring"},
        {"task", "pipeline", "punctuation"},
        {"evaluate"},
    ),
    "speech": (
        {"metrics", "pronunciation", "transcript", "windows"},
        {"config", "decoding", "writers"},
        {"model", "graph", "longform", "readable"},
        {"stream_graph", "segments"},
        {"data", "emissions"},
        {"streaming"},
        {"pipeline", "task"},
        {"alignment", "batch", "evaluation"},
        {"cutting"},
    ),
    "music": (
        {"representation"},
        {"config"},
        {"model", "data", "rendering"},
        {"memorisation"},
        {"analysis", "generation", "instrumentation", "task"},
        {"composing"},
        {"pipeline", "harmony"},
        {"evaluate"},
    ),
}
"""The files and folders of an application, from the lowest level up; the same rule applies."""

FILES = sorted(PACKAGE.rglob("*.py"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))


def module_of(path: Path) -> str:
    """Return the full name of the module in a file."""
    name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    return name.removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


def imports_of(path: Path) -> set[str]:
    """Return the full names that a file imports, also inside functions, except for type checking."""
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    typing = {
        inner for block in blocks if ast.unparse(block.test) == "TYPE_CHECKING" for inner in ast.walk(block)
    }
    for node in set(ast.walk(tree)) - typing:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: use absolute imports"
            assert node.module is not None
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names - {"audioseq.__version__"}


def imported_modules(path: Path) -> set[str]:
    """Return the audioseq modules that a file imports or imports names from."""
    own = {name for name in imports_of(path) if name.split(".")[0] == "audioseq"}
    return {name if name in MODULES else name.rpartition(".")[0] for name in own} & set(MODULES)


def part_of(module: str) -> str:
    """Return the part of the package that a module belongs to: its top-level folder or file."""
    return [*module.split("."), "__init__"][1]


def wing_of(module: str) -> str | None:
    """Return the file or folder within an application that a module belongs to, if any."""
    names = module.split(".")
    return names[2] if len(names) > 2 and names[1] in WINGS else None


def ranks(levels: tuple[set[str], ...]) -> dict[str, int]:
    """Return the level of each name."""
    return {name: level for level, names in enumerate(levels) for name in names}


RANK = ranks(LAYERS)
TOP = len(LAYERS) - 1


def test_every_file_has_a_layer_and_a_wing() -> None:
    assert len(FILES) > 20
    assert {part_of(module) for module in MODULES} == set(RANK)
    for part, levels in WINGS.items():
        wings = {wing_of(module) for module in MODULES if part_of(module) == part} - {None}
        assert wings == set(ranks(levels))


@each_file
def test_a_module_imports_only_from_lower_layers(path: Path) -> None:
    here = part_of(module_of(path))
    for other in {part_of(module) for module in imported_modules(path)} - {here}:
        assert RANK[other] < RANK[here] or RANK[here] == TOP, f"{here} imports from {other}"


@each_file
def test_a_module_imports_only_from_lower_wings(path: Path) -> None:
    here = module_of(path)
    wing = wing_of(here)
    if wing is None:
        return
    rank = ranks(WINGS[part_of(here)])
    for other in imported_modules(path):
        target = wing_of(other)
        if part_of(other) == part_of(here) and target not in (None, wing):
            assert rank[str(target)] < rank[wing], f"{wing} imports from {target}"


def test_there_are_no_circular_imports() -> None:
    """Imports inside functions count; `audioseq/__init__.py` is excluded, as it only re-exports names."""
    graph = {module: imported_modules(path) - {module, "audioseq"} for module, path in MODULES.items()}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError


@each_file
def test_inference_does_not_import_training(path: Path) -> None:
    if path.stem == "pipeline":
        assert "training" not in {part_of(module) for module in imported_modules(path)}


def test_only_the_command_line_imports_typer() -> None:
    users = {
        part_of(module_of(path))
        for path in FILES
        if any(name.split(".")[0] == "typer" for name in imports_of(path))
    }
    assert users == {"cli"}


WEB_FRAMEWORKS = {"fastapi", "nicegui", "prometheus_client", "starlette", "uvicorn", "websockets"}


def test_only_the_server_imports_a_web_framework() -> None:
    users = {
        part_of(module_of(path))
        for path in FILES
        if WEB_FRAMEWORKS & {name.split(".")[0] for name in imports_of(path)}
    }
    assert users == {"server"}


def modules_after(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after a statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )


HEAVY = {"torch", "torchaudio", "numpy", "librosa", "matplotlib", "pydantic", "soundfile", "rich"}
LIGHT = (
    "errors config checkpoint models audio text.tokenizer speech.transcript speech.metrics speech.writers "
    "speech.readable speech.decoding.greedy speech.decoding.beam speech.decoding.nbest "
    "speech.decoding.forced_alignment speech.longform.chunking language.punctuation.pipeline music.pipeline"
)


def test_the_command_line_starts_without_heavy_modules() -> None:
    assert not modules_after("import audioseq.cli.main") & HEAVY


def test_importing_the_package_loads_no_heavy_modules() -> None:
    assert not modules_after("import audioseq; audioseq.__version__; dir(audioseq)") & (HEAVY | {"typer"})


def test_decoders_writers_and_composers_do_not_load_torch() -> None:
    assert "torch" not in modules_after("\n".join(f"import audioseq.{name}" for name in LIGHT.split()))
