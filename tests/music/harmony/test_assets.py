"""The sample melody, its harmonisation, and the bundled model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from audioseq.midi import Score
from audioseq.models import bundled_dir
from audioseq.music.harmony import pipeline
from audioseq.music.harmony.voices import to_frames
from audioseq.music.representation.part_writing import count_violations

ASSETS = Path(__file__).parents[3] / "assets"


def test_program_in_readme_writes_the_sample_melody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (ASSETS / "README.md").read_text(encoding="utf-8"), re.S)
    (tmp_path / "assets").mkdir()
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "assets/README.md", "exec"), {})
    assert Path("assets/ode-to-joy.mid").read_bytes() == (ASSETS / "ode-to-joy.mid").read_bytes()


def test_sample_harmonisation_keeps_melody_and_rules() -> None:
    melody, sample = (Score.load(ASSETS / f"ode-to-joy{part}.mid") for part in ("", "-harmonised"))
    assert tuple(note for note in sample.notes if note.track == 0) == melody.notes
    counts = count_violations(to_frames(sample))  # to_frames checks the ranges of the voices
    last = {note.pitch % 12 for note in sample.notes if note.end == sample.end}
    assert last <= {7, 11, 2}  # G major
    assert counts.chords > 60 and counts.fifths == counts.octaves == counts.crossings == 0


def test_bundled_model_has_low_nll() -> None:
    if not (bundled_dir() / "chorale.safetensors").is_file():
        pytest.skip("the bundled model chorale is not in this checkout")
    (piece,) = pipeline.harmonise(ASSETS / "ode-to-joy.mid", seed=1)
    assert piece.nats < 0.45  # an untrained model has about 3
