"""Speech recognisers side by side: word error rate, cost and memory on the same recordings, in one run.

    python -m tests.benchmarks.bench_recognisers MANIFEST [--every 8] [-m MODEL] [--whisper FOLDER]

Each row is a whole process on one thread that transcribes every n-th utterance of the manifest, start and
loading included: ours, greedy, with the n-gram model, and rescored by the LSTM as by default; PocketSphinx
with the model in its package, if it is installed (`pip install pocketsphinx`); and faster-whisper (int8,
beam of 5) for each given folder with weights, such as `faster-whisper-tiny`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from audioseq import audio, models
from audioseq.data import read_manifest
from audioseq.speech.data.cache import to_int16
from audioseq.text.tokenizer import normalise
from tests.benchmarks import report
from tests.benchmarks.bench_runtime import errors, run, write_recordings

DECODINGS = {
    "greedy": ["--lm", "none"],
    "n-gram model": ["--rescore", "none"],
    "n-gram model, rescored": [],
}
POCKETSPHINX = "pocketsphinx"


def open_pocketsphinx() -> Callable[[Path], str]:
    """Return a function that transcribes a file with PocketSphinx."""
    import pocketsphinx

    decoder = pocketsphinx.Decoder(samprate=audio.SAMPLE_RATE, loglevel="FATAL")

    def transcribe(path: Path) -> str:
        decoder.start_utt()
        decoder.process_raw(to_int16(audio.load(path)).tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        return hypothesis.hypstr if hypothesis else ""

    return transcribe


def open_whisper(weights: str) -> Callable[[Path], str]:
    """Return a function that transcribes a file with faster-whisper."""
    import faster_whisper

    model = faster_whisper.WhisperModel(weights, "cpu", compute_type="int8", cpu_threads=1)

    def transcribe(path: Path) -> str:
        segments, _ = model.transcribe(audio.load(path), language="en", beam_size=5)
        return " ".join(segment.text for segment in segments)

    return transcribe


def transcribe_all(recogniser: str, folder: Path) -> None:
    """Print the transcripts of the files of a folder as JSON lines."""
    transcribe = open_pocketsphinx() if recogniser == POCKETSPHINX else open_whisper(recogniser)
    for path in sorted(folder.iterdir()):
        print(json.dumps({"path": str(path), "text": normalise(transcribe(path)).text}))


def main() -> None:
    parser = report.parser("recognisers", __doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("-m", "--model", default=models.default_for("speech"))
    parser.add_argument("--every", type=int, default=8)
    parser.add_argument("--whisper", action="append", default=[], help="folder with weights; may be repeated")
    parser.add_argument("--transcribe-with", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    if arguments.transcribe_with:
        transcribe_all(arguments.transcribe_with, arguments.manifest)
        return
    others = [POCKETSPHINX] if find_spec(POCKETSPHINX) else []
    chosen = read_manifest(arguments.manifest)[:: arguments.every]
    own = [sys.executable, "-m", "audioseq", "transcribe", "--raw", "-f", "json", "-m", arguments.model]
    other = [sys.executable, "-m", "tests.benchmarks.bench_recognisers", "--transcribe-with"]
    commands = {f"audioseq, {name}": [*own, *options] for name, options in DECODINGS.items()}
    commands |= {Path(name).name: [*other, name] for name in [*others, *arguments.whisper]}
    rows: list[report.Row] = []
    with tempfile.TemporaryDirectory() as directory:
        hours = write_recordings(chosen, Path(directory))
        for name, command in commands.items():
            output, cpu, _, memory = run([*command, str(Path(directory) / "utterances")])
            rows.append(
                {
                    "recogniser": name,
                    "WER (%)": round(errors(output, chosen), 2),
                    "core-hours per hour of audio": round(cpu / 3600 / hours, 4),
                    "peak memory (MB)": round(memory),
                }
            )
            report.show(rows[-1])
    title = f"{arguments.manifest.stem}: {len(chosen)} utterances, {hours:.2f} h, one thread"
    report.write(arguments.output, {title: rows})


if __name__ == "__main__":
    main()
