"""ifms_settled: the asset that other teams' DAGs wait for, with its figures; nothing is asked of treasury or platform."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from types import SimpleNamespace

import psycopg
import pytest
from support.environment import REPO
from support.failed import fail, wage_bill

from ifms import clock

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]


@pytest.fixture
def told(run_dag, without_retries, adapter, airflow_connections, airflow_db, monkeypatch):
    """`told(conf)`: the state of a run, and the extra of each event of the asset that it made; the ledger has a day."""
    wage_bill(adapter, 3)
    adapter.cycle()
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ifms.payment SET raised_at = raised_at - interval '2 days'")
    for name in ("TREASURY", "PLATFORM"):
        monkeypatch.delenv(f"AIRFLOW_CONN_IFMS_{name}")

    def run(**options):
        made = run_dag("ifms_settled", **options)
        with psycopg.connect(airflow_db) as metadata:
            found = metadata.execute(
                "SELECT e.extra FROM asset_event e JOIN asset a ON a.id = e.asset_id WHERE a.name = 'ifms_settled'"
                " AND e.source_run_id = %s ORDER BY e.id",
                (made.run_id,),
            ).fetchall()
        return str(made.state), [extra for (extra,) in found]

    return run


def test_a_day_by_the_form_and_what_the_example_makes_of_it(told, adapter, tmp_path, sweeps):
    fail(adapter, 1)
    adapter.run("FD")
    day = str(clock.to_ist(clock.now() - timedelta(days=2)).date())
    state, [extra] = told(conf={"day": day})
    [payment] = adapter.rows("SELECT * FROM ifms.payment")
    [failed] = adapter.rows("SELECT * FROM ifms.beneficiary WHERE failed_on IS NOT NULL")
    assert state == "success"
    settled_at = extra.pop("settled_at")
    assert extra == {
        "day": day,
        "rows": 1,
        "rupees": str(payment["amount"]),
        "came_back_rows": 1,
        "came_back_rupees": str(failed["amount"]),
    }

    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(REPO / "include" / "examples" / "example_ifms_settled.py")
    assert not bag.import_errors
    task = bag.dags["example_ifms_settled"].get_task("write_days")
    events = {"the asset": [SimpleNamespace(extra=extra | {"settled_at": settled_at})]}
    task.python_callable(params={"folder": f"file://{tmp_path}"}, triggering_asset_events=events)
    [row] = csv.DictReader(io.StringIO((tmp_path / f"settled-{day}.csv").read_text("utf-8-sig")))
    assert (row["day"], row["rupees"], row["settled_at"]) == (day, str(payment["amount"]), settled_at)


def test_a_day_that_is_not_over_is_red_and_says_so(told, adapter):
    today = str(clock.to_ist(clock.now()).date())
    assert told(conf={"day": today}) == ("failed", [])
    [row] = adapter.rows("SELECT * FROM ifms.sweep_run WHERE service_id = 'SETTLED'")
    assert row["problems"] == [f"{today} is not settled: it is not over"]


def test_by_itself_each_day_of_its_interval_once(told):
    now = clock.now()
    state, extras = told(logical_date=now)
    assert state == "success"
    assert [extra["day"] for extra in extras] == sorted({extra["day"] for extra in extras})
    assert all(extra["rows"] == 0 and extra["rupees"] == "0.00" for extra in extras)  # the paid one is settled after it
    assert told(logical_date=now + timedelta(microseconds=1)) == (state, extras)
