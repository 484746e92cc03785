"""Training reduces the loss, resumes bit for bit, and windows with a carried state equal whole pieces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audioseq import checkpoint
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.augment import MusicAugment
from audioseq.music.representation.event_state import COLUMN_INDEX
from audioseq.music.representation.tokenizer import features
from audioseq.music.task import MusicTask, compute_nats
from audioseq.seeding import keyed_generator
from audioseq.training import TrainingConfig, fit
from tests.music import tiny


def test_training_learns_and_resumes_bit_for_bit(tmp_path: Path) -> None:
    options: dict[str, Any] = {"learning_rate": 1e-2, "warmup": 0, "precision": "fp32", "decay": 0.0}
    whole = TrainingConfig(epochs=6, **options)
    half = TrainingConfig(epochs=2.5, **options)
    first = tiny.task()
    before = first.validate(first.model.eval())
    fit(first, whole, tmp_path / "a", device="cpu")
    fit(tiny.task(), half, tmp_path / "b", device="cpu")
    result = fit(tiny.task(), whole, tmp_path / "b", resume=True, device="cpu")
    assert result.metrics["nats_per_note"] < 0.8 * before["nats_per_note"]
    weights = [checkpoint.load(tmp_path / run / "last.safetensors").weights for run in "ab"]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_windows_with_a_carried_state_have_the_loss_of_the_whole_piece() -> None:
    task = MusicTask(tiny.config().model_copy(update={"augment": None}), tiny.examples(), tiny.examples(1))
    task.model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for batch in task.plan(0):
            loss = task.loss(task.collate(batch, 0), task.model)
            total, count = total + float(loss.total), count + loss.weight
    whole = compute_nats(task.model, tiny.examples())
    assert count == sum(map(len, whole))
    assert np.isclose(total, sum(nats.sum() for nats in whole), rtol=1e-4)


def test_transposed_features_equal_those_of_the_transposed_piece() -> None:
    example = tiny.examples(1)[0]
    events, inputs = example.model_arrays()
    augment = MusicAugment(transpose=6, transpose_prob=1.0, tempo=0, dynamics=0, style_dropout=0.0)
    found = set()
    for epoch in range(100):
        new_events, new_features = augment(events, inputs, keyed_generator(0, epoch, "x"))
        shift = int(new_features[0, COLUMN_INDEX["shift"]]) - 6
        sounding = new_events.copy()
        notes = sounding[:, v.PITCH] >= 0
        sounding[notes, v.PITCH] += shift - 6
        semitones = int(sounding[notes, v.PITCH][0] - example.events[notes, v.PITCH][0])
        found.add(semitones)
        tonic = (example.conditions.tonic + semitones) % 12
        conditions = replace(example.conditions, tonic=tonic)
        assert np.array_equal(features(sounding, conditions), new_features)
    assert found == set(range(-6, 7))
