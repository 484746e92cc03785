"""Write phone posteriors of training recordings, from which those of texts are synthesised."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from audioseq.audio.augment import WaveAugment
from audioseq.audio.spec_augment import SpecAugment
from audioseq.data import Utterance, read_manifest
from audioseq.errors import DataError
from audioseq.recipe import run_script
from audioseq.seeding import keyed_generator
from audioseq.speech.data.cache import to_int16
from audioseq.speech.data.collate import Recordings, augment, compute_features, pad_samples
from audioseq.speech.data.synthetic import PhoneSegments, label_frames
from audioseq.speech.decoding.forced_alignment import align
from audioseq.speech.model import AcousticModel, load_acoustic_model
from audioseq.speech.pronunciation import ENGLISH, Pronunciations
from audioseq.training.precision import autocast, choose_precision

# Mild augmentation: the posteriors get about as uncertain as those of recordings that are not in training.
WAVE = WaveAugment(speed=(1.0, 1.0), low_pass_prob=0.5, noise_prob=0.25)
SPEC = SpecAugment(freq_masks=1, freq_width=12, time_masks_per_second=0.25)
SEED = 99
BATCH_SIZE = 24


def phone_log_probs(model: AcousticModel, recordings: Recordings) -> list[np.ndarray]:
    """Compute the log-probabilities of phones `[T, U]` of each recording."""
    device = torch.device("cpu")
    precision = choose_precision("auto", device, print)
    with torch.inference_mode(), autocast(device, precision):
        emissions = model(*compute_features(recordings, model.log_mel))
    rows = zip(emissions.intermediate[-1], emissions.intermediate_lengths.tolist(), strict=True)
    return [row[:length].numpy() for row, length in rows]


def collect_segments(
    model: AcousticModel, utterances: list[Utterance], pronunciations: Pronunciations
) -> PhoneSegments:
    """Compute phone posteriors of augmented recordings, and align them with the original recordings.

    Raises:
        DataError: the dictionary lacks a word of every text.
    """
    log_probs, labels = [], []
    encoded = [(each, units) for each in utterances if (units := pronunciations.encode(each.text))]
    if not encoded:
        raise DataError("the dictionary lacks a word of every recording; set --dictionary to another one")
    encoded.sort(key=lambda pair: pair[0].duration)
    for start in track(range(0, len(encoded), BATCH_SIZE), "computing"):
        batch = encoded[start : start + BATCH_SIZE]
        original = Recordings(*pad_samples([to_int16(utterance.load()) for utterance, _ in batch]))
        generators = [keyed_generator(SEED, 0, utterance.id) for utterance, _ in batch]
        clean_rows = phone_log_probs(model, original)
        noisy_rows = phone_log_probs(model, augment(original, generators, WAVE, SPEC, model.log_mel))
        for clean, noisy, (_, units) in zip(clean_rows, noisy_rows, batch, strict=True):
            with suppress(ValueError):  # the text is too long for the recording
                labels.append(label_frames(align(clean, units), units, len(clean)))
                log_probs.append(noisy.astype(np.float16))
    lengths = np.array([len(each) for each in labels])
    return PhoneSegments(np.concatenate(log_probs), np.concatenate(labels), lengths)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="name or path of a model with a phone-to-grapheme decoder")
    parser.add_argument("--manifest", type=Path, default=Path("runs/data/english/train.jsonl"))
    parser.add_argument("--dictionary", default=ENGLISH, help="pronunciation dictionary, as in config.toml")
    parser.add_argument("-o", "--out", type=Path, default=Path("runs/data/english/segments.npz"))
    args = parser.parse_args()
    pronunciations = Pronunciations.read(args.dictionary)
    model = load_acoustic_model(args.model, "cpu")
    segments = collect_segments(model, read_manifest(args.manifest), pronunciations)
    segments.save(args.out)
    print(f"{args.out}: {len(segments.lengths)} recordings")


if __name__ == "__main__":
    run_script(main)
