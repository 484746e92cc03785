"""Sheet music: rhythms and voices, and files read back by partitura, music21 and verovio."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from audioseq.errors import AudioseqError, MidiError
from audioseq.midi import Note, Score
from audioseq.midi.notation import musicxml
from audioseq.midi.notation.rhythm import PLAIN_TICKS, TRIPLET_TICKS, BeatGrids, split
from audioseq.midi.notation.sheet import Sheet, to_sheet
from audioseq.midi.notation.spelling import spell

METERS = ((4, 4), (3, 4), (2, 4), (6, 8), (9, 8), (12, 8), (5, 8), (2, 2), (7, 4), (1, 8))


def score(*notes: tuple[float, float, int], program: int = 0, **options: Any) -> Score:
    """Notes as (onset, end, pitch) in quarter notes at 60 quarters per minute."""
    made = tuple(Note(pitch, 80, start, end - start, program) for start, end, pitch in notes)
    return Score(made, ((0.0, 60.0),), **options)


def melody(*beats: float, pitch: int = 72) -> list[tuple[float, float, int]]:
    """Notes that follow each other, at these positions; the last is the end."""
    return [(start, end, pitch) for start, end in pairwise(beats)]


def rhythm_of(made: Score) -> list[str]:
    """The first voice of the first staff, a string for each bar: ticks, r for rests, ~ for ties."""
    staff = to_sheet(made).parts[0].staves[0]
    return [
        " ".join(
            f"{'' if each.pitches else 'r'}{each.ticks}{'~' * (each.tie in ('start', 'continue'))}"
            for each in bar[0]
        )
        for bar in staff.bars
    ]


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        (melody(0, 1, 2, 3, 4), ["24 24 24 24"]),
        (melody(0, 0.5, 1.5, 2.5, 3, 4), ["12 24 12~ 12 12 24"]),  # the middle of the bar shows
        (melody(0, 1, 3, 4), ["24 48 24"]),
        (melody(3, 5), ["r48 r24 24~", "24 r24 r48"]),
        (
            [(0, 0.4, 72), (1, 1.45, 72), (2, 2.95, 72), (3, 3.1, 72), (3.5, 4, 72)],
            ["12 r12 12 r12 24 12 12"],
        ),
        (melody(0, 1 / 3, 2 / 3, 1, 5 / 3, 2, 4), ["8 8 8 16 8 48"]),
        (melody(0, 0.25, 0.5, 0.75, 1, 1.75, 2, 4), ["6 6 6 6 18 6 48"]),
        (melody(0.02, 0.97, 1.53, 2.01, 3.04, 4.0), ["24 12 12 24 24"]),  # played, not exact
    ],
    ids=lambda value: " | ".join(value) if isinstance(value, list) and isinstance(value[0], str) else "",
)
def test_rhythms_are_readable(notes: list[tuple[float, float, int]], expected: list[str]) -> None:
    assert rhythm_of(score(*notes)) == expected


def test_compound_meters_show_their_beats() -> None:
    made = score(*melody(0, 0.5, 1.5, 2.5, 3), time_signatures=((0.0, 6, 8),))
    assert rhythm_of(made) == ["12 24 24 12"]
    tied = score(*melody(0, 1, 2, 3), time_signatures=((0.0, 6, 8),))
    assert rhythm_of(tied) == ["24 12~ 12 24"]


@given(st.sampled_from(METERS), st.data())
def test_any_span_is_split_into_symbols_that_can_be_written(
    meter: tuple[int, int], data: st.DataObject
) -> None:
    length = 96 * meter[0] // meter[1] // 3
    start = data.draw(st.integers(0, length - 1))
    end = data.draw(st.integers(start + 1, length))
    is_rest = data.draw(st.booleans())
    spans = list(split(3 * start, 3 * end, meter, [3 * start, 3 * end], is_rest))
    assert [first for first, _, _ in spans] == [3 * start, *(last for _, last, _ in spans[:-1])]
    assert spans[-1][1] == 3 * end and all(last - first in PLAIN_TICKS for first, last, _ in spans)


@given(st.lists(st.floats(0, 95), max_size=12))
def test_quantised_onsets_are_near(onsets: list[float]) -> None:
    grids = BeatGrids.choose(onsets, range(0, 96, 24))
    assert all(abs(grids.quantise(onset) - onset) <= 12 for onset in onsets)


def test_held_notes_get_a_voice_of_their_own() -> None:
    made = score(
        *((start, start + 0.5, 60 + int(start)) for start in np.arange(0, 4, 0.5)), (0, 4, 79), program=73
    )
    (upper, lower), *_ = to_sheet(made).parts[0].staves[0].bars
    assert [(each.ticks, each.pitches) for each in upper] == [(96, (79,))] and len(lower) == 8
    homophonic = score((0, 1, 60), (0, 1, 64), (1, 2, 62), (1, 2, 65))
    assert [len(bar) for bar in to_sheet(homophonic).parts[0].staves[0].bars] == [1]


def test_pianos_have_two_staves_and_others_their_clefs() -> None:
    piano = score((0, 1, 72), (0, 1, 76), (0, 1, 43), (0, 1, 36), (1, 2, 62), (1, 2, 50))
    right, left = to_sheet(piano).parts[0].staves
    assert (right.clef, left.clef) == ("treble", "bass")
    assert [each.pitches for each in right.bars[0][0]][:2] == [(72, 76), (62,)]
    assert [each.pitches for each in left.bars[0][0]][:2] == [(36, 43), (50,)]
    ranges = {40: 76, 41: 60, 42: 48}
    quartet = Score(
        tuple(Note(pitch, 80, 0.0, 2.0, program, track=program) for program, pitch in ranges.items())
    )
    parts = to_sheet(quartet).parts
    assert [(part.name, part.staves[0].clef) for part in parts] == [
        ("Violin", "treble"), ("Viola", "alto"), ("Cello", "bass")
    ]  # fmt: skip
    drums = Score((Note(38, 80, 0.0, 0.1, drum=True),))
    assert to_sheet(drums).parts[0].staves[0].clef == "percussion"


@pytest.mark.parametrize(("fifths", "minor", "names"), [
    (0, False, "C C# D Eb E F F# G G# A Bb B"),
    (-3, True, "C Db D Eb E F F# G Ab A Bb B"),
    (4, False, "B# C# D D# E E# F# G G# A A# B"),
])  # fmt: skip
def test_chromatic_notes_fit_the_key(fifths: int, minor: bool, names: str) -> None:
    spelled = [spell(pitch, fifths, minor) for pitch in range(60, 72)]
    assert (
        " ".join(letter + ("#" * sign if sign > 0 else "b" * -sign) for letter, sign, _ in spelled) == names
    )


@st.composite
def pieces(draw: st.DrawFn) -> Score:
    """Scores on sixteenths and triplets, of several instruments, with keys and changes of meter."""
    meter, later = draw(st.sampled_from(METERS)), draw(st.sampled_from(METERS))
    grid = draw(st.sampled_from((0.25, 1 / 3)))
    notes = draw(
        st.lists(
            st.tuples(
                st.integers(0, 40), st.integers(1, 12), st.integers(30, 90), st.sampled_from((0, 40, 73))
            ),
            min_size=1, max_size=25, unique_by=lambda each: (each[0], *each[2:]),
        )
    )  # fmt: skip
    made = tuple(
        Note(pitch, 80, grid * start, grid * length, program, track=program)
        for start, length, pitch, program in notes
    )
    second = 2 * 4 * meter[0] / meter[1]
    signatures = ((0.0, *meter), (second, *later))
    return Score(
        made,
        ((0.0, 60.0),),
        signatures,
        (
            (
                0.0,
                draw(st.sampled_from(("C", "Bb", "F#m", "Ebm"))),
            ),
        ),
    )


def read_notes(path: Path) -> Counter[tuple[float, int]]:
    """Return the sounding notes of a MusicXML file as partitura reads it: onset in quarters, and pitch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import partitura

        read = partitura.load_musicxml(path)
    found: Counter[tuple[float, int]] = Counter()
    for part in read.parts:
        first = part.quarter_map(part.first_point.t)
        for note in part.notes_tied:
            found[round(float(part.quarter_map(note.start.t) - first), 2), note.midi_pitch] += 1
    return found


@settings(max_examples=5, deadline=None, phases=[Phase.generate])
@given(pieces())
def test_an_independent_reader_finds_the_same_notes(
    tmp_path_factory: pytest.TempPathFactory, made: Score
) -> None:
    path = tmp_path_factory.mktemp("sheet") / "piece.musicxml"
    made.to_musicxml(path)
    expected = Counter((round(note.onset, 2), note.pitch) for note in made.notes)
    assert read_notes(path) == expected
    assert no_gaps(to_sheet(made))


def no_gaps(sheet: Sheet) -> bool:
    """Whether each voice fills its bars with symbols that can be written."""
    for part in sheet.parts:
        for staff in part.staves:
            for bar, voices in zip(sheet.bars, staff.bars, strict=True):
                for symbols in voices:
                    position = 0
                    for symbol in symbols:
                        allowed = TRIPLET_TICKS if symbol.triplet else PLAIN_TICKS
                        assert symbol.start == position
                        assert symbol.ticks in allowed or symbol.ticks == bar.ticks
                        position += symbol.ticks
                    assert position == bar.ticks
    return True


def test_musicxml_has_meter_key_clefs_voices_tempo_and_names(tmp_path: Path) -> None:
    import xml.etree.ElementTree as ElementTree

    notes = [
        Note(76, 80, 0.0, 3.0),
        *(Note(64 + n, 80, n / 2, 0.5) for n in range(6)),
        Note(40, 80, 0.0, 3.0),
    ]
    notes += [Note(67, 80, 3.0 + n, 1.0, 41, track=1) for n in range(3)]
    Score(tuple(notes), ((0.0, 60.0),), ((0.0, 3, 4),), ((0.0, "Gm"),), names=("", "Solo viola")).to_musicxml(
        tmp_path / "a.musicxml", title="Two bars"
    )
    root = ElementTree.parse(tmp_path / "a.musicxml").getroot()
    assert [(each.findtext("fifths"), each.findtext("mode")) for each in root.iter("key")] == [
        ("-2", "minor")
    ] * 2
    assert {(each.findtext("beats"), each.findtext("beat-type")) for each in root.iter("time")} == {
        ("3", "4")
    }
    assert [each.findtext("sign") for each in root.iter("clef")] == ["G", "F", "C"]
    assert [each.text for each in root.iter("part-name")] == ["Piano", "Solo viola"]
    assert [float(each.get("tempo", 0)) for each in root.iter("sound") if each.get("tempo")] == [60.0]
    assert root.findtext("*/work-title") == "Two bars" or root.findtext("movement-title") == "Two bars"
    voices = {
        note.findtext("voice")
        for note in root.findall("part[1]/measure[1]/note")
        if note.find("pitch") is not None
    }
    assert len(voices) == 3  # two of the right hand, one of the left


def test_chord_symbols_are_written(tmp_path: Path) -> None:
    import xml.etree.ElementTree as ElementTree

    chords = ((0.0, "Am7"), (2.0, "Bb/D"), (4.0, "F#m7b5"), (6.0, "G7sus4"))
    made = score(*melody(0, 1, 2, 4, 6, 8), chords=chords)
    made.to_musicxml(tmp_path / "a.musicxml")
    found = list(ElementTree.parse(tmp_path / "a.musicxml").iter("harmony"))
    roots = [(each.findtext("root/root-step"), each.findtext("root/root-alter")) for each in found]
    assert roots == [("A", None), ("B", "-1"), ("F", "1"), ("G", None)]
    kinds = [each.find("kind") for each in found]
    assert [kind.get("text") for kind in kinds if kind is not None][::2] == ["m7", "m7b5"]
    assert [kind.text for kind in kinds if kind is not None][::2] == ["minor-seventh", "half-diminished"]
    assert found[1].findtext("bass/bass-step") == "D"
    made.to_abc(tmp_path / "a.abc")
    assert '"Am7"c2 c2 "Bb/D"c4|"F#m7b5"c4 "G7sus4"c4|]' in (tmp_path / "a.abc").read_text()
    tracks = mido.MidiFile(file=io.BytesIO(made.to_bytes())).tracks
    markers = [message.text for track in tracks for message in track if message.type == "marker"]
    assert markers == [symbol for _, symbol in chords]


def test_the_hands_of_a_piano_are_one_part() -> None:
    hands = [Note(64 - 24 * hand + n, 80, float(n), 1.0, track=hand + 1) for n in range(8) for hand in (0, 1)]
    voice = [Note(72, 80, float(n), 1.0, 52) for n in range(8)]
    made = Score((*voice, *hands), names=("Voice", "Piano, right hand", "Piano, left hand"))
    parts = to_sheet(made).parts
    assert [(part.name, len(part.staves)) for part in parts] == [("Voice", 1), ("Piano", 2)]
    assert [staff.clef for staff in parts[1].staves] == ["treble", "bass"]


@pytest.mark.parametrize(
    ("quarters", "meter", "beats", "expected"),
    [
        (1.0, (4, 4), (0, 0.5, 1, 5), ["12 12", "96"]),
        (1.5, (4, 4), (0, 0.5, 1.5, 5.5), ["12 24", "96"]),  # the eighth is off the beat
        (0.5, (3, 4), (0, 0.5, 3.5), ["12", "72"]),
        (1 / 3 + 2, (4, 4), (0, 1 / 3, 7 / 3, 19 / 3), ["8 48", "96"]),
        (0.5, (6, 8), (0, 0.5, 3.5), ["12", "72"]),
    ],
)
def test_a_pickup_is_bar_0(
    quarters: float, meter: tuple[int, int], beats: tuple[float, ...], expected: list[str], tmp_path: Path
) -> None:
    signatures = ((0.0, *meter), (quarters, *meter))  # at 60 quarters per minute
    made = score(*melody(*beats), time_signatures=signatures)
    assert made.pickup == pytest.approx(quarters) and rhythm_of(made) == expected
    from music21 import converter

    made.to_musicxml(tmp_path / "a.musicxml")
    made.to_abc(tmp_path / "a.abc")
    assert f"M:{meter[0]}/{meter[1]}\n" in (tmp_path / "a.abc").read_text()
    assert "[M:" not in (tmp_path / "a.abc").read_text()
    part = converter.parse(tmp_path / "a.musicxml").parts[0]
    bars = list(part.getElementsByClass("Measure"))
    assert [bar.number for bar in bars] == [0, 1]
    assert [float(bar.highestTime) for bar in bars] == pytest.approx([quarters, 4 * meter[0] / meter[1]])
    assert len(part.recurse().getElementsByClass("TimeSignature")) == 1
    assert 'implicit="yes"' in (tmp_path / "a.musicxml").read_text()


def test_full_bars_are_no_pickup() -> None:
    for signatures in ((0.0, 4, 4),), ((0.0, 4, 4), (4.0, 3, 4)), ((0.0, 2, 4), (4.0, 4, 4)):
        assert score(*melody(*range(9)), time_signatures=signatures).pickup == 0


def test_verovio_engraves_without_complaint(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import verovio

    notes = [Note(60 + 7 * n % 20, 80, n / 3, 1 / 3) for n in range(24)] + [Note(40, 80, 0.0, 7.0, track=0)]
    Score(tuple(notes), time_signatures=((0.0, 3, 4),)).to_musicxml(tmp_path / "a.musicxml")
    toolkit = verovio.toolkit()
    assert toolkit.loadFile(str(tmp_path / "a.musicxml")) and toolkit.getPageCount() >= 1
    assert "<svg" in toolkit.renderToSVG(1) and toolkit.renderToSVG(1).count('class="note') >= 25
    assert not [line for line in capfd.readouterr().err.splitlines() if "rror" in line or "arning" in line]


@settings(max_examples=10, deadline=None, phases=[Phase.generate])
@given(st.lists(st.tuples(st.integers(1, 8), st.integers(48, 96)), min_size=1, max_size=24), st.data())
def test_music21_reads_the_same_tune_from_abc(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]], data: st.DataObject
) -> None:
    from music21 import converter

    grid = data.draw(st.sampled_from((0.25, 1 / 3, 0.5)))
    starts = np.cumsum([0, *(step for step, _ in steps)]) * grid
    notes = tuple(
        Note(pitch, 80, float(start), float(end - start), 73)
        for (_, pitch), start, end in zip(steps, starts, starts[1:], strict=False)
    )
    signature = data.draw(st.sampled_from(((4, 4), (3, 4), (6, 8))))
    key = data.draw(st.sampled_from(("C", "Eb", "F#m", "Bm", "Db")))
    path = tmp_path_factory.mktemp("tune") / "tune.abc"
    Score(notes, ((0.0, 60.0),), ((0.0, *signature),), ((0.0, key),)).to_abc(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = converter.parse(path.read_text(), format="abc").flatten()
    found = [
        (round(float(each.offset), 2), pitch.midi)
        for each in parsed.notes for pitch in each.pitches if each.tie is None or each.tie.type == "start"
    ]  # fmt: skip
    assert found == [(round(note.onset, 2), note.pitch) for note in notes]


def test_errors_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MidiError, match="has no notes to write"):
        Score(()).to_musicxml(tmp_path / "a.musicxml")
    monkeypatch.setattr(musicxml, "find_spec", lambda name: None)
    with pytest.raises(AudioseqError, match=r"pip install 'audioseq\[notation\]'"):
        score((0, 1, 60)).to_musicxml(tmp_path / "a.musicxml")
    assert not list(tmp_path.iterdir())


def test_the_package_does_not_load_music21() -> None:
    code = "import sys, audioseq.midi, audioseq.midi.notation.sheet; print('music21' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"
