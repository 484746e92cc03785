"""How far the times of words are from the truth, in speech whose times are known: festival's.

    python tests/benchmarks/bench_times.py SENTENCES [--count 60] [--voices kal_diphone cmu_us_slt_arctic_hts]

SENTENCES is a text file, one a line. Festival (Debian: festival festvox-kallpc16k festvox-us-slt-hts) speaks
each and says when each word begins and ends. Printed are the medians of the absolute errors, and the medians
of the errors themselves (above 0: too late), of `audioseq align`, which knows the text, and of the words
that `audioseq transcribe --words` has right.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
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

SAY = """
(set! utterance (SynthText "{text}"))
(utt.save.wave utterance "{stem}.wav")
(set! file (fopen "{stem}.words" "w"))
(mapcar (lambda (word) (format file "%s %f %f\\n" (item.name word) (item.feat word "word_start")
  (item.feat word "word_end"))) (utt.relation.items utterance 'Word))
(fclose file)
"""


def speak(folder: Path, voice: str, sentences: Sequence[str]) -> None:
    """Let a voice say sentences into `<number>.wav`, and write the times of their words beside them."""
    said = (SAY.format(text=text, stem=folder / f"{number:04}") for number, text in enumerate(sentences))
    (folder / "say.scm").write_text(f"(voice_{voice})" + "".join(said))
    subprocess.run(["festival", "-b", folder / "say.scm"], check=True, stdout=subprocess.DEVNULL)


def errors(found: Sequence[Word], truth: Sequence[tuple[str, float, float]]) -> list[tuple[float, float]]:
    """Return by how much the words that are right begin and end too late."""
    made, errors = iter(found), []
    said = iter(truth)
    for edit in align_texts([word for word, _, _ in truth], [word.word for word in found]):
        real = next(said) if edit.reference else None
        word = next(made) if edit.hypothesis else None
        if real and word and edit.mark == " ":
            errors.append((word.start - real[1], word.end - real[2]))
    return errors


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sentences", type=Path)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--voices", nargs="+", default=["kal_diphone", "cmu_us_slt_arctic_hts"])
    parser.add_argument("--model", default=default_for("speech"))
    arguments = parser.parse_args()
    sentences = [line.lower() for line in arguments.sentences.read_text().splitlines() if line.strip()]
    recogniser = pipeline.load_recogniser(arguments.model, "cpu")
    for voice in arguments.voices:
        late: dict[str, list[tuple[float, float]]] = {"align": [], "transcribe": []}
        count = 0
        with tempfile.TemporaryDirectory() as directory:
            speak(Path(directory), voice, sentences[: arguments.count])
            for recording in sorted(Path(directory).glob("*.wav")):
                rows = [line.split() for line in recording.with_suffix(".words").read_text().splitlines()]
                truth = [(word, float(start), float(end)) for word, start, end in rows]
                count += len(truth)
                text = " ".join(word for word, _, _ in truth)
                aligned, _ = align_recording(recogniser, audio.load(recording), text)
                late["align"] += errors(aligned, truth)
                late["transcribe"] += errors(recogniser.transcribe(recording, words=True).words, truth)
        for name, rows_late in late.items():
            milliseconds = 1000 * np.array(rows_late)
            start, end = np.median(np.abs(milliseconds), axis=0)
            start_bias, end_bias = np.median(milliseconds, axis=0)
            print(
                f"{voice:24} {name:10} {len(milliseconds):4} of {count} words   median error in ms: start "
                f"{start:3.0f}, end {end:3.0f}   bias: start {start_bias:+3.0f}, end {end_bias:+3.0f}",
                flush=True,
            )
