"""Mutations of bytes, of lines of text and of JSON values, the same for all formats.

A mutation gets the content of a file, that of another file of its kind, and a random generator. It need not
change anything, and its result need not be valid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any, Literal, NamedTuple

Mutation = Callable[[bytes, bytes, Random], bytes]

EXTREMES = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Values of a number in a file; also used are their negatives, and the largest values of 64 bits."""
MAX_PARTS = 300
"""Parts and fields of a file that are considered."""
MAX_BYTES = 2**19
"""Mutated files are cut to this size, so that a case takes a fraction of a second."""
DEPTHS = (200, 100_000)
"""Depths of nested values, also beyond the limit of recursive parsers."""
_DEEP = "@deep@"
"""Stands for a deeply nested list, which `json` cannot write."""


class Field(NamedTuple):
    """A number in a file."""

    at: int
    size: int
    """Bytes."""
    order: Literal["little", "big"] = "little"


class Layout(NamedTuple):
    """The structure of a file, as far as it could be parsed."""

    fields: list[Field]
    cuts: list[int]
    """Starts of its parts, such as chunks, in ascending order."""


def mutate(content: bytes, other: bytes, random: Random, layout: Callable[[bytes], Layout]) -> bytes:
    """Apply one to four mutations; half of them change a field or a part of the layout."""
    for _ in range(random.choice((1, 1, 2, 4))):
        if random.random() < 0.5:
            content = mutate_layout(content, other, random, layout)
        else:
            content = mutate_bytes(content, other, random)
    return content[:MAX_BYTES]


def mutate_layout(content: bytes, other: bytes, random: Random, layout: Callable[[bytes], Layout]) -> bytes:
    """Change a field to an extreme value; or delete, repeat, move or replace a part."""
    fields, cuts = layout(content)
    if fields and random.random() < 0.6:
        field = random.choice(fields[:MAX_PARTS])
        return set_field(content, field, extreme(random, content, field))
    cuts = sorted({0, *cuts[:MAX_PARTS], len(content)})
    parts = [content[start:end] for start, end in pairwise(cuts)]
    if not parts:
        return content
    place = random.randrange(len(parts))
    match random.randrange(6):
        case 0:
            del parts[place]
        case 1:
            parts[place:place] = parts[place : place + random.randint(1, 3)] * random.choice((1, 2, 50))
        case 2:
            parts.insert(random.randrange(len(parts)), parts.pop(place))
        case 3:
            foreign = sorted({0, *layout(other).cuts[:MAX_PARTS], len(other)})
            start = random.randrange(len(foreign))
            parts[place] = other[foreign[start] : foreign[min(start + 1, len(foreign) - 1)]]
        case 4:
            del parts[place + 1 :]
            parts[place] = parts[place][: random.randint(0, len(parts[place]))]
        case _:
            parts[place] = mutate_bytes(parts[place], other, random)
    return b"".join(parts)


def extreme(random: Random, content: bytes, field: Field) -> int:
    """Return a value for a field: extreme, random, or close to the present one."""
    if random.random() < 0.25:
        present = int.from_bytes(content[field.at : field.at + field.size], field.order)
        return present + random.choice((-1, 1, 2, -8, 1000))
    if random.random() < 0.2:
        return random.getrandbits(8 * field.size)
    return random.choice((*EXTREMES, *(-value for value in EXTREMES), 2**62, 2**63 - 1, 2**63, 2**64 - 1))


def set_field(content: bytes, field: Field, value: int) -> bytes:
    """Return the content with another value of a field."""
    value %= 1 << 8 * field.size
    end = field.at + field.size
    return content[: field.at] + value.to_bytes(field.size, field.order) + content[end:]


def mutate_bytes(content: bytes, other: bytes, random: Random) -> bytes:
    """Flip bits, overwrite, delete, repeat, move or insert bytes, truncate, or splice with another file."""
    data = bytearray(content)
    at = random.randint(0, len(data))
    size = random.choice((1, 2, 4, 16, 64, 512, max(1, len(data) // 4)))
    match random.randrange(11):
        case 0:
            for _ in range(random.choice((1, 2, 8, 64))):
                if data:
                    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        case 1:
            data[at : at + size] = random.randbytes(size)
        case 2:
            data[at : at + size] = bytes((random.choice((0, 0xFF, 0x7F, 0x80, 0x20)),)) * size
        case 3:
            del data[at : at + size]
        case 4:
            data[at:at] = bytes(data[at : at + size]) * random.choice((1, 2, 30))
        case 5:
            block = data[at : at + size]
            del data[at : at + size]
            place = random.randint(0, len(data))
            data[place:place] = block
        case 6:
            data[at:at] = random.choice((bytes(size), random.randbytes(size), other[:size]))
        case 7:
            del data[at:]
        case 8:
            width = random.choice((1, 2, 4, 8))
            field = Field(at, width, random.choice(("little", "big")))
            return set_field(content, field, extreme(random, content, field))
        case 9:
            data[at:] = other[random.randint(0, len(other)) :]
        case _:
            data += random.choice((other, bytes(size), content))
    return bytes(data)


NUMBERS = (
    "0", "-0", "-1", "1", "255", "65536", "2147483648", "4294967296", "9223372036854775808", "-99", "1e308",
    "-1e308", "1e-320", "1e999", "nan", "inf", "-inf", "NaN", "Infinity", "0x10", "1_000", "٣", "1" * 400,
    "9" * 5000, "",
)  # fmt: skip
"""Texts in place of a number."""
WORDS = (
    "", "\0", "\t", "\r", "\x1b[31m", "\x85", "\u2028", "\ufeff", "\u202e", "\xad", "e\u0301",
    "e" + "\u0301" * 500, "😀", "'", '"', "\\", "[", "]", "{", "}", "#", "=", "(2)", "<s>", "</s>", "<unk>",
    "<blank>", "%s", "{0}",
    "../..", "/dev/null", "a" * 5000, "nan", "true", "null", "-", "--help", "İ", "ß", "ﬁ",
)  # fmt: skip
"""Texts in place of a word."""
RAW = (b"\xff", b"\xfe\xff", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\x00", b"\xe9", b"\x80")
"""Bytes that are not UTF-8, or a null."""


def mutate_text(content: bytes, other: bytes, random: Random) -> bytes:
    """Apply one to four mutations of lines, numbers, words, bytes and the encoding."""
    for _ in range(random.choice((1, 1, 2, 4))):
        content = _mutate_text(content, other, random)
    return content[:MAX_BYTES]


def _mutate_text(content: bytes, other: bytes, random: Random) -> bytes:
    lines = content.split(b"\n")
    place = random.randrange(len(lines))
    match random.randrange(10):
        case 0:
            del lines[place]
        case 1:
            lines[place:place] = lines[place : place + random.randint(1, 4)] * random.choice((1, 2, 300))
        case 2:
            lines.insert(random.randrange(len(lines)), lines.pop(place))
        case 3:
            lines[place] = random.choice(other.split(b"\n"))
        case 4 | 5:
            return _replace_one(content, rb"-?\d+(?:\.\d+)?", random.choice(NUMBERS), random)
        case 6 | 7:
            return _replace_one(content, rb"[^\s\"=:,]+", random.choice(WORDS), random)
        case 8:
            at = random.randint(0, len(content))
            return content[:at] + random.choice(RAW) + content[at:]
        case _:
            return _reencode(content, other, random)
    return b"\n".join(lines)


def _reencode(content: bytes, other: bytes, random: Random) -> bytes:
    text = content.decode("utf-8", "replace")
    match random.randrange(8):
        case 0:
            return text.encode(random.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig")))
        case 1:
            return content.replace(b"\n", random.choice((b"\r\n", b"\r", b"", b"\x85", b"\x00", b"\n\n")))
        case 2:
            return content.replace(b" ", random.choice((b"\t", b"\xc2\xa0", b"\xe3\x80\x80", b"", b"  ")))
        case 3:
            return text.upper().encode()
        case 4:
            return content.replace(b"\n", b" ") * random.choice((1, 20))
        case 5:
            return b""
        case _:
            return mutate_bytes(content, other, random)


def _replace_one(content: bytes, pattern: bytes, text: str, random: Random) -> bytes:
    """Replace one match of a pattern."""
    found = list(re.finditer(pattern, content))
    if not found:
        return content
    start, end = random.choice(found).span()
    return content[:start] + text.encode() + content[end:]


def values(random: Random) -> Any:
    """Return a JSON value in place of another: of another type, extreme, long, nested, or not text."""
    return random.choice(
        (
            None, True, False, 0, -1, 1, 2, 7, 1000, 2**31, 2**63, 2**64, -(2**70), 10**400, 0.5, -0.0, 1e308,
            float("nan"), float("inf"), float("-inf"), "", "a", "1", "\0", "\ud800", "\udce9", "a\nb", "😀",
            "x" * 10_000, [], {}, [[]], [None], [1, "a"], {"a": 1}, {"": {}}, [0] * 1000, [1e308, 1e308],
            _DEEP,
        )
    )  # fmt: skip


def mutate_json(value: Any, random: Random) -> Any:
    """Return a JSON value in which one or several parts are replaced, deleted, renamed or repeated."""
    holder = [json.loads(json.dumps(value))]
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        inside: Any = holder
        key: Any = 0
        while isinstance(inside[key], dict | list) and inside[key] and random.random() < 0.93:
            inside = inside[key]
            key = random.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
        match random.randrange(6):
            case 0 if isinstance(inside, dict):
                del inside[key]
            case 1 if isinstance(inside, dict):
                inside[random.choice(("", "a", key + "s", *inside))] = inside.pop(key)
            case 2 if isinstance(inside, list) and inside is not holder:
                inside += inside[key : key + 1] * random.choice((1, 100))
            case 3 if isinstance(inside, list) and inside is not holder:
                del inside[key]
                if not inside:
                    break
            case _:
                inside[key] = values(random)
        if isinstance(inside, dict) and not inside:
            break
    return holder[0]


def to_json(value: Any, random: Random) -> bytes:
    """Write a value of `mutate_json` as JSON."""
    text = json.dumps(value, ensure_ascii=random.random() < 0.8)
    depth = random.choice(DEPTHS)
    text = text.replace(f'"{_DEEP}"', "[" * depth + "]" * depth)
    return text.encode("utf-8", random.choice(("backslashreplace", "surrogatepass")))
