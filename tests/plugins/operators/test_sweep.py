"""What every sweep operator does: its connections, its part of the work, how it ends, how it is stopped."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from support import dags as support_dags
from support.simulators import CLIENT_ID

from ifms.errors import BadInputError

pytestmark = pytest.mark.airflow

DAY = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ([], None),
        ("", None),
        ("od.samplea", ("od.samplea",)),
        (["od.sampleb", " od.samplea ", "od.sampleb"], ("od.sampleb", "od.samplea")),
    ],
)
def test_tenants(given, expected):
    from ifms_airflow.operators.sweep import tenant_ids

    assert tenant_ids(given) == expected


@pytest.mark.parametrize(
    "given", [["od.samplea", 7], [None], ["  "], [["od.samplea"]], True, False, 0, 7, {}, {"od.samplea": 1}]
)
def test_tenants_that_are_no_texts_are_refused(given):
    from ifms_airflow.operators.sweep import tenant_ids

    with pytest.raises(BadInputError, match="list of tenant ids"):
        tenant_ids(given)


@pytest.mark.parametrize(
    ("run_type", "expected"),
    [("backfill", DAY), ("scheduled", (None, None)), ("manual", (None, None)), ("asset_triggered", (None, None))],
)
def test_only_a_backfill_keeps_to_its_interval(run_type, expected):
    from ifms_airflow.operators.sweep import backfill_interval

    run = SimpleNamespace(run_type=run_type, data_interval_start=DAY[0], data_interval_end=DAY[1])
    assert backfill_interval({"dag_run": run}) == expected


def test_constructors_take_keywords_only_and_store():
    from ifms_airflow.operators import CreatePaymentsOperator, PollOperator

    task = PollOperator(task_id="poll", service="PIS", tenants=["od.samplea"], shard=1, shards=2)
    assert (task.service, task.tenants, task.shard, task.shards) == ("PIS", ["od.samplea"], 1, 2)
    assert task.template_fields == ("tenants", "pi_numbers")
    ids = (task.treasury_conn_id, task.platform_conn_id, task.ledger_conn_id)
    assert ids == ("ifms_treasury", "ifms_platform", "ifms_db")
    with pytest.raises(TypeError):
        CreatePaymentsOperator("create_payments")  # type: ignore[misc]


def test_default_connections_are_the_hooks_own():
    from ifms_airflow.hooks import LedgerHook, PlatformHook, TreasuryHook
    from ifms_airflow.operators import CreatePaymentsOperator

    task = CreatePaymentsOperator(task_id="sample")
    hooks = (TreasuryHook, PlatformHook, LedgerHook)
    ids = (task.treasury_conn_id, task.platform_conn_id, task.ledger_conn_id)
    assert ids == tuple(hook.default_conn_name for hook in hooks)


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
@pytest.mark.parametrize(
    ("dag_id", "missing"),
    [("ifms_va", "ifms_treasury"), ("ifms_va", "ifms_platform"), ("ifms_pis", "ifms_db"), ("ifms_pa", "ifms_platform")],
)
def test_a_missing_connection_is_named_and_nothing_waits(
    run_dag, airflow_connections, treasury, monkeypatch, capfd, dag_id, missing
):
    monkeypatch.delenv(f"AIRFLOW_CONN_{missing.upper()}")
    run = run_dag(dag_id)  # would wait five minutes if it were tried again
    assert run.state == "failed"
    assert f"`{missing}` isn't defined" in capfd.readouterr().out
    assert treasury.state["calls"] == {}


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_wrong_key_is_named_and_nothing_is_sent(run_dag, change_connection, treasury, capfd):
    change_connection("ifms_treasury", public_key="c2FtcGxl")
    assert run_dag("ifms_va").state == "failed"
    said = capfd.readouterr().out
    assert "connection 'ifms_treasury'" in said
    assert "the public key can't be read" in said
    assert treasury.state["logins"] == 0


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})
def test_a_refused_login_is_red_with_its_text_on_the_row(run_dag, airflow_connections, treasury, sweeps, monkeypatch):
    described = json.loads(os.environ["AIRFLOW_CONN_IFMS_TREASURY"]) | {"password": "another-secret"}
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_TREASURY", json.dumps(described))
    run = run_dag("ifms_va")
    assert run.state == "failed"
    [row] = sweeps(run)
    assert row["state"] == "failed"
    assert row["message"].startswith("TreasuryLoginError: ")
    assert "another-secret" not in json.dumps(row, default=str)
    assert treasury.state["calls"] == {}


def test_the_treasurys_limit_is_kept_in_the_ledger_for_all_sweeps(run_dag, adapter, change_connection, treasury):
    change_connection("ifms_treasury", calls_per_second=100)
    assert run_dag("ifms_va").state == "success"
    calls = 1 + treasury.state["calls"]["VA"]
    [row] = adapter.rows("SELECT account, next_at > now() - interval '1 hour' AS moved FROM ifms.call_rate")
    assert row == {"account": f"{CLIENT_ID} at {adapter.simulators.treasury}", "moved": True}
    assert len(treasury.arrivals) == calls


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_what_the_connection_says_of_years_and_days_is_what_the_ledger_goes_by(run_dag, adapter, change_connection):
    change_connection("ifms_treasury", use_earlier_years=True, correction_days=60, correction_last_day="05-15")
    assert run_dag("ifms_va").state == "success"
    asked = "SELECT use_earlier_years, correction_days, correction_last_month, correction_last_day FROM ifms.setting"
    [row] = adapter.rows(asked)
    assert tuple(row.values()) == (True, 60, 5, 15)


@pytest.mark.simulators(platform={"cities": 4, "bills_per_city": 3})
def test_sigterm_ends_a_sweep_between_two_calls(run_dag, adapter, change_connection, treasury, sweeps, without_retries):
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    assert adapter.statuses() == {"INITIATED": 12}
    change_connection("ifms_treasury", max_concurrency=2)
    treasury.rule("PIS", "latency", ms=400)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # so that this process lives if Airflow took no notice
    over = threading.Event()

    def worker_shuts_down() -> None:
        while not over.is_set() and not treasury.state["calls"].get("PIS"):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    watcher = threading.Thread(target=worker_shuts_down)
    watcher.start()
    try:
        run = run_dag("ifms_pis")
    finally:
        over.set()
        watcher.join()
        signal.signal(signal.SIGTERM, before)

    assert run.state == "failed"
    [row] = sweeps(run)
    assert row["message"].startswith("SweepStoppedError: ")
    asked = treasury.state["calls"]["PIS"]
    assert 1 <= asked < 12
    assert adapter.statuses() == {"APPROVED": asked, "INITIATED": 12 - asked}, "what was under way is settled"
    assert adapter.rows("SELECT id FROM ifms.payment_instruction WHERE claim_token IS NOT NULL") == []

    treasury.clear()
    assert run_dag("ifms_pis").state == "success"
    assert adapter.statuses() == {"APPROVED": 12}
    assert treasury.state["calls"]["PIS"] == 12


@pytest.fixture
def _two_shards(run_dag, monkeypatch):
    monkeypatch.setenv("IFMS_SHARDS", "2")
    support_dags._bag.cache_clear()
    yield
    support_dags._bag.cache_clear()


@pytest.mark.usefixtures("_two_shards")
@pytest.mark.simulators(platform={"cities": 3, "bills_per_city": 2})
def test_two_shards_share_the_whole_cycle(run_dag, adapter, airflow_connections, treasury, sweeps, airflow_db):
    for dag_id in ("ifms_va", "ifms_pa", "ifms_pi", "ifms_pis", "ifms_pag", "ifms_pd"):
        run = run_dag(dag_id)
        assert run.state == "success", dag_id
        rows = sweeps(run)
        shards = [0] if dag_id == "ifms_pa" else [0, 1]  # it runs every five minutes, and finds little
        assert [(row["shard"], row["state"], row["try_number"]) for row in rows] == [
            (shard, "success", 1) for shard in shards
        ]
        if dag_id == "ifms_va":  # it asks city by city: the cities are shared out
            assert all(row["counts"].get("done") for row in rows), dag_id
    assert adapter.statuses() == {"SUCCESSFUL": 6}
    assert set(treasury.accepted.values()) == {1}


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 1})
@pytest.mark.parametrize(
    "dag_id",
    ["ifms_va", "ifms_pa", "ifms_pi", "ifms_pis", "ifms_pag", "ifms_pd", "ifms_cor", "ifms_ftps", "ifms_ftfps"],
)
def test_a_city_that_is_none_is_an_error_that_names_it(run_dag, airflow_connections, adapter, treasury, sweeps, dag_id):
    run = run_dag(dag_id, conf={"tenants": ["od.samplea", "od.nowhere"]})
    assert run.state == "failed"
    [row] = sweeps(run)
    assert row["message"].startswith("BadInputError: ")
    assert "od.nowhere" in row["message"]
    assert treasury.state["calls"] == {}


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})
@pytest.mark.parametrize("value", [["od.samplea' OR 'a' = 'a"], ["{{ conn.ifms_treasury.password }}"], "{{ 7 * 7 }}"])
def test_a_form_with_something_else_in_it_starts_nothing(run_dag, airflow_connections, adapter, treasury, value):
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        run_dag("ifms_va", conf={"tenants": value})
    assert adapter.rows("SELECT id FROM ifms.sweep_run") == []
    assert treasury.state["calls"] == {}
