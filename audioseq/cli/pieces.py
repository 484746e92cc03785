"""The files that a command writes for each piece: MIDI, sheet music, audio and plots."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from audioseq.cli.common import print_result, writing_stdout
from audioseq.cli.paths import check_writable, free_path, numbered_path
from audioseq.errors import FileError

if TYPE_CHECKING:
    from audioseq.midi import Score

WAV_SAMPLE_RATE = 44_100
"""Sample rate of `--wav`, Hz."""
STDOUT = Path("-")
"""Value of `--output` that writes the MIDI file to stdout."""
MUSICXML_SUFFIXES = (".musicxml", ".xml")
ABC_SUFFIXES = (".abc",)


@dataclass(frozen=True)
class Outputs:
    """The files that the user asks for; with several pieces, their names are numbered.

    Args:
        output: the main file, whose suffix tells its format: MIDI, MusicXML or ABC; - is stdout; None for a
            MIDI file with a name of its own.
        wav: audio.
        plot: piano roll.
        musicxml: sheet music as MusicXML.
        abc: the melody as ABC.
    """

    output: Path | None = None
    wav: Path | None = None
    plot: Path | None = None
    musicxml: Path | None = None
    abc: Path | None = None

    def check(self, count: int, force: bool) -> None:
        """Check the names of the files of a number of pieces, before any work is done for them.

        Raises:
            FileError: a file cannot be written, exists, or has a suffix of another format.
            BadParameter: several pieces would be written to stdout.
            AudioseqError: a library that a format needs is not installed.
        """
        if self.output == STDOUT and count > 1:
            raise typer.BadParameter("cannot hold several pieces; give a file name", param_hint="-o -")
        self._check_suffixes()
        paths = (self.output if self.output != STDOUT else None, self.wav, self.plot, self.musicxml, self.abc)
        for path in filter(None, paths):
            for number in range(count):
                check_writable(numbered_path(path, number, count), force)

    def write(self, score: Score, name: str, number: int, count: int) -> Path:
        """Write the files of a piece, and print the path of the main one.

        Args:
            score: the piece.
            name: file name without suffix, if the user gives none.
            number: index of the piece, from 0.
            count: number of pieces.
        Returns:
            the path of the main file.
        """
        numbered = numbered_path(self.output or Path(f"{name}.mid"), number, count)
        path = numbered if self.output is not None else free_path(numbered)
        if self.output != STDOUT:
            _write_piece(score, path)
        for each in filter(None, (self.musicxml, self.abc)):
            _write_piece(score, numbered_path(each, number, count))
        if self.wav is not None:
            _write_wav(score, numbered_path(self.wav, number, count))
        if self.plot is not None:
            from audioseq.music.analysis.plot import piano_roll

            piano_roll(score, numbered_path(self.plot, number, count))
        if self.output == STDOUT:
            with writing_stdout():
                sys.stdout.buffer.write(score.to_bytes())
                sys.stdout.buffer.flush()
        else:
            print_result(str(path))
        return path

    def _check_suffixes(self) -> None:
        from audioseq.audio import WRITE_SUFFIXES
        from audioseq.midi import SUFFIXES
        from audioseq.midi.notation.musicxml import check_installed
        from audioseq.music.analysis.plot import check

        written = (*SUFFIXES, *MUSICXML_SUFFIXES, *ABC_SUFFIXES)
        if self.output is not None and self.output.suffix.lower() not in ("", *written):
            raise FileError(
                f"{self.output}: is not the name of a MIDI, MusicXML or ABC file; name it .mid, .musicxml "
                "or .abc, and use --wav for audio"
            )
        named = (self.musicxml, "MusicXML", MUSICXML_SUFFIXES), (self.abc, "ABC", ABC_SUFFIXES)
        for path, form, suffixes in (*named, (self.wav, "wav", WRITE_SUFFIXES)):
            if path is not None and path.suffix.lower() not in suffixes:
                raise FileError(f"{path}: is not the name of a {form} file; name it {' or '.join(suffixes)}")
        if any(
            path is not None and path.suffix.lower() in MUSICXML_SUFFIXES
            for path in (self.output, self.musicxml)
        ):
            check_installed()
        if self.plot is not None:
            check(self.plot)


def _write_piece(score: Score, path: Path) -> None:
    """Write a piece in the format that the suffix of the file tells."""
    suffix = path.suffix.lower()
    if suffix in MUSICXML_SUFFIXES:
        score.to_musicxml(path)
    elif suffix in ABC_SUFFIXES:
        score.to_abc(path)
    else:
        score.save(path)


def _write_wav(score: Score, path: Path) -> None:
    from audioseq import audio
    from audioseq.music.rendering.render import render

    audio.write(path, render(score, WAV_SAMPLE_RATE), WAV_SAMPLE_RATE)
