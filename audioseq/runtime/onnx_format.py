"""Write ONNX files: the wire format of protocol buffers, for the few messages that a graph needs.

The `onnx` package reads and checks these files in the tests. It is not used to write them, because its import
takes longer than all the rest. Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

IR_VERSION, OPSET, MICROSOFT_OPSET = 8, 18, 1
MICROSOFT = "com.microsoft"
"""Domain of the operators of ONNX Runtime."""
DATA_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "bool": 9}

MAX_TEXT_BYTES = 16 * 2**20
"""A file that announces a longer text is damaged or hostile."""

_VARINT, _BYTES, _FLOAT = 0, 2, 5
"""Wire types: an integer of variable length, bytes preceded by their number, and 4 bytes."""

Attribute = int | float | str | Sequence[int] | Sequence[str]


def node(
    operator: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    domain: str,
    attributes: Mapping[str, Attribute],
) -> bytes:
    """Return a NodeProto: the application of an operator to named values; an input that is left out is ''."""
    return b"".join(
        [
            *(_text(1, name) for name in inputs),
            *(_text(2, name) for name in outputs),
            _text(3, outputs[0]),
            _text(4, operator),
            *(_message(5, _attribute(name, value)) for name, value in attributes.items()),
            _text(7, domain),
        ]
    )


def tensor(name: str, array: NDArray[Any]) -> bytes:
    """Return a TensorProto: a named constant."""
    dims = b"".join(_integer(1, size) for size in array.shape)
    data = np.ascontiguousarray(array).tobytes()  # little-endian, as on all supported processors
    return dims + _integer(2, DATA_TYPES[array.dtype.name]) + _text(8, name) + _message(9, data)


def value_info(name: str, dtype: str, dims: Sequence[int | str]) -> bytes:
    """Return a ValueInfoProto: the type and the shape of an input or output; a string is a variable size."""
    sizes = (_integer(1, dim) if isinstance(dim, int) else _text(2, dim) for dim in dims)
    shape = b"".join(_message(1, size) for size in sizes)
    tensor_type = _integer(1, DATA_TYPES[dtype]) + _message(2, shape)
    return _text(1, name) + _message(2, _message(1, tensor_type))


def model(
    nodes: Sequence[bytes],
    constants: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    metadata: Mapping[str, str],
) -> bytes:
    """Return a ModelProto, the content of an ONNX file.

    Args:
        nodes: from `node`, each after those whose outputs it reads.
        constants: from `tensor`.
        inputs, outputs: of the graph, from `value_info`.
        metadata: texts by name.
    """
    fields = {1: nodes, 5: constants, 11: inputs, 12: outputs}
    parts = [_text(2, "main")]
    for field, messages in fields.items():
        for content in messages:
            parts += [_key(field, _BYTES), _varint(len(content)), content]
    opsets = [
        _text(1, name) + _integer(2, version) for name, version in (("", OPSET), (MICROSOFT, MICROSOFT_OPSET))
    ]
    head = [
        PREFIX,
        *(_message(14, _text(1, name) + _text(2, value)) for name, value in metadata.items()),
        *(_message(8, opset) for opset in opsets),
    ]
    size = sum(map(len, parts))
    return b"".join([*head, _key(7, _BYTES), _varint(size), *parts])


def read_metadata(file: BinaryIO) -> dict[str, str] | None:
    """Read the named texts of a file that `model` wrote; None for a file of another program.

    Raises:
        ValueError: the file is damaged.
    """
    if file.read(len(PREFIX)) != PREFIX:
        return None
    metadata: dict[str, str] = {}
    while (key := file.read(1)) == _key(14, _BYTES):
        entry = io.BytesIO(_read_bytes(file))
        texts = []
        for field in (1, 2):
            if entry.read(1) != _key(field, _BYTES):
                raise ValueError("its metadata is not a table of strings")
            texts.append(_read_bytes(entry).decode())
        metadata[texts[0]] = texts[1]
    if key != _key(8, _BYTES):  # the versions of the operators, which follow
        raise ValueError("it is truncated")
    return metadata


def _read_bytes(file: BinaryIO) -> bytes:
    """Read bytes preceded by their number."""
    size = shift = 0
    while True:
        byte = file.read(1)
        if not byte or shift > 28:
            raise ValueError("a length is missing")
        size |= (byte[0] & 127) << shift
        shift += 7
        if byte[0] < 128:
            break
    content = file.read(size) if size <= MAX_TEXT_BYTES else b""
    if len(content) != size:
        raise ValueError("it is truncated")
    return content


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, int):
        content, kind = _integer(3, value), 2
    elif isinstance(value, float):
        content, kind = _key(2, _FLOAT) + struct.pack("<f", value), 1
    elif isinstance(value, str):
        content, kind = _text(4, value), 3
    elif isinstance(value[0], int):
        content, kind = b"".join(_integer(8, item) for item in _integers(value)), 7
    else:
        content, kind = b"".join(_text(9, str(item)) for item in value), 8
    return _text(1, name) + content + _integer(20, kind)


def _integers(values: Sequence[Any]) -> Iterator[int]:
    return map(int, values)


def _integer(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())


def _message(field: int, content: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(content)) + content


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _varint(value: int) -> bytes:
    """Encode 7 bits at a time, the lowest first; a negative number as its 64-bit two's complement."""
    value &= (1 << 64) - 1
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


PREFIX = _integer(1, IR_VERSION) + _text(2, "audioseq")
"""First bytes of each file: the version of the format, and the name of the program."""
