"""What is written down where nothing is said, and how often a warning is right.

    python tests/benchmarks/bench_honesty.py [--music FOLDER] [--speech MANIFEST]... [--every 8]
                                             [--german TEXT] [--english TEXT] [--minutes 60] [--model MODEL]

Silence and noise of three kinds at three levels make one row each, so many minutes together; music is as many
minutes of the folder's MIDI files, rendered; speech is each so-manieth utterance of a manifest, as it is, at
-40 dB, in white noise of 10 dB, clipped, and played backwards; the two texts (a sentence a line) are spoken
by espeak-ng and flite where they are installed. Printed for each are the words that come out, how many
recordings are left without any text, and how many have a warning: of no speech, or little that the model
knows; of parts left out; of being clipped or quiet. Noise and music are searched with the language model,
speech greedily: neither what is left out nor the warnings depend on it.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from audioseq import audio
from audioseq.data import read_manifest
from audioseq.midi import Score
from audioseq.models import default_for
from audioseq.music.rendering.render import render
from audioseq.speech import pipeline
from audioseq.speech.decoding.decoder import Decoding

RATE = audio.SAMPLE_RATE
LEVELS = (-60, -40, -20)


def at_level(waveform: np.ndarray, level: float) -> np.ndarray:
    """Return a waveform at a mean power, dB of full scale."""
    return np.asarray(waveform * 10 ** (level / 20) / np.sqrt(np.mean(waveform**2)), np.float32)


def white(samples: int) -> np.ndarray:
    """Return noise of equal power at all frequencies."""
    return np.random.default_rng(samples).normal(size=samples)


def pink(samples: int) -> np.ndarray:
    """Return noise of equal power in each octave above 20 Hz."""
    spectrum = np.fft.rfft(white(samples))
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(np.fft.rfftfreq(samples, 1 / RATE), 20)), samples)


def hum(samples: int) -> np.ndarray:
    """Return what mains do to a cable: 50 Hz and odd multiples, in a little noise."""
    turns = 100 * np.pi * np.arange(samples) / RATE
    return sum(np.sin(turns * k + k) / k for k in (1, 2, 3, 5, 7, 9)) + 0.01 * white(samples)


def music(folder: Path, minutes: float) -> Iterator[np.ndarray]:
    """Yield pieces of music of so many minutes together."""
    left = int(60 * minutes * RATE)
    for path in sorted(folder.rglob("*.mid")):
        played = render(Score.load(path), RATE)[:left]
        left -= len(played)
        yield played
        if not left:
            break


def changed(manifest: Path, every: int, change: Callable[[np.ndarray], np.ndarray]) -> Iterator[np.ndarray]:
    """Yield utterances of a manifest, each changed in the same way."""
    for utterance in read_manifest(manifest)[::every]:
        yield change(utterance.load())


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda waveform: waveform,
    "at -40 dB": lambda waveform: at_level(waveform, -40),
    "at -60 dB": lambda waveform: at_level(waveform, -60),
    "in noise of 10 dB": lambda w: at_level(w, -26) + at_level(white(len(w)), -36),
    "clipped at 6 dB above its mean power": lambda waveform: at_level(waveform, -6).clip(-1, 1),
    "backwards": lambda waveform: waveform[::-1].copy(),
}
SPEAKERS = {
    "german": ("German, espeak-ng", "espeak-ng -v de -f {text} -w {wave}"),
    "english": ("English, flite slt", "flite -voice slt -f {text} -o {wave}"),
}


def spoken(command: str, texts: Path, count: int = 60) -> Iterator[np.ndarray]:
    """Yield what a speech synthesiser makes of the first lines of a file."""
    with tempfile.TemporaryDirectory() as directory:
        text, wave = Path(directory) / "text", Path(directory) / "wave.wav"
        for line in texts.read_text().splitlines()[:count]:
            text.write_text(line)
            subprocess.run(command.format(text=text, wave=wave).split(), check=True, capture_output=True)
            yield audio.load(wave)


def measure(
    name: str, recogniser: pipeline.Recogniser, recordings: Iterable[np.ndarray], beam: Decoding = None
) -> None:
    """Transcribe recordings, and print a row of the table."""
    seconds = 0.0
    count = words = empty = unknown = partly = level = 0
    for recording in recordings:
        transcript = recogniser.transcribe(recording, RATE, decoding=beam)
        count += 1
        seconds += transcript.duration
        words += len(transcript.text.split())
        empty += not transcript.text
        said = " ".join(transcript.warnings)
        unknown += "no speech is heard" in said or "do not trust" in said
        partly += "left out" in said
        level += "clipped" in said or "quiet" in said
    print(
        f"{name:48} {count:5} {seconds / 60:8.1f} {words:7} {empty:7} {unknown:9} {partly:7} {level:7}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--music", type=Path)
    parser.add_argument("--speech", type=Path, action="append", default=[])
    parser.add_argument("--every", type=int, default=8, help="take one utterance of so many")
    parser.add_argument("--german", type=Path)
    parser.add_argument("--english", type=Path)
    parser.add_argument("--minutes", type=float, default=60, help="of noise, and of music; 0: none")
    parser.add_argument("--model", default=default_for("speech"))
    arguments = parser.parse_args()
    recogniser = pipeline.load_recogniser(arguments.model, "cpu")
    print(f"{'':48} {'files':>5} {'minutes':>8} words no text no speech partly clipped or quiet")
    for manifest in arguments.speech:
        for change, function in CHANGES.items():
            recordings = changed(manifest, arguments.every, function)
            measure(f"{manifest.stem}, {change}", recogniser, recordings, "greedy")
    for name, (row, command) in SPEAKERS.items():
        texts = getattr(arguments, name)
        if texts is not None and shutil.which(command.split()[0]):
            measure(row, recogniser, spoken(command, texts), "greedy")
    if arguments.minutes:
        samples = int(60 * arguments.minutes * RATE / (1 + 3 * len(LEVELS)))
        measure("silence", recogniser, [np.zeros(samples, np.float32)])
        for noise in (white, pink, hum):
            for power in LEVELS:
                measure(f"{noise.__name__}, {power} dB", recogniser, [at_level(noise(samples), power)])
        if arguments.music is not None:
            measure(f"music, {arguments.music.name}", recogniser, music(arguments.music, arguments.minutes))
