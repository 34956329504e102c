"""A figure is the sum of what every test process has added to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import figures

pytest_plugins = ["pytester"]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """A test run of its own with the figures' plugin; what it printed."""
    monkeypatch.setenv("PYTHONPATH", str(Path(figures.__file__).parents[1]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take longer to import than this takes to run
    return lambda *options: pytester.runpytest_subprocess("-p", "xdist", "-p", "support.figures", *options).stdout


@pytest.mark.parametrize("processes", [0, 2])
def test_figures_are_summed_and_printed(pytester: pytest.Pytester, run, processes: int):
    pytester.makepyfile(
        """
        import pytest
        from support import figures

        @pytest.mark.parametrize("amount", [1, 2, 3])
        def test_that_measures(amount):
            figures.add("sample points", amount)
            figures.add("sample cases")
        """
    )
    printed = run("-n", str(processes))
    printed.fnmatch_lines([f"*= {figures.TITLE} =*", "sample cases: 3", "sample points: 6"])


def test_nothing_measured_prints_nothing(pytester: pytest.Pytester, run):
    pytester.makepyfile("def test_that_measures_nothing(): pass")
    printed = run()
    printed.fnmatch_lines("*1 passed*")
    printed.no_fnmatch_line(f"*{figures.TITLE}*")
