"""All layouts are found at any depth, and recordings without texts are reported."""

from __future__ import annotations

from pathlib import Path

from audioseq.data import Utterance, write_manifest
from audioseq.speech.data.discovery import find_utterances
from tests.speech.data.recordings import record, tone


def test_every_layout_is_found_at_any_depth(tmp_path: Path) -> None:
    record(tmp_path / "mine/ann/a.wav", "Hello there.")
    tone(tmp_path / "mine/b.FLAC").with_suffix(".lab").write_text("by the way")
    tone(tmp_path / "libri/train/1/2/1-2-0.flac")
    (tmp_path / "libri/train/1/2/1-2.trans.txt").write_text("1-2-0 LIBRI\n")
    tone(tmp_path / "lj/wavs/LJ1.wav")
    (tmp_path / "lj/metadata.csv").write_text("LJ1|1|one lj\n")
    tone(tmp_path / "vctk/wav48/p1/p1_1.wav")
    (tmp_path / "vctk/txt/p1").mkdir(parents=True)
    (tmp_path / "vctk/txt/p1/p1_1.txt").write_text("Stella.")
    tone(tmp_path / "cv/en/clips/c_1.wav")
    (tmp_path / "cv/en/validated.tsv").write_text("client_id\tpath\tsentence\nabc\tc_1.mp3\tCommon.\n")
    tone(tmp_path / "tsv/u.wav")
    (tmp_path / "tsv/manifest.tsv").write_text("utt\tspeaker\ttext\nu\ts\tTABLE\n")
    long = tone(tmp_path / "cut/talk.wav", seconds=4)
    parts = [Utterance(f"talk-{at}", long, 2, f"part {at}", offset=at) for at in (0.0, 2.0)]
    write_manifest(tmp_path / "cut" / "talk.jsonl", parts)
    write_manifest(tmp_path / "train.jsonl", parts[:1])  # an output of `prepare`, which is no data
    found, problems = find_utterances(tmp_path)
    assert problems == []
    assert sorted((each.text, each.speaker) for each in found if each.speaker) == [
        ("Common.", "abc"), ("Hello there.", "mine/ann"), ("LIBRI", "1"), ("Stella.", "p1"), ("TABLE", "s"),
        ("by the way", "mine"), ("one lj", "lj"),
    ]  # fmt: skip
    assert [(each.text, each.offset) for each in found if not each.speaker] == [
        ("part 0.0", 0),
        ("part 2.0", 2),
    ]
