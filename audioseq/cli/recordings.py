"""The recordings that the user names, and the files that are left out."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audioseq.cli.common import ErrorCounter, log
from audioseq.errors import AudioError

if TYPE_CHECKING:
    from audioseq.speech.batch.inputs import Recording

STDIN = Path("-")


def check_inputs(inputs: Sequence[Path], listing: Path | None, errors: ErrorCounter) -> None:
    """Stop at once, without importing torch, if no input exists; each is reported."""
    if listing is None and not any(
        given == STDIN or glob.has_magic(str(given)) or given.exists() for given in inputs
    ):
        for given in inputs:
            with errors.catch():
                raise AudioError(f"{given}: no such file; check the path")
        errors.exit_if_any()


def find_left_out(inputs: Sequence[Path]) -> list[Path]:
    """Return the files in folders that cannot be read, and print how many there are."""
    from audioseq import audio
    from audioseq.speech.batch import inputs as batch

    files = [file for given in inputs for file in batch.find_left_out(given)]
    if files:
        suffixes = " ".join(sorted({file.suffix.lower() for file in files}))
        log(f"{len(files)} {'file' if len(files) == 1 else 'files'} left out: {suffixes}; {audio.INSTALL}")
    return files


def find_recordings(inputs: Sequence[Path], listing: Path | None, errors: ErrorCounter) -> list[Recording]:
    """Return the recordings of all inputs; an input without recordings is counted as an error."""
    from audioseq.speech.batch import inputs as batch

    found: list[Recording] = []
    for given in inputs:
        with errors.catch():
            found += batch.find_recordings(given)
    if listing is not None:
        with errors.catch():
            found += batch.read_list(listing)
    return found
