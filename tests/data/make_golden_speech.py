"""Write golden-speech-1.safetensors and its emissions: a speech model as version 0.1 wrote it.

Its config has the keys `spelling`, `speller_layers`, `speller_size` and `join`, its weights the names
`speller.*`, and its card the decoding weights `unknown` and `blank`; all of these must stay readable.
Run once, with the last commit that wrote these names (b061de1); later ones write the current names:

    python tests/data/make_golden_speech.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from audioseq import checkpoint
from audioseq.config import parse
from audioseq.speech.config import SpeechConfig
from audioseq.speech.model import build
from audioseq.text.tokenizer import CharTokenizer

FOLDER = Path(__file__).parent
ALPHABET = " abc"

if __name__ == "__main__":
    table = {
        "alphabet": ALPHABET,
        "spelling": {"sentences": 2},
        "data": {"train": [], "valid": []},
        "model": {
            "n_mels": 8, "channels": [2, 3], "lower_layers": 1, "lower_size": 3, "upper_layers": 1,
            "upper_size": 3, "speller_layers": 1, "speller_size": 3, "join": 3, "dropout": 0.0,
        },
    }  # fmt: skip
    config = parse(SpeechConfig, table, "golden")
    tokenizer = CharTokenizer(ALPHABET)
    torch.manual_seed(0)
    model = build(config, tokenizer).eval()
    for weight in model.parameters():
        weight.data = (4 * weight.data).half().float()  # far from uniform, and the same when stored in fp16
    header = checkpoint.Header(
        "speech",
        config.model_dump(mode="json", exclude={"card"}),
        model.log_mel.options,
        tokenizer.to_dict(),
        {"decoder": {"alpha": 0.5, "beta": -0.5, "unknown": -2.0, "blank": 3.0, "gamma": 0.25}},
    )
    checkpoint.save(FOLDER / "golden-speech-1.safetensors", model.state_dict(), header, precision="fp16")
    waveform = (0.3 * np.sin(np.arange(8000) ** 2 / 20000)).astype(np.float32)
    with torch.no_grad():
        emissions = model(*model.log_mel(torch.from_numpy(waveform)[None], torch.tensor([8000])))
    rows = emissions.log_probs[0, : int(emissions.lengths)].numpy()
    (FOLDER / "golden-speech-1.json").write_text(
        json.dumps([[round(float(value), 4) for value in row] for row in rows]) + "\n"
    )
