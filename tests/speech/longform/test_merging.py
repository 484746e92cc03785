"""Merging of overlapping chunks gives the emissions of the whole recording."""

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
"""Samples per frame: 40 ms."""


def emissions(path: np.ndarray) -> np.ndarray:
    """Return log-probabilities `[T, V]` with the given best path."""
    return np.asarray(np.log(np.eye(TOKENIZER.size)[path] * 0.7 + 0.3 / TOKENIZER.size))


def timeline(words: list[str], pauses: list[int]) -> np.ndarray:
    """Return the best path of words: two frames and a blank per letter, and a space before each word."""
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
def test_no_word_is_lost_or_repeated(
    words: list[str], pauses: list[int], share: float, shift: int, seed: int
) -> None:
    path = np.append(timeline(words, pauses), [BLANK] * 3)
    middle, reach = int(share * len(path)), 20
    before, after = path[: middle + reach].copy(), np.roll(path[middle - reach :], shift)
    random = np.random.default_rng(seed)
    after[-1] = BLANK  # the frame that np.roll moved to the end
    before[-3:], after[:3] = random.integers(0, TOKENIZER.size, (2, 3))  # a model is unreliable at the edges
    chunks = [
        Chunk(0, np.zeros(len(before) * FRAME, np.float32)),
        Chunk((middle - reach) * FRAME, np.zeros(len(after) * FRAME, np.float32), 2 * reach * FRAME),
    ]
    chunk_emissions = [
        ChunkEmissions(chunk, emissions(path)) for chunk, path in zip(chunks, (before, after), strict=True)
    ]
    first, second = merge_chunks(chunk_emissions, TOKENIZER, 0.04)
    assert text([first, second]) == text([SegmentEmissions(0, 0, emissions(path), chunks[0])])
    assert first.end == second.start and len(first.log_probs) + len(second.log_probs) == len(path)


def test_chunks_without_overlap_are_unchanged() -> None:
    chunks = [Chunk(0, np.zeros(16_000, np.float32)), Chunk(16_000, np.zeros(8_000, np.float32))]
    chunk_emissions = [ChunkEmissions(chunk, emissions(np.zeros(20, int))) for chunk in chunks]
    merged = list(merge_chunks(chunk_emissions, TOKENIZER, 0.04))
    assert [(part.start, part.end) for part in merged] == [(0, 1), (1, 1.5)]
    assert all(part.log_probs is each.log_probs for part, each in zip(merged, chunk_emissions, strict=True))
    assert list(merge_chunks([], TOKENIZER, 0.04)) == []


def test_without_words_the_boundary_is_at_the_most_probable_blanks() -> None:
    before, after = np.full((2, 40), TOKENIZER.encode("a")[0])
    before[20:], after[:20] = TOKENIZER.encode("b")[0], TOKENIZER.encode("c")[0]
    before[27] = after[7] = BLANK
    chunks = [Chunk(0, np.zeros(40 * FRAME)), Chunk(20 * FRAME, np.zeros(40 * FRAME), 20 * FRAME)]
    chunk_emissions = [
        ChunkEmissions(chunk, emissions(path)) for chunk, path in zip(chunks, (before, after), strict=True)
    ]
    first, _ = merge_chunks(chunk_emissions, TOKENIZER, 0.04)
    assert len(first.log_probs) == 27
