"""A real Keycloak behind Airflow's auth manager for it: who logs in there gets the cities that its roles and groups say.

It makes a realm of its own at KEYCLOAK_URL, whose administrator is admin with KEYCLOAK_ADMIN_PASSWORD, and is skipped without
one: docs/security.md says how both are had.
"""

from __future__ import annotations

import html
import json
import os
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from support.adapter import Adapter
from support.failed import wage_bill

URL = os.environ.get("KEYCLOAK_URL", "")
CLIENT, SECRET, PASSWORD = "airflow", "sample-client-secret", "sample-password-1"
PEOPLE: dict[str, dict[str, Any]] = {
    "sample-reader": {"roles": ["ifms:od.samplea:read"]},
    "sample-actor": {"roles": ["User", "ifms:od.samplea:act"]},
    "sample-grouped": {"groups": ["ifms:od.sampleb:read"]},
    "sample-named": {"roles": ["User"]},
    "sample-nobody": {},
    "sample-admin": {"roles": ["Admin", "User"]},
}
TENANT = "od.samplea"

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.tier("prove"),
    pytest.mark.skipif(not URL, reason="KEYCLOAK_URL names no Keycloak (docs/security.md)"),
    pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0, "persist_ms": 0}),
]


def realm_of(name: str) -> dict[str, Any]:
    """A realm with the client, its people, and Airflow's rights for the roles Viewer, who everybody is, User and Admin."""
    scopes = ["GET", "POST", "PUT", "DELETE", "MENU", "LIST"]
    resources = ["Dag", "Connection", "Menu", "View", "Pool", "Variable", "Asset", "Backfill", "Configuration"]
    roles = sorted({role for person in PEOPLE.values() for role in person.get("roles", ())})
    groups = sorted({group for person in PEOPLE.values() for group in person.get("groups", ())})
    policies = []
    for resource, scope, role in (("Dag", "GET", "Viewer"), ("Dag", "POST", "User"), ("Connection", "PUT", "Admin")):
        policy = f"is {role}"
        policies += [
            {"name": policy, "type": "role", "config": {"roles": json.dumps([{"id": role, "required": True}])}},
            {
                "name": f"{resource} {scope}",
                "type": "scope",
                "decisionStrategy": "AFFIRMATIVE",
                "config": {
                    "resources": json.dumps([resource]),
                    "scopes": json.dumps([scope]),
                    "applyPolicies": json.dumps([policy]),
                },
            },
        ]
    mapper = {
        "name": "groups",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-group-membership-mapper",
        "config": {"claim.name": "groups", "full.path": "true", "access.token.claim": "true"},
    }
    return {
        "realm": name,
        "enabled": True,
        "sslRequired": "none",
        "roles": {"realm": [{"name": role} for role in ["Viewer", *roles]]},
        "groups": [{"name": group} for group in groups],
        "clients": [
            {
                "clientId": CLIENT,
                "secret": SECRET,
                "enabled": True,
                "publicClient": False,
                "standardFlowEnabled": True,
                "directAccessGrantsEnabled": True,
                "serviceAccountsEnabled": True,
                "authorizationServicesEnabled": True,
                "redirectUris": ["http://testserver/*"],
                "protocolMappers": [mapper],
                "authorizationSettings": {
                    "policyEnforcementMode": "ENFORCING",
                    "scopes": [{"name": each} for each in scopes],
                    "resources": [
                        {"name": each, "scopes": [{"name": scope} for scope in scopes]} for each in resources
                    ],
                    "policies": policies,
                },
            }
        ],
        "users": [
            {
                "username": person,
                "enabled": True,
                "emailVerified": True,
                "email": f"{person}@sample.invalid",
                "firstName": "Sample",
                "lastName": "Person",
                "credentials": [{"type": "password", "value": PASSWORD}],
                "realmRoles": ["Viewer", *given.get("roles", ())],
                "groups": [f"/{group}" for group in given.get("groups", ())],
            }
            for person, given in PEOPLE.items()
        ],
    }


@pytest.fixture(scope="module")
def realm() -> Iterator[str]:
    pytest.importorskip(
        "airflow.providers.keycloak", reason="the Keycloak provider is not installed here (docs/security.md)"
    )
    answer = requests.post(
        f"{URL}/realms/master/protocol/openid-connect/token",
        data={
            "grant_type": "password",
            "client_id": "admin-cli",
            "username": "admin",
            "password": os.environ["KEYCLOAK_ADMIN_PASSWORD"],
        },
        timeout=30,
    )
    answer.raise_for_status()
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    name = f"sample-{uuid.uuid4().hex[:8]}"
    made = requests.post(f"{URL}/admin/realms", json=realm_of(name), headers=headers, timeout=60)
    assert made.status_code == 201, made.text
    yield name
    requests.delete(f"{URL}/admin/realms/{name}", headers=headers, timeout=30)


@pytest.fixture(scope="module")
def server(realm: str, airflow_db: str) -> Iterator[Any]:
    """Airflow's API server with Keycloak's auth manager."""
    from airflow.api_fastapi.app import create_app
    from support import dags

    settings = {
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.keycloak.auth_manager.keycloak_auth_manager.KeycloakAuthManager",
        "AIRFLOW__API__BASE_URL": "http://testserver/",
        **{
            f"AIRFLOW__KEYCLOAK_AUTH_MANAGER__{name}": value
            for name, value in (("SERVER_URL", URL), ("REALM", realm), ("CLIENT_ID", CLIENT), ("CLIENT_SECRET", SECRET))
        },
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        patch.setenv("IFMS_RIGHTS", f"user:sample-named = {TENANT}:act")
        dags._sync()
        yield create_app(apps="core")


@pytest.fixture
def instructions(adapter: Adapter, airflow_connections: Any) -> dict[str, str]:
    """A PI in each of two cities, by the city."""
    adapter.run("VA")
    for tenant in (TENANT, "od.sampleb"):
        wage_bill(adapter, 1, tenant)
    adapter.run("PA")
    adapter.run("PI")
    rows = adapter.rows("SELECT tenant_id, pi_number FROM ifms.payment_instruction")
    return {row["tenant_id"]: row["pi_number"] for row in rows}


def browser(server: Any, person: str) -> Any:
    """Somebody who has typed their password into Keycloak's own form."""
    from fastapi.testclient import TestClient

    client = TestClient(server, follow_redirects=False, headers={"Accept": "text/html", "Origin": "http://testserver"})
    there = client.get("/auth/login").headers["location"]
    form = requests.get(there, timeout=30)
    action = re.search(r'action="([^"]+)"', form.text)
    assert action is not None, form.text[:500]
    typed = {"username": person, "password": PASSWORD}
    # Its cookies are for https, as which browsers count this machine, too; requests does not.
    cookies = {"Cookie": "; ".join(f"{each.name}={each.value}" for each in form.cookies)}
    sent = requests.post(html.unescape(action[1]), data=typed, headers=cookies, allow_redirects=False, timeout=30)
    assert sent.status_code == 302, re.sub(r"(?s)<[^>]*>", "", sent.text)[-800:]
    back = client.get(sent.headers["location"])
    assert back.status_code == 303, back.text
    return client


def program(server: Any, person: str) -> Any:
    """A program with a token that Airflow gave for a name and a password at Keycloak."""
    from fastapi.testclient import TestClient

    client = TestClient(server, follow_redirects=False)
    answer = client.post("/auth/token", json={"username": person, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return client


SEEN = {
    "sample-reader": {TENANT},
    "sample-actor": {TENANT},
    "sample-grouped": {"od.sampleb"},
    "sample-named": {TENANT},
    "sample-nobody": set(),
    "sample-admin": {TENANT, "od.sampleb"},
}


def test_roles_groups_and_names_of_keycloak_open_their_cities(server: Any, instructions: dict[str, str]):
    for person, cities in SEEN.items():
        client = browser(server, person)
        pages = {
            tenant
            for tenant, number in instructions.items()
            if client.get("/ifms/instruction", params={"number": number}).status_code == 200
        }
        assert pages == cities, f"pages of {person}"
        asked = program(server, person)
        found = set()
        for tenant, number in instructions.items():
            body = {"RequestInfo": {}, "searchCriteria": {"tenantId": tenant, "piNumber": number}}
            answer = asked.post("/ifms/pi/v1/_search", json=body)
            assert answer.status_code == (200 if cities else 403), answer.text
            if number in answer.text:
                found.add(tenant)
        assert found == cities, f"the API for {person}"


def test_who_acts_needs_the_right_in_the_city_and_airflows(server: Any, instructions: dict[str, str]):
    """Keycloak lets the role User start runs; the city's right is ours."""
    number = instructions[TENANT]
    acts = {}
    for person in PEOPLE:
        form = {"action": "refresh", "number": number, "token": uuid.uuid4().hex}
        acts[person] = browser(server, person).post("/ifms/act", data=form).status_code
    assert acts == {
        "sample-reader": 403,
        "sample-actor": 303,
        "sample-grouped": 403,
        "sample-named": 303,
        "sample-nobody": 403,
        "sample-admin": 303,
    }
    assert {person: browser(server, person).get("/ifms/connections").status_code for person in PEOPLE} == {
        person: 200 if person == "sample-admin" else 403 for person in PEOPLE
    }


def test_nobody_comes_in_with_another_persons_token_or_a_changed_one(server: Any, instructions: dict[str, str]):
    reader, admin = browser(server, "sample-nobody"), browser(server, "sample-admin")
    name = "access_token" if "access_token" in admin.cookies else next(c for c in admin.cookies if "access" in c)
    mine, theirs = reader.cookies[name], admin.cookies[name]
    head, claims, signature = mine.split(".")
    for token in (theirs, f"{head}.{theirs.split('.')[1]}.{signature}", f"{head}.{claims}.{signature[:-4]}AAAA"):
        reader.cookies.delete(name)
        reader.cookies.set(name, token)
        for number in instructions.values():
            assert reader.get("/ifms/instruction", params={"number": number}).status_code in (303, 401, 403)
