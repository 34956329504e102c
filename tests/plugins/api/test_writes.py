"""What a person says on a page is one transaction of the ledger, and whom it concerns hears of it."""

from __future__ import annotations

from typing import Any

import pytest
from support.adapter import Adapter
from support.api import rung

from ifms.ledger.database import Connection

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]


def heard(connection: Connection) -> str:
    connection.execute(
        "INSERT INTO ifms.unknown_answer (service_id, template, sample) VALUES ('PIS', 'a text', 'A text')"
    )
    return "done"


def test_it_is_committed_whole_or_not_at_all(api: Any, adapter: Adapter):
    from ifms_airflow.api import writes

    def half(connection: Connection) -> None:
        heard(connection)
        raise ValueError("it broke")

    with pytest.raises(ValueError, match="it broke"):
        writes.transact(half)
    assert adapter.rows("SELECT * FROM ifms.unknown_answer") == []
    assert writes.transact(heard) == "done"
    assert len(adapter.rows("SELECT * FROM ifms.unknown_answer")) == 1


def test_the_bell_is_rung_when_there_is_something_to_deliver(api: Any, adapter: Adapter, airflow_db: str):
    from ifms_airflow.api import writes
    from ifms_airflow.assets import OUTBOX

    before = rung(airflow_db, OUTBOX.asset.name)
    writes.transact(heard)
    assert rung(airflow_db, OUTBOX.asset.name) == before

    def message(connection: Connection) -> None:
        connection.execute(
            "INSERT INTO ifms.outbox (tenant_id, topic, ordering_key, payload) VALUES ('od.samplea', 'pi_index', 'PI-1', '{}')"
        )

    writes.transact(message)
    assert rung(airflow_db, OUTBOX.asset.name) == before + 1


def test_what_is_locked_for_long_is_not_waited_for(api: Any, adapter: Adapter):
    from ifms_airflow.api import writes

    def ask(connection: Connection) -> tuple[str, ...]:
        return tuple(connection.execute(f"SHOW {name}".encode()).fetchone()[0] for name in names)  # type: ignore[index]

    names = ("lock_timeout", "statement_timeout", "TimeZone")
    assert writes.transact(ask) == ("3s", "20s", "UTC")
