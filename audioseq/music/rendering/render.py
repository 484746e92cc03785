"""A score to sound: by FluidSynth and a sound font where there are any, else by our own synthesiser."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from audioseq import audio
from audioseq.errors import AudioError
from audioseq.midi import Score
from audioseq.music.rendering.synth import check_rate, limit, synthesise

SOUND_FONT_VARIABLE = "AUDIOSEQ_SOUNDFONT"
"""Environment variable: the sound font to play with; empty for none."""
SOUND_FONT_FOLDERS = tuple(
    Path(place) for place in ("/usr/share/sounds/sf2", "/usr/share/soundfonts", "/usr/local/share/soundfonts")
)
"""Where systems keep them."""
FLUIDSYNTH_TIMEOUT_SECONDS = 600
"""Seconds for FluidSynth to play a piece; it takes about one in a minute of music."""


def render(score: Score, sample_rate: int = 44_100) -> np.ndarray:
    """Play a score with the best instruments at hand.

    Args:
        score: the music.
        sample_rate: Hz.
    Returns:
        mono samples within ±0.9 `[N]` float32; the last note has time to fade away.
    Raises:
        AudioError: the sample rate is below 8 kHz or above 192 kHz, or `AUDIOSEQ_SOUNDFONT` names no file.
    """
    check_rate(sample_rate)
    font = find_sound_font()
    program = shutil.which("fluidsynth")
    if font and program and score.notes:
        played = _render_fluidsynth(program, font, score, sample_rate)
        if played is not None:
            return limit(played)
    return synthesise(score, sample_rate)


def find_sound_font() -> Path | None:
    """Return the sound font that `AUDIOSEQ_SOUNDFONT` names, or else the first of the system's.

    Raises:
        AudioError: the one that is named is not there.
    """
    named = os.environ.get(SOUND_FONT_VARIABLE)
    if named and not Path(named).is_file():
        raise AudioError(f"{named}: is not there, though {SOUND_FONT_VARIABLE} names it; correct or unset it")
    if named is not None:
        return Path(named) if named else None
    found = (path for folder in SOUND_FONT_FOLDERS for path in sorted(folder.glob("*.sf[23]")))
    return next(found, None)


def _render_fluidsynth(program: str, font: Path, score: Score, sample_rate: int) -> np.ndarray | None:
    """Return what FluidSynth plays, if it does."""
    with tempfile.TemporaryDirectory() as folder:
        tune, wave = Path(folder, "tune.mid"), Path(folder, "tune.wav")
        score.save(tune)
        command = [
            program,
            "-ni",
            "-q",
            "-g",
            "0.5",
            "-r",
            str(sample_rate),
            "-F",
            str(wave),
            str(font),
            str(tune),
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=FLUIDSYNTH_TIMEOUT_SECONDS)
        except (subprocess.SubprocessError, OSError):
            return None
        return audio.load(wave, sample_rate) if wave.exists() else None
