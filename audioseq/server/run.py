"""Run the application: its port, its worker processes, and their end."""

from __future__ import annotations

import os
import tempfile
from functools import partial

import torch
import uvicorn
from uvicorn.supervisors import Multiprocess

from audioseq.server.app import create_app
from audioseq.server.metrics import FOLDER_VARIABLE
from audioseq.server.options import ServerOptions

GRACE_SECONDS = 60
"""Time that running requests have to finish after SIGTERM, seconds."""


def run(options: ServerOptions, *, host: str, port: int, workers: int = 1) -> None:
    """Serve until SIGTERM or SIGINT; what runs is finished first.

    Args:
        options: options of the application.
        host: address to listen on.
        port: port to listen on; 0 for a free one.
        workers: number of processes, each with its own models, that share the port.
    Raises:
        ConfigError: the address cannot be listened on.
    """
    config = uvicorn.Config(
        partial(create_app, options),
        factory=True,
        host=host,
        port=port,
        workers=workers,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
    )
    server = uvicorn.Server(config)
    if workers == 1:
        server.run()
        return
    os.environ["OMP_NUM_THREADS"] = str(max(1, torch.get_num_threads() // workers))
    with tempfile.TemporaryDirectory(prefix="audioseq-metrics-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        Multiprocess(config, sockets=[config.bind_socket()]).run()
