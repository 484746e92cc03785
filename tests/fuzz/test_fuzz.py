"""Hundreds of mutated files of all kinds are read, or refused with an error of the package."""

from __future__ import annotations

import pytest

pytest.importorskip("resource")  # Windows has none

from tests.fuzz.__main__ import plan, tabulate
from tests.fuzz.kinds import KINDS
from tests.fuzz.worker import FIND, RESULT, Case, Outcome, run

COUNT = 800


def test_every_outcome_is_a_result_or_an_error_of_the_package() -> None:
    outcomes = list(run(plan(COUNT)))
    assert len(outcomes) >= 0.8 * COUNT  # without PyAV, two kinds are missing
    finds = [outcome for outcome in outcomes if outcome.status == FIND]
    assert not finds, "\n".join(
        f"python -m tests.fuzz --kind {find.case.kind} --index {find.case.number}\n{find.message}"
        for find in finds[:5]
    )
    for kind in {outcome.case.kind for outcome in outcomes}:
        statuses = [outcome.status for outcome in outcomes if outcome.case.kind == kind]
        assert RESULT in statuses, f"{kind}: all files are refused, so little of the code is reached"


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_is_the_same_each_time(kind: str) -> None:
    if KINDS[kind].find_seeds():
        assert Case(kind, 7).make()[:2] == Case(kind, 7).make()[:2] != Case(kind, 8).make()[:2]


def test_finds_are_counted_apart_from_refusals() -> None:
    case = Case("wav", 0)
    statuses = (RESULT, "AudioError", "DataError", "AudioError", FIND)
    rows = tabulate([Outcome(case, status, seconds=0.5, peak_bytes=10**6) for status in statuses])
    assert rows[0] == {**rows[1], "files": "wav"}
    assert rows[1] == {
        "files": "all",
        "cases": 5,
        "results": 1,
        "refusals": "AudioError 2, DataError 1",
        "finds": 1,
        "slowest case (s)": 0.5,
        "peak memory (MB)": 1,
    }
