"""Configuration: parsing, error messages, assignments, smoke tables, round trips."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from audioseq.config import Config, dump_toml, load, merge, override, parse, read_toml, resolve
from audioseq.errors import ConfigError


@dataclass(frozen=True)
class Noise:
    """An options class that does not use pydantic."""

    snr: tuple[float, float] = (10.0, 40.0)

    def __post_init__(self) -> None:
        if self.snr[0] > self.snr[1]:
            raise ValueError(f"snr is {self.snr}, but must go from low to high")


class Card(Config):
    card: dict[str, Any]


class Training(Config):
    epochs: Annotated[float, Field(gt=0)] = 10.0
    clip: float | None = 1.0
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    precision: Literal["auto", "fp32"] = "auto"
    tensorboard: bool = False


class Data(Config):
    train: tuple[Path, ...]
    cache: Path | None = None


class Recipe(Config):
    name: str = "a"
    sizes: tuple[int, ...] = (3, 4)
    data: Data = Data(train=())
    training: Training = Training()
    noise: Noise | None = Noise()
    rates: dict[str, float] = Field(default_factory=dict)
    nested: tuple[tuple[str, ...], ...] = ()


def message_of(table: dict[str, Any], model: type[Config] = Recipe) -> str:
    """Return the one-line message of the error that an invalid table causes."""
    with pytest.raises(ConfigError) as caught:
        parse(model, table, "x.toml")
    message = str(caught.value)
    assert message.isprintable() and message.startswith("x.toml: ")
    return message.removeprefix("x.toml: ")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"nam": "b"}, "nam: is unknown; did you mean name?"),
        ({"training": {"epoch": 3}}, "training.epoch: is unknown; did you mean epochs?"),
        ({"noise": {"snrs": [1, 2]}}, "noise.snrs: is unknown; did you mean snr?"),
        ({"data": {"trian": ["a"]}}, "data.trian: is unknown; did you mean train? (and 1 more)"),
        ({"data": {"zzz": 1, "train": []}}, "data.zzz: is unknown; known keys are train, cache"),
        ({"data": {}}, "data.train: is missing; give it a value"),
        ({"training": {"epochs": 0}}, "training.epochs: input should be greater than 0, but it is 0"),
        (
            {"training": {"workers": 65}},
            "training.workers: input should be less than or equal to 64, but it is 65",
        ),
        (
            {"training": {"precision": "fp8"}},
            "training.precision: input should be 'auto' or 'fp32', but it is 'fp8'",
        ),
        ({"noise": {"snr": [3, 2]}}, "noise: snr is (3.0, 2.0), but must go from low to high"),
        ({"data": {"train": [1]}}, "data.train.0: input should be a valid string, but it is 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_messages_name_the_error_in_one_line(table: dict[str, Any], message: str) -> None:
    assert message_of(table) == message


@pytest.mark.parametrize(
    "table",
    [
        {"training": {"epochs": "3"}},
        {"training": {"epochs": True}},
        {"training": {"workers": 1.0}},
        {"training": {"tensorboard": "yes"}},
        {"training": {"tensorboard": 1}},
        {"training": 3},
        {"name": 3},
        {"name": False},
        {"noise": True},
        {"sizes": "3"},
        {"data": {"train": "a.jsonl"}},
    ],
    ids=str,
)
def test_types_are_strict(table: dict[str, Any]) -> None:
    message_of(table)


def test_control_codes_in_keys_are_escaped() -> None:
    assert "\\x1b" in message_of({"\x1b[31m\n": 1})


def test_values_that_json_cannot_hold_are_errors() -> None:
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"a": deep}
    for rates in (deep, {"a\ud800": 1.0}):
        with pytest.raises(ConfigError, match=r"^x\.toml: .+") as caught:
            parse(Recipe, {"rates": rates}, "x.toml")
        assert "\n" not in str(caught.value)


def test_tables_in_lists_are_written() -> None:
    card = {"data": [{"name": "a b", "licence": "CC0", "years": [1, 2]}, {"größe": {"x": 1.5}}]}
    assert tomllib.loads(dump_toml(Card(card=card)))["card"] == card


def test_values_are_frozen() -> None:
    recipe = parse(Recipe, {}, "x.toml")
    with pytest.raises(ValueError, match="frozen"):
        recipe.name = "b"


def test_defaults_are_validated() -> None:
    class Wrong(Config):
        size: Annotated[int, Field(gt=0)] = 0

    assert message_of({}, Wrong).startswith("size: input should be greater than 0")


def test_an_integer_is_a_valid_float() -> None:
    epochs = parse(Recipe, {"training": {"epochs": 3}}, "x.toml").training.epochs
    assert isinstance(epochs, float) and epochs == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = 1\nb = = 2\n", r"is not TOML: .*line 2"),
        (b"a = 'no end\n", r"is not TOML: .*at end of document"),
        (b"a = 1\na = 2\n", r"is not TOML: .*line 2"),
        (b"a = '\xff'\n", "is not UTF-8 text"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "is not TOML: maximum recursion depth"),
        (b"a = " + b"9" * 5000, "is not TOML: .*4300 digits"),
    ],
)
def test_files_that_are_not_toml(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        read_toml(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in tmp_path / "none.toml", tmp_path:
        with pytest.raises(ConfigError, match="cannot be read"):
            read_toml(path)


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbfname = 'b'\r\nsizes = [\r\n1]\r\n")
    assert read_toml(path) == {"name": "b", "sizes": [1]}


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("training.epochs=20", {"training": {"epochs": 20, "clip": 2.0}}),
        ("training.epochs = 1e-3", {"training": {"epochs": 0.001, "clip": 2.0}}),
        ("name=some words", {"name": "some words"}),
        ("name='3'", {"name": "3"}),
        ("name=a=b", {"name": "a=b"}),
        ("name=", {"name": ""}),
        ("sizes=[1, 2]", {"sizes": [1, 2]}),
        ("data.cache=C:\\cache", {"data": {"cache": "C:\\cache"}}),
        ("noise=false", {"noise": False}),
        ("noise={snr = [1, 2]}", {"noise": {"snr": [1, 2]}}),
    ],
)
def test_assignments(assignment: str, expected: dict[str, Any]) -> None:
    table = {"name": "a", "training": {"epochs": 10, "clip": 2.0}}
    assert override(table, [assignment]) == table | expected
    assert table == {"name": "a", "training": {"epochs": 10, "clip": 2.0}}


def test_later_assignments_override_earlier_ones() -> None:
    assert override({}, ["a.b=1", "a.c=2", "a.b=3"]) == {"a": {"b": 3, "c": 2}}


@pytest.mark.parametrize("assignment", ["epochs", "=3", "a..b=3", ".a=3", ""])
def test_malformed_assignments(assignment: str) -> None:
    with pytest.raises(ConfigError, match="write it as key=value"):
        override({}, [assignment])


TABLES = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers()),
    lambda tables: st.dictionaries(st.sampled_from("abc"), st.integers() | tables),
    max_leaves=8,
)


@settings(deadline=None, max_examples=30)
@given(TABLES, TABLES, TABLES)
def test_merging(one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]) -> None:
    assert merge(one, {}) == one and merge({}, one) == one and merge(one, one) == one
    assert merge(merge(one, two), two) == merge(one, two)
    for key, value in two.items():
        if not isinstance(value, dict):
            assert merge(one, two)[key] == value
    assert one.keys() | two.keys() == merge(one, two).keys()


SMOKE = """
name = "full"
sizes = [1, 2, 3]
[training]
epochs = 10
workers = 2
[smoke]
sizes = [1]
[smoke.training]
epochs = 1
"""


def test_the_smoke_table(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(SMOKE)
    full, small = load(Recipe, path), load(Recipe, path, smoke=True)
    assert (full.sizes, full.training.epochs, full.training.workers) == ((1, 2, 3), 10, 2)
    assert (small.sizes, small.training.epochs, small.training.workers) == ((1,), 1, 2)
    assert small.name == "full"
    # An assignment overrides the smoke table.
    assert load(Recipe, path, ["training.epochs=5"], smoke=True).training.epochs == 5


def test_the_gpu_table_applies_before_the_smoke_table_and_assignments() -> None:
    table: dict[str, Any] = {
        "name": "sizes",
        "training": {"epochs": 1, "clip": 0.1, "workers": 1},
        "gpu": {"training": {"epochs": 2, "clip": 0.2, "workers": 2}},
        "smoke": {"training": {"epochs": 3}},
    }

    def resolved(*assignments: str, smoke: bool = False, gpu: bool = True) -> tuple[float, float | None, int]:
        training = resolve(Recipe, table, assignments, smoke=smoke, where="", gpu=gpu).training
        return training.epochs, training.clip, training.workers

    assert resolved(gpu=False) == (1, 0.1, 1)
    assert resolved() == (2, 0.2, 2)
    assert resolved("training.workers=4", smoke=True) == (3, 0.2, 4)
    del table["gpu"]
    assert resolved() == (1, 0.1, 1)


@pytest.mark.parametrize("table", [{}, {"smoke": True}])
def test_a_smoke_run_without_a_smoke_table(table: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"x.toml: has no \[smoke\] table"):
        resolve(Recipe, table, smoke=True, where="x.toml")


def test_an_error_in_the_smoke_table_is_reported_only_in_a_smoke_run() -> None:
    table = {"smoke": {"training": {"epoch": 1}}}
    assert resolve(Recipe, table, smoke=False, where="x.toml") == Recipe()
    with pytest.raises(ConfigError, match="did you mean epochs"):
        resolve(Recipe, table, smoke=True, where="x.toml")


def test_false_sets_optional_values_to_none() -> None:
    recipe = parse(Recipe, {"noise": False, "training": {"clip": False, "tensorboard": False}}, "x.toml")
    assert recipe.noise is None and recipe.training.clip is None and recipe.training.tensorboard is False
    assert "noise = false" in dump_toml(recipe) and "cache" not in dump_toml(recipe)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBER = st.floats(allow_nan=False)
TRAINING = st.builds(
    Training,
    epochs=st.floats(min_value=0, exclude_min=True),
    clip=st.none() | NUMBER,
    workers=st.integers(0, 64),
    precision=st.sampled_from(["auto", "fp32"]),
    tensorboard=st.booleans(),
)
PATHS = st.builds(Path, TEXT.filter(lambda text: "\0" not in text))
RECIPES = st.builds(
    Recipe,
    name=TEXT,
    sizes=st.lists(st.integers(), max_size=3).map(tuple),
    data=st.builds(Data, train=st.lists(PATHS, max_size=2).map(tuple), cache=st.none() | PATHS),
    training=TRAINING,
    noise=st.none() | st.builds(Noise, st.tuples(NUMBER, NUMBER).map(lambda ends: (min(ends), max(ends)))),
    rates=st.dictionaries(TEXT, NUMBER, max_size=3),
    nested=st.lists(st.lists(TEXT, max_size=2).map(tuple), max_size=2).map(tuple),
)


@settings(deadline=None, max_examples=30)
@given(RECIPES)
def test_toml_round_trip(recipe: Recipe) -> None:
    assert parse(Recipe, tomllib.loads(dump_toml(recipe)), "x.toml") == recipe


@settings(deadline=None, max_examples=10)
@given(RECIPES)
def test_json_round_trip(recipe: Recipe) -> None:
    import json

    table = json.loads(json.dumps(recipe.model_dump(mode="json")))
    assert parse(Recipe, table, "x.toml") == recipe
