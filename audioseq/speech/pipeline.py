"""Speech recognition: a recogniser from a model file, and transcripts of recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import numpy as np

from audioseq import audio
from audioseq.checkpoint import Header
from audioseq.errors import AudioseqError
from audioseq.memory import release_freed_memory
from audioseq.speech.decoding.decoder import (
    Decoder,
    DecoderCache,
    Decoding,
    DecodingOptions,
    recommended_options,
)
from audioseq.speech.emissions import EmissionModel, Runtime, load_emission_model
from audioseq.speech.longform.chunking import Chunk, batch_chunks, iter_chunks
from audioseq.speech.longform.merging import ChunkEmissions, SegmentEmissions, merge_chunks
from audioseq.speech.longform.speech_detection import SpeechDetector
from audioseq.speech.readable import Punctuator, recommended_punctuation, write_readable
from audioseq.speech.segments import SegmentDecoder, WordDecoder
from audioseq.speech.streaming.options import StreamOptions
from audioseq.speech.transcript import (
    Segment,
    Transcript,
    Word,
    merge_channels,
    split_at_pauses,
    to_segment,
)
from audioseq.text.subwords import restore_tokenizer
from audioseq.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from torch import Tensor

    from audioseq.speech.streaming.session import Session

BATCH_SECONDS = 30.0
"""Seconds of audio per batch, including padding; limits the memory for activations."""
BATCH_SEGMENTS = 16
"""Segments that are decoded together, which makes rescoring faster."""

AudioSource: TypeAlias = "str | Path | BinaryIO | np.ndarray | Tensor"
ProgressCallback = Callable[[float, float], object]
"""Called with the seconds of audio that are done, and the total seconds."""


class Recogniser:
    """A speech recogniser: an acoustic model with its tokenizer and decoders.

    Args:
        model: the acoustic model with trained weights.
        tokenizer: the tokenizer of the tokens that it emits.
        header: the header of the model file.
        punctuation: name or path of the punctuation model; None for the one that the model card recommends.
    """

    def __init__(
        self,
        model: EmissionModel,
        tokenizer: Tokenizer,
        header: Header,
        punctuation: str | Path | None = None,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.header = header
        self.punctuation = punctuation or recommended_punctuation(header.card)
        """Name or path of the punctuation model; None if the texts stay raw."""
        self.segment_decoder = SegmentDecoder(tokenizer, model.frame_seconds, header.card)
        self._decoders = DecoderCache(tokenizer, header.card)
        self._punctuator: Punctuator | None = None

    def transcribe(
        self,
        source: AudioSource,
        sample_rate: int | None = None,
        *,
        words: bool = False,
        decoding: Decoding = None,
        channels: audio.Channels = "mix",
        raw: bool = False,
        progress: ProgressCallback | None = None,
    ) -> Transcript:
        """Transcribe a recording of any length, with constant memory.

        Args:
            source: a path or an opened file, see `audio.stream`, or a waveform `[N]`, `[N, channels]` or
                `[channels, N]`.
            sample_rate: sample rate of a waveform in Hz; not for a file.
            words: include word timestamps and confidences.
            decoding: options of the beam search; `greedy` for greedy decoding; None for the options that the
                model card recommends.
            channels: which channels of the recording to transcribe, see `audio.stream`; `split` transcribes
                each separately, with its number as the speaker.
            raw: leave out punctuation, capitals and figures also if there is a model for them.
            progress: called repeatedly with the seconds done and the estimated total seconds.
        Raises:
            AudioError: the recording cannot be read, or has values that are not finite.
            CheckpointError: a language model does not exist.
            ConfigError: a hotword has characters that the model does not emit.
        """
        decoder, punctuator = self.choose_decoder(decoding), self.choose_punctuator(raw)
        streams = _open_source(source, sample_rate, channels).split()
        path = str(source) if isinstance(source, str | Path) else None
        transcripts = []
        for index, blocks in enumerate(streams):
            chunks = self.compute_chunk_emissions(iter_chunks(blocks, audio.SAMPLE_RATE))
            if progress is not None:
                chunks = _report_progress(chunks, blocks.seconds, index, len(streams), progress)
            transcript = self.transcribe_emissions(
                chunks, path, words=words, decoder=decoder, punctuator=punctuator
            )
            transcripts.append(replace(transcript, warnings=(*blocks.warnings, *transcript.warnings)))
        return merge_channels(transcripts) if channels == "split" else transcripts[0]

    def stream(
        self,
        sample_rate: int,
        *,
        decoding: Decoding = None,
        raw: bool = False,
        options: StreamOptions | None = None,
    ) -> Session:
        """Start to transcribe a stream, such as that of a microphone.

        Args:
            sample_rate: of the stream, Hz.
            decoding: as in `transcribe`.
            raw: as in `transcribe`.
            options: delay of the text, and where segments end.
        Raises:
            ConfigError: the model is an ONNX file, which has the graph for whole recordings only.
        Example:
            with recogniser.stream(44_100) as stream:
                for block in microphone:
                    stream.feed(block)
                    print(stream.partial)
                    for final in stream.finals():
                        print(final.segment.text)
        """
        from audioseq.speech.streaming.session import Session

        return Session(
            self.model,
            self.tokenizer,
            self.segment_decoder,
            sample_rate,
            decoder=self.choose_decoder(decoding),
            punctuator=self.choose_punctuator(raw),
            options=options or StreamOptions(),
        )

    def transcribe_emissions(
        self,
        chunks: Iterable[ChunkEmissions],
        path: str | None = None,
        *,
        words: bool = False,
        decoder: WordDecoder | None = None,
        punctuator: Punctuator | None = None,
        on_segment: Callable[[Segment, Sequence[Word]], object] | None = None,
    ) -> Transcript:
        """Decode the emissions of all chunks of a recording, in order.

        Args:
            chunks: the chunks with their emissions, see `compute_chunk_emissions`.
            path: path of the recording.
            words: include word timestamps and confidences.
            decoder: a decoder from `choose_decoder`; None for greedy decoding.
            punctuator: a model from `choose_punctuator`; None for a raw transcript.
            on_segment: called with each segment of the transcript and its words once it is complete.
        """
        segments: list[Segment] = []
        all_words: list[Word] = []
        raw_words: list[Word] = []
        duration, detector = 0.0, SpeechDetector()

        def decode() -> Iterator[Sequence[Word]]:
            nonlocal duration
            merged = iter(merge_chunks(chunks, self.tokenizer, self.model.frame_seconds))
            while batch := list(islice(merged, BATCH_SEGMENTS if on_segment is None else 1)):
                duration = batch[-1].end
                for found in self.segment_decoder.decode(batch, decoder, detector):
                    yield from split_at_pauses(found)

        for spoken, written in write_readable(decode(), punctuator):
            segments.append(to_segment(written))
            if on_segment is not None:
                on_segment(segments[-1], written)
            if words:
                all_words += written
                raw_words += () if written is spoken else spoken
        release_freed_memory()
        return Transcript(
            path=path,
            text=" ".join(segment.text for segment in segments),
            duration=duration,
            segments=tuple(segments),
            words=tuple(all_words),
            warnings=detector.warnings(),
            raw=" ".join(segment.raw for segment in segments),
            raw_words=tuple(raw_words),
        )

    @property
    def recommended_options(self) -> DecodingOptions | None:
        """The decoding options that the model card recommends; None for greedy decoding."""
        return recommended_options(self.header.card)

    def choose_decoder(self, decoding: Decoding) -> Decoder | None:
        """Return the decoder for a `decoding` argument of `transcribe`, or None; errors as in `Decoder`."""
        options = None if decoding == "greedy" else decoding or self.recommended_options
        return None if options is None else self.load_decoder(options)

    def choose_punctuator(self, raw: bool = False) -> Punctuator | None:
        """Return the punctuation model; None if the texts stay raw.

        Raises:
            CheckpointError: the file of the punctuation model is missing or damaged, or has another task.
        """
        if raw or self.punctuation is None:
            return None
        if self._punctuator is None:
            from audioseq.language.punctuation.pipeline import load_punctuator

            self._punctuator = load_punctuator(self.punctuation, "cpu")
        return self._punctuator

    def load_decoder(self, options: DecodingOptions) -> Decoder:
        """Load a decoder with its language models, or return it from the cache; errors as in `Decoder`."""
        return self._decoders.load(options)

    def compute_emissions(self, waveform: np.ndarray) -> Iterator[SegmentEmissions]:
        """Yield the merged emissions of a waveform `[N]` at 16 kHz, amplified if it is quiet, in order."""
        blocks = audio.stream_array(waveform, audio.SAMPLE_RATE, amplify=True)
        chunks = self.compute_chunk_emissions(iter_chunks(blocks, audio.SAMPLE_RATE))
        return merge_chunks(chunks, self.tokenizer, self.model.frame_seconds)

    def compute_chunk_emissions(self, chunks: Iterable[Chunk]) -> Iterator[ChunkEmissions]:
        """Yield chunks at 16 kHz, of one recording or of several, with their emissions, in order.

        Neighbouring chunks form batches, so chunks sorted by length need the least padding.
        """
        for batch in batch_chunks(chunks, int(BATCH_SECONDS * audio.SAMPLE_RATE)):
            computed = self.model.compute([chunk.waveform for chunk in batch])
            yield from map(ChunkEmissions, batch, computed)


def load_recogniser(
    model: str | Path | None = None,
    device: str = "auto",
    runtime: Runtime = "auto",
    *,
    punctuation: str | Path | None = None,
) -> Recogniser:
    """Load a speech model by its name or the path of its file; None loads the default model.

    Args:
        model: name or path of a model file, or of an ONNX file exported from one.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        runtime: `onnx` or `torch`; `auto` is torch on a GPU, and ONNX Runtime on the CPU.
        punctuation: name or path of the punctuation model for the texts; None for the one that the model
            card recommends.
    Raises:
        CheckpointError: the model does not exist, or its file is damaged or of another task.
        ConfigError: the device does not exist, or the runtime is not installed or does not run on it.
    """
    network, header = load_emission_model(model, device, runtime)
    return Recogniser(network, restore_tokenizer(header.tokenizer), header, punctuation)


def _open_source(source: AudioSource, sample_rate: int | None, channels: audio.Channels) -> audio.Stream:
    """Open a recording for reading in blocks at 16 kHz."""
    if not isinstance(source, str | Path) and hasattr(source, "shape"):  # an array or a tensor
        if sample_rate is None:
            raise AudioseqError(
                "a waveform needs its sample_rate, in Hz: transcribe(waveform, sample_rate=44100)"
            )
        return audio.stream_array(source, sample_rate, channels=channels, amplify=True)
    if sample_rate is not None:
        raise AudioseqError(f"{source}: the file already has a sample rate; leave out sample_rate")
    return audio.stream(source, channels=channels, amplify=True)


def _report_progress(
    chunks: Iterable[ChunkEmissions], seconds: float, index: int, channels: int, progress: ProgressCallback
) -> Iterator[ChunkEmissions]:
    for each in chunks:
        yield each
        progress((index * seconds + each.chunk.end / audio.SAMPLE_RATE) / channels, seconds)
