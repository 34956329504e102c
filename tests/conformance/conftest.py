"""The suite against the simulator, or, with CONFORMANCE_TREASURY, against another treasury: see `foreign`."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest
from conformance.foreign import POINTED_ELSEWHERE, learned
from conformance.scenario import Scenario, walk

from ifms_standalone.postgres import Server


@pytest.fixture(scope="session")
def scenarios(
    postgres: Server, ledger_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Scenario]:
    """Where each service's cells begin."""
    return walk(postgres, ledger_template, tmp_path_factory.mktemp("conformance"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of this suite only what can be asked for without a control endpoint, when it is pointed at another treasury."""
    if POINTED_ELSEWHERE not in os.environ:
        return
    ours = [item for item in items if item.path.parent.name == "conformance"]
    dropped = [item for item in ours if item.path.name != "test_foreign.py"]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in dropped]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was learned about another treasury."""
    if learned and POINTED_ELSEWHERE in os.environ:
        terminalreporter.section("what this treasury does")
        for question, answer in learned.items():
            terminalreporter.write_line(f"{question}: {answer}")
