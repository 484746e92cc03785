"""Music over HTTP."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from threading import Event
from typing import Any

import httpx
import pytest

from audioseq.midi import Note, Score
from audioseq.music.pipeline import CompositionOptions, load_composer
from audioseq.server import compositions
from audioseq.server.composing import ComposeOptions
from audioseq.server.work import Cancelled
from tests.server.live import Server

MELODY = Score(tuple(Note(60 + 2 * n, 80, 0.5 * n, 0.5) for n in range(8)))
SHORT = {"seed": 7, "bars": 2}


def post(server: Server, **options: Any) -> httpx.Response:
    return httpx.post(f"{server.address}/v1/music/compositions", timeout=60, **options)


def test_a_piece_is_that_of_the_command(server: Server) -> None:
    answer = post(server, json=SHORT)
    options = CompositionOptions(bars=2)
    (piece,) = load_composer(server.service.options.music_model).compose(7, options=options)
    assert answer.content == piece.score.to_bytes()
    assert answer.headers["content-type"] == "audio/midi"
    assert answer.headers["audioseq-seed"] == "7"
    assert 'filename="compose-7.mid"' in answer.headers["content-disposition"]
    assert post(server, content=b"").headers["audioseq-seed"].isdigit()


def test_the_chords_and_the_meter_are_those_of_the_request(server: Server) -> None:
    answer = post(server, json={"seed": 3, "chords": "| Am | F |", "meter": "3/4", "bars": 2})
    score = Score.load(answer.content)
    assert score.time_signatures[0][1:] == (3, 4)


def test_a_composition_stops_when_its_client_goes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    began, stopped = Event(), Event()
    compose = server.service._composer.compose

    def spy(wanted: ComposeOptions, check: Callable[[], object]) -> Any:
        def wait_until_stopped() -> None:
            began.set()
            for _ in range(6000):
                check()
                time.sleep(0.01)

        try:
            return compose(wanted, wait_until_stopped)
        except Cancelled:
            stopped.set()
            raise

    monkeypatch.setattr(server.service._composer, "compose", spy)
    with socket.create_connection(("127.0.0.1", int(server.address.rpartition(":")[2]))) as client:
        client.sendall(b"POST /v1/music/compositions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        assert began.wait(60)
    assert stopped.wait(60)


def test_a_composition_that_takes_too_long_is_an_error(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.service, "options", replace(server.service.options, timeout_seconds=0.1))
    answer = post(server, json={"bars": 256, "best_of": 16})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timeout")


def test_the_format_is_that_of_the_field_or_of_the_header(server: Server) -> None:
    for form, kind, start in (("wav", "audio/wav", b"RIFF"), ("png", "image/png", b"\x89PNG")):
        by_field = post(server, json={**SHORT, "format": form})
        by_header = post(server, json=SHORT, headers={"Accept": f"text/html;q=0.1, {kind}"})
        assert by_field.content.startswith(start)
        assert by_header.content.startswith(start)
        assert by_field.headers["content-type"] == by_header.headers["content-type"] == kind
    assert post(server, json=SHORT, headers={"Accept": "text/html"}).status_code == 406


def test_a_primer_is_continued(server: Server) -> None:
    files = {"primer": ("tune.mid", MELODY.to_bytes())}
    answer = post(server, data={"seed": "7", "bars": "2"}, files=files)
    found = [note.pitch for note in Score.load(answer.content).notes]
    assert found[:8] == [note.pitch for note in MELODY.notes]
    assert len(found) > 8


@pytest.mark.slow
def test_a_melody_is_harmonised(server: Server) -> None:
    files = {"primer": ("tune.mid", MELODY.to_bytes())}
    answer = post(server, data={"seed": "7", "harmonise": "true"}, files=files)
    assert Score.load(answer.content).names == ("soprano", "alto", "tenor", "bass")


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ({"json": {"tempo": 9}}, 400, "tempo"),
        ({"json": {"density": 17}}, 400, "density"),
        ({"json": {"chords": "| C | H13 |"}}, 400, "H13"),
        ({"json": {"meter": "3/5"}}, 400, "meter"),
        ({"json": {"bars": 10**6}}, 400, "bars"),
        ({"json": {"seconds": "x"}}, 400, "seconds"),
        ({"json": {"bars": 2, "seconds": 4}}, 400, "bars and seconds"),
        ({"json": {"key": "H"}}, 400, "key"),
        ({"json": {"style": "../../etc/passwd"}}, 400, "style"),
        ({"json": {"model": "/etc/passwd"}}, 400, "model"),
        ({"json": {"best_of": 999}}, 400, "best_of"),
        ({"json": {"temperature": 0}}, 400, "temperature"),
        ({"json": {"harmonise": True}}, 400, "primer"),
        ({"json": [1]}, 400, "the request"),
        ({"content": b"{"}, 400, "not JSON"),
        ({"content": b"\xff"}, 400, "not JSON"),
        ({"content": b"[" * 50_000}, 400, "nested"),
        ({"content": b'{"seed": ' + b"9" * 50_000 + b"}"}, 400, "not JSON"),
        ({"content": b'{"tempo": 1e999}'}, 400, "tempo"),
        ({"content": b" " * (compositions.MAX_JSON_BYTES + 1)}, 413, "larger"),
        ({"data": {"primer": "x"}, "files": {"a": b""}}, 400, "primer"),
        ({"files": {"primer": b"nothing"}}, 400, "primer"),
        ({"files": {"primer": ("/etc/passwd", b"")}}, 400, "primer"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_mistakes_are_errors(server: Server, options: dict[str, Any], status: int, words: str) -> None:
    answer = post(server, **options)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]
