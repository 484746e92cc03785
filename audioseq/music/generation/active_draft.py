"""A draft while it is generated: its states, its counts, and where its ending begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from audioseq.music.generation.chord_guidance import may_repeat
from audioseq.music.generation.draft import Draft
from audioseq.music.generation.endings import BIAS_PER_ATTEMPT_NATS, ENDING_BARS, has_ending
from audioseq.music.generation.endings import MAX_ATTEMPTS as MAX_ENDINGS
from audioseq.music.generation.limits import Limits
from audioseq.music.generation.repetition import sample_repeat_lag
from audioseq.music.memorisation.detector import CopyDetector
from audioseq.music.memorisation.fingerprint import Fingerprint
from audioseq.music.representation.event_state import EventState
from audioseq.music.representation.vocabulary import BAR, PITCH, STEP, TRACK
from audioseq.runtime.step import ArrayState


class ActiveDraft:
    """A draft that has not ended, with its states, and those at the bar line from which its ending begins."""

    def __init__(self, draft: Draft, runs: Fingerprint | None) -> None:
        self.draft = draft
        self.limits = Limits(draft)
        self.detector = None if runs is None else CopyDetector(runs, draft.conditions.programs)
        self._attempts = 1
        self._saved: _SavedDraft | None = None

    @property
    def state(self) -> EventState:
        """The state of the piece so far."""
        return self.limits.state

    def detect(self, event: Sequence[int]) -> CopyDetector | None:
        """Return the copy detector after an event; bar lines and the end leave it unchanged."""
        if self.detector is None or event[PITCH] < 0:
            return self.detector
        return self.detector.with_note(self.state.onset(event[STEP]), event[TRACK], event[PITCH])

    def push(self, event: Sequence[int], detector: CopyDetector | None) -> None:
        """Advance the states by an event."""
        self.limits.push(event)
        self.detector = detector

    def add(self, event: list[int], nats: float, is_given: bool, detector: CopyDetector | None) -> None:
        """Append an event to the draft, or end it where generation is to stop."""
        draft = self.draft
        if is_given:
            draft.given_events += 1
            draft.given_nats += nats
        else:
            draft.sampled += 1
            draft.nats += nats
            if not self.state.repeats(event):
                draft.new += 1
                draft.new_nats += nats
        if event[STEP] == BAR and draft.given is not None and self.state.bar + 1 == draft.given.end:
            self.state.ended = True
            return
        self.push(event, detector)
        draft.events.append(event)
        if event[STEP] == BAR:
            begin_bar(self.limits, draft)

    @property
    def begins_ending(self) -> bool:
        """Whether the last event is the first bar line of an ending that can be sampled again."""
        at_bar_line = self.draft.events[-1][STEP] == BAR
        return at_bar_line and self.draft.ending and not self._saved and self.state.remaining < ENDING_BARS

    def save(self, rows: list[ArrayState]) -> None:
        """Save the states, given those of the recurrent layers."""
        draft = self.draft
        counts = {name: getattr(draft, name) for name in _COUNTS}
        self._saved = _SavedDraft(self.limits.copy(), self.detector, rows, len(draft.events), counts)

    def retry(self) -> list[ArrayState] | None:
        """Return to the saved states if the ending can be better; return those of the recurrent layers."""
        draft, saved = self.draft, self._saved
        if saved is None or self._attempts >= MAX_ENDINGS or has_ending(draft):
            return None
        self.limits, self.detector = saved.limits.copy(), saved.detector
        self.state.ending_bias = BIAS_PER_ATTEMPT_NATS * self._attempts
        self._attempts += 1
        del draft.events[saved.events :]
        for name, value in saved.counts.items():
            setattr(draft, name, value)
        return saved.rows


class _SavedDraft(NamedTuple):
    limits: Limits
    detector: CopyDetector | None
    rows: list[ArrayState]
    events: int
    counts: dict[str, float]


_COUNTS = ("nats", "sampled", "new_nats", "new", "given_nats", "given_events")
"""What a draft counts of its events."""


def begin_bar(limits: Limits, draft: Draft) -> None:
    """Update the number of remaining bars, and decide which bar the new bar repeats."""
    limits.generated_bars += 1
    state = limits.state
    if draft.target_ticks is not None:
        state.set_target_length(draft.target_ticks)
    style, lag = draft.conditions.style, state.repeat_lag
    state.repeat_lag = sample_repeat_lag(state.bar, state.remaining, style, lag, draft.random)
    if draft.chords is not None and not may_repeat(draft.chords, state.bar, state.repeat_lag):
        state.repeat_lag = 0
