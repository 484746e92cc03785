"""What is heard in overlapping pieces is joined to what would be heard in the whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.speech.decoding.greedy import greedy
from audioseq.speech.longform.chunking import Chunk
from audioseq.speech.longform.merging import ChunkEmissions, SegmentEmissions, merge_chunks
from audioseq.text.tokenizer import BLANK, CharTokenizer

TOKENIZER = CharTokenizer()
FRAME = 640
"""Samples from one frame to the next: 40 ms."""


def emissions(path: np.ndarray) -> np.ndarray:
    """Return log-probabilities `[T, V]` whose best path it is."""
    return np.asarray(np.log(np.eye(TOKENIZER.size)[path] * 0.7 + 0.3 / TOKENIZER.size))


def timeline(words: list[str], pauses: list[int]) -> np.ndarray:
    """Return the best path of words: two frames and a blank for each letter, a space before each word."""
    path: list[int] = []
    for word, pause in zip(words, pauses, strict=False):
        for token in TOKENIZER.encode(f"x {word}")[1:]:
            path += [token, token, BLANK]
        path += [BLANK] * pause
    return np.array(path)


def text(parts: list[SegmentEmissions]) -> str:
    tokens = (token for part in parts for token in greedy(part.log_probs).tokens)
    return "".join(TOKENIZER.pieces[token] for token in tokens)


WORDS = st.lists(st.text("abc", min_size=1, max_size=4), min_size=40, max_size=40)
PAUSES = st.lists(st.integers(0, 5), min_size=40, max_size=40)


@settings(deadline=None, max_examples=100)
@given(WORDS, PAUSES, st.floats(0.3, 0.7), st.integers(-1, 1), st.integers(0, 2**32 - 1))
def test_no_word_is_lost_or_doubled(
    words: list[str], pauses: list[int], share: float, shift: int, seed: int
) -> None:
    path = np.append(timeline(words, pauses), [BLANK] * 3)
    middle, reach = int(share * len(path)), 20
    before, after = path[: middle + reach].copy(), np.roll(path[middle - reach :], shift)
    random = np.random.default_rng(seed)
    after[-1] = BLANK  # what was shifted out at its beginning
    before[-3:], after[:3] = random.integers(0, TOKENIZER.size, (2, 3))  # at edges a model hears anything
    pieces = [
        Chunk(0, np.zeros(len(before) * FRAME, np.float32)),
        Chunk((middle - reach) * FRAME, np.zeros(len(after) * FRAME, np.float32), 2 * reach * FRAME),
    ]
    heard = [
        ChunkEmissions(piece, emissions(path)) for piece, path in zip(pieces, (before, after), strict=True)
    ]
    first, second = merge_chunks(heard, TOKENIZER, 0.04)
    assert text([first, second]) == text([SegmentEmissions(0, 0, emissions(path), pieces[0])])
    assert first.end == second.start and len(first.log_probs) + len(second.log_probs) == len(path)


def test_pieces_that_meet_in_a_pause_stay_as_they_are() -> None:
    pieces = [Chunk(0, np.zeros(16_000, np.float32)), Chunk(16_000, np.zeros(8_000, np.float32))]
    heard = [ChunkEmissions(piece, emissions(np.zeros(20, int))) for piece in pieces]
    made = list(merge_chunks(heard, TOKENIZER, 0.04))
    assert [(part.start, part.end) for part in made] == [(0, 1), (1, 1.5)]
    assert all(part.log_probs is each.log_probs for part, each in zip(made, heard, strict=True))
    assert list(merge_chunks([], TOKENIZER, 0.04)) == []


def test_where_there_are_no_words_the_seam_is_where_least_is_heard() -> None:
    before, after = np.full((2, 40), TOKENIZER.encode("a")[0])
    before[20:], after[:20] = TOKENIZER.encode("b")[0], TOKENIZER.encode("c")[0]
    before[27] = after[7] = BLANK
    pieces = [Chunk(0, np.zeros(40 * FRAME)), Chunk(20 * FRAME, np.zeros(40 * FRAME), 20 * FRAME)]
    heard = [
        ChunkEmissions(piece, emissions(path)) for piece, path in zip(pieces, (before, after), strict=True)
    ]
    first, _ = merge_chunks(heard, TOKENIZER, 0.04)
    assert len(first.log_probs) == 27
