"""Multipart forms: their fields and files, checked and described by pydantic models."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from audioseq.server.errors import RequestError

MAX_FIELDS = 1000
"""Maximum number of fields of a form."""
MAX_FIELD_BYTES = 100_000
"""Maximum size of a field that is not a file."""
BLOCK_BYTES = 1 << 20

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


def describe_form(model: type[BaseModel], file: str, description: str) -> dict[str, Any]:
    """Return the content of a request for OpenAPI: a form with the fields of a model, and a file."""
    schema = model.model_json_schema()
    lists = [name for name, field in schema["properties"].items() if field.get("type") == "array"]
    for name in lists:
        schema["properties"][f"{name}[]"] = schema["properties"].pop(name)
    schema["properties"][file] = {"type": "string", "format": "binary", "description": description}
    return {"multipart/form-data": {"schema": schema}}


@asynccontextmanager
async def parsed_form(request: Request) -> AsyncIterator[FormData]:
    """Parse a multipart form; its files are removed at the end.

    Raises:
        RequestError: it is not a form, or damaged.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise RequestError("the request is not multipart/form-data; send the recording as the field file")
    try:
        form = await request.form(max_files=2, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES)
    except HTTPException as error:
        raise RequestError(f"the form is damaged: {error.detail}; send it again") from None
    except ClientDisconnect:
        raise RequestError("the client has disconnected", status=499) from None
    try:
        yield form
    finally:
        await form.close()


def parse_fields(model: type[M], form: FormData) -> M:
    """Return the fields of a form without its files as a model; `name[]` is a list.

    Raises:
        RequestError: a field is unknown, missing or out of range.
    """
    fields: dict[str, Any] = {}
    for key, value in form.multi_items():
        if isinstance(value, UploadFile):
            continue
        if key.endswith("[]"):
            fields.setdefault(key.removesuffix("[]"), []).append(value)
        else:
            # An object, as `chunking_strategy[type]`.
            fields[key.partition("[")[0]] = value
    return validate(model, fields)


def validate(model: type[M], fields: Any) -> M:
    """Return values as a model; errors as in `parse_fields`."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or None
        code = {"missing": "missing_required_parameter", "extra_forbidden": "unknown_parameter"}
        message = {"missing": "is missing", "extra_forbidden": "is not a known field"}
        raise RequestError(
            f"{name or 'the request'}: {message.get(first['type'], first['msg'])}; see the documentation",
            code=code.get(first["type"], "invalid_value"),
            param=name,
        ) from None


def find_file(form: FormData, name: str) -> UploadFile | None:
    """Return the file of a field, or None.

    Raises:
        RequestError: the field is text.
    """
    value = form.get(name)
    if isinstance(value, str):
        raise RequestError(f"{name}: is text; upload it as a file", code="invalid_value", param=name)
    return value


@asynccontextmanager
async def stored(upload: UploadFile) -> AsyncIterator[Path]:
    """Copy an upload to a file whose name does not depend on the client, and remove it at the end."""
    path = await asyncio.to_thread(_store, upload.file)
    try:
        yield path
    finally:
        with suppress(OSError):
            path.unlink()


def _store(source: BinaryIO) -> Path:
    source.seek(0)
    number, name = tempfile.mkstemp(prefix="upload-")
    with os.fdopen(number, "wb") as file:
        while block := source.read(BLOCK_BYTES):
            file.write(block)
    return Path(name)


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Return the result of some work, and cancel it if the client closes the connection first."""
    running = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_wait_until_gone(request.receive))
    try:
        await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            running.cancel()
            await asyncio.wait({running})
            raise RequestError("the client has disconnected", status=499)
        return running.result()
    finally:
        gone.cancel()
        running.cancel()


async def _wait_until_gone(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
