"""Model files and training state: round trips, damaged and hostile files, atomic writes."""

from __future__ import annotations

import errno
import json
import lzma
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from torch import Tensor, nn

from audioseq.checkpoint import Header, load, load_state, read_header, save, save_state
from audioseq.errors import CheckpointError, FileError
from audioseq.files import write_atomically
from audioseq.quantisation import dequantise, quantise

HEADER = Header(
    task="speech",
    config={"model": {"size": 3, "cache": None}},
    features={"f_min": 20.0},
    tokenizer={"alphabet": "äöü 'x"},
    card={"data": [{"name": "李", "licence": "CC BY 4.0"}]},
)


def message_of(
    call: Callable[[], object], match: str | None = None, error: type[Exception] = CheckpointError
) -> str:
    """Return the message of the error that a call raises; it must be one line of printable ASCII."""
    with pytest.raises(error, match=match) as caught:
        call()
    message = str(caught.value)
    assert message.isprintable() and message.isascii()
    return message


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def stored(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file, read by safetensors alone."""
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (no mapping)


def equal(weights: dict[str, Tensor], others: dict[str, Tensor]) -> bool:
    return weights.keys() == others.keys() and all(
        weights[name].dtype == others[name].dtype and weights[name].equal(others[name]) for name in weights
    )


# Models


def test_a_saved_model_loads_unchanged(tmp_path: Path) -> None:
    model = nn.Sequential(nn.LSTM(2, 3), nn.BatchNorm1d(3))
    weights = model.state_dict() | {"double": torch.ones(2, dtype=torch.float64), "none": torch.ones(0, 3)}
    save(tmp_path / "a.safetensors", weights, HEADER)
    back = load(tmp_path / "a.safetensors", task="speech")
    assert back.header == read_header(tmp_path / "a.safetensors") == HEADER
    assert equal(back.weights, weights)
    assert names_in(tmp_path) == ["a.safetensors"]


def test_half_precision_halves_the_file_and_loads_as_fp32(tmp_path: Path) -> None:
    weights = {"w": torch.linspace(-3, 3, 5000), "big": torch.tensor([7e4]), "n": torch.tensor([2**40])}
    weights["infinite"] = torch.tensor([float("inf")])
    save(tmp_path / "full", weights, HEADER)
    save(tmp_path / "half", weights, HEADER, precision="fp16")
    assert (tmp_path / "half").stat().st_size < 0.6 * (tmp_path / "full").stat().st_size
    back = load(tmp_path / "half").weights
    assert equal(back, weights | {"w": weights["w"].half().float()})
    assert torch.allclose(back["w"], weights["w"], rtol=2**-11, atol=0)
    assert stored(tmp_path / "half")["w"].dtype == torch.float16
    assert [load(tmp_path / name).precision for name in ("half", "full")] == ["fp16", "fp32"]


def test_int8_quarters_the_file_and_loads_as_fp32(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(40, 3, 500, generator=generator) * torch.rand(40, 1, 1, generator=generator)
    matrix[7] = 0.0
    weights = {"w": matrix, "bias": torch.linspace(-1, 1, 40), "n": torch.arange(9)[None]}
    weights |= {"infinite": torch.full((1, 1), float("inf")), "empty": torch.ones(0, 3), "tied": matrix}
    save(tmp_path / "full", weights, HEADER)
    save(tmp_path / "int8", weights, HEADER, precision="int8")
    assert (tmp_path / "int8").stat().st_size < 0.27 * (tmp_path / "full").stat().st_size
    back = load(tmp_path / "int8")
    largest = matrix.flatten(1).abs().amax(1)[:, None, None]
    assert ((back.weights["w"] - matrix).abs() <= 1.001 * largest / 254).all()
    assert equal({**back.weights, "w": matrix, "tied": matrix}, weights)
    assert back.weights["tied"] is back.weights["w"] and back.precision == "int8"
    assert stored(tmp_path / "int8")["w"].dtype == torch.int8
    # Earlier versions read the format of a header first, and say what to do.
    assert read_header(tmp_path / "int8").format == "audioseq/2"


@given(st.integers(0, 2**32 - 1), st.floats(1e-30, 1e30))
@settings(max_examples=50, deadline=None)
def test_int8_weights_are_stored_again_without_a_change(seed: int, size: float) -> None:
    weight = np.float32(size) * np.random.default_rng(seed).standard_normal((5, 60), np.float32)
    integers, scales = quantise(weight)
    again, scales_again = quantise(dequantise(integers, scales))
    assert np.array_equal(again, integers) and np.array_equal(scales_again, scales)


@pytest.mark.parametrize(
    "scales", [torch.ones(4), torch.ones(()), torch.ones(5, 1), torch.ones(5, dtype=torch.uint32)]
)
def test_scales_that_do_not_match_are_damage(tmp_path: Path, scales: Tensor) -> None:
    save(tmp_path / "a", {"w": torch.ones(5, 3, dtype=torch.int8), "w//scale": scales}, HEADER)
    message_of(lambda: load(tmp_path / "a"), "its scales do not match its weights")
    save(tmp_path / "a", {"w//scale": scales}, HEADER)
    message_of(lambda: load(tmp_path / "a"), "its scales do not match its weights")


def test_a_compressed_file_loads_like_a_plain_one(tmp_path: Path) -> None:
    weights = {"w": torch.arange(5000) % 7, "v": torch.linspace(0, 1, 9)}
    for name in ("a", "a.xz"):
        save(tmp_path / name, weights, HEADER)
        back = load(tmp_path / name)
        assert back.header == read_header(tmp_path / name) == HEADER
        assert equal(back.weights, weights) and back.precision == "fp32"
    assert lzma.decompress((tmp_path / "a.xz").read_bytes()) == (tmp_path / "a").read_bytes()
    assert (tmp_path / "a.xz").stat().st_size < 0.1 * (tmp_path / "a").stat().st_size


def test_equal_models_give_equal_files(tmp_path: Path) -> None:
    """The order of the metadata that safetensors writes differs between processes."""
    for name in "ab":
        save(tmp_path / name, {"w": torch.ones(3), "v": torch.ones(2).half()}, HEADER)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    size = struct.unpack("<Q", (tmp_path / "a").read_bytes()[:8])[0]
    assert size % 8 == 0  # tensors stay aligned
    head = json.loads((tmp_path / "a").read_bytes()[8 : 8 + size])
    assert list(head) == sorted(head) and list(head["__metadata__"]) == sorted(head["__metadata__"])


def test_tied_weights_are_stored_once(tmp_path: Path) -> None:
    embedding, head = nn.Embedding(50, 20), nn.Linear(20, 50)
    head.weight = embedding.weight
    weights = {"embedding": embedding.weight, "head": head.weight, "bias": head.bias}
    save(tmp_path / "a", weights, HEADER)
    assert set(stored(tmp_path / "a")) == {"embedding", "bias"}
    back = load(tmp_path / "a").weights
    assert equal(back, {name: weight.detach() for name, weight in weights.items()})
    assert back["head"] is back["embedding"]


def test_views_of_one_buffer_are_stored_separately(tmp_path: Path) -> None:
    """cuDNN keeps the weights of a layer as views of one buffer; views may also overlap or be transposed."""
    flat = torch.arange(12.0)
    weights = {"a": flat[:6].view(2, 3), "b": flat[6:], "overlap": flat[3:9], "turned": flat.view(3, 4).t()}
    weights |= {"first": flat[:2], "same start": flat[:3], "same start, turned": flat[:6].view(2, 3).t()}
    save(tmp_path / "a", weights, HEADER)
    assert equal(stored(tmp_path / "a"), weights)
    assert equal(load(tmp_path / "a").weights, weights)


def test_loaded_weights_do_not_depend_on_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    save(path, {"w": torch.ones(3000)}, HEADER)
    weights = load(path).weights
    with open(path, "r+b") as file:
        file.seek(-4000, os.SEEK_END)
        file.write(bytes(4000))
    assert weights["w"].eq(1).all()


def test_a_header_is_read_without_torch(tmp_path: Path) -> None:
    save(tmp_path / "a", {"w": torch.ones(3)}, HEADER)
    code = (
        "import sys; from audioseq.checkpoint import read_header; print(read_header(sys.argv[1]).task, "
        "*{'torch', 'numpy'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["speech"]


def test_the_golden_file_loads() -> None:
    """Format 1 must stay readable; see make_golden.py."""
    back = load(Path(__file__).parent / "data" / "golden-1.safetensors", task="speech")
    assert back.header == Header(
        task="speech",
        config={"model": {"cell": "lstm", "channels": [2, 3], "cache": None}},
        features={"n_mels": 80, "f_min": 20.0},
        tokenizer={"alphabet": " abcdefghijklmnopqrstuvwxyz'"},
        card={"data": [{"name": "Müller & 李", "licence": "CC BY 4.0"}], "wer": 0.5},
        format="audioseq/1",
    )
    embedding = torch.arange(12.0).reshape(4, 3) / 4
    assert equal(
        back.weights,
        {
            "embedding.weight": embedding,
            "head.weight": embedding,
            "layer.bias": torch.tensor([-1.5, 0.0, 65504.0]),
            "mean": torch.tensor([1e6]),
            "steps": torch.tensor(7),
        },
    )


# Damaged and hostile model files

METADATA = {"format": "audioseq/1", "task": '"speech"', "config": "{}", "features": "{}", "tokenizer": "{}"}
METADATA["card"] = "{}"
ONE = {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}


def crafted(tensors: object = ONE, body: bytes = bytes(4), **metadata: object) -> bytes:
    """Return a model file with the given entries; a metadata entry that is None is omitted."""
    entries = {name: value for name, value in {**METADATA, **metadata}.items() if value is not None}
    head = {"__metadata__": entries, **tensors} if isinstance(tensors, dict) else tensors
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + body


def test_an_unmodified_crafted_file_is_valid(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(crafted())
    assert load(tmp_path / "a", task="speech").weights == {"w": torch.zeros(1)}


def entry(dtype: str, shape: list[int], size: int) -> dict[str, Any]:
    return {"w": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}


class Exploit:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("exploited",)


DEEP = "[" * 200_000
ANY_READER = {
    "empty": b"",
    "short": b"\x08\0\0",
    "text": b"this is not a model, but a text file renamed to .safetensors\n",
    "zeros": bytes(1000),
    "pickle": pickle.dumps(Exploit(), protocol=2),
    "zip": b"PK\x03\x04" + bytes(100),
    "huge header": struct.pack("<Q", 2**63) + b"{}",
    "header beyond the end": struct.pack("<Q", 2**20) + b'{"__metadata__": {}}',
    "header of 1 GB announced": struct.pack("<Q", 2**30) + b"{}" * 100,
    "not JSON": struct.pack("<Q", 9) + b"{nothing}",
    "not UTF-8": struct.pack("<Q", 4) + b'"\xff" ',
    "deep JSON": struct.pack("<Q", len(DEEP)) + DEEP.encode(),
    "a list": crafted([1, 2]),
    "a number": crafted(3),
    "a number of 5000 digits": struct.pack("<Q", 5000) + b"9" * 5000,
    "metadata a list": crafted({"__metadata__": [1]}),
    "metadata of numbers": crafted(config=3),
    "no metadata": crafted({"__metadata__": {}}, b""),
    "safetensors of another program": crafted(format="pt"),
    "no task": crafted(task=None),
    "task a number": crafted(task="3"),
    "a task that colours the terminal": crafted(task=json.dumps("\x1b[31mmusic\n")),
    "a format that colours the terminal": crafted(format="\x1b[31m\n\ud800"),
    "config not JSON": crafted(config="{nothing"),
    "config a list": crafted(config="[]"),
    "config deep": crafted(config='{"a":' + DEEP),
    "card missing": crafted(card=None),
}
LOAD_ONLY = {
    "cut off": crafted(body=bytes(3)),
    "trailing bytes": crafted(body=bytes(5)),
    "offsets backward": crafted({"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}),
    "offsets beyond": crafted(entry("F32", [2**40], 2**42)),
    "offsets overlap": crafted({**ONE, "v": ONE["w"]}),
    "a hole": crafted({"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, bytes(8)),
    "a shape of another size": crafted(entry("F32", [2], 4)),
    "a shape that overflows": crafted(entry("F32", [2**62, 2**62], 4)),
    "a shape that overflows, empty": crafted(entry("F32", [0, 2**63], 0), b""),
    "a negative shape": crafted(entry("F32", [-1], 4)),
    "an unknown dtype": crafted(entry("OBJECT", [1], 4)),
    "a dtype that torch lacks": crafted(entry("F6_E2M3", [8], 6), bytes(6)),
    "tied a list": crafted(aliases="[1]"),
    "tied to a list": crafted(aliases='{"v": ["w"]}'),
    "tied to nothing": crafted(aliases='{"v": "x"}'),
    "tied in a circle": crafted(aliases='{"v": "u", "u": "v"}'),
    "tied deep": crafted(aliases=DEEP),
}


@pytest.mark.parametrize("reader", [load, read_header], ids=["load", "read_header"])
@pytest.mark.parametrize("content", ANY_READER.values(), ids=ANY_READER.keys())
def test_damaged_and_hostile_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, reader: Callable[[Path], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    assert message_of(lambda: reader(path)).startswith(f"{path}: ")
    assert names_in(tmp_path) == ["a.safetensors"]


@pytest.mark.parametrize("content", LOAD_ONLY.values(), ids=LOAD_ONLY.keys())
def test_damaged_and_hostile_tensors(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    message_of(lambda: load(path), "is damaged or not a model file")


@pytest.mark.parametrize("name", ["a.safetensors", "a.safetensors.xz"])
def test_truncated_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    save(path, {"w": torch.ones(5, 3), "v": torch.zeros(4).half()}, HEADER)
    content = path.read_bytes()
    for size in range(0, len(content), 7):
        path.write_bytes(content[:size])
        message_of(lambda: load(path), "is damaged or not a model file")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 10**4), st.sampled_from(b'\0\xff09{}[]",:-e')), min_size=1, max_size=5)
)
def test_files_with_changed_bytes(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.safetensors"
    save(path, {"w": torch.ones(2)}, HEADER)
    content = bytearray(path.read_bytes())
    for place, byte in changes:
        content[place % len(content)] = byte
    path.write_bytes(content)
    try:
        load(path)
    except CheckpointError as error:
        assert str(error).isprintable()


def test_a_model_for_another_task(tmp_path: Path) -> None:
    save(tmp_path / "a", {}, Header("music"))
    assert load(tmp_path / "a").header.task == "music"
    message_of(lambda: load(tmp_path / "a", task="speech"), "is a model for music, not for speech")


def test_a_newer_format(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(crafted(format="audioseq/3"))
    readers: list[Callable[[Path], object]] = [load, read_header]
    for reader in readers:
        message_of(partial(reader, tmp_path / "a"), "'audioseq/3', not 'audioseq/1'; upgrade")


def test_missing_files(tmp_path: Path) -> None:
    readers: list[Callable[[Path], object]] = [load, read_header, load_state]
    for reader in readers:
        for path in tmp_path / "none", tmp_path:
            message_of(partial(reader, path), "cannot be read")


# Training state


def test_saved_training_state_loads_unchanged(tmp_path: Path) -> None:
    moments = {"step": torch.tensor(3.0), "exp_avg": torch.randn(2, 3)}
    state = {
        "optimizer": {"state": {0: moments}, "param_groups": [{"betas": (0.9, 0.98), "params": [0]}]},
        "random": torch.get_rng_state(),
        "progress": {"epoch": 3, "best": {"wer": 0.5}, "snapshots": [1, 2], "name": "ä"},
    }
    save_state(tmp_path / "state.pt", state)
    back = load_state(tmp_path / "state.pt")
    assert equal(back["optimizer"]["state"].pop(0), moments)
    assert back.pop("random").equal(torch.get_rng_state())
    assert back["optimizer"]["param_groups"] == [{"betas": (0.9, 0.98), "params": [0]}]
    assert back["progress"] == state["progress"]


def test_damaged_and_hostile_training_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "state.pt"
    save_state(path, {"a": torch.ones(30), "b": 1})
    content = path.read_bytes()
    hostile = [content[:size] for size in range(0, len(content), 53)]
    hostile += [b"hello\n", b"\x80\x02.", b"\x80\xa4.", pickle.dumps({"a": 1}), pickle.dumps(Exploit())]
    start = content.index(b"\x80\x02")  # the pickle, ended too early
    hostile.append(content[:start] + b"\x80\x02." + content[start + 3 :])
    for damaged in hostile:
        path.write_bytes(damaged)
        message_of(lambda: load_state(path), "is damaged or not a model file")
    for value in [1, 2], Exploit():
        torch.save(value, path)
        message_of(lambda: load_state(path), "is damaged or not a model file")
    assert names_in(tmp_path) == ["state.pt"]


# Writing


def failing(error: BaseException) -> Callable[[BinaryIO], None]:
    def write(file: BinaryIO) -> None:
        file.write(b"one half")
        raise error

    return write


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("error", [FULL, ValueError("a bug"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("before", [b"before", None])
def test_a_failed_write_leaves_the_file_unchanged(
    tmp_path: Path, error: BaseException, before: bytes | None
) -> None:
    path = tmp_path / "a"
    if before is not None:
        path.write_bytes(before)
    kind = FileError if isinstance(error, OSError) else type(error)
    with pytest.raises(kind):
        write_atomically(path, failing(error))
    assert names_in(tmp_path) == (["a"] if before else [])
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_noticed_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Some file systems report a full disk only when the data is flushed."""
    path = tmp_path / "a"
    save(path, {"w": torch.ones(3)}, HEADER)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise FULL

    monkeypatch.setattr(os, step, fail)
    message = message_of(
        lambda: save(path, {"w": torch.zeros(3)}, HEADER), "No space left on device", FileError
    )
    assert message.endswith("free some space")
    assert names_in(tmp_path) == ["a"] and path.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not limit file sizes")
def test_a_full_disk(tmp_path: Path) -> None:
    """The system limits the size of the files that this process may write."""
    import resource

    model, state, large = tmp_path / "a.safetensors", tmp_path / "state.pt", {"w": torch.zeros(100_000)}
    save(model, {"w": torch.ones(3)}, HEADER)
    save_state(state, {"w": torch.ones(3)})
    before = model.read_bytes(), state.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        writers: list[Callable[[], None]] = [
            partial(save, model, large, HEADER),
            partial(save_state, state, large),
        ]
        messages = [message_of(write, error=FileError) for write in writers]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert messages == [
        f"{path}: cannot be written (File too large); free some space" for path in (model, state)
    ]
    assert (model.read_bytes(), state.read_bytes()) == before
    assert names_in(tmp_path) == ["a.safetensors", "state.pt"]


def test_an_unwritable_folder(tmp_path: Path) -> None:
    """Root may write to any folder, so the folder is below a file or missing."""
    (tmp_path / "file").write_bytes(b"")
    for path in tmp_path / "file" / "a", tmp_path / "none" / "a":
        writers: list[Callable[[], None]] = [partial(save, path, {}, HEADER), partial(save_state, path, {})]
        for write in writers:
            message = message_of(write, "cannot be written", FileError)
            assert message.startswith(f"{path}: ") and "check that the folder exists" in message
    assert names_in(tmp_path) == ["file"]


def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    paths = [tmp_path / "folder", *(path for path in [Path("/dev/null"), Path("/dev/full")] if path.exists())]
    for path in paths:
        message_of(
            partial(write_atomically, path, lambda file: file.write(b"x")), "is not a regular file", FileError
        )
        assert path.exists() and not path.is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege on Windows")
def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a").write_bytes(b"before")
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "a")
    write_atomically(tmp_path / "link", lambda file: file.write(b"after"))
    assert (tmp_path / "link").is_symlink() and (tmp_path / "disk" / "a").read_bytes() == b"after"
    assert names_in(tmp_path / "disk") == ["a"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_a_new_file_has_the_default_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "a", lambda file: file.write(b"x"))
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode
