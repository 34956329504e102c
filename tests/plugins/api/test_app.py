"""The app as a whole: what is answered when something is wrong, and its description against what it does."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import one_of
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks
from support import figures
from support.adapter import Adapter
from support.api import REQUEST_INFO
from support.failed import wage_bill

# What is positive by the description may still be refused: a search for nothing, a payment that does not exist.
EXCLUDED = [checks.positive_data_acceptance]
REQUESTS = "requests made up by schemathesis, none of which broke a page or the API"
PATIENCE_SECONDS = 120  # for the first PDF of a process, on a machine that is busy with other tests

attacked = settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0, "persist_ms": 0})]


@pytest.fixture
def described(api: Any, adapter: Adapter, airflow_app: Any) -> tuple[Any, dict[str, str]]:
    """The API's own description, for schemathesis to attack it by; with something in the ledger to be found."""
    wage_bill(adapter)
    adapter.cycle()
    client = api("admin")
    sub = next(route.app for route in airflow_app.routes if getattr(route, "path", "") == "/ifms")
    headers = {"Authorization": client.headers["Authorization"]}
    return schemathesis.openapi.from_asgi("/openapi.json", sub, headers=headers), headers


def test_the_api_answers_as_it_is_described(described: tuple[Any, dict[str, str]], monkeypatch: pytest.MonkeyPatch):
    from ifms_airflow.api import dag_runs

    # Nothing is started: whatever is asked for is said to have begun, and hundreds of runs are not left behind.
    monkeypatch.setattr(dag_runs, "waiting", lambda dag_id, ledger: dag_runs.Started(dag_id, "sample", "queued"))
    schema, headers = described
    operations = list(schema.get_all_operations())
    assert len(operations) == 5
    for found in operations:
        operation = found.ok()

        @attacked
        @given(one_of(operation.as_strategy(GenerationMode.POSITIVE), operation.as_strategy(GenerationMode.NEGATIVE)))
        def attack(case: Any) -> None:
            figures.add(REQUESTS)
            case.call_and_validate(headers=headers, timeout=PATIENCE_SECONDS, excluded_checks=EXCLUDED)

        attack()


@pytest.mark.tier("prove")
def test_no_request_however_odd_breaks_a_page(described: tuple[Any, dict[str, str]], monkeypatch: pytest.MonkeyPatch):
    from fastapi.openapi.utils import get_openapi
    from fastapi.routing import APIRoute

    from ifms_airflow.api import dag_runs
    from ifms_airflow.api.app import create_app

    monkeypatch.setattr(dag_runs, "waiting", lambda dag_id, ledger: dag_runs.Started(dag_id, "sample", "queued"))
    pages = [route for route in create_app().routes if isinstance(route, APIRoute) and not route.include_in_schema]
    for page in pages:
        page.include_in_schema = True  # of an app that is there for its description alone
    schema = schemathesis.openapi.from_dict(get_openapi(title="pages", version="1", routes=pages))
    schema.app = described[0].app
    headers = described[1] | {"Accept": "text/html"}
    operations = list(schema.get_all_operations())
    assert len(operations) > 45
    for found in operations:
        operation = found.ok()

        @attacked
        @given(one_of(operation.as_strategy(GenerationMode.POSITIVE), operation.as_strategy(GenerationMode.NEGATIVE)))
        def attack(case: Any) -> None:
            answer = case.call(headers=headers, timeout=PATIENCE_SECONDS)
            figures.add(REQUESTS)
            assert answer.status_code < 500, answer.content
            assert b"Traceback" not in answer.content

        attack()


def test_errors_have_digits_envelope_for_programs_and_a_page_for_people(api: Any):
    told = api("admin").get("/ifms/instruction?number=PI-none")
    assert told.json()["Errors"][0]["code"] == "NOT_FOUND"
    shown = api("admin", headers={"Accept": "text/html"}).get("/ifms/instruction?number=PI-none")
    assert "That did not work" in shown.text
    nobody = api(None).post("/ifms/pi/v1/_search", json={})
    assert (nobody.status_code, nobody.json()["Errors"][0]["code"]) == (401, "NOT_LOGGED_IN")
    denied = api("viewer").post(
        "/ifms/pi/v1/_create", json={"RequestInfo": REQUEST_INFO, "tenantId": "od.samplea", "referenceId": "EP/1"}
    )
    assert (denied.status_code, denied.json()["Errors"][0]["code"]) == (403, "NOT_ALLOWED")
    assert api("admin").put("/ifms/pi/v1/_search").json()["Errors"][0]["code"] == "METHOD_NOT_ALLOWED"


def test_docs_name_every_route_of_the_api(api: Any):
    page = api("viewer").get("/ifms/docs").text
    for path in ("/ifms/pi/v1/_create", "/ifms/pi/v1/_search", "/ifms/funds/v1/_search", "/ifms/_scheduler"):
        assert path in page
    assert "//" not in page.replace("<!doctype html>", "")
