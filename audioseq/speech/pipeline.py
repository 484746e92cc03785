"""From a model file and a recording to a transcript."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from audioseq import audio, checkpoint, models
from audioseq.checkpoint import Header
from audioseq.config import parse
from audioseq.data import pad
from audioseq.device import choose_device
from audioseq.errors import AudioseqError
from audioseq.speech.config import SpeechConfig
from audioseq.speech.decoding.decoder import Decoder, Decoding, DecodingOptions, recommended_options
from audioseq.speech.decoding.forced_alignment import Span, as_spoken, to_words
from audioseq.speech.decoding.greedy import greedy
from audioseq.speech.longform.chunking import Chunk, iter_chunks
from audioseq.speech.longform.merging import ChunkEmissions, SegmentEmissions, merge_chunks
from audioseq.speech.longform.speech_detection import SpeechDetector
from audioseq.speech.model import AcousticModel, build
from audioseq.speech.transcript import Segment, Transcript, Word
from audioseq.text.subwords import restore
from audioseq.text.tokenizer import Tokenizer

BATCH_SECONDS = 60.0
"""Seconds of audio, padding counted, that are in memory as activations at once."""

AudioSource = str | Path | BinaryIO | np.ndarray | Tensor
ProgressCallback = Callable[[float, float], object]


class Recogniser:
    """A trained speech model that turns recordings into text.

    Args:
        model: the acoustic model, with its weights.
        tokenizer: the alphabet it emits.
        header: what the model file says about it.
        device: where it runs.
    """

    def __init__(
        self, model: AcousticModel, tokenizer: Tokenizer, header: Header, device: torch.device
    ) -> None:
        self.model = model.to(device).eval()
        self.tokenizer = tokenizer
        self.header = header
        self.device = device
        self._decoders: dict[DecodingOptions, Decoder] = {}

    def transcribe(
        self,
        source: AudioSource,
        sample_rate: int | None = None,
        *,
        words: bool = False,
        decoding: Decoding = None,
        progress: ProgressCallback | None = None,
    ) -> Transcript:
        """Write down what is said in a recording of any length; its memory does not grow with it.

        Args:
            source: a file that soundfile reads, by its path or opened; or a waveform `[N]`, `[N, channels]`
                or `[channels, N]`.
            sample_rate: of a waveform, in Hz; must be left out for a file.
            words: also say when each word begins and ends, and how sure the model is of it.
            decoding: how to search for the most probable text, perhaps with a language model or hotwords;
                `greedy` takes the most probable token of each frame, None what the model's card advises.
            progress: called now and then with the seconds heard, and those that there seem to be.
        Raises:
            AudioError: the recording cannot be read, or is not finite.
            CheckpointError: there is no such language model.
            ConfigError: the model cannot spell a hotword.
        """
        decoder = self.decoder_for(decoding)
        blocks, seconds = _opened(source, sample_rate)
        heard = self.compute_chunk_emissions(iter_chunks(blocks, audio.SAMPLE_RATE))
        if progress is not None:
            heard = _watched(heard, seconds, progress)
        path = str(source) if isinstance(source, str | Path) else None
        return self.transcript(heard, path, words=words, decoder=decoder)

    def transcript(
        self,
        heard: Iterable[ChunkEmissions],
        path: str | None = None,
        *,
        words: bool = False,
        decoder: Decoder | None = None,
    ) -> Transcript:
        """Write down what was heard in all the pieces of a recording, in order.

        Args:
            heard: as `hear` yields them.
            path: of the recording.
            words: as in `transcribe`.
            decoder: as `decoder_for` returns it.
        """
        segments: list[Segment] = []
        spoken: list[Word] = []
        duration, detector = 0.0, SpeechDetector()
        for emission in merge_chunks(heard, self.tokenizer, self.model.frame_seconds):
            duration = emission.end
            if found := self._words(emission, decoder, detector):
                segments.append(Segment(found[0].start, found[-1].end, " ".join(w.word for w in found)))
                if words:
                    spoken += found
        return Transcript(
            path=path,
            text=" ".join(segment.text for segment in segments),
            duration=duration,
            segments=tuple(segments),
            words=tuple(spoken),
            warnings=detector.warnings(),
        )

    @property
    def recommended(self) -> DecodingOptions | None:
        """The search that the model's card advises, if it does."""
        return recommended_options(self.header.card)

    def decoder_for(self, decoding: Decoding) -> Decoder | None:
        """Return what searches as asked, None if that is greedy; errors as in `search`."""
        if decoding == "greedy":
            return None
        decoding = decoding or self.recommended
        return None if decoding is None else self.decoder(decoding)

    def decoder(self, decoding: DecodingOptions) -> Decoder:
        """Return what searches for texts in the emissions that `listen` yields; it is kept for the next time.

        Raises:
            CheckpointError: there is no such language model.
            ConfigError: the model cannot spell a hotword.
        """
        if decoding not in self._decoders:
            self._decoders[decoding] = Decoder(decoding, self.tokenizer, self.header.card)
        return self._decoders[decoding]

    def _words(
        self, emission: SegmentEmissions, decoder: Decoder | None, detector: SpeechDetector
    ) -> list[Word]:
        """Return the words of a stretch, if it is speech, with their times in the recording."""
        heard = greedy(emission.log_probs)
        if not detector.is_speech(emission.chunk.waveform, heard):
            return []
        if decoder is not None:
            words = decoder.words(emission.log_probs, self.model.frame_seconds)
        else:
            # The greedy path is the best of all paths, so it is the forced alignment of its own text too.
            spans = [Span(*frames, score) for frames, score in zip(heard.frames, heard.scores, strict=True)]
            words = to_words(heard.tokens, spans, self.tokenizer, self.model.frame_seconds)
        return [
            replace(word, start=word.start + emission.start, end=word.end + emission.start)
            for word in as_spoken(words, emission.end - emission.start)
        ]

    def compute_emissions(self, waveform: np.ndarray) -> Iterator[SegmentEmissions]:
        """Yield the emissions of each stretch of a waveform `[N]` at 16 kHz, in order."""
        heard = self.compute_chunk_emissions(iter_chunks([waveform], audio.SAMPLE_RATE))
        return merge_chunks(heard, self.tokenizer, self.model.frame_seconds)

    def compute_chunk_emissions(self, pieces: Iterable[Chunk]) -> Iterator[ChunkEmissions]:
        """Yield pieces at 16 kHz, of one recording or of many, with what the model emits, in order.

        They are computed in batches of neighbours; those that are of about one length cost the least.
        """
        for batch in _batches(pieces, int(BATCH_SECONDS * audio.SAMPLE_RATE)):
            padded, lengths = pad([torch.from_numpy(chunk.waveform) for chunk in batch])
            emissions = self.model.compute_emissions(padded.to(self.device), lengths.to(self.device))
            rows = emissions.log_probs.cpu().numpy()
            for chunk, row, length in zip(batch, rows, emissions.lengths.tolist(), strict=True):
                yield ChunkEmissions(chunk, row[:length])


def load_recogniser(model: str | Path | None = None, device: str = "auto") -> Recogniser:
    """Open a speech model by its name or the path of its file, or the one that is used when none is named.

    Raises:
        CheckpointError: there is no such model, or the file is damaged or of another task.
        ConfigError: the device does not exist.
    """
    model = model if model is not None else models.default_for("speech")
    stored = checkpoint.load(models.resolve(model, task="speech"), task="speech")
    config = parse(SpeechConfig, stored.header.config, f"the config in {model}")
    tokenizer = restore(stored.header.tokenizer)
    network = build(config, tokenizer)
    stored.fill(network, model)
    return Recogniser(network, tokenizer, stored.header, choose_device(device))


def _opened(source: AudioSource, sample_rate: int | None) -> tuple[Iterable[np.ndarray], float]:
    """Return the blocks of a recording at 16 kHz, and its seconds."""
    if isinstance(source, np.ndarray | Tensor):
        if sample_rate is None:
            raise AudioseqError(
                "a waveform needs its sample_rate, in Hz: transcribe(waveform, sample_rate=44100)"
            )
        waveform = audio.prepare(source, sample_rate)
        return [waveform], len(waveform) / audio.SAMPLE_RATE
    if sample_rate is not None:
        raise AudioseqError(f"{source}: a file says its sample rate itself; leave out sample_rate")
    blocks = audio.stream(source)
    return blocks, blocks.seconds


def _watched(
    heard: Iterable[ChunkEmissions], seconds: float, progress: ProgressCallback
) -> Iterator[ChunkEmissions]:
    for each in heard:
        yield each
        progress(each.chunk.end / audio.SAMPLE_RATE, seconds)


def _batches(pieces: Iterable[Chunk], most: int) -> Iterator[list[Chunk]]:
    """Group neighbours so that a padded batch has at most `most` samples (or is a single piece)."""
    batch: list[Chunk] = []
    longest = 0
    for chunk in pieces:
        if batch and max(longest, len(chunk.waveform)) * (len(batch) + 1) > most:
            yield batch
            batch, longest = [], 0
        batch.append(chunk)
        longest = max(longest, len(chunk.waveform))
    if batch:
        yield batch
