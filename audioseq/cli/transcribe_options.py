"""The options of `audioseq transcribe`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Inputs = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="INPUT",
        help="Recordings, folders of recordings, quoted patterns such as 'clips/**/*.wav', "
        "manifests (.jsonl), or - for a recording on stdin.",
        show_default=False,
    ),
]
Listing = Annotated[
    Path | None,
    typer.Option(
        "--list", metavar="FILE", help="File with the paths of recordings, one per line; - reads stdin."
    ),
]
Language = Annotated[
    str | None, typer.Option(metavar="LANGUAGE", help="Language of the speech; only en is available.")
]
Form = Annotated[
    str | None,
    typer.Option(
        "-f",
        "--format",
        metavar="FORMAT[,FORMAT]",
        help="Output format: txt, srt, vtt, tsv, json, ctm or textgrid; with -o DIR also several.",
        show_default="txt, or the suffix of -o FILE",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="DIR|FILE",
        help="Output folder: one transcript per recording, and results.jsonl with the status of each. "
        "For one recording also a file with the suffix of a format, such as talk.srt.",
        show_default="stdout",
    ),
]
Words = Annotated[
    bool,
    typer.Option(
        "--words",
        help="With json: word timestamps and confidences. With srt and vtt: one subtitle per word.",
    ),
]
Channels = Annotated[
    Literal["mix", "left", "right", "split"],
    typer.Option(
        help="Channels to transcribe: mix leaves out those that are silent, clipped or cancel the "
        "others; split transcribes each as a speaker, such as the two sides of a call."
    ),
]
Raw = Annotated[
    bool,
    typer.Option("--raw", help="Leave out punctuation, capitals and figures: words as recognised."),
]
Punctuation = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="Model that restores punctuation and capitals: a name or a file.",
        show_default="recommended by MODEL",
    ),
]
MaxLineWidth = Annotated[int, typer.Option(metavar="N", min=1, help="With srt and vtt: characters per line.")]
MaxLineCount = Annotated[int, typer.Option(metavar="N", min=1, help="With srt and vtt: lines per subtitle.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="With -o: skip recordings that are already transcribed.")
]
Force = Annotated[
    bool,
    typer.Option(
        "--force", help="With -o: overwrite existing transcripts; with --resume, only outdated ones."
    ),
]
Shard = Annotated[
    str | None,
    typer.Option(
        metavar="I/N",
        help="Process part I of N parts, from 1/N to N/N.",
        show_default="1/1, or set by torchrun or srun",
    ),
]
Live = Annotated[
    bool,
    typer.Option(
        "--live",
        help="Transcribe a microphone while you speak, or with INPUT - signed 16-bit samples on stdin; "
        "as txt, json (a line for each partial and final text), srt or vtt.",
    ),
]
Microphone = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|N",
        help="With --live: name or number of the microphone; 'list' prints all of them.",
        show_default="default of the system",
    ),
]
SampleRate = Annotated[
    int | None,
    typer.Option(metavar="HZ", help="With --live -: sample rate of the samples.", show_default="16000"),
]
Pause = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        min=0.1,
        help="With --live: silence that ends a segment, whose text is then final.",
        show_default="0.8",
    ),
]
MaxSegment = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        min=1.0,
        help="With --live: length from which a segment ends between words, without a pause.",
        show_default="20",
    ),
]
