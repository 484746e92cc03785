"""`audioseq transcribe --live`: text while somebody speaks, from a microphone or from samples on stdin."""

from __future__ import annotations

import queue
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import typer

from audioseq.cli.common import log, print_result
from audioseq.cli.live_output import PRINTERS
from audioseq.cli.recordings import STDIN
from audioseq.errors import AudioError, ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audioseq.speech.decoding.decoder import Decoding
    from audioseq.speech.pipeline import Recogniser

BLOCK_SECONDS = 0.1
"""Seconds of sound of a microphone that are read at once."""
MICROPHONE_TIMEOUT_SECONDS = 5.0
"""Time without samples after which the microphone is taken to be unplugged."""
OTHERWISE = "pipe samples to audioseq transcribe --live -"
"""What to do without a microphone."""


@dataclass(frozen=True)
class LiveOptions:
    """Options of `--live`; None is the default."""

    form: str
    """`txt`, `json`, `srt` or `vtt`."""
    model: str
    device: str
    runtime: Literal["auto", "onnx", "torch"]
    from_stdin: bool
    """Whether the samples come from stdin, not from a microphone."""
    sample_rate: int | None
    """Of the samples on stdin, Hz."""
    microphone: str | None
    """Name, part of a name, or number of the microphone; `list` to print all of them."""
    pause: float | None
    """Seconds of silence that end a segment."""
    max_segment: float | None
    """Seconds of speech without such a silence after which a segment ends at the next silent frame."""
    punctuation: str | None
    """Model that restores punctuation and capitals."""
    raw: bool
    """Leave the final texts as recognised."""


def refuse_other_options(
    files_only: Mapping[str, object], inputs: Sequence[Path], microphone: str | None
) -> None:
    """Raise BadParameter for options and inputs that have no effect with `--live`.

    Args:
        files_only: options for recordings, and their values; a value that counts as false is not given.
        inputs: the INPUT arguments, of which only - is possible.
        microphone: value of `--microphone`.
    """
    refused = [name for name, value in files_only.items() if value]
    refused += [str(given) for given in inputs if given != STDIN]
    if inputs and microphone is not None:
        refused.append("--microphone")
    if refused:
        raise typer.BadParameter("does not go with --live", param_hint=refused[0])


def transcribe_live(options: LiveOptions, choose_decoding: Callable[[Recogniser], Decoding]) -> None:
    """Transcribe a microphone until Ctrl-C, or stdin until its end, and print the texts as they arrive.

    Raises:
        BadParameter: an option has an impossible value, or no effect.
        AudioError: there is no microphone, it was unplugged, or no sample arrived on stdin.
    """
    if options.form not in PRINTERS:
        raise typer.BadParameter(f"{options.form!r} is not one of {', '.join(PRINTERS)}", param_hint="-f")
    if options.microphone == "list":
        for line in list_microphones():
            print_result(line)
        return
    if options.sample_rate is not None and not options.from_stdin:
        raise typer.BadParameter("needs --live -, samples on stdin", param_hint="--sample-rate")
    microphone = None if options.from_stdin else _open_microphone(options.microphone)

    from audioseq.speech.pipeline import load_recogniser
    from audioseq.speech.streaming.endpointing import Endpointing
    from audioseq.speech.streaming.options import StreamOptions

    recogniser = load_recogniser(
        options.model, options.device, options.runtime, punctuation=options.punctuation
    )
    blocks, rate = microphone or _open_stdin(options.sample_rate)
    limits = {"trailing_silence": options.pause, "max_seconds": options.max_segment}
    endpointing = Endpointing(**{name: value for name, value in limits.items() if value is not None})
    session = recogniser.stream(
        rate,
        decoding=choose_decoding(recogniser),
        raw=options.raw,
        options=StreamOptions(endpointing=endpointing),
    )
    with PRINTERS[options.form]() as printer:
        try:
            for block in blocks:
                session.feed(block)
                printer.show(session, bytes(block))
        except KeyboardInterrupt:
            if options.from_stdin:
                raise
        finally:
            session.close()
            printer.show(session, b"")
    if options.from_stdin and not session.seconds:
        raise AudioError(
            "stdin: no samples arrived; pipe signed 16-bit samples, such as from arecord -f S16_LE -r 16000"
        )
    for warning in session.warnings():
        log(f"warning: {warning}")


def list_microphones() -> list[str]:
    """Return the microphones, a line each, with the number that selects it.

    Raises:
        ConfigError: sounddevice is not installed.
        AudioError: there is no microphone.
    """
    devices = [device for device in _sounddevice().query_devices() if device["max_input_channels"] > 0]
    if not devices:
        raise AudioError(f"no microphone was found; connect one, or {OTHERWISE}")
    return [f"{device['index']}\t{device['name']}" for device in devices]


def _sounddevice() -> Any:
    """Import sounddevice, which is optional, and which needs the library PortAudio."""
    try:
        import sounddevice
    except ImportError as error:
        raise ConfigError('microphone: needs sounddevice; run: pip install "audioseq[mic]"') from error
    except OSError as error:
        raise ConfigError(
            "microphone: needs the library PortAudio; install it, on Debian: apt install libportaudio2"
        ) from error
    return sounddevice


def _open_stdin(sample_rate: int | None) -> tuple[Iterator[NDArray[np.int16]], int]:
    """Return blocks of the samples on stdin, and their sample rate; errors as in `open_pcm`."""
    from audioseq.audio.pcm import open_pcm

    if sys.stdin is None:
        raise AudioError("stdin: is closed; pipe samples to it, such as from arecord -f S16_LE -r 16000")
    return open_pcm(cast(BufferedReader, sys.stdin.buffer), sample_rate, "stdin")


def _open_microphone(name: str | None) -> tuple[Iterator[bytes], int]:
    """Return blocks of samples of a microphone, and its sample rate.

    Raises:
        AudioError: there is no such microphone, or it cannot be opened.
    """
    sounddevice = _sounddevice()
    device = int(name) if name is not None and name.isdigit() else name
    try:
        found = sounddevice.query_devices(device, "input")
    except (ValueError, sounddevice.PortAudioError) as error:
        which = "no microphone was found" if name is None else f"no microphone is called {name!r}"
        raise AudioError(f"{which} ({error}); list them with --microphone list, or {OTHERWISE}") from error
    rate = int(found["default_samplerate"])

    def read() -> Iterator[bytes]:
        arrived: queue.Queue[bytes] = queue.Queue()

        def callback(samples: Any, *_: object) -> None:
            arrived.put(bytes(samples))

        try:
            with sounddevice.RawInputStream(
                rate, int(rate * BLOCK_SECONDS), found["index"], channels=1, dtype="int16", callback=callback
            ):
                log(f"listening to {found['name']}; Ctrl-C ends")
                while True:
                    yield arrived.get(timeout=MICROPHONE_TIMEOUT_SECONDS)
        except sounddevice.PortAudioError as error:
            raise AudioError(f"{found['name']}: cannot be opened ({error})") from error
        except queue.Empty:
            raise AudioError(f"{found['name']}: no samples arrive; is it unplugged?") from None

    return read(), rate
