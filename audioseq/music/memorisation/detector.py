"""A piece heard note by note: whether it repeats what is known from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from audioseq.music.memorisation.copies import BASE, NUMBERS, place_of, step_of
from audioseq.music.memorisation.fingerprint import RUN, Fingerprint
from audioseq.music.representation.vocabulary import DRUMS

_ALL = 2**64 - 1
_TURN = pow(BASE, -1, 2**64)
_FAR = pow(_TURN, RUN, 2**64)
_BACK = pow(BASE, RUN - 1, 2**64)
_NUMBERS: list[int] = NUMBERS.tolist()


class _Voice(NamedTuple):
    """The end of one voice, as far as it was heard.

    A hash is rolled on from note to note (Karp & Rabin 1987): that of a run is the difference of two sums of
    steps. Notes of one sixteenth are read from the lowest up, and told from the highest down, so the steps to
    them are known for good only when the next sixteenth comes.
    """

    place: int = -1
    """Sixteenth of the last notes."""
    chord: tuple[int, ...] = ()
    """Their pitches, from the lowest up."""
    before: tuple[int, int] | None = None
    """Sixteenth and pitch of the note before them."""
    closed: tuple[int, ...] = (0,)
    """Sums of the steps up to that note and to those before it, the latest last."""
    sums: tuple[int, ...] = (0,)
    """The same, and then those of the chord."""

    def then(self, place: int, pitch: int) -> _Voice:
        """Return the voice with one more note."""
        if place == self.place:
            chord, before, closed = tuple(sorted({*self.chord, pitch})), self.before, self.closed
        else:
            before = (self.place, self.chord[-1]) if self.chord else None
            chord, closed = (pitch,), self.sums[-RUN:]
        sums, last = list(closed), before
        for high in chord:
            if last is not None:
                number = _NUMBERS[step_of(place - last[0], high - last[1])]
                sums.append(sums[-1] * _TURN + number & _ALL)
            last = place, high
        return _Voice(place, chord, before, closed, tuple(sums))

    def runs(self) -> Iterator[int]:
        """Yield the hashes of the runs that end in the last chord."""
        for end in range(max(len(self.closed), RUN), len(self.sums)):
            yield (self.sums[end] - self.sums[end - RUN] * _FAR) * _BACK & _ALL


@dataclass(frozen=True)
class CopyDetector:
    """What was heard of a piece, beside what is known from other pieces.

    Args:
        known: of the other pieces.
        programs: of the tracks; drums are not listened to.
    """

    known: Fingerprint
    programs: tuple[int, ...]
    voices: dict[int, _Voice] = field(default_factory=dict)
    """Of each track; of all together that of -1."""
    repeats: bool = False
    """Whether the last note completes a run that is known."""

    def then(self, onset: int, track: int, pitch: int) -> CopyDetector:
        """Return what was heard with one more note, in the order of events."""
        if self.programs[track] == DRUMS:
            return replace(self, repeats=False)
        place = place_of(onset)
        heard = {
            key: self.voices.get(key, _Voice()).then(place, pitch)
            for key in ((-1, track) if len(self.programs) > 1 else (-1,))
        }
        repeats = any(run in self.known for voice in heard.values() for run in voice.runs())
        return CopyDetector(self.known, self.programs, {**self.voices, **heard}, repeats)
