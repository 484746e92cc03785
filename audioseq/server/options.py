"""Options of the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerOptions:
    """What a server process loads, accepts and refuses."""

    models: tuple[str, ...] = ()
    """Names or files of the speech models; the first answers if none is named. Empty for the default one."""
    music_model: str | None = None
    """Name or file of the model that composes; None for the default one."""
    harmony_model: str | None = None
    """Name or file of the model that harmonises; None for the default one."""
    device: str = "auto"
    """Device of the models, as in `load_recogniser`."""
    greedy: bool = False
    """Decode without language models, unless a request names hotwords: faster, with more errors."""
    web: bool = False
    """Whether to serve the page at `/`."""
    api_key: str | None = None
    """Key that each request must carry; None to serve everybody who reaches the port."""
    max_upload: int = 100 * 10**6
    """Maximum size of a request, bytes."""
    max_seconds: float = 7200.0
    """Maximum length of a recording, seconds."""
    queue: int = 64
    """Requests that are accepted at the same time; further ones are refused with status 429."""
    timeout_seconds: float = 1800.0
    """Maximum time of a request, seconds, without its upload."""
    idle_seconds: float = 30.0
    """Maximum time in which a client sends nothing of a request that it has begun, seconds."""
    batch_ms: float = 10.0
    """Time for which work of one request waits for that of others, milliseconds, if there is nothing else."""
    cors_origins: tuple[str, ...] = ()
    """Origins of pages elsewhere whose scripts may use the server, such as `https://example.org`."""
