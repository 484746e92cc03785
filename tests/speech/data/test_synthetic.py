"""Synthetic phone posteriors, concatenated from segments of recordings."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioseq.errors import DataError
from audioseq.speech.data.synthetic import PhoneSegments, TextOnlyData, label_frames
from audioseq.speech.decoding.forced_alignment import Span
from audioseq.speech.pronunciation import NUM_PHONE_UNITS, WORD_BOUNDARY, Pronunciations

PRONUNCIATIONS = Pronunciations({"a": [(2,)], "be": [(3, 4)], "cab": [(5, 2, 3)]})
Recordings = list[list[tuple[int, int]]]


def segments(recordings: Recordings) -> PhoneSegments:
    """Build segments of recordings, each a list of (unit, frames); column 0 holds the frame number."""
    labels = [np.repeat(*np.array(each).T) for each in recordings]
    flat = np.concatenate(labels)
    log_probs = np.log(0.9 * np.eye(NUM_PHONE_UNITS)[flat] + 0.001)
    log_probs[:, 0] = np.arange(len(flat))
    return PhoneSegments(
        log_probs.astype(np.float16), flat.astype(np.uint8), np.array([len(each) for each in labels])
    )


def decode(log_probs: np.ndarray) -> list[int]:
    """Return the most probable units without repetitions."""
    return [unit for unit, _ in groupby((log_probs[:, 1:].argmax(axis=1) + 1).tolist())]


@given(
    recordings=st.lists(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 4)), min_size=1), min_size=1),
    units=st.lists(st.integers(1, 12), min_size=1),
    seed=st.integers(0, 99),
)
def test_synthesised_posteriors_decode_to_the_units(
    recordings: Recordings, units: list[int], seed: int
) -> None:
    known = {unit for each in recordings for unit, _ in each}
    log_probs = segments(recordings).synthesise(units, np.random.default_rng(seed))
    assert log_probs.dtype == np.float16 and log_probs.shape[1] == NUM_PHONE_UNITS
    assert decode(log_probs) == [unit for unit, _ in groupby(unit for unit in units if unit in known)]


def test_segments_with_the_same_neighbours_are_preferred() -> None:
    # Unit 3 has 1 frame between 2 and 4, 2 frames after another 2, 3 before another 4, and 5 elsewhere.
    made = segments(
        [[(2, 1), (3, 1), (4, 1)], [(2, 1), (3, 2)], [(3, 3), (4, 1)], [(8, 1), (3, 5), (8, 1)]] * 5
    )
    random = np.random.default_rng(0)
    for units, expected in (
        ([2, 3, 4], {1}),
        ([2, 3, 8], {1, 2}),
        ([6, 3, 4], {1, 3}),
        ([6, 3, 6], {1, 2, 3, 5}),
    ):
        assert {int((made.synthesise(units, random)[:, 3] > -0.2).sum()) for _ in range(40)} == expected


def test_neighbours_are_of_the_same_recording() -> None:
    made = segments([[(2, 1)], [(3, 2)]] * 5)
    # The context of the 3 is a word boundary, not the 2 of the previous recording.
    assert len(made.synthesise([WORD_BOUNDARY, 3], np.random.default_rng(0))) == 2


def test_segments_are_saved_and_loaded(tmp_path: Path) -> None:
    made = segments([[(2, 3), (3, 4)], [(4, 2)]])
    made.save(tmp_path / "new" / "segments.npz")
    read = PhoneSegments.load(tmp_path / "new" / "segments.npz")
    one, other = (each.synthesise([2, 3, 4, 4, 2], np.random.default_rng(1)) for each in (made, read))
    np.testing.assert_array_equal(one, other)
    (tmp_path / "bad.npz").write_bytes(b"no segments")
    with pytest.raises(DataError, match=r"bad\.npz: cannot be read as segments"):
        PhoneSegments.load(tmp_path / "bad.npz")


def test_sentences_that_are_long_or_have_unknown_words_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(f"A cab.\nbe dull\n\nbe\n{'a ' * 26}\n")
    data = TextOnlyData(
        [tmp_path / "t.txt"], PRONUNCIATIONS, segments([[(unit, 2) for unit in (1, 2, 3, 4, 5)]])
    )
    random = np.random.default_rng(0)
    drawn = [each for _ in range(40) for each in data.draw(1, random)]
    assert {sentence for _, sentence in drawn} == {"a cab", "be"}
    expected = {"a cab": [1, 2, 1, 5, 2, 3, 1], "be": [1, 3, 4, 1]}
    assert all(decode(phones.numpy()) == expected[sentence] for phones, sentence in drawn)


def test_sentences_of_a_draw_have_similar_length(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("".join(f"{'a ' * (1 + n % 25)}\n" for n in range(2000)))
    data = TextOnlyData([tmp_path / "t.txt"], PRONUNCIATIONS, segments([[(1, 2), (2, 2)]]))
    random, middles = np.random.default_rng(0), set()
    for _ in range(60):
        words = [len(text.split()) for _, text in data.draw(20, random)]
        assert len(words) == 20 and max(words) - min(words) <= 1
        middles.add(words[0])
    assert len(middles) > 15


def test_unusable_texts_are_errors(tmp_path: Path) -> None:
    made = segments([[(2, 1)]])
    (tmp_path / "t.txt").write_text("dull things\n")
    with pytest.raises(DataError, match=r"too many sentences"):
        TextOnlyData([tmp_path / "t.txt"], PRONUNCIATIONS, made).draw(1, np.random.default_rng(0))
    with pytest.raises(DataError, match=r"no sentences"):
        TextOnlyData([], PRONUNCIATIONS, made)


@given(
    rows=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3), st.integers(1, 6)), min_size=1),
    rest=st.integers(0, 5),
)
def test_every_frame_has_the_label_of_a_neighbour(rows: list[tuple[int, int, int]], rest: int) -> None:
    spans, end = [], 0
    for gap, size, _ in rows:
        spans.append(Span(end + gap, end + gap + size, 0.0))
        end += gap + size
    units = [unit for _, _, unit in rows]
    labels = label_frames(spans, units, end + rest)
    assert len(labels) == end + rest
    assert all((labels[span.start : span.end] == unit).all() for span, unit in zip(spans, units, strict=True))
    assert [u for u, _ in groupby(labels.tolist())] == [u for u, _ in groupby(units)]


def test_a_long_gap_belongs_to_the_word_boundary() -> None:
    before, after = Span(0, 1, 0.0), Span(9, 10, 0.0)
    assert label_frames([before, after], [5, WORD_BOUNDARY], 10).tolist() == [5, 5] + [WORD_BOUNDARY] * 8
    assert label_frames([before, after], [WORD_BOUNDARY, 5], 10).tolist() == [WORD_BOUNDARY] * 8 + [5, 5]
    assert label_frames([before, after], [5, 6], 10).tolist() == [5] * 5 + [6] * 5
