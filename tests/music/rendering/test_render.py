"""Rendered audio has the right pitch, loudness and silence, and no clicks."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audioseq.errors import AudioError
from audioseq.midi import Note, Score
from audioseq.music.rendering import render as rendering
from audioseq.music.rendering.render import Sound, render, render_stems
from audioseq.music.rendering.synth import CEILING, FAMILY_TIMBRES, TAIL_SECONDS, mix_notes, synthesise

RATE = 22_050


@pytest.fixture(autouse=True)
def built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the built-in synthesiser unless a test names a sound font."""
    monkeypatch.setenv(rendering.SOUND_FONT_VARIABLE, "")


def pitch_of(waveform: np.ndarray) -> float:
    """Estimate the fundamental as a MIDI pitch by the harmonic product spectrum."""
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform)), 4 * len(waveform)))
    count = len(spectrum) // 3
    product = spectrum[:count] * (spectrum[: 2 * count : 2] + 1e-3) * (spectrum[: 3 * count : 3] + 1e-3)
    hertz = np.argmax(product) * RATE / (4 * len(waveform))
    return float(69 + 12 * np.log2(hertz / 440))


@pytest.mark.parametrize("program", [*range(0, 8 * len(FAMILY_TIMBRES), 8), 45, 48])
def test_instruments_sound_at_the_given_pitch(program: int) -> None:
    pitches = (48, 60, 76)
    score = Score(tuple(Note(pitch, 80, 2.0 * n, 0.6, program) for n, pitch in enumerate(pitches)))
    waveform = synthesise(score, RATE)
    estimated = [pitch_of(waveform[int((2 * n + 0.1) * RATE) : int((2 * n + 0.6) * RATE)]) for n in range(3)]
    assert estimated == pytest.approx(pitches, abs=0.25)


def test_length_range_and_type() -> None:
    notes = tuple(Note(40 + n, 127, 0.0, 1.0, program=n % 128) for n in range(40))
    waveform = synthesise(Score(notes), RATE)
    assert waveform.dtype == np.float32 and waveform.shape == (int((1 + TAIL_SECONDS) * RATE),)
    assert np.isfinite(waveform).all() and 0.5 < np.abs(waveform).max() <= CEILING


def test_rests_and_the_end_are_silent() -> None:
    waveform = np.abs(synthesise(Score((Note(60, 100, 0.0, 0.5), Note(64, 100, 4.0, 0.5))), RATE))
    assert waveform[int(2.5 * RATE) : int(3.99 * RATE)].max() < 1e-3
    assert waveform[-RATE // 20 :].max() < 1e-3
    assert waveform[0] < 1e-3


@pytest.mark.parametrize("program", [0, 40, 52, 73])
def test_notes_have_no_clicks(program: int) -> None:
    note = Note(69, 100, 0.5, 0.7, program)
    waveform = synthesise(Score((note,)), RATE)
    # A click has energy at all frequencies; a tone of 440 Hz has none above 9 kHz.
    frames = np.lib.stride_tricks.sliding_window_view(waveform, 256)[::64] * np.hanning(256)
    high = np.abs(np.fft.rfft(frames))[:, 110:].max()
    assert high < 0.004 * np.abs(np.fft.rfft(frames)).max()


def test_velocity_changes_the_amplitude() -> None:
    soft, loud = (
        synthesise(Score((Note(60, velocity, 0.0, 0.5), Note(60, 127, 2.5, 0.5))), RATE)[:RATE]
        for velocity in (30, 90)
    )
    assert 3 * np.abs(soft).max() < np.abs(loud).max()


@pytest.mark.parametrize("key", [36, 38, 42, 46, 49, 45, 60])
def test_drums_sound_and_stop(key: int) -> None:
    waveform = synthesise(Score((Note(key, 100, 0.0, 0.1, drum=True), Note(60, 1, 5.0, 0.1))), RATE)
    assert np.abs(waveform[: RATE // 4]).max() > 0.3
    assert np.abs(waveform[int(4 * RATE) : int(4.9 * RATE)]).max() < 1e-3


def test_equal_scores_give_equal_samples() -> None:
    """Also with very long and very high notes."""
    score = Score((Note(127, 80, 0.0, 0.3, 40), Note(0, 80, 0.0, 0.3), Note(60, 64, 0.0, 40.0, 48)))
    assert np.array_equal(synthesise(score, 8000), synthesise(score, 8000))


def test_a_score_without_notes_is_silence() -> None:
    assert not synthesise(Score(()), RATE).any()


@pytest.mark.parametrize("rate", [0, -1, 7999, 10**6])
def test_invalid_sample_rates(rate: int) -> None:
    with pytest.raises(AudioError, match="8000 to 192000"):
        render(Score(()), rate)


def test_one_minute_of_music_takes_at_most_two_seconds() -> None:
    notes = tuple(
        Note(40 + 7 * n % 45, 40 + n % 80, n / 8, 0.6, (0, 40, 52)[n % 3], track=n % 3) for n in range(480)
    )
    began = time.process_time()
    synthesise(Score(notes))
    assert time.process_time() - began < 2


def test_fluidsynth_is_used_if_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake `fluidsynth` copies a sound to its output file."""
    sf.write(tmp_path / "played.wav", np.full((800, 2), 0.25), 8000)
    program = tmp_path / "fluidsynth"
    program.write_text(
        f'#!/bin/sh\nwhile [ "$1" != -F ]; do shift; done\ntest -s "$3" && cp {tmp_path}/played.wav "$2"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    score = Score((Note(60, 64, 0.0, 0.5),))
    (tmp_path / "tiny.sf2").write_bytes(b"sound font")
    monkeypatch.setenv(rendering.SOUND_FONT_VARIABLE, str(tmp_path / "tiny.sf2"))
    assert len(render(score, 8000)) == 800
    monkeypatch.setenv(rendering.SOUND_FONT_VARIABLE, "")
    built_in = render(score, 8000)
    assert np.array_equal(built_in, synthesise(score, 8000))
    program.write_text("#!/bin/sh\nexit 1\n")
    monkeypatch.setenv(rendering.SOUND_FONT_VARIABLE, str(tmp_path / "tiny.sf2"))
    assert np.array_equal(render(score, 8000), built_in)


def test_missing_sound_font_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(rendering.SOUND_FONT_VARIABLE, str(tmp_path / "none.sf2"))
    with pytest.raises(AudioError, match=r"none\.sf2"):
        render(Score((Note(60, 64, 0.0, 0.5),)))


TRIO = Score(tuple(Note(48 + 12 * track, 80, track / 4, 0.5, 40, track=track) for track in range(3)))


def test_stereo_places_tracks_side_by_side() -> None:
    waveform = render(TRIO, RATE, Sound(stereo=True, reverb=False))
    assert waveform.shape == (int((1 + TAIL_SECONDS) * RATE), 2) and np.abs(waveform).max() <= CEILING
    first, last = waveform[: RATE // 5], waveform[int(0.8 * RATE) : RATE]
    left, right = ((part**2).sum(axis=0) for part in (first, last))
    assert left[0] > 2 * left[1] and right[1] > 2 * right[0]
    single = render(Score(TRIO.notes[:1]), RATE, Sound(stereo=True, reverb=False))
    assert np.allclose(single[:, 0], single[:, 1])


def test_reverberation_can_be_left_out() -> None:
    end = int(0.8 * RATE)
    score = Score((Note(60, 80, 0.0, 0.5, 40),))
    dry, wet = (
        np.abs(render(score, RATE, Sound(reverb=reverb))[end : end + RATE // 10]).max()
        for reverb in (False, True)
    )
    assert dry == 0 < wet


@pytest.mark.parametrize("stereo", [False, True])
def test_stems_add_up_to_the_piece(stereo: bool) -> None:
    stems = render_stems(TRIO, RATE, Sound(stereo=stereo))
    assert len(stems) == 3 and np.abs(sum(stems)).max() == pytest.approx(CEILING, abs=1e-3)
    whole = mix_notes(TRIO, RATE, stereo=stereo)
    assert np.allclose(sum(stems), whole * CEILING / np.abs(whole).max(), atol=1e-4)
    for track, stem in enumerate(stems):  # only this instrument
        alone = stem if not stereo else stem.mean(axis=1)
        start = int((track / 4 + 0.1) * RATE)
        assert pitch_of(alone[start : start + RATE // 3]) == pytest.approx(48 + 12 * track, abs=0.3)


def test_a_given_sound_font_must_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AudioError, match="file not found; give a sound font"):
        Sound(sound_font=tmp_path / "none.sf2")
    font = tmp_path / "bad.sf2"
    font.write_bytes(b"no sound font")
    program = tmp_path / "fluidsynth"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AudioError, match="FluidSynth cannot use it"):
        render(TRIO, 8000, Sound(sound_font=font))
    program.unlink()
    with pytest.raises(AudioError, match="needs FluidSynth"):
        Sound(sound_font=font)


def test_fluidsynth_gets_the_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake `fluidsynth` writes its options down."""
    sf.write(tmp_path / "played.wav", np.full((800, 2), (0.25, 0.5)), 8000)
    program = tmp_path / "fluidsynth"
    program.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/options\nwhile [ "$1" != -F ]; do shift; done\n'
        f'cp {tmp_path}/played.wav "$2"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "my.sf2").write_bytes(b"sound font")
    played = render(TRIO, 8000, Sound(stereo=True, reverb=False, sound_font=tmp_path / "my.sf2"))
    assert played.shape == (800, 2) and played[0, 1] > played[0, 0]
    options = (tmp_path / "options").read_text()
    assert "-R 0 -C 0" in options and "my.sf2" in options
