"""What a model with random weights generates can be played, and keeps to the rules of part-writing."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
import torch

from audioseq.music.analysis.form import examine
from audioseq.music.generation.draft import Draft, Part, parts_of
from audioseq.music.generation.endings import end_at_next, has_ending
from audioseq.music.generation.generate import generate
from audioseq.music.generation.sampling import Sampling
from audioseq.music.model import build
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import Conditions
from audioseq.music.representation.grid import Piece
from audioseq.music.representation.part_writing import count_violations
from audioseq.music.representation.playing import instrument_range, is_playable
from audioseq.music.representation.tokenizer import decode
from tests.music import tiny


def compose(
    style: str, programs: tuple[int, ...], count: int = 4, **wishes: object
) -> list[tuple[Draft, Piece]]:
    """Generate pieces with random weights, which give chords of nearly uniform pitches."""
    torch.manual_seed(1)
    conditions = Conditions(v.STYLES.index(style), 2, False, 12, 12, 6, programs)
    drafts = [Draft(conditions, np.random.default_rng(i), **wishes) for i in range(count)]  # type: ignore[arg-type]
    model = build(tiny.MODEL).eval()
    with torch.no_grad():
        model.biases[v.STEP][v.SAME] += 4.0  # chords
        model.biases[v.DURATION][:24] += 5.0  # short notes
    generate(tiny.step(model), drafts, Sampling())
    return [(draft, end_at_next(decode(draft.events, programs, 100.0), _single(draft))) for draft in drafts]


def _single(draft: Draft) -> list[int]:
    return [track for track, part in enumerate(draft.parts) if part.most == 1]


@pytest.mark.parametrize(
    ("style", "programs"), [("pop", (0, 0, 0)), ("lied", (68, 0, 0)), ("quartet", (40, 40, 41, 42))]
)
def test_parts_are_playable(style: str, programs: tuple[int, ...]) -> None:
    for draft, piece in compose(style, programs):
        chords = defaultdict(set)
        for note in piece.notes:
            part = draft.parts[note.track]
            assert part.low <= note.pitch <= part.high
            if part.hands:
                chords[note.onset].add(note.pitch)
        assert all(map(is_playable, chords.values()))
        assert any(len(chord) > 2 for chord in chords.values()) or style == "quartet"


def test_chorales_have_no_parallels_crossings_or_overlaps() -> None:
    counts = [examine(piece, (2, False)).parallels for _, piece in compose("chorale", (52,) * 4, count=6)]
    assert sum(count.chords for count in counts) > 50
    assert sum(count.fifths + count.octaves for count in counts) <= 2  # a rest between two chords hides some
    assert sum(count.crossings for count in counts) <= 0.02 * sum(count.chords for count in counts)


def test_wishes_are_granted() -> None:
    parts = (Part(60, 70, most=1), Part(40, 50, silent=True), Part(30, 50, most=2))
    for _, piece in compose(
        "lied", (68, 0, 0), parts=parts, meters=(1, 3), first_tick=30, grid=12, levels=(5, 6)
    ):
        assert piece.meters == (1, 3) * 3
        assert {note.track for note in piece.notes} <= {0, 2}
        assert all(note.onset >= 30 and note.onset % 12 == 0 for note in piece.notes)
        assert {v.velocity_level(note.velocity) for note in piece.notes} <= {5, 6}
        counts: dict[tuple[int, int], int] = defaultdict(int)
        for note in piece.notes:
            counts[note.track, note.onset] += 1
        assert all(count <= parts[track].most for (track, _), count in counts.items())
        voice = [note for note in piece.notes if note.track == 0]
        assert all(a.end <= b.onset for a, b in pairwise(voice))


def test_endings_are_sampled_again_until_they_close() -> None:
    programs = (40, 40, 41, 42)
    parts = [Part(*instrument_range(program), most=1) for program in programs]
    free, closed = (
        [has_ending(draft) for draft, _ in compose("quartet", programs, count=8, parts=parts, ending=ending)]
        for ending in (False, True)
    )
    assert sum(closed) > sum(free) + 1


def test_the_voices_of_a_chorale_have_their_ranges() -> None:
    parts = parts_of(Conditions(v.STYLES.index("chorale"), 0, False, 12, 8, 8, (52,) * 4))
    assert [(part.low, part.high, part.most) for part in parts] == [
        (61, 77, 1), (57, 72, 1), (51, 67, 1), (41, 61, 1)
    ]  # fmt: skip
    assert count_violations(np.array([[72, 67, 60, 48], [74, 69, 62, 50]])).octaves
