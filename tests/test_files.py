"""Atomic writes: what killed processes left is taken over, and processes wait for each other."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from audioseq.errors import DataError, FileError
from audioseq.files import locked, reserved, write_atomically, write_bytes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork and no flock")


def killed_while_writing(path: Path) -> None:
    """Kill a process while it writes a file."""

    def write(file: BinaryIO) -> None:
        file.write(b"incomplete")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    if (process := os.fork()) == 0:
        write_atomically(path, write)
    assert os.WTERMSIG(os.waitpid(process, 0)[1]) == signal.SIGKILL


def test_the_next_write_takes_over_the_temporary_file_of_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "model"
    write_bytes(path, b"before")
    for _ in range(2):
        killed_while_writing(path)
        assert path.read_bytes() == b"before"
        assert sorted(each.name for each in tmp_path.iterdir()) == [".model.tmp", "model"]
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path, writers = tmp_path / "model", 4
    contents = [bytes([number]) * 100_000 for number in range(writers)]
    errors: list[BaseException] = []

    def write(content: bytes) -> None:
        try:
            for _ in range(10):
                write_bytes(path, content)
                assert path.read_bytes() in contents
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert list(tmp_path.iterdir()) == [path]


def test_a_temporary_file_that_another_process_makes_after_the_renaming_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def replace_and_start_another(source: Path, target: Path) -> None:
        replace(source, target)
        source.write_bytes(b"of another process")

    monkeypatch.setattr(os, "replace", replace_and_start_another)
    write_bytes(tmp_path / "model", b"x")
    assert (tmp_path / ".model.tmp").read_bytes() == b"of another process"


def test_a_failed_write_leaves_no_files(tmp_path: Path) -> None:
    def fail(file: BinaryIO) -> None:
        file.write(b"x")
        raise OSError(28, "No space left on device")

    with pytest.raises(FileError, match="free some space"):
        write_atomically(tmp_path / "model", fail)
    with pytest.raises(FileError, match="check that the folder exists"):
        write_bytes(tmp_path / "none" / "model", b"")
    assert not list(tmp_path.iterdir())


def test_a_reserved_file_that_was_replaced_is_created_again(tmp_path: Path) -> None:
    part = tmp_path / "part"
    entered = threading.Event()

    def second() -> None:
        with reserved(part):
            entered.set()
            assert part.exists()

    with reserved(part):
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.05)
        os.replace(part, tmp_path / "file")
    thread.join()
    assert entered.is_set()


def test_a_lock_excludes_others_until_it_is_released(tmp_path: Path) -> None:
    for _ in range(2):
        with (
            locked(tmp_path / ".lock", DataError("busy")),
            pytest.raises(DataError, match="busy"),
            locked(tmp_path / ".lock", DataError("busy")),
        ):
            pass
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="cannot be written"), locked(tmp_path / "file" / "a", DataError("")):
        pass
