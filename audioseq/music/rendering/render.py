"""Render a score with FluidSynth and a sound font if available, else with the built-in synthesiser."""

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
"""Environment variable with the sound font to use; empty to use the built-in synthesiser."""
SOUND_FONT_FOLDERS = "/usr/share/sounds/sf2", "/usr/share/soundfonts", "/usr/local/share/soundfonts"
"""Folders in which operating systems install sound fonts."""
FLUIDSYNTH_TIMEOUT_SECONDS = 600
"""FluidSynth takes about one second per minute of music."""


def render(score: Score, sample_rate: int = 44_100) -> np.ndarray:
    """Render a score with the best available instruments.

    Args:
        score: the music.
        sample_rate: Hz.
    Returns:
        mono samples within ±0.9 `[N]` float32, including the decay of the last note.
    Raises:
        AudioError: the sample rate is below 8 kHz or above 192 kHz, or the file in `AUDIOSEQ_SOUNDFONT` is
            missing.
    """
    check_rate(sample_rate)
    font = find_sound_font()
    program = shutil.which("fluidsynth")
    if font and program and score.notes:
        rendered = _render_fluidsynth(program, font, score, sample_rate)
        if rendered is not None:
            return limit(rendered)
    return synthesise(score, sample_rate)


def find_sound_font() -> Path | None:
    """Return the sound font of `AUDIOSEQ_SOUNDFONT`, else the first one installed on the system, or None.

    Raises:
        AudioError: the file in `AUDIOSEQ_SOUNDFONT` is missing.
    """
    path = os.environ.get(SOUND_FONT_VARIABLE)
    if path and not Path(path).is_file():
        raise AudioError(f"{path}: file not found; correct or unset {SOUND_FONT_VARIABLE}")
    if path is not None:
        return Path(path) if path else None
    installed = (path for folder in SOUND_FONT_FOLDERS for path in sorted(Path(folder).glob("*.sf[23]")))
    return next(installed, None)


def _render_fluidsynth(program: str, font: Path, score: Score, sample_rate: int) -> np.ndarray | None:
    """Render with FluidSynth; return None if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder, "piece.mid"), Path(folder, "piece.wav")
        score.save(midi)
        options = ["-ni", "-q", "-g", "0.5", "-r", str(sample_rate), "-F", str(wav)]
        command = [program, *options, str(font), str(midi)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=FLUIDSYNTH_TIMEOUT_SECONDS)
        except (subprocess.SubprocessError, OSError):
            return None
        return audio.load(wav, sample_rate) if wav.exists() else None
