"""Batched transcription gives the same transcripts as single recordings, in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audioseq import audio
from audioseq.errors import AudioError
from audioseq.speech import pipeline
from audioseq.speech.batch import transcribe
from audioseq.speech.batch.inputs import Recording, find_recordings
from audioseq.speech.batch.transcribe import transcribe_each
from audioseq.speech.pipeline import Recogniser
from tests.speech import babbler


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    return pipeline.load_recogniser(babbler.make(tmp_path_factory.mktemp("model")), "cpu")


@pytest.mark.parametrize("window", [1.0, 8.0, 600.0])
def test_a_batch_gives_the_same_transcripts_as_single_recordings(
    window: float, recogniser: Recogniser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcribe, "WINDOW_SECONDS", window)
    paths = babbler.record(tmp_path, 6)
    paths[3].write_text("no sound")
    paths.insert(2, paths[0])  # a repetition
    steps: list[tuple[str, float]] = []
    results = list(
        transcribe_each(
            recogniser,
            (recording for path in paths for recording in find_recordings(path)),
            words=True,
            progress=lambda recording, share: steps.append((recording.path, share)),
        )
    )
    assert [result.recording.path for result in results] == [str(path) for path in paths]
    for path, result in zip(paths, results, strict=True):
        if path.read_bytes() == b"no sound":
            assert result.transcript is None and isinstance(result.error, AudioError)
        else:
            alone = recogniser.transcribe(path, words=True)
            assert result.transcript is not None and result.transcript.text == alone.text
            assert [(w.start, w.end) for w in result.transcript.words] == [
                (w.start, w.end) for w in alone.words
            ]
        assert result.seconds >= 0
        shares = [share for name, share in steps if name == str(path)]
        assert shares[-1] == pytest.approx(1.0)
        if paths.count(path) == 1:
            assert shares == sorted(shares)


def test_chunks_of_similar_length_are_batched(
    recogniser: Recogniser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[list[int]] = []
    compute = recogniser.model.compute

    def watched(waveforms):  # type: ignore[no-untyped-def]
        batches.append(list(map(len, waveforms)))
        return compute(waveforms)

    monkeypatch.setattr(recogniser.model, "compute", watched)
    monkeypatch.setattr(pipeline, "BATCH_SECONDS", 8.0)
    babbler.record(tmp_path, 40)
    list(transcribe_each(recogniser, find_recordings(tmp_path)))
    assert sum(map(len, batches)) == 41  # one recording has two chunks
    assert sum(max(lengths) * len(lengths) for lengths in batches) < 1.2 * sum(map(sum, batches))


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_part_is_transcribed_like_a_cut_recording(
    suffix: str, rate: int, recogniser: Recogniser, tmp_path: Path
) -> None:
    path = tmp_path / f"long.{suffix}"
    noise = np.random.default_rng(0).normal(scale=0.1, size=10 * rate).astype(np.float32)
    sf.write(path, noise, rate)
    cut = tmp_path / "cut.wav"
    waveform = audio.load(path)
    for offset, duration in ((0.0, 2.5), (4.0, 3.0), (6.25, None), (9.0, 5.0)):
        end = None if duration is None else round((offset + duration) * audio.SAMPLE_RATE)
        part = waveform[round(offset * audio.SAMPLE_RATE) : end]
        audio.write(cut, part)
        (result,) = transcribe_each(recogniser, [Recording(str(path), "x", offset, duration)])
        (expected,) = transcribe_each(recogniser, find_recordings(cut))
        assert result.transcript is not None and expected.transcript is not None
        assert result.transcript.duration == pytest.approx(len(part) / audio.SAMPLE_RATE, abs=1e-3)
        if rate == audio.SAMPLE_RATE and suffix != "ogg":  # other formats and rates differ at the edges
            assert result.transcript.text == expected.transcript.text


def test_a_part_after_the_end_is_an_error(recogniser: Recogniser, tmp_path: Path) -> None:
    path = babbler.record(tmp_path, 1)[0]
    (result,) = transcribe_each(recogniser, [Recording(str(path), "late", 99.0, 1.0)])
    assert "correct its offset" in str(result.error) and str(path) in str(result.error)
