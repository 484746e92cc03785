"""Shards: each recording is in exactly one, independent of the other recordings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioseq.errors import ConfigError
from audioseq.speech.batch.inputs import Recording
from audioseq.speech.batch.shard import Shard, choose, parse


@given(st.sets(st.text(max_size=9), max_size=30), st.integers(1, 9))
def test_each_recording_is_in_one_part_in_any_order(names: set[str], count: int) -> None:
    listed = [Recording(f"{name}.wav", name) for name in sorted(names)]
    shuffled = listed[::-1]
    parts = [Shard(index, count).select(listed) for index in range(1, count + 1)]
    assert sorted(recording for part in parts for recording in part) == sorted(listed)
    for index, part in enumerate(parts, 1):
        assert Shard(index, count).select(shuffled) == part[::-1]
        assert Shard(index, count).select(listed[:5]) == [r for r in part if r in listed[:5]]


def test_parts_have_similar_sizes() -> None:
    names = [Recording(f"{number}.wav", str(number)) for number in range(8000)]
    for index in range(1, 9):
        assert 900 < len(Shard(index, 8).select(names)) < 1100


@pytest.mark.parametrize("text", ["3/2", "0/2", "-1/2", "1", "1/", "a/b", "1/0", "", "1/2/3", "１/２"])
def test_invalid_parts_are_errors(text: str) -> None:
    with pytest.raises(ConfigError, match="shard"):
        parse(text)


@pytest.mark.parametrize(
    ("environment", "part"),
    [
        ({}, "1/1"),
        ({"RANK": "1"}, "1/1"),
        ({"RANK": "1", "WORLD_SIZE": "8", "SLURM_PROCID": "0", "SLURM_NTASKS": "2"}, "2/8"),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "3"}, "1/3"),
        ({"SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_NTASKS": "3"}, "1/1"),  # the batch script
        (
            {
                "SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_PROCID": "1",
                "SLURM_NTASKS": "3", "SLURM_STEP_NUM_TASKS": "2",
            },
            "2/2",
        ),
    ],
)  # fmt: skip
def test_torchrun_and_srun_set_the_part(environment: dict[str, str], part: str) -> None:
    assert choose(None, environment) == parse(part)
    assert choose("3/4", environment) == Shard(3, 4)


def test_contradictory_variables_are_an_error() -> None:
    with pytest.raises(ConfigError, match="RANK/WORLD_SIZE: is 8/8"):
        choose(None, {"RANK": "8", "WORLD_SIZE": "8"})
