"""`audioseq serve` as a process: its start, its end, its workers, and its mistakes."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import openai
import pytest
from typer.testing import CliRunner
from uvicorn.config import STARTUP_FAILURE

from audioseq.cli.main import app
from audioseq.cli.main import run as run_command
from audioseq.server.options import ServerOptions
from audioseq.server.run import create_worker_app
from tests.server.live import noise, tiny_options, wav
from tests.server.test_vosk import recognise

ROOT = Path(__file__).parents[2]
HELLO = ROOT / "assets" / "hello.flac"


@contextmanager
def started(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a server on a free port; yield the process and the address."""
    command = [sys.executable, "-m", "audioseq", "serve", "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stderr is not None
        try:
            port = None
            while not port and (line := process.stderr.readline()):
                port = re.search(r"listens on http://127.0.0.1:(\d+)", line)
            assert port, "the server did not start"
            address = f"http://127.0.0.1:{port[1]}"
            assert httpx.get(f"{address}/health", timeout=120).status_code == 200  # waits for the models
            yield process, address
        finally:
            process.terminate()
            process.communicate(timeout=60)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM")
def test_sigterm_finishes_what_runs(models_folder: Path) -> None:
    model = tiny_options(models_folder).models[0]
    answers: list[httpx.Response] = []
    with started("-m", model, "--device", "cpu") as (process, address):

        def ask() -> None:
            files = {"file": wav(noise(60.0))}
            url = f"{address}/v1/audio/transcriptions"
            answers.append(httpx.post(url, files=files, data={"model": "whisper-1"}, timeout=120))

        thread = Thread(target=ask)
        thread.start()
        while not httpx.get(f"{address}/health").json()["active"]:
            pass
        process.send_signal(signal.SIGTERM)
        thread.join()
        assert process.wait(60) == 0
    assert answers[0].status_code == 200
    assert len(answers[0].json()["text"]) > 10


@pytest.mark.slow
def test_workers_share_the_port_and_the_metrics(models_folder: Path) -> None:
    model = tiny_options(models_folder).models[0]
    with started("-m", model, "--device", "cpu", "--workers", "2") as (_, address):
        for _ in range(6):
            assert httpx.get(f"{address}/health", timeout=60).status_code == 200
        lines = httpx.get(f"{address}/metrics", timeout=60).text
        count = re.search(r'audioseq_requests_total\{path="/health",status="200"\} (\d+)', lines)
        assert count and int(count[1]) == 7  # `started` asks once


@pytest.mark.slow
def test_all_clients_get_the_words_of_the_command() -> None:
    text = CliRunner().invoke(app, ["transcribe", str(HELLO)]).stdout.strip()
    with started() as (_, address):
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", timeout=120)
        found: Any = client.audio.transcriptions.create(model="whisper-1", file=HELLO)
        assert found.text == text
        assert [language.code for language in found.languages] == ["en"]
        import soundfile as sf
        from websockets.sync.client import connect

        samples, rate = sf.read(HELLO, dtype="int16")
        with connect(address.replace("http", "ws"), open_timeout=60) as socket:
            answers = recognise(socket, samples.tobytes(), sample_rate=rate)
    assert " ".join(answer["text"] for answer in answers if answer.get("text")) == text
    assert any(answer.get("partial") for answer in answers)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-m", "whisper-1"], "whisper-1: "),
        (["-m", "no-such-model"], "no such model or file"),
        (["--music-model", "no-such-model"], "no such model or file"),
        (["--host", "203.0.113.7"], "cannot be listened on"),
        (["--host", "no such host"], "cannot be listened on"),
    ],
)
def test_mistakes_are_one_line(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str], models_folder: Path
) -> None:
    if "-m" not in options:
        options = [*options, "-m", tiny_options(models_folder).models[0]]
    assert run_command(["serve", "--port", "0", *options]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_models_that_cannot_be_served_are_one_line(
    tmp_path: Path, models_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    options = tiny_options(models_folder)
    good, music = Path(options.models[0]), str(options.music_model)
    nonsense, cut, twin = (tmp_path / name for name in ("a.safetensors", "b.safetensors", good.name))
    nonsense.write_bytes(b"no model")
    cut.write_bytes(good.read_bytes()[:-1000])
    twin.write_bytes(good.read_bytes())
    for bad, words in (
        (nonsense, "is damaged or not a model file"),
        (cut, "is damaged or not a model file"),
        (twin, "another model is called 'babbler' too"),
        (music, "is a model for music, not for speech"),
    ):
        for workers in ("1", "2"):
            command = ["serve", "--port", "0", "-m", str(good), "-m", str(bad), "--workers", workers]
            assert run_command(command) == 1
            error = capsys.readouterr().err
            assert str(bad) in error and words in error and error.count("\n") == 1


def test_a_worker_that_cannot_load_its_models_ends_as_a_failed_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"no model")
    with pytest.raises(SystemExit) as ended:
        create_worker_app(ServerOptions(models=(str(tmp_path / "a.safetensors"),)))
    assert ended.value.code == STARTUP_FAILURE  # uvicorn does not start the worker again
    assert not capsys.readouterr().err  # the main process reports the error


def test_the_help_names_all_options() -> None:
    shown = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "120"}).stdout
    words = "host port web model greedy music-model harmony-model workers api-key max-upload max-seconds "
    for option in (*words.split(), "queue", "timeout", "batch-ms", "cors-origin", "device"):
        assert f"--{option}" in shown
    assert "AUDIOSEQ_API_KEY" in shown
