"""The cycle: every DAG in its order, waited for, and a failure named without stopping the rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import psycopg
import pytest
from rich.console import Console

from ifms_standalone import cycle
from ifms_standalone.cycle import DAG_IDS, Cycle
from ifms_standalone.errors import StandaloneError
from ifms_standalone.injected_failures import InjectedFailures
from ifms_standalone.progress import Progress


class Airflow:
    """A client that plays the scheduler: a run is queued, then running, then finished."""

    def __init__(self, failing: str = "", others: int = 0, due: int = 0) -> None:
        self.log: list[str] = []
        self.forms: list[tuple[str, dict[str, Any]]] = []
        self._due = due
        self._failing = failing
        self._others = others
        self._states: dict[str, Iterator[str]] = {}

    def unpause(self, dag_id: str) -> None:
        self.log.append(f"unpause {dag_id}")

    def pause(self, dag_id: str) -> None:
        self.log.append(f"pause {dag_id}")

    def due_since(self, dag_id: str) -> datetime | None:
        if dag_id == "ifms_fd" and self._due:
            self._due -= 1
            self.log.append("due ifms_fd")
            return datetime(2026, 11, 22, tzinfo=UTC)
        return None

    def trigger(self, dag_id: str, run_id: str, form: dict[str, Any] | None = None) -> None:
        self.log.append(f"trigger {dag_id}")
        if form:
            self.forms.append((dag_id, form))
        end = "failed" if dag_id == self._failing else "success"
        self._states[run_id] = iter(["queued", "running", *[end] * 100])

    def state(self, _dag_id: str, run_id: str) -> str:
        return next(self._states[run_id])

    def active_runs(self, dag_id: str) -> list[str]:
        if dag_id == "ifms_pi" and self._others:
            self._others -= 1
            return ["asset_triggered__1"]
        return []


class Nothing(InjectedFailures):
    """Nothing is really planted; what is done when is written down."""

    def __init__(self, log: list[str], trouble: str = "") -> None:
        self.log = log
        self._trouble = trouble

    def reject_one(self) -> str:
        self.log.append("reject")
        if self._trouble:
            raise StandaloneError(self._trouble)
        return "PI-1"

    def rejected_payments(self) -> dict[str, Any]:
        return {"payments": ["EP/1"]}

    def pay_days_ago(self, days: int) -> str:
        self.log.append(f"{days} days ago")
        return str(days)

    def return_one(self) -> str:
        self.log.append("return")
        return "BN-1 of PI-2"

    def correct_account(self) -> str:
        self.log.append("correct")
        return "of payee 1"

    def correction(self) -> dict[str, Any]:
        return {"pi_number": "PI-2", "tenant": "od.samplea"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cycle.time, "sleep", lambda _: None)


@pytest.fixture
def ledger(ledger_dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(ledger_dsn, autocommit=True) as connection:
        yield connection


def _cycle(airflow: Airflow, ledger: psycopg.Connection, check=lambda: None, trouble: str = "") -> Cycle:
    return Cycle(airflow, ledger, datetime(2026, 11, 23, tzinfo=UTC), check, Nothing(airflow.log, trouble))


def _walk(*arguments, **named) -> tuple[list[str], str]:
    text = StringIO()
    with Progress(Console(file=text, width=140)) as progress:
        complaints = _cycle(*arguments, **named).walk(progress)
    return complaints, text.getvalue()


def test_all_run_in_order_and_none_is_awake_before_its_time(ledger: psycopg.Connection) -> None:
    airflow = Airflow()
    assert _walk(airflow, ledger)[0] == []
    assert airflow.log[: len(DAG_IDS)] == [f"pause {dag_id}" for dag_id in DAG_IDS]
    walked = airflow.log[len(DAG_IDS) :]
    assert walked[:6] == [
        "unpause ifms_va",
        "trigger ifms_va",
        "4 days ago",
        "unpause ifms_pi",
        "unpause ifms_pa",
        "trigger ifms_pa",
    ]
    assert [each.removeprefix("trigger ifms_") for each in walked if not each.startswith("unpause")] == [
        "va",
        "4 days ago",
        "pa",
        "pi",
        "reject",
        "pis",
        "pi",
        "pis",
        "pag",
        "pd",
        "return",
        "1 days ago",
        "fd",
        "0 days ago",
        "fd",
        "correct",
        "cor",
        "ftps",
        "ftfps",
        "relay",
        "reconcile",
    ]
    assert airflow.forms == [
        ("ifms_pi", {"payments": ["EP/1"]}),
        ("ifms_cor", {"pi_number": "PI-2", "tenant": "od.samplea"}),
    ]


def test_missed_days_are_caught_up_before_our_own_run(ledger: psycopg.Connection) -> None:
    airflow = Airflow(due=3)
    assert _walk(airflow, ledger)[0] == []
    begin = airflow.log.index("unpause ifms_fd")
    assert airflow.log[begin + 1 : begin + 5] == ["due ifms_fd"] * 3 + ["trigger ifms_fd"]


def test_a_missed_day_that_the_scheduler_never_makes_up_is_given_up(
    ledger: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cycle, "RUN_SECONDS", -1.0)
    with Progress(Console(file=StringIO())) as progress, progress.step("ifms_fd") as step:
        walker = _cycle(Airflow(due=9), ledger)
        with pytest.raises(StandaloneError, match="has not started the run of ifms_fd that is due since 2026-11-22"):
            walker._catch_up("ifms_fd", step)


def test_what_can_not_be_planted_is_said_and_the_rest_goes_on(ledger: psycopg.Connection) -> None:
    airflow = Airflow()
    complaints, shown = _walk(airflow, ledger, trouble="none could be rejected")
    assert complaints == ["none could be rejected"]
    assert "✗ planted: an SSU will reject" in shown
    assert airflow.log[-1] == "trigger ifms_reconcile"


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
    with Progress(Console(file=StringIO())) as progress:
        walker = _cycle(airflow, ledger, lambda: seen.append(step.note))
        with progress.step("ifms_va") as step:
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
    assert airflow.log[-1] == "trigger ifms_reconcile"


def test_what_is_left_is_tried_again_but_not_for_ever(ledger: psycopg.Connection) -> None:
    ledger.execute(
        "INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, raised_at)"
        " VALUES ('od.samplea', 'EP/1', 'P1', 10, now())"
    )
    airflow = Airflow()
    _walk(airflow, ledger)
    assert airflow.log.count("trigger ifms_pi") == 2 * cycle.ROUNDS  # at both of its stages
    assert airflow.log.count("trigger ifms_pis") == 2


def test_a_run_without_end_is_given_up(ledger: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cycle, "RUN_SECONDS", -1.0)
    with pytest.raises(StandaloneError, match=r"ifms_va was still queued after .*see its run make_run__"):
        _walk(Airflow(), ledger)


def test_a_process_that_has_died_ends_the_waiting(ledger: psycopg.Connection) -> None:
    def check() -> None:
        raise StandaloneError("airflow ended with 1")

    with pytest.raises(StandaloneError, match="airflow ended with 1"):
        _walk(Airflow(), ledger, check)
