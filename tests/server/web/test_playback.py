"""Recordings as a browser plays them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile as sf

from audioseq import audio
from audioseq.errors import AudioError
from audioseq.server.web.playback import COLUMNS, make_playback, waveform_html
from audioseq.speech.transcript import Segment


@pytest.mark.parametrize(("seconds", "rate"), [(0.01, 16_000), (1.0, 44_100), (30.0, 8_000)])
def test_the_sound_is_that_of_the_recording(tmp_path: Path, seconds: float, rate: int) -> None:
    time = np.arange(round(seconds * rate)) / rate
    sf.write(tmp_path / "tone.flac", 0.5 * np.sin(2 * np.pi * 440 * time), rate)
    made = make_playback(tmp_path / "tone.flac", tmp_path / "play.wav", 60.0)
    sound, played_rate = sf.read(made.path, dtype="float32")
    expected = audio.load(tmp_path / "tone.flac")
    assert played_rate == audio.SAMPLE_RATE and len(sound) == len(expected)
    assert made.seconds == pytest.approx(seconds, abs=1e-3)
    assert np.abs(sound - expected).max() < 1e-4
    assert len(made.envelope) <= COLUMNS
    assert made.envelope.max() == pytest.approx(np.abs(expected).max(), abs=1e-4)


def test_the_sound_ends_at_the_limit(tmp_path: Path) -> None:
    sf.write(tmp_path / "long.wav", np.full(50_000, 0.1), 10_000)
    assert make_playback(tmp_path / "long.wav", tmp_path / "play.wav", 2.0).seconds == pytest.approx(
        2, abs=0.01
    )


def test_a_broken_recording_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    with pytest.raises(AudioError, match="is not audio"):
        make_playback(tmp_path / "broken.wav", tmp_path / "play.wav", 60.0)


def test_the_waveform_shows_where_it_is_loud_and_where_the_segments_are(tmp_path: Path) -> None:
    samples = np.zeros(32_000)
    samples[16_000:24_000] = 0.5
    sf.write(tmp_path / "burst.wav", samples, 16_000)
    made = make_playback(tmp_path / "burst.wav", tmp_path / "play.wav", 60.0)
    svg = ElementTree.fromstring(waveform_html(made, [Segment(1.0, 1.5, "hm")]))[0]
    width = float(svg.attrib["viewBox"].split()[2])
    box, outline = svg
    assert float(box.attrib["x"]) / width == pytest.approx(0.5, abs=0.01)
    assert float(box.attrib["width"]) / width == pytest.approx(0.25, abs=0.01)
    points = [tuple(map(float, point.split(","))) for point in outline.attrib["points"].split()]
    loud = [x / width for x, y in points if y < 10]
    assert min(loud) == pytest.approx(0.5, abs=0.02) and max(loud) == pytest.approx(0.75, abs=0.02)
