"""Named models: resolution, downloads and the catalogue itself."""

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
    """Serves a complete model file, and the same file truncated."""

    def do_GET(self) -> None:
        if self.path not in ("/whole", "/cut"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path == "/whole" else CONTENT[:5000])

    def log_message(self, format: str, *args: object) -> None:
        """Do not log requests."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Return the address of a local server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    """Replace the catalogue, the folder of bundled models and the cache."""
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


def assert_raises(call: partial[Path], match: str) -> None:
    """Check that a call raises a CheckpointError with a matching one-line message."""
    with pytest.raises(CheckpointError, match=match) as caught:
        call()
    assert "\n" not in str(caught.value)


def cached(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache").iterdir())


def test_a_path_resolves_to_itself(tmp_path: Path) -> None:
    for name in "mine.safetensors", "best":
        (tmp_path / name).write_bytes(b"")
        assert resolve(name) == Path(name)
        assert resolve(tmp_path / name) == tmp_path / name


def test_a_bundled_model_takes_precedence_over_the_cache(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "english.safetensors").write_bytes(b"")
    assert resolve("english") == tmp_path / "cache" / "english.safetensors"
    (tmp_path / "bundled" / "english.safetensors").write_bytes(b"")
    assert resolve("english") == tmp_path / "bundled" / "english.safetensors"


def test_a_model_that_is_not_downloaded() -> None:
    assert_raises(
        partial(resolve, "english"), "english: its file is not on this computer; reinstall audioseq"
    )
    assert_raises(partial(resolve, "piano"), "piano: .* run: audioseq models fetch piano")


@pytest.mark.parametrize("name", ["englsih", "none.safetensors", "bundled", "", "../english"])
def test_an_unknown_name_lists_the_available_models(name: str) -> None:
    assert_raises(
        partial(resolve, name),
        "no such model or file; available models: english, english-large, piano, drums, bass$",
    )
    assert_raises(partial(resolve, name, task="music"), "available models: piano, drums, bass$")
    assert_raises(partial(fetch, name), "available models: english, ")


def test_default_models() -> None:
    assert default_for("speech") == "english"
    assert default_for("music") == "piano"


def test_a_model_is_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fetch("english-large")
    assert path == tmp_path / "cache" / "large.safetensors" == resolve("english-large")
    assert path.read_bytes() == CONTENT
    assert cached(tmp_path) == ["large.safetensors"]
    monkeypatch.setattr(urllib.request, "urlopen", None)
    assert fetch("english-large") == path


def test_a_damaged_model_in_the_cache_is_downloaded_again(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "large.safetensors").write_bytes(CONTENT[:-1])
    assert fetch("english-large").read_bytes() == CONTENT


def test_a_bundled_model_is_not_downloaded(tmp_path: Path) -> None:
    (tmp_path / "bundled" / "large.safetensors").write_bytes(b"")
    assert fetch("english-large") == tmp_path / "bundled" / "large.safetensors"
    assert not (tmp_path / "cache").exists()


def test_a_model_without_a_url_cannot_be_downloaded() -> None:
    assert_raises(partial(fetch, "english"), "reinstall audioseq")


@pytest.mark.parametrize("name", ["piano", "drums", "bass"])
def test_failed_and_wrong_downloads(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be downloaded|checksum differs"):
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
def test_the_cache_folder_of_each_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, expected: str
) -> None:
    for name in "AUDIOSEQ_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA":
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_dir() == tmp_path / expected


def test_a_bundled_model_needs_no_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in "AUDIOSEQ_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA":
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", fail)
    (tmp_path / "bundled" / "english.safetensors").write_bytes(b"")
    assert resolve("english") == tmp_path / "bundled" / "english.safetensors"
    assert_raises(partial(fetch, "english-large"), "no home directory; set AUDIOSEQ_CACHE")


# The real catalogue, read before the fixture replaces it.

CATALOGUE, BUNDLED = models.CATALOGUE, bundled_dir()


def test_the_catalogue_is_consistent() -> None:
    assert (
        len({model.name for model in CATALOGUE}) == len({model.file for model in CATALOGUE}) == len(CATALOGUE)
    )
    for model in CATALOGUE:
        assert re.fullmatch(r"[a-z0-9-]+", model.name)
        assert model.file.removesuffix(".xz").endswith(".safetensors") and Path(model.file).name == model.file
        assert model.summary and "\n" not in model.summary
        assert model.url is None or (model.url.startswith("https://") and len(model.sha256) == 64)


@pytest.mark.parametrize("model", CATALOGUE, ids=lambda model: model.name)
def test_a_bundled_file_matches_the_catalogue(model: Model) -> None:
    path = BUNDLED / model.file
    if not path.is_file():
        pytest.skip(f"{model.file} is not in this checkout")
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    assert found == model.sha256, f'set sha256="{found}" for {model.name} in audioseq/models.py'
    from audioseq import checkpoint

    assert checkpoint.read_header(path).task == model.task


def test_every_bundled_file_is_in_the_catalogue() -> None:
    assert {path.name for path in BUNDLED.glob("*.safetensors")} <= {model.file for model in CATALOGUE}
