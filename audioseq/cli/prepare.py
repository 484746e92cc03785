"""`audioseq prepare`: recordings with transcripts beside them to checked manifests."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from audioseq.cli.common import DEFAULT_MODEL, put
from audioseq.errors import DataError


def prepare(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where recordings and texts are.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Where the manifests go; else FOLDER."),
    ] = None,
    valid_share: Annotated[float, typer.Option(help="Share of the audio to validate on.")] = 0.1,
    alphabet: Annotated[
        str | None,
        typer.Option(help="Characters of texts, with the space, for a language other than English."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite manifests that are there already.")
    ] = False,
) -> None:
    """Find recordings with their texts, check them, and write train.jsonl and valid.jsonl.

    Taken are, at any depth: a recording (x.wav) with what is said in it beside it (x.txt or x.lab); manifests
    (.jsonl), such as those of `audioseq align --cut`; and the layouts of LibriSpeech, LJSpeech, VCTK, Common
    Voice and manifest.tsv. The table says what is left out, and why.
    """
    from audioseq.data import write_manifest
    from audioseq.speech.data import prepare as preparing
    from audioseq.text.tokenizer import DEFAULT_ALPHABET

    targets = [(output or folder) / name for name in preparing.OUTPUTS]
    if not force and (there := [target for target in targets if target.exists()]):
        raise DataError(f"{there[0]}: is there already; --force overwrites it, -o DIR names another place")
    prepared = preparing.prepare(folder, valid_share=valid_share, alphabet=alphabet or DEFAULT_ALPHABET)
    for target, utterances in zip(targets, (prepared.train, prepared.valid), strict=True):
        write_manifest(target, utterances)
    put(prepared.table())
    train, valid = (shlex.quote(str(target)) for target in targets)
    other = f" --set {shlex.quote(f'alphabet={alphabet!r}')}" if alphabet else ""
    put(f"next:\n  audioseq train {train} --valid {valid} --from {DEFAULT_MODEL}{other}")
