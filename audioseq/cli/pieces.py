"""The files that a command writes for each piece: MIDI, sheet music, audio and plots."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audioseq.cli.common import print_result, writing_stdout
from audioseq.cli.paths import check_writable, free_path, numbered_path
from audioseq.errors import FileError
from audioseq.files import writing

if TYPE_CHECKING:
    from audioseq.midi import Score
    from audioseq.music.rendering.render import Sound

WAV_SAMPLE_RATE = 44_100
"""Sample rate of `--wav`, Hz."""
STDOUT = Path("-")
"""Value of `--output` that writes the MIDI file to stdout."""
MUSICXML_SUFFIXES = (".musicxml", ".xml")
ABC_SUFFIXES = (".abc",)

FILES_PANEL = "Files beside the piece"
"""Title of these options in the help."""
Wav = Annotated[
    Path | None,
    typer.Option(metavar="FILE.wav", rich_help_panel=FILES_PANEL, help="Stereo audio (.wav, .flac or .mp3)."),
]
Stems = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", rich_help_panel=FILES_PANEL,
        help="Folder for stems: a wav file for each track, which together are the piece.",
    ),
]  # fmt: skip
Reverb = Annotated[
    bool,
    typer.Option(
        "--reverb/--no-reverb", rich_help_panel=FILES_PANEL, help="Whether the audio has reverberation."
    ),
]
SoundFont = Annotated[
    Path | None,
    typer.Option(
        "--soundfont", metavar="FILE.sf2", rich_help_panel=FILES_PANEL,
        help="Sound font for the audio; needs FluidSynth.",
        show_default="AUDIOSEQ_SOUNDFONT, one of the system, or built-in sounds",
    ),
]  # fmt: skip
MusicXml = Annotated[
    Path | None,
    typer.Option(
        "--musicxml", metavar="FILE.musicxml", rich_help_panel=FILES_PANEL,
        help="Sheet music, for MuseScore and other notation programs.",
    ),
]  # fmt: skip
Abc = Annotated[
    Path | None,
    typer.Option(metavar="FILE.abc", rich_help_panel=FILES_PANEL, help="The melody in ABC notation."),
]
Plot = Annotated[
    Path | None,
    typer.Option(metavar="FILE.png", rich_help_panel=FILES_PANEL, help="Piano roll (.png, .svg or .pdf)."),
]


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
        stems: folder for the audio of each track.
        reverb: whether the audio has reverberation.
        sound_font: for FluidSynth.
    """

    output: Path | None = None
    wav: Path | None = None
    plot: Path | None = None
    musicxml: Path | None = None
    abc: Path | None = None
    stems: Path | None = None
    reverb: bool = True
    sound_font: Path | None = None

    def check(self, count: int, force: bool) -> None:
        """Check the names of the files of a number of pieces, before any work is done for them.

        Raises:
            FileError: a file cannot be written, exists, or has a suffix of another format.
            AudioError: the sound font is missing, or FluidSynth is.
            BadParameter: several pieces would be written to stdout, or an option has no effect.
            AudioseqError: a library that a format needs is not installed.
        """
        if self.output == STDOUT and count > 1:
            raise typer.BadParameter("cannot hold several pieces; give a file name", param_hint="-o -")
        if self.wav is None and self.stems is None and (self.sound_font or not self.reverb):
            option = "--no-reverb" if self.sound_font is None else "--soundfont"
            raise typer.BadParameter("needs --wav or --stems", param_hint=option)
        self._check_suffixes()
        self._sound()
        if self.stems is not None and self.stems.exists() and not self.stems.is_dir():
            raise FileError(f"{self.stems}: is a file; name a folder for the stems")
        paths = (self.output if self.output != STDOUT else None, self.wav, self.plot, self.musicxml, self.abc)
        for path in filter(None, paths):
            for number in range(count):
                check_writable(numbered_path(path, number, count), force)

    def write(self, score: Score, played: Score, name: str, number: int, count: int) -> Path:
        """Write the files of a piece, and print the path of the main one.

        Args:
            score: the piece as notation and plots have it.
            played: the piece as MIDI and audio have it.
            name: file name without suffix, if the user gives none.
            number: index of the piece, from 0.
            count: number of pieces.
        Returns:
            the path of the main file.
        """
        from audioseq import audio
        from audioseq.music.rendering.render import render

        numbered = numbered_path(self.output or Path(f"{name}.mid"), number, count)
        path = numbered if self.output is not None else free_path(numbered)
        if self.output != STDOUT:
            _write_piece(score, played, path)
        for each in filter(None, (self.musicxml, self.abc)):
            _write_piece(score, played, numbered_path(each, number, count))
        if self.wav is not None:
            audio.write(
                numbered_path(self.wav, number, count),
                render(played, WAV_SAMPLE_RATE, self._sound()),
                WAV_SAMPLE_RATE,
            )
        if self.stems is not None:
            self._write_stems(
                played, self.stems, path.stem if self.output != STDOUT else f"piece-{number + 1}"
            )
        if self.plot is not None:
            from audioseq.music.analysis.plot import piano_roll

            piano_roll(score, numbered_path(self.plot, number, count))
        if self.output == STDOUT:
            with writing_stdout():
                sys.stdout.buffer.write(played.to_bytes())
                sys.stdout.buffer.flush()
        else:
            print_result(str(path))
        return path

    def _sound(self) -> Sound:
        from audioseq.music.rendering.render import Sound

        return Sound(stereo=True, reverb=self.reverb, sound_font=self.sound_font)

    def _write_stems(self, score: Score, folder: Path, name: str) -> None:
        """Write a wav file for each track, named after the piece and the instrument."""
        from audioseq import audio
        from audioseq.midi.notation.staves import track_names
        from audioseq.music.rendering.render import render_stems

        with writing(folder, "choose another name"):
            folder.mkdir(parents=True, exist_ok=True)
        stems = render_stems(score, WAV_SAMPLE_RATE, self._sound())
        for number, (track, samples) in enumerate(zip(track_names(score), stems, strict=True), 1):
            safe = re.sub(r"[^\w]+", "-", track.lower()).strip("-") or "track"
            audio.write(folder / f"{name}-{number}-{safe}.wav", samples, WAV_SAMPLE_RATE)

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
        named = (self.musicxml, "a MusicXML file", MUSICXML_SUFFIXES), (self.abc, "an ABC file", ABC_SUFFIXES)
        for path, form, suffixes in (*named, (self.wav, "an audio file", WRITE_SUFFIXES)):
            if path is not None and path.suffix.lower() not in suffixes:
                raise FileError(f"{path}: is not the name of {form}; name it {' or '.join(suffixes)}")
        if any(
            path is not None and path.suffix.lower() in MUSICXML_SUFFIXES
            for path in (self.output, self.musicxml)
        ):
            check_installed()
        if self.plot is not None:
            check(self.plot)


def _write_piece(score: Score, played: Score, path: Path) -> None:
    """Write a piece in the format that the suffix of the file tells."""
    suffix = path.suffix.lower()
    if suffix in MUSICXML_SUFFIXES:
        score.to_musicxml(path)
    elif suffix in ABC_SUFFIXES:
        score.to_abc(path)
    else:
        played.save(path)
