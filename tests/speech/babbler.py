"""A tiny model that emits random letters, and processes that transcribe with it until they are killed."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audioseq import audio, checkpoint
from audioseq.errors import AudioseqError
from audioseq.speech.batch import transcribe as many
from audioseq.speech.batch.run import transcribe_all
from audioseq.speech.pipeline import load_recogniser
from audioseq.speech.task import SpeechTask
from tests.mortal import make_mortal
from tests.speech.tiny import config, utterances


def make(folder: Path, seed: int = 0) -> Path:
    """Write a model that emits letters and blanks at random, so that it is sensitive to its input."""
    made = utterances(folder, ["ab"])
    untrained = SpeechTask(config(), made, made)
    torch.manual_seed(seed)
    torch.nn.init.normal_(untrained.model.head.linear.weight, std=50.0)  # high probabilities
    path = folder / f"babbler-{seed}.safetensors"
    checkpoint.save(path, untrained.model.state_dict(), untrained.header({}))
    return path


def record(folder: Path, count: int) -> list[Path]:
    """Write different recordings of noise, one of them longer than a chunk."""
    draw = np.random.default_rng(count)
    paths = [folder / f"{number % 3}" / f"{number}.wav" for number in range(count)]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        seconds = 25.0 if number == 2 else draw.uniform(0.2, 2.0)
        noise = draw.normal(scale=0.1, size=round(seconds * audio.SAMPLE_RATE))
        audio.write(path, noise.astype(np.float32), audio.SAMPLE_RATE)
    return paths


def child(
    inputs: Path,
    output: Path,
    model: Path,
    *,
    kill_at_operation: int = 0,
    kill_after: float | None = None,
    file_size: int | None = None,
    clock: Path | None = None,
    **options: Any,
) -> None:
    """Transcribe in a process of its own, a few recordings at a time.

    Args:
        kill_at_operation, kill_after: as in `make_mortal`.
        file_size: maximum bytes of a file, as on a full disk.
        clock: file for the seconds of processor time.
        options: options of `transcribe_all`.
    """
    if file_size is not None:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    torch.set_num_threads(1)
    many.WINDOW_SECONDS = 5.0
    recogniser = load_recogniser(model, "cpu")
    make_mortal(kill_at_operation, kill_after)
    began = time.process_time()
    try:
        transcribe_all(inputs, output, model=recogniser, **options)
    except AudioseqError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    if clock is not None:
        clock.write_text(str(time.process_time() - began))
