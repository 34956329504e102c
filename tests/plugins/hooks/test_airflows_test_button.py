"""The Test button of Airflow's UI, through Airflow's own API, on connections saved as the form saves them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.simulators import CLIENT_ID, LOG_KEY, Simulators

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 1})]

Save = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def airflow_api(airflow_db: str) -> Any:
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    return TestClient(create_app(apps="core"))


@pytest.fixture
def api(airflow_api: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Airflow's API as an admin's browser uses it, with the settings that the README asks for."""
    from airflow._shared.secrets_masker import _secrets_masker
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")
    masker = _secrets_masker()  # has read AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES when Airflow was imported
    monkeypatch.setattr(masker, "sensitive_variables_fields", [*masker.sensitive_variables_fields, "log_key"])
    manager = airflow_api.app.state.auth_manager
    token = manager.generate_jwt(SimpleAuthManagerUser(username="sample-admin", role="ADMIN"))
    airflow_api.headers["Authorization"] = f"Bearer {token}"
    return airflow_api


@pytest.fixture
def save(api: Any) -> Iterator[Save]:
    """Save a connection as the form does, and give it back as the list of connections shows it."""
    saved: list[str] = []

    def made(conn_id: str, extra: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        body = {"connection_id": conn_id, "extra": json.dumps(extra or {}), **fields}
        answer = api.post("/api/v2/connections", json=body)
        assert answer.status_code == 201, answer.text
        saved.append(conn_id)
        (shown,) = (
            each for each in api.get("/api/v2/connections").json()["connections"] if each["connection_id"] == conn_id
        )
        return dict(shown)

    yield made
    for conn_id in saved:
        api.delete(f"/api/v2/connections/{conn_id}")


def pressed(api: Any, shown: dict[str, Any]) -> Any:
    """What the button sends: the list's row, with texts for null, and `Number(port)`, which is 0 for null."""
    body = {name: shown[name] for name in ("connection_id", "conn_type")}
    body |= {name: shown[name] or "" for name in ("description", "host", "login", "password", "schema")}
    body |= {"extra": shown["extra"] or "{}", "port": shown["port"] or 0}
    return api.post("/api/v2/connections/test", json=body)


def treasury(simulators: Simulators, **fields: Any) -> dict[str, Any]:
    extra = {"public_key": simulators.public_key, "log_key": LOG_KEY}
    own = {"conn_type": "ifms_treasury", "login": CLIENT_ID, "password": "sample-secret", "extra": extra}
    return own | fields


def apart(address: str) -> dict[str, Any]:
    """Host and port in fields of their own."""
    url = urlsplit(address)
    return {"host": f"{url.scheme}://{url.hostname}", "port": url.port}


@pytest.mark.parametrize("where", ["apart", "in both", "zero"])
def test_the_treasurys_button(api: Any, save: Save, simulators: Simulators, where: str):
    url = simulators.treasury
    address = {
        "apart": apart(url),
        "in both": {"host": url, "port": urlsplit(url).port},
        "zero": {"host": url, "port": 0},
    }[where]
    shown = save("sample_treasury", **treasury(simulators, **address))
    assert shown["password"] == "***"
    assert LOG_KEY not in shown["extra"]
    answer = pressed(api, shown)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"status": True, "message": f"Logged in at {url} as {CLIENT_ID}"}


@pytest.mark.parametrize("where", ["apart", "zero"])
def test_the_platforms_button(api: Any, save: Save, simulators: Simulators, where: str):
    address = apart(simulators.platform) if where == "apart" else {"host": simulators.platform, "port": 0}
    answer = pressed(api, save("sample_platform", conn_type="ifms_platform", **address))
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] is True
    assert "2 cities" in answer.json()["message"]


def test_airflow_itself_refuses_a_connection_saved_without_a_port(api: Any, save: Save, simulators: Simulators):
    """Why the form asks for a number. Once this passes with 200, `provider._PORT` may say something simpler."""
    answer = pressed(api, save("sample_treasury", **treasury(simulators, host=simulators.treasury)))
    assert answer.status_code == 400
    assert "host or port to test differs" in answer.json()["detail"]


def test_a_port_that_contradicts_the_base_url_is_said(api: Any, save: Save, simulators: Simulators):
    shown = save("sample_treasury", **treasury(simulators, host=simulators.treasury, port=443))
    answer = pressed(api, shown).json()
    assert answer["status"] is False
    assert f"names port {urlsplit(simulators.treasury).port} and the port field 443" in answer["message"]
