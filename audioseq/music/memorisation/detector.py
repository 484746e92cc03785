"""Detect copies note by note: whether the last note completes a run of notes of the training data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from audioseq.music.memorisation.copies import HASH_BASE, STEP_HASHES, nearest_sixteenth, step_index
from audioseq.music.memorisation.fingerprint import RUN_STEPS, Fingerprint
from audioseq.music.representation.vocabulary import DRUMS

_MASK = 2**64 - 1
_INVERSE = pow(HASH_BASE, -1, 2**64)
_INVERSE_POWER = pow(_INVERSE, RUN_STEPS, 2**64)
_BASE_POWER = pow(HASH_BASE, RUN_STEPS - 1, 2**64)
_STEP_HASHES: list[int] = STEP_HASHES.tolist()  # plain integers are faster than numpy scalars


class _Voice(NamedTuple):
    """The last notes of a voice, with the sums that the hashes of its last runs follow from.

    The hash is a rolling one (Karp & Rabin 1987). `Hashes` multiplies the n-th step by the n-th power of the
    base; here each new step instead multiplies the sum so far by the inverse base, so that a sum needs no
    position. The hash of a run is the difference of two sums, scaled to that of `Hashes`.

    Runs read a chord (notes of one sixteenth) from the lowest note up, but events add its notes from the
    highest down. So the steps into and within a chord are final only when the next sixteenth begins; until
    then they are recomputed with each note.
    """

    sixteenth: int = -1
    """Position of the last chord."""
    chord: tuple[int, ...] = ()
    """Its pitches, ascending."""
    previous: tuple[int, int] | None = None
    """Sixteenth and pitch of the note before the chord."""
    final_sums: tuple[int, ...] = (0,)
    """Sums of the steps up to the previous note and to the notes before it, the latest last."""
    sums: tuple[int, ...] = (0,)
    """The final sums, and then those of the chord."""

    def with_note(self, sixteenth: int, pitch: int) -> _Voice:
        """Return the voice with one more note."""
        if sixteenth == self.sixteenth:
            chord, previous = tuple(sorted({*self.chord, pitch})), self.previous
            final_sums = self.final_sums
        else:
            previous = (self.sixteenth, self.chord[-1]) if self.chord else None
            # A run that ends in the new chord starts at most RUN_STEPS sums before it.
            chord, final_sums = (pitch,), self.sums[-RUN_STEPS:]
        sums, last = list(final_sums), previous
        for chord_pitch in chord:
            if last is not None:
                step = _STEP_HASHES[step_index(sixteenth - last[0], chord_pitch - last[1])]
                sums.append(sums[-1] * _INVERSE + step & _MASK)
            last = sixteenth, chord_pitch
        return _Voice(sixteenth, chord, previous, final_sums, tuple(sums))

    def runs(self) -> Iterator[int]:
        """Yield the hashes of the runs that end in the last chord."""
        for end in range(max(len(self.final_sums), RUN_STEPS), len(self.sums)):
            yield (self.sums[end] - self.sums[end - RUN_STEPS] * _INVERSE_POWER) * _BASE_POWER & _MASK


@dataclass(frozen=True)
class CopyDetector:
    """The state of copy detection in a piece; immutable, so that a candidate note can be tried and rejected.

    Args:
        training_runs: runs of notes of the training data.
        programs: of the tracks; drums are ignored.
    """

    training_runs: Fingerprint
    programs: tuple[int, ...]
    voices: dict[int, _Voice] = field(default_factory=dict)
    """The voice of each track, and with the key -1 that of all tracks together."""
    completes_run: bool = False
    """Whether the last note completes a run of the training data."""

    def with_note(self, onset: int, track: int, pitch: int) -> CopyDetector:
        """Return the state after one more note; notes are added in the order of events."""
        if self.programs[track] == DRUMS:
            return replace(self, completes_run=False)
        sixteenth = nearest_sixteenth(onset)
        changed = {
            key: self.voices.get(key, _Voice()).with_note(sixteenth, pitch)
            for key in ((-1, track) if len(self.programs) > 1 else (-1,))
        }
        completes_run = any(run in self.training_runs for voice in changed.values() for run in voice.runs())
        return CopyDetector(self.training_runs, self.programs, {**self.voices, **changed}, completes_run)
