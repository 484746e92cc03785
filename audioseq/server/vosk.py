"""Vosk's WebSocket protocol.

The client sends `{"config": {"sample_rate": 16000}}`, then blocks of 16-bit mono PCM, and `{"eof": 1}`. Each
block gets one answer: `{"partial": ...}`, or `{"result": [...], "text": ...}` if it ended a segment. The end
gets the last result. Source: vosk-server, websocket/asr_server.py.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, Field

from audioseq.audio.io import MAX_RATE_HZ, MIN_RATE_HZ
from audioseq.errors import AudioseqError
from audioseq.files import parse_json
from audioseq.server.errors import RequestError
from audioseq.server.hotwords import MAX_HOTWORDS, choose_hotwords
from audioseq.server.live import LiveStream, LiveText
from audioseq.server.service import Service

PATHS = ("/", "/vosk")
"""Addresses of the protocol: that of vosk-server, and one for a proxy."""
MAX_TEXT_LETTERS = 100_000
"""Maximum length of a message that is not audio."""
MAX_REASON_BYTES = 120
"""Maximum length of the reason of a closed WebSocket; the standard allows 123 bytes."""


class Config(BaseModel):
    """The configuration that a client may send first; fields of other servers are ignored."""

    sample_rate: float = Field(default=16_000, ge=MIN_RATE_HZ, le=MAX_RATE_HZ)
    """Hz."""
    words: bool = True
    """Whether results have words with their times and confidences."""
    max_alternatives: int = Field(default=0, ge=0)
    """With 1 or more, a result is a list of alternatives, of which there is one."""
    model: str | None = None
    """Name of the model; None for the default one."""
    phrase_list: list[str] = Field(default=[], max_length=MAX_HOTWORDS)
    """Words or phrases to boost; vosk-server recognises nothing else."""


def make_router(service: Service) -> APIRouter:
    """Return the addresses of the protocol."""
    router = APIRouter()

    async def serve(socket: WebSocket) -> None:
        await socket.accept()
        try:
            async with service.slot():
                await _answer_messages(service, socket)
            await socket.close()
        except WebSocketDisconnect:
            pass
        except AudioseqError as error:
            reason = str(error).encode()[:MAX_REASON_BYTES].decode(errors="ignore")
            await socket.close(1013 if getattr(error, "status", 400) == 429 else 1008, reason)

    for path in PATHS:
        router.add_api_websocket_route(path, serve)
    return router


async def _answer_messages(service: Service, socket: WebSocket) -> None:
    """Answer the messages of a client until the end of its audio."""
    config, stream = Config(), None
    limits = service.options
    while True:
        try:
            async with asyncio.timeout(limits.idle_seconds):
                message = await socket.receive()
        except TimeoutError:
            raise RequestError(f"no audio for {limits.idle_seconds:g} s") from None
        if message["type"] == "websocket.disconnect":
            return
        if (samples := message.get("bytes")) is None:
            received = _parse(message["text"])
            if received is None:
                known = await service.finish_live(stream) if stream is not None else LiveText("")
                await _send(socket, _to_result(known, config))
                return
            if stream is not None and received.sample_rate != config.sample_rate:
                change = f"from {config.sample_rate:g} to {received.sample_rate:g} Hz"
                raise RequestError(f"the sample rate changes {change}; open another connection")
            config = received
            continue
        if stream is None:
            stream = await _open(service, config)
        known = await service.feed_live(stream, samples)
        await _send(socket, _to_result(known, config) if known.finals else {"partial": known.partial})
        if stream.seconds > limits.max_seconds:
            raise RequestError(f"the stream is longer than the limit of {limits.max_seconds:g} s")


def _parse(text: str) -> Config | None:
    """Return the configuration that a message has; None for the end of the audio."""
    try:
        if len(text) > MAX_TEXT_LETTERS:
            raise ValueError
        message = parse_json(text)
        return None if "eof" in message else Config.model_validate(message["config"])
    except (ValueError, KeyError, TypeError):  # ValidationError is a ValueError
        raise RequestError('send {"config": {"sample_rate": 16000}}, audio, and {"eof": 1}') from None


async def _open(service: Service, config: Config) -> LiveStream:
    model = service.find_model(config.model)
    hotwords = choose_hotwords([], "\n".join(config.phrase_list), model.alphabet)
    return await service.open_live(model, round(config.sample_rate), hotwords)


def _to_result(known: LiveText, config: Config) -> dict[str, Any]:
    """Return the final texts of a block as one result."""
    words = [word for final in known.finals for word in final.words]
    result: dict[str, Any] = {}
    if config.words and words:
        result["result"] = [
            {
                "conf": round(word.confidence, 6),
                "start": round(word.start, 3),
                "end": round(word.end, 3),
                "word": word.word,
            }
            for word in words
        ]
    result["text"] = " ".join(final.segment.text for final in known.finals)
    if not config.max_alternatives:
        return result
    confidence = sum(word.confidence for word in words) / max(1, len(words))
    return {"alternatives": [{"confidence": round(confidence, 6), **result}]}


async def _send(socket: WebSocket, answer: dict[str, Any]) -> None:
    await socket.send_text(json.dumps(answer, ensure_ascii=False))
