"""Render a score and its stems with FluidSynth and a sound font if available, else built in."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile as sf

from audioseq import audio
from audioseq.errors import AudioError
from audioseq.midi import Score
from audioseq.music.rendering.synth import CEILING, check_rate, limit, mix_notes

SOUND_FONT_VARIABLE = "AUDIOSEQ_SOUNDFONT"
"""Environment variable with the sound font to use; empty to use the built-in synthesiser."""
SOUND_FONT_FOLDERS = "/usr/share/sounds/sf2", "/usr/share/soundfonts", "/usr/local/share/soundfonts"
"""Folders in which operating systems install sound fonts."""
AUDIO_SAMPLE_RATE = 44_100
"""Sample rate of `write_audio`, Hz."""
FLUIDSYNTH_TIMEOUT_SECONDS = 600
"""FluidSynth takes about one second per minute of music."""


@dataclass(frozen=True)
class Sound:
    """How a piece is rendered.

    Args:
        stereo: whether to render two channels.
        reverb: whether to add reverberation.
        sound_font: sound font for FluidSynth; if not given, the one of `find_sound_font`, or the built-in
            synthesiser.
    Raises:
        AudioError: the sound font is missing, or FluidSynth is not installed.
    """

    stereo: bool = False
    reverb: bool = True
    sound_font: Path | None = None

    def __post_init__(self) -> None:
        if self.sound_font is not None and not self.sound_font.is_file():
            raise AudioError(f"{self.sound_font}: file not found; give a sound font (.sf2 or .sf3)")
        if self.sound_font is not None and shutil.which("fluidsynth") is None:
            raise AudioError(
                f"{self.sound_font}: needs FluidSynth; install it (Debian: apt install fluidsynth)"
            )


def render(score: Score, sample_rate: int = 44_100, sound: Sound | None = None) -> np.ndarray:
    """Render a score with the best available instruments.

    Args:
        score: the music.
        sample_rate: Hz.
        sound: channels, reverberation and sound font.
    Returns:
        samples within ±0.9 `[N]`, or `[N, 2]` in stereo, float32, including the decay of the last note.
    Raises:
        AudioError: the sample rate is below 8 kHz or above 192 kHz, the file in `AUDIOSEQ_SOUNDFONT` is
            missing, or FluidSynth cannot use the sound font that the caller gave.
    """
    return limit(_mix(score, sample_rate, sound or Sound()))


def write_audio(score: Score, path: str | Path, sound: Sound | None = None) -> None:
    """Write a score as audio (.wav, .flac or .mp3), by default in stereo with reverberation."""
    samples = render(score, AUDIO_SAMPLE_RATE, sound or Sound(stereo=True))
    audio.write(path, samples, AUDIO_SAMPLE_RATE)


def render_stems(score: Score, sample_rate: int = 44_100, sound: Sound | None = None) -> list[np.ndarray]:
    """Render each track by itself, of equal length, with one gain: the stems add up to the piece.

    Returns:
        the samples of each track, as `render` returns those of the piece, in the order of the tracks.
    """
    sound = sound or Sound()
    tracks = sorted({note.track for note in score.notes})
    parts = [
        replace(score, notes=tuple(note for note in score.notes if note.track == each)) for each in tracks
    ]
    mixed = [_mix(part, sample_rate, sound, tracks=max(tracks, default=0) + 1) for part in parts]
    length = max(map(len, mixed), default=0)
    stems = [np.pad(each, ((0, length - len(each)), *((0, 0),) * (each.ndim - 1))) for each in mixed]
    peak = np.abs(sum(stems)).max(initial=0.0) if stems else 0.0
    return [stem * np.float32(CEILING / peak) if peak else stem for stem in stems]


def _mix(score: Score, sample_rate: int, sound: Sound, tracks: int | None = None) -> np.ndarray:
    """Return the samples of a score before normalisation."""
    check_rate(sample_rate)
    font = sound.sound_font or find_sound_font()
    program = shutil.which("fluidsynth")
    if font and program and score.notes:
        rendered = _render_fluidsynth(program, font, score, sample_rate, sound)
        if rendered is not None:
            return rendered
        if sound.sound_font is not None:
            raise AudioError(f"{font}: FluidSynth cannot use it; give a sound font (.sf2 or .sf3)")
    return mix_notes(score, sample_rate, stereo=sound.stereo, reverb=sound.reverb, tracks=tracks)


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


def _render_fluidsynth(
    program: str, font: Path, score: Score, sample_rate: int, sound: Sound
) -> np.ndarray | None:
    """Render with FluidSynth; return None if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder, "piece.mid"), Path(folder, "piece.wav")
        score.save(midi)
        effects = [] if sound.reverb else ["-R", "0", "-C", "0"]
        options = ["-ni", "-q", *effects, "-g", "0.5", "-r", str(sample_rate), "-F", str(wav)]
        command = [program, *options, str(font), str(midi)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=FLUIDSYNTH_TIMEOUT_SECONDS)
        except (subprocess.SubprocessError, OSError):
            return None
        if not wav.exists():
            return None
        if sound.stereo:
            return np.asarray(sf.read(wav, dtype="float32", always_2d=True)[0])
        return audio.load(wav, sample_rate)
