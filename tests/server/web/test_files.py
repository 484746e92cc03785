"""Files that a page shares with its browser."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.testclient import TestClient

from audioseq.server.errors import add_error_handlers
from audioseq.server.web.files import SharedFiles


def test_files_are_served_until_their_folder_is_closed() -> None:
    app, files = FastAPI(), SharedFiles()
    add_error_handlers(app)
    app.include_router(files.router)
    client = TestClient(app)
    folder, other = files.create_folder(), files.create_folder()
    address, kept = folder.write("café & co.txt", b"0123456789"), other.write("a.mid", b"MThd")
    answer = client.get(address)
    assert answer.content == b"0123456789" and answer.headers["content-type"].startswith("text/plain")
    assert client.get(address, headers={"Range": "bytes=2-4"}).content == b"234"
    folder.close()
    assert client.get(address).status_code == 404
    assert not folder.path.exists()
    assert client.get(kept).content == b"MThd"
    other.close()


def test_no_other_path_is_served() -> None:
    app, files = FastAPI(), SharedFiles()
    add_error_handlers(app)
    app.include_router(files.router)
    client = TestClient(app)
    folder = files.create_folder()
    address = folder.write("a.txt", b"secret")
    token = address.split("/")[2]
    for path in (f"/files/{token}/0.txt", f"/files/{token}/%2e%2e%2fetc%2fpasswd", "/files/x/a.txt"):
        assert client.get(path).status_code == 404
    folder.close()
