"""Runtimes compared: errors, cost, memory and start of torch and ONNX Runtime, in fp32 and int8.

    python -m tests.benchmarks.bench_runtime MANIFEST [--every 8] [--runs 3] [-m MODEL]

Each figure is that of whole processes of `audioseq transcribe` on one thread: one process with every n-th
utterance of the manifest for the error rate and the core-hours (user and system time, start and loading
included) per hour of audio; medians of some processes for the peak memory of 20 short clips, and for the time
from the shell to the text of a recording of 10 seconds. In the last table, processes run on all cores. The
largest difference of a probability of torch and ONNX Runtime is taken over up to 200 of the utterances.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audioseq import audio, models
from audioseq.data import Utterance, read_manifest
from audioseq.speech.emissions import load_emission_model
from audioseq.speech.metrics import UtteranceResult, word_errors
from audioseq.text.tokenizer import normalise
from tests.benchmarks import report

DECODINGS = {"greedy": ["--lm", "none"], "beam": []}
MAX_COMPARED = 200
"""Utterances whose emissions are compared."""
CLIPS, CLIP_SECONDS = 20, 7.3
START_SECONDS = 10.0


def run(command: Sequence[str], threads: int | None = 1) -> tuple[str, float, float, float]:
    """Run a command, and return its output, CPU seconds, wall seconds and peak memory in MB."""
    environment = dict(os.environ)
    environment.pop("OMP_NUM_THREADS", None)
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
        output.seek(0)
        text = output.read().decode()
    scale = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux kilobytes
    return text, usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / scale


def write_recordings(utterances: Sequence[Utterance], folder: Path) -> float:
    """Write utterances and recordings of fixed lengths as flac files; return the hours of the utterances."""
    for name in ("utterances", "clips"):
        (folder / name).mkdir()
    hours = 0.0
    for number, utterance in enumerate(utterances):
        waveform = utterance.load()
        hours += len(waveform) / audio.SAMPLE_RATE / 3600
        audio.write(folder / "utterances" / f"{number}.flac", waveform)
    joined = np.concatenate([each.load() for each in utterances[: 2 * CLIPS]])
    size = round(CLIP_SECONDS * audio.SAMPLE_RATE)
    for number in range(CLIPS):
        audio.write(folder / "clips" / f"{number}.flac", np.resize(joined[number * size :], size))
    audio.write(folder / "start.flac", joined[: round(START_SECONDS * audio.SAMPLE_RATE)])
    return hours


def errors(output: str, utterances: Sequence[Utterance]) -> float:
    """Return the word error rate of JSON lines, %."""
    results = []
    for line in output.splitlines():
        found = json.loads(line)
        reference = utterances[int(Path(found["path"]).stem)]
        results.append(UtteranceResult(reference.id, normalise(reference.text).text, found["text"]))
    if len(results) != len(utterances):
        raise SystemExit(f"{len(results)} transcripts of {len(utterances)} utterances")
    return 100 * word_errors(results).rate


def compare_emissions(model: str, exported: Path, utterances: Sequence[Utterance]) -> list[report.Row]:
    """Return the cost of the emissions alone, and the largest difference of a probability from torch."""
    networks = {
        "torch, fp32": load_emission_model(model, "cpu", "torch")[0],
        "onnx, fp32": load_emission_model(model, "cpu", "onnx")[0],
        "onnx, int8": load_emission_model(exported, "cpu")[0],
    }
    seconds, times, differences = 0.0, dict.fromkeys(networks, 0.0), dict.fromkeys(networks, 0.0)
    for utterance in utterances:
        waveform = utterance.load()
        seconds += len(waveform) / audio.SAMPLE_RATE
        expected = None
        for name, network in networks.items():
            began = time.process_time()
            (found,) = np.exp(network.compute([waveform]))
            times[name] += time.process_time() - began
            expected = found if expected is None else expected
            differences[name] = max(differences[name], float(np.abs(found - expected).max()))
    return [
        {
            "runtime": name,
            "core-hours per hour of audio": round(times[name] / seconds, 4),
            "largest difference of a probability": f"{differences[name]:.1e}",
        }
        for name in networks
    ]


if __name__ == "__main__":
    parser = report.parser("runtime", __doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("-m", "--model", default=models.default_for("speech"))
    parser.add_argument("--every", type=int, default=8)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded
    chosen = read_manifest(arguments.manifest)[:: arguments.every]
    program = [sys.executable, "-m", "audioseq"]
    costs: list[report.Row] = []
    starts: list[report.Row] = []
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        hours = write_recordings(chosen, place)
        sizes = {}
        for name, option in (("onnx, fp32", []), ("onnx, int8", ["--int8"])):
            target = str(place / f"{name}.onnx")
            run([*program, "models", "export", arguments.model, "--format", "onnx", "-o", target, *option])
            sizes[name] = Path(target).stat().st_size
        sizes = {"torch, fp32": models.resolve(arguments.model).stat().st_size, **sizes}
        variants = {
            "torch, fp32": ["-m", arguments.model, "--runtime", "torch"],
            "onnx, fp32": ["-m", arguments.model, "--runtime", "onnx"],
            "onnx, int8": ["-m", str(place / "onnx, int8.onnx")],
        }
        transcribe = [*program, "transcribe", "--raw", "--device", "cpu", "-f", "json"]
        for (decoding, search), (name, options) in itertools.product(DECODINGS.items(), variants.items()):
            command = [*transcribe, *options, *search]
            run([*command, str(place / "start.flac")])  # fills the cache of the n-gram model
            output, cpu, _, _ = run([*command, str(place / "utterances")])
            clips = [run([*command, str(place / "clips")]) for _ in range(arguments.runs)]
            costs.append(
                {
                    "decoding": decoding,
                    "runtime": name,
                    "WER (%)": round(errors(output, chosen), 2),
                    "core-hours per hour of audio": round(cpu / 3600 / hours, 4),
                    "peak memory of 20 clips (MB)": round(statistics.median(each[3] for each in clips)),
                    "file (MB)": round(sizes[name] / 1e6, 1),
                }
            )
            report.show(costs[-1])
        commands = {
            f"10 s of audio, {decoding}, {name}": [*transcribe, *options, *search, str(place / "start.flac")]
            for (decoding, search), (name, options) in itertools.product(DECODINGS.items(), variants.items())
        }
        for name, command in {**commands, "audioseq --help": [*program, "--help"]}.items():
            measured = [run(command, None) for _ in range(arguments.runs)]
            starts.append(
                {
                    "command": name,
                    "wall time (s)": round(statistics.median(each[2] for each in measured), 2),
                    "processor time (s)": round(statistics.median(each[1] for each in measured), 2),
                    "peak memory (MB)": round(statistics.median(each[3] for each in measured)),
                }
            )
            report.show(starts[-1])
        compared = chosen[:MAX_COMPARED]
        emissions = compare_emissions(arguments.model, place / "onnx, int8.onnx", compared)
    title = f"{arguments.model}, {hours:.2f} h of audio, one thread"
    report.write(
        arguments.output,
        {
            title: costs,
            "From the shell to the text, all cores": starts,
            f"Emissions of {len(compared)} recordings": emissions,
        },
    )
