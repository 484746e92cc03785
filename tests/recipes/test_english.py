"""The English recipe's own programs: pronunciations, and spellings learnt without recordings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from audioseq.data import write_manifest
from audioseq.errors import DataError
from audioseq.speech import pipeline
from audioseq.speech.config import TextOnlyConfig
from audioseq.speech.decoding.greedy import greedy
from audioseq.speech.pronunciation import MARK, Pronunciations
from audioseq.speech.task import SpeechTask
from audioseq.training import fit
from audioseq.training.distributed import join
from tests.recipes.script import module
from tests.speech.tiny import MODEL, config, say, utterances

RECIPE = Path(__file__).parents[2] / "recipes" / "english-ctc"
# Each letter of the tiny language has a phone of its own, and "dc" is the odd word out: it sounds like "cab".
PHONES = {"a": "AA", "b": "B", "c": "CH", "d": "D"}
WORDS = ["ab", "ba", "cad", "dab", "abba", "bad", "ac", "ca", "dad", "cda"]


def test_a_word_is_spelt_that_no_recording_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{word} {' '.join(PHONES[letter] for letter in word)}\n" for word in WORDS]
    (tmp_path / "dictionary.txt").write_text("".join(lines) + "dc CH AA B\n")
    (tmp_path / "texts.txt").write_text("dc\nba dc\n")
    made = utterances(tmp_path, [*WORDS, "ab cad", "bad ac", "dab ba", "cda dad", "ca ab"])
    write_manifest(tmp_path / "train.jsonl", made)
    spelling = TextOnlyConfig(
        dictionary=tmp_path / "dictionary.txt", texts=(tmp_path / "texts.txt",), sentences=4
    )
    training = {"epochs": 60, "validate_every": 60}
    recipe = config(**training).model_copy(
        update={
            "model": MODEL.model_copy(update={"speller_layers": 1, "speller_size": 24}),
            "intermediate_weight": 0.5,
            "spelling": spelling,
        }
    )

    def learn(spelling: TextOnlyConfig, name: str, start: Path | None) -> Path:
        task = SpeechTask(recipe.model_copy(update={"spelling": spelling}), made, made)
        task.prepare(join("cpu"))
        return fit(task, recipe.training, tmp_path / name, start_from=start, device="cpu").last

    def spelt(model: Path) -> str:
        recogniser, random, texts = (
            pipeline.load_recogniser(model, "cpu"),
            np.random.default_rng(9),
            Counter[str](),
        )
        for _ in range(9):
            phones = torch.from_numpy(
                heard.join([MARK, *(said.units("ba dc") or []), MARK], random).astype(np.float32)
            )
            log_probs, _ = recogniser.model.spell(phones[None], torch.tensor([len(phones)]))
            texts[recogniser.tokenizer.decode(greedy(log_probs[0].detach().numpy()).tokens)] += 1
        return texts.most_common(1)[0][0]

    first = learn(spelling, "first", None)
    recogniser = pipeline.load_recogniser(first, "cpu")
    assert recogniser.transcribe(say("dab ba"), 16000).text == "dab ba"
    listening, said = module(RECIPE / "segments.py"), Pronunciations.read(tmp_path / "dictionary.txt")
    for change in ("WAVE", "SPEC"):  # masks and filters would leave nothing of a tone
        monkeypatch.setattr(listening, change, lambda recording, generator: recording)
    heard = listening.collect(recogniser, made, said)
    with pytest.raises(DataError, match=r"words of no recording"):
        listening.collect(recogniser, made, Pronunciations({}))
    assert set(np.unique(heard.labels)) == {1, 2, 8, 9, 10} and len(heard.lengths) == len(made)
    heard.save(tmp_path / "segments.npz")

    second = learn(spelling.model_copy(update={"segments": tmp_path / "segments.npz"}), "second", first)
    assert spelt(first) != "ba dc" and spelt(second) == "ba dc"
    assert pipeline.load_recogniser(second, "cpu").transcribe(say("dab ba"), 16000).text == "dab ba"


def test_pronunciations_are_gathered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dictionary = module(RECIPE / "dictionary.py")
    (tmp_path / "first.txt").write_text("cat K AE1 T\nfox F AA1 K S\ndo D UW1\n")
    first = Pronunciations.read(tmp_path / "first.txt")
    said = {
        word: [" ".join(way) for way in dictionary.ways(word, first)] for word in ("cat's", "fox's", "do's")
    }
    assert said == {"cat's": ["K AE T S"], "fox's": ["F AA K S IH Z"], "do's": ["D UW Z"]}
    assert dictionary.ways("'cat", first) == dictionary.ways("cat", first)
    assert dictionary.ways("dog", first) == dictionary.ways("dog's", first) == []
