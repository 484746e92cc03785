"""`audioseq align`: when each word of a known text is said; or a long recording cut into utterances."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from audioseq.cli.common import DEFAULT_MODEL, Device, Model, note, put
from audioseq.errors import DataError

if TYPE_CHECKING:
    from audioseq.speech.transcript import Word

Form = Literal["tsv", "json", "srt", "vtt", "ctm", "textgrid"]


def align(
    recording: Annotated[Path, typer.Argument(metavar="AUDIO", help="A recording, minutes or hours long.")],
    text: Annotated[Path, typer.Argument(metavar="TEXT", help="A file with what is said in it.")],
    model: Model = DEFAULT_MODEL,
    form: Annotated[Form, typer.Option("-f", "--format", help="Form of the times.")] = "tsv",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file, not to stdout.")
    ] = None,
    cut: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Cut into utterances: write a manifest here that `audioseq prepare` takes."
        ),
    ] = None,
    agreement: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="With --cut: least share of characters that the model hears as written."
        ),
    ] = 0.4,
    device: Device = "auto",
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there already.")] = False,
) -> None:
    """Say when each word of a text is spoken, and how sure the model is of it.

    Neither need be perfect: words of the text that are not said, and speech that is not in the text, cost
    little beyond themselves. With --cut the recording becomes utterances of 2 to 15 seconds to train on.
    """
    target = output if cut is None else cut / f"{recording.stem}.jsonl"
    if cut is not None and output is not None:
        raise typer.BadParameter("--cut says where to write already", param_hint="-o")
    if target is not None and target.exists() and not force:
        raise DataError(f"{target}: is there already; --force overwrites it")
    written = _read(text)

    from audioseq import audio
    from audioseq.data import write_file, write_manifest
    from audioseq.speech import alignment as long
    from audioseq.speech import pipeline, writers
    from audioseq.speech.transcript import Segment, Transcript
    from audioseq.text.tokenizer import normalise

    recogniser = pipeline.load_recogniser(model, device)
    alphabet = recogniser.tokenizer.alphabet
    if figures := [word for word in written.split() if any(map(str.isdigit, normalise(word, alphabet)[1]))]:
        note(f"{len(figures)} words with figures have no place, such as {figures[0]!r}; write them out")
    waveform = audio.load(recording)
    words, heard = long.align_recording(recogniser, waveform, written)
    stretches = long.cut_utterances(words, heard, waveform, alphabet)
    if cut is not None and target is not None:
        kept = [stretch for stretch in stretches if stretch.agreement >= agreement]
        utterances = long.to_utterances(kept, recording.absolute())
        if not kept:
            raise DataError(
                f"{recording}: nowhere does what is said agree with {text}; is it the right text?"
            )
        write_manifest(target, utterances)
        seconds = sum(utterance.duration for utterance in utterances)
        note(
            f"kept {len(kept)} utterances, {seconds:.0f} of {len(waveform) / audio.SAMPLE_RATE:.0f} seconds; "
            f"left out {len(stretches) - len(kept)} in which the model hears something else than the text"
        )
        put(str(target))
        return
    if form == "tsv":
        result = _table(words)
    else:
        transcript = Transcript(
            path=str(recording),
            text=" ".join(word.word for word in words),
            duration=len(waveform) / audio.SAMPLE_RATE,
            segments=(Segment(words[0].start, words[-1].end, " ".join(word.word for word in words)),),
            words=tuple(words),
        )
        result = writers.write(transcript, form)
    if target is None:
        put(result.rstrip("\n"))
    else:
        write_file(target, lambda file: file.write(result.encode()))
        note(f"wrote {target}")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path") from None


def _table(words: Sequence[Word]) -> str:
    """Return a line for each word."""
    rows = [f"{w.start:.3f}\t{w.end:.3f}\t{w.word}\t{w.confidence:.3f}" for w in words]
    return "\n".join(["start\tend\tword\tconfidence", *rows]) + "\n"
