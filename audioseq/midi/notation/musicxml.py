"""Sheet music as MusicXML, the format of notation programs such as MuseScore; needs music21."""

from __future__ import annotations

from fractions import Fraction
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from audioseq.errors import AudioseqError
from audioseq.midi.notation.rhythm import QUARTER, triplet_spans
from audioseq.midi.notation.sheet import Bar, Sheet, SheetPart, Staff, Symbol
from audioseq.midi.notation.spelling import spell

if TYPE_CHECKING:
    from music21 import stream

DRUM_POSITIONS = {35: "F4", 36: "F4", 38: "C5", 40: "C5", 42: "G5", 44: "D4", 46: "G5", 49: "A5", 51: "F5"}
"""Where percussion keys of General MIDI stand on the staff; others on the line of the toms."""
OTHER_DRUM_POSITION = "D5"
CHORD_KINDS = {
    "": "major", "m": "minor", "dim": "diminished", "aug": "augmented", "7": "dominant-seventh",
    "maj7": "major-seventh", "m7": "minor-seventh", "dim7": "diminished-seventh",
    "m7b5": "half-diminished-seventh", "mM7": "minor-major-seventh", "6": "major-sixth", "m6": "minor-sixth",
    "sus4": "suspended-fourth", "sus2": "suspended-second", "5": "power", "9": "dominant-ninth",
    "maj9": "major-ninth", "m9": "minor-ninth", "13": "dominant-13th",
}  # fmt: skip
"""Kinds of chords in MusicXML, by the end of their symbol; others count as major, with their text."""
CLEFS = {
    "treble": "TrebleClef",
    "treble8vb": "Treble8vbClef",
    "alto": "AltoClef",
    "bass": "BassClef",
    "percussion": "PercussionClef",
}


def check_installed() -> None:
    """Raise an AudioseqError if music21 is not installed."""
    if find_spec("music21") is None:
        raise AudioseqError("MusicXML needs music21; install it with: pip install 'audioseq[notation]'")


def to_musicxml(sheet: Sheet, title: str = "") -> bytes:
    """Return sheet music as the content of a MusicXML file.

    Raises:
        AudioseqError: music21 is not installed.
    """
    check_installed()
    from music21 import layout, metadata, stream
    from music21.musicxml.m21ToXml import ScoreExporter

    score = stream.Score()
    score.metadata = metadata.Metadata(title=title or "Untitled", composer=" ")
    for number, part in enumerate(sheet.parts):
        staves = [
            _to_staff(part, staff, sheet, is_first=number == index == 0)
            for index, staff in enumerate(part.staves)
        ]
        for each in staves:
            score.insert(0, each)
        if len(staves) > 1:
            score.insert(0, layout.StaffGroup(staves, name=part.name, symbol="brace", barTogether=True))
    tree: ElementTree.Element = ScoreExporter(score, makeNotation=False).parse()
    content: bytes = ElementTree.tostring(tree, encoding="utf-8", xml_declaration=True)
    return content


def _to_staff(part: SheetPart, staff: Staff, sheet: Sheet, is_first: bool) -> stream.PartStaff:
    """Return a staff with its measures; the first of the piece has the tempos and chords."""
    from music21 import clef, stream

    result = stream.PartStaff()
    result.partName = part.name
    result.insert(0, _instrument(part))
    before: Bar | None = None
    first = 0 if sheet.bars[0].lead else 1  # a pickup is bar 0
    for number, (bar, voices) in enumerate(zip(sheet.bars, staff.bars, strict=True), first):
        measure = stream.Measure(number=number)
        if bar.lead:
            measure.paddingLeft = bar.lead / QUARTER
            measure.showNumber = stream.enums.ShowNumber.NEVER
        if before is None:
            measure.insert(0, getattr(clef, CLEFS[staff.clef])())
        _insert_signatures(measure, bar, before, is_first)
        for index, symbols in enumerate(voices):
            elements = _to_elements(
                symbols, bar, staff.clef == "percussion", index if len(voices) > 1 else None
            )
            target = measure if len(voices) == 1 else stream.Voice(id=str(index + 1))
            for symbol, element in zip(symbols, elements, strict=True):
                target.insert(Fraction(symbol.start - bar.lead, QUARTER), element)
            if target is not measure:
                measure.insert(0, target)
        for tick, name in bar.chords if is_first else ():
            measure.insert(Fraction(tick - bar.lead, QUARTER), _chord_symbol(name))
        result.append(measure)
        before = bar
    result.makeBeams(inPlace=True, setStemDirections=False)
    result.makeAccidentals(inPlace=True, cautionaryNotImmediateRepeat=False)
    result.getElementsByClass(stream.Measure)[-1].rightBarline = "final"
    return result


def _chord_symbol(symbol: str) -> Any:
    """Return the harmony of a chord symbol, with the kind of chord as it is written."""
    from music21 import harmony

    head, _, bass = symbol.partition("/")
    length = 2 if head[1:2] in tuple("b♭#♯") and head[1:2] else 1
    root, suffix = head[:length], head[length:]
    names = [name.replace("b", "-").replace("♭", "-").replace("♯", "#") for name in (root, bass or root)]
    made = harmony.ChordSymbol(root=names[0], bass=names[1], kind=CHORD_KINDS.get(suffix, "major"))
    made.chordKindStr = suffix
    made.writeAsChord = False
    return made


def _instrument(part: SheetPart) -> Any:
    from music21 import instrument

    found = instrument.Percussion() if part.staves[0].clef == "percussion" else None
    if found is None:
        found = instrument.Instrument()
        found.midiProgram = part.program
    found.partName = found.instrumentName = part.name
    return found


def _insert_signatures(measure: stream.Measure, bar: Bar, before: Bar | None, with_tempo: bool) -> None:
    """Add key, meter and tempo to a measure where they change."""
    from music21 import key, meter, tempo

    if before is None or (bar.fifths, bar.minor) != (before.fifths, before.minor):
        measure.insert(0, key.KeySignature(bar.fifths).asKey("minor" if bar.minor else "major"))
    if before is None or bar.meter != before.meter:
        measure.insert(0, meter.TimeSignature(f"{bar.meter[0]}/{bar.meter[1]}"))
    if bar.tempo is not None and with_tempo:
        measure.insert(0, tempo.MetronomeMark(number=round(bar.tempo)))


def _to_elements(symbols: tuple[Symbol, ...], bar: Bar, is_drum: bool, voice: int | None) -> list[Any]:
    """Return notes, chords and rests of one voice in one bar.

    Args:
        voice: 0 for the upper of two voices, with stems up; 1 for the lower, with hidden rests; else None.
    """
    from music21 import chord, duration, note, tie

    spans = list(triplet_spans(edge for each in symbols for edge in (each.start, each.start + each.ticks)))
    elements = []
    for symbol in symbols:
        if not symbol.pitches:
            element: Any = note.Rest()
            element.fullMeasure = symbol.ticks == bar.ticks
            element.style.hideObjectOnPrint = voice == 1
        elif is_drum:
            element = note.Unpitched(displayName=DRUM_POSITIONS.get(symbol.pitches[-1], OTHER_DRUM_POSITION))
        else:
            notes = [note.Note(_pitch(pitch, bar)) for pitch in symbol.pitches]
            element = notes[0] if len(notes) == 1 else chord.Chord(notes)
        element.duration = duration.Duration(Fraction(symbol.ticks, QUARTER))
        if symbol.pitches and voice is not None:
            element.stemDirection = ("up", "down")[voice]
        if symbol.triplet:
            _mark_triplet(element, symbol, spans)
        if symbol.tie:
            element.tie = tie.Tie(symbol.tie)
        elements.append(element)
    return elements


def _pitch(midi: int, bar: Bar) -> Any:
    from music21 import pitch

    letter, alteration, octave = spell(midi, bar.fifths, bar.minor)
    result = pitch.Pitch(step=letter, octave=octave)
    if alteration:
        result.accidental = pitch.Accidental(alteration)
    return result


def _mark_triplet(element: Any, symbol: Symbol, spans: list[tuple[int, int]]) -> None:
    """Mark the first and the last symbol of a triplet with its bracket."""
    first = any(symbol.start == start for start, _ in spans)
    last = any(symbol.start + symbol.ticks == end for _, end in spans)
    for tuplet in element.duration.tuplets:
        tuplet.type = "start" if first else "stop" if last else None
