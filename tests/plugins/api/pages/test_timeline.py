"""The line at the top of a PI's page: what it has come through, and what is next."""

from __future__ import annotations

import psycopg
import pytest
from support.adapter import Adapter, Treasury
from support.failed import mend, original, paid_and_failed, revisions, wage_bill

from ifms.cities import Cities
from ifms.queries.instruction import by_number
from ifms_airflow.api.pages.timeline import Step, steps

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})


def line(adapter: Adapter, number: str) -> list[Step]:
    with psycopg.connect(adapter.dsn) as connection:
        whole = by_number(connection, number, Cities.ALL)
    assert whole is not None
    return steps(whole)


def states(adapter: Adapter, number: str) -> dict[str, str]:
    return {step.name: step.state for step in line(adapter, number)}


def test_an_original_comes_through_five_steps(adapter: Adapter):
    wage_bill(adapter)
    for service in ("VA", "PA"):
        adapter.run(service)
    names = ["created", "received", "approved", "advice", "paid"]
    for done, service in enumerate(("PI", "PIS", "PAG", "PD"), start=2):
        adapter.run(service)
        shown = line(adapter, original(adapter)["pi_number"])
        assert [step.name for step in shown] == names
        ahead = ["now", "later", "later"][: 5 - done]
        assert [step.state for step in shown] == ["done"] * done + ahead
        times = [step.at for step in shown[:done] if step.at is not None]
        assert len(times) == done
        assert times == sorted(times)
        assert all(step.at is None for step in shown[done:])


def test_a_revised_one_has_no_approval_and_no_advice(adapter: Adapter):
    paid_and_failed(adapter, 3, 1)
    number = original(adapter)["pi_number"]
    assert states(adapter, number)["failed"] == "bad"
    mend(adapter)
    adapter.correct()
    [revision] = revisions(adapter)
    assert states(adapter, revision["pi_number"]) == {"created": "done", "received": "done", "paid": "now"}
    adapter.run("FTPS")
    assert set(states(adapter, revision["pi_number"]).values()) == {"done"}
    assert original(adapter)["status"] == "COMPLETED"
    assert states(adapter, number)["revised"] == "done"


def test_a_declined_one_ends_where_it_was(adapter: Adapter, treasury: Treasury):
    wage_bill(adapter)
    for service in ("VA", "PA"):
        adapter.run(service)
    treasury.rule("PI", "error", errorMsgs=[{"errorCode": "322", "errorMsg": "Sample refusal"}])
    adapter.run("PI")
    shown = line(adapter, original(adapter)["pi_number"])
    assert [(step.name, step.state) for step in shown] == [("created", "done"), ("ended", "bad")]
    assert shown[-1].at is not None
