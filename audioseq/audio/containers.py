"""Formats that libsndfile cannot read (m4a, mp4, webm, amr, wma ...), decoded by PyAV if it is installed.

PyAV is an extra, `audioseq[formats]`. Its wheels contain the libraries of FFmpeg, so that one `pip install`
suffices on each system; an `ffmpeg` program would need a process, pipes and the parsing of its messages.
FFmpeg only gets an opened file and a list of demuxers, none of which opens other files or addresses, as those
of playlists do.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from audioseq.errors import AudioError

SUFFIXES = (
    ".3g2", ".3gp", ".aac", ".ac3", ".alac", ".amr", ".ape", ".asf", ".avi", ".awb", ".dts", ".flv", ".m4a",
    ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp2", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".tta", ".webm",
    ".wma", ".wmv", ".wv",
)  # fmt: skip
"""File name suffixes of recordings and videos that need PyAV."""
INSTALL = 'pip install "audioseq[formats]"'
DEMUXERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dts,dtshd,eac3,flac,flv,gsm,matroska,webm,mov,mp4,m4a,3gp,"
    "3g2,mj2,mp3,mpeg,mpegts,ogg,rm,spdif,tta,w64,wav,wv"
)
"""Names of the FFmpeg demuxers that are used."""
MISSING_SECONDS = 0.5
"""Containers round durations, and video may be longer than audio; less than this is not reported."""
MIN_BLOCK_SECONDS = 1.0
"""Decoded frames, of about 20 ms, are joined to blocks of this length."""


def available() -> bool:
    """Return whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


class ContainerSource:
    """The audio track of a file that FFmpeg decodes; see `sources.Source`.

    Args:
        file: opened for reading.
        where: name of the file in error messages.
    Raises:
        AudioError: PyAV is not installed, or the file has no audio that FFmpeg decodes.
    """

    def __init__(self, file: BinaryIO, where: str) -> None:
        if not available():
            raise AudioError(
                f"{where}: is not audio in a format that libsndfile reads; for m4a, mp4, webm, amr, wma and "
                f"others: {INSTALL}"
            )
        self._file, self._where = file, where
        self.warnings: list[str] = []
        with self._open() as container:
            tracks = container.streams.audio
            if not tracks:
                raise AudioError(f"{where}: has no audio track; choose a file with sound")
            self._tracks = len(tracks)
            codec = tracks[0].codec_context
            if codec is None:
                raise AudioError(f"{where}: FFmpeg does not know its audio codec; convert it to wav or flac")
            self.is_float = codec.name.startswith("pcm_f")
            self.seconds = float(tracks[0].duration * tracks[0].time_base) if tracks[0].duration else 0.0
            if not self.seconds and container.duration:
                self.seconds = container.duration / 1e6
        # Headers may be wrong about the rate and the channels (HE-AAC); the samples are not.
        first = next(self._frames(), None)
        if first is None:
            raise AudioError(f"{where}: has no audio that can be decoded; copy it again")
        self.rate, block = first
        self.channels = block.shape[1]

    def blocks(self, start: float = 0.0) -> Iterator[NDArray[np.float32]]:
        """Decode the track; what comes before `start` is decoded and dropped, which is exact."""
        self.warnings = []
        if self._tracks > 1:
            self.warnings.append(f"has {self._tracks} audio tracks; the first one is used")
        skip, done, parts, size = round(start * self.rate), 0, [], 0
        for rate, block in self._frames(warn=True):
            if rate != self.rate or block.shape[1] != self.channels:
                self.warnings.append(
                    f"its format changes after {done / self.rate:.2f} s; the rest is left out"
                )
                break
            done += len(block)
            before = len(block)
            block = block[min(skip, before) :]
            skip = max(0, skip - before)
            parts.append(block)
            size += len(block)
            if size >= MIN_BLOCK_SECONDS * self.rate:
                yield np.concatenate(parts)
                parts, size = [], 0
        if parts:
            yield np.concatenate(parts)
        missing = self.seconds - done / self.rate
        if self.seconds and missing > MISSING_SECONDS:
            self.warnings.append(f"truncated: the last {missing:.2f} s of {self.seconds:.2f} s are missing")

    def _open(self) -> Any:
        import av

        self._file.seek(0, os.SEEK_SET)
        options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "none"}
        try:
            return av.open(self._file, metadata_errors="replace", options=options)
        except (av.FFmpegError, ValueError) as error:
            raise AudioError(
                f"{self._where}: is not audio in a supported format; convert it to wav, flac, ogg, opus, mp3 "
                "or m4a, for example: ffmpeg -i INPUT OUTPUT.wav"
            ) from error

    def _frames(self, *, warn: bool = False) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the sample rate and the samples `[n, channels]` of each frame, without damaged packets."""
        import av

        damaged = 0
        with self._open() as container:
            track = container.streams.audio[0]
            track.thread_type = "NONE"
            packets = container.demux(track)
            while True:
                try:
                    packet = next(packets, None)
                    if packet is None:
                        break
                    for frame in packet.decode():
                        yield frame.sample_rate, _samples(frame)
                except av.EOFError:
                    break
                except (av.FFmpegError, IndexError):  # IndexError: a packet of a track that begins later
                    damaged += 1
                    if packets.gi_frame is None:  # the file, not a packet, is damaged
                        break
        if damaged and warn:
            self.warnings.append(f"damaged: {damaged} packets cannot be decoded")


def _samples(frame: Any) -> NDArray[np.float32]:
    """Return the samples of a frame `[n, channels]`, scaled to -1..1."""
    array: NDArray[Any] = frame.to_ndarray()
    samples = array.T if frame.format.is_planar else array.reshape(-1, frame.layout.nb_channels)
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - np.float32(128)) / np.float32(128)
    if samples.dtype.kind == "i":
        return (samples / -float(np.iinfo(samples.dtype).min)).astype(np.float32)
    return samples.astype(np.float32)
