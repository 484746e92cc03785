"""Latency, throughput and memory of the server under load.

    python -m tests.benchmarks.bench_serve [-m english-small digits] [--clients 1 4 16 64] [--requests 128]
        [--memory-requests 10000] [--vanishing 1000] [--greedy] [--workers 1]

Starts `audioseq serve` in a process of its own, with all models. For each model, clients that wait for each
answer before they ask again send clips of 5 s, each a different part of a recording (`--recording`, by
default the sample of the repository, repeated). Beside them, a loop transcribes the same clips one by one
without a server. Then clients of the last model close the connection in the middle of a request, or right
after it: they must leave no request, no file and no thread behind. Further requests of 16 clients of this
model, with clips of 1 s, measure the memory.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import soundfile as sf

from audioseq import audio
from audioseq.speech.pipeline import load_recogniser
from tests.benchmarks import report

CLIP_SECONDS = 5.0
MEMORY_CLIP_SECONDS = 1.0
"""Length of the clips that measure the memory: short, as their number matters."""
CLIPS = 64
"""Number of different clips."""
MEMORY_CLIENTS = 16
MEMORY_ROWS = 10
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
ADDRESS = "/v1/audio/transcriptions"
TIMEOUT_SECONDS = 600.0
"""Time for which a client waits for an answer, and the benchmark for the start and the end of work."""


def make_clips(recording: Path, seconds: float) -> list[np.ndarray]:
    """Return different clips `[N]` of a recording, which is repeated as often as needed."""
    waveform = audio.load(recording)
    length = round(seconds * audio.SAMPLE_RATE)
    starts = np.arange(CLIPS) * max(1, len(waveform) // CLIPS)
    return [np.roll(np.resize(waveform, max(length, len(waveform))), -start)[:length] for start in starts]


def to_wav(clip: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, clip, audio.SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


class Server:
    """A server process.

    Args:
        process: the process.
        address: its address.
    """

    def __init__(self, process: subprocess.Popen[bytes], address: str) -> None:
        self._process, self.address = process, address

    def memory_mb(self) -> float:
        """Return the resident memory of the process."""
        return int(self._read("statm").split()[1]) * PAGE_BYTES / 1e6

    def core_seconds(self) -> float:
        """Return the processor time of the process so far."""
        fields = self._read("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def threads(self) -> int:
        """Return the number of threads of the process."""
        return int(re.findall(r"Threads:\s+(\d+)", self._read("status"))[0])

    def files(self) -> int:
        """Return the number of open files of the process."""
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    def active(self) -> int:
        """Return the number of requests that are being served."""
        return int(httpx.get(f"{self.address}/health", timeout=TIMEOUT_SECONDS).json()["active"])

    def _read(self, name: str) -> str:
        return Path(f"/proc/{self._process.pid}/{name}").read_text()


@contextmanager
def serving(models: Sequence[str], options: Sequence[str]) -> Iterator[Server]:
    """Run a server on a free port."""
    program = [sys.executable, "-m", "audioseq", "serve", "--port", "0", "--queue", "1000"]
    program += [word for model in models for word in ("-m", model)]
    with (
        tempfile.NamedTemporaryFile() as log,
        subprocess.Popen([*program, *options], stderr=log, stdout=subprocess.DEVNULL) as process,
    ):
        while not (found := re.search(r"listens on (http\S+)", Path(log.name).read_text())):
            if process.poll() is not None:
                raise SystemExit("the server did not start")
            time.sleep(0.2)
        try:
            httpx.get(f"{found[1]}/health", timeout=TIMEOUT_SECONDS)  # waits for the models
            yield Server(process, found[1])
        finally:
            process.terminate()


async def load(
    server: Server, model: str, clips: Sequence[bytes], clients: int, requests: int
) -> list[float]:
    """Send requests of concurrent clients for a model; return their latencies in seconds."""
    left = iter(range(requests))
    latencies: list[float] = []

    async def client() -> None:
        async with httpx.AsyncClient(base_url=server.address, timeout=TIMEOUT_SECONDS) as http:
            for number in left:
                files = {"file": ("clip.wav", clips[number % len(clips)])}
                began = time.perf_counter()
                answer = await http.post(ADDRESS, files=files, data={"model": Path(model).stem})
                answer.raise_for_status()
                latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(client() for _ in range(clients)))
    return latencies


def row(name: str, latencies: Sequence[float], seconds: float, core_seconds: float) -> report.Row:
    """Return the row of a load, from the times of its requests, and of all of them."""
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99))
    return {
        "clients": name,
        "requests": len(latencies),
        "p50 (s)": round(float(p50), 2),
        "p95 (s)": round(float(p95), 2),
        "p99 (s)": round(float(p99), 2),
        "audio-hours per hour": round(len(latencies) * CLIP_SECONDS / seconds, 1),
        "core-milliseconds per clip": round(1000 * core_seconds / len(latencies)),
    }


def measure_loop(model: str, clips: Sequence[np.ndarray], requests: int, *, greedy: bool) -> report.Row:
    """Transcribe clips one by one, without a server."""
    recogniser = load_recogniser(model)
    decoding = "greedy" if greedy else None
    recogniser.transcribe(clips[0], audio.SAMPLE_RATE, decoding=decoding)  # type: ignore[arg-type]
    latencies: list[float] = []
    start = time.process_time()
    for number in range(requests):
        began = time.perf_counter()
        recogniser.transcribe(clips[number % len(clips)], audio.SAMPLE_RATE, decoding=decoding)  # type: ignore[arg-type]
        latencies.append(time.perf_counter() - began)
    return row("loop of single calls", latencies, sum(latencies), time.process_time() - start)


def measure_load(
    server: Server, model: str, clips: Sequence[bytes], clients: Sequence[int], requests: int
) -> list[report.Row]:
    """Return the latencies and the throughput of several numbers of clients."""
    rows: list[report.Row] = []
    asyncio.run(load(server, model, clips, 1, 1))  # the first request loads what is loaded late
    for number in clients:
        began, start = time.perf_counter(), server.core_seconds()
        latencies = asyncio.run(load(server, model, clips, number, max(requests, number)))
        seconds = time.perf_counter() - began
        rows.append(row(str(number), latencies, seconds, server.core_seconds() - start))
        report.show(rows[-1])
    return rows


def measure_memory(server: Server, model: str, clips: Sequence[bytes], requests: int) -> list[report.Row]:
    """Return the memory of the server after each part of many requests."""
    rows: list[report.Row] = []
    for part in range(1, MEMORY_ROWS + 1):
        asyncio.run(load(server, model, clips, MEMORY_CLIENTS, requests // MEMORY_ROWS))
        rows.append({"requests": part * (requests // MEMORY_ROWS), "memory (MB)": round(server.memory_mb())})
        report.show(rows[-1])
    return rows


async def vanish(server: Server, model: str, clip: bytes, clients: int) -> None:
    """Open connections that close in the middle of a request, or after it without waiting for the answer."""
    fields = {"model": Path(model).stem}
    form = httpx.Request("POST", server.address, files={"file": ("a.wav", clip)}, data=fields)
    body = form.read()
    head = (
        f"POST {ADDRESS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {form.headers['content-type']}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    port = int(server.address.rpartition(":")[2])

    async def client(number: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + (body if number % 2 else body[: len(body) // 2]))
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()

    for first in range(0, clients, 50):
        await asyncio.gather(*(client(number) for number in range(first, min(first + 50, clients))))


def measure_vanishing(server: Server, model: str, clip: bytes, clients: int) -> list[report.Row]:
    """Return what clients leave behind that vanish."""

    def state(when: str) -> report.Row:
        return {
            "when": when,
            "requests being served": server.active(),
            "open files": server.files(),
            "threads": server.threads(),
            "memory (MB)": round(server.memory_mb()),
        }

    rows = [state("before")]
    asyncio.run(vanish(server, model, clip, clients))
    until = time.monotonic() + TIMEOUT_SECONDS
    while server.active() and time.monotonic() < until:
        time.sleep(0.2)
    time.sleep(1)
    rows.append(state(f"after {clients} clients"))
    for each in rows:
        report.show(each)
    return rows


def main() -> None:
    """Measure, and write the results."""
    parser = report.parser("serve", __doc__)
    parser.add_argument("-m", "--models", nargs="+", default=["english-small", "digits"])
    parser.add_argument("--recording", type=Path, default=report.ROOT / "assets" / "hello.flac")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--requests", type=int, default=128, help="for each model and number of clients")
    parser.add_argument("--memory-requests", type=int, default=10_000)
    parser.add_argument("--vanishing", type=int, default=1000)
    parser.add_argument("--greedy", action="store_true", help="decode without language models")
    parser.add_argument("--workers", type=int, default=1, help="processes of the server")
    options = parser.parse_args()
    clips = make_clips(options.recording, CLIP_SECONDS)
    files = [to_wav(clip) for clip in clips]
    short = [to_wav(clip) for clip in make_clips(options.recording, MEMORY_CLIP_SECONDS)]
    tables: dict[str, list[report.Row]] = {}
    for model in options.models:
        loop = measure_loop(model, clips, min(options.requests, CLIPS), greedy=options.greedy)
        report.show(loop)
        tables[f"{model}, clips of {CLIP_SECONDS:g} s"] = [loop]
    server_options = ["--workers", str(options.workers), *(["--greedy"] if options.greedy else [])]
    with serving(options.models, server_options) as server:
        for model, rows in zip(options.models, tables.values(), strict=True):
            rows += measure_load(server, model, files, options.clients, options.requests)
        vanishing = measure_vanishing(server, options.models[-1], files[0], options.vanishing)
        memory = measure_memory(server, options.models[-1], short, options.memory_requests)
    tables["Clients that vanish"] = vanishing
    tables[f"Memory, {MEMORY_CLIENTS} clients, clips of {MEMORY_CLIP_SECONDS:g} s"] = memory
    report.write(options.output, tables)


if __name__ == "__main__":
    main()
