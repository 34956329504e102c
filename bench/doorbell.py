"""How long a payment takes from its approval at the platform to the treasury's acceptance when Kafka's doorbell rings.

Airflow runs with the settings of `make run`, all DAG files, a triggerer and a real Kafka; ifms_pa, ifms_pi and
ifms_relay are switched on. A bill is approved, its payment is made with it and told on the topic as DIGIT tells it:
first each one alone, when nothing is under way, then a stream of them, of which one may be taken along by the run that
another has rung for. And bills without a payment, told on the topic of bills: ifms_pa makes it. The treasury answers
at once. When a PI was accepted, the ledger says; where the seconds went, Airflow's own tables.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median, quantiles

import psycopg
from rich.console import Console
from rich.table import Table
from tests.support.kafka.server import UnavailableError
from tests.support.kafka.server import running as running_kafka
from tests.support.real_airflow import running, until

from bench.harness import Harness
from bench.workers import connections
from ifms_simulator import sample
from ifms_standalone import airflow
from ifms_standalone.errors import StandaloneError
from ifms_standalone.settings import REPOSITORY

DAG = "ifms_pi"
DAGS = ("ifms_pa", DAG, "ifms_relay")
LEDGER = "ifms"  # the database that Airflow's connection names
TOPIC, BILLS = "expense-payment-create", "expense-bill-update"
CITY = "od.samplea"
PAYMENTS, QUICK_PAYMENTS = 8, 3
"""So many alone, and as many in a stream."""
PAUSE_SECONDS = 10.3
"""Then the run that a payment has rung for is over, also when an earlier one has taken it along. Not a whole number:
Airflow's loops go by whole seconds, and payments shall meet them here and there."""
STREAM_SECONDS = 1.3
ALLOWED = 15.0
"""Seconds: for the median."""

Ring = Callable[[str], None]

PARTS = (
    "until it has rung",
    "until the run is made",
    "until the run begins",
    "until its task is queued",
    "until its task begins",
    "until its sweep begins",
    "until the treasury has accepted the PI",
)
"""What lies between each of a payment's moments and the next."""


@dataclass(frozen=True)
class Way:
    """A payment's moments: its approval, then the end of each of `PARTS`."""

    moments: tuple[datetime, ...]

    @property
    def seconds(self) -> float:
        """From the approval to the acceptance."""
        return (self.moments[-1] - self.moments[0]).total_seconds()

    @property
    def parts(self) -> list[float]:
        """The seconds of each part; the first is below zero where the run that took it was rung for before."""
        return [(after - before).total_seconds() for before, after in pairwise(self.moments)]


@dataclass(frozen=True)
class Ways:
    """The ways of payments that came alone, of those that came in a stream, and of bills that came without one."""

    alone: list[Way]
    stream: list[Way]
    bills: list[Way]


def measure(made: Harness, payments: int, console: Console) -> Ways | str:
    """The ways of so many payments alone, in a stream, and of bills alone; a sentence where there can be no Kafka.

    Raises StandaloneError.
    """
    made.new_ledger(LEDGER)
    made.sweep("VA", LEDGER, CITY)
    airflow.admit_tasks(made.server)
    made.treasury.control("POST", "settings", {"latency_ms": 0})
    try:
        with console.status("Airflow and Kafka are starting"), _doorbell(made) as ring:
            for topic in (TOPIC, BILLS):  # what starts for the first time is nobody's figure
                _one_by_one(made, ring, topic, 1)
            alone = _one_by_one(made, ring, TOPIC, payments)
            bills = _one_by_one(made, ring, BILLS, payments)
            stream = {}
            for _ in range(payments):
                number, at = _approve(made, ring, TOPIC)
                stream[number] = at
                time.sleep(STREAM_SECONDS)
            _wait(made, stream.keys())
            return Ways(_ways(made, alone), _ways(made, stream), _ways(made, bills))
    except UnavailableError as reason:
        return str(reason)
    except AssertionError as late:  # what the tests wait for, too
        raise StandaloneError(f"The doorbell could not be measured: {late}.") from late


def table(ways: Ways) -> Table:
    """From approval to acceptance against what is allowed, and where the seconds go."""
    made = Table(title=f"From approval to acceptance when the doorbell rings, {len(ways.alone)} bills each")
    made.add_column("what")
    for heading in ("median", "p95", "allowed", ""):
        made.add_column(heading, justify="right")
    for name, some in (
        ("each alone", ways.alone),
        (f"one every {STREAM_SECONDS} s", ways.stream),
        ("each alone, its payment by ifms_pa", ways.bills),
    ):
        seconds = [way.seconds for way in some]
        verdict = "[green]ok[/]" if median(seconds) <= ALLOWED else "[red]over[/]"
        made.add_row(f"from approval to acceptance, {name}", *_figures(seconds), f"{ALLOWED:.0f} s", verdict)
    for name, taken in zip(PARTS, zip(*(way.parts for way in ways.alone), strict=True), strict=True):
        made.add_row(f"  of one alone: {name}", *_figures(taken), "", "")
    return made


def _figures(seconds: Sequence[float]) -> tuple[str, str]:
    """Median and 95th percentile."""
    high = quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    return f"{median(seconds):.1f} s", f"{high:.1f} s"


def _one_by_one(made: Harness, ring: Ring, topic: str, count: int) -> dict[str, datetime]:
    """Approve so many bills, each when the one before is through; when each was approved."""
    approved = {}
    for _ in range(count):
        number, at = _approve(made, ring, topic)
        approved[number] = at
        _wait(made, {number})
        time.sleep(PAUSE_SECONDS)
    return approved


@contextmanager
def _doorbell(made: Harness) -> Iterator[Ring]:
    """Kafka and Airflow, up and listening; what is given puts a message on a topic.

    Raises UnavailableError where there can be no Kafka, AssertionError when a part is not up in time.
    """
    with running_kafka() as broker:
        from confluent_kafka import Producer
        from confluent_kafka.admin import AdminClient, NewTopic

        client: dict[str, str | int | float | bool] = {"bootstrap.servers": broker.servers, "log_level": 0}
        admin = AdminClient(client)  # kept: without it nobody waits for the answer
        for made_of_it in admin.create_topics([NewTopic(topic, 1, 1) for topic in (TOPIC, BILLS)]).values():
            made_of_it.result()
        producer = Producer(client)

        def ring(topic: str) -> None:
            producer.produce(topic, b"{}")  # nobody reads it
            producer.flush()

        kafka = {"conn_type": "kafka", "extra": {"bootstrap.servers": broker.servers}}
        ours = {"AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags")}
        ours |= {"IFMS_PAYMENT_TOPIC": TOPIC, "IFMS_BILL_TOPIC": BILLS}
        described = connections(made) | {"ifms_kafka": kafka}
        with running(made.server, described, made.root / "doorbell", DAG, ours) as parts:
            parts.start("triggerer", "triggerer", "--skip-serve-logs")
            until(lambda: parts.healthy("scheduler", "dag_processor", "triggerer"), "the triggerer is not up")
            until(lambda: not parts.client.missing_dags(DAGS), "the DAGs are not parsed")
            for dag in DAGS:
                parts.client.unpause(dag)
            yield ring


def _approve(made: Harness, ring: Ring, topic: str) -> tuple[str, datetime]:
    """Approve a bill, with its payment unless the topic is that of bills; its number, and the instant before."""
    at = datetime.now(UTC)
    [bill] = sample.bulk(made.platform.address, 1, 1, CITY, with_payments=topic == TOPIC)
    ring(topic)
    return bill["billNumber"], at


def _wait(made: Harness, numbers: Collection[str]) -> None:
    """Wait until the treasury has accepted the PIs of these bills. Raises AssertionError."""
    until(lambda: set(numbers) <= _accepted(made).keys(), f"of {len(numbers)} bills, not all get an accepted PI")


def _accepted(made: Harness) -> dict[str, tuple[str, datetime, datetime]]:
    """The bills whose PI is accepted: in which DAG run, when its sweep began, and when that was."""
    with psycopg.connect(made.server.dsn(LEDGER)) as connection:
        rows = connection.execute(
            """
            SELECT p.bill_numbers[1], r.run_id, r.started_at, l.created_at FROM ifms.status_log l
            JOIN ifms.sweep_run r ON r.id = l.sweep_run_id
            JOIN ifms.payment_instruction p ON p.id = l.payment_instruction_id
            WHERE l.from_status = 'PENDING' AND l.to_status = 'INITIATED'
            """
        ).fetchall()
    return {number: (run, began, accepted) for number, run, began, accepted in rows}


def _ways(made: Harness, approved: Mapping[str, datetime]) -> list[Way]:
    told = _accepted(made)
    return [_way(made, at, *told[number]) for number, at in approved.items()]


def _way(made: Harness, approved: datetime, run: str, sweep: datetime, accepted: datetime) -> Way:
    """A payment's way through the DAG run that took it: by its first ring after the approval, if it has one."""
    with psycopg.connect(made.server.dsn("airflow")) as connection:
        row = connection.execute(
            """
            SELECT coalesce(min(e.timestamp) FILTER (WHERE e.timestamp >= %(approved)s), max(e.timestamp), r.queued_at),
                   r.queued_at, r.start_date, t.queued_dttm, t.start_date
            FROM dag_run r
            JOIN task_instance t ON (t.dag_id, t.run_id) = (r.dag_id, r.run_id)
                AND t.task_id = 'create_payment_instructions'
            LEFT JOIN dagrun_asset_event d ON d.dag_run_id = r.id
            LEFT JOIN asset_event e ON e.id = d.event_id
            WHERE (r.dag_id, r.run_id) = (%(dag)s, %(run)s)
            GROUP BY r.id, t.id
            """,
            {"approved": approved, "dag": DAG, "run": run},
        ).fetchone()
    assert row is not None, f"Airflow knows no run {run}"
    return Way((approved, *row, sweep, accepted))
