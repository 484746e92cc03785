"""Write down what a model hears in its training recordings: texts that nobody spoke are joined from it."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

import audioseq
from audioseq.audio.augment import WaveAugment
from audioseq.audio.features import SpecAugment
from audioseq.data import Utterance, pad, read_manifest
from audioseq.errors import DataError
from audioseq.seeding import keyed_generator
from audioseq.speech.data.synthetic import PhoneSegments, label_frames
from audioseq.speech.decoding.forced_alignment import align
from audioseq.speech.pipeline import Recogniser
from audioseq.speech.pronunciation import ENGLISH, Pronunciations
from audioseq.training.precision import autocast, choose_precision

# Mild: so changed, training recordings are heard about as badly as others' are that were never learnt from.
WAVE = WaveAugment(speed=(1.0, 1.0), low_pass_prob=0.5, noise_prob=0.25)
SPEC = SpecAugment(freq_masks=1, freq_width=12, time_masks_per_second=0.25)
SEED = 99
BATCH = 24


def hear(recogniser: Recogniser, features: list[Tensor]) -> list[np.ndarray]:
    """Return the log-probabilities of phones `[T, U]` in frames of log-mel `[T', F]`."""
    precision = choose_precision("auto", recogniser.device, print)
    with torch.inference_mode(), autocast(recogniser.device, precision):
        heard = recogniser.model(*pad(features))
    rows = zip(heard.intermediate[-1], heard.intermediate_lengths.tolist(), strict=True)
    return [row[:length].numpy() for row, length in rows]


def collect(recogniser: Recogniser, utterances: list[Utterance], said: Pronunciations) -> PhoneSegments:
    """Return what the model hears in changed recordings, cut by what it hears in them as they are."""

    def features(waveform: Tensor) -> Tensor:
        frames, _ = recogniser.model.log_mel(waveform[None], torch.tensor([len(waveform)]))
        return frames[0]  # type: ignore[no-any-return]

    log_probs, labels = [], []
    known = [(utterance, units) for utterance in utterances if (units := said.units(utterance.text))]
    if not known:
        raise DataError("the dictionary has the words of no recording; name another with --dictionary")
    known.sort(key=lambda pair: pair[0].duration)
    for start in track(range(0, len(known), BATCH), "listening"):
        plain, changed, targets = [], [], []
        for utterance, units in known[start : start + BATCH]:
            waveform = torch.from_numpy(utterance.load())
            generator = keyed_generator(SEED, 0, utterance.id)
            plain.append(features(waveform))
            changed.append(SPEC(features(WAVE(waveform, generator)), generator))
            targets.append(units)
        clear = hear(recogniser, plain)
        for each, heard, units in zip(clear, hear(recogniser, changed), targets, strict=True):
            with suppress(ValueError):  # a text that does not fit is not what was said
                labels.append(label_frames(align(each, units), units, len(each)))
                log_probs.append(heard.astype(np.float16))
    lengths = np.array([len(each) for each in labels])
    return PhoneSegments(np.concatenate(log_probs), np.concatenate(labels), lengths)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="one that emits phones")
    parser.add_argument("--manifest", type=Path, default=Path("runs/data/english/train.jsonl"))
    parser.add_argument("--dictionary", default=ENGLISH, help="of pronunciations, as in config.toml")
    parser.add_argument("-o", "--out", type=Path, default=Path("runs/data/english/segments.npz"))
    asked = parser.parse_args()
    try:
        said = Pronunciations.read(asked.dictionary)
        heard = collect(audioseq.load(asked.model, "cpu"), read_manifest(asked.manifest), said)
        heard.save(asked.out)
    except audioseq.AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
    print(f"{asked.out}: {len(heard.lengths)} recordings")
