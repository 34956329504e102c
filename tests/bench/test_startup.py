"""What a task imports: nothing that takes long and that it may do without."""

from __future__ import annotations

from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]

# Each takes from 20 ms to a second, beside what Airflow itself has imported.
HEAVY = {
    "aiohttp",
    "alembic",
    "cryptography.x509",
    "confluent_kafka",
    "elastic_transport",
    "elasticsearch",
    "hvac",
    "matplotlib",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic_settings",
    "pypdf",
    "reportlab",
    "requests",
    "rich",
    "typer",
    "xlsxwriter",
    "ifms_simulator",
}
MAY = {"ifms_relay.notify": {"confluent_kafka"}}


@pytest.mark.tier("prove")
def test_no_task_waits_for_libraries_that_it_does_not_need(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(REPO))
    from bench import startup

    measured = startup.imports()
    assert {each.dag for each in measured} == {file.stem for file in (REPO / "dags").glob("ifms_*.py")}
    for each in measured:
        task = f"{each.dag}.{each.task}"
        assert set(each.modules) & HEAVY == MAY.get(task, set()), task
        ours = {module for module in each.modules if module.startswith("ifms.")}
        assert len(ours) >= 20, f"{task}: what its operator imports when it runs is not among these: {ours}"


def test_a_median_beyond_its_limit_is_marked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(REPO))
    from bench.startup import IDLE_LIMIT, IMPORTS_LIMIT, Imports, Startup, table

    quick = Imports("ifms_sample", "sample", IMPORTS_LIMIT, ("sample",))
    slow = Imports("ifms_sample", "slow", IMPORTS_LIMIT + 0.01, ("sample",))
    made = table(Startup((slow, quick), (IDLE_LIMIT + 9, IDLE_LIMIT, IDLE_LIMIT)))
    assert [str(cell) for cell in made.columns[-1].cells] == ["[green]ok[/]", "[red]over[/]", "[green]ok[/]"]
