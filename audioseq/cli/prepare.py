"""`audioseq prepare`: manifests of a folder of recordings with their texts."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from audioseq.cli.common import DEFAULT_MODEL, Force, print_result
from audioseq.cli.paths import refuse_to_overwrite


def prepare(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of recordings and texts.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Folder of the manifests.", show_default="FOLDER"),
    ] = None,
    valid_share: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of the audio in the validation set.")
    ] = 0.1,
    alphabet: Annotated[
        str | None,
        typer.Option(
            metavar="CHARS",
            help="Characters of the texts, including the space, for languages other than English.",
            show_default="a-z, apostrophe and space",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Prepare recordings and their texts for training.

    Checks the recordings and texts, splits them into a training and a validation set, and writes train.jsonl
    and valid.jsonl. Prints what is left out and why, and the command that trains a model.

    Reads, in FOLDER and its subfolders: recordings (x.wav) with texts of the same name (x.txt or x.lab);
    manifests (.jsonl), such as those of `audioseq align --cut`; and the layouts of LibriSpeech, LJSpeech,
    VCTK, Common Voice and manifest.tsv.
    """
    from audioseq.data import write_manifest
    from audioseq.speech.data.discovery import OUTPUTS
    from audioseq.speech.data.prepare import prepare
    from audioseq.text.tokenizer import DEFAULT_ALPHABET

    targets = [(output or folder) / name for name in OUTPUTS]
    for target in targets:
        refuse_to_overwrite(target, force)
    prepared = prepare(folder, valid_share=valid_share, alphabet=alphabet or DEFAULT_ALPHABET)
    for target, utterances in zip(targets, (prepared.train, prepared.valid), strict=True):
        write_manifest(target, utterances)
    print_result(prepared.table())
    train, valid = (shlex.quote(str(target)) for target in targets)
    change = f" --set {shlex.quote(f'alphabet={alphabet!r}')}" if alphabet else ""
    print_result(f"next:\n  audioseq train {train} --valid {valid} --from {DEFAULT_MODEL}{change}")
