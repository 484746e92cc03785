"""What the model is told, beyond what the tests of the tokenizer see."""

from __future__ import annotations

from audioseq.music.grammar import INDEX, Conditions, Walk
from audioseq.music.vocabulary import BAR, SAME, density_class


def density_told(notes_per_quarter: int, steered: bool) -> int:
    """Return the density told after bars with so many notes in a quarter, where four are wished for."""
    walk = Walk(Conditions(0, 0, False, 16, density_class(4), 9, (0,)), steered)
    for _ in range(4):
        walk.push((BAR, 0, -1, -1, -1, -1))
        for beat in range(4):
            for note in range(notes_per_quarter):
                walk.push((SAME if note else 24 * beat, -1, 0, 90 - note, 3, 8))
    return walk.features()[INDEX["density"]]


def test_density_is_steered_against_what_is_amiss() -> None:
    assert density_told(4, True) == density_told(1, False) == density_class(4)
    assert density_told(2, True) > density_told(3, True) > density_class(4) > density_told(8, True)
