"""A small additive synthesiser, used where FluidSynth is not available.

Each instrument has one of a few timbres (piano, plucked, bowed, voice, …) with its own partials, envelope and
vibrato. A tone is computed once for each pitch and velocity layer, and cut to the length of each note.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, oaconvolve, sosfilt

from audioseq.errors import AudioError
from audioseq.midi import Note, Score

TAIL_SECONDS = 1.5
"""Time after the end of the last note, for its decay."""
MAX_TONE_SECONDS = 30.0
"""Longer notes fade out after this time."""
KNEE, CEILING = 0.6, 0.9
"""Amplitudes of the soft limiter: samples above the knee are compressed to stay below the ceiling."""
VELOCITY_LAYERS = 3
"""Velocity ranges with a tone of their own: loud notes are brighter, not only louder."""


@dataclass(frozen=True)
class Timbre:
    """The sound of a kind of instrument; times in seconds."""

    slope: float
    """The k-th partial has the amplitude 1 / k^slope; soft notes have a steeper slope."""
    partials: int = 12
    attack: float = 0.004
    release: float = 0.12
    decay: float = 0.0
    """Decay rate of a tone of 262 Hz (1/s); high tones and partials decay faster; 0: no decay."""
    stiffness: float = 0.0
    """Inharmonicity: stretching of the partials of a stiff string."""
    vibrato: float = 0.0
    """Depth in semitones up and down."""
    odd: bool = False
    """Whether even partials are weak, as in a clarinet."""
    formants: tuple[float, ...] = ()
    """Formant frequencies of a voice, Hz."""
    gain: float = 1.0


PIANO = Timbre(slope=1.3, partials=14, attack=0.003, release=0.16, decay=0.9, stiffness=3e-4)
PLUCKED = Timbre(slope=1.4, partials=12, attack=0.003, release=0.1, decay=1.6, stiffness=5e-5)
BELL = Timbre(slope=1.8, partials=6, attack=0.002, release=0.4, decay=1.3, stiffness=2e-3, gain=0.8)
ORGAN = Timbre(slope=1.5, partials=8, attack=0.02, release=0.08, gain=0.5)
BASS = Timbre(slope=1.2, partials=10, attack=0.006, release=0.1, decay=0.7, gain=1.2)
BOWED = Timbre(slope=1.15, partials=16, attack=0.06, release=0.16, vibrato=0.12, gain=0.5)
VOICE = Timbre(
    slope=1.0, partials=20, attack=0.07, release=0.14, vibrato=0.22, formants=(650, 1100, 2800), gain=1.1
)
BRASS = Timbre(slope=0.9, partials=14, attack=0.035, release=0.1, vibrato=0.04, gain=0.4)
REED = Timbre(slope=1.1, partials=12, attack=0.03, release=0.09, vibrato=0.06, odd=True, gain=0.55)
FLUTE = Timbre(slope=2.4, partials=6, attack=0.045, release=0.1, vibrato=0.15, gain=0.7)

FAMILY_TIMBRES = (
    PIANO, BELL, ORGAN, PLUCKED, BASS, BOWED, VOICE, BRASS,
    REED, FLUTE, REED, VOICE, BOWED, PLUCKED, BELL, BELL,
)  # fmt: skip
"""Timbres of the sixteen families of eight programs in General MIDI; sound effects use bells."""
PROGRAM_TIMBRES = {45: PLUCKED, 46: PLUCKED, 47: BASS, 48: BOWED, 49: BOWED, 50: BOWED, 51: BOWED}
"""Timbres of programs that differ from their family: plucked strings, harp, timpani, string ensembles."""

DRUMS: tuple[tuple[tuple[int, ...], tuple[float, float, float, float]], ...] = (
    ((35, 36), (52.0, 0.0, 0.0, 0.09)),  # bass drums
    ((38, 40), (185.0, 0.5, 1500.0, 0.05)),  # snares
    ((42, 44), (0.0, 0.35, 7000.0, 0.02)),  # closed hi-hats
    ((46,), (0.0, 0.3, 6500.0, 0.1)),
    ((49, 51, 52, 53, 55, 57, 59), (0.0, 0.25, 4500.0, 0.3)),  # cymbals
    ((41, 43, 45), (90.0, 0.0, 0.0, 0.12)),  # toms
    ((47, 48, 50), (140.0, 0.0, 0.0, 0.1)),
)
"""Percussion keys; tone (Hz, 0: none), amplitude and cutoff (Hz) of high-passed noise, and decay (s)."""
OTHER_DRUM = (0.0, 0.4, 2500.0, 0.03)
PAN_WIDTH = 0.5
"""How far the outer tracks are from the centre in stereo, from 0 to 1."""
REVERB_LEVEL = 0.22
"""Level of the reverberation relative to the dry sound."""


def synthesise(
    score: Score, sample_rate: int = 44_100, *, stereo: bool = False, reverb: bool = True
) -> np.ndarray:
    """Synthesise a score.

    Args:
        score: the music; equal scores give equal samples.
        sample_rate: Hz.
        stereo: whether to return two channels, with the tracks side by side.
        reverb: whether to add the reverberation of a small hall.
    Returns:
        samples within ±0.9 `[N]` or, in stereo, `[N, 2]`, float32; N = ceil((end + 1.5 s) * sample_rate).
    Raises:
        AudioError: the sample rate is below 8 kHz or above 192 kHz.
    """
    return limit(mix_notes(score, sample_rate, stereo=stereo, reverb=reverb))


def mix_notes(
    score: Score, sample_rate: int, *, stereo: bool = False, reverb: bool = True, tracks: int | None = None
) -> np.ndarray:
    """Return the sum of all notes before normalisation, as `synthesise` does.

    Args:
        tracks: number of tracks of the piece that the score is a part of; its own if not given.
    """
    check_rate(sample_rate)
    score = score.sustained()
    samples = int(np.ceil((score.end + TAIL_SECONDS) * sample_rate))
    mix = np.zeros((samples, 2) if stereo else samples, np.float32)
    if tracks is None:
        tracks = 1 + max((note.track for note in score.notes), default=0)
    groups: dict[tuple[bool, int, int, int, int], list[Note]] = defaultdict(list)
    for note in score.notes:
        layer = min(note.velocity * VELOCITY_LAYERS // 128, VELOCITY_LAYERS - 1)
        program = 0 if note.drum else note.program
        groups[note.drum, program, note.pitch, layer, note.track if stereo else 0].append(note)
    for (drum, program, pitch, layer, track), notes in groups.items():
        if drum:
            hit = _drum_sound(pitch, sample_rate)  # the durations of the notes are ignored
            sounds: Iterator[np.ndarray] = (hit * _amplitude(note.velocity) for note in notes)
        else:
            timbre = PROGRAM_TIMBRES.get(program, FAMILY_TIMBRES[program // 8])
            longest = min(max(note.duration for note in notes), MAX_TONE_SECONDS) + timbre.release
            sounds = _cut(_tone(timbre, pitch, layer, longest, sample_rate), notes, timbre, sample_rate)
        gains = _pan(track, tracks)
        for note, sound in zip(notes, sounds, strict=True):
            start = int(note.onset * sample_rate)
            heard = sound[: len(mix) - start]
            mix[start : start + len(sound)] += heard[:, None] * gains if stereo else heard
    if not reverb:
        return mix
    if not stereo:
        return _add_reverb(mix, sample_rate)
    return np.stack([_add_reverb(mix[:, side], sample_rate, side) for side in (0, 1)], axis=1)


def _pan(track: int, tracks: int) -> np.ndarray:
    """Return the gains of the left and the right channel, with constant power `[2]`."""
    place = PAN_WIDTH * (2 * track / (tracks - 1) - 1) if tracks > 1 else 0.0
    angle = np.pi / 4 * (1 + place)
    return np.array((np.cos(angle), np.sin(angle)), np.float32) * np.float32(np.sqrt(2))


def check_rate(sample_rate: int) -> None:
    """Raise an AudioError for a sample rate below 8 kHz or above 192 kHz."""
    if not 8_000 <= sample_rate <= 192_000:
        raise AudioError(f"sample rate {sample_rate} Hz is out of range; give 8000 to 192000 Hz")


def _cut(tone: np.ndarray, notes: list[Note], timbre: Timbre, sample_rate: int) -> Iterator[np.ndarray]:
    """Yield the sounds of notes of one pitch: the tone, cut to length, with attack and release."""
    release = int(timbre.release * sample_rate)
    fade = (0.5 + 0.5 * np.cos(np.linspace(0, np.pi, release, dtype=np.float32))) ** 2
    for note in notes:
        held = min(int(note.duration * sample_rate), len(tone) - release)
        sound = tone[: held + release] * (timbre.gain * _amplitude(note.velocity))
        attack = min(int(timbre.attack * sample_rate), held // 2) + 1
        sound[:attack] *= 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, attack, dtype=np.float32))
        sound[held:] *= fade
        yield sound


def _amplitude(velocity: int) -> float:
    return math.pow(velocity / 127, 1.7)


def _tone(timbre: Timbre, pitch: int, layer: int, duration: float, sample_rate: int) -> np.ndarray:
    """Return a tone `[N]` float32 without attack and release."""
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    time = np.arange(int(duration * sample_rate) + 1) / sample_rate
    cycles = frequency * time
    if timbre.vibrato:
        rate = 5.3 + 0.02 * (pitch % 12)  # different rates decorrelate the notes of a chord
        # The phase is the integral of the frequency, so a sine in the frequency has its rate in the divisor.
        deviation = frequency * (2 ** (timbre.vibrato / 12) - 1) / (2 * np.pi * rate)
        cycles += deviation * np.clip((time - 0.15) / 0.5, 0, 1) * np.sin(2 * np.pi * rate * time)
    brightness = timbre.slope + 0.35 * (VELOCITY_LAYERS - 1 - layer)
    tone = np.zeros(len(time), np.float32)
    elapsed = time.astype(np.float32)
    energy = 0.0
    for k in range(1, timbre.partials + 1):
        stretched = k * np.sqrt((1 + timbre.stiffness * k * k) / (1 + timbre.stiffness))
        if frequency * stretched > 0.45 * sample_rate:  # would alias
            break
        amplitude = _spectral_envelope(timbre, k, frequency) / k**brightness
        energy += amplitude**2
        if amplitude < 2e-3:  # inaudible
            continue
        phase = (stretched * cycles + 0.37 * k * k) % 1  # partials that start in phase would click
        angle = (2 * np.pi * phase).astype(np.float32)
        partial = np.sin(angle, out=angle)
        if timbre.decay:
            # Fast at first and slow later, as the strings of a piano exchange energy with the soundboard.
            rate = timbre.decay * (0.7 + 0.3 * k) * (frequency / 262) ** 0.6
            partial *= 0.65 * np.exp(-2.5 * rate * elapsed) + 0.35 * np.exp(-0.6 * rate * elapsed)
        tone += np.float32(amplitude) * partial
    # All timbres have equal energy; high tones are slightly softer, because they sound louder.
    return tone * np.float32(0.25 / np.sqrt(energy or 1.0) * (262 / frequency) ** 0.2)


def _spectral_envelope(timbre: Timbre, k: int, frequency: float) -> float:
    """Return the relative amplitude of the k-th partial, without the slope."""
    hertz = k * frequency
    amplitude = 1 / (1 + (hertz / 5000) ** 2)
    if timbre.odd and k % 2 == 0:
        amplitude *= 0.25
    if timbre.formants:
        resonances = (1 / (1 + ((hertz - centre) / 160) ** 2) for centre in timbre.formants)
        amplitude *= 0.12 + sum(height / number for number, height in enumerate(resonances, 1))
    return float(amplitude)


def _drum_sound(pitch: int, sample_rate: int) -> np.ndarray:
    """Return the sound of a General MIDI drum `[N]` float32: a tone with falling pitch, noise, or both."""
    hertz, noise, cutoff, decay = next((drum for keys, drum in DRUMS if pitch in keys), OTHER_DRUM)
    time = np.arange(int(7 * decay * sample_rate)) / sample_rate
    sound = np.zeros(len(time))
    if hertz:
        sound += np.sin(2 * np.pi * hertz * (time + 0.03 * (1 - np.exp(-time / 0.02))))
    if noise:
        white = np.random.default_rng(pitch).standard_normal(len(time))
        high_pass = butter(2, min(cutoff, 0.4 * sample_rate), "highpass", fs=sample_rate, output="sos")
        sound += noise * sosfilt(high_pass, white)
    sound *= np.exp(-time / decay) * np.minimum(time / 0.001, 1)
    return (0.5 * sound).astype(np.float32)


def _add_reverb(dry: np.ndarray, sample_rate: int, seed: int = 0) -> np.ndarray:
    """Add the reverberation of a small hall: the impulse response is decaying low-passed noise.

    Args:
        dry: one channel `[N]`.
        sample_rate: Hz.
        seed: of the noise; different in the channels of a stereo sound, which widens it.
    """
    time = np.arange(int(1.2 * sample_rate)) / sample_rate
    low_pass = butter(1, 3000, fs=sample_rate, output="sos")
    response = sosfilt(low_pass, np.random.default_rng(seed).standard_normal(len(time)))
    response *= np.exp(-time / 0.17)
    response *= np.minimum(time / 0.012, 1) * np.linspace(1, 0, len(time))
    response *= REVERB_LEVEL / np.sqrt((response**2).sum())
    return np.asarray(dry + oaconvolve(dry, response.astype(np.float32))[: len(dry)])


def limit(mix: np.ndarray) -> np.ndarray:
    """Normalise a waveform so that its loud samples reach the knee, and compress louder ones softly.

    Args:
        mix: one channel `[N]`, or two `[N, 2]`.
    """
    loud = np.quantile(np.abs(mix[::7]), 0.999) if len(mix) else 0.0  # every 7th sample is enough
    if not loud:
        return mix
    mix = mix * np.float32(KNEE / loud)
    over = np.abs(mix) > KNEE
    headroom = CEILING - KNEE
    mix[over] = np.sign(mix[over]) * (KNEE + headroom * np.tanh((np.abs(mix[over]) - KNEE) / headroom))
    return mix
