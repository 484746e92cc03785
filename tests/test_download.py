"""Downloads are verified, resumed after an interruption, and extracted atomically."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from audioseq.download import fetch, fetch_folder, unpack
from audioseq.errors import DataError, FileError

CONTENT = bytes(range(256)) * 400
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


class Server(HTTPServer):
    """Serves `content` at any path, at most `budget` bytes per request, and records the requested ranges."""

    content = CONTENT
    budget = 1 << 30
    resumes = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}/corpus.tar.gz"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.ranges.append(requested := self.headers["Range"])
        content, start = self.server.content, 0
        if "missing" in self.path:
            return self.send_error(404)
        if requested and self.server.resumes:
            start = int(re.fullmatch(r"bytes=(\d+)-", requested)[1])  # type: ignore[index]
            if start >= len(content):
                return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : start + self.server.budget])

    def log_message(self, *_: object) -> None:
        """Do not log requests."""


@pytest.fixture
def server() -> Iterator[Server]:
    """Run a local server on a free port."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_file_is_downloaded_once(server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = fetch(server.url, tmp_path / "new" / "file", MD5)
    assert path.read_bytes() == CONTENT
    assert fetch(server.url, path, MD5) == path
    assert server.ranges == [None]
    assert [each.name for each in path.parent.iterdir()] == ["file"]
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("resumes", [True, False])
def test_an_interrupted_download_is_resumed(server: Server, tmp_path: Path, resumes: bool) -> None:
    server.budget, server.resumes = 60_000, resumes
    path = tmp_path / "file"
    with pytest.raises(DataError, match="run this again to resume"):
        fetch(server.url, path, MD5)
    assert not path.exists()
    assert (tmp_path / "file.part").read_bytes() == CONTENT[:60_000]
    server.budget = 1 << 30
    assert fetch(server.url, path, MD5).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=60000-"]


def test_a_complete_part_is_not_downloaded_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    assert fetch(server.url, tmp_path / "file", MD5).read_bytes() == CONTENT


def test_a_file_without_checksum_is_downloaded_again(server: Server, tmp_path: Path) -> None:
    for content in (CONTENT, b"of another month"):
        server.content = content
        (tmp_path / "file.part").write_bytes(b"of an earlier attempt")
        assert fetch(server.url, tmp_path / "file", None).read_bytes() == content


@pytest.mark.parametrize("stale", [b"", b"of an older file", bytes(len(CONTENT) + 9)])
def test_a_file_with_a_wrong_checksum_is_deleted(server: Server, tmp_path: Path, stale: bytes) -> None:
    server.content = CONTENT if stale else CONTENT + b"!"
    if stale:
        (tmp_path / "file.part").write_bytes(stale)
    with pytest.raises(DataError, match="checksum differs"):
        fetch(server.url, tmp_path / "file", MD5)
    assert not list(tmp_path.iterdir())
    server.content = CONTENT
    assert fetch(server.url, tmp_path / "file", MD5).read_bytes() == CONTENT


def test_several_processes_download_a_file_once(server: Server, tmp_path: Path) -> None:
    path, results = tmp_path / "file", list[Path]()
    threads = [
        threading.Thread(target=lambda: results.append(fetch(server.url, path, MD5))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [path] * 4 and path.read_bytes() == CONTENT
    assert server.ranges == [None]
    assert list(tmp_path.iterdir()) == [path]


def test_messages_name_the_failure(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing: cannot be downloaded \(HTTP Error 404"):
        fetch(f"{server.url}/missing", tmp_path / "file", MD5)
    with pytest.raises(DataError, match="refused"):
        fetch("http://127.0.0.1:9/file", tmp_path / "file", MD5)
    assert not list(tmp_path.iterdir())
    (tmp_path / "occupied").write_text("")
    with pytest.raises(FileError, match="cannot be written"):
        fetch(server.url, tmp_path / "occupied" / "file", MD5)


def archive(path: Path, names: list[str]) -> bytes:
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 5
            tar.addfile(member, io.BytesIO(b"hello"))
    return path.read_bytes()


def test_a_folder_is_extracted_from_an_archive(server: Server, tmp_path: Path) -> None:
    server.content = archive(tmp_path / "made.tar.gz", ["top/set/1/a.txt", "top/README", "top/other/b.txt"])
    checksum = "sha256:" + hashlib.sha256(server.content).hexdigest()
    for _ in range(2):
        folder = fetch_folder(server.url, checksum, "top/set", tmp_path / "data" / "mine")
        assert [path.name for path in (tmp_path / "data").iterdir()] == ["mine"]
        assert (folder / "1" / "a.txt").read_text() == "hello"
    assert len(server.ranges) == 1


def test_a_damaged_or_hostile_archive_leaves_no_files(tmp_path: Path) -> None:
    whole = archive(tmp_path / "whole.tar.gz", ["set/a.txt"])
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.tar.gz").write_text("no archive")
    archive(tmp_path / "hostile.tar.gz", ["set/a.txt", "../outside.txt"])
    before = sorted(tmp_path.iterdir())
    for name, inside in (("cut", "set"), ("text", "set"), ("hostile", "set"), ("whole", "elsewhere")):
        with pytest.raises(DataError, match=name):
            unpack(tmp_path / f"{name}.tar.gz", inside, tmp_path / "folder")
        assert sorted(tmp_path.iterdir()) == before
