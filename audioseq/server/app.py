"""The application: its addresses, and its start and end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST

from audioseq import __version__
from audioseq.server import compositions, transcriptions, vosk
from audioseq.server.errors import add_error_handlers
from audioseq.server.guard import Guard
from audioseq.server.options import ServerOptions
from audioseq.server.service import Service


def create_app(options: ServerOptions) -> FastAPI:
    """Load the models, and return the application; its end frees them.

    Args:
        options: what to serve, and the limits.
    Raises:
        CheckpointError: a model does not exist.
    """
    service = Service(options)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="audioseq",
        description="Times are in seconds. Vosk's WebSocket protocol for live speech is at `/` and `/vosk`.",
        version=__version__,
        docs_url=None,  # the scripts of FastAPI's pages come from another host
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    add_error_handlers(app)
    for protocol in (transcriptions, compositions, vosk):
        app.include_router(protocol.make_router(service))

    @app.get("/health", tags=["state"], summary="Whether the server works")
    def health() -> dict[str, Any]:
        return {
            "status": "ok",
            "version": __version__,
            "models": list(service.models),
            "active": service.active,
        }

    @app.get("/metrics", tags=["state"], summary="Metrics in the format of Prometheus")
    def metrics() -> Response:
        return Response(service.metrics.write(), media_type=CONTENT_TYPE_LATEST)

    _add_docs(app)
    if options.web:
        from audioseq.server.web.page import mount

        mount(app, service)
    app.add_middleware(Guard, options=options, metrics=service.metrics)
    if options.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=options.cors_origins, allow_methods=["*"], allow_headers=["*"]
        )
    return app


def _add_docs(app: FastAPI) -> None:
    """Add the page of the API, `/docs`, whose script and style are in a package."""
    app.mount("/swagger", StaticFiles(packages=[("fastapi_swagger", "resources")]))

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title="audioseq",
            swagger_js_url="swagger/swagger-ui-bundle.js",
            swagger_css_url="swagger/swagger-ui.css",
            swagger_favicon_url="swagger/favicon-32x32.png",
        )
