"""The kinds of files: how a file is mutated, and the functions of the package that read it."""

from __future__ import annotations

import bz2
import functools
import gzip
import json
import lzma
import shutil
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import get_args

import numpy as np

from audioseq import audio, checkpoint, config, data
from audioseq.cli import align as cli_align
from audioseq.cli import common, train
from audioseq.cli import models as cli_models
from audioseq.errors import AudioseqError
from audioseq.language import corpus
from audioseq.language import pipeline as language
from audioseq.language.config import LanguageConfig
from audioseq.language.ngram.build import NGramOptions, build
from audioseq.language.ngram.files import load_ngram, save_ngram
from audioseq.language.punctuation.config import PunctuationConfig
from audioseq.midi import Score
from audioseq.music import pipeline as music
from audioseq.music.analysis.comparison import compare
from audioseq.music.config import MusicConfig
from audioseq.music.data.corpora import read_manifest as read_music_manifest
from audioseq.music.harmony import pipeline as harmony
from audioseq.music.harmony.config import HarmonyConfig
from audioseq.music.harmony.melody import extract_melody
from audioseq.music.representation.grid import read_piece, to_grid
from audioseq.music.representation.tokenizer import conditions_of, encode, features
from audioseq.speech import pipeline as speech
from audioseq.speech import writers
from audioseq.speech.batch.inputs import find_recordings, read_list
from audioseq.speech.batch.journal import Journal
from audioseq.speech.batch.shard import Shard
from audioseq.speech.config import SpeechConfig
from audioseq.speech.decoding.decoder import Decoder, DecodingOptions
from audioseq.speech.pronunciation import Pronunciations
from audioseq.speech.transcript import Transcript
from tests.fuzz import formats, model_files, seeds
from tests.fuzz.mutate import Layout, Mutation, mutate, mutate_bytes, mutate_json, mutate_text, to_json
from tests.music import tiny as tiny_music
from tests.music.harmony import tiny as tiny_harmony

CHANNELS: tuple[audio.Channels, ...] = ("mix", "left", "right", 3)
CONFIGS = (SpeechConfig, MusicConfig, HarmonyConfig, LanguageConfig, PunctuationConfig)
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
}
Read = Callable[[Path, Random], object]


@dataclass(frozen=True)
class Kind:
    """A kind of files."""

    suffix: str
    seeds: Callable[[], list[bytes]]
    mutation: Mutation
    read: Read
    """Reads a file as the commands do; returns or raises an AudioseqError."""
    share: int
    """Relative number of cases."""
    compressible: bool = False
    """Whether the file may be compressed, with a further suffix."""

    def make(self, random: Random) -> tuple[str, bytes]:
        """Return the suffix and the content of a mutated file."""
        found = self.find_seeds()
        content = self.mutation(random.choice(found), random.choice(found), random)
        if not self.compressible or random.random() < 0.75:
            return self.suffix, content
        suffix = random.choice(list(COMPRESSORS))
        content = COMPRESSORS[suffix](content)
        if random.random() < 0.3:
            content = mutate_bytes(content, content, random)
        elif random.random() < 0.02:
            suffix, content = ".xz", model_files.lzma_bomb(b"a")
        return self.suffix + suffix, content

    def find_seeds(self) -> list[bytes]:
        """Return the valid files; none if a program that makes them is not installed."""
        return _cached_seeds(self.seeds)


@functools.cache
def _cached_seeds(make: Callable[[], list[bytes]]) -> list[bytes]:
    return make()


def _binary(layout: Callable[[bytes], Layout]) -> Mutation:
    return lambda content, other, random: mutate(content, other, random, layout)


def _mutate_ogg(content: bytes, other: bytes, random: Random) -> bytes:
    content = mutate(content, other, random, formats.ogg)
    return formats.seal_ogg(content) if random.random() < 0.8 else content


def _mutate_midi(content: bytes, other: bytes, random: Random) -> bytes:
    if random.random() < 0.3:
        content = formats.insert_midi_events(content, random)
    if random.random() < 0.8:
        content = mutate(content, other, random, formats.midi)
    return formats.seal_midi(content) if random.random() < 0.6 else content


def _mutate_rows(content: bytes, other: bytes, random: Random) -> bytes:
    """Mutate a row as JSON, or the text."""
    if random.random() < 0.4:
        return mutate_text(content, other, random)
    lines = content.splitlines()
    place = random.randrange(len(lines))
    lines[place] = to_json(mutate_json(json.loads(lines[place]), random), random)
    return b"\n".join(lines) + b"\n" * random.randrange(2)


TOML_VALUES = (
    "0", "-1", "1", "2.5", "1e400", "inf", "nan", "true", "false", '""', '"a"', "[]", "{}", "[[]]",
    "[1, 'a']", "1979-05-27", "07:32:00", "99999999999999999999", "2147483648", "4000000000",
    "{a = 1}", "0x7fff", "'\\'",
    '"\\u0000"', '["/dev/null"]', "[" * 2000 + "]" * 2000,
    "9" * 5000, "{a={a={a={}}}}", "[false]", "1_0", "1__0",
)  # fmt: skip


def _mutate_toml(content: bytes, other: bytes, random: Random) -> bytes:
    """Replace values by others, and mutate the text."""
    if random.random() < 0.7:
        lines = content.split(b"\n")
        places = [place for place, line in enumerate(lines) if b"=" in line]
        for place in random.sample(places, min(len(places), random.choice((1, 1, 3)))):
            key = lines[place].partition(b"=")[0]
            key = key if random.random() < 0.9 else b".".join([key.strip()] * random.choice((2, 900)))
            lines[place] = key + b"= " + random.choice(TOML_VALUES).encode()
        content = b"\n".join(lines)
    return mutate_text(content, other, random) if random.random() < 0.6 else content


def _each(*stages: Callable[[], object], needed: bool = True) -> None:
    """Call all functions; at the end raise the first AudioseqError, unless one result is enough."""
    errors = []
    for stage in stages:
        try:
            stage()
        except AudioseqError as error:
            errors.append(error)
    if len(errors) > (0 if needed else len(stages) - 1):
        raise errors[0]


@functools.cache
def _folder() -> Path:
    """Return a folder of valid files; it lies in the folder of temporary files, which is removed later."""
    place = Path(tempfile.mkdtemp())
    seeds.speech_model(place / "speech.safetensors")
    seeds.ngram_file(place / "words.safetensors")
    (place / "a.wav").write_bytes(seeds.wav()[0])
    return place


@functools.cache
def _recogniser() -> speech.Recogniser:
    return speech.load_recogniser(_folder() / "speech.safetensors", "cpu")


@functools.cache
def _composer() -> music.Composer:
    return tiny_music.composer()


@functools.cache
def _harmoniser() -> harmony.Harmoniser:
    return tiny_harmony.harmoniser()


def _write_transcripts(transcript: Transcript) -> None:
    for form in writers.FORMATS:
        writers.write(transcript, form).encode("utf-8", "surrogateescape")


def read_recording(path: Path, random: Random) -> None:
    """Transcribe a recording, and read a part of it from an opened file."""
    options = DecodingOptions(lm=_folder() / "words.safetensors", hotwords=("cab",))

    def transcribe() -> None:
        decoding = random.choice((None, options))
        _write_transcripts(_recogniser().transcribe(path, words=True, decoding=decoding))

    def read_part() -> None:
        channels: audio.Channels = random.choice(CHANNELS)
        with path.open("rb") as file:
            for _ in audio.stream(
                file, None, channels=channels, offset=random.choice((0.0, 0.1)), duration=0.2
            ):
                pass

    _each(transcribe, read_part)


def read_midi(path: Path, random: Random) -> None:
    """Read, write, tokenise, compare and continue a piece, and harmonise it."""
    score = Score.load(path, pedal=random.random() < 0.5)
    short = score.end < 16 and len(score.notes) < 100  # generation takes seconds for others

    def tokenise() -> None:
        piece = to_grid(score)
        features(encode(piece), conditions_of(piece, 0))
        compare({"a": piece}, {"a": piece}, {"a": piece}).summary()

    def compose() -> None:
        if short and random.random() < 0.1:
            _composer().compose(0, primer=score, options=music.CompositionOptions(bars=1))

    def harmonise() -> None:
        if random.random() < 0.5:
            extract_melody(score)
        if short and random.random() < 0.1:
            _harmoniser().harmonise(score, 0)[0].score.to_bytes()

    _each(lambda: Score.load(score.to_bytes()), tokenise, compose, harmonise)


def read_model(path: Path, random: Random) -> None:
    """Load a model for its task, and use it."""
    uses: dict[str, Callable[[Path], object]] = {
        "speech": _use_recogniser,
        "music": lambda path: music.load_composer(path).compose(0, options=music.CompositionOptions(bars=1)),
        "harmony": lambda path: harmony.load_harmoniser(path, "cpu").harmonise(tiny_harmony.scale(), 0),
        "language": _use_predictor,
        "ngram": _use_ngram,
    }
    task = checkpoint.read_header(path).task
    use = uses.get(task, _use_recogniser)
    _each(lambda: use(path), lambda: _copy_model(path), lambda: cli_models.show(str(path)))


def _copy_model(path: Path) -> None:
    stored = checkpoint.load(path)
    copy = path.with_name("copy.safetensors")
    checkpoint.save(copy, stored.weights, stored.header, precision=stored.precision)
    copy.unlink()


def _use_recogniser(path: Path) -> None:
    recogniser = speech.load_recogniser(path, "cpu")
    options = DecodingOptions(lm=_folder() / "words.safetensors")
    for decoding in (None, options):
        transcript = recogniser.transcribe(seeds.speech(), audio.SAMPLE_RATE, words=True, decoding=decoding)
        _write_transcripts(transcript)


def _use_predictor(path: Path) -> None:
    predictor = language.load_predictor(path, "cpu")
    predictor.predict("ab", 3)
    predictor.score_words(["ab", ""])


def _use_ngram(path: Path) -> None:
    model = load_ngram(path)
    model.score(["a", "b", "e", "<s>"])
    model.predict(["a"], 3)
    model.perplexity([["a", "b", "a"], [], ["e"]]).summary()
    for suffix in (".arpa", ".safetensors"):
        copy = path.with_name("copy" + suffix)
        save_ngram(copy, model)
        copy.unlink()


def read_arpa(path: Path, random: Random) -> None:
    """Load an n-gram model, and use it, also in the beam search."""
    options = DecodingOptions(lm=path)
    _each(
        lambda: _use_ngram(path),
        lambda: Decoder(options, _recogniser().tokenizer, {}).decode(emissions()),
    )


@functools.cache
def emissions() -> np.ndarray:
    """Return the emissions of a recording `[T, V]`."""
    return np.concatenate([each.log_probs for each in _recogniser().compute_emissions(seeds.speech())])


def read_rows(path: Path, random: Random) -> None:
    """Read a manifest of recordings or of MIDI files, or a journal, and the files that it names."""

    def prepare() -> None:
        utterances = data.read_manifest(path)
        copy = path.with_name("copy.jsonl")
        data.write_manifest(copy, utterances)
        copy.unlink()
        for utterance in utterances[:2]:
            utterance.load()

    def transcribe() -> None:
        for recording in find_recordings(path)[:2]:
            recording.label.encode()
            for _ in audio.stream(recording.path, offset=recording.offset, duration=recording.duration):
                pass

    def evaluate() -> None:
        for entry in read_music_manifest(path)[:2]:
            read_piece(entry.midi_filepath, lambda line: str(line).encode("utf-8", "backslashreplace"))

    def resume() -> None:
        Journal(path.parent, Shard(1, 1))

    _each(prepare, transcribe, evaluate, resume, needed=False)
    read_list(path)


def read_config(path: Path, random: Random) -> None:
    """Read a config as `train` does, for its task and for others, and write it again."""

    def load(model: type[config.Config]) -> None:
        parsed = config.load(model, path, ["training.epochs=2"], smoke=random.random() < 0.3)
        written = config.dump_toml(parsed)
        again = tomllib.loads(written)
        config.parse(model, again, "written")

    task = train._task(path)
    chosen = next(model for model in CONFIGS if model.model_fields["task"].default == task)
    _each(lambda: load(chosen), lambda: load(random.choice(CONFIGS)))


def read_text(path: Path, random: Random) -> None:
    """Train an n-gram model on a text."""
    text = corpus.build_corpus(corpus.read_lines([path]))
    text.summary()
    model = build(text, NGramOptions(random.randint(1, 3)))
    model.perplexity(corpus.sentences(corpus.read_lines([path]))).summary()


def read_transcript(path: Path, random: Random) -> None:
    """Align a text with a recording, or cut the recording."""
    form: cli_align.Format = random.choice(get_args(cli_align.Format))
    cut = path.with_name("cut") if random.random() < 0.2 else None
    model, recording = str(_folder() / "speech.safetensors"), _folder() / "a.wav"
    try:
        cli_align.align(recording, path, model, form, cut=cut, device="cpu")
    finally:
        shutil.rmtree(path.with_name("cut"), ignore_errors=True)


def read_dictionary(path: Path, random: Random) -> None:
    """Read a pronunciation dictionary."""
    Pronunciations.read(path).encode("cat dad a", np.random.default_rng(0))


def read_hotwords(path: Path, random: Random) -> None:
    """Decode with the hotwords of a file."""
    options = common.decoding_options(_recogniser(), hotword_file=path)
    if options != "greedy":
        Decoder(options, _recogniser().tokenizer, {}).decode(emissions())


KINDS = {
    "wav": Kind(".wav", seeds.wav, _binary(formats.wav), read_recording, 12),
    "flac": Kind(".flac", seeds.flac, _binary(formats.flac), read_recording, 8),
    "ogg": Kind(".ogg", seeds.ogg, _mutate_ogg, read_recording, 10),
    "mp3": Kind(".mp3", seeds.mp3, _binary(formats.mp3), read_recording, 8),
    "m4a": Kind(".m4a", seeds.m4a, _binary(formats.mp4), read_recording, 8),
    "webm": Kind(".webm", seeds.webm, _binary(formats.webm), read_recording, 6),
    "midi": Kind(".mid", seeds.midi, _mutate_midi, read_midi, 16),
    "model": Kind(".safetensors", seeds.models, model_files.mutate_model, read_model, 14),
    "model-xz": Kind(
        ".safetensors.xz", seeds.compressed_models, model_files.mutate_compressed, read_model, 4
    ),
    "arpa": Kind(".arpa", seeds.arpa, mutate_text, read_arpa, 8, compressible=True),
    "manifest": Kind(".jsonl", seeds.manifest, _mutate_rows, read_rows, 10),
    "config": Kind(".toml", seeds.configs, _mutate_toml, read_config, 8),
    "text": Kind(".txt", seeds.texts, mutate_text, read_text, 5, compressible=True),
    "transcript": Kind(".txt", seeds.texts, mutate_text, read_transcript, 5),
    "dictionary": Kind(".txt", seeds.dictionaries, mutate_text, read_dictionary, 4, compressible=True),
    "hotwords": Kind(".txt", seeds.hotwords, mutate_text, read_hotwords, 4),
}
"""All kinds; their names are stable, since cases depend on them."""
