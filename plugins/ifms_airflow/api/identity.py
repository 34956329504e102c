"""The names of the roles and groups that the auth manager vouches for: Simple's, FAB's, Keycloak's."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jwt
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.configuration import conf
from airflow.utils.session import create_session
from sqlalchemy import inspect

log = logging.getLogger(__name__)

_KEYCLOAK = "keycloak_auth_manager"
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]


@dataclass(frozen=True)
class Names:
    """What somebody is called besides their own name."""

    roles: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


def asks(user: BaseUser) -> bool:
    """Whether the database or Keycloak has to be asked for them."""
    state = inspect(user, raiseerr=False)
    return isinstance(getattr(user, "access_token", None), str) or (state is not None and state.detached)


def names_of(user: BaseUser) -> Names:
    """The roles and groups of a user, as far as the auth manager tells them; none that it does not vouch for."""
    token = getattr(user, "access_token", None)
    if isinstance(token, str):
        return _of_keycloak(user, token)
    state = inspect(user, raiseerr=False)
    if state is None or not state.detached:
        return _told(user)
    with create_session() as session:  # FAB's, whose groups were not read with it
        fresh = session.get(type(user), state.identity)
        return Names() if fresh is None else _told(fresh)


def _told(user: BaseUser) -> Names:
    role, groups = getattr(user, "role", None), list(getattr(user, "groups", None) or ())
    roles = set(_names([role] if isinstance(role, str) else []))
    roles |= set(_names(getattr(user, "roles", None) or ()))
    for group in groups:
        roles |= set(_names(getattr(group, "roles", None) or ()))
    return Names(frozenset(roles), frozenset(_names(groups)))


def _names(things: Any) -> Iterator[str]:  # noqa: ANN401  (each auth manager has its own)
    for each in things:
        name = getattr(each, "name", each)
        if isinstance(name, str):
            yield name


def _of_keycloak(user: BaseUser, token: str) -> Names:
    """The roles and groups in the user's access token, once Keycloak's signature on it is found to be right.

    A browser sends that token in a cookie of its own, which nobody has signed but Keycloak; the auth manager has that
    looked at only when it asks Keycloak for a right.
    """
    try:
        claims = _verified(token)
    except (jwt.PyJWTError, ValueError) as error:
        log.warning("the Keycloak token of %s is not believed: %s", user.get_name(), type(error).__name__)
        return Names()
    if claims.get("sub") != user.get_id():
        log.warning("the Keycloak token of %s is somebody else's", user.get_name())
        return Names()
    client = conf.get(_KEYCLOAK, "client_id")
    resources = claims.get("resource_access")
    of_client = resources.get(client) if isinstance(resources, Mapping) else None
    roles = [*_listed(claims.get("realm_access"), "roles"), *_listed(of_client, "roles")]
    return Names(frozenset(roles), frozenset(_listed(claims, "groups")))


def _verified(token: str) -> Mapping[str, Any]:
    """The claims of a token that this realm has made for this client. Raises PyJWTError for any other."""
    client, realm = conf.get(_KEYCLOAK, "client_id"), conf.get(_KEYCLOAK, "realm")
    issuer = f"{conf.get(_KEYCLOAK, 'server_url').rstrip('/')}/realms/{realm}"
    key = _keys(issuer).get_signing_key_from_jwt(token)
    options: Any = {"verify_aud": False, "require": ["exp", "sub"]}
    claims: Mapping[str, Any] = jwt.decode(token, key.key, algorithms=_ALGORITHMS, issuer=issuer, options=options)
    audience = claims.get("aud")
    if claims.get("azp") != client and client not in ([audience] if isinstance(audience, str) else audience or ()):
        raise jwt.InvalidAudienceError("made for another client")
    return claims


@cache
def _keys(issuer: str) -> jwt.PyJWKClient:
    return jwt.PyJWKClient(f"{issuer}/protocol/openid-connect/certs", timeout=5)


def _listed(holder: object, name: str) -> list[str]:
    found = holder.get(name) if isinstance(holder, Mapping) else None
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
