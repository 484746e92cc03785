"""Recordings as a browser plays them, and the outline of their waveforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

from audioseq import audio
from audioseq.speech.transcript import Segment

PEAK_SAMPLES = 400
"""Samples at 16 kHz per value of the envelope: 25 ms."""
COLUMNS = 800
"""Columns of the drawn waveform."""


@dataclass(frozen=True)
class Playback:
    """A recording that any browser can play, with exact times."""

    path: Path
    """WAV file of 16 kHz, mono."""
    seconds: float
    envelope: np.ndarray
    """Largest absolute sample of each column `[COLUMNS]` or fewer, 0 to 1."""


def make_playback(
    source: Path,
    target: Path,
    max_seconds: float,
    progress: Callable[[float, float], object] = lambda seconds, total: None,
) -> Playback:
    """Decode a recording block by block to a WAV file.

    Browsers cannot play all formats, and seek inexactly in some, such as MP3 with a variable bit rate.

    Args:
        source: the recording.
        target: the WAV file to write.
        max_seconds: length at which it ends.
        progress: called with the seconds that are decoded, and the estimated total seconds; an error that it
            raises ends the work.
    Raises:
        AudioError: the recording cannot be read.
    """
    blocks = audio.stream(source, amplify=True, duration=max_seconds)
    peaks, rest, samples = [], np.zeros(0, np.float32), 0
    with sf.SoundFile(target, "w", audio.SAMPLE_RATE, 1, "PCM_16", format="WAV") as file:
        for block in blocks:
            file.write(block.clip(-1, 1))
            samples += len(block)
            progress(samples / audio.SAMPLE_RATE, blocks.seconds)
            rest = np.concatenate([rest, np.abs(block)])
            whole = len(rest) // PEAK_SAMPLES * PEAK_SAMPLES
            peaks.append(rest[:whole].reshape(-1, PEAK_SAMPLES).max(axis=1))
            rest = rest[whole:]
    if len(rest):
        peaks.append(rest.max(keepdims=True))
    return Playback(target, samples / audio.SAMPLE_RATE, _reduce(np.concatenate(peaks)))


def waveform_html(playback: Playback, segments: Sequence[Segment] = ()) -> str:
    """Return the waveform as SVG, with a box for each segment, and the place of the playhead."""
    envelope = playback.envelope / max(float(playback.envelope.max(initial=0)), 1e-3)
    columns = max(len(envelope) - 1, 1)
    heights = 2 + 46 * envelope
    upper = " ".join(f"{x},{50 - height:.1f}" for x, height in enumerate(heights))
    lower = " ".join(f"{x},{50 + height:.1f}" for x, height in reversed(list(enumerate(heights))))
    scale = columns / max(playback.seconds, 1e-3)
    boxes = "".join(
        f'<rect x="{segment.start * scale:.1f}" y="0" height="100" rx="3"'
        f' width="{max((segment.end - segment.start) * scale, 1):.1f}"/>'
        for segment in segments
    )
    return (
        f'<div class="wave" aria-hidden="true"><svg viewBox="0 0 {columns} 100" preserveAspectRatio="none">'
        f'{boxes}<polygon points="{upper} {lower}"/></svg><div id="playhead"></div></div>'
    )


def _reduce(peaks: np.ndarray) -> np.ndarray:
    """Return the maxima of at most `COLUMNS` groups of neighbours."""
    return np.array([group.max() for group in np.array_split(peaks, min(COLUMNS, len(peaks)))])
