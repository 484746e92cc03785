"""The private folder: permissions, removal, and leftovers of killed processes."""

from __future__ import annotations

import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from audioseq.server.spool import PREFIX, private_folder

CHILD = """
import os, sys, tempfile
from audioseq.server.spool import private_folder
with private_folder() as folder:
    (folder / "upload").write_text("secret")
    print(folder, flush=True)
    sys.stdin.read()
    os._exit(9)
"""


@pytest.fixture(autouse=True)
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use another folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_the_folder_is_private_and_removed(parent: Path) -> None:
    with private_folder() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert tempfile.gettempdir() == str(folder)
        Path(tempfile.mkstemp()[1]).write_text("x")
    assert tempfile.gettempdir() == str(parent)
    assert list(parent.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
def test_leftovers_of_killed_processes_are_removed_at_the_next_start(parent: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        left = Path(child.stdout.readline().strip())
        with private_folder():
            assert (left / "upload").exists()  # its process runs
        child.communicate("")
    assert (left / "upload").exists()
    (parent / f"{PREFIX}link").symlink_to(Path(__file__).parent)
    with private_folder():
        assert not left.exists()
    assert Path(__file__).exists()


def test_two_servers_in_one_process_may_end_in_any_order(parent: Path) -> None:
    first, second = private_folder(), private_folder()
    one, other = first.__enter__(), second.__enter__()
    assert one.parent == other.parent == parent
    first.__exit__(None, None, None)
    assert not one.exists() and Path(tempfile.mkstemp()[1]).parent == other
    second.__exit__(None, None, None)
    assert list(parent.iterdir()) == [] and tempfile.gettempdir() == str(parent)
