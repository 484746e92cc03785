"""What is given of a piece that is being generated: notes of the user among those of the model."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import EventState
from audioseq.music.representation.grid import GridNote
from audioseq.music.representation.vocabulary import BAR, END, SAME, STEP, TRACK


@dataclass(frozen=True)
class Given:
    """Notes that are part of a piece in any case.

    Args:
        notes: in the order of events, after those that the draft begins with.
        free: bars with other notes too; the model writes in all bars if it is None.
        end: bar at which generation stops, before the end of the piece; None for the end of the piece.
    """

    notes: Sequence[GridNote] = ()
    free: Container[int] | None = None
    end: int | None = None


class GivenNotes:
    """The place of a draft in its given notes.

    Events are sampled in order, so the next given note is forced as soon as the sampled event would be later.
    The scores of all later events thus count for the given note: that is the probability that the model adds
    nothing before it.

    Args:
        given: the notes.
    """

    def __init__(self, given: Given) -> None:
        self.given = given
        self._passed = 0

    def push(self, onset: int, track: int, pitch: int) -> None:
        """Pass the next given note, if a note of the piece is this note."""
        notes = self.given.notes
        if self._passed < len(notes):
            note = notes[self._passed]
            self._passed += (note.onset, note.track, note.pitch) == (onset, track, pitch)

    def next_note(self, state: EventState) -> GridNote | None:
        """Return the next given note if it begins in this bar."""
        notes, end = self.given.notes, state.start + state.length
        is_here = self._passed < len(notes) and notes[self._passed].onset < end
        return notes[self._passed] if is_here else None

    def is_free(self, bar: int) -> bool:
        """Return whether the model writes in a bar."""
        return self.given.free is None or bar in self.given.free

    def event(self, note: GridNote, state: EventState) -> list[int]:
        """Return the event of a given note, with its relative pitch."""
        step = note.onset - state.start
        return [
            SAME if step == state.position else step, -1, note.track, note.pitch - state.pitch_offset,
            v.duration_class(note.duration), v.velocity_level(note.velocity),
        ]  # fmt: skip

    def step(self, state: EventState) -> int | None:
        """Return the step of the next given note; None if none is left in this bar."""
        note = self.next_note(state)
        return None if note is None else self.event(note, state)[STEP]

    def reached(self, state: EventState, event: Sequence[int]) -> list[int] | None:
        """Return the event of the next given note if its onset and track have been sampled."""
        note = self.next_note(state)
        if note is None or (state.onset(event[STEP]), event[TRACK]) != (note.onset, note.track):
            return None
        return self.event(note, state)

    def required(self, state: EventState, meter: int) -> list[int] | None:
        """Return the next event if the model has no choice: that of a bar in which it does not write.

        Args:
            state: of the piece so far.
            meter: of the next bar.
        """
        if state.bar < 0 or self.is_free(state.bar):
            return None
        if (note := self.next_note(state)) is not None:
            return self.event(note, state)
        return [BAR, meter, -1, -1, -1, -1] if state.remaining > 0 else [END, -1, -1, -1, -1, -1]

    def restrict_steps(self, state: EventState, allowed: np.ndarray) -> np.ndarray:
        """Return which of the allowed steps are not later than the next given note `[STEPS]` bool."""
        if (note := self.next_note(state)) is None:
            return allowed
        step = note.onset - state.start
        result = allowed.copy()
        result[step : v.MAX_BAR_TICKS] = result[BAR] = result[END] = False
        if state.position == step:
            result[:] = False
        result[SAME if state.position == step else step] = True
        return result

    def restrict_tracks(self, state: EventState, step: int, allowed: np.ndarray) -> np.ndarray:
        """Return which of the allowed tracks are not later than the next given note `[TRACKS]` bool."""
        note = self.next_note(state)
        if note is None or state.onset(step) != note.onset:
            return allowed
        result = allowed.copy()
        result[note.track] = True
        result[note.track + 1 :] = False
        return result

    def gather(self, state: EventState, field: int, event: Sequence[int], scores: np.ndarray) -> np.ndarray:
        """Return scores in which the next given note stands for all that is later.

        Args:
            state: of the piece so far.
            field: `STEP` or `TRACK`; the scores of other fields are unchanged.
            event: the fields sampled so far.
            scores: of the model `[V]`.
        """
        if (note := self.next_note(state)) is None or field not in (STEP, TRACK):
            return scores
        later = np.zeros(len(scores), bool)
        if field == STEP:
            place = note.onset - state.start
            if place == state.position:
                return scores  # only SAME is possible
            later[place : v.MAX_BAR_TICKS] = later[BAR] = later[END] = True
        else:
            place = note.track
            if state.onset(event[STEP]) != note.onset:
                return scores
            later[place:] = True
        result = scores.copy()
        result[place] = logsumexp(scores[later])
        return result
