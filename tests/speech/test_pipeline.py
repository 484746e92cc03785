"""Transcription with a random tiny model: the result must not depend on how the audio is passed in."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import jiwer
import numpy as np
import pytest
import torch

from audioseq import audio, checkpoint
from audioseq.checkpoint import Header
from audioseq.errors import AudioError, AudioseqError, CheckpointError
from audioseq.speech import pipeline
from audioseq.speech.decoding.decoder import DecodingOptions
from audioseq.speech.evaluation.evaluate import evaluate
from audioseq.speech.longform.chunking import Chunk
from audioseq.speech.model import AcousticModel
from audioseq.speech.task import SpeechTask
from tests.speech.tiny import config, say, utterances


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that emits letters and blanks at random, so that it is sensitive to any change of its input."""
    folder = tmp_path_factory.mktemp("model")
    made = utterances(folder, ["ab"])
    untrained = SpeechTask(config(), made, made)
    torch.nn.init.normal_(untrained.model.head.linear.weight, std=2.0)
    path = folder / "tiny.safetensors"
    checkpoint.save(path, untrained.model.state_dict(), untrained.header({}))
    return path


@pytest.fixture(scope="module")
def recogniser(model: Path) -> pipeline.Recogniser:
    return pipeline.load_recogniser(model, "cpu")


def test_a_file_and_its_waveform_give_the_same_transcript(
    recogniser: pipeline.Recogniser, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"
    audio.write(path, say("abc dad"), audio.SAMPLE_RATE)
    waveform = audio.load(path)
    transcript = recogniser.transcribe(path)
    assert transcript.text
    assert transcript.path == str(path)
    assert transcript.duration == len(waveform) / audio.SAMPLE_RATE
    for source in (waveform, torch.from_numpy(waveform), np.stack([waveform, waveform], 1)):
        assert recogniser.transcribe(source, audio.SAMPLE_RATE).text == transcript.text


def test_batching_does_not_change_emissions(recogniser: pipeline.Recogniser) -> None:
    waveforms = [say("abc"), say("d"), say("a bad cab dad"), say("cd")]
    chunks = [Chunk(0, waveform) for waveform in waveforms]
    for chunk, together in recogniser.compute_chunk_emissions(chunks):
        (alone,) = recogniser.compute_chunk_emissions([chunk])
        np.testing.assert_allclose(alone.log_probs, together, atol=1e-3)


def test_timestamps_increase_across_the_chunks_of_a_long_recording(recogniser: pipeline.Recogniser) -> None:
    letters = say("abc dad bad cab " * 30)
    transcript = recogniser.transcribe(letters, audio.SAMPLE_RATE, words=True)
    assert len(transcript.segments) > 1
    times = [time for word in transcript.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[-1] <= transcript.duration
    assert " ".join(word.word for word in transcript.words) == transcript.text


def test_the_segments_cover_a_recording_without_pauses_once(recogniser: pipeline.Recogniser) -> None:
    letters = say("abcd" * 200) + np.random.default_rng(0).normal(0, 0.1, len(say("abcd" * 200)))
    emissions = list(recogniser.compute_emissions(letters.astype(np.float32)))
    frames = sum(len(emission.log_probs) for emission in emissions)
    assert len(emissions) > 4
    assert all(one.end == other.start for one, other in pairwise(emissions))
    assert (emissions[0].start, emissions[-1].end) == (0, len(letters) / audio.SAMPLE_RATE)
    assert frames == pytest.approx(len(letters) / audio.SAMPLE_RATE / 0.04, abs=len(emissions))


def test_progress_is_reported_while_a_file_is_read(recogniser: pipeline.Recogniser, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    audio.write(path, say("abc dad bad cab " * 30))
    reported: list[tuple[float, float]] = []
    recogniser.transcribe(path, progress=lambda done, seconds: reported.append((done, seconds)))
    done = [seconds for seconds, _ in reported]
    assert len(done) > 3 and done == sorted(set(done))
    seconds = len(audio.load(path)) / audio.SAMPLE_RATE
    assert done[-1] == seconds and {whole for _, whole in reported} == {seconds}


def test_an_opened_file_gives_the_transcript_of_its_path(
    recogniser: pipeline.Recogniser, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"
    audio.write(path, say("abc dad"))
    with path.open("rb") as file:
        transcript = recogniser.transcribe(file)
    assert transcript.path is None and transcript.text == recogniser.transcribe(path).text
    with pytest.raises(AudioseqError, match="leave out sample_rate"):
        recogniser.transcribe(path, audio.SAMPLE_RATE)


def test_an_empty_best_path_gives_no_text(model: Path) -> None:
    silent = pipeline.load_recogniser(model, "cpu", "torch")
    assert isinstance(silent.model, AcousticModel)
    with torch.no_grad():
        silent.model.head.linear.weight.zero_()
        silent.model.head.linear.bias.zero_()
        silent.model.head.linear.bias[:: silent.tokenizer.size] = 0.1
    noise = np.random.default_rng(0).normal(0, 0.1, 30 * audio.SAMPLE_RATE)
    options = DecodingOptions(hotwords=["abc"], boost=9.0)
    segment = next(silent.compute_emissions(noise.astype(np.float32)))
    (found,) = silent.load_decoder(options).decode_words([segment.log_probs], 0.04)
    assert found  # the beam search alone finds text
    transcript = silent.transcribe(noise, audio.SAMPLE_RATE, decoding=options)
    assert transcript.text == "" and transcript.segments == ()
    assert transcript.warnings == ("no speech found",)
    assert transcript.to_dict()["warnings"] == ["no speech found"]


def test_emissions_of_a_quiet_waveform_are_those_of_the_amplified_one(
    recogniser: pipeline.Recogniser,
) -> None:
    quiet = 0.01 * say("abc dad")
    amplified = np.concatenate(list(audio.stream_array(quiet, audio.SAMPLE_RATE, amplify=True)))
    assert np.abs(amplified).max() > 10 * np.abs(quiet).max()
    (found,), (expected,) = (recogniser.compute_emissions(waveform) for waveform in (quiet, amplified))
    np.testing.assert_allclose(found.log_probs, expected.log_probs, atol=1e-4)


def test_silence_of_any_length_is_transcribed(recogniser: pipeline.Recogniser) -> None:
    for samples in (1, 800, 45 * audio.SAMPLE_RATE):
        transcript = recogniser.transcribe(np.zeros(samples, np.float32), audio.SAMPLE_RATE, words=True)
        assert transcript.duration == samples / audio.SAMPLE_RATE


def test_bad_waveforms_and_missing_sample_rates_are_errors(recogniser: pipeline.Recogniser) -> None:
    with pytest.raises(AudioError):
        recogniser.transcribe(np.full(100, np.nan, np.float32), audio.SAMPLE_RATE)
    with pytest.raises(AudioseqError, match="needs its sample_rate"):
        recogniser.transcribe(np.zeros(100, np.float32))


def test_missing_foreign_and_damaged_models_are_errors(model: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="digits"):
        pipeline.load_recogniser("no-such-model")
    stored = checkpoint.load(model)
    other = tmp_path / "music.safetensors"
    checkpoint.save(other, stored.weights, Header("music"))
    with pytest.raises(CheckpointError, match="music"):
        pipeline.load_recogniser(other)
    misfit = tmp_path / "misfit.safetensors"
    checkpoint.save(misfit, {name: w[:1] for name, w in stored.weights.items() if w.ndim}, stored.header)
    with pytest.raises(CheckpointError, match="misfit"):
        pipeline.load_recogniser(misfit)


def test_error_rates_equal_those_of_jiwer(recogniser: pipeline.Recogniser, tmp_path: Path) -> None:
    made = utterances(tmp_path, ["ab cd", "dad", "a bad cab"])
    report = evaluate(recogniser, made)
    references = [result.reference for result in report.results]
    hypotheses = [result.hypothesis for result in report.results]
    assert report.wer == pytest.approx(jiwer.wer(references, hypotheses))
    assert report.cer == pytest.approx(jiwer.cer(references, hypotheses))
    assert "WER" in report.summary()
    assert report.to_dict()["utterances"] == 3
