"""DAG runs started from outside: named, once, with their form, and in the audit log."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from support.api import audited, none_waits, runs

pytestmark = pytest.mark.airflow


@pytest.fixture
def somebody(airflow_app: Any) -> Any:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return SimpleAuthManagerUser(username="sample-somebody", role="USER")


def test_a_token_starts_one_run_and_writes_one_line(somebody: Any, airflow_db: str):
    from ifms_airflow.api.dag_runs import start

    token, lines = uuid.uuid4().hex, len(audited(airflow_db))
    first = start(somebody, "ifms_ftps", "refresh", {"pi_numbers": ["PI-1"]}, token, page=True)
    again = start(somebody, "ifms_ftps", "refresh", {"pi_numbers": ["PI-2"]}, token, page=True)
    assert first == again
    assert (first.state, first.over) == ("queued", False)
    assert runs(airflow_db, "ifms_ftps")[0]["conf"] == {"pi_numbers": ["PI-1"]}
    written = audited(airflow_db)
    assert len(written) == lines + 1
    assert written[0][:3] == ("ifms.refresh", "sample-somebody", "ifms_ftps")
    assert json.loads(written[0][3]) == {"pi_numbers": ["PI-1"]}


def test_what_airflow_refuses_is_said_and_starts_nothing(somebody: Any, airflow_db: str):
    from ifms_airflow.api.dag_runs import start
    from ifms_airflow.api.digit import DigitError

    before = len(runs(airflow_db, "ifms_pis"))
    with pytest.raises(DigitError, match="ifms_none") as told:
        start(somebody, "ifms_none", "refresh", {})
    assert (told.value.code, told.value.status) == ("DAG_NOT_FOUND", 404)
    with pytest.raises(DigitError, match="can't be started with this"):
        start(somebody, "ifms_pis", "refresh", {"pi_numbers": ["; DROP TABLE"]})
    assert len(runs(airflow_db, "ifms_pis")) == before


def test_who_may_not_starts_nothing(airflow_app: Any, airflow_db: str):
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi import HTTPException

    from ifms_airflow.api.dag_runs import start

    before = audited(airflow_db)
    for role in ("VIEWER", None):
        with pytest.raises(HTTPException) as told:
            start(SimpleAuthManagerUser(username="sample", role=role), "ifms_pis", "refresh", {})
        assert told.value.status_code == 403
    assert audited(airflow_db) == before


def test_only_a_run_that_does_all_of_it_serves_who_wants_one_more(somebody: Any, airflow_db: str):
    from ifms_airflow.api.dag_runs import find, start, waiting

    none_waits(airflow_db, "ifms_ftfps")
    start(somebody, "ifms_ftfps", "refresh", {"pi_numbers": ["PI-1"]})
    assert waiting("ifms_ftfps") is None
    whole = start(somebody, "ifms_ftfps", "scheduler", {})
    assert waiting("ifms_ftfps") == whole == find("ifms_ftfps", whole.run_id)
    assert find("ifms_ftfps", "none") is None
