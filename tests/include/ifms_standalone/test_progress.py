"""The progress: one line per finished step where there is no terminal, and the failure is marked."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from ifms_standalone.progress import Progress


def test_each_step_is_a_line() -> None:
    text = StringIO()
    with Progress(Console(file=text, width=80)) as progress:
        with progress.step("first [step]") as step:
            step.note = "7 payments"
        with pytest.raises(ValueError, match="wrong"), progress.step("second"):
            raise ValueError("wrong")
    lines = text.getvalue().splitlines()
    assert lines[0] == "  first [step] …"
    assert lines[1].startswith("✓ first [step], ")
    assert lines[1].endswith(" s: 7 payments")
    assert lines[3].startswith("✗ second, ")


def test_on_a_terminal_it_shows_what_is_under_way() -> None:
    text = StringIO()
    with Progress(Console(file=text, width=80, force_terminal=True)) as progress, progress.step("Airflow") as step:
        step.note = "waiting for the scheduler"
    assert "waiting for the scheduler" in text.getvalue()
