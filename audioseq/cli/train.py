"""`audioseq train`: train a model from a recipe, or adapt a model to recordings or MIDI files."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from audioseq.cli.common import Device, print_result
from audioseq.errors import ConfigError
from audioseq.files import reading

TASKS = {
    "speech": "audioseq.speech.task",
    "music": "audioseq.music.task",
    "harmony": "audioseq.music.harmony.task",
    "language": "audioseq.language.task",
    "punctuation": "audioseq.language.punctuation.task",
}
"""The module that trains each task."""


def train(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG|DATA",
            help="Config of a recipe (config.toml), manifest (.jsonl), or folder of MIDI files.",
        ),
    ],
    start_from: Annotated[
        str | None,
        typer.Option("--from", metavar="MODEL", help="Initialise from this model: a name or a file."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Set a config value, such as training.epochs=20; repeatable."
        ),
    ] = None,
    valid: Annotated[
        Path | None,
        typer.Option(metavar="MANIFEST", help="Validation set, if the training set is a manifest."),
    ] = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Run directory: models and metrics.", show_default="runs/NAME_OF_SOURCE"
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run in the run directory.")] = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Apply the [smoke] table of the config: a run of seconds.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Train a model, or adapt one to your data.

    A config trains the model of a recipe; a manifest or a folder with --from adapts MODEL. Prints the path of
    the best model.

    \b
    audioseq train recipes/digits-ctc/config.toml
    audioseq train train.jsonl --valid valid.jsonl --from english-small
    audioseq train midi/ --from music-small

    Train with several processes or machines:

    \b
    torchrun --nproc-per-node 2 -m audioseq train config.toml
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
    if os.environ.get("RANK", "0") == "0":  # torchrun runs this in every process
        print_result(str(result.best))


def _task(source: Path) -> str:
    """Return the task of a config or of data."""
    if source.suffix == ".toml":
        from audioseq.config import read_toml

        task = read_toml(source).get("task", "speech")
        if not isinstance(task, str) or task not in TASKS:
            raise ConfigError(f"{source}: task is {task!r}, but must be one of {', '.join(TASKS)}")
        return task
    if source.is_dir():
        return "music"
    with reading(source, ConfigError), source.open(encoding="utf-8-sig", errors="replace") as lines:
        return "music" if "midi_filepath" in lines.readline() else "speech"


def _name(source: Path) -> str:
    """Return the name of a run: the folder of the config, or the manifest without its suffix."""
    return source.absolute().parent.name if source.suffix == ".toml" else source.stem
