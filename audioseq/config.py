"""Strict configuration: TOML files parsed into pydantic models, with one-line error messages."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

import pydantic
import pydantic_core

from audioseq.errors import ConfigError
from audioseq.files import read_text


class Config(pydantic.BaseModel):
    """A table of a configuration; unknown keys are errors, and values cannot change after parsing."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, validate_default=True)
    former_names: ClassVar[Mapping[str, str]] = {}
    """Key names of earlier versions, mapped to the current names; recipes and model files may use them."""


C = TypeVar("C", bound=Config)

Count = Annotated[int, pydantic.Field(ge=0, lt=2**31)]
Size = Annotated[int, pydantic.Field(ge=1, lt=2**31)]
Layers = Annotated[int, pydantic.Field(ge=1, le=1000)]
Fraction = Annotated[float, pydantic.Field(ge=0, lt=1)]
"""Types of values that several configurations share."""

UNKNOWN_KEY_ERRORS = ("extra_forbidden", "unexpected_keyword_argument")
"""Error types of pydantic for an unknown key, in a model and in a dataclass."""


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file into a table.

    Raises:
        ConfigError: the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(read_text(path, ConfigError))
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        raise ConfigError(f"{path}: is not TOML: {error}") from None


def read_recipe(
    source: Path, valid: Path | None, own: Mapping[str, Any] | None = None, examples: str = "examples"
) -> dict[str, Any]:
    """Return the table of a recipe, or a table for training on the user's own data.

    Args:
        source: the `config.toml` of a recipe, or a training manifest, for which `own` is the table.
        valid: manifest to validate on, instead of the recipe's.
        own: table for the user's own data; if it is not given, `source` is always a recipe.
        examples: what a manifest lists, for error messages.
    Raises:
        ConfigError: the recipe cannot be read, or there is no validation manifest.
    """
    if own is None or source.suffix == ".toml":
        table = read_toml(source)
    elif valid is None:
        raise ConfigError(f"{source}: has no validation data; give --valid MANIFEST with other {examples}")
    else:
        table = merge(own, {"data": {"train": [str(source)]}})
    return table if valid is None else merge(table, {"data": {"valid": [str(valid)]}})


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with changes applied to it, recursively.

    Example:
        >>> merge({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})
        {'a': {'b': 3, 'c': 2}}
    """
    merged = dict(base)
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            value = merge(merged[key], value)
        merged[key] = value
    return merged


def override(table: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Return a table with assignments such as `training.epochs=20` applied to it.

    A value is parsed as TOML. A value that is not TOML is a string, so most strings need no quotes.

    Raises:
        ConfigError: an assignment has no key or no `=`.
    Example:
        >>> override({"training": {"epochs": 10}}, ["training.epochs=20", "data.cache=runs/cache"])
        {'training': {'epochs': 20}, 'data': {'cache': 'runs/cache'}}
    """
    result = dict(table)
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys):
            raise ConfigError(f"--set {assignment}: write it as key=value, for example training.epochs=20")
        try:
            change: Any = tomllib.loads(f"value = {text}")["value"]
        except (ValueError, RecursionError):
            change = text.strip()
        for key in reversed(keys):
            change = {key: change}
        result = merge(result, change)
    return result


def normalise_table(model: type[Config], table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with the current names of its keys, and with None for `false` as an optional value.

    A key that has a former and a current name keeps both. TOML has no null, hence `false`.
    """
    result = {}
    for key, value in table.items():
        name = model.former_names.get(key, key)
        name = key if name in table else name
        annotation = model.model_fields[name].annotation if name in model.model_fields else None
        inner, options = _inner(annotation), get_args(annotation)
        if isinstance(value, Mapping) and isinstance(inner, type) and issubclass(inner, Config):
            value = normalise_table(inner, value)
        elif value is False and type(None) in options and bool not in options:
            value = None
        result[name] = value
    return result


def parse(model: type[C], table: Mapping[str, Any], where: str) -> C:
    """Parse a table into a configuration; see `normalise_table`.

    Args:
        model: class of the configuration.
        table: its values.
        where: origin of the table, for error messages.
    Raises:
        ConfigError: a key is unknown (the message names a similar one), or a value is missing or invalid.
    """
    try:
        # Strict parsing of JSON accepts an array as a tuple and a string as a path, but not "3" as a number.
        content = pydantic_core.to_json(normalise_table(model, table))
        return model.model_validate_json(content, strict=True)
    except pydantic.ValidationError as error:
        raise ConfigError(f"{where}: {_explain(model, error)}") from None
    except pydantic_core.PydanticSerializationError as error:  # nested too deeply, or text that is no Unicode
        raise ConfigError(f"{where}: {error}") from None


def load(model: type[C], path: str | Path, assignments: Sequence[str] = (), smoke: bool = False) -> C:
    """Read the `config.toml` of a recipe; if `smoke` is true, its `[smoke]` table overrides the rest."""
    return resolve(model, read_toml(path), assignments, smoke=smoke, where=str(path))


def resolve(
    model: type[C],
    table: Mapping[str, Any],
    assignments: Sequence[str] = (),
    *,
    smoke: bool,
    where: str,
    gpu: bool = False,
) -> C:
    """Apply the `[gpu]` table, the `[smoke]` table and the assignments to a table, and parse it.

    Args:
        model: class of the configuration.
        table: its values, and the tables `gpu` and `smoke`.
        assignments: changes, see `override`.
        smoke: whether to apply the `[smoke]` table, which must exist.
        where: origin of the table, for error messages.
        gpu: whether to apply the `[gpu]` table, if there is one: sizes that suit a GPU.
    Raises:
        ConfigError: see `override` and `parse`.
    """
    rest = normalise_table(model, {key: value for key, value in table.items() if key not in ("smoke", "gpu")})
    if gpu and isinstance(table.get("gpu"), Mapping):
        rest = merge(rest, normalise_table(model, table["gpu"]))
    if smoke:
        if not isinstance(table.get("smoke"), Mapping):
            raise ConfigError(f"{where}: has no [smoke] table; add one, or omit --smoke")
        rest = merge(rest, normalise_table(model, table["smoke"]))
    return parse(model, merge(rest, normalise_table(model, override({}, assignments))), where)


def dump_toml(config: Config) -> str:
    """Return a configuration as TOML; None is omitted, or written as `false` where it is not the default."""
    return "\n".join(_lines(_plain(config), "")).lstrip("\n") + "\n"


def _plain(config: Config) -> dict[str, Any]:
    table = config.model_dump(mode="json")
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, Config):
            table[name] = _plain(value)
        elif value is None and field.default is not None:
            table[name] = False
    return table


def _lines(table: Mapping[str, Any], prefix: str) -> Iterator[str]:
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    values = {key: value for key, value in table.items() if key not in tables and value is not None}
    yield from (f"{_key(key)} = {_value(value)}" for key, value in values.items())
    for key, value in tables.items():
        yield f"\n[{prefix}{_key(key)}]"
        yield from _lines(value, f"{prefix}{_key(key)}.")


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, Mapping):  # in a list
        entries = (f"{_key(key)} = {_value(item)}" for key, item in value.items() if item is not None)
        return "{" + ", ".join(entries) + "}"
    if isinstance(value, float):
        return repr(value)  # TOML spells inf and nan as Python does
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _explain(model: type[Config], error: pydantic.ValidationError) -> str:
    """Describe the first error in one line."""
    # Unknown keys come first: an unknown key is often a misspelling of one that is reported as missing.
    first = min(error.errors(include_url=False), key=lambda each: each["type"] not in UNKNOWN_KEY_ERRORS)
    place = [part for part in first["loc"] if isinstance(part, str)]
    dotted = ".".join(str(part) if str(part).isprintable() else ascii(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] in UNKNOWN_KEY_ERRORS:
        near = difflib.get_close_matches(place[-1], known := _fields(model, place[:-1]), n=1)
        hint = f"did you mean {near[0]}?" if near else f"known keys are {', '.join(known)}"
        return f"{dotted}: is unknown; {hint}{more}"
    if first["type"] == "missing":
        return f"{dotted}: is missing; give it a value{more}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":  # raised by our own checks, which name the value
        return f"{dotted}: {message}{more}"
    return f"{dotted}: {message[:1].lower()}{message[1:]}, but it is {first['input']!r:.80}{more}"


def _fields(model: type[Any], path: Sequence[str]) -> list[str]:
    """Return the known keys of the table at `path`."""
    for key in path:
        fields = getattr(model, "model_fields", {})
        if key in fields:
            model = _inner(fields[key].annotation)
    return list(getattr(model, "model_fields", None) or getattr(model, "__dataclass_fields__", {}))


def _inner(annotation: Any) -> Any:
    """Return the class in an annotation such as `SpecAugment | None`."""
    if get_origin(annotation) in (Union, UnionType):
        return next(arg for arg in get_args(annotation) if arg is not type(None))
    return annotation
