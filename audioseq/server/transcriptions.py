"""OpenAI's protocol: `POST /v1/audio/transcriptions`, and the list of models.

Source: the OpenAPI specification of OpenAI, as in version 3.57 of its Python package.
"""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict

from audioseq.server.errors import RequestError
from audioseq.server.forms import find_file, parse_fields, parsed_form, stored, unless_gone
from audioseq.server.service import Service
from audioseq.speech import writers


class TranscriptionForm(BaseModel):
    """The fields of a transcription besides its file."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    model: str
    response_format: Literal["json", "text", "srt", "vtt", "verbose_json"] = "json"


def make_router(service: Service) -> APIRouter:
    """Return the addresses of the protocol."""
    router = APIRouter(prefix="/v1")

    @router.post("/audio/transcriptions", summary="Transcribe a recording")
    async def transcribe(request: Request) -> Response:
        async with service.slot(), parsed_form(request) as form:
            upload = find_file(form, "file")
            if upload is None:
                raise RequestError("file: is missing", code="missing_required_parameter", param="file")
            fields = parse_fields(TranscriptionForm, form)
            async with stored(upload) as path:
                transcript = await unless_gone(
                    request, service.transcribe(path, name=upload.filename or "file")
                )
        if fields.response_format in ("json", "verbose_json"):
            return JSONResponse({"text": transcript.text})
        form_name = {"text": "txt"}.get(fields.response_format, fields.response_format)
        return PlainTextResponse(writers.write(transcript, form_name))

    return router
