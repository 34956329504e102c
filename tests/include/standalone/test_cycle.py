"""The cycle: every DAG in its order, waited for, and a failure named without stopping the rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO

import psycopg
import pytest
from rich.console import Console

from standalone import cycle
from standalone.board import Board
from standalone.cycle import DAG_IDS, Cycle
from standalone.errors import StandaloneError


class Airflow:
    """A client that plays the scheduler: a run is queued, then running, then finished."""

    def __init__(self, failing: str = "", others: int = 0) -> None:
        self.log: list[str] = []
        self._failing = failing
        self._others = others
        self._states: dict[str, Iterator[str]] = {}

    def unpause(self, dag_id: str) -> None:
        self.log.append(f"unpause {dag_id}")

    def trigger(self, dag_id: str, run_id: str) -> None:
        self.log.append(f"trigger {dag_id}")
        end = "failed" if dag_id == self._failing else "success"
        self._states[run_id] = iter(["queued", "running", *[end] * 100])

    def state(self, _dag_id: str, run_id: str) -> str:
        return next(self._states[run_id])

    def active_runs(self, dag_id: str) -> list[str]:
        if dag_id == "ifms_pi" and self._others:
            self._others -= 1
            return ["asset_triggered__1"]
        return []


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cycle.time, "sleep", lambda _: None)


@pytest.fixture
def ledger(ledger_dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(ledger_dsn, autocommit=True) as connection:
        yield connection


def _walk(airflow: Airflow, ledger: psycopg.Connection, check=lambda: None) -> tuple[list[str], str]:
    text = StringIO()
    with Board(Console(file=text, width=140)) as board:
        complaints = Cycle(airflow, ledger, datetime(2026, 11, 23, tzinfo=UTC), check).walk(board)
    return complaints, text.getvalue()


def test_all_run_in_order_and_none_is_awake_before_its_time(ledger: psycopg.Connection) -> None:
    airflow = Airflow()
    assert _walk(airflow, ledger)[0] == []
    assert [entry.split()[1] for entry in airflow.log if entry.startswith("trigger")] == list(DAG_IDS)
    assert airflow.log[:5] == [
        "unpause ifms_va", "trigger ifms_va",
        "unpause ifms_pi", "unpause ifms_pa", "trigger ifms_pa",
    ]  # fmt: skip


def test_counts_of_all_its_runs_are_shown(ledger: psycopg.Connection) -> None:
    for run_id in ("make_run__1", "asset_triggered__1"):
        ledger.execute(
            "INSERT INTO ifms.sweep_run (service_id, dag_id, run_id, counts) VALUES ('PI', 'ifms_pi', %s, %s)",
            (run_id, '{"created": 40, "refused": 0, "allotments_new": 1}'),
        )
    assert "ifms_pi  payment instructions" in (shown := _walk(Airflow(), ledger)[1])
    assert "success, 80 created, 2 allotments new" in shown


def test_a_run_that_an_asset_started_is_waited_for(ledger: psycopg.Connection) -> None:
    airflow = Airflow(others=20)
    complaints, _ = _walk(airflow, ledger)
    assert complaints == []
    assert airflow.active_runs("ifms_pi") == []


def test_a_try_that_failed_is_shown_while_the_next_is_waited_for(ledger: psycopg.Connection) -> None:
    airflow, seen = Airflow(), []
    with Board(Console(file=StringIO())) as board:
        walker = Cycle(airflow, ledger, datetime(2026, 11, 23, tzinfo=UTC), lambda: seen.append(step.note))
        with board.step("ifms_va") as step:
            airflow.trigger("ifms_va", "run_1")
            ledger.execute(
                "INSERT INTO ifms.sweep_run (service_id, dag_id, run_id, state, message)"
                " VALUES ('VA', 'ifms_va', 'run_1', 'failed', 'SweepUnreachableError: refused')"
            )
            walker._wait("ifms_va", "run_1", step)
    assert seen[-1] == "running, tried again soon, after SweepUnreachableError: refused"
    assert step.note == "success"


def test_a_failed_run_is_said_and_the_rest_goes_on(ledger: psycopg.Connection) -> None:
    airflow = Airflow(failing="ifms_pag")
    complaints, shown = _walk(airflow, ledger)
    assert complaints == ["ifms_pag ended as failed; its log is in the UI"]
    assert "✗ ifms_pag" in shown
    assert airflow.log[-1] == "trigger ifms_pd"


def test_what_is_left_is_tried_again_but_not_for_ever(ledger: psycopg.Connection) -> None:
    ledger.execute(
        "INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, raised_at)"
        " VALUES ('od.samplea', 'EP/1', 'P1', 10, now())"
    )
    airflow = Airflow()
    _walk(airflow, ledger)
    assert airflow.log.count("trigger ifms_pi") == cycle.ROUNDS
    assert airflow.log.count("trigger ifms_pis") == 1


def test_a_run_without_end_is_given_up(ledger: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cycle, "RUN_SECONDS", -1.0)
    with pytest.raises(StandaloneError, match=r"ifms_va was still queued after .*see its run make_run__"):
        _walk(Airflow(), ledger)


def test_a_process_that_has_died_ends_the_waiting(ledger: psycopg.Connection) -> None:
    def check() -> None:
        raise StandaloneError("airflow ended with 1")

    with pytest.raises(StandaloneError, match="airflow ended with 1"):
        _walk(Airflow(), ledger, check)
