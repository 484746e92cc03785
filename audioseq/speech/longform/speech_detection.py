"""Speech detection, and warnings about the quality of a recording."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audioseq.audio import SAMPLE_RATE
from audioseq.audio.levels import CLIPPING_AMPLITUDE, MAX_CLIPPED_SHARE, VERY_QUIET_DB
from audioseq.speech.decoding.greedy import BestPath

MIN_SPEECH_PROBABILITY = 0.33
"""Minimum mean token probability of a segment of speech. Clear speech has 0.7, speech in noise of 10 dB 0.6,
and the worst clip of it with a correct word 0.38; music has 0.25."""
MIN_RELIABLE_PROBABILITY = 0.5
"""Mean token probability of a recording below which its text is unreliable. Speech played backwards has 0.45,
German 0.4; the text of English speech with such a low probability is mostly wrong, too."""
MIN_RELIABLE_CONFIDENCE = 0.3
"""Mean calibrated confidence of the words on the best path below which a text is unreliable; for models
without a calibration, the limit above is used. Of 60 German sentences and of 85 English ones played backwards
58 and 76 are below this limit, and of 85 English ones 1 (below the limit above: 46, 60 and 0)."""
PRIOR_TOKENS_PER_SECOND = 0.5
PRIOR_PROBABILITY = 0.2
"""Rate per second of sound, and mean probability, of the tokens that are emitted without speech (in music).
They are added to the tokens of a segment as a prior: a few tokens in twenty seconds are not evidence of
speech, whatever their probability."""
SEGMENT_DECAY = 0.5
"""Factor per segment for the weight of earlier segments."""
SILENCE_POWER_RATIO = 1e-3
"""Power of silence, relative to the loudest 0.1 s of a segment: -30 dB, typical of rooms."""
MIN_POWER = 10 ** (VERY_QUIET_DB / 10)
"""Power of the loudest segment below which a recording is very quiet."""


class SpeechDetector:
    """Decides for each segment of a recording whether it is speech, and collects warnings.

    A model emits arbitrary text for sounds unlike its training data, but with low token probabilities. The
    mean probability of the tokens on the best path therefore separates speech from other sounds. If the best
    path has no tokens (silence, steady noise), the segment has no text, whatever a beam search would find.
    """

    def __init__(self) -> None:
        self._samples = self._clipped = 0
        self._max_power = 0.0
        # Number of tokens, and the sum of their probabilities: recently (with decay), and in total.
        self._recent = self._total = np.zeros(2)
        self._left_out_seconds = 0.0
        self._confidences = np.zeros(2)  # number of words, and the sum of their confidences

    def is_speech(
        self, waveform: NDArray[np.floating], best_path: BestPath, confidences: Sequence[float] = ()
    ) -> bool:
        """Add a segment, and return whether it is speech.

        Args:
            waveform: samples of the segment at 16 kHz `[N]`.
            best_path: best path of its emissions.
            confidences: calibrated confidences of the words on the best path; empty without a calibration.
        """
        self._samples += len(waveform)
        self._clipped += int((np.abs(waveform) >= CLIPPING_AMPLITUDE).sum())
        power = _power(waveform)
        self._max_power = max(self._max_power, float(power.mean()))
        if not best_path.tokens:
            return False
        sound = float((power > SILENCE_POWER_RATIO * power.max()).mean())
        seconds = len(waveform) / SAMPLE_RATE * sound
        tokens = np.array([len(best_path.tokens), sum(math.exp(score) for score in best_path.scores)])
        self._total = self._total + tokens
        self._confidences = self._confidences + np.array([len(confidences), sum(confidences)])
        prior = PRIOR_TOKENS_PER_SECOND * seconds * np.array([1, PRIOR_PROBABILITY])
        self._recent = SEGMENT_DECAY * self._recent + tokens + prior
        speech = bool(self._recent[1] >= MIN_SPEECH_PROBABILITY * self._recent[0])
        if not speech:
            self._left_out_seconds += len(waveform) / SAMPLE_RATE
        return speech

    def warnings(self) -> tuple[str, ...]:
        """Return the warnings about the recording, one line each."""
        warnings = []
        (tokens, probability), (words, confidence) = self._total, self._confidences
        unreliable = probability < MIN_RELIABLE_PROBABILITY * tokens
        if words:
            unreliable = confidence < MIN_RELIABLE_CONFIDENCE * words
        if not tokens:
            warnings.append("no speech found")
        elif unreliable:
            warnings.append(
                "most of it is unlike the speech that the model was trained on (music, noise or another "
                "language?); do not trust the text"
            )
        elif self._left_out_seconds:
            warnings.append(f"{self._left_out_seconds:.0f} s left out, probably not speech")
        if self._clipped > MAX_CLIPPED_SHARE * self._samples:
            share = 100 * self._clipped / self._samples
            warnings.append(f"clipped ({share:.1f} % of samples are at full scale); record at a lower level")
        if self._samples and self._max_power < MIN_POWER:
            level = f"{10 * math.log10(self._max_power):.0f} dB" if self._max_power else "silence"
            warnings.append(f"very quiet ({level}); record at a higher level")
        return tuple(warnings)


def _power(waveform: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mean power of each 0.1 s."""
    edges = np.arange(0, len(waveform), SAMPLE_RATE // 10)
    squares = np.square(waveform, dtype=np.float64)
    return np.asarray(np.add.reduceat(squares, edges) / np.diff(edges, append=len(waveform)))
