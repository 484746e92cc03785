"""Servers that the tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.live import Server, serving, tiny_options


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the tiny models."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def server(models_folder: Path) -> Iterator[Server]:
    """Run a server with the default options and tiny models."""
    with serving(tiny_options(models_folder)) as running:
        yield running
