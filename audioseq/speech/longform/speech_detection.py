"""Whether a recording is speech that the model knows, and good enough to be heard."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from audioseq.audio import SAMPLE_RATE
from audioseq.speech.decoding.greedy import BestPath

SURE = 0.33
"""Least mean probability of the tokens in a stretch for it to be speech. Clear speech has 0.7, clips of it in
noise of 10 dB 0.6, the worst of them that have a word right 0.38; music has 0.25."""
DOUBTFUL = 0.5
"""Mean probability in a whole recording below which its text is not to be trusted. Speech that is played
backwards has 0.45, German 0.4; the text of English that has as little is mostly wrong, too."""
BY_CHANCE = (0.5, 0.2)
"""Tokens in a second of sound, and their probability, that are heard where there is no speech (in music):
added to what is heard, so that a few tokens in twenty seconds prove nothing, however probable."""
MEMORY = 0.5
"""How much the tokens of the stretch before weigh; those before it, half of that again."""
SILENCE = 1e-3
"""Power below which there is no sound, relative to the loudest 0.1 s of a stretch: 30 dB, what rooms have."""
QUIET = 1e-5
"""Power of the loudest stretch, -50 dB of full scale; below, the steps of 16 bits are heard as noise."""
FULL, CLIPPED = 0.99, 1e-3
"""Clipped samples are that near to full scale; one in a thousand is what an unclipped recording never has."""


class SpeechDetector:
    """What speaks for and against a recording, gathered while it is heard, stretch by stretch.

    Texts are invented where a model must say something about what it never learnt. It then is unsure of its
    tokens, so the mean probability of the most probable path's tokens tells speech from anything else. Where
    that path has no token at all (silence, steady noise), there is no text either, whatever a search with a
    language model may find.
    """

    def __init__(self) -> None:
        self._samples = self._clipped = 0
        self._loudest = 0.0
        self._recent = self._all = np.zeros(2)  # how many tokens, and the sum of their probabilities
        self._left_out = 0.0

    def is_speech(self, waveform: NDArray[np.floating], heard: BestPath) -> bool:
        """Add a stretch to the evidence, and say whether it is speech.

        Args:
            waveform: its samples at 16 kHz `[N]`.
            heard: the most probable tokens in it.
        """
        self._samples += len(waveform)
        self._clipped += int((np.abs(waveform) >= FULL).sum())
        power = _powers(waveform)
        self._loudest = max(self._loudest, float(power.mean()))
        if not heard.tokens:
            return False
        seconds = len(waveform) / SAMPLE_RATE * float((power > SILENCE * power.max()).mean())
        rate, probability = BY_CHANCE
        tokens = np.array([len(heard.tokens), sum(math.exp(score) for score in heard.scores)])
        self._all = self._all + tokens
        by_chance = rate * seconds * np.array([1, probability])
        self._recent = MEMORY * self._recent + tokens + by_chance
        sure = bool(self._recent[1] >= SURE * self._recent[0])
        if not sure:
            self._left_out += len(waveform) / SAMPLE_RATE
        return sure

    def warnings(self) -> tuple[str, ...]:
        """Return what a user should know of the recording, a line each."""
        said = []
        tokens, probability = self._all
        if not tokens:
            said.append("no speech is heard in it")
        elif probability < DOUBTFUL * tokens:
            said.append(
                "little of it sounds like the speech that the model knows (music, noise, another language?); "
                "do not trust the text"
            )
        elif self._left_out:
            said.append(f"{self._left_out:.0f} s of it are left out, for they are probably no speech")
        if self._clipped > CLIPPED * self._samples:
            share = 100 * self._clipped / self._samples
            said.append(
                f"it is clipped ({share:.1f} % of the samples are at full scale); record it less loud"
            )
        if self._samples and self._loudest < QUIET:
            level = f"{10 * math.log10(self._loudest):.0f} dB" if self._loudest else "silence"
            said.append(f"it is very quiet ({level}); record it louder")
        return tuple(said)


def _powers(waveform: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mean power of each tenth of a second."""
    edges = np.arange(0, len(waveform), SAMPLE_RATE // 10)
    squares = np.square(waveform, dtype=np.float64)
    return np.asarray(np.add.reduceat(squares, edges) / np.diff(edges, append=len(waveform)))
