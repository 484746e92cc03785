"""Checks of each request: its key, its origin, and the size and speed of its upload; and metrics."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from asyncio import timeout
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from audioseq.server.errors import RequestError, to_response
from audioseq.server.metrics import Metrics
from audioseq.server.options import ServerOptions

OPEN_PATHS = ("/health",)
"""Addresses that need no key."""
MIN_BYTES_PER_SECOND = 10_000
"""Speed of an upload below which it is ended; the first seconds of `idle_seconds` are free."""


class Guard:
    """Middleware that refuses requests without the key, from other origins, too large or too slow.

    Args:
        app: the application behind it.
        options: key, limits and origins.
        metrics: counts requests and measures their time.
    """

    def __init__(self, app: ASGIApp, options: ServerOptions, metrics: Metrics) -> None:
        self._app, self._options, self._metrics = app, options, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket" and (
            not self._has_key(scope) or not self._has_allowed_origin(Headers(scope=scope))
        ):
            await send({"type": "websocket.close", "code": 1008, "reason": "not allowed"})
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.perf_counter(), 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            if not self._has_key(scope):
                await to_response(self._unauthorised())(scope, receive, send_and_note)
            elif not self._has_allowed_origin(headers := Headers(scope=scope)):
                await to_response(_foreign(headers["origin"]))(scope, receive, send_and_note)
            else:
                await self._app(scope, self._limited(scope, receive), send_and_note)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(path, str(status)).inc()
            self._metrics.latency.labels(path).observe(time.perf_counter() - began)

    def _has_key(self, scope: Scope) -> bool:
        """Return whether a request carries the key, as a bearer token or as the password of a browser."""
        key = self._options.api_key
        if key is None or scope["path"] in OPEN_PATHS:
            return True
        kind, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        secret = given.strip().encode("latin-1")
        if kind.lower() == "basic":
            try:
                secret = base64.b64decode(secret, validate=True).partition(b":")[2]
            except binascii.Error:
                return False
        return hmac.compare_digest(secret, key.encode())

    def _unauthorised(self) -> RequestError:
        scheme = 'Basic realm="audioseq"' if self._options.web else "Bearer"
        return RequestError(
            "incorrect API key; send it in the header: Authorization: Bearer KEY",
            status=401,
            code="invalid_api_key",
            headers={"WWW-Authenticate": scheme},
        )

    def _has_allowed_origin(self, headers: Headers) -> bool:
        """Return whether a request does not come from a page of another origin.

        Browsers open WebSockets and send forms for pages of any origin; CORS only keeps answers from them.
        """
        origin = headers.get("origin")
        if origin is None or origin in self._options.cors_origins or "*" in self._options.cors_origins:
            return True
        return urlsplit(origin).netloc == headers.get("host")

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        """Return a `receive` that raises an error once the body is too large or comes too slowly."""
        limit, began, size, complete = self._options.max_upload, time.monotonic(), 0, False
        length = Headers(scope=scope).get("content-length", "")

        async def limited() -> Message:
            nonlocal size, complete
            if complete:
                return await receive()  # waits for the client to go
            if length.isdigit() and int(length) > limit:
                raise _too_large(limit)
            until = began + self._options.idle_seconds + size / MIN_BYTES_PER_SECOND
            try:
                async with timeout(max(0.0, until - time.monotonic())):
                    message = await receive()
            except TimeoutError:
                raise RequestError(
                    "the upload is too slow", status=408, code="timeout", headers={"Connection": "close"}
                ) from None
            size += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if size > limit:
                raise _too_large(limit)
            return message

        return limited


def _foreign(origin: str) -> RequestError:
    return RequestError(
        f"pages of {origin[:200]!r} may not use this server; to allow them, start it with --cors-origin",
        status=403,
        code="origin_not_allowed",
    )


def _too_large(limit: int) -> RequestError:
    return RequestError(
        f"the request is larger than the limit of {limit} bytes; send a compressed or shorter recording",
        status=413,
        code="file_too_large",
        param="file",
        headers={"Connection": "close"},
    )
