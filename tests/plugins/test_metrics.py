"""What a real StatsD listener hears of sweeps: every name that docs/operations.md promises, and none per PI."""

from __future__ import annotations

import re
import socket

import pytest
from support.environment import REPO
from support.failed import wage_bill

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]


@pytest.fixture
def statsd(monkeypatch):
    """A StatsD server; `heard()` is all it has heard so far, by name."""
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics import stats_utils

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 2**20)
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.2)
        host, port = server.getsockname()
        for name, value in {"STATSD_ON": "True", "STATSD_HOST": host, "STATSD_PORT": str(port)}.items():
            monkeypatch.setenv(f"AIRFLOW__METRICS__{name}", value)
        stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)

        def heard():
            told = {}
            while True:
                try:
                    packet = server.recv(65536).decode()
                except TimeoutError:
                    return told
                for line in packet.split("\n"):
                    name, _, value = line.partition(":")
                    if name.startswith("airflow.ifms."):
                        told.setdefault(name.removeprefix("airflow."), []).append(value)

        yield heard
        monkeypatch.undo()
        stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)


def promised():
    """The names of the table in docs/operations.md, as patterns."""
    text = (REPO / "docs/operations.md").read_text()
    names = re.findall(r"^\| `(ifms\.[^`]+)`", text, re.MULTILINE)
    assert len(names) > 10
    return [re.compile(re.escape(name).replace("<service>", "[a-z]+")) for name in names]


def test_a_listener_hears_of_each_sweep_and_of_what_waits(statsd, run_dag, airflow_connections, adapter):
    for _ in range(3):
        wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    statsd()
    assert run_dag("ifms_pis").state == "success"
    told = statsd()
    assert told["ifms.sweep.pis.success"] == ["1|c"]
    assert told["ifms.calls.pis.answered"] == ["3|c"]
    assert told["ifms.sweep.pis.done"] == ["3|c"]
    assert all(
        value.endswith("|ms") for name in told for value in told[name] if "latency" in name or "duration" in name
    )
    assert {"ifms.calls.pis.latency.median", "ifms.calls.pis.latency.p95", "ifms.sweep.pis.duration"} <= told.keys()
    assert sum(map(len, told.values())) < 12  # however many PIs
    assert run_dag("ifms_relay").state == "success"
    gauges = {
        name: float(values[-1].removesuffix("|g")) for name, values in statsd().items() if values[-1].endswith("|g")
    }
    assert gauges["ifms.backlog.approved.original.waiting"] == 3
    assert gauges["ifms.backlog.approved.original.oldest"] > 0
    assert gauges["ifms.backlog.initiated.original.waiting"] == 0
    assert gauges["ifms.outbox.due"] == 0
    assert gauges["ifms.calls.unshipped"] > 0
    known = promised()
    for name in [*told, *gauges]:
        assert any(pattern.fullmatch(name) for pattern in known), name


def test_a_treasury_that_is_out_of_reach_is_heard_of(
    statsd, run_dag, airflow_connections, adapter, treasury, without_retries
):
    wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    treasury.rule("PIS", "refuse")
    statsd()
    assert run_dag("ifms_pis").state == "failed"
    told = statsd()
    assert told["ifms.sweep.pis.failed"] == ["1|c"]
    assert told["ifms.calls.pis.unknown"] == ["1|c"]


def test_metrics_that_can_not_be_told_harm_no_sweep(run_dag, airflow_connections, adapter, monkeypatch, caplog):
    from ifms_airflow import metrics

    def broken(*arguments):
        raise OSError("sample")

    monkeypatch.setattr(metrics, "_tell", broken)
    monkeypatch.setattr(metrics, "wanted", lambda: True)
    wage_bill(adapter)
    assert run_dag("ifms_va").state == "success"


def test_nothing_is_looked_up_for_nobody(run_dag, airflow_connections, adapter, monkeypatch):
    from ifms_airflow import metrics

    def wrong(*arguments):
        raise AssertionError("nobody listens")

    monkeypatch.setattr("ifms.reports.reads.gauges.waiting", wrong)
    assert not metrics.wanted()
    assert run_dag("ifms_relay").state == "success"
