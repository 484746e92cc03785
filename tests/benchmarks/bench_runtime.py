"""Runtimes and precisions compared, beside other recognisers: errors, cost, memory, start and size.

    python -m tests.benchmarks.bench_runtime MANIFEST [--every 8] [--runs 3] [-m MODEL] [--whisper FOLDER]

Each figure is that of whole processes on one thread: one process with every n-th utterance of the manifest
for the error rate and the core-hours (user and system time, start and loading included) per hour of audio;
and medians of some processes for the peak memory of 20 short clips. The cold start is the time from the shell
to the text of a recording of 10 seconds, on all cores, with its processor time: on a busy machine only the
latter has a meaning. A variant that does not run has the reason beside its name.

Beside `audioseq transcribe`: the model of torch in bf16 and int8 (`torch_precision`); PocketSphinx, if it is
installed (`pip install pocketsphinx`); and faster-whisper for each given folder with its weights. The largest
difference of a probability of torch and ONNX Runtime is taken over up to 200 of the utterances.
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
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from audioseq import audio, models
from audioseq.data import Utterance, read_manifest
from audioseq.speech.emissions import load_emission_model
from audioseq.speech.metrics import UtteranceResult, word_errors
from audioseq.text.tokenizer import normalise
from tests.benchmarks import report
from tests.benchmarks.other_recognisers import POCKETSPHINX

DECODINGS = {"greedy": ["--lm", "none"], "beam": []}
MAX_COMPARED = 200
"""Utterances whose emissions are compared."""
CLIPS, CLIP_SECONDS = 20, 7.3
START_SECONDS = 10.0
COLUMNS = (
    "decoding", "runtime", "WER (%)", "core-hours per hour of audio", "peak memory of 20 clips (MB)",
    "cold start (s)", "its processor time (s)", "file (MB)",
)  # fmt: skip
OTHER = "its own"
"""Decoding of another recogniser; its memory is that of transcribing the utterances, as it is slow."""
PROGRAM = [sys.executable, "-m", "audioseq"]


class Variant(NamedTuple):
    """A recogniser in one runtime and precision."""

    decoding: str
    name: str
    command: list[str]
    """The command line before the recordings."""
    size: int
    """Size of its file, bytes; 0 if not known."""


class FailedError(Exception):
    """A command failed, for the reason in the message."""


def run(command: Sequence[str], threads: int | None = 1) -> tuple[str, float, float, float]:
    """Run a command, and return its output, CPU seconds, wall seconds and peak memory in MB.

    Raises:
        FailedError: its exit code is not 0; the message is the first sentence of the last line of its errors.
    """
    environment = dict(os.environ)
    environment.pop("OMP_NUM_THREADS", None)
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            lines = errors.read().decode().strip().splitlines() or [f"exit code {process.returncode}"]
            raise FailedError(lines[-1].partition(". ")[0].rpartition(": ")[2])
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


def variants(model: str, place: Path, whispers: Sequence[str]) -> list[Variant]:
    """Export the model, and return what to compare."""
    sizes = {}
    for name, option in (("onnx, fp32", []), ("onnx, int8", ["--int8"])):
        target = place / f"{name}.onnx"
        run([*PROGRAM, "models", "export", model, "--format", "onnx", "-o", str(target), *option])
        sizes[name] = target.stat().st_size
    size = models.resolve(model).stat().st_size
    options = ["transcribe", "--raw", "--device", "cpu", "-f", "json"]
    torch = [*options, "-m", model, "--runtime", "torch"]
    changed = [sys.executable, "-m", "tests.benchmarks.torch_precision"]
    commands = {
        "torch, fp32": ([*PROGRAM, *torch], size),
        "torch, bf16": ([*changed, "bf16", *torch], size),
        "torch, int8": ([*changed, "int8", *torch], size),
        "onnx, fp32": ([*PROGRAM, *options, "-m", model, "--runtime", "onnx"], sizes["onnx, fp32"]),
        "onnx, int8": ([*PROGRAM, *options, "-m", str(place / "onnx, int8.onnx")], sizes["onnx, int8"]),
    }
    other = [sys.executable, "-m", "tests.benchmarks.other_recognisers"]
    return [
        Variant(decoding, name, [*command, *search], size)
        for (decoding, search), (name, (command, size)) in itertools.product(
            DECODINGS.items(), commands.items()
        )
    ] + [
        Variant(OTHER, Path(name).name, [*other, name], 0)
        for name in [*([POCKETSPHINX] if find_spec(POCKETSPHINX) else []), *whispers]
    ]


def measure(
    variant: Variant, place: Path, utterances: Sequence[Utterance], hours: float, runs: int
) -> report.Row:
    """Return the row of a variant; only the reason if it does not run."""
    try:
        starts = [run([*variant.command, str(place / "start.flac")], None) for _ in range(runs)]
        output, cpu, _, memory = run([*variant.command, str(place / "utterances")])
        clips = [memory]
        if variant.decoding != OTHER:
            clips = [run([*variant.command, str(place / "clips")])[3] for _ in range(runs)]
    except FailedError as error:
        return dict.fromkeys(COLUMNS, "") | {
            "decoding": variant.decoding,
            "runtime": f"{variant.name}: {error}",
        }
    return {
        "decoding": variant.decoding,
        "runtime": variant.name,
        "WER (%)": round(errors(output, utterances), 2),
        "core-hours per hour of audio": round(cpu / 3600 / hours, 4),
        "peak memory of 20 clips (MB)": round(statistics.median(clips)),
        "cold start (s)": round(statistics.median(each[2] for each in starts), 2),
        "its processor time (s)": round(statistics.median(each[1] for each in starts), 2),
        "file (MB)": round(variant.size / 1e6, 1) or "",
    }


def measure_command(name: str, command: Sequence[str], runs: int) -> report.Row:
    """Return the cost of a whole process."""
    measured = [run(command, None) for _ in range(runs)]
    return {
        "command": name,
        "wall time (s)": round(statistics.median(each[2] for each in measured), 2),
        "processor time (s)": round(statistics.median(each[1] for each in measured), 2),
        "peak memory (MB)": round(statistics.median(each[3] for each in measured)),
    }


def main() -> None:
    """Parse the options, measure, write the results."""
    parser = report.parser("runtime", __doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("-m", "--model", default=models.default_for("speech"))
    parser.add_argument("--every", type=int, default=8)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--whisper", action="append", default=[], help="folder with weights; may be repeated")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded
    chosen = read_manifest(arguments.manifest)[:: arguments.every]
    rows: list[report.Row] = []
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        hours = write_recordings(chosen, place)
        run([*PROGRAM, "transcribe", str(place / "start.flac")])  # fills the cache of the n-gram model
        for variant in variants(arguments.model, place, arguments.whisper):
            rows.append(measure(variant, place, chosen, hours, arguments.runs))
            report.show(rows[-1])
        piece = ["compose", "--seed", "7", "--bars", "16", "--force", "-o", str(place / "piece.mid")]
        commands = {
            "audioseq --help": [*PROGRAM, "--help"],
            "audioseq transcribe, 10 s of audio": [*PROGRAM, "transcribe", str(place / "start.flac")],
            "audioseq compose, 16 bars": [*PROGRAM, *piece],
            "python -c 'import torch'": [sys.executable, "-c", "import torch"],
        }
        others = [measure_command(name, command, arguments.runs) for name, command in commands.items()]
        for row in others:
            report.show(row)
        compared = chosen[:MAX_COMPARED]
        emissions = compare_emissions(arguments.model, place / "onnx, int8.onnx", compared)
    title = (
        f"{arguments.model}, {arguments.manifest.stem}: {len(chosen)} utterances, {hours:.2f} h, one thread"
    )
    tables = {
        title: rows,
        "Whole commands, all cores": others,
        f"Emissions of {len(compared)} recordings": emissions,
    }
    report.write(arguments.output, tables)


if __name__ == "__main__":
    main()
