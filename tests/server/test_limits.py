"""Limits, keys, origins, and clients that misbehave."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from fastapi.testclient import TestClient
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from audioseq.music.pipeline import DENSITIES
from audioseq.server import run
from audioseq.server.app import create_app
from audioseq.server.composing import MAX_BARS
from tests.server.live import RATE, Server, noise, serving, tiny_options, wav

KEY = "sesame-1"
IDLE_SECONDS = 2.0
"""Time after which the strict server ends uploads and streams of which nothing comes, seconds."""
MAX_BYTES = 400_000
LONG = 12.0
"""Seconds of a recording that is longer than the limit, and smaller than that of the upload."""


@pytest.fixture(scope="module")
def strict(models_folder: Path) -> Iterator[Server]:
    """Run a server with a key and low limits."""
    patch = pytest.MonkeyPatch()
    patch.setattr(run, "HEAD_SECONDS", 0.5)
    options = tiny_options(
        models_folder, api_key=KEY, max_upload=MAX_BYTES, max_seconds=10.0, queue=2, idle_seconds=IDLE_SECONDS
    )
    with serving(options) as running:
        yield running
    patch.undo()


def headers(key: str = KEY) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def post(server: Server, **options: Any) -> httpx.Response:
    options = {"data": {"model": "whisper-1"}, "files": {"file": wav(noise(1.0))}, **options}
    return httpx.post(f"{server.address}/v1/audio/transcriptions", **{"headers": headers(), **options})


def error(answer: httpx.Response) -> dict[str, Any]:
    """Return the error object of a response."""
    found: dict[str, Any] = answer.json()["error"]
    assert set(found) == {"message", "type", "param", "code"}
    assert "\n" not in found["message"]
    return found


def temporary_files(server: Server) -> list[str]:
    return [path.name for path in server.service.folder.iterdir() if path.name != "lock"]


def test_the_key_is_needed(strict: Server) -> None:
    assert post(strict).status_code == 200
    for wrong in ({}, headers("sesame-2"), headers("x"), {"Authorization": "Basic !"}):
        answer = post(strict, headers=wrong)
        assert (answer.status_code, error(answer)["code"]) == (401, "invalid_api_key")
        assert answer.headers["www-authenticate"] == "Bearer"
    password = base64.b64encode(f"anybody:{KEY}".encode()).decode()
    assert post(strict, headers={"Authorization": f"Basic {password}"}).status_code == 200
    assert httpx.get(f"{strict.address}/health").status_code == 200
    assert httpx.get(f"{strict.address}/metrics").status_code == 401
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{strict.address}/v1", api_key="wrong").models.list()


def test_a_large_upload_is_refused(strict: Server, server: Server) -> None:
    for limited, size in ((strict, MAX_BYTES + 1), (server, 101_000_000)):
        with socket.create_connection(("127.0.0.1", int(limited.address.rpartition(":")[2]))) as client:
            client.sendall(_head(limited, "multipart/form-data; boundary=x", size))
            assert b"413" in client.recv(4096).splitlines()[0]  # before it is sent


def test_a_large_upload_of_unknown_length_is_refused(strict: Server) -> None:
    def blocks() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        for _ in range(MAX_BYTES // 1000 + 1):
            yield bytes(1000)

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = httpx.post(
        f"{strict.address}/v1/audio/transcriptions", content=blocks(), headers={**headers(), **kind}
    )
    assert (answer.status_code, error(answer)["code"]) == (413, "file_too_large")
    assert temporary_files(strict) == []


def test_a_long_recording_is_refused(strict: Server) -> None:
    answer = post(strict, files={"file": wav(noise(LONG))})
    assert (answer.status_code, error(answer)["code"]) == (400, "audio_too_long")
    # A header without a length: the length is known only while the recording is read.
    content = bytearray(wav(noise(LONG)))
    content[40:44] = content[4:8] = b"\xff\xff\xff\xff"
    answer = post(strict, files={"file": bytes(content)})
    assert (answer.status_code, error(answer)["code"]) == (400, "audio_too_long")


def test_a_full_queue_refuses_with_the_time_to_retry(strict: Server) -> None:
    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(timeout=60) as client:
            requests = [
                client.post(
                    f"{strict.address}/v1/audio/transcriptions",
                    data={"model": "whisper-1"},
                    files={"file": wav(noise(9.0))},
                    headers=headers(),
                )
                for _ in range(8)
            ]
            return await asyncio.gather(*requests)

    answers = asyncio.run(ask())
    refused = [answer for answer in answers if answer.status_code == 429]
    assert 0 < len(refused) < 8
    assert all(answer.headers["retry-after"] == "2" for answer in refused)
    assert error(refused[0])["type"] == "rate_limit_error"
    assert {answer.status_code for answer in answers} == {200, 429}


def test_a_slow_head_is_ended(strict: Server) -> None:
    with socket.create_connection(("127.0.0.1", int(strict.address.rpartition(":")[2]))) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n")
        began = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() < began + 60:
                client.sendall(b"X-A: b\r\n")
                time.sleep(0.1)


def test_a_slow_body_is_ended(strict: Server) -> None:
    with socket.create_connection(("127.0.0.1", int(strict.address.rpartition(":")[2]))) as client:
        client.settimeout(60)
        client.sendall(_head(strict, "multipart/form-data; boundary=x", 1000) + b"--x\r\n")
        assert b"408" in client.recv(4096).splitlines()[0]
    _wait_until_idle(strict)


def test_a_client_that_goes_leaves_nothing_behind(strict: Server) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--x\r\n'
        b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + wav(noise(9.0))
    )
    for content in (body[:100_000], body + b"\r\n--x--\r\n"):  # in the middle of the upload, and after it
        with socket.create_connection(("127.0.0.1", int(strict.address.rpartition(":")[2]))) as client:
            length = len(body + b"\r\n--x--\r\n")
            client.sendall(_head(strict, "multipart/form-data; boundary=x", length) + content)
        _wait_until_idle(strict)
        assert temporary_files(strict) == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # files are closed late
def test_a_truncated_form_is_an_error(server: Server) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + wav(noise(1.0))
    for content, kind in (
        (body, "multipart/form-data; boundary=x"),
        (body, "multipart/form-data; boundary=y"),
        (body, "multipart/form-data"),
        (b"--x\r\nnonsense\r\n\r\n--x--", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data; boundary=x"),
        (b"{}", "application/json"),
        (b"model=whisper-1", "application/x-www-form-urlencoded"),
    ):
        answer = httpx.post(
            f"{server.address}/v1/audio/transcriptions", content=content, headers={"Content-Type": kind}
        )
        assert answer.status_code == 400, (content[:10], kind)
        error(answer)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "日本語 ☃.wav", "a\r\nb.wav", "/dev/zero", "", "x" * 500]
)
def test_the_name_of_a_file_is_only_a_name(server: Server, name: str) -> None:
    if name:
        assert post(server, files={"file": (name, wav(noise(0.3)))}, headers={}).status_code == 200
    answer = post(server, files={"file": (name, b"nothing")}, headers={})
    assert answer.status_code == 400
    assert str(server.service.folder) not in error(answer)["message"]
    assert temporary_files(server) == []


def test_playlists_open_nothing(server: Server, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(wav(noise(1.0)))
    for content in (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{secret}'\n",
        f"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\na={secret}\n",
        f"<MPD><Period><BaseURL>file://{secret}</BaseURL></Period></MPD>",
        f"[playlist]\nFile1={secret}\n",
        str(secret),
        f"concat:{secret}",
    ):
        answer = post(server, files={"file": ("a.m3u8", content.encode())}, headers={})
        assert (answer.status_code, error(answer)["code"]) == (400, "invalid_value")


def test_pages_elsewhere_are_not_allowed_unless_asked(server: Server) -> None:
    origin = {"Origin": "https://evil.example"}
    for answer in (httpx.get(f"{server.address}/v1/models", headers=origin), post(server, headers=origin)):
        assert "access-control-allow-origin" not in answer.headers
        assert (answer.status_code, error(answer)["code"]) == (403, "origin_not_allowed")
    assert post(server, headers={"Origin": server.address}).status_code == 200


def test_a_page_elsewhere_that_is_allowed_reads_answers_and_sends_the_key(models_folder: Path) -> None:
    friend = "https://friend.example"
    app = create_app(tiny_options(models_folder, api_key=KEY, cors_origins=(friend,)))
    with TestClient(app) as client:
        asked = {
            "Origin": friend,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        answer = client.options("/v1/audio/transcriptions", headers=asked)  # the browser sends no key here
        assert answer.status_code == 200 and answer.headers["access-control-allow-origin"] == friend
        answer = client.get("/v1/models", headers={"Origin": friend, **headers()})
        assert answer.headers["access-control-allow-origin"] == friend
        answer = client.get("/v1/models", headers={"Origin": "https://evil.example", **headers()})
        assert "access-control-allow-origin" not in answer.headers


def test_a_socket_needs_the_key_too(strict: Server) -> None:
    address = strict.address.replace("http", "ws")
    for wrong in ({}, headers("sesame-2")):
        with pytest.raises(InvalidStatus) as caught, connect(address, additional_headers=wrong):
            pass
        assert caught.value.response.status_code == 403
    with connect(address, additional_headers=headers()) as socket:
        socket.send('{"eof" : 1}')
        assert socket.recv(timeout=20) == '{"text": ""}'


def test_a_stream_has_the_limit_of_a_recording(strict: Server) -> None:
    with connect(strict.address.replace("http", "ws"), additional_headers=headers()) as socket:
        socket.send(bytes(2 * round(LONG * RATE)))
        socket.recv(timeout=60)
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(timeout=60)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.reason == "the stream is longer than the limit of 10 s"


def test_an_idle_socket_is_closed(strict: Server) -> None:
    with (
        connect(strict.address.replace("http", "ws"), additional_headers=headers()) as socket,
        pytest.raises(ConnectionClosed) as caught,
    ):
        socket.recv(timeout=60)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.reason == f"no audio for {IDLE_SECONDS:g} s"


def test_metrics_count_requests(server: Server) -> None:
    before = _metric(server, "audioseq_audio_seconds_total")
    assert post(server, headers={}).status_code == 200
    assert _metric(server, "audioseq_audio_seconds_total") == pytest.approx(before + 1.0)
    assert _metric(server, "audioseq_queue_length") == 0
    assert _metric(server, "audioseq_real_time_factor") > 0
    assert _metric(server, 'audioseq_requests_total{path="/v1/audio/transcriptions",status="200"}') >= 1


def test_the_api_is_described(server: Server) -> None:
    described = httpx.get(f"{server.address}/openapi.json").json()["paths"]
    form = described["/v1/audio/transcriptions"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert {"file", "model", "timestamp_granularities[]", "keywords[]"} <= set(form["schema"]["properties"])
    music = described["/v1/music/compositions"]["post"]["requestBody"]["content"]["application/json"]
    fields = music["schema"]["properties"]
    described_fields = (*fields.values(), *form["schema"]["properties"].values())
    assert all(field.get("description") for field in described_fields)
    assert "Quarter notes per minute" in fields["tempo"]["description"]
    for name, (low, high) in {"tempo": (20, 400), "density": DENSITIES, "bars": (1, MAX_BARS)}.items():
        kind = fields[name]["anyOf"][0]
        assert (kind["minimum"], kind["maximum"]) == (low, high)
    shown = httpx.get(f"{server.address}/docs").text
    for source in re.findall(r'(?:src|href)="([^"]+)"', shown):
        assert httpx.get(f"{server.address}/{source}").status_code == 200
    assert "swagger-ui-bundle.js" in shown and "://" not in shown


def _head(server: Server, kind: str, length: int) -> bytes:
    return (
        "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {KEY}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def _wait_until_idle(server: Server) -> None:
    until = time.monotonic() + 30
    while server.service.active or temporary_files(server):
        assert time.monotonic() < until, (server.service.active, temporary_files(server))
        time.sleep(0.02)


def _metric(server: Server, name: str) -> float:
    lines = httpx.get(f"{server.address}/metrics").text.splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))
