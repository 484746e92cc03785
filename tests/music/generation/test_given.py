"""Given notes: they occur unchanged whatever the model samples, and their likelihood is that of the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from audioseq.music.generation.draft import Draft, parts_of
from audioseq.music.generation.generate import generate
from audioseq.music.generation.given import Given, GivenNotes
from audioseq.music.generation.sampling import Sampling
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import Conditions, EventState
from audioseq.music.representation.grid import GridNote, Piece
from audioseq.music.representation.tokenizer import conditions_of, decode, encode
from tests.music import tiny

PITCHES = st.integers(48, 84)
MELODIES = st.lists(st.tuples(st.integers(0, 4 * 96 - 1), PITCHES), min_size=1, max_size=24, unique=True)


def melody_of(places: list[tuple[int, int]], track: int) -> list[GridNote]:
    """Return notes at some onsets and pitches, in the order of events."""
    return sorted(GridNote(onset, track, -pitch, 6, 84) for onset, pitch in places)


def test_a_given_piece_is_read_as_by_the_model() -> None:
    """Without free bars, the draft is the piece, and its likelihood is the loss of training."""
    model, piece = tiny.network(scale=1.0), tiny.song(bars=4)
    conditions = conditions_of(piece, 0)
    notes = [
        note._replace(velocity=v.level_velocity(v.velocity_level(note.velocity))) for note in piece.notes
    ]
    draft = Draft(
        conditions, np.random.default_rng(0), meters=piece.meters, given=Given(notes, free=frozenset())
    )
    generate(tiny.step(model), [draft], Sampling())
    events = encode(piece)
    assert draft.events == events.tolist()
    state, rows = EventState(conditions, guided=True), []
    for event in events.tolist():
        rows.append(state.features())
        state.push(event)
    events[events[:, v.PITCH] >= 0, v.PITCH] -= state.pitch_offset
    with torch.inference_mode():
        summary, _ = model(torch.tensor([rows]))
        nats = float(model.losses(summary[0], torch.from_numpy(events).long()).sum())
    assert draft.sampled == 1  # the first bar line
    assert draft.nats + draft.given_nats == pytest.approx(nats, rel=1e-3)


@given(MELODIES, st.integers(0, 2), st.integers(0, 99), st.sampled_from((0.0, 1.0)))
@settings(max_examples=5, deadline=None, derandomize=True, phases=[Phase.generate])
def test_a_given_track_has_exactly_its_notes(
    places: list[tuple[int, int]], track: int, seed: int, temperature: float
) -> None:
    melody = melody_of(places, track)
    conditions = Conditions(0, 0, False, 16, 8, 4, (0, 0, 0))
    parts = [replace(part, silent=number == track) for number, part in enumerate(parts_of(conditions))]
    draft = Draft(
        conditions,
        np.random.default_rng(seed),
        parts=parts,
        meters=(0,) * 4,
        given=Given(melody),
        ending=True,
    )
    generate(tiny.composer(seed % 3, scale=1.0).step, [draft], Sampling(temperature))
    made = decode(draft.events, conditions.programs, 120.0)
    found = [(note.onset, note.pitch) for note in made.notes if note.track == track]
    assert found == [(note.onset, note.pitch) for note in melody]
    assert made.meters == (0,) * 4
    state = EventState(conditions)
    for event in draft.events:
        assert state.allows(event)
        state.push(event)


def test_generation_stops_after_the_bars_that_follow() -> None:
    piece = tiny.song(bars=6)
    conditions = conditions_of(piece, 0)
    before = encode(Piece(piece.notes[:7], piece.meters[:1], piece.programs))[:-1].tolist()
    after = [note for note in piece.notes if note.onset >= 3 * 96]
    draft = Draft(
        conditions, np.random.default_rng(0), events=before, meters=piece.meters[1:],
        given=Given(after, free=frozenset({1, 2}), end=5),
    )  # fmt: skip
    generate(tiny.composer(scale=1.0).step, [draft], Sampling())
    made = decode(draft.events, conditions.programs, 120.0)
    assert len(made.meters) == 5
    kept = [note for note in made.notes if note.onset < 96 or note.onset >= 3 * 96]
    expected = [
        note for note in piece.notes if (note.onset < 96 or note.onset >= 3 * 96) and note.onset < 480
    ]
    assert [note[:3] for note in kept] == [note[:3] for note in expected]


def test_a_given_note_stands_for_all_that_is_later() -> None:
    """Its probability is that of no earlier event."""
    state = EventState(Conditions(0, 0, False, 16, 8, 4, (0, 0, 0)))
    state.push([v.BAR, 0, -1, -1, -1, -1])
    notes = GivenNotes(Given([GridNote(24, 1, -60, 6, 84)]))
    scores = np.random.default_rng(0).normal(size=v.STEPS)
    probabilities = np.exp(scores) / np.exp(scores).sum()
    gathered = notes.gather(state, v.STEP, [], scores)
    allowed = notes.restrict_steps(state, state.allowed_steps())
    assert np.flatnonzero(allowed).tolist() == list(range(25))
    possible = np.append(probabilities[:24], probabilities[24 : v.SAME].sum() + probabilities[v.BAR :].sum())
    assert np.exp(gathered[:25]) / np.exp(gathered[:25]).sum() == pytest.approx(possible / possible.sum())
    tracks = notes.restrict_tracks(state, 24, state.allowed_tracks(24))
    assert np.flatnonzero(tracks).tolist() == [0, 1]
    scores = np.array([0.0, 1.0, 2.0, *[-9.0] * (v.TRACKS - 3)])
    gathered = notes.gather(state, v.TRACK, [24], scores)
    assert gathered[0] == 0 and np.exp(gathered[1]) == pytest.approx(np.exp(scores[1:]).sum())
