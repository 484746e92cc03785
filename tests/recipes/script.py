"""Import files of the recipes, which are not a package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def module(path: Path) -> ModuleType:
    """Import a file of a recipe."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}-{path.stem}", path)
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded  # dataclasses look up the module there
    spec.loader.exec_module(loaded)
    return loaded
