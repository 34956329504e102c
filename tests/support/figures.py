"""Figures that tests measure, shown at the end of the run: `figures.add("crash points", 3)`.

The same name from several tests, in whichever of xdist's processes, is summed.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

TITLE = "reliability figures"

_measured: Counter[str] = Counter()


def add(name: str, amount: int = 1) -> None:
    """Add to a figure of this run."""
    _measured[name] += amount


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of xdist's processes hands its figures to the one that prints them."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["figures"] = dict(_measured)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """One of xdist's processes has ended: its figures count."""
    _measured.update(getattr(node, "workeroutput", {}).get("figures", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print them, a line each."""
    if _measured:
        terminalreporter.section(TITLE)
        for name, amount in sorted(_measured.items()):
            terminalreporter.write_line(f"{name}: {amount}")
