"""Run the application: its port, its worker processes, and their end."""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
from asyncio import BaseTransport
from functools import partial

import h11
import torch
import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.supervisors import Multiprocess

from audioseq import models
from audioseq.errors import AudioseqError, ConfigError
from audioseq.memory import release_freed_memory
from audioseq.server.app import create_app
from audioseq.server.metrics import FOLDER_VARIABLE
from audioseq.server.options import ServerOptions
from audioseq.server.speech import choose_names, load_models
from audioseq.server.spool import private_folder

GRACE_SECONDS = 60
"""Time that running requests have to finish after SIGTERM, seconds."""
HEAD_SECONDS = 30.0
"""Time that a client has for the head of a request, seconds; at most twice as long on a used connection."""
KEEP_SECONDS = 60
"""Time for which an idle connection is kept, seconds: a request sent while it is being closed fails."""
HEALTH_SECONDS = 60
"""Time in which a worker must answer the main process, seconds; it may be loading a model."""


class TimedProtocol(H11Protocol):
    """HTTP connections that are closed if a client does not complete the head of a request in time.

    uvicorn has no such limit: connections whose clients send a byte now and then would stay open.
    """

    def connection_made(self, transport: BaseTransport) -> None:
        """Start to watch a connection."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._look(None, first=True)

    def _look(self, before: object, *, first: bool = False) -> None:
        """Close the connection if it has waited for the same head since the last time."""
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return
        waiting = self.conn.their_state is h11.IDLE
        now = self.cycle if waiting else self
        if waiting and now is before and not first:
            self.transport.close()
        else:
            self.loop.call_later(HEAD_SECONDS, self._look, now)


def create_worker_app(options: ServerOptions) -> FastAPI:
    """Return the application of a worker process, or end the process with the status of a failed start.

    uvicorn then ends the other workers too; it would start a worker with another status again and again.
    """
    try:
        return create_app(options)
    except AudioseqError:  # the main process reports it, once for all workers
        sys.exit(STARTUP_FAILURE)
    except Exception:
        traceback.print_exc()
        sys.exit(STARTUP_FAILURE)


def make_config(options: ServerOptions, workers: int = 1) -> uvicorn.Config:
    """Return the configuration of a server, which loads the application when it starts."""
    return uvicorn.Config(
        partial(create_app if workers == 1 else create_worker_app, options),
        factory=True,
        http=TimedProtocol,
        workers=workers,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_SECONDS,
        timeout_worker_healthcheck=HEALTH_SECONDS,
        server_header=False,
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address.

    Raises:
        ConfigError: the address is not of this computer, or is in use.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(
            f"--host {host} --port {port}: cannot be listened on ({error.strerror}); choose another one"
        ) from None


def run(options: ServerOptions, *, host: str, port: int, workers: int = 1) -> None:
    """Serve until SIGTERM or SIGINT; requests that run are finished first.

    Args:
        options: options of the application.
        host: address to listen on.
        port: port to listen on; 0 for a free one.
        workers: number of processes, each with its own models, that share the port.
    Raises:
        CheckpointError: a model does not exist, or a speech model is damaged.
        ConfigError: two speech models have the same name, the address cannot be listened on, or the worker
            processes cannot start.
    """
    choose_names(options.models)
    chosen = {"music": options.music_model, "harmony": options.harmony_model}
    for task, name in chosen.items():
        models.resolve(name or models.default_for(task), task)
    config = make_config(options, workers)
    with listen(host, port) as listening:
        # uvicorn raises the signal again once it has ended; the exit code is then that of a success.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        if workers == 1:
            config.load()  # loads the models, or fails before it says that it listens
        else:
            _check_models(options)
        name = f"[{host}]" if ":" in host else host
        print(f"listens on http://{name}:{listening.getsockname()[1]}", file=sys.stderr, flush=True)
        if workers == 1:
            uvicorn.Server(config).run([listening])
            return
        os.environ["OMP_NUM_THREADS"] = str(max(1, torch.get_num_threads() // workers))
        with private_folder() as folder:
            os.environ[FOLDER_VARIABLE] = str(folder)
            supervisor = Multiprocess(config, [listening])
            supervisor.run()
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            _check_models(options)
            raise ConfigError(
                "a worker process could not start, although the models can be loaded; try again"
            )


def _check_models(options: ServerOptions) -> None:
    """Load the speech models, and free them: the workers have their own. Errors as in `load_models`."""
    for model in load_models(options).values():
        model.recogniser.close()
    release_freed_memory()
