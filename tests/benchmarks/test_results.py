"""The figures of the README and of the pages are those that programs measured and wrote."""

from __future__ import annotations

import json
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioseq.audio import SAMPLE_RATE
from audioseq.speech.decoding.greedy import BestPath
from audioseq.speech.longform.speech_detection import SpeechDetector
from tests.benchmarks import report
from tests.benchmarks.bench_speech_detection import WARNINGS

ROOT = Path(__file__).parents[2]
PAGES = {page: (ROOT / page).read_text(encoding="utf-8") for page in ("README.md", ".github/docs/recipes.md")}
RECIPE_ROW = re.compile(r"^\| \[[\w-]+\]\([./]*recipes/([\w-]+)[^)]*\) \| (.+) \|$", re.MULTILINE)
FIGURE = re.compile(r"(\d+\.\d+)( %)?")
BENCHMARKS = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))


def numbers(value: Any) -> Iterator[float]:
    """Yield all numbers of a JSON value, those in its texts included."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from numbers(part)
    elif isinstance(value, str):
        yield from map(float, re.findall(r"\d+(?:\.\d+)?", value))
    elif value is not None:
        yield float(value)


def measured(figure: str, percent: bool, measurements: list[float]) -> bool:
    """Return whether a figure is the rounding of a measurement."""
    digits = len(figure.partition(".")[2])
    scales = (1, 100) if percent else (1,)
    return any(
        abs(value * scale - float(figure)) <= 0.5001 * 10**-digits
        for value in measurements
        for scale in scales
    )


@pytest.mark.parametrize("page", PAGES)
def test_the_figures_of_a_recipe_are_in_its_results(page: str) -> None:
    rows = RECIPE_ROW.findall(PAGES[page])
    assert {name for name, _ in rows} == {path.parent.name for path in ROOT.glob("recipes/*/results.json")}
    for name, row in rows:
        results = json.loads((ROOT / "recipes" / name / "results.json").read_text(encoding="utf-8"))
        for figure, percent in FIGURE.findall(row.split(" | ")[1]):
            assert measured(figure, bool(percent), list(numbers(results))), f"{name}: {figure}{percent}"


def test_the_page_of_benchmarks_holds_their_results() -> None:
    page = report.PAGE.read_text(encoding="utf-8")
    assert report.filled(page) == page, "run python -m tests.benchmarks.report"
    assert {name for _, name, _ in report.BLOCK.findall(page)} >= set(BENCHMARKS)
    outside = report.BLOCK.sub("", page)
    assert not re.search(r"\d+\.\d|\d+ (%|MB|s)\b", outside), "a figure that no program wrote"


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_describes_its_options(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the benchmarks set it for themselves
    monkeypatch.setattr(sys, "argv", [f"bench_{name}.py", "--help"])
    with pytest.raises(SystemExit, match=r"^0$"):
        runpy.run_path(str(Path(__file__).with_name(f"bench_{name}.py")), run_name="__main__")
    assert f"results/{name}.json" in "".join(capsys.readouterr().out.split())


def test_results_are_written_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_decode.py", str(tmp_path / "dev.jsonl"), "--every", "2"])
    report.write(tmp_path / "decode.json", {"english": [{"beam size": 16, "WER (%)": 22.5}]})
    result = report.load("decode", tmp_path)
    assert result is not None
    assert result["command"] == "python -m tests.benchmarks.bench_decode dev.jsonl --every 2"
    page = "before <!-- results: decode -->\n<!-- end of results --> after"
    filled = report.filled(page, tmp_path)
    assert "| beam size | WER (%) |\n|---|---|\n| 16 | 22.5 |\n" in filled
    assert result["commit"] in filled and filled.startswith("before") and filled.endswith("after")
    assert report.filled(filled, tmp_path) == filled
    assert "Not measured yet" in report.filled(page, tmp_path / "elsewhere")


@pytest.mark.parametrize(("level", "count", "probability"), [(0.0, 0, 1.0), (1.0, 9, 0.2), (0.1, 99, 0.7)])
def test_each_warning_counts_in_one_column(level: float, count: int, probability: float) -> None:
    detector = SpeechDetector()
    for tokens in (count, count // 3, 0):
        spans = tuple((frame, frame + 1) for frame in range(tokens))
        path = BestPath((1,) * tokens, spans, (float(np.log(probability)),) * tokens)
        detector.is_speech(np.full(SAMPLE_RATE, level, np.float32), path)
    for warning in detector.warnings():
        assert sum(any(part in warning for part in parts) for parts in WARNINGS.values()) == 1
