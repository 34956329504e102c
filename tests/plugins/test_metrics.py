"""What real listeners, StatsD's and OpenTelemetry's, hear of sweeps: names that docs/operations.md promises, none per PI."""

from __future__ import annotations

import re
import socket

import pytest
from support.collector import collector
from support.environment import REPO
from support.failed import wage_bill

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]
OPERATIONS = (REPO / "docs/operations.md").read_text()


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


@pytest.fixture
def opentelemetry(monkeypatch):
    """An OpenTelemetry collector; `heard()` is what it knows when a process has sent its last, by name."""
    import atexit

    from airflow.sdk._shared.observability.metrics import otel_logger
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics import stats_utils
    from opentelemetry import metrics
    from opentelemetry.metrics import _internal
    from opentelemetry.sdk.metrics import MeterProvider

    with collector() as made:
        for name, value in made.environment().items():
            assert f"`{name}`" in OPERATIONS
            monkeypatch.setenv(name, value)
        stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)

        def heard():
            otel_logger.flush_otel_metrics()  # as each process does when it ends
            return dict(made.told)

        yield heard
        if isinstance(provider := metrics.get_meter_provider(), MeterProvider):
            provider.shutdown()
        atexit.unregister(otel_logger.flush_otel_metrics)
        _internal._METER_PROVIDER = None
        _internal._METER_PROVIDER_SET_ONCE._done = False
        monkeypatch.undo()
        stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)


def promised():
    """The names of the table in docs/operations.md, as patterns."""
    names = re.findall(r"^\| `(ifms\.[^`]+)`", OPERATIONS, re.MULTILINE)
    assert len(names) > 10
    return [re.compile(re.escape(name).replace("<service>", "[a-z_]+")) for name in names]


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


def test_opentelemetry_hears_the_same(opentelemetry, run_dag, airflow_connections, adapter):
    for _ in range(3):
        wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    assert run_dag("ifms_pis").state == "success"
    told = opentelemetry()
    assert told["ifms.sweep.pis.success"] == ("sum", 1)
    assert told["ifms.calls.pis.answered"] == ("sum", 3)
    assert told["ifms.sweep.pis.done"] == ("sum", 3)
    for name in ("ifms.calls.pis.latency.median", "ifms.calls.pis.latency.p95", "ifms.sweep.pis.duration"):
        assert told[name] == ("exponential_histogram ms", 1)
    assert run_dag("ifms_relay").state == "success"
    told = opentelemetry()
    assert told["ifms.backlog.approved.original.waiting"] == ("gauge", 3)
    assert told["ifms.outbox.due"] == ("gauge", 0)
    known = promised()
    for name in told:
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

    monkeypatch.setattr(metrics, "_emit", broken)
    monkeypatch.setattr(metrics, "wanted", lambda: True)
    wage_bill(adapter)
    assert run_dag("ifms_va").state == "success"


def test_nothing_is_looked_up_for_nobody(run_dag, airflow_connections, adapter, monkeypatch):
    from ifms_airflow import metrics

    def wrong(*arguments):
        raise AssertionError("nobody listens")

    monkeypatch.setattr("ifms.queries.gauges.waiting", wrong)
    assert not metrics.wanted()
    assert run_dag("ifms_relay").state == "success"
