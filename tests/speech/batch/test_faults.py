"""An exception of any type, at any stage, is the error of one recording; the others are transcribed."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import torch

from audioseq import audio
from audioseq.audio import sources
from audioseq.errors import AudioError, AudioseqError, DataError
from audioseq.speech import pipeline, writers
from audioseq.speech.batch import transcribe
from audioseq.speech.batch.inputs import Recording, find_left_out, find_recordings
from audioseq.speech.batch.journal import Journal
from audioseq.speech.batch.run import transcribe_all
from audioseq.speech.batch.transcribe import TranscriptionResult, to_error, transcribe_each
from audioseq.speech.longform.merging import SegmentEmissions
from audioseq.speech.model import AcousticModel
from audioseq.speech.pipeline import Recogniser
from tests.speech import babbler
from tests.speech.batch.test_run import lines

EXCEPTIONS = [
    ValueError("two\nlines"),
    KeyError("key"),
    IndexError(),
    RuntimeError("CUDA error"),
    OSError(errno.EIO, "Input/output error"),
    UnicodeEncodeError("utf-8", "\udce9", 0, 1, "surrogates not allowed"),
    UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "invalid"),
    ZeroDivisionError(),
    OverflowError(),
    AssertionError(),
    AttributeError("name"),
    RecursionError("depth"),
    NotImplementedError(),
    StopIteration(),
    struct.error("unpack"),
    sf.LibsndfileError(1, "seek"),
    np.linalg.LinAlgError(),
    AudioError("b.wav: is odd; record it again"),
    DataError("b.wav: is odd; record it again"),
    type("Unknown", (Exception,), {})("new"),
]
STAGES = ["open", "decode", "features", "emissions", "decoding", "writing", "journal"]


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    return pipeline.load_recogniser(babbler.make(tmp_path_factory.mktemp("model")), "cpu", "torch")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three recordings; the second one is recognised by its length."""
    folder = tmp_path_factory.mktemp("clips")
    paths = babbler.record(folder, 3)
    audio.write(paths[1], np.random.default_rng(1).normal(0, 0.1, 17_777).astype(np.float32))
    return paths


def fail_at(stage: str, bad: str, error: BaseException, patch: pytest.MonkeyPatch, model: Recogniser) -> None:
    """Raise an error at a stage of the recording `bad`."""

    def wrap(owner: Any, name: str, is_bad: Callable[..., bool]) -> None:
        original = getattr(owner, name)

        def replaced(*given: Any, **options: Any) -> Any:
            if is_bad(*given):
                raise error
            return original(*given, **options)

        patch.setattr(owner, name, replaced)

    length_of_bad = 17_777
    if stage == "open":
        wrap(sources, "_open_file", lambda path: str(path) == bad)
    elif stage == "decode":
        original = sources.SoundFileSource.blocks

        def blocks(source: sources.SoundFileSource, start: float = 0.0) -> Iterator[Any]:
            for block in original(source, start):
                yield block
                if len(block) == length_of_bad:
                    raise error

        patch.setattr(sources.SoundFileSource, "blocks", blocks)
    elif stage == "features":
        assert isinstance(model.model, AcousticModel)
        wrap(model.model.log_mel, "log_energies", lambda waveform: len(waveform) == length_of_bad)
    elif stage == "emissions":
        wrap(model.model, "compute", lambda waveforms: length_of_bad in map(len, waveforms))
    elif stage == "decoding":

        def is_bad(segments: list[SegmentEmissions], *_: object) -> bool:
            return length_of_bad in [len(segment.chunk.waveform) for segment in segments]

        wrap(model.segment_decoder, "decode", is_bad)
    elif stage == "writing":
        wrap(writers, "write", lambda transcript, *_: transcript.path == bad)
    elif stage == "journal":
        wrap(Journal, "add", lambda _, entry, *__: entry.path == bad and entry.status == "done")


@pytest.mark.parametrize("stage", STAGES)
def test_any_exception_at_any_stage_fails_one_recording_only(
    stage: str, recogniser: Recogniser, clips: list[Path], tmp_path: Path
) -> None:
    for number, error in enumerate(EXCEPTIONS):
        results: list[TranscriptionResult] = []
        with pytest.MonkeyPatch.context() as patch:
            fail_at(stage, str(clips[1]), error, patch, recogniser)
            out = tmp_path / str(number)
            summary = transcribe_all(clips, out, model=recogniser, on_result=results.append)
        assert (summary.done, summary.failed) == (2, 1), error
        failure = results[1].error
        assert isinstance(failure, AudioseqError) and "\n" not in str(failure)
        if isinstance(error, AudioseqError):
            assert failure is error
        else:
            assert str(clips[1]) in str(failure)
        assert [line["status"] for line in lines(out)] == ["done", "failed", "done"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), SystemExit(3)])
def test_fatal_exceptions_end_the_run(
    error: BaseException, recogniser: Recogniser, clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at("open", str(clips[1]), error, monkeypatch, recogniser)
    recordings = [recording for clip in clips for recording in find_recordings(clip)]
    with pytest.raises(type(error)):
        list(transcribe_each(recogniser, recordings))


def test_the_unexpected_exception_is_the_cause(
    recogniser: Recogniser, clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at("emissions", str(clips[1]), ValueError("odd"), monkeypatch, recogniser)
    (result,) = transcribe_each(recogniser, find_recordings(clips[1]))
    assert result.error is not None and isinstance(result.error.__cause__, ValueError)
    assert f"{clips[1]}: unexpected ValueError odd; " in str(result.error)
    assert transcribe.to_error(result.recording, result.error) is result.error


def test_a_full_gpu_is_a_line_with_advice() -> None:
    error = to_error(Recording("a.wav", "a"), torch.cuda.OutOfMemoryError("CUDA out of memory.\nTried"))
    assert str(error) == (
        "a.wav: the memory of the GPU is full; end other programs that use it, or use --device cpu"
    )


def test_names_that_are_not_utf_8_are_transcribed(recogniser: Recogniser, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    name = b"caf\xe9\t.wav".decode("utf-8", "surrogateescape")
    try:
        audio.write(folder / "a.wav", np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32))
        (folder / name).write_bytes((folder / "a.wav").read_bytes())
    except (OSError, UnicodeError):
        pytest.skip("the file system refuses the name")
    for form in writers.FORMATS:
        summary = transcribe_all(folder, tmp_path / form, model=recogniser, form=form, words=True)
        assert (summary.done, summary.failed) == (2, 0)
        assert (tmp_path / form / f"{name[:-4]}.{form}").is_file()
        again = transcribe_all(folder, tmp_path / form, model=recogniser, form=form, words=True, resume=True)
        assert again.skipped == 2
    assert b"caf\\xe9" in (tmp_path / "ctm" / f"{name[:-4]}.ctm").read_bytes()
    labels = [recording.label for recording in find_recordings(folder)]
    assert labels == [str(folder / "a.wav"), f"{folder}/caf\\xe9\\t.wav"]


def test_recordings_that_cannot_be_read_are_listed(
    recogniser: Recogniser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    babbler.record(folder, 1)
    for name in ("b.m4a", "deep/c.webm", "notes.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    monkeypatch.setattr(audio, "UNSUPPORTED_SUFFIXES", (".m4a", ".webm"))
    monkeypatch.setattr(audio.io, "SUFFIXES", (".wav",))
    assert find_left_out(folder) == [folder / "b.m4a", folder / "deep" / "c.webm"]
    for _ in range(2):
        assert transcribe_all(folder, out, model=recogniser, force=True).done == 1
        assert sorted(line["status"] for line in lines(out)) == ["done", "left out", "left out"]


def test_equal_names_with_other_suffixes_get_transcripts_of_their_own(tmp_path: Path) -> None:
    for name in ("a.flac", "a.mp3", "b.wav"):
        (tmp_path / name).touch()
    assert [recording.name for recording in find_recordings(tmp_path)] == ["a", "a.mp3", "b"]


def test_two_parts_of_a_recording_have_different_labels(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"audio_filepath": "a.wav", "offset": 0, "duration": 2}\n'
        '{"audio_filepath": "a.wav", "offset": 2, "duration": 1.5}\n'
    )
    first, second = (recording.label for recording in find_recordings(tmp_path / "a.jsonl"))
    assert first == f"{tmp_path / 'a.wav'}#t=0,2" and second == f"{tmp_path / 'a.wav'}#t=2,3.5"
