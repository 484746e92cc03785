"""Errors of requests: statuses, and the error object of OpenAI's API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from audioseq.errors import AudioseqError


class RequestError(AudioseqError):
    """A request that cannot be served.

    Args:
        message: one line: what is wrong, and what to do.
        status: HTTP status.
        code: identifier of the error, such as `model_not_found`.
        param: the field of the request that is wrong.
        headers: further headers of the response.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param, self.headers = status, code, param, headers

    def to_object(self) -> dict[str, Any]:
        """Return the error object of OpenAI's API."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        if self.status == 429:
            kind = "rate_limit_error"
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


def to_request_error(error: AudioseqError) -> RequestError:
    """Return the error of a request for an error of the package, which is about the user's input."""
    return error if isinstance(error, RequestError) else RequestError(str(error), code="invalid_value")


def to_response(error: AudioseqError) -> JSONResponse:
    """Return the response for an error."""
    found = to_request_error(error)
    return JSONResponse(found.to_object(), found.status, headers=found.headers)


def add_error_handlers(app: FastAPI) -> None:
    """Make an application report all errors in OpenAI's error object."""

    @app.exception_handler(AudioseqError)
    def handle_ours(request: Request, error: AudioseqError) -> JSONResponse:
        return to_response(error)

    @app.exception_handler(HTTPException)
    def handle_http(request: Request, error: HTTPException) -> JSONResponse:
        message = error.detail
        if error.status_code == 404:
            message = f"{request.method} {request.url.path}: no such address; the API is at /v1"
        elif error.status_code == 405:
            message = f"{request.method} {request.url.path}: this method is not allowed here"
        return to_response(RequestError(message, status=error.status_code, headers=error.headers))

    @app.exception_handler(Exception)
    def handle_bug(request: Request, error: Exception) -> JSONResponse:
        return to_response(
            RequestError("unexpected error; the log of the server has its traceback", status=500)
        )
