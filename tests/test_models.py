from __future__ import annotations

import hashlib
import re
import sys
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from audioseq import models
from audioseq.errors import CheckpointError, DataError
from audioseq.models import Model, bundled_dir, cache_dir, default_for, fetch, resolve

CONTENT = b"the weights of a model" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves one model whole, and the same cut off in the middle."""

    def do_GET(self) -> None:
        if self.path not in ("/whole", "/cut"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path == "/whole" else CONTENT[:5000])

    def log_message(self, format: str, *args: object) -> None:
        """Write no line for each request."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Return the address of a server on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    """Have a catalogue of our own, a folder of bundled models and a cache."""
    add = partial(Model, sha256=SHA256, summary="")
    catalogue = (
        add(name="english", task="speech", file="english.safetensors"),
        add(name="english-large", task="speech", file="large.safetensors", url=f"{server}/whole"),
        add(name="piano", task="music", file="piano.safetensors", url=f"{server}/cut"),
        add(name="drums", task="music", file="drums.safetensors", url=f"{server}/none"),
        add(name="bass", task="music", file="s.safetensors", url=f"{server}/whole", sha256="0" * 64),
    )
    monkeypatch.setattr(models, "CATALOGUE", catalogue)
    monkeypatch.setattr(models, "bundled_dir", lambda: tmp_path / "bundled")
    monkeypatch.setenv("AUDIOSEQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    (tmp_path / "bundled").mkdir()
    monkeypatch.chdir(tmp_path)


def refused(what: partial[Path], match: str) -> None:
    with pytest.raises(CheckpointError, match=match) as caught:
        what()
    assert "\n" not in str(caught.value)


def cached(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache").iterdir())


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    for name in "mine.safetensors", "best":
        (tmp_path / name).write_bytes(b"")
        assert resolve(name) == Path(name)
        assert resolve(tmp_path / name) == tmp_path / name


def test_a_bundled_model_comes_before_one_in_the_cache(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "english.safetensors").write_bytes(b"")
    assert resolve("english") == tmp_path / "cache" / "english.safetensors"
    (tmp_path / "bundled" / "english.safetensors").write_bytes(b"")
    assert resolve("english") == tmp_path / "bundled" / "english.safetensors"


def test_a_model_that_is_not_here() -> None:
    refused(partial(resolve, "english"), "english: its file is not on this machine; install audioseq again")
    refused(partial(resolve, "piano"), "piano: .* run: audioseq models fetch piano")


@pytest.mark.parametrize("name", ["englsih", "none.safetensors", "bundled", "", "../english"])
def test_an_unknown_name_lists_those_there_are(name: str) -> None:
    refused(
        partial(resolve, name),
        "no such model or file; the models are english, english-large, piano, drums, bass$",
    )
    refused(partial(resolve, name, task="music"), "the models are piano, drums, bass$")
    refused(partial(fetch, name), "the models are english, ")


def test_the_default_of_a_task() -> None:
    assert default_for("speech") == "english"
    assert default_for("music") == "piano"


def test_a_model_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fetch("english-large")
    assert path == tmp_path / "cache" / "large.safetensors" == resolve("english-large")
    assert path.read_bytes() == CONTENT
    assert cached(tmp_path) == ["large.safetensors"]
    monkeypatch.setattr(urllib.request, "urlopen", None)
    assert fetch("english-large") == path


def test_a_damaged_model_in_the_cache_is_fetched_anew(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "large.safetensors").write_bytes(CONTENT[:-1])
    assert fetch("english-large").read_bytes() == CONTENT


def test_a_bundled_model_is_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "bundled" / "large.safetensors").write_bytes(b"")
    assert fetch("english-large") == tmp_path / "bundled" / "large.safetensors"
    assert not (tmp_path / "cache").exists()


def test_a_model_that_comes_with_the_package_cannot_be_fetched() -> None:
    refused(partial(fetch, "english"), "install audioseq again")


@pytest.mark.parametrize("name", ["piano", "drums", "bass"])
def test_a_download_that_fails_or_brings_something_else(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be fetched|checksum differs"):
        fetch(name)
    assert not list((tmp_path / "cache").glob("*.safetensors"))


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("linux", ".cache/audioseq"),
        ("darwin", "Library/Caches/audioseq"),
        ("win32", "AppData/Local/audioseq"),
    ],
)
def test_the_cache_of_each_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, expected: str
) -> None:
    for name in "AUDIOSEQ_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA":
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_dir() == tmp_path / expected


# The catalogue itself, as it was before the fixture put another in its place.

CATALOGUE, BUNDLED = models.CATALOGUE, bundled_dir()


def test_the_catalogue_is_sound() -> None:
    assert (
        len({model.name for model in CATALOGUE}) == len({model.file for model in CATALOGUE}) == len(CATALOGUE)
    )
    for model in CATALOGUE:
        assert re.fullmatch(r"[a-z0-9-]+", model.name)
        assert model.file.removesuffix(".xz").endswith(".safetensors") and Path(model.file).name == model.file
        assert model.summary and "\n" not in model.summary
        assert model.url is None or (model.url.startswith("https://") and len(model.sha256) == 64)


@pytest.mark.parametrize("model", CATALOGUE, ids=lambda model: model.name)
def test_a_bundled_file_is_the_one_in_the_catalogue(model: Model) -> None:
    path = BUNDLED / model.file
    if not path.is_file():
        pytest.skip(f"{model.file} is not in this checkout")
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    assert found == model.sha256, f'write sha256="{found}" at {model.name} in audioseq/models.py'
    from audioseq import checkpoint

    assert checkpoint.read_header(path).task == model.task


def test_no_bundled_file_is_nameless() -> None:
    """Each file in assets/models is in the catalogue."""
    assert {path.name for path in BUNDLED.glob("*.safetensors")} <= {model.file for model in CATALOGUE}
