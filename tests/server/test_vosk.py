"""Vosk's protocol, with a client as the samples of vosk-server are."""

from __future__ import annotations

import asyncio
import io
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from audioseq.server.live import LiveStream
from tests.server.live import RATE, Server, noise

PAUSE = np.zeros(2 * RATE, np.float32)


def pcm(samples: np.ndarray) -> bytes:
    return (samples * 32767).astype("<i2").tobytes()


def open_socket(server: Server, path: str = "/", origin: str | None = None) -> ClientConnection:
    """Connect to a server."""
    return connect(server.address.replace("http", "ws") + path, origin=origin)  # type: ignore[arg-type]


def recognise(socket: ClientConnection, content: bytes, **config: Any) -> list[dict[str, Any]]:
    """Return the answers to a recording, sent as the Python sample of vosk-server sends it."""
    socket.send(json.dumps({"config": {"sample_rate": RATE, **config}}))
    answers = []
    for first in range(0, len(content), 8000):
        socket.send(content[first : first + 8000])
        answers.append(json.loads(socket.recv()))
    socket.send('{"eof" : 1}')
    answers.append(json.loads(socket.recv()))
    return answers


def test_segments_are_answered_when_they_end(server: Server) -> None:
    content = pcm(np.concatenate([noise(2.0, 1), PAUSE, noise(2.0, 2), PAUSE]))
    with open_socket(server) as socket:
        answers = recognise(socket, content)
        with pytest.raises(ConnectionClosed):
            socket.recv()
    assert all(list(answer) == ["partial"] for answer in answers if "text" not in answer)
    finals = [answer for answer in answers if answer.get("text")]
    assert answers[-1].keys() <= {"result", "text"}
    words = [word for final in finals for word in final["result"]]
    assert {"conf", "start", "end", "word"} == set(words[0])
    assert " ".join(word["word"] for word in words) == " ".join(final["text"] for final in finals)
    assert [word["start"] for word in words] == sorted(word["start"] for word in words)
    # The same as the stream of the recogniser.
    service = server.service
    stream = LiveStream(service.find_model().recogniser, RATE, None)
    known = [*stream.feed(content).finals, *stream.finish().finals]
    assert [final.segment.text for final in known] == [final["text"] for final in finals]


def test_options_of_results(server: Server) -> None:
    content = pcm(noise(1.5, 3))
    with open_socket(server, "/vosk") as socket:
        plain = recognise(socket, content, words=False)[-1]
    assert list(plain) == ["text"]
    with open_socket(server) as socket:
        (alternative,) = recognise(socket, content, max_alternatives=3, phrase_list=["ab"])[-1][
            "alternatives"
        ]
    assert 0 <= alternative["confidence"] <= 1
    with open_socket(server) as socket:
        other = recognise(socket, content, words=False, model="mumbler")[-1]["text"]
    assert other and other != plain["text"]
    with open_socket(server) as socket:
        socket.send('{"eof" : 1}')
        assert json.loads(socket.recv()) == {"text": ""}


@pytest.mark.parametrize(
    "message",
    ["", "nonsense", "[]", "[" * 50_000, '{"config": 3}', '{"config": {"sample_rate": 1}}', "9" * 10_000],
    ids=lambda message: message[:20],
)
def test_nonsense_closes_the_connection_with_a_reason(server: Server, message: str) -> None:
    with open_socket(server) as socket:
        socket.send(message)
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(timeout=20)
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, "sample_rate" in caught.value.rcvd.reason) == (1008, True)


def test_another_sample_rate_in_mid_stream_closes_the_connection_with_a_reason(server: Server) -> None:
    with open_socket(server) as socket:
        for rate in (16_000, 16_000, 8_000):
            socket.send(json.dumps({"config": {"sample_rate": rate}}))
            socket.send(bytes(100))
            if rate == 16_000:
                socket.recv(timeout=20)
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(timeout=20)
    assert caught.value.rcvd is not None
    assert "the sample rate changes from 16000 to 8000 Hz" in caught.value.rcvd.reason


def test_random_bytes_are_only_noise(server: Server) -> None:
    with open_socket(server) as socket:
        for size in (0, 1, 2, 3, 9999):
            socket.send(np.random.default_rng(0).bytes(size))
            assert set(json.loads(socket.recv(timeout=20))) <= {"partial", "text", "result"}


def test_an_unknown_model_closes_the_connection_with_a_reason(server: Server) -> None:
    with open_socket(server) as socket:
        socket.send('{"config": {"sample_rate": 16000, "model": "/opt/vosk-model-en"}}')
        socket.send(bytes(8000))
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(timeout=60)
    assert caught.value.rcvd is not None
    assert "this server has babbler, mumbler" in caught.value.rcvd.reason


@pytest.mark.slow
def test_the_client_of_the_package_vosk_gets_the_words(server: Server) -> None:
    transcriber = pytest.importorskip("vosk.transcriber.transcriber").Transcriber
    content = pcm(np.concatenate([noise(2.0, 1), PAUSE, noise(2.0, 2)]))

    class Recording:
        """What the client reads: the output of ffmpeg."""

        def __init__(self) -> None:
            self.stdout, self._rest = self, io.BytesIO(content)

        async def read(self, size: int) -> bytes:
            return self._rest.read(size)

    client = transcriber.__new__(transcriber)  # without a model of Vosk
    client.args = SimpleNamespace(server=server.address.replace("http", "ws"), output_type="srt")
    results, _ = asyncio.run(client.recognize_stream_server(Recording()))
    stream = LiveStream(server.service.find_model().recogniser, RATE, None)
    known = [*stream.feed(content).finals, *stream.finish().finals]
    assert [each["text"] for each in results if each["text"]] == [final.segment.text for final in known]
    assert "00:00:0" in client.format_result(results)


def test_pages_elsewhere_cannot_open_a_socket(server: Server) -> None:
    with pytest.raises(InvalidStatus), open_socket(server, origin="https://evil.example"):
        pass
    with open_socket(server, origin=server.address):
        pass
