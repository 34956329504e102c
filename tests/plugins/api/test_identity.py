"""The roles and groups that each auth manager vouches for, and that a forged token gives none."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from ifms_airflow.api import identity
from ifms_airflow.api.identity import Names, names_of

pytestmark = pytest.mark.airflow

REALM = "https://keycloak.invalid/realms/sample"
OURS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
THEIRS = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def test_the_simple_ones():
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    assert names_of(SimpleAuthManagerUser(username="sample", role="OP")) == Names(frozenset({"OP"}))
    assert names_of(SimpleAuthManagerUser(username="sample", role=None)) == Names()


@pytest.mark.parametrize(
    "user",
    [
        SimpleNamespace(),
        SimpleNamespace(roles=None, groups=None),
        SimpleNamespace(roles=[None, SimpleNamespace(name=3)], groups=[None]),
    ],
)
def test_what_is_no_name_is_none(user: Any):
    assert names_of(user) == Names()


def test_fabs(airflow_db: str):
    """As its models have them: roles with names, and groups with roles of their own."""
    models = pytest.importorskip(
        "airflow.providers.fab.auth_manager.models",
        reason="the FAB provider is not installed here: `make extras` has it",
    )
    from airflow import settings
    from airflow.utils.session import create_session
    from sqlalchemy import select

    models.Model.metadata.create_all(settings.engine)
    role = models.Role(name="ifms:od.samplea:act")
    group = models.Group(name="sample-auditors", roles=[models.Role(name="ifms:od.sampleb:read")])
    made = models.User(
        username="sample-clerk",
        first_name="Sample",
        last_name="Clerk",
        email="clerk@sample.invalid",
        roles=[role],
        groups=[group],
    )
    expected = Names(frozenset({"ifms:od.samplea:act", "ifms:od.sampleb:read"}), frozenset({"sample-auditors"}))
    assert names_of(made) == expected
    with create_session() as session:
        session.add(made)
    with create_session() as session:
        user = session.scalars(select(models.User).where(models.User.username == "sample-clerk")).one()
    assert user.get_name() == "sample-clerk"
    assert names_of(user) == expected, "as the auth manager hands it over: read, and its session closed"


# Keycloak -----------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _realm(monkeypatch: pytest.MonkeyPatch):
    """A realm whose public key is known without asking it."""
    for name, value in (("server_url", "https://keycloak.invalid/"), ("realm", "sample"), ("client_id", "airflow")):
        monkeypatch.setenv(f"AIRFLOW__KEYCLOAK_AUTH_MANAGER__{name.upper()}", value)
    asked: list[str] = []

    def keys(issuer: str) -> Any:
        asked.append(issuer)
        return SimpleNamespace(get_signing_key_from_jwt=lambda token: SimpleNamespace(key=OURS.public_key()))

    monkeypatch.setattr(identity, "_keys", keys)


CLAIMS: dict[str, Any] = {
    "iss": REALM,
    "sub": "u-1",
    "azp": "airflow",
    "aud": "account",
    "realm_access": {"roles": ["ifms:od.samplea:read"]},
    "resource_access": {
        "airflow": {"roles": ["ifms:od.samplea:act"]},
        "another-client": {"roles": ["ifms:*:act", "Admin"]},
    },
    "groups": ["/ifms:od.sampleb:read", "/staff"],
}


def user_with(key: Any = OURS, algorithm: str = "RS256", **changes: Any) -> Any:
    claims = {"exp": int(time.time()) + 60} | CLAIMS | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    token = jwt.encode(claims, key, algorithm=algorithm)
    return keycloak_user(token)


def keycloak_user(token: str) -> Any:
    """The provider's own user where it is installed, else one of the same shape."""
    try:
        from airflow.providers.keycloak.auth_manager.user import KeycloakAuthManagerUser
    except ImportError:
        return SimpleNamespace(access_token=token, get_id=lambda: "u-1", get_name=lambda: "sample-clerk")
    return KeycloakAuthManagerUser(user_id="u-1", name="sample-clerk", access_token=token, refresh_token=None)


def test_keycloaks():
    assert names_of(user_with()) == Names(
        frozenset({"ifms:od.samplea:read", "ifms:od.samplea:act"}), frozenset({"/ifms:od.sampleb:read", "/staff"})
    )
    assert names_of(user_with(azp="another-client", aud=["account", "airflow"])).groups
    assert names_of(user_with(realm_access=None, resource_access=None, groups=None)) == Names()
    assert names_of(user_with(realm_access=["x"], resource_access={"airflow": 1}, groups="Admin")) == Names()


@pytest.mark.parametrize(
    "changes",
    [
        {"key": THEIRS},
        {"key": "x" * 64, "algorithm": "HS256"},
        {"key": None, "algorithm": "none"},
        {"sub": "u-2"},
        {"sub": None},
        {"exp": 1},
        {"exp": None},
        {"iss": "https://keycloak.invalid/realms/another"},
        {"iss": None},
        {"azp": "another-client"},
        {"azp": None, "aud": None},
    ],
)
def test_a_token_that_keycloak_has_not_made_for_this_user_gives_nothing(changes: dict[str, Any]):
    """A browser sends it in a cookie that nobody has looked at: it may be anything."""
    assert names_of(user_with(**changes)) == Names()
    assert names_of(keycloak_user("")) == names_of(keycloak_user("a.b.c")) == Names()
