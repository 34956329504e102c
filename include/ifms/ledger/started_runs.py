"""DAG runs that a person has started through the pages or the API: for which cities, and with which form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ifms.cities import Cities
from ifms.ledger.database import Connection


def record(
    connection: Connection,
    dag_id: str,
    run_id: str,
    *,
    started_by: str,
    tenants: Sequence[str] | None,
    conf: Mapping[str, Any],
) -> bool:
    """Say that somebody who may starts this run, `tenants` None for all cities; False if somebody else did before.

    Written before the run is made: one that nobody makes then is never asked about. The first form counts, as in
    Airflow: the same form sent twice is one run.
    """
    connection.execute(
        """
        INSERT INTO ifms.started_run (dag_id, run_id, started_by, tenants, conf_sha256) VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT DO NOTHING
        """,
        (dag_id, run_id, started_by, None if tenants is None else list(tenants), _digest(conf)),
    )
    row = connection.execute(
        "SELECT started_by FROM ifms.started_run WHERE (dag_id, run_id) = (%s, %s)", (dag_id, run_id)
    ).fetchone()
    assert row is not None
    return bool(row[0] == started_by)


def was_allowed(connection: Connection, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> bool:
    """Whether the pages or the API have started this run, with this very form."""
    row = connection.execute(
        "SELECT conf_sha256 FROM ifms.started_run WHERE (dag_id, run_id) = (%s, %s)", (dag_id, run_id)
    ).fetchone()
    return row is not None and bytes(row[0]) == _digest(conf)


def is_of(connection: Connection, dag_id: str, run_id: str, cities: Cities) -> bool:
    """Whether somebody who may read these cities may hear of the run: of any, for all cities; else of one for these."""
    if cities.everywhere:
        return True
    row = connection.execute(
        "SELECT tenants FROM ifms.started_run WHERE (dag_id, run_id) = (%s, %s)", (dag_id, run_id)
    ).fetchone()
    return row is not None and cities.cover(row[0])


def for_all_cities(connection: Connection, dag_id: str, run_ids: Sequence[str]) -> list[str]:
    """Which of these runs were started through the pages or the API for all cities."""
    rows = connection.execute(
        "SELECT run_id FROM ifms.started_run WHERE dag_id = %s AND run_id = ANY(%s) AND tenants IS NULL",
        (dag_id, list(run_ids)),
    ).fetchall()
    return [row[0] for row in rows]


def _digest(conf: Mapping[str, Any]) -> bytes:
    """Of a form, whatever the order of its fields."""
    text = json.dumps(dict(conf), sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).digest()
