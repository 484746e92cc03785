"""Commands on tiny inputs, each run in a process of its own, for tests of kills and of bad conditions.

`make_inputs` writes the inputs. `run_command` runs a command of the command line in the current process and
ends it; it is the target of a forked process.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import random
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from audioseq import models
from audioseq.cli.main import run
from audioseq.config import Config, dump_toml
from audioseq.data import write_manifest
from audioseq.language.config import DataConfig as TextConfig
from audioseq.language.config import LanguageConfig
from audioseq.language.config import ModelConfig as LanguageModelConfig
from audioseq.models import Model
from audioseq.speech.batch import transcribe as batch
from audioseq.training import TrainingConfig, loop
from tests.mortal import make_mortal
from tests.music import tiny as tiny_music
from tests.speech import babbler
from tests.speech import tiny as tiny_speech

SMOKE = Path(__file__).parents[1] / "recipes" / "music-lstm" / "smoke" / "smoke.jsonl"
TRAINING = {"precision": "fp32", "save_every": 2, "average": 2, "warmup": 5, "learning_rate": 0.01}
MODEL_BYTES = 2_000_000
"""Size of the file that `models fetch` downloads."""
BLOCK_BYTES = 50_000
"""The server sends this many bytes, then waits."""
BLOCK_SECONDS = 0.004

COMMANDS = {
    "train speech": ("train", "{inputs}/speech.toml", "--run-dir", "run", "--resume", "--device", "cpu"),
    "train music": ("train", "{inputs}/music.toml", "--run-dir", "run", "--resume", "--device", "cpu"),
    "train language": ("train", "{inputs}/language.toml", "--run-dir", "run", "--resume", "--device", "cpu"),
    "transcribe": (
        *("transcribe", "{inputs}/clips", "-o", "out", "--resume"),
        *("-m", "{inputs}/babbler-0.safetensors", "--device", "cpu"),
    ),
    "models fetch": ("models", "fetch", "large"),
    "lm train": ("lm", "train", "{inputs}/text.txt", "-o", "text.safetensors", "--force"),
    "compose": (
        *("compose", "-m", "{inputs}/composer.safetensors", "--bars", "2", "--seed", "7"),
        *("-o", "out.mid", "--wav", "out.wav", "--force", "--device", "cpu"),
    ),
}
"""Command lines; `{inputs}` is the folder of the inputs, and outputs are in the current folder."""


def make_inputs(folder: Path) -> None:
    """Write recordings, pieces, texts, configs and models to a folder."""
    folder.mkdir(parents=True)
    babbler.record(folder / "clips", 10)
    babbler.make(folder)
    tiny_music.model_file(folder / "composer.safetensors")
    (folder / "large").write_bytes(random.Random(0).randbytes(MODEL_BYTES))
    words = [f"w{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10 % 10]}{'uvwxyz'[n // 100]}" for n in range(600)]
    draw = random.Random(1)
    lines = [" ".join(words[int(600 * draw.random() ** 3)] for _ in range(12)) for _ in range(4000)]
    (folder / "text.txt").write_text("\n".join(lines) + "\n")
    (folder / "short.txt").write_text("\n".join(lines[:40]) + "\n")
    spoken = tiny_speech.utterances(folder, ["ab cd", "ba dc", "abc d", "cab d", "dab c", "bad"])
    write_manifest(folder / "speech.jsonl", spoken)
    speech = tiny_speech.config(**TRAINING, epochs=4.0, validate_every=1.0)
    data: dict[str, Any] = {"train": (folder / "speech.jsonl",), "valid": (folder / "speech.jsonl",)}
    data |= {"cache": Path("cache"), "seconds_per_batch": 2.0}
    _write(folder / "speech.toml", speech.model_copy(update={"data": speech.data.model_copy(update=data)}))
    music = tiny_music.config(**TRAINING, epochs=1.0, validate_every=0.5)
    data = {"train": (SMOKE,), "valid": (SMOKE,), "cache": Path("pieces.npz")}
    _write(folder / "music.toml", music.model_copy(update={"data": music.data.model_copy(update=data)}))
    language = LanguageConfig(
        data=TextConfig(train=(folder / "short.txt",), valid=(folder / "short.txt",), streams=4, window=32),
        model=LanguageModelConfig(embedding_size=16, hidden_size=16, num_layers=1, dropout=0.1),
        training=TrainingConfig(**TRAINING, epochs=1.5, validate_every=0.5),  # type: ignore[arg-type]
    )
    _write(folder / "language.toml", language)


def _write(path: Path, config: Config) -> None:
    path.write_text(dump_toml(config))


def run_command(
    name: str,
    inputs: Path,
    folder: Path,
    *,
    log: Path,
    url: str = "",
    options: tuple[str, ...] = (),
    kill_at_operation: int = 0,
    prepare: Callable[[], object] | None = None,
) -> None:
    """Run a command in this process, and end the process with its exit code; 70 if there is a traceback.

    Clocks of the training loop stand still, so that all files of a run are the same bytes at any speed.

    Args:
        name: of the command in `COMMANDS`.
        inputs: folder of `make_inputs`.
        folder: current folder of the command; its cache is in the subfolder `cache`.
        log: file for stdout and stderr.
        url: address of the model for `models fetch`.
        options: more options of the command.
        kill_at_operation: as in `make_mortal`.
        prepare: called last before the command.
    """
    import torch

    torch.set_num_threads(1)
    os.chdir(folder)
    os.environ["AUDIOSEQ_CACHE"] = "cache"
    os.environ["no_proxy"] = "*"
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    checksum = hashlib.sha256((inputs / "large").read_bytes()).hexdigest()
    models.CATALOGUE = (
        *models.CATALOGUE,
        Model(name="large", task="speech", file="large", sha256=checksum, summary="", url=url),
    )
    batch.WINDOW_SECONDS = 3.0
    setattr(loop, "time", SimpleNamespace(monotonic=lambda: 0.0))  # noqa: B010
    code = 70
    try:
        if prepare is not None:
            prepare()
        make_mortal(kill_at_operation)
        arguments = [part.format(inputs=inputs) for part in COMMANDS[name]]
        code = run([*arguments, *options])
    except Exception:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves a file slowly, from the requested byte on."""

    content = b""

    def do_GET(self) -> None:
        found = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        start = int(found[1]) if found else 0
        if start >= len(self.content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        try:
            for first in range(start, len(self.content), BLOCK_BYTES):
                self.wfile.write(self.content[first : first + BLOCK_BYTES])
                time.sleep(BLOCK_SECONDS)
        except OSError:  # the process was killed
            pass

    def log_message(self, *_: object) -> None:
        """Do not log requests."""


def make_server(inputs: Path) -> http.server.ThreadingHTTPServer:
    """Return a server of the model for `models fetch`, which is not running yet."""
    handler = type("Handler", (Handler,), {"content": (inputs / "large").read_bytes()})
    return http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)


def address(server: http.server.ThreadingHTTPServer) -> str:
    """Return the address of the model."""
    return f"http://127.0.0.1:{server.server_port}/large"


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of each file, by its relative path; a journal without times, and no lock files."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.endswith(".lock"):
            content = path.read_bytes()
            if path.name == "results.jsonl":
                content = b"\n".join(map(_without_times, content.splitlines()))
            found[path.relative_to(folder).as_posix()] = content
    return found


def _without_times(line: bytes) -> bytes:
    fields = json.loads(line)
    return json.dumps({key: fields[key] for key in fields if key not in ("finished", "seconds")}).encode()
