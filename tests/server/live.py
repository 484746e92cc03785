"""A server in a thread, with tiny models, for tests."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import soundfile as sf
import torch
import uvicorn
from fastapi import FastAPI

from audioseq import checkpoint
from audioseq.server.options import ServerOptions
from audioseq.server.run import listen, make_config
from audioseq.server.service import Service
from audioseq.speech.task import SpeechTask
from tests.music.tiny import model_file
from tests.speech.tiny import config, utterances

RATE = 16_000


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    """Return noise `[N]` at 16 kHz, which the tiny model transcribes as random letters."""
    draw = np.random.default_rng(seed)
    return draw.normal(scale=0.1, size=round(seconds * RATE)).astype(np.float32)


def wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    """Return the content of a wav file."""
    buffer = io.BytesIO()
    sf.write(buffer, samples, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


class Server:
    """A running server: its address, and its service."""

    def __init__(self, address: str, app: FastAPI) -> None:
        self.address = address
        """Such as `http://127.0.0.1:12345`."""
        self.service: Service = app.state.service


@contextmanager
def serving(options: ServerOptions) -> Iterator[Server]:
    """Run a server, as `audioseq serve` does, on a free port."""
    running = make_config(options)
    running.load()
    app = running.loaded_app
    while not isinstance(app, FastAPI):
        app = app.app
    with listen("127.0.0.1", 0) as listening:
        server = uvicorn.Server(running)
        thread = Thread(target=server.run, args=([listening],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield Server(f"http://127.0.0.1:{listening.getsockname()[1]}", app)
        finally:
            server.should_exit = True
            thread.join()


def _write_babbler(path: Path, letter: str) -> None:
    """Write a model that emits a letter and spaces at random."""
    made = utterances(path.parent, ["ab"])
    task = SpeechTask(config(), made, made)
    torch.manual_seed(3)
    weight = task.model.head.linear.weight
    torch.nn.init.normal_(weight, std=50.0)  # high probabilities
    space, often, wanted = (task.tokenizer.encode(text)[0] for text in (" ", "s", letter))
    with torch.no_grad():
        weight[[space, often, wanted]] = weight[[often, wanted, space]]  # this seed emits `often` often
    checkpoint.save(path, task.model.state_dict(), task.header({}))


def tiny_options(folder: Path, **options: Any) -> ServerOptions:
    """Return options for tiny models, which are written to a folder."""
    music = folder / "composer.safetensors"
    speech = {name: folder / f"{name}.safetensors" for name in ("babbler", "mumbler")}
    if not music.exists():
        model_file(music)
        for path, letter in zip(speech.values(), "am", strict=True):
            _write_babbler(path, letter)
    models = tuple(map(str, speech.values()))
    return ServerOptions(
        models=models, music_model=str(music), device="cpu", **{"idle_seconds": 5.0, **options}
    )
