"""Accuracy of word timestamps, on synthetic speech with known word boundaries.

    python -m tests.benchmarks.bench_word_timestamps SENTENCES [--count 60]
                                                     [--voices kal_diphone cmu_us_slt_arctic_hts]

SENTENCES is a text file with one sentence per line. Festival (Debian: festival festvox-kallpc16k
festvox-us-slt-hts) speaks each sentence and reports when each word starts and ends. Reported are the
medians of the absolute errors, and the medians of the signed errors (bias; above 0: too late), of `audioseq
align`, which knows the text, and of those words that `audioseq transcribe --words` recognises correctly.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audioseq import audio
from audioseq.models import default_for
from audioseq.speech import pipeline
from audioseq.speech.alignment import align_recording
from audioseq.speech.metrics import align_texts
from audioseq.speech.transcript import Word
from tests.benchmarks import report

SCRIPT = """
(set! utterance (SynthText "{text}"))
(utt.save.wave utterance "{stem}.wav")
(set! file (fopen "{stem}.words" "w"))
(mapcar (lambda (word) (format file "%s %f %f\\n" (item.name word) (item.feat word "word_start")
  (item.feat word "word_end"))) (utt.relation.items utterance 'Word))
(fclose file)
"""
"""Festival commands that write a sentence as a WAV file and its word times as a text file."""


def speak(folder: Path, voice: str, sentences: Sequence[str]) -> None:
    """Synthesise sentences into `<number>.wav`, and the times of their words into `<number>.words`."""
    commands = (
        SCRIPT.format(text=text, stem=folder / f"{number:04}") for number, text in enumerate(sentences)
    )
    (folder / "sentences.scm").write_text(f"(voice_{voice})" + "".join(commands))
    subprocess.run(["festival", "-b", folder / "sentences.scm"], check=True, stdout=subprocess.DEVNULL)


def errors(found: Sequence[Word], truth: Sequence[tuple[str, float, float]]) -> list[tuple[float, float]]:
    """Return the errors in seconds of the starts and the ends of correct words; above 0: too late."""
    recognised, reference, errors = iter(found), iter(truth), []
    for edit in align_texts([word for word, _, _ in truth], [word.word for word in found]):
        true = next(reference) if edit.reference else None
        word = next(recognised) if edit.hypothesis else None
        if true and word and edit.mark == " ":
            errors.append((word.start - true[1], word.end - true[2]))
    return errors


if __name__ == "__main__":
    parser = report.parser("word_timestamps", __doc__)
    parser.add_argument("sentences", type=Path)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--voices", nargs="+", default=["kal_diphone", "cmu_us_slt_arctic_hts"])
    parser.add_argument("--model", default=default_for("speech"))
    arguments = parser.parse_args()
    sentences = [line.lower() for line in arguments.sentences.read_text().splitlines() if line.strip()]
    recogniser = pipeline.load_recogniser(arguments.model, "cpu")
    rows: list[report.Row] = []
    for voice in arguments.voices:
        differences: dict[str, list[tuple[float, float]]] = {"align": [], "transcribe": []}
        count = 0
        with tempfile.TemporaryDirectory() as directory:
            speak(Path(directory), voice, sentences[: arguments.count])
            for recording in sorted(Path(directory).glob("*.wav")):
                lines = [line.split() for line in recording.with_suffix(".words").read_text().splitlines()]
                truth = [(word, float(start), float(end)) for word, start, end in lines]
                count += len(truth)
                text = " ".join(word for word, _, _ in truth)
                aligned, _ = align_recording(recogniser, audio.load(recording), text)
                differences["align"] += errors(aligned, truth)
                found = recogniser.transcribe(recording, words=True, raw=True)
                differences["transcribe"] += errors(found.words, truth)
        for name, seconds in differences.items():
            milliseconds = 1000 * np.array(seconds)
            start, end = np.median(np.abs(milliseconds), axis=0)
            start_bias, end_bias = np.median(milliseconds, axis=0)
            rows.append(
                {
                    "voice": voice,
                    "command": name,
                    "words": len(milliseconds),
                    "of": count,
                    "median error of start (ms)": round(start),
                    "of end (ms)": round(end),
                    "bias of start (ms)": round(start_bias),
                    "bias of end (ms)": round(end_bias),
                }
            )
            report.show(rows[-1])
    report.write(arguments.output, {f"{arguments.model}, {arguments.count} sentences": rows})
