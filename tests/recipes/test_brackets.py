"""Tests of the example application."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "recipes" / "brackets.py"


def test_it_classifies_after_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    balanced, not_balanced = ["()", "(()())", "((()))()(())"], [")(", "(()))(", "(((", "()()())(()"]
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), *balanced, *not_balanced])
    for _ in range(2):  # the second run uses the model file of the first
        runpy.run_path(str(EXAMPLE), run_name="__main__")
        answers = [f"{text} balances" for text in balanced]
        answers += [f"{text} does not balance" for text in not_balanced]
        assert capsys.readouterr().out.splitlines() == answers
