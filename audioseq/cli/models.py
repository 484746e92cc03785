"""`audioseq models`: list, show, fetch and export models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from audioseq.cli.common import Force, ModelArgument, log, print_result
from audioseq.cli.paths import refuse_to_overwrite
from audioseq.errors import AudioseqError, CheckpointError, DataError
from audioseq.files import write_bytes

if TYPE_CHECKING:
    from torch import Tensor

    from audioseq.checkpoint import Checkpoint

app = typer.Typer(help="List, show, fetch and export models.", no_args_is_help=True, rich_markup_mode=None)

MAX_LIST_LENGTH = 60
"""Number of values of the longest list that `show` prints."""


@app.command("list")
def list_models() -> None:
    """List the named models.

    Prints one line per model: name, task, path and description, separated by tabs.
    """
    from audioseq import models

    for model in models.CATALOGUE:
        try:
            location = str(models.resolve(model.name))
        except AudioseqError:
            location = "not installed"
        print_result(f"{model.name}\t{model.task}\t{location}\t{model.summary}")


@app.command()
def show(model: ModelArgument) -> None:
    """Print the header of a model file as JSON.

    The header has the configuration and the model card: training data, licences, results and limits. Long
    lists are replaced by their length.
    """
    from audioseq import checkpoint, models

    path = models.resolve(model)
    header = _shorten(asdict(checkpoint.read_header(path)))
    print_result(
        json.dumps({"path": str(path), "bytes": path.stat().st_size, **header}, indent=2, ensure_ascii=False)
    )


@app.command()
def fetch(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of a model (see `audioseq models list`).")
    ],
) -> None:
    """Download a model to the cache.

    Verifies the checksum and prints the path of the file.
    """
    from audioseq import models

    print_result(str(models.fetch(name)))


@app.command()
def export(
    model: ModelArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Output file.")],
    results: Annotated[
        Path | None, typer.Option(metavar="JSON", help="File of results to add to the model card.")
    ] = None,
    form: Annotated[
        Literal["safetensors", "onnx", "onnx-stream"],
        typer.Option(
            "--format",
            help="A model file, or the ONNX graph of a speech model: of whole recordings, or of the windows "
            "of a stream, with states as inputs and outputs, for other programs.",
        ),
    ] = "safetensors",
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Store matrices as 8-bit integers, and multiply them in an ONNX graph.",
        ),
    ] = False,
    force: Force = False,
) -> None:
    """Write a model with small weights, or as an ONNX graph.

    The weights of a model file are stored as fp16, or with `--int8` as 8-bit integers with a scale for each
    row. An ONNX graph computes log-probabilities from waveforms, in fp32 or with `--int8` in integers, which
    is faster. It runs without torch, in audioseq or other programs. Prints the path of the file.

    \b
    audioseq models export runs/mine/best.safetensors -o mine.safetensors
    audioseq models export english-small --format onnx --int8 -o english.onnx
    audioseq transcribe talk.wav -m english.onnx
    """
    from audioseq import checkpoint, models

    refuse_to_overwrite(output, force)
    if checkpoint.is_onnx(output) != form.startswith("onnx"):
        raise typer.BadParameter(f"{output}: the suffix .onnx is for --format onnx", param_hint="-o")
    if form == "onnx-stream" and int8:
        raise typer.BadParameter("does not go with --format onnx-stream", param_hint="--int8")
    stored = checkpoint.load(models.resolve(model))
    card = stored.header.card
    if results is not None:
        try:
            card = {**card, "results": json.loads(results.read_text(encoding="utf-8"))}
        except (OSError, ValueError) as error:
            raise DataError(f"{results}: cannot be read as JSON ({error})") from None
    header = replace(stored.header, card=card)
    if form != "safetensors":
        _export_onnx(replace(stored, header=header), output, int8, stream=form == "onnx-stream")
        return
    checkpoint.save(output, stored.weights, header, precision="int8" if int8 else "fp16")
    if int8:
        rounding = _rounding_error(stored.weights, checkpoint.load(output).weights)
        log(f"mean rounding error: {100 * rounding:.2f} % of the mean absolute weight")
    print_result(str(output))


def _export_onnx(stored: Checkpoint, output: Path, int8: bool, stream: bool) -> None:
    """Write an ONNX graph of a speech model, and print its path."""
    from audioseq.config import parse
    from audioseq.speech.config import SpeechConfig
    from audioseq.speech.emissions import to_onnx

    if stored.header.task != "speech":
        raise CheckpointError(
            f"{stored.path}: is a model for {stored.header.task}, which has no ONNX form; name a speech model"
        )
    config = parse(SpeechConfig, stored.header.config, f"the config in {stored.path}")
    write_bytes(output, to_onnx(config, stored, int8=int8, stream=stream))
    print_result(str(output))


def _rounding_error(weights: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> float:
    """Return the mean absolute difference of weights, relative to their mean absolute value."""
    floats = [name for name, weight in weights.items() if weight.is_floating_point()]
    errors = sum(float((stored[name] - weights[name]).abs().sum()) for name in floats)
    return errors / max(sum(float(weights[name].abs().sum()) for name in floats), 1e-30)


def _shorten(value: Any) -> Any:
    """Replace each long list by the number of its values."""
    if isinstance(value, dict):
        return {key: _shorten(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shorten(item) for item in value] if len(value) <= MAX_LIST_LENGTH else f"{len(value)} values"
    return value
