"""Mutations of model files: their header, tables, tensors, length and compression."""

from __future__ import annotations

import json
import lzma
import struct
from random import Random
from typing import Any

from tests.fuzz.mutate import EXTREMES, Field, extreme, mutate_bytes, mutate_json, set_field, to_json, values

DTYPES = (
    "BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "I16", "U16", "F16", "BF16", "I32", "U32", "F32", "F64", "I64",
    "U64", "C64", "F4", "Q9", "",
)  # fmt: skip
ITEM_BYTES = {"F32": 4, "F16": 2, "I64": 8, "U8": 1, "I8": 1, "F64": 8, "U32": 4}
FLOATS = (float("nan"), float("inf"), float("-inf"), 3e38, -3e38, 1e20, 1e-45, 0.0, -1.0)
BOMB_BLOCK = 2**26
BOMB_BLOCKS = 64
"""Zeros in a block of a compressed bomb, and blocks: 4 GiB."""


def split(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the header and the data of a model file."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def join(header: Any, data: bytes, random: Random) -> bytes:
    """Return a model file."""
    text = to_json(header, random)
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def mutate_model(content: bytes, other: bytes, random: Random) -> bytes:
    """Apply one or two mutations to a model file; the result is seldom damaged, but wrong inside."""
    for _ in range(random.choice((1, 1, 2))):
        try:
            header, data = split(content)
            if not isinstance(header, dict) or not isinstance(header.get("__metadata__", {}), dict):
                return content
        except (ValueError, RecursionError):
            return content
        content = _mutate_model(content, header, data, other, random)
    return content


def _mutate_model(content: bytes, header: dict[str, Any], data: bytes, other: bytes, random: Random) -> bytes:
    metadata = header.get("__metadata__", {})
    tensors = [name for name in header if name != "__metadata__"]
    name = random.choice(tensors or ["a"])
    entry = header.setdefault(name, {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]})
    match random.randrange(16):
        case 0 | 1 | 2 | 3 | 4 | 5:
            _mutate_metadata(metadata, random)
        case 6 if random.random() < 0.5:
            header["__metadata__"] = mutate_json(metadata, random)
        case 6:
            header[name] = mutate_json(entry, random)
        case 7:
            entry["dtype"] = random.choice(DTYPES)
        case 8:
            header[random.choice((name + "s", name + "//scale", *tensors))] = header.pop(name)
        case 9:
            _resize(header, name, random)
            begin = len(data)
            size = 1
            for length in header[name]["shape"]:
                size *= length
            data += random.randbytes(size * ITEM_BYTES[header[name]["dtype"]])
            header[name]["data_offsets"] = [begin, len(data)]
            data = _compact(header, data)
        case 10 | 11 | 12 | 13:
            begin, end = entry["data_offsets"] if _is_span(entry) else (0, len(data))
            data = data[:begin] + _mutate_data(data[begin:end], random) + data[end:]
        case 14:
            try:
                foreign, foreign_data = split(other)
            except ValueError:
                return content
            if random.random() < 0.5:
                header["__metadata__"] = foreign.get("__metadata__", {})
            else:
                foreign["__metadata__"] = metadata
                header, data = foreign, foreign_data
        case _:
            raw = join(header, data, random)
            if random.random() < 0.3:
                field = Field(0, 8)
                return set_field(raw, field, extreme(random, raw, field))
            return mutate_bytes(raw, other, random)
    return join(header, data, random)


def _mutate_metadata(metadata: dict[str, Any], random: Random) -> None:
    """Change a value of the metadata, within its JSON if it is a table."""
    key = random.choice(("config", "tokenizer") * 4 + ("card", "features", "task", "format", "aliases"))
    try:
        value = json.loads(metadata.get(key, "{}"))
        inner = value.get("model") if isinstance(value, dict) and random.random() < 0.6 else None
        if isinstance(inner, dict):  # the sizes of the network
            value["model"] = mutate_json(inner, random)
        else:
            value = mutate_json(value, random)
    except (ValueError, TypeError, RecursionError):
        value = values(random)
    text = to_json(value, random).decode("utf-8", "surrogatepass")
    metadata[key] = text if random.random() < 0.97 else text[: len(text) // 2]


def _resize(header: dict[str, Any], name: str, random: Random) -> None:
    """Give a tensor another shape and type."""
    shape = [int(length) for length in header[name].get("shape", []) if isinstance(length, int)][:4] or [1]
    place = random.randrange(len(shape))
    match random.randrange(4):
        case 0:
            shape[place] = random.choice((0, 1, 2, 3, 40))
        case 1:
            shape.append(1)
        case 2:
            del shape[place]
        case _:
            shape.reverse()
    dtype = header[name].get("dtype")
    dtype = dtype if dtype in ITEM_BYTES and random.random() < 0.7 else random.choice(list(ITEM_BYTES))
    while len(shape) and abs(_product(shape)) > 100_000:
        shape.pop()
    header[name] = {"dtype": dtype, "shape": [max(0, length) for length in shape]}


def _compact(header: dict[str, Any], data: bytes) -> bytes:
    """Move the tensors together: a file with holes is refused."""
    result = b""
    for name, entry in header.items():
        if name != "__metadata__" and _is_span(entry):
            begin, end = entry["data_offsets"]
            part = data[begin:end]
            entry["data_offsets"] = [len(result), len(result) + len(part)]
            result += part
    return result


def _product(shape: list[int]) -> int:
    result = 1
    for length in shape:
        result *= length
    return result


def _is_span(entry: Any) -> bool:
    span = entry.get("data_offsets") if isinstance(entry, dict) else None
    return (
        isinstance(span, list)
        and len(span) == 2
        and all(isinstance(at, int) and 0 <= at < 2**31 for at in span)
    )


def _mutate_data(data: bytes, random: Random) -> bytes:
    """Overwrite some numbers of a tensor, which keeps its size."""
    if len(data) < 4:
        return data
    values = bytearray(data)
    kind = random.choice(("<f", "<e", "<I", "<q", "bits"))
    for _ in range(random.choice((1, 1, 10, len(data) // 4))):
        if kind == "bits":
            values[random.randrange(len(values))] ^= 1 << random.randrange(8)
            continue
        size = struct.calcsize(kind)
        at = random.randrange(max(1, len(values) // size)) * size
        if at + size > len(values):
            continue
        if kind in ("<I", "<q"):
            struct.pack_into(kind, values, at, random.choice(EXTREMES))
        else:
            number = random.choice(FLOATS)
            struct.pack_into(kind, values, at, number if kind == "<f" or abs(number) < 6e4 else float("inf"))
    return bytes(values)


def mutate_compressed(content: bytes, other: bytes, random: Random) -> bytes:
    """Mutate a compressed model: mostly inside, sometimes the compressed bytes; rarely make it a bomb."""
    chance = random.random()
    if chance < 0.75:
        plain = mutate_model(lzma.decompress(content), lzma.decompress(other), random)
        return lzma.compress(plain, preset=0)
    if chance < 0.98:
        return mutate_bytes(content, other, random)
    return random.choice((content, lzma.compress(_bomb_header()))) + lzma_bomb()


def _bomb_header() -> bytes:
    """Return a header of a tensor with as many bytes as the bomb."""
    header = {
        "__metadata__": {"format": "audioseq/1", "task": '"speech"'}
        | dict.fromkeys(("config", "features", "tokenizer", "card"), "{}"),
        "a": {
            "dtype": "F16",
            "shape": [BOMB_BLOCK * BOMB_BLOCKS // 2],
            "data_offsets": [0, BOMB_BLOCK * BOMB_BLOCKS],
        },
    }
    return join(header, b"", Random(0))


_BOMBS: dict[str, bytes] = {}


def lzma_bomb(character: bytes = b"\0") -> bytes:
    """Return about 600 kB that decompress to 4 GiB."""
    key = character.hex()
    if key not in _BOMBS:
        _BOMBS[key] = lzma.compress(character * BOMB_BLOCK, preset=0)
    return _BOMBS[key] * BOMB_BLOCKS
