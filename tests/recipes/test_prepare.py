"""The manifests of each recipe's prepare.py, from small copies of the corpora, without network access."""

from __future__ import annotations

import hashlib
import sys
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from audioseq.data import read_manifest
from audioseq.errors import DataError
from audioseq.speech.data import corpora
from tests.recipes.script import module

RECIPES = Path(__file__).parents[2] / "recipes"
Prepare = Callable[..., ModuleType]


def load(recipe: str) -> ModuleType:
    """Import a recipe's prepare.py."""
    return module(RECIPES / recipe / "prepare.py")


def run(prepare: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["prepare.py", *map(str, arguments)])
    prepare.main()


def sound(path: Path, seconds: float = 0.4) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, np.full(round(seconds * 8000), 0.1), 8000)


def librispeech(folder: Path, speaker: str) -> None:
    """Write a subset of two utterances."""
    chapter = folder / speaker / "1"
    for number in range(2):
        sound(chapter / f"{speaker}-1-{number}.flac")
    (chapter / f"{speaker}-1.trans.txt").write_text(f"{speaker}-1-0 ONE\n{speaker}-1-1 MORE'S TWO\n")


def serve(tmp_path: Path, place: str, content: Path, inside: str) -> tuple[str, str, str]:
    """Pack a folder as an archive; return the file:// URL of its root, and the MD5 and SHA-256 checksums."""
    archive = tmp_path / "server" / place
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(content, inside)
    read = archive.read_bytes()
    root = (tmp_path / "server").as_uri()
    return root, hashlib.md5(read).hexdigest(), hashlib.sha256(read).hexdigest()


def texts(path: Path) -> list[str]:
    return [utterance.text for utterance in read_manifest(path)]


def test_librispeech_from_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    librispeech(tmp_path / "LibriSpeech" / "dev-clean-2", "84")
    librispeech(tmp_path / "LibriSpeech" / "train-clean-5", "19")
    (tmp_path / "LibriSpeech" / "README.TXT").write_text("")
    module = load("librispeech-ctc")
    for source in (tmp_path / "LibriSpeech", tmp_path / "LibriSpeech" / "dev-clean-2"):
        run(module, monkeypatch, "--from", source, "--out", tmp_path / source.name)
        assert texts(tmp_path / source.name / "dev-clean-2.jsonl") == ["one", "more's two"]
    assert (tmp_path / "LibriSpeech" / "train-clean-5.jsonl").exists()
    assert not (tmp_path / "dev-clean-2" / "train-clean-5.jsonl").exists()
    with pytest.raises(DataError, match="nowhere: no"):
        run(module, monkeypatch, "--from", tmp_path / "nowhere")


def test_librispeech_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, out = load("librispeech-ctc"), tmp_path / "out"
    subsets = dict(module.SUBSETS)
    for name, speaker in (("train-clean-5", "19"), ("dev-clean-2", "84")):
        librispeech(tmp_path / "made" / name, speaker)
        made = tmp_path / "made" / name
        url, md5, _ = serve(tmp_path, f"31/{name}.tar.gz", made, f"LibriSpeech/{name}")
        subsets[name] = (*subsets[name][:2], md5)
    fetch = partial(run, module, monkeypatch, "--url", url, "--out", out)
    with pytest.raises(DataError, match="checksum differs"):  # the checksums of the real archives
        fetch()
    assert not list(out.rglob("*.flac"))
    monkeypatch.setattr(module, "SUBSETS", subsets)
    for _ in range(2):
        fetch()
        assert texts(out / "train-clean-5.jsonl") == ["one", "more's two"]
        assert sorted(path.name for path in out.iterdir() if path.is_dir()) == [
            "dev-clean-2",
            "train-clean-5",
        ]
    with pytest.raises(DataError, match=r"12/test-clean\.tar\.gz: cannot be downloaded"):
        fetch("--sets", "test")


def digits(folder: Path) -> None:
    for take in (0, 4, 5, 7, 8, 49):
        for digit in (0, 3):
            sound(folder / "recordings" / f"{digit}_theo_{take}.wav")


def test_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load("digits-ctc")
    splits = {name: (takes, 3) for name, (takes, _) in module.SPLITS.items()}
    monkeypatch.setattr(module, "SPLITS", splits)
    digits(tmp_path / "copy")
    run(module, monkeypatch, "--from", tmp_path / "copy", "--out", tmp_path / "out")
    found = {split: {u.id for u in read_manifest(tmp_path / "out" / f"{split}.jsonl")} for split in splits}
    assert found["test"] == {"0_theo_0", "0_theo_4", "3_theo_0", "3_theo_4"}
    assert found["dev"] == {"0_theo_5", "0_theo_7", "3_theo_5", "3_theo_7"}
    assert found["train"] == {"0_theo_8", "0_theo_49", "3_theo_8", "3_theo_49"}
    for split in splits:
        strings = read_manifest(tmp_path / "out" / f"{split}-strings.jsonl")
        assert len(strings) == 3
        assert all(2 <= len(each.text.split()) <= 6 and each.audio_filepath.is_file() for each in strings)
        assert {word for each in strings for word in each.text.split()} <= {"zero", "three"}

    url, _, sha256 = serve(tmp_path, "fsdd", tmp_path / "copy", f"free-spoken-digit-dataset-{module.COMMIT}")
    monkeypatch.setattr(module, "URL", f"{url}/fsdd")
    monkeypatch.setattr(module, "SHA256", sha256)
    run(module, monkeypatch, "--out", tmp_path / "fetched")
    assert texts(tmp_path / "fetched" / "test.jsonl") == ["zero", "zero", "three", "three"]


def test_english_excludes_held_out_data_from_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load("english-ctc")
    makers: dict[Any, Callable[[Path, str], None]] = {corpora.librispeech: librispeech}

    def made(folder: Path, name: str) -> None:
        """Write all layouts with one utterance of this name."""
        for place in (f"{name}.wav", f"wavs/{name}.wav", f"wav48/p/{name}.wav"):
            sound(folder / place)
        (folder / "manifest.tsv").write_text(f"utt\tspeaker\ttext\n{name}\ts\tSPOKEN\n")
        (folder / "metadata.csv").write_text(f"{name}|12|twelve\n")
        (folder / "txt" / "p").mkdir(parents=True)
        (folder / "txt" / "p" / f"{name}.txt").write_text("Spoken.")

    for number, (place, reader) in enumerate({**module.TRAIN, **module.MACHINE, **module.DEV}.items()):
        makers.get(reader, made)(tmp_path / place, str(number))
    for forbidden in ("an4/test", "an4/train", "kathleen"):
        made(tmp_path / forbidden, forbidden.replace("/", "-"))
    run(module, monkeypatch, "--from", tmp_path, "--out", tmp_path / "out")
    train, dev = (read_manifest(tmp_path / "out" / f"{name}.jsonl") for name in ("train", "dev"))
    assert {each.dataset for each in dev} == {"dev-clean-part"}
    (machine,) = read_manifest(tmp_path / "out" / "machine.jsonl")
    assert machine.dataset == "CommonVoice13-machine"
    assert len({each.dataset for each in train}) == len(module.TRAIN) == 8
    assert not {each.audio_filepath for each in train} & {each.audio_filepath for each in dev}
    assert not any(name in str(each) for each in train for name in ("an4", "kathleen", "digit", "dev-clean"))


def test_the_real_copies_are_complete(data_root: Path) -> None:
    """The corpora have the number of utterances that their READMEs state."""
    speech = data_root / "speech"
    lines = {
        "an4/test": (corpora.tsv, 124),
        "LJSpeech-part": (corpora.ljspeech, 385),
        "VCTK-part": (corpora.vctk, 503),
    }
    for place, (reader, count) in lines.items():
        assert len(reader(speech / place)) == count
