"""`audioseq serve`: a server for OpenAI's and Vosk's protocols, music, and a page."""

from __future__ import annotations

import importlib.util
from typing import Annotated

import typer

from audioseq.cli.common import DEFAULT_MODEL, MODEL_HELP, Device
from audioseq.errors import ConfigError

INSTALL = {"fastapi": 'pip install "audioseq[serve]"', "nicegui": 'pip install "audioseq[web]"'}
"""How to install the modules that the server needs."""


def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on; 0.0.0.0 for all of this computer.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Port to listen on; 0 for a free one.")
    ] = 8000,
    web: Annotated[bool, typer.Option("--web", help="Also serve the page, at /.")] = False,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "-m",
            "--model",
            metavar="MODEL",
            help=f"{MODEL_HELP} Repeatable: clients choose one, and the first is the default.",
            show_default=DEFAULT_MODEL,
        ),
    ] = None,
    greedy: Annotated[
        bool,
        typer.Option("--greedy", help="Decode without language models: faster, with more errors."),
    ] = False,
    music_model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Model that composes.", show_default="music-small")
    ] = None,
    harmony_model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Model that harmonises.", show_default="chorale")
    ] = None,
    workers: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Processes that share the port; each loads the models."),
    ] = 1,
    api_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            envvar="AUDIOSEQ_API_KEY",
            help="Key that requests must carry. Other users of the computer can see options: prefer the "
            "environment variable.",
            show_default="none",
        ),
    ] = None,
    max_upload: Annotated[
        float, typer.Option(metavar="MB", min=0.001, help="Maximum size of a request in megabytes.")
    ] = 100.0,
    max_seconds: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="Maximum length of a recording.")
    ] = 7200.0,
    queue: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Requests at a time; further ones are refused (status 429)."),
    ] = 64,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="Maximum time of a request, after its upload.")
    ] = 1800.0,
    batch_ms: Annotated[
        float,
        typer.Option(metavar="MS", min=0.0, help="How long an idle server waits for requests to batch."),
    ] = 10.0,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN", help="Origin of a page elsewhere that may use the server; repeatable."
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Serve transcription and composition over HTTP and WebSockets.

    \b
    OpenAI's API   POST /v1/audio/transcriptions, GET /v1/models
    Vosk's         ws://HOST:PORT/
    Music          POST /v1/music/compositions
    State          GET /health, GET /metrics
    Description    GET /docs, GET /openapi.json

    \b
    audioseq serve --web
    audioseq serve -m english-small -m digits
    audioseq serve --host 0.0.0.0 --port 80 --workers 4 --api-key SECRET

    The extra audioseq[serve] installs the server, and audioseq[web] the page. SIGTERM ends the server once
    the requests that run are finished.
    """
    for module, install in INSTALL.items():
        if (module == "fastapi" or web) and importlib.util.find_spec(module) is None:
            raise ConfigError(f"{module} is not installed; run: {install}")

    if web and workers > 1:
        raise ConfigError(f"--workers {workers}: --web needs a single process; leave out --web or --workers")

    from audioseq.server.options import ServerOptions
    from audioseq.server.run import run

    options = ServerOptions(
        models=tuple(model or ()),
        music_model=music_model,
        harmony_model=harmony_model,
        device=device,
        greedy=greedy,
        web=web,
        api_key=api_key,
        max_upload=round(max_upload * 1e6),
        max_seconds=max_seconds,
        queue=queue,
        timeout_seconds=timeout,
        batch_ms=batch_ms,
        cors_origins=tuple(cors_origin or ()),
    )
    run(options, host=host, port=port, workers=workers)
