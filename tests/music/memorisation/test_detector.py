"""Note-by-note detection agrees with the whole piece, and generation avoids known runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.music.generation.draft import Draft
from audioseq.music.generation.generate import generate
from audioseq.music.generation.sampling import Sampling
from audioseq.music.memorisation.copies import CopyIndex
from audioseq.music.memorisation.detector import CopyDetector
from audioseq.music.memorisation.fingerprint import MAX_RUN_SPACING, Fingerprint
from audioseq.music.pipeline import CompositionOptions
from audioseq.music.representation.event_state import Conditions
from audioseq.music.representation.grid import GridNote, Piece, to_grid
from audioseq.music.representation.tokenizer import decode
from audioseq.music.representation.vocabulary import DRUMS
from tests.music import tiny


def random_piece(random: np.random.Generator, count: int, programs: tuple[int, ...]) -> Piece:
    """Return notes of several tracks, some simultaneous, not all on sixteenths."""
    onsets = np.cumsum(random.choice((0, 3, 6, 8, 24), count)).tolist()
    notes = {
        (onset, int(random.integers(len(programs))), -int(random.integers(50, 70))): None for onset in onsets
    }
    return Piece(tuple(sorted(GridNote(*note, 6, 80) for note in notes)), (0,), programs)


def quoted(piece: Piece, start: int, count: int, higher: int, into: Piece) -> Piece:
    """Return a piece followed by transposed notes of another."""
    later = into.notes[-1].onset + 24 if into.notes else 0
    some = piece.notes[start : start + count]
    moved = [
        note._replace(onset=note.onset - some[0].onset + later, negative_pitch=note.negative_pitch - higher)
        for note in some
    ]
    return Piece((*into.notes, *moved), (0,), piece.programs)


def detections(known: Fingerprint, piece: Piece) -> list[bool]:
    """Return for each note, in the order of events, whether it completes a known run."""
    detector, found = CopyDetector(known, piece.programs), []
    for note in piece.notes:
        detector = detector.with_note(note.onset, note.track, note.pitch)
        found.append(detector.completes_run)
    return found


@given(
    st.integers(0, 10**6), st.integers(13, 40), st.integers(-6, 6), st.integers(0, 30),
    st.sampled_from(((0,), (0, 40), (0, DRUMS))),
)  # fmt: skip
@settings(deadline=None, max_examples=40)
def test_runs_in_the_whole_piece_are_detected(
    seed: int, count: int, higher: int, own: int, programs: tuple[int, ...]
) -> None:
    random = np.random.default_rng(seed)
    source = random_piece(random, 80, programs)
    piece = quoted(source, 20, count, higher, random_piece(random, own, programs))
    known = Fingerprint.from_pieces([source])
    if known.shares_run_with(piece):
        assert any(detections(known, piece))
    assert known.shares_run_with(piece) or CopyIndex.from_pieces([source]).longest_run(piece).notes <= 16


def test_run_of_single_notes_is_detected_at_its_last_note() -> None:
    random = np.random.default_rng(0)
    pitches = random.integers(50, 70, 60).tolist()
    source = Piece(tuple(GridNote(6 * at, 0, -pitch, 6, 80) for at, pitch in enumerate(pitches)), (0,), (0,))
    known = Fingerprint.from_pieces([source])
    found = detections(known, source)
    parts = [Piece(source.notes[: count + 1], (0,), (0,)) for count in range(60)]
    assert [known.shares_run_with(part) for part in parts] == [any(found[: count + 1]) for count in range(60)]
    assert found.index(True) == 16 and sum(found) == 48 // MAX_RUN_SPACING


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_composing_avoids_known_runs(temperature: float) -> None:
    composer, options, sampling = tiny.composer(scale=1.0), CompositionOptions(bars=12), Sampling(temperature)
    before = composer.compose(5, count=4, options=options, sampling=sampling)
    pieces = [to_grid(each.score) for each in before]
    index = CopyIndex.from_pieces(pieces)
    assert sum(index.longest_run(piece).notes > 16 for piece in pieces) >= 3  # one may be too short
    composer.training_runs = Fingerprint.from_pieces(pieces)
    after = composer.compose(5, count=4, options=options, sampling=sampling)
    assert all(index.longest_run(to_grid(each.score)).notes <= 16 and not each.copied for each in after)
    assert after == composer.compose(5, count=4, options=options, sampling=sampling)
    composer.training_runs = Fingerprint.from_pieces([])  # runs of other pieces would have false positives
    assert composer.compose(5, count=4, options=options, sampling=sampling) == before


def test_only_events_that_complete_a_run_are_resampled() -> None:
    step = tiny.composer(scale=1.0).step
    conditions = Conditions(0, 0, False, 16, 8, 12, (0, 0))
    drafts = [Draft(conditions, np.random.default_rng(1)) for _ in range(3)]
    for draft, known in zip(drafts, (None, Fingerprint.from_pieces([])), strict=False):
        generate(step, [draft], Sampling(), training_runs=known)
    assert drafts[0].events == drafts[1].events and drafts[1].resampled == 0
    known = Fingerprint.from_pieces([decode(drafts[0].events, (0, 0), 120.0)])
    again = drafts[2]
    generate(step, [again], Sampling(), training_runs=known)
    assert again.resampled > 0
    alike = [one == other for one, other in zip(again.events, drafts[0].events, strict=False)]
    assert alike.index(False) >= 13
