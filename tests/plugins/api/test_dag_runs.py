"""DAG runs started from outside: named, once, with their form, and in the audit log."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from support.api import audited, none_waits, our_app, runs

from ifms.cities import Cities
from ifms_airflow.rights import EVERYTHING, Rights

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow_connections")]


@pytest.fixture
def somebody(airflow_app: Any) -> Any:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return SimpleAuthManagerUser(username="sample-somebody", role="USER")


@pytest.fixture
def ledger(airflow_app: Any) -> Any:
    reads = our_app(airflow_app).state.reads
    yield reads
    reads.close()


HERE = Rights(act=Cities.of("od.samplea", "od.samplec"))


def test_nobody_starts_a_run_for_a_city_that_is_not_theirs(somebody: Any, airflow_db: str):
    from fastapi import HTTPException

    from ifms_airflow.api.dag_runs import start

    before, said = runs(airflow_db, "ifms_pag"), audited(airflow_db)
    for tenants in (None, [], ["od.sampleb"], ["od.samplea", "od.sampleb"]):
        conf = {} if tenants is None else {"tenants": tenants}
        with pytest.raises(HTTPException) as told:
            start(somebody, HERE, "ifms_pag", "refresh", conf)
        assert told.value.status_code == 403
    assert (runs(airflow_db, "ifms_pag"), audited(airflow_db)) == (before, said)
    assert start(somebody, HERE, "ifms_pag", "refresh", {"tenants": ["od.samplea"]}).state == "queued"


@pytest.mark.parametrize("text", ["\ud800", "\x00", "ଓଡ଼ିଶା", "x" * 5000])
def test_whatever_somebody_names_is_recorded(somebody: Any, airflow_db: str, ledger: Any, text: str):
    """What a text column can't hold is in a request's JSON all the same."""
    from ifms_airflow.api.dag_runs import note

    note(somebody, "create", dag_id="ifms_pi", payment=text)
    assert json.loads(audited(airflow_db)[0][3]) == {"payment": text}
    with ledger.connection() as connection:
        [row] = connection.execute("SELECT person, action, subject FROM ifms.person_action").fetchall()
    assert row[:2] == ("sample-somebody", "create")
    assert json.dumps({"payment": text})[:2000] == row[2]


def test_a_run_is_seen_by_who_may_read_all_of_its_cities(somebody: Any, ledger: Any):
    from ifms_airflow.api.dag_runs import find, start

    one = start(somebody, HERE, "ifms_pag", "refresh", {"tenants": ["od.samplea"]}).run_id
    two = start(somebody, HERE, "ifms_pag", "refresh", {"tenants": ["od.samplea", "od.samplec"]}).run_id
    whole = start(somebody, EVERYTHING, "ifms_pag", "refresh", {}).run_id

    def seen(*cities: str) -> list[bool]:
        given = Rights(read=Cities.of(*cities))
        return [find("ifms_pag", run_id, given, ledger) is not None for run_id in (one, two, whole)]

    assert seen("od.samplea", "od.samplec") == [True, True, False]
    assert seen("od.samplea") == [True, False, False]
    assert seen("od.samplec") == [False, False, False]
    assert find("ifms_pag", whole, EVERYTHING, ledger) is not None


def test_a_run_that_somebody_began_in_airflow_serves_nobody_who_wants_one_more(airflow_db: str, ledger: Any):
    """It might be one that its tasks refuse."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.utils.types import DagRunTriggeredByType

    from ifms_airflow.api.dag_runs import waiting

    none_waits(airflow_db, "ifms_pd")
    trigger_dag(
        "ifms_pd", triggered_by=DagRunTriggeredByType.UI, triggering_user_name="sample-op", run_id=uuid.uuid4().hex
    )
    assert waiting("ifms_pd", ledger) is None
    none_waits(airflow_db, "ifms_pd")


def test_nobody_takes_over_the_name_of_somebody_elses_run(somebody: Any, airflow_app: Any):
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    from ifms_airflow.api.dag_runs import start
    from ifms_airflow.api.digit import DigitError

    token = uuid.uuid4().hex
    start(somebody, HERE, "ifms_pag", "refresh", {"tenants": ["od.samplea"]}, token)
    other = SimpleAuthManagerUser(username="sample-other", role="USER")
    with pytest.raises(DigitError, match="somebody else"):
        start(other, EVERYTHING, "ifms_pag", "refresh", {"tenants": ["od.samplea"]}, token)


def test_a_token_starts_one_run_and_writes_one_line(somebody: Any, airflow_db: str):
    from ifms_airflow.api.dag_runs import start

    token, lines = uuid.uuid4().hex, len(audited(airflow_db))
    first = start(somebody, EVERYTHING, "ifms_ftps", "refresh", {"pi_numbers": ["PI-1"]}, token, page=True)
    again = start(somebody, EVERYTHING, "ifms_ftps", "refresh", {"pi_numbers": ["PI-2"]}, token, page=True)
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
        start(somebody, EVERYTHING, "ifms_none", "refresh", {})
    assert (told.value.code, told.value.status) == ("DAG_NOT_FOUND", 404)
    with pytest.raises(DigitError, match="can't be started with this"):
        start(somebody, EVERYTHING, "ifms_pis", "refresh", {"pi_numbers": ["; DROP TABLE"]})
    assert len(runs(airflow_db, "ifms_pis")) == before


def test_who_may_not_starts_nothing(airflow_app: Any, airflow_db: str):
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi import HTTPException

    from ifms_airflow.api.dag_runs import start

    before = audited(airflow_db)
    for role in ("VIEWER", None):
        with pytest.raises(HTTPException) as told:
            start(SimpleAuthManagerUser(username="sample", role=role), EVERYTHING, "ifms_pis", "refresh", {})
        assert told.value.status_code == 403
    assert audited(airflow_db) == before


def test_only_a_run_that_does_all_of_it_serves_who_wants_one_more(somebody: Any, airflow_db: str, ledger: Any):
    from ifms_airflow.api.dag_runs import find, start, waiting

    none_waits(airflow_db, "ifms_ftfps")
    start(somebody, EVERYTHING, "ifms_ftfps", "refresh", {"pi_numbers": ["PI-1"]})
    assert waiting("ifms_ftfps", ledger) is None
    whole = start(somebody, EVERYTHING, "ifms_ftfps", "scheduler", {})
    assert waiting("ifms_ftfps", ledger) == whole == find("ifms_ftfps", whole.run_id, EVERYTHING, ledger)
    assert find("ifms_ftfps", "none", EVERYTHING, ledger) is None
