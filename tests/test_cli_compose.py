"""`audioseq compose` and the other commands on music: output files and bad input."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mido
import pytest
from matplotlib import image

import audioseq
from audioseq.audio import read
from audioseq.cli.main import run
from audioseq.midi import Note, Score
from audioseq.music.memorisation.fingerprint import Fingerprint, write_fingerprint
from audioseq.music.representation.grid import to_grid, to_score
from tests.music import tiny

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of a small untrained model."""
    return str(tiny.model_file(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a temporary folder with one piece."""
    monkeypatch.chdir(tmp_path)
    to_score(tiny.song()).save("tune.mid")
    return tmp_path


@pytest.fixture
def compose(model: str) -> Callable[..., int]:
    """Return a function that runs `audioseq compose` with the model."""
    return lambda *options: run(
        ["compose", "-m", model, *("--bars", "2") * ("--bars" not in options), *options]
    )


def test_compose_writes_midi_wav_and_plot(compose: Callable[..., int], capsys: Captured) -> None:
    assert compose("--seed", "7", "--wav", "a.wav", "--plot", "a.png") == 0
    printed = capsys.readouterr()
    assert printed.out == "compose-7.mid\n"
    summary = r"compose-7.mid: \w+ in .* (major|minor), .* bpm, .* notes per quarter"
    assert re.fullmatch(rf"seed 7\n{summary}\n", printed.err)
    assert "seed 7," in Score.load("compose-7.mid").text
    waveform, rate = read(Path("a.wav"))
    assert rate == 44_100 and 0.01 < abs(waveform).max() <= 1
    assert image.imread("a.png").shape[1] > 500


WITHOUT = "torch torchaudio librosa matplotlib pretty_midi numba onnxruntime"
TASKS = (
    "--seed 7 --bars 2 --style lied --key D --chords C|G --wav a.wav", "--primer tune.mid --bars 2 --seed 1",
    "--from tune.mid --fill 2-3 --seed 1 --best-of 1", "--vary tune.mid --seed 1 --best-of 1",
    "--accompany tune.mid --seed 1 --best-of 1",
    "--form AB --bars 4 --seed 2 --best-of 2 --instruments flute,cello,piano --abc a.abc",
)  # fmt: skip


def test_music_is_composed_without_torch(model: str, folder: Path, capsys: Captured) -> None:
    """In a process without torch, and the same bytes as in this one."""
    lines = [f"compose -m {model} -o {number}.mid {task}" for number, task in enumerate(TASKS)]
    code = f"""import sys
class Absent:
    def find_spec(self, name, *_):
        if name.split(".")[0] in {WITHOUT!r}.split():
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Absent())  # None in sys.modules would confuse scipy
from audioseq.cli.main import run
print([run(line.split()) for line in {lines!r}], run(["compose", "--harmonise", "tune.mid"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("[0, 0, 0, 0, 0, 0] 1\n"), done
    assert "this command needs torch, which is not installed" in done.stderr.splitlines()[-1]
    made = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".mid", ".abc")}
    assert len(made) == len(TASKS) + 2
    assert [run([*line.split(), "--force"]) for line in lines] == [0] * len(TASKS)
    assert made == {name: Path(name).read_bytes() for name in made}


def test_only_harmonising_has_a_device(compose: Callable[..., int], capsys: Captured) -> None:
    assert compose("--device", "cuda") == 2
    assert "needs --harmonise" in capsys.readouterr().err
    assert compose("--device", "cpu") == 0


def test_default_names_do_not_overwrite(compose: Callable[..., int], capsys: Captured) -> None:
    assert compose("--seed", "7") == compose("--seed", "7") == 0
    assert capsys.readouterr().out.split() == ["compose-7.mid", "compose-7-2.mid"]
    assert Path("compose-7.mid").read_bytes() == Path("compose-7-2.mid").read_bytes()


def test_a_random_seed_is_printed(compose: Callable[..., int], capsys: Captured) -> None:
    assert compose("--seed") == compose("--seed", "-n", "2") == compose() == 0
    printed = capsys.readouterr()
    seeds = re.findall(
        r"^seed (\d+)$", printed.err, re.MULTILINE
    )  # whether other lines are printed depends on the seed
    assert len(set(seeds)) == 3 and printed.out.split()[0] == f"compose-{seeds[0]}.mid"
    assert Score.load(f"compose-{seeds[1]}-2.mid").text.startswith("audioseq")


def test_a_midi_file_as_seed_is_a_primer(compose: Callable[..., int], capsys: Captured) -> None:
    assert compose("--seed", "tune.mid", "-o", "on.mid") == 0
    before, after = (to_grid(Score.load(name)).notes for name in ("tune.mid", "on.mid"))
    assert {note[:3] for note in before} <= {note[:3] for note in after}
    assert compose("--seed", "tune.mid", "--primer", "tune.mid") == 2
    assert "both name a primer" in capsys.readouterr().err
    assert compose("--seed", "seven") == 2
    assert "neither a whole number" in capsys.readouterr().err


def test_the_first_of_several_pieces_equals_a_single_piece(compose: Callable[..., int]) -> None:
    assert compose("--seed", "3", "-n", "3", "-o", "a.mid") == compose("--seed", "3", "-o", "b.mid") == 0
    assert Path("a-1.mid").read_bytes() == Path("b.mid").read_bytes() != Path("a-2.mid").read_bytes()
    assert Path("a-3.mid").exists() and not Path("a.mid").exists()


def test_a_copy_of_the_training_data_is_reported(
    model: str, compose: Callable[..., int], capsys: Captured
) -> None:
    assert compose("--seed", "5", "--bars", "8", "--top-k", "1", "-o", "a.mid") == 0
    assert "training data" not in capsys.readouterr().err
    piece = to_grid(Score.load("a.mid"))
    own = Path("own.safetensors")
    own.write_bytes(Path(model).read_bytes())
    write_fingerprint(Fingerprint.from_pieces([piece]), {own})
    command = ["compose", "-m", str(own), "--seed", "5", "--bars", "8"]
    assert run([*command, "--top-k", "1"]) == 0  # deterministic, so a copy cannot be avoided
    assert "probably repeats a run of notes of the training data" in capsys.readouterr().err
    assert run([*command, "-o", "b.mid"]) == 0
    assert "training data" not in capsys.readouterr().err


def test_python_and_the_command_generate_the_same_piece(model: str, compose: Callable[..., int]) -> None:
    assert compose("--seed", "7", "-o", "a.mid") == 0
    audioseq.compose(7, model=model, bars=2).save("b.mid")
    assert Path("a.mid").read_bytes() == Path("b.mid").read_bytes()


@pytest.mark.parametrize("value", ["0", "1e9", "1e-9"])
def test_extreme_sampling_options_are_accepted(value: str, compose: Callable[..., int]) -> None:
    assert compose("--seed", "1", "--temperature", value, "--top-k", "900", "--top-p", "1e-9") == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bars", "0"], "bars is 0"),
        (["--seconds", "1e99", "--bars", "2"], "seconds is 1e+99"),
        (["--key", "H minor"], "key is 'H minor'"),
        (["--style", "polka"], "style is 'polka'"),
        (["--seed", "-4"], "seed is -4"),
        (["--temperature", "-1"], "temperature is -1"),
        (["--temperature", "nan"], "temperature is nan"),
        (["--top-p", "0"], "top-p is 0"),
        (["-n", "0"], "count is 0"),
        (["-o", "none/a.mid"], "none/a.mid: cannot be written"),
        (["-o", "tune.mid"], "tune.mid: already exists"),
        (["-o", "tune.wav"], "use --wav for audio"),
        (["-o", ".", "--force"], "is a folder"),
        (["-o", "a" * 300], "File name too long"),
        (["--wav", "tune.aac"], "name it .wav or .flac or .mp3"),
        (["--plot", "tune.jpg"], "cannot draw .jpg"),
        (["--primer", "none.mid"], "none.mid: cannot be read"),
        (["--vary", "tune.mid"], "leave out bars"),
        (["--form", "AABA", "--bars", "6"], "6 bars are no multiple of the 4 sections"),
        (["--accompany", "none.mid"], "none.mid: cannot be read"),
        (["-m", "digits"], "is a model for speech, not for music"),
        (["-m", "none.safetensors"], "no such model or file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_options_are_one_line(
    options: list[str], message: str, compose: Callable[..., int], folder: Path, capsys: Captured
) -> None:
    before = set(folder.iterdir())
    assert compose(*options) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ") and printed.err.count("\n") == 1
    assert message in printed.err and set(folder.iterdir()) == before


def test_forms(model: str, compose: Callable[..., int]) -> None:
    assert compose("--seed", "1", "--form", "AA", "--bars", "4", "-o", "a.mid") == 0
    audioseq.compose(1, model=model, form="AA", bars=4).save("b.mid")
    assert Path("a.mid").read_bytes() == Path("b.mid").read_bytes()


def test_chords_are_read_from_a_file(model: str, compose: Callable[..., int], capsys: Captured) -> None:
    assert compose("--seed", "1", "--chords", "tune.mid", "-o", "a.mid") == 0
    chords = capsys.readouterr().err.splitlines()[0].removeprefix("chords: ")
    assert compose("--seed", "1", "--chords", chords, "-o", "b.mid") == 0
    audioseq.compose(1, model=model, bars=2, chords="tune.mid").save("c.mid")
    assert Path("a.mid").read_bytes() == Path("b.mid").read_bytes() == Path("c.mid").read_bytes()
    assert compose("--chords", "none.mid") == 1
    assert "none.mid: cannot be read" in capsys.readouterr().err


def test_bars_of_a_piece_are_filled_and_varied(model: str, capsys: Captured) -> None:
    command = ["compose", "-m", model, "--seed", "1", "--best-of", "2"]
    assert run([*command, "--from", "tune.mid", "--fill", "3-4"]) == 0
    assert run([*command, "--vary", "tune.mid", "--strength", "0"]) == 0
    assert run([*command, "--accompany", "tune.mid", "--style", "lied", "-o", "a.mid"]) == 0
    assert capsys.readouterr().out.split() == ["tune-1.mid", "tune-1-2.mid", "a.mid"]
    tune = Score.load("tune.mid")
    assert Score.load("tune-1.mid").notes[:14] == tune.notes[:14]
    assert Score.load("tune-1-2.mid").notes == tune.notes
    assert audioseq.fill("tune.mid", (3, 4), 1, model=model, best_of=2).score == (
        audioseq.fill(tune, (3, 4), 1, model=model, best_of=2).score
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fill", "3"], "--fill: needs --from"),
        (["--from", "tune.mid"], "--from: needs --fill"),
        (["--strength", "0.2"], "--strength: needs --vary"),
        (["--form", "AB", "--primer", "tune.mid"], "--form: cannot be combined with --primer"),
        (["--vary", "tune.mid", "--primer", "tune.mid"], "--vary: and --primer both name your music"),
    ],
)
def test_options_that_need_others(options: list[str], message: str, capsys: Captured) -> None:
    assert run(["compose", *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from", "tune.mid", "--fill", "5-9"], "tune.mid: bars are 5-9; the piece has bars 1-6"),
        (["--from", "tune.mid", "--fill", "x"], "bars are 'x'; give a range such as 9-16"),
        (["--vary", "tune.mid", "--strength", "7"], "strength is 7; give 0 to 1"),
        (["--accompany", "drums.mid"], "drums.mid: has no melody, only drums"),
    ],
)
def test_bad_music_of_the_user_is_one_line(
    model: str, options: list[str], message: str, capsys: Captured
) -> None:
    Score((Note(36, 80, 0.0, 1.0, drum=True),)).save("drums.mid")
    assert run(["compose", "-m", model, *options]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ") and printed.count("\n") == 1 and message in printed


def messages(*track: mido.Message) -> bytes:
    buffer = io.BytesIO()
    mido.MidiFile(tracks=[mido.MidiTrack(track)]).save(file=buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"RIFF, a recording", "is not a MIDI file"),
        (to_score(tiny.song()).to_bytes()[:40], "truncated"),
        (messages(mido.Message("program_change", program=3)), "has no notes"),
        (Score((Note(60, 80, 10 * 3600.0, 1.0),)).to_bytes(), "lasts 10.0 hours, but the limit is 4"),
    ],
    ids=["not MIDI", "truncated", "no notes", "10 hours"],
)
def test_a_bad_primer_is_one_line(
    content: bytes, message: str, compose: Callable[..., int], capsys: Captured
) -> None:
    Path("bad.mid").write_bytes(content)
    assert compose("--primer", "bad.mid") == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: bad.mid: ") and message in printed and printed.count("\n") == 1


def test_output_to_stdout(compose: Callable[..., int], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert compose("--seed", "7", "-o", "-", "--plot", "a.png") == compose("--seed", "7", "-o", "b.mid") == 0
    printed = capfdbinary.readouterr()
    assert printed.out == Path("b.mid").read_bytes() + b"b.mid\n" and Path("a.png").exists()
    assert not Path("-").exists()
    assert compose("-o", "-", "-n", "2") == 2
    assert b"cannot hold several pieces" in capfdbinary.readouterr().err


def test_damaged_primers_are_read_with_a_warning(compose: Callable[..., int], capsys: Captured) -> None:
    content = Path("tune.mid").read_bytes()
    Path("odd.mid").write_bytes(b"\r\n" + content)
    assert compose("--seed", "1", "--primer", "odd.mid", "-o", "a.mid") == 0
    assert "odd.mid: is damaged, but was read (2 bytes before the header)" in capsys.readouterr().err
    assert compose("--seed", "1", "--primer", "tune.mid", "-o", "b.mid") == 0
    assert Path("a.mid").read_bytes() == Path("b.mid").read_bytes()


def test_styles_and_keys_are_read_in_any_case(compose: Callable[..., int]) -> None:
    assert compose("--seed", "1", "--style", "Pop", "--key", "F SHARP minor", "-o", "a.mid") == 0
    assert compose("--seed", "1", "--style", "pop", "--key", "f#", "-o", "b.mid") == 0
    assert Path("a.mid").read_bytes() == Path("b.mid").read_bytes()


def test_a_primer_determines_key_and_density(model: str) -> None:
    pitches = (64, 64, 65, 67, 67, 65, 64, 62, 60, 60, 62, 64, 64, 62, 62)
    score = Score(tuple(Note(pitch, 80, n / 2, 0.5 + 0.5 * (n == 14)) for n, pitch in enumerate(pitches)))
    score.save("pause.mid")
    conditions = audioseq.compose(3, model=model, primer="pause.mid", bars=1).conditions
    assert (conditions.tonic, conditions.minor, conditions.density) == (0, False, 0)


def test_primers_with_many_tracks_and_long_primers_are_continued(compose: Callable[..., int]) -> None:
    Score(tuple(Note(30 + n % 60, 80, n % 4 / 2, 0.5, n % 128, track=n) for n in range(200))).save("wide.mid")
    Score(tuple(Note(60 + n % 12, 80, n * 2.0, 2.0) for n in range(1500))).save("long.mid")
    assert compose("--primer", "wide.mid", "-o", "a.mid") == 0
    assert compose("--primer", "long.mid", "-o", "b.mid", "--no-primer-in-output") == 0
    wide, whole = Score.load("wide.mid"), Score.load("a.mid")
    assert whole.notes[:200] == wide.notes
    assert len({note.track for note in whole.notes[200:]}) <= 8
    assert compose("--primer", "long.mid", "--no-primer-in-output", "-o", "b.mid") == 1  # it exists


def test_evaluate_reports_nats_per_style(model: str, capsys: Captured) -> None:
    Path("test.jsonl").write_text('{"midi_filepath": "tune.mid", "style": "pop"}\n')
    assert run(["evaluate", model, "test.jsonl", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["pieces"] == {"pop": 1} and 0 < report["nats_per_event_pop"] < report["nats_per_note_pop"]
    assert run(["evaluate", model, "test.jsonl"]) == 0
    assert f"{report['nats_per_note_pop']:.3f}" in capsys.readouterr().out


def test_evaluate_compares_pieces(capsys: Captured) -> None:
    Path("real").mkdir()
    to_score(tiny.song(3)).save("real/a.mid")
    Path("real.jsonl").write_text('{"midi_filepath": "real/a.mid", "id": "source"}\n')
    Path("broken.mid").write_bytes(b"MThd")
    assert run(["evaluate", ".", "real", "--training", "real.jsonl", "--plot", "a.png", "--json"]) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert report["pieces"] == 2 and report["copies"][0]["source"] == "source"
    assert "broken.mid" in printed.err and image.imread("a.png").size
    assert run(["evaluate", "tune.mid", "real.jsonl"]) == 0
    assert "pitch-class entropy" in capsys.readouterr().out
    assert run(["evaluate", "tune.mid", "real", "--plot", "a.gif"]) == 1
    assert "cannot draw .gif" in capsys.readouterr().err


def test_evaluate_refuses_options_without_effect(model: str, capsys: Captured) -> None:
    assert run(["evaluate", model, "test.jsonl", "--beam", "9"]) == 2
    assert "has no effect on a model for music" in capsys.readouterr().err
    assert run(["evaluate", "tune.mid", "tune.mid", "--device", "cpu"]) == 2


def test_a_model_is_adapted_to_a_folder_of_midi_files(model: str, capsys: Captured) -> None:
    Path("mine").mkdir()
    for seed in range(3):
        to_score(tiny.song(seed)).save(f"mine/{seed}.mid")
    assert run(["train", "mine", "--from", model, "--set", "training.epochs=1", "--device", "cpu"]) == 0
    best = capsys.readouterr().out.strip()
    assert best == "runs/mine/best.safetensors"
    held_out = Path("runs/mine/valid.jsonl").read_text().splitlines()
    assert len(held_out) == 1 and len(Path("runs/mine/train.jsonl").read_text().splitlines()) == 2
    assert run(["compose", "-m", best, "--bars", "1", "--seed", "1"]) == 0
    Path("mine/two").mkdir()
    tune = Path("tune.mid").read_bytes()
    for name, content in ("odd", b"\n" + tune), ("broken", b""), ("empty", b"MThd"), ("\udcff", tune):
        Path(f"mine/two/{name}.mid").write_bytes(content)
    command = ["train", "mine", "--from", model, "--set", "training.epochs=1", "--device", "cpu"]
    assert run([*command, "--run-dir", "runs/two"]) == 0
    printed = capsys.readouterr().err
    assert (
        "skipped: " in printed
        and "broken.mid: is not a MIDI file" in printed
        and "odd.mid: is dam" in printed
    )
    Path("alone").mkdir()
    assert run(["train", "alone", "--from", model]) == 1
    assert "has 0 MIDI files" in capsys.readouterr().err
