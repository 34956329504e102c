"""A real triggerer listens to a real broker: a message starts ifms_pi at once, and nothing else about it matters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support import dags as support_dags
from support import failed
from support.adapter import assert_money_is_right
from support.environment import REPO
from support.scheduler import turn_of_the_scheduler

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.timeout(900),
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}),
]

PATIENCE_SECONDS = 240  # for what only takes as long as the machine is busy
POISON = [None, b"\x00\xff", b"{", b"x" * 150_000]
PHONE = "9876501234"


@dataclass
class Triggerer:
    """Airflow's triggerer as a process of its own."""

    log: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it, and wait until the doorbell listens."""
        before = self.said().count("The doorbell listens")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(Path(sys.executable).parent / "airflow"), "triggerer", "--skip-serve-logs"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )
        until(lambda: self.said().count("The doorbell listens") > before, "the doorbell does not listen")

    def kill(self) -> None:
        """Kill it and what it has started: they have no time for a last word."""
        import psutil

        assert self.process is not None
        for each in [*psutil.Process(self.process.pid).children(recursive=True), self.process]:
            each.kill()
        self.process.wait()

    def said(self) -> str:
        """All that it has written."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def until(true: Callable[[], Any], otherwise: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.3)


def rings() -> list[dict[str, Any]]:
    """What the asset events of the doorbell say."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(AssetEvent.extra).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        return list(session.scalars(query.where(AssetModel.name == "ifms_doorbell")))


def sync(dag_bag: Any) -> None:
    """Write DAGs to the metadata database, as the DAG processor does."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import sync_bag_to_db

    for bundle in DagBundlesManager().get_all_dag_bundles():
        sync_bag_to_db(dag_bag, bundle.name, bundle.version)


@pytest.fixture
def triggerer(run_dag, airflow_connections, kafka, monkeypatch, tmp_path) -> Iterator[Triggerer]:
    """A triggerer, and ifms_pi switched on with its doorbell."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.asset import AssetDagRunQueue
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete, update

    support_dags._sync()
    monkeypatch.setenv("AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL", "0")  # else a DAG changes twice a minute
    monkeypatch.setenv("IFMS_PAYMENT_TOPIC", kafka.topic("payments"))
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_KAFKA", json.dumps(kafka.connection()))

    def switch(*, paused: bool) -> None:
        with create_session() as session:
            session.execute(delete(AssetDagRunQueue))
            session.execute(update(DagModel).where(DagModel.dag_id == "ifms_pi").values(is_paused=paused))

    switch(paused=False)
    bag = DagBag(REPO / "dags")
    assert bag.import_errors == {}
    sync(bag)
    running = Triggerer(tmp_path / "triggerer.log", dict(os.environ))
    try:
        running.start()
        yield running
    finally:
        if running.process is not None:
            running.kill()
        monkeypatch.delenv("IFMS_PAYMENT_TOPIC")
        switch(paused=True)
        sync(support_dags._bag())


def payment_made_elsewhere(adapter) -> bytes:
    """A payment that no DAG of ours has made, and the message about it."""
    failed.wage_bill(adapter, payees=1)
    adapter.run("PA")
    number = adapter.rows("SELECT payment_number FROM ifms.payment ORDER BY seen_at DESC")[0]["payment_number"]
    return json.dumps({"payment": {"paymentNumber": number}, "RequestInfo": {"mobileNumber": PHONE}}).encode()


def test_a_message_starts_ifms_pi_and_what_becomes_of_messages_changes_nothing(triggerer, kafka, adapter, treasury):
    topic = f"{kafka.name}-payments"
    adapter.run("VA")
    message = payment_made_elsewhere(adapter)
    assert turn_of_the_scheduler() == []
    kafka.send(topic, message, *POISON, *[message] * 20)  # doubled, and among poison
    until(rings, "nothing rings")
    [run] = turn_of_the_scheduler()
    assert (run.dag_id, run.run_type, run.state) == ("ifms_pi", "asset_triggered", "success")
    assert adapter.statuses() == {"INITIATED": 1}
    assert len(rings()) < 5  # of 25 messages

    # Killed before a message was marked as heard: it rings again, and there is nothing to do.
    before = len(rings())
    kafka.send(topic, message)
    until(lambda: len(rings()) > before, "another message does not ring")
    triggerer.kill()
    first = len(rings())
    triggerer.start()
    until(lambda: len(rings()) > first, "what was not marked as heard does not ring again")
    assert {run.state for run in turn_of_the_scheduler()} == {"success"}
    assert set(treasury.accepted.values()) == {1}

    # A broker that goes away and comes back is heard again by the same triggerer; an old message tells of a new payment.
    payment_made_elsewhere(adapter)
    with kafka.broker.away():
        pass
    before = len(rings())
    kafka.send(topic, message)
    until(lambda: len(rings()) > before, "after the broker was away nothing rings")
    assert {run.state for run in turn_of_the_scheduler()} == {"success"}
    assert adapter.statuses() == {"INITIATED": 2}
    assert set(treasury.accepted.values()) == {1}
    assert_money_is_right(adapter, treasury)

    # Lost: nobody rings, and the run at nine finds the payment.
    payment_made_elsewhere(adapter)
    assert support_dags._run_dag("ifms_pi").state == "success"
    assert adapter.statuses() == {"INITIATED": 3}

    assert {json.dumps(each, sort_keys=True) for each in rings()} == {'{"from_trigger": true, "payload": "rung"}'}
    assert PHONE not in triggerer.said()
    assert "xxxxxxxx" not in triggerer.said()
