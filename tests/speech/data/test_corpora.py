"""All layouts of corpora give the expected utterances, and omissions are reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audioseq import audio
from audioseq.data import Utterance, read_manifest
from audioseq.errors import AudioError, DataError
from audioseq.speech.data import corpora


def sound(path: Path, seconds: float = 0.5, rate: int = 8000) -> Path:
    """Write a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, 0.3 * np.sin(np.arange(round(seconds * rate)) * 0.5), rate)
    return path


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def facts(utterances: list[Utterance]) -> list[tuple[str, str, str | None, str | None, float]]:
    return [(each.id, each.text, each.speaker, each.dataset, each.duration) for each in utterances]


def test_librispeech(tmp_path: Path) -> None:
    for name in ("19/198/19-198-0001.flac", "19/198/19-198-0000.ogg", "7/1/7-1-0000.flac"):
        sound(tmp_path / "train-clean-5" / name)
    text(tmp_path / "train-clean-5/19/198/19-198.trans.txt", "19-198-0000 A B\n19-198-0001 C'S\n")
    text(tmp_path / "train-clean-5/7/1/7-1.trans.txt", "7-1-0000 D\n")
    assert facts(corpora.librispeech(tmp_path / "train-clean-5")) == [
        ("19-198-0000", "A B", "19", "train-clean-5", 0.5),
        ("19-198-0001", "C'S", "19", "train-clean-5", 0.5),
        ("7-1-0000", "D", "7", "train-clean-5", 0.5),
    ]


@pytest.mark.parametrize("clips", ["", "clips/"])
def test_tsv(tmp_path: Path, clips: str) -> None:
    folder = tmp_path / "an4" / "train"
    sound(folder / f"{clips}u.1.wav")
    text(folder / "manifest.tsv", "utt\tspeaker\tage\ttext\nu.1\tfash\t6\tYES NO\n")
    assert facts(corpora.tsv(folder)) == [("u.1", "YES NO", "fash", "an4-train", 0.5)]
    text(folder / "manifest.tsv", "utt\tspeaker\ttext\nu.1\tfash\n")
    with pytest.raises(DataError, match=r"manifest.tsv:2: 2 columns"):
        corpora.tsv(folder)
    text(folder / "manifest.tsv", "name\ttext\nu.1\tYES\n")
    with pytest.raises(DataError, match=r"manifest.tsv:1: no column 'speaker'"):
        corpora.tsv(folder)


def test_ljspeech(tmp_path: Path) -> None:
    sound(tmp_path / "lj/wavs/LJ001-0002.wav")
    text(tmp_path / "lj/metadata.csv", 'LJ001-0002|In 1480, he said "no.|In fourteen eighty, he said "no.\n')
    assert facts(corpora.ljspeech(tmp_path / "lj")) == [
        ("LJ001-0002", 'In fourteen eighty, he said "no.', "lj", "lj", 0.5)
    ]
    text(tmp_path / "lj/metadata.csv", "LJ001-0002|one\n")
    with pytest.raises(DataError, match=r"metadata.csv:1: 2 columns"):
        corpora.ljspeech(tmp_path / "lj")


def test_vctk(tmp_path: Path) -> None:
    sound(tmp_path / "vctk/wav48/p239/p239_003.wav")
    text(tmp_path / "vctk/txt/p239/p239_003.txt", "Please call\n\nStella.\n")
    assert facts(corpora.vctk(tmp_path / "vctk")) == [
        ("p239_003", "Please call Stella.", "p239", "vctk", 0.5)
    ]


def test_fsdd(tmp_path: Path) -> None:
    for name in ("7_theo_12", "0_george_3"):
        sound(tmp_path / f"fsdd/recordings/{name}.wav")
    assert facts(corpora.fsdd(tmp_path / "fsdd")) == [
        ("0_george_3", "zero", "george", "fsdd", 0.5),
        ("7_theo_12", "seven", "theo", "fsdd", 0.5),
    ]


def test_incomplete_copies(tmp_path: Path) -> None:
    for reader in (corpora.librispeech, corpora.tsv, corpora.ljspeech, corpora.vctk, corpora.fsdd):
        with pytest.raises(DataError, match="check the path"):
            reader(tmp_path / "nowhere")
    folder = tmp_path / "set"
    text(folder / "1/2/1-2.trans.txt", "1-2-0 A\n")
    with pytest.raises(DataError, match=r"set: 1-2-0 has a text but no recording"):
        corpora.librispeech(folder)
    text(folder / "1/2/1-2-0.flac", "not audio")
    with pytest.raises(AudioError, match=r"1-2-0.flac: cannot be opened"):
        corpora.librispeech(folder)


def test_save_manifest_leaves_out_unusable_utterances(tmp_path: Path) -> None:
    path = sound(tmp_path / "a.wav")
    texts = {"a": "Café -- “naïve”!", "b": "In 1480", "c": "…", "d": "fine"}
    utterances = [Utterance(name, path, 0.5, text, "s", dataset="x") for name, text in texts.items()]
    report = corpora.save_manifest(tmp_path / "m.jsonl", [*utterances, utterances[3]])
    assert [each.text for each in read_manifest(tmp_path / "m.jsonl")] == ["cafe naive", "fine"]
    assert read_manifest(tmp_path / "m.jsonl") == report.utterances
    table = str(report)
    assert "x                              2 utterances     0.00 h     1 speakers" in table
    for reason in (
        "1 utterances with digits in the text",
        "1 utterances without text",
        "1 utterances with the id of an earlier utterance",
        "!×1",
    ):
        assert reason in table
    with pytest.raises(DataError, match=r"none.jsonl: no utterances to write.*1 utterances without text"):
        corpora.save_manifest(tmp_path / "none.jsonl", [utterances[2]])
    assert not (tmp_path / "none.jsonl").exists()


def test_concatenates_clips_of_one_speaker(tmp_path: Path) -> None:
    clips = [
        Utterance(f"{digit}-{speaker}", sound(tmp_path / f"{digit}-{speaker}.wav", 0.3), 0.3, digit, speaker)
        for digit in ("one", "two")
        for speaker in ("ann", "bob")
    ]
    joined = corpora.concatenate_clips(clips, tmp_path / "strings", "dev", 12, range(2, 5))
    assert (
        corpora.concatenate_clips(clips, tmp_path / "again", "dev", 12, range(2, 5))[3].text == joined[3].text
    )
    assert {len(each.text.split()) for each in joined} == {2, 3, 4}
    assert {each.speaker for each in joined} == {"ann", "bob"}
    assert len({each.id for each in joined}) == 12
    for each in joined:
        waveform, rate = audio.read(each.audio_filepath)
        count = len(each.text.split())
        assert rate == 8000
        assert len(waveform) / rate == each.duration
        silence = each.duration - 0.3 * count
        assert corpora.GAP_SECONDS[0] * (count + 1) <= silence <= corpora.GAP_SECONDS[1] * (count + 1)
        assert abs(np.count_nonzero(np.abs(waveform) > 1e-3) / rate - 0.3 * count) < 0.02
