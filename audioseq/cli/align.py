"""`audioseq align`: word timestamps of a known text, or a long recording cut into utterances."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from audioseq.cli.common import DEFAULT_MODEL, Device, Force, Model, Threads, log, print_result
from audioseq.cli.paths import refuse_to_overwrite
from audioseq.errors import DataError
from audioseq.files import read_text, write_bytes

if TYPE_CHECKING:
    from audioseq.speech.transcript import Word

Format = Literal["tsv", "json", "srt", "vtt", "ctm", "textgrid"]


def align(
    recording: Annotated[Path, typer.Argument(metavar="AUDIO", help="Recording, of any length.")],
    text: Annotated[Path, typer.Argument(metavar="TEXT", help="Text file with the words of the recording.")],
    model: Model = DEFAULT_MODEL,
    form: Annotated[Format, typer.Option("-f", "--format", help="Output format.")] = "tsv",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Output file.", show_default="stdout"),
    ] = None,
    cut: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Cut into utterances: write a manifest for `audioseq prepare`."),
    ] = None,
    agreement: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            min=0,
            max=1,
            help="With --cut: minimum share of characters that the model recognises as in TEXT.",
        ),
    ] = 0.4,
    device: Device = "auto",
    threads: Threads = None,
    force: Force = False,
) -> None:
    """Align a recording with its text.

    Prints the start, end and confidence of each word. The text may have words that are not in the recording,
    and lack words that are.

    With --cut, cuts the recording into utterances of 2 to 15 seconds for training.
    """
    target = output if cut is None else cut / f"{recording.stem}.jsonl"
    if cut is not None and output is not None:
        raise typer.BadParameter("--cut already names the output folder", param_hint="-o")
    refuse_to_overwrite(target, force)
    reference = read_text(text, DataError)

    import numpy as np

    from audioseq import audio
    from audioseq.data import write_manifest
    from audioseq.speech import alignment as long
    from audioseq.speech import cutting, pipeline, writers
    from audioseq.speech.transcript import Transcript, split_at_pauses, to_segment
    from audioseq.text.tokenizer import normalise

    recogniser = pipeline.load_recogniser(model, device)
    alphabet = recogniser.tokenizer.alphabet
    if figures := [word for word in reference.split() if any(map(str.isdigit, normalise(word, alphabet)[1]))]:
        log(
            f"warning: {text}: words with digits cannot be aligned ({len(figures)}, such as {figures[0]!r}); "
            "they get the time between their neighbours; spell them out"
        )
    blocks = audio.stream(recording)
    waveform = np.concatenate(list(blocks))
    for warning in blocks.warnings:
        log(f"warning: {recording}: {warning}")
    words, emissions = long.align_recording(recogniser, waveform, reference)
    if (agreement_of_all := long.text_agreement(reference, emissions, alphabet)) < long.MIN_AGREEMENT:
        log(
            f"warning: {text}: only {agreement_of_all:.0%} of it agree with the speech in {recording}; check "
            "that it is the text of this recording"
        )
    if cut is not None and target is not None:
        candidates = cutting.cut_utterances(words, emissions, waveform, alphabet)
        kept = [candidate for candidate in candidates if candidate.agreement >= agreement]
        utterances = cutting.to_utterances(kept, recording.absolute())
        if not kept:
            raise DataError(
                f"{recording}: no part of the speech agrees with {text}; check that it is the right text"
            )
        write_manifest(target, utterances)
        seconds = sum(utterance.duration for utterance in utterances)
        log(
            f"kept {len(kept)} utterances, {seconds:.0f} of {len(waveform) / audio.SAMPLE_RATE:.0f} seconds; "
            f"left out {len(candidates) - len(kept)} in which the speech does not agree with the text"
        )
        print_result(str(target))
        return
    if form == "tsv":
        result = _to_tsv(words)
    else:
        transcript = Transcript(
            path=str(recording),
            text=" ".join(word.word for word in words),
            duration=len(waveform) / audio.SAMPLE_RATE,
            segments=tuple(map(to_segment, split_at_pauses(words))),
            words=tuple(words),
        )
        result = writers.write(transcript, form)
    if target is None:
        print_result(result.rstrip("\n"))
    else:
        write_bytes(target, result.encode(), make_folder=True)
        log(f"wrote {target}")


def _to_tsv(words: Sequence[Word]) -> str:
    """Return one line per word, with a header, separated by tabs."""
    rows = [f"{w.start:.3f}\t{w.end:.3f}\t{w.word}\t{w.confidence:.3f}" for w in words]
    return "\n".join(["start\tend\tword\tconfidence", *rows]) + "\n"
