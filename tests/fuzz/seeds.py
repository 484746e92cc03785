"""Small valid files to mutate, made from those in `assets` and by the package with tiny models."""

from __future__ import annotations

import functools
import gzip
import importlib.util
import json
import lzma
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import torch

from audioseq import audio, checkpoint
from audioseq.checkpoint import Header
from audioseq.language.ngram.files import save_ngram
from audioseq.midi import Note, Score
from audioseq.speech.config import SpeechConfig
from audioseq.speech.model import build
from audioseq.text.subwords import SubwordTokenizer
from audioseq.text.tokenizer import CharTokenizer, Tokenizer
from tests.conftest import ROOT
from tests.fuzz.formats import seal_ogg
from tests.language import small
from tests.language import tiny as tiny_language
from tests.music import tiny as tiny_music
from tests.music.harmony import tiny as tiny_harmony
from tests.speech import tiny as tiny_speech

ASSETS = ROOT / "assets"
SPEECH_SECONDS = 0.6
TEXTS = ("a cab", "dad bad cab", "abba a bad cab", "add a dab", "a b c d", "cab cab dab abacab")


def with_file(suffix: str, write: Callable[[Path], object]) -> bytes:
    """Return the content of a file that a function writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"seed{suffix}"
        write(path)
        return path.read_bytes()


@functools.cache
def speech() -> np.ndarray:
    """Return a part of the speech in `assets`, `[N]` at 16 kHz."""
    return audio.load(ASSETS / "hello.flac")[8000 : 8000 + int(SPEECH_SECONDS * audio.SAMPLE_RATE)]


def sound(suffix: str, channels: int = 1, rate: int = 16_000, **options: Any) -> bytes:
    """Return the speech in a format of libsndfile."""
    samples = np.repeat(speech()[:: 16_000 // rate, None], channels, axis=1)
    return with_file(suffix, lambda path: sf.write(path, samples, rate, **options))


def wav() -> list[bytes]:
    """Return recordings in several codecs and numbers of channels."""
    codecs: tuple[tuple[str, int, int], ...] = (
        ("PCM_16", 1, 16_000), ("PCM_16", 2, 16_000), ("FLOAT", 2, 8_000), ("PCM_24", 1, 16_000),
        ("PCM_U8", 1, 8_000), ("ULAW", 1, 8_000), ("GSM610", 1, 8_000),
        ("IMA_ADPCM", 1, 8_000), ("DOUBLE", 6, 4_000),
    )  # fmt: skip
    return [sound(".wav", channels, rate, subtype=codec) for codec, channels, rate in codecs]


def flac() -> list[bytes]:
    """Return a mono, a stereo and a 24-bit recording."""
    return [sound(".flac"), sound(".flac", 2), sound(".flac", subtype="PCM_24")]


def ogg() -> list[bytes]:
    """Return Vorbis and Opus recordings, and chained ones; serial numbers do not depend on the time."""
    vorbis, stereo = sound(".ogg"), sound(".ogg", 2, 8_000)
    opus = sound(".ogg", format="OGG", subtype="OPUS")
    made = [seal_ogg(content, serial) for serial, content in enumerate((vorbis, stereo, opus), 1)]
    return [*made, made[0] + made[1], made[2] + made[0]]


def mp3() -> list[bytes]:
    """Return recordings of constant and of variable bit rate."""
    return [sound(".mp3"), sound(".mp3", 2, bitrate_mode="VARIABLE"), sound(".mp3", 1, 8_000)]


def container(form: str, codec: str) -> bytes:
    """Return the speech in a container of FFmpeg, the same bytes each time."""
    import av

    def write(path: Path) -> None:
        with av.open(str(path), "w", format=form, options={"fflags": "+bitexact"}) as file:
            track: Any = file.add_stream(codec, rate=48_000, layout="mono", bit_rate=48_000)
            frame = av.AudioFrame.from_ndarray(speech()[None], "fltp", "mono")
            frame.sample_rate = audio.SAMPLE_RATE
            resampler = av.AudioResampler(
                track.format.name, "mono", 48_000, frame_size=track.frame_size or 960
            )
            for converted in [*resampler.resample(frame), *resampler.resample(None)]:
                file.mux(track.encode(converted))
            file.mux(track.encode(None))

    return with_file(f".{form}", write)


def m4a() -> list[bytes]:
    """Return an AAC and an ALAC recording; none without PyAV."""
    if importlib.util.find_spec("av") is None:
        return []
    return [container("mp4", "aac"), container("mp4", "alac"), container("mov", "pcm_s16le")]


def webm() -> list[bytes]:
    """Return Matroska recordings; none without PyAV."""
    if importlib.util.find_spec("av") is None:
        return []
    return [container("webm", "libopus"), container("matroska", "aac")]


def midi() -> list[bytes]:
    """Return pieces of `assets`, and small ones with changes of tempo, meter, key and instruments."""
    notes = [Note(60 + step % 12, 80, step / 2, 0.4, step % 3, step % 5 == 4, step % 2) for step in range(16)]
    changing = Score(
        tuple(notes),
        tempos=((0.0, 120.0), (2.0, 60.0)),
        time_signatures=((0.0, 4, 4), (2.0, 7, 8)),
        keys=((0.0, "Eb"),),
        names=("Melody", "Bass"),
        text="a test",
    )
    names = ("chorale", "ode-to-joy", "pop")
    melody = tiny_harmony.scale()
    return [
        changing.to_bytes(),
        melody.to_bytes(),
        *((ASSETS / f"{name}.mid").read_bytes() for name in names),
        b"RIFF"
        + (len(melody.to_bytes()) + 12).to_bytes(4, "little")
        + b"RMIDdata"
        + bytes(4)
        + melody.to_bytes(),
    ]


def speech_model(path: Path, kind: str = "characters") -> Path:
    """Write a recogniser with random weights: of characters, of subwords, or with a p2g decoder."""
    alphabet = " abcd"
    changes: dict[str, Any] = {"alphabet": alphabet}
    tokenizer: Tokenizer = CharTokenizer(alphabet)
    if kind != "characters":
        tokenizer = SubwordTokenizer.learn(TEXTS, 14, alphabet)
        changes["subwords"] = 14
    if kind == "p2g":
        changes["model"] = tiny_speech.MODEL.model_copy(update={"p2g_layers": 1, "p2g_size": 8})
    config: SpeechConfig = tiny_speech.config().model_copy(update=changes)
    torch.manual_seed(1)
    model = build(config, tokenizer)
    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter.mul_(8)
    header = Header("speech", config.model_dump(mode="json"), model.log_mel.options, tokenizer.to_dict())
    checkpoint.save(path, model.state_dict(), header, precision="int8" if kind == "subwords" else "fp32")
    return path


def ngram_file(path: Path) -> Path:
    """Write an n-gram model of a few words."""
    save_ngram(path, small.random_model(3, 40))
    return path


@functools.cache
def models() -> list[bytes]:
    """Return a model file of each task."""
    speech_kinds = [functools.partial(speech_model, kind=kind) for kind in ("characters", "subwords", "p2g")]
    language = [functools.partial(tiny_language.save, kind=kind) for kind in tiny_language.UNITS]
    writers: tuple[Callable[[Path], object], ...]
    writers = (*speech_kinds, tiny_music.model_file, tiny_harmony.model_file, *language, ngram_file)
    return [with_file(".safetensors", write) for write in writers]


def compressed_models() -> list[bytes]:
    """Return compressed model files."""
    return [lzma.compress(content, preset=0) for content in models()]


def arpa() -> list[bytes]:
    """Return n-gram models as text."""
    models = (small.random_model(order, 30) for order in (1, 2, 3))
    return [with_file(".arpa", functools.partial(save_ngram, model=model)) for model in models]


def arpa_gz() -> list[bytes]:
    """Return compressed n-gram models."""
    return [gzip.compress(content, mtime=0) for content in arpa()]


def manifest() -> list[bytes]:
    """Return manifests of recordings, of MIDI files, and a journal."""
    place = str(ASSETS / "hello.flac")
    speech_rows: list[dict[str, Any]] = [
        {"audio_filepath": place, "duration": 1.5, "text": "hello", "id": "a", "speaker": "s", "offset": 0.5},
        {"audio_filepath": "digits.flac", "duration": 2, "text": "one two", "dataset": "d", "other": [1]},
        {"audio_filepath": place, "duration": 0.25, "text": ""},
    ]
    music_rows = [
        {"midi_filepath": str(ASSETS / "lied.mid"), "style": "lied", "id": "x"},
        {"midi_filepath": "b.mid"},
    ]
    source = {"offset": 0.0, "duration": None, "stamp": [1, 2], "settings": "abc"}
    entry = {
        "status": "done", "path": "a.wav", "output": "a.txt", "duration": 1.0, "words": 3, "warnings": ["w"],
        "error": None, "seconds": 0.1, "sha256": "00", "finished": "2026-01-01T00:00:00+00:00",
        "source": source,
    }  # fmt: skip
    rows = (speech_rows, [{"audio_filepath": place}], music_rows, [entry, {**entry, "output": "b.txt"}])
    return ["".join(json.dumps(row) + "\n" for row in each).encode() for each in rows]


def configs() -> list[bytes]:
    """Return the configs of the recipes that `audioseq train` reads."""
    paths = sorted((ROOT / "recipes").glob("*/config.toml"))
    found = [path.read_bytes() for path in paths]
    return [content for content in found if b"[data]" in content and b"[training]" in content]


def texts() -> list[bytes]:
    """Return transcripts, one sentence a line."""
    return [
        "\n".join(TEXTS).encode() + b"\n",
        b'A cab, a well-known "cab" - and 20 dads.\nThe caf\xc3\xa9 is bad.\n\n  a  b\tc d\n',
    ]


def dictionaries() -> list[bytes]:
    """Return pronunciation dictionaries."""
    return [
        b";;; comment\nCAT K AE1 T\nCAT(2) K AH0 T\ndad D AE D # note\na AH0\n",
        b"bad B AE1 D\nab(1) AE B\n",
    ]


def hotwords() -> list[bytes]:
    """Return lists of hotwords."""
    return [b"cab\nbad dad\nB\xc3\xa4d-Cab\n\nC++\n", b"abba\n a cab \n"]
