"""A stream in progress: blocks, results and errors."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq import audio, checkpoint, models
from audioseq.errors import AudioError, ConfigError
from audioseq.speech import pipeline
from audioseq.speech.config import SpeechConfig
from audioseq.speech.decoding.decoder import Decoding, DecodingOptions
from audioseq.speech.emissions import to_onnx
from audioseq.speech.streaming.encoder import StreamingEncoder
from audioseq.speech.streaming.endpointing import Endpointing
from audioseq.speech.streaming.options import Latency, StreamOptions
from audioseq.speech.streaming.session import FinalResult, Session
from audioseq.speech.task import SpeechTask
from tests.speech.tiny import config, say, utterances

BEAM = DecodingOptions(lm=None, hotwords=("ab",))
OPTIONS = StreamOptions(Latency(3, 4), Endpointing(trailing_silence=0.2, max_seconds=3.0))
RATE = audio.SAMPLE_RATE


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that emits letters and blanks at random, so that it is sensitive to any change of its input."""
    folder = tmp_path_factory.mktemp("model")
    made = utterances(folder, ["ab"])
    task = SpeechTask(config(), made, made)
    torch.manual_seed(1)
    torch.nn.init.normal_(task.model.head.linear.weight, std=3.0)
    path = folder / "tiny.safetensors"
    checkpoint.save(path, task.model.state_dict(), task.header({}))
    return path


@pytest.fixture(scope="module")
def recogniser(path: Path) -> pipeline.Recogniser:
    return pipeline.load_recogniser(path, "cpu", runtime="torch")


@pytest.fixture(autouse=True)
def all_is_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    """A random model is unsure, so speech detection would drop all of its words."""
    detector = "audioseq.speech.longform.speech_detection.SpeechDetector.is_speech"
    monkeypatch.setattr(detector, lambda self, waveform, path, confidences=(): bool(path.tokens))


def run(session: Session, waveform: np.ndarray, cuts: list[int]) -> list[FinalResult]:
    with session:
        for block in np.split(waveform, sorted(cut % (len(waveform) + 1) for cut in cuts)):
            session.feed(block)
    return list(session.finals())


def speech(seconds: float = 6.0) -> np.ndarray:
    words = ["abc dad", "bad  ", "cab ad   ", "d"]
    return np.resize(np.concatenate([say(word) for word in words]), int(seconds * RATE))


@pytest.mark.parametrize("decoding", ["greedy", BEAM], ids=["greedy", "beam"])
@settings(max_examples=8, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 10**6), max_size=30),
    rate=st.sampled_from([RATE, 44_100, 8_000]),
)
def test_the_blocks_do_not_influence_the_result(
    recogniser: pipeline.Recogniser, decoding: Decoding, cuts: list[int], rate: int
) -> None:
    waveform = speech(3.0)

    def start() -> Session:
        return recogniser.stream(rate, decoding=decoding, options=OPTIONS)

    assert run(start(), waveform, cuts) == run(start(), waveform, [])


def test_blocks_of_one_sample_give_the_same_result(recogniser: pipeline.Recogniser) -> None:
    waveform = speech(1.0)
    cuts = list(range(len(waveform)))
    one = run(recogniser.stream(RATE, decoding="greedy", options=OPTIONS), waveform, cuts)
    assert one == run(recogniser.stream(RATE, decoding="greedy", options=OPTIONS), waveform, [])
    assert one


def test_a_segment_is_decoded_as_its_emissions_are_offline(recogniser: pipeline.Recogniser) -> None:
    waveform, whole = speech(2.0), replace(OPTIONS, endpointing=Endpointing(10.0, 60.0, 10.0))
    (final,) = run(recogniser.stream(RATE, decoding=BEAM, options=whole), waveform, [])
    model = recogniser.model
    encoder, parts = StreamingEncoder(model.window_model(), whole.latency), []
    while (emissions := encoder.advance(waveform)) is not None:
        parts.append(emissions)
    rest = encoder.finish(waveform)
    assert rest is not None
    log_probs = np.concatenate([*parts, rest])
    (words,) = recogniser.load_decoder(BEAM).decode_words([log_probs], model.frame_seconds)
    assert [(word.word, word.confidence) for word in final.words] == [(w.word, w.confidence) for w in words]


def test_times_are_those_in_the_stream_and_segments_are_in_order(recogniser: pipeline.Recogniser) -> None:
    finals = run(recogniser.stream(RATE, options=OPTIONS), speech(12.0), [])
    assert len(finals) > 2
    times = [time for final in finals for word in final.words for time in (word.start, word.end)]
    assert times == sorted(times) and times[-1] <= 12.0
    for final in finals:
        assert final.segment.start == final.words[0].start and final.segment.end == final.words[-1].end


def test_partial_texts_grow_until_the_segment_is_final(recogniser: pipeline.Recogniser) -> None:
    session = recogniser.stream(RATE, options=OPTIONS)
    assert session.partial == ""
    seen = []
    for block in np.split(speech(3.0), 30):
        session.feed(block)
        seen.append(session.partial)
    assert any(seen)
    session.close()
    assert session.partial == "" and list(session.finals())


def test_memory_does_not_grow_with_the_stream(recogniser: pipeline.Recogniser) -> None:
    session = recogniser.stream(RATE, decoding="greedy", options=OPTIONS)
    block, sizes = speech(4.0), []
    tracemalloc.start()
    for _ in range(8):
        session.feed(block)
        list(session.finals())
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(sizes[3:]) < max(sizes[:3]) + 200_000


def test_the_forms_of_samples_give_the_same_result(recogniser: pipeline.Recogniser) -> None:
    pcm = (speech(2.0) * 32768).astype("<i2")
    data = pcm.tobytes()
    forms: dict[str, list[Any]] = {
        "int16": [pcm],
        "floats": [pcm / 32768],
        "bytes, odd blocks": [data[:999], data[999:1000], data[1000:]],
        "two channels": [np.stack([pcm, pcm], axis=1)],
    }
    results = []
    for blocks in forms.values():
        with recogniser.stream(RATE, options=OPTIONS) as session:
            for block in blocks:
                session.feed(block)
        results.append(list(session.finals()))
    assert results[0]
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (np.array([0.0, np.nan]), "not finite"),
        (np.array([0.0, np.inf], np.float32), "not finite"),
        (np.zeros((2, 2, 2)), "must be"),
        (np.zeros((4, 0)), "must be"),
        (np.array(["a"]), "must be"),
    ],
)
def test_bad_samples_are_refused_and_the_stream_continues(
    recogniser: pipeline.Recogniser, block: np.ndarray, message: str
) -> None:
    session = recogniser.stream(RATE, options=OPTIONS)
    with pytest.raises(AudioError, match=message):
        session.feed(block)
    assert run(session, speech(2.0), [])


def test_a_stream_that_has_ended_takes_no_samples(recogniser: pipeline.Recogniser) -> None:
    session = recogniser.stream(RATE)
    session.close()
    session.close()
    assert not list(session.finals())
    with pytest.raises(AudioError, match="has ended"):
        session.feed(np.zeros(10))


def test_impossible_rates_are_refused(recogniser: pipeline.Recogniser) -> None:
    with pytest.raises(AudioError, match="sample rate"):
        recogniser.stream(10)


def test_a_graph_for_whole_recordings_is_refused(path: Path, tmp_path: Path) -> None:
    config, stored = models.open_model(path, "speech", SpeechConfig)
    exported = tmp_path / "tiny.onnx"
    exported.write_bytes(to_onnx(config, stored))
    with pytest.raises(ConfigError, match="whole recordings only"):
        pipeline.load_recogniser(exported).stream(RATE)


def test_both_runtimes_give_the_same_words(path: Path) -> None:
    results = []
    for runtime in ("onnx", "torch"):
        session = pipeline.load_recogniser(path, "cpu", runtime).stream(RATE, decoding=BEAM, options=OPTIONS)
        results.append([final.segment.text for final in run(session, speech(4.0), [])])
    assert results[0] == results[1] and results[0]
