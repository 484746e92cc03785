"""Import and run files of the recipes, which are not a package."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def module(path: Path) -> ModuleType:
    """Import a file of a recipe."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}-{path.stem}", path)
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded  # dataclasses look up the module there
    spec.loader.exec_module(loaded)
    return loaded


def importer(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Return a function that imports modules of a recipe as its scripts do; the test's end removes them."""
    monkeypatch.syspath_prepend(recipe)
    for path in recipe.glob("*.py"):
        monkeypatch.setitem(sys.modules, path.stem, sys)  # any module: what was there comes back at the end
        del sys.modules[path.stem]
    return importlib.import_module


def run(script: Path, *arguments: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a script of a recipe in this process, with newly imported modules."""
    importer(script.parent, monkeypatch)
    monkeypatch.setattr(sys, "argv", [str(script), *map(str, arguments)])
    runpy.run_path(str(script), run_name="__main__")
