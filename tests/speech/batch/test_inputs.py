"""The recordings of each kind of input, and the names of their transcripts."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from audioseq.errors import AudioError, DataError
from audioseq.speech.batch.inputs import Recording, find_recordings, read_list


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with recordings and other files in its folder `clips`."""
    for name in ("b.wav", "a.wav", "notes.txt", "deep/er/c.FLAC", "deep/v1.2.mp3"):
        path = tmp_path / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "clips"


def names(recordings: list[Recording]) -> list[str]:
    return [recording.name for recording in recordings]


def test_a_folder_is_searched_recursively(clips: Path) -> None:
    assert find_recordings("clips") == [
        Recording("clips/a.wav", "a"),
        Recording("clips/b.wav", "b"),
        Recording("clips/deep/er/c.FLAC", "deep/er/c"),
        Recording("clips/deep/v1.2.mp3", "deep/v1.2"),
    ]


def test_a_pattern_matches_recordings(clips: Path) -> None:
    assert find_recordings("clips/**/*.wav") == [Recording("clips/a.wav", "a"), Recording("clips/b.wav", "b")]
    assert names(find_recordings("clips/**/*")) == names(find_recordings("clips"))
    assert names(find_recordings(clips / "*" / "v1*")) == ["deep/v1.2"]
    assert names(find_recordings("cl?ps/a.wav")) == ["clips/a"]
    with pytest.raises(AudioError, match=r"clips/\*\.ogg: matches no recordings"):
        find_recordings("clips/*.ogg")


def test_an_existing_file_is_not_a_pattern(clips: Path) -> None:
    (clips / "take [1].wav").write_bytes(b"x")
    assert find_recordings("clips/take [1].wav") == [Recording("clips/take [1].wav", "take [1]")]


def test_a_manifest_gives_names_offsets_and_durations(clips: Path) -> None:
    manifest = clips / "mine.jsonl"
    manifest.write_text(
        '{"audio_filepath": "b.wav", "duration": 1.5, "offset": 2}\n'
        '{"audio_filepath": "a.wav", "duration": 3, "id": "speaker/first", "text": "yes"}\n'
        '{"audio_filepath": "../../a.wav", "duration": 3}\n'
    )
    first, second, third = find_recordings(manifest)
    assert first == Recording(str(clips / "b.wav"), "b.wav#2", 2.0, 1.5)
    assert (second.name, second.offset, third.name) == ("speaker/first", 0.0, "a")


def test_a_list_has_one_path_per_line(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"\xef\xbb\xbfclips/b.wav\r\n\nclips/a.wav\n/else/x.wav\n../caf\xe9.wav"
    (clips / "list.txt").write_bytes(text)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))
    for source in ("clips/list.txt", "-"):
        found = read_list(source)
        assert [r.path for r in found][:3] == ["clips/b.wav", "clips/a.wav", "/else/x.wav"]
        assert names(found) == ["clips/b", "clips/a", "else/x", "caf\udce9"]


def test_missing_and_empty_lists_are_errors(clips: Path) -> None:
    with pytest.raises(DataError, match=r"notes\.none: cannot be read"):
        read_list("clips/notes.none")
    (clips / "list.txt").write_text("\n\n")
    with pytest.raises(DataError, match=r"list\.txt: lists no recordings"):
        read_list("clips/list.txt")


def test_a_single_recording_is_named_after_its_file(clips: Path) -> None:
    assert find_recordings("clips/deep/v1.2.mp3") == [Recording("clips/deep/v1.2.mp3", "v1.2")]
    assert find_recordings("-") == [Recording("-", "stdin")]
    assert find_recordings("nowhere/missing.wav") == [Recording("nowhere/missing.wav", "missing")]
