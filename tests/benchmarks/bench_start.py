"""Where the time from the shell to the text goes: processor time of each step of a short transcription.

    python -m tests.benchmarks.bench_start [--runs 5] [-m MODEL]

Each run is a new process on one thread, which does step by step what `audioseq transcribe` does with
`assets/hello.flac`, repeated to 10 seconds. Reported are medians; the n-gram model is in the cache.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

RECORDING, SECONDS = "assets/hello.flac", 10.0


def measure(model: str | None, runtime: str) -> dict[str, float]:
    """Return the processor time of each step, ms."""
    times = {"Python": 1000 * time.process_time()}

    def step(name: str, work: Callable[[], Any]) -> Any:
        began = time.process_time()
        result = work()
        times[name] = 1000 * (time.process_time() - began)
        return result

    def load(*modules: str) -> Callable[[], Any]:
        return lambda: [__import__(module) for module in modules]

    step("command line: typer and the commands", load("audioseq.cli.main"))
    step("numpy and soundfile", load("numpy", "soundfile"))
    if runtime == "torch":
        step("torch and torchaudio", load("torch", "torchaudio.functional"))
    else:
        step("onnxruntime", load("onnxruntime"))
    step("config: pydantic and its classes", load("audioseq.speech.config", "audioseq.language.config"))
    step("the other modules", load("audioseq.speech.batch.run"))

    import numpy as np

    from audioseq import audio, models
    from audioseq.cli.common import decoding_options
    from audioseq.runtime.session import Session
    from audioseq.speech import emissions
    from audioseq.speech.config import SpeechConfig
    from audioseq.speech.decoding.decoder import Decoder
    from audioseq.speech.pipeline import Recogniser
    from audioseq.text.subwords import restore_tokenizer

    path = models.resolve(model or models.default_for("speech"), "speech")
    config, stored = step("model file", lambda: models.open_model(path, "speech", SpeechConfig))
    network: emissions.EmissionModel
    if runtime == "torch":
        from audioseq.speech.model import restore

        network = step("network", lambda: restore(config, stored, "cpu"))
    else:
        content = step("graph", lambda: emissions.to_onnx(config, stored))
        session = step("session of ONNX Runtime", lambda: Session(content, str(path)))
        network = emissions.OnnxModel(session, config, path)
    recogniser = Recogniser(network, restore_tokenizer(stored.header.tokenizer), stored.header)
    options = decoding_options(recogniser)
    assert options != "greedy", "the model recommends no language model"
    decoder = step(
        "n-gram model, lexicon and rescoring LSTM",
        lambda: Decoder(options, recogniser.tokenizer, stored.header.card),
    )
    recording = step("recording", lambda: audio.load(RECORDING))
    waveform = np.resize(recording, round(SECONDS * audio.SAMPLE_RATE))
    (segment,) = step("emissions", lambda: list(recogniser.compute_emissions(waveform)))
    lists = step("beam search", lambda: [decoder.beam_decoder(segment.log_probs, 50)])
    step("rescoring", lambda: decoder.rescorer and decoder.rescorer([each.text for each in lists[0]]))
    return times


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2] or None, sys.argv[3])))
        raise SystemExit
    from tests.benchmarks import report

    parser = report.parser("start", __doc__)
    parser.add_argument("-m", "--model", default="")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    tables = {}
    for runtime in ("onnx", "torch"):
        command = [
            sys.executable,
            "-m",
            "tests.benchmarks.bench_start",
            "--measure",
            arguments.model,
            runtime,
        ]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        measured = [
            json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
            for _ in range(arguments.runs)
        ]
        medians = {name: statistics.median(run[name] for run in measured) for name in measured[0]}
        medians["all steps"] = statistics.median(sum(run.values()) for run in measured)
        tables[f"10 s of audio with {runtime}"] = [
            {"step": name, "processor time (ms)": round(value)} for name, value in medians.items()
        ]
        for row in tables[f"10 s of audio with {runtime}"]:
            report.show(row)
    report.write(arguments.output, tables)
