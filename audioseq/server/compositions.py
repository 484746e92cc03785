"""Music: `POST /v1/music/compositions`, with options in and a MIDI file, audio or a piano roll out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from audioseq import audio
from audioseq.files import parse_json
from audioseq.server.composing import MAX_BARS, MAX_PIECES, MAX_SECONDS, ComposeOptions
from audioseq.server.errors import RequestError
from audioseq.server.forms import describe_form, find_file, parse_fields, parsed_form, unless_gone, validate
from audioseq.server.service import Service

if TYPE_CHECKING:
    from audioseq.music.harmony.pipeline import Harmonisation
    from audioseq.music.pipeline import Composition

MAX_JSON_BYTES = 100_000
"""Maximum size of a request in JSON."""
SAMPLE_RATE = 44_100
"""Sample rate of audio, Hz."""
Format = Literal["midi", "wav", "png"]
MEDIA_TYPES: dict[Format, str] = {"midi": "audio/midi", "wav": "audio/wav", "png": "image/png"}
SUFFIXES: dict[Format, str] = {"midi": "mid", "wav": "wav", "png": "png"}
ACCEPTED: dict[str, Format] = {
    "audio/midi": "midi", "audio/mid": "midi", "audio/x-midi": "midi", "audio/sp-midi": "midi",
    "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav", "audio/vnd.wave": "wav",
    "image/png": "png", "audio/*": "midi", "image/*": "png", "*/*": "midi",
}  # fmt: skip
"""Formats by the media types of an `Accept` header."""


class CompositionForm(BaseModel):
    """The options of a composition; those that are left out are sampled from the training distribution."""

    model_config = ConfigDict(extra="forbid")

    seed: int | None = Field(None, ge=0, lt=2**63, description="Equal seeds give equal pieces.")
    style: str | None = Field(None, description="pop, lied, quartet or chorale.")
    key: str | None = Field(None, description="Such as `D`, `Bb minor` or `f#`.")
    tempo: float | None = Field(None, ge=20, le=400, description="Quarter notes per minute.")
    density: float | None = Field(None, ge=0.5, le=16, description="Notes per quarter note.")
    chords: str | None = Field(
        None,
        max_length=10_000,
        description="Chords bar by bar, such as `| C | Am7 | F G7 |` or `I vi ii V7`.",
    )
    meter: str | None = Field(None, max_length=10, description="Time signature of new bars, such as `3/4`.")
    bars: int | None = Field(None, ge=1, le=MAX_BARS, description="Length in bars, instead of seconds.")
    seconds: float | None = Field(
        None, ge=1, le=MAX_SECONDS, description="Length in seconds, accurate to one bar; 60 unless given."
    )
    best_of: int = Field(
        1, ge=1, le=MAX_PIECES, description="Number of candidates, of which the most probable is returned."
    )
    temperature: float | None = Field(
        None, gt=0, le=10, description="Sampling temperature: lower is more predictable."
    )
    harmonise: bool = Field(
        False, description="Add alto, tenor and bass to the melody of the primer instead of continuing it."
    )
    format: Format | None = Field(None, description="Format of the result, instead of the header `Accept`.")


DESCRIPTION = {
    "requestBody": {
        "content": {
            "application/json": {"schema": CompositionForm.model_json_schema()},
            **describe_form(CompositionForm, "primer", "MIDI file to continue, or to harmonise."),
        }
    },
    "responses": {
        "200": {"description": "The piece.", "content": {kind: {} for kind in MEDIA_TYPES.values()}}
    },
}


def make_router(service: Service) -> APIRouter:
    """Return the address for compositions."""
    router = APIRouter(prefix="/v1/music", tags=["music"])

    @router.post("/compositions", summary="Compose a piece", openapi_extra=DESCRIPTION)
    async def compose(request: Request) -> Response:
        async with service.slot():
            fields, primer = await _parse(request)
            form = fields.format or _accepted(request.headers.get("accept", "*/*"))
            wanted = _to_options(fields, primer)
            (piece,) = await unless_gone(request, service.compose(wanted))
            content = await unless_gone(request, service.run(lambda: _render(piece, form)))
        headers = {
            "Audioseq-Seed": str(piece.seed),
            "Content-Disposition": f'attachment; filename="compose-{piece.seed}.{SUFFIXES[form]}"',
        }
        return Response(content, media_type=MEDIA_TYPES[form], headers=headers)

    return router


async def _parse(request: Request) -> tuple[CompositionForm, bytes | None]:
    """Return the fields of a request in JSON or of a form, and the primer."""
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        async with parsed_form(request) as form:
            upload = find_file(form, "primer")
            return parse_fields(CompositionForm, form), None if upload is None else await upload.read()
    body = b""
    async for block in request.stream():
        body += block
        if len(body) > MAX_JSON_BYTES:
            raise RequestError(
                f"the JSON is larger than the limit of {MAX_JSON_BYTES} bytes", status=413, code="too_large"
            )
    try:
        return validate(CompositionForm, parse_json(body or b"{}")), None
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError
        raise RequestError(
            f"the request is not JSON ({error}); send an object", code="invalid_json"
        ) from None


def _accepted(header: str) -> Format:
    """Return the format that an `Accept` header prefers.

    Raises:
        RequestError: there is none (406).
    Example:
        >>> _accepted("text/html, image/png;q=0.9, audio/wav;q=0.5")
        'png'
    """
    ranked = []
    for position, part in enumerate(header.split(",")):
        name, _, parameters = part.partition(";")
        _, _, quality = parameters.partition("q=")
        try:
            rank = float(quality or 1)
        except ValueError:
            rank = 0.0
        ranked.append((-rank, position, name.strip().lower()))
    for rank, _, name in sorted(ranked):
        if rank < 0 and name in ACCEPTED:
            return ACCEPTED[name]
    raise RequestError(
        f"Accept: no such format; accept {', '.join(MEDIA_TYPES.values())}", status=406, code="not_acceptable"
    )


def _to_options(fields: CompositionForm, primer: bytes | None) -> ComposeOptions:
    from audioseq.music.pipeline import CompositionOptions

    named = {"style", "key", "tempo", "density", "bars", "seconds", "chords", "meter"}
    options = CompositionOptions(**fields.model_dump(include=named))
    return ComposeOptions(
        options=None if options == CompositionOptions() else options,
        seed=fields.seed,
        best_of=fields.best_of,
        temperature=fields.temperature,
        primer=primer,
        harmonise=fields.harmonise,
    )


def _render(piece: Composition | Harmonisation, form: Format) -> bytes:
    """Return a piece as a file."""
    if form == "midi":
        return piece.score.to_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"compose-{piece.seed}.{SUFFIXES[form]}")
        if form == "wav":
            from audioseq.music.rendering.render import render

            audio.write(path, render(piece.score, SAMPLE_RATE), SAMPLE_RATE)
        else:
            from audioseq.music.analysis.plot import piano_roll

            piano_roll(piece.score, path)
        return path.read_bytes()
