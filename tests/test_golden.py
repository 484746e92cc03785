"""Transcripts of the samples by the bundled models equal the recorded ones.

`python tests/test_golden.py` records them again in `data/golden.json`, after a change of the models.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import audioseq
from audioseq.models import bundled_dir

ASSETS = Path(__file__).parents[1] / "assets"
GOLDEN = Path(__file__).parent / "data" / "golden.json"
SAMPLES = {"hello.flac": "english-small", "digits.flac": "digits"}

needs_the_models = pytest.mark.skipif(
    not (bundled_dir() / "english-small.safetensors").is_file(),
    reason="the bundled models are not in this checkout",
)


def transcribe(sample: str, model: str) -> dict[str, Any]:
    """Return a transcript with word timestamps, but without confidences, which differ between processors."""
    found = audioseq.transcribe(ASSETS / sample, model=model, words=True).to_dict()
    words = [[word["word"], word["start"], word["end"]] for word in found["words"]]
    return {name: found[name] for name in ("text", "raw", "segments")} | {"words": words}


@needs_the_models
@pytest.mark.parametrize(("sample", "model"), SAMPLES.items())
def test_transcripts_of_the_samples_are_unchanged(sample: str, model: str) -> None:
    assert transcribe(sample, model) == json.loads(GOLDEN.read_text(encoding="utf-8"))["transcripts"][sample]


if __name__ == "__main__":
    golden = {"transcripts": {sample: transcribe(sample, model) for sample, model in SAMPLES.items()}}
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")
