"""`audioseq train`: a recipe, or one's own recordings or MIDI files, to a model file."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from audioseq.cli.common import Device, put
from audioseq.errors import ConfigError

TASKS = {
    "speech": "audioseq.speech.task",
    "music": "audioseq.music.task",
    "harmony": "audioseq.music.harmony.task",
    "language": "audioseq.language.task",
}
"""What can be trained, and the module that does it."""


def train(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG|DATA",
            help="A recipe's config.toml, or data: a manifest (.jsonl), or a folder of MIDI files.",
        ),
    ],
    start_from: Annotated[
        str | None, typer.Option("--from", metavar="MODEL", help="Start from this model: a name or a path.")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the config; repeatable."),
    ] = None,
    valid: Annotated[
        Path | None, typer.Option(metavar="MANIFEST", help="With a manifest: what to validate on.")
    ] = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where models and metrics go; runs/<name of the source> unless given."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the run directory.")
    ] = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Apply the [smoke] table: a run of seconds.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Train a model and print the path of the best.

    A recipe is trained as its config says; with data of your own, --from MODEL adapts a model to it.

    Several processes or machines: torchrun --nproc-per-node 2 -m audioseq train CONFIG
    """
    result = import_module(TASKS[_task(source)]).train(
        source,
        overrides=assignments or [],
        start_from=start_from,
        run_dir=run_dir or Path("runs") / _name(source),
        resume=resume,
        smoke=smoke,
        valid=valid,
        device=device,
    )
    if os.environ.get("RANK", "0") == "0":  # under torchrun every process comes here
        put(str(result.best))


def _task(source: Path) -> str:
    """Return what a recipe or a manifest is for."""
    if source.suffix == ".toml":
        from audioseq.config import read_toml

        task = read_toml(source).get("task", "speech")
        if task not in TASKS:
            raise ConfigError(f"{source}: task is {task!r}, but must be one of {', '.join(TASKS)}")
        return str(task)
    if source.is_dir():
        return "music"
    try:
        with source.open(encoding="utf-8-sig", errors="replace") as lines:
            return "music" if "midi_filepath" in lines.readline() else "speech"
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read ({error.strerror}); check the path") from None


def _name(source: Path) -> str:
    """Return what a run is called after: the folder of a recipe, or the manifest."""
    return source.absolute().parent.name if source.suffix == ".toml" else source.stem
