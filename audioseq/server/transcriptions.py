"""OpenAI's protocol: `POST /v1/audio/transcriptions`, and the list of models.

Source: the specification of OpenAI's API, as in version 3.57 of its Python package.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from audioseq.errors import AudioseqError
from audioseq.server.errors import RequestError, to_request_error
from audioseq.server.forms import describe_form, find_file, parse_fields, parsed_form, stored, unless_gone
from audioseq.server.hotwords import MAX_HOTWORDS, MAX_PROMPT_LETTERS, choose_hotwords
from audioseq.server.service import Service
from audioseq.server.speech import SpeechModel
from audioseq.server.transcription_objects import to_delta, to_done, to_json, to_model, to_verbose_json
from audioseq.speech import writers

OPENAI_MODELS = (
    "whisper-1", "gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15",
)  # fmt: skip
"""Models of OpenAI. The default model answers for them, so that clients work without a change."""
ENGLISH = ("en", "english")
PLAIN_FORMATS = {"text": "txt", "srt": "srt", "vtt": "vtt"}
"""Response formats that are plain text, and their names in `writers`."""


class TranscriptionForm(BaseModel):
    """The fields of a transcription besides its file."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(description="Name of the model, see `GET /v1/models`; or a model of OpenAI.")
    language: str | None = Field(None, description="Language of the speech; the named models know only `en`.")
    languages: list[str] = Field([], description="Possible languages; `en` must be among them.")
    prompt: str = Field(
        "",
        max_length=MAX_PROMPT_LETTERS,
        description="Words to expect: its phrases of up to three words, separated by commas or lines, and "
        "the names in its sentences are boosted.",
    )
    keywords: list[str] = Field([], max_length=MAX_HOTWORDS, description="Words or phrases to boost.")
    response_format: Literal["json", "text", "srt", "vtt", "verbose_json"] = Field(
        "json", description="`verbose_json` has times in seconds, srt and vtt are subtitles."
    )
    timestamp_granularities: list[Literal["word", "segment"]] = Field(
        [], description="With `verbose_json`: the parts that have times; `segment` unless given."
    )
    temperature: float = Field(
        0.0, ge=0, le=1, description="Accepted and ignored: decoding is deterministic."
    )
    stream: bool = Field(
        False, description="Send the text of each segment as a server-sent event as soon as it is known."
    )
    include: list[Literal["logprobs"]] = Field(
        [], description="`logprobs`: the log probability of each word, with the formats json and stream."
    )
    chunking_strategy: str | None = Field(
        None, description="Accepted and ignored: recordings are always split at their pauses."
    )


DESCRIPTION = {
    "requestBody": {
        "required": True,
        "content": describe_form(TranscriptionForm, "file", "The recording, in any format."),
    },
    "responses": {
        "200": {
            "description": "The transcript; with `stream`, events.",
            "content": {kind: {} for kind in ("application/json", "text/plain", "text/event-stream")},
        }
    },
}


def make_router(service: Service) -> APIRouter:
    """Return the addresses of the protocol."""
    router = APIRouter(prefix="/v1", tags=["OpenAI"])

    @router.get("/models", summary="List the models")
    def list_models() -> dict[str, Any]:
        return {"object": "list", "data": [to_model(model) for model in service.models.values()]}

    @router.get("/models/{name}", summary="Describe a model")
    def show_model(name: str) -> dict[str, Any]:
        return to_model(service.find_model(name))

    @router.post("/audio/transcriptions", summary="Transcribe a recording", openapi_extra=DESCRIPTION)
    async def transcribe(request: Request) -> Response:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(service.slot())
            form = await stack.enter_async_context(parsed_form(request))
            upload = find_file(form, "file")
            if upload is None:
                raise RequestError(
                    "file: is missing; upload the recording in this field",
                    code="missing_required_parameter",
                    param="file",
                )
            fields = parse_fields(TranscriptionForm, form)
            model = _choose_model(fields.model, service)
            _check(fields, model)
            path = await stack.enter_async_context(stored(upload))
            transcription = _Transcription(service, model, fields, path, upload.filename or "file")
            if fields.stream:
                return await transcription.stream(stack.pop_all())
            return await unless_gone(request, transcription.respond())
        raise AssertionError

    return router


class _Transcription:
    """The transcription of one request.

    Args:
        service: transcribes it.
        model: the model that the client chose.
        fields: the checked fields of the request.
        path: the uploaded file.
        name: its name in error messages.
    """

    def __init__(
        self, service: Service, model: SpeechModel, fields: TranscriptionForm, path: Path, name: str
    ) -> None:
        self._service, self._model = service, model
        self._fields, self._path, self._name = fields, path, name
        self._hotwords = choose_hotwords(fields.keywords, fields.prompt, model.alphabet)

    async def respond(self) -> Response:
        """Transcribe the recording, and return the response."""
        fields = self._fields
        transcript = await self._service.transcribe(
            self._model, self._path, name=self._name, hotwords=self._hotwords
        )
        if (plain := PLAIN_FORMATS.get(fields.response_format)) is not None:
            return PlainTextResponse(writers.write(transcript, plain))
        if fields.response_format == "verbose_json":
            language = "english" if self._model.languages else fields.language or "unknown"
            parts = fields.timestamp_granularities or ["segment"]
            return JSONResponse(to_verbose_json(transcript, language, parts))
        logprobs = bool(fields.include)
        return JSONResponse(to_json(transcript, self._model.languages, logprobs=logprobs))

    async def stream(self, resources: AsyncExitStack) -> Response:
        """Return a response that sends the text of each segment once it is known.

        Args:
            resources: what the transcription needs, closed at its end.
        Raises:
            AudioseqError: the transcription failed before the first segment.
        """
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[dict[str, Any] | AudioseqError | None] = asyncio.Queue()
        logprobs = bool(self._fields.include)
        first = True

        def on_segment(segment: Any, words: Any) -> None:
            nonlocal first
            event = to_delta(segment, words, first=first, logprobs=logprobs)
            first = False
            loop.call_soon_threadsafe(events.put_nowait, event)

        async def produce() -> None:
            async with resources:
                try:
                    transcript = await self._service.transcribe(
                        self._model,
                        self._path,
                        name=self._name,
                        hotwords=self._hotwords,
                        on_segment=on_segment,
                    )
                    events.put_nowait(to_done(transcript, self._model.languages, logprobs=logprobs))
                except AudioseqError as error:
                    events.put_nowait(error)
                finally:
                    events.put_nowait(None)

        task = asyncio.create_task(produce())
        event = await events.get()
        if isinstance(event, AudioseqError):
            await task
            raise event

        async def send(event: dict[str, Any] | AudioseqError | None) -> AsyncIterator[str]:
            try:
                while event is not None:
                    if isinstance(event, AudioseqError):
                        event = to_request_error(event).to_object()
                    yield f"data: {json.dumps(event)}\n\n"
                    event = await events.get()
            finally:
                task.cancel()

        return StreamingResponse(send(event), media_type="text/event-stream")


def _choose_model(name: str, service: Service) -> SpeechModel:
    """Return the model that a client chose; the default one for a model of OpenAI."""
    is_alias = name in OPENAI_MODELS and name not in service.models
    return service.find_model(None if is_alias else name)


def _check(fields: TranscriptionForm, model: SpeechModel) -> None:
    """Raise an error if fields do not fit the model or each other."""
    languages = [*fields.languages, *([fields.language] if fields.language else [])]
    if languages and model.languages and not set(ENGLISH) & {name.lower() for name in languages}:
        raise RequestError(
            f"language: {languages[-1][:50]!r} is not supported; {model.name} is for English (en)",
            code="unsupported_language",
            param="language",
        )
    if fields.timestamp_granularities and fields.response_format != "verbose_json":
        raise RequestError(
            "timestamp_granularities: needs the response_format verbose_json",
            code="invalid_value",
            param="timestamp_granularities",
        )
    if fields.include and fields.response_format != "json":
        raise RequestError(
            "include: logprobs need the response_format json", code="invalid_value", param="include"
        )
    if fields.stream and fields.response_format not in ("json", "text"):
        raise RequestError(
            "stream: needs the response_format json or text", code="invalid_value", param="stream"
        )
