"""Who may do what: Airflow's login on every route, Airflow's rights on DAGs, no request that another site made.

Reading needs the right to read the runs of a DAG, acting the right to start a run of the DAG that does it. Whole
account numbers are for roles of their own, which Airflow's rights on DAGs know nothing of.
"""

from __future__ import annotations

import os
from typing import Annotated, Any
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from airflow.configuration import conf
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request
from fastapi.security.utils import get_authorization_scheme_param

INSTRUCTIONS = "ifms_pi"
"""Who may read this DAG's runs may read payment instructions, funds and how it runs."""

UNMASKED = {"IND": "VIEW_WS_UNMASKED", "ORG": "VIEW_ORG_UNMASKED", "DEPT": "VIEW_DED_UNMASKED"}
"""The role that sees whole account numbers of wage seekers, organisations, departments (user-stories.md §12)."""
UNMASKED_ROLES = "IFMS_UNMASKED_ROLES"
"""Environment variable: further roles, separated by commas, that see all of them; none when unset."""


async def login(request: Request, user: Annotated[BaseUser, Depends(get_user)]) -> None:
    """Raise 401 for who is not logged in; who is, is `User` for what comes after."""
    request.state.caller = user  # Airflow asks its database for each token: once a request is enough


async def _caller(request: Request) -> BaseUser:
    caller: BaseUser = request.state.caller
    return caller


User = Annotated[BaseUser, Depends(_caller)]
"""Who has sent the request, on every route of the app."""


READ = Depends(requires_access_dag("GET", DagAccessEntity.RUN, INSTRUCTIONS))


def may_start(user: BaseUser, dag_id: str) -> bool:
    """Whether `user` may start a run of the DAG."""
    details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
    manager: Any = get_auth_manager()  # generic in its own user
    return bool(manager.is_authorized_dag(method="POST", access_entity=DagAccessEntity.RUN, details=details, user=user))


def require_start(user: BaseUser, dag_id: str) -> None:
    """Raise 403 unless `user` may start a run of the DAG."""
    if not may_start(user, dag_id):
        raise HTTPException(403, f"You may not start runs of {dag_id}")


def starts(*dag_ids: str) -> Any:  # noqa: ANN401  (what FastAPI calls a dependency)
    """A route's right: 403 unless the user may start a run of one of these DAGs; it looks at no body."""

    def right(user: User) -> None:
        if not any(may_start(user, dag_id) for dag_id in dag_ids):
            raise HTTPException(403, f"You may not start runs of {' or '.join(dag_ids)}")

    return Depends(right)


def may_administer(user: BaseUser) -> bool:
    """Whether `user` is an administrator: by role where the auth manager tells roles, by right to edit connections."""
    manager: Any = get_auth_manager()
    roles = _roles(user)
    return (not roles or "ADMIN" in roles) and bool(manager.is_authorized_connection(method="PUT", user=user))


def administers(user: User) -> None:
    """Raise 403 for who is no administrator."""
    if not may_administer(user):
        raise HTTPException(403, "Only an administrator may check connections")


def unmasked_types(user: BaseUser) -> frozenset[str]:
    """The types of beneficiaries whose whole account numbers `user` may see."""
    roles = _roles(user)
    everything = {name.strip().upper() for name in os.environ.get(UNMASKED_ROLES, "").split(",")} - {""}
    if roles & everything:
        return frozenset(UNMASKED)
    return frozenset(kind for kind, role in UNMASKED.items() if role in roles)


def sees_accounts(user: User) -> None:
    """Raise 403 for who may see no whole account number."""
    if not unmasked_types(user):
        raise HTTPException(403, "You may not see whole account numbers")


def same_site(request: Request) -> None:
    """Raise 403 for a request that changes something, is known by its cookie alone, and was not made by these pages.

    A caller with a bearer token of its own needs no such proof: no other site's page can send one.
    """
    if request.method in {"GET", "HEAD"}:
        return
    scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
    if scheme.lower() == "bearer" and token:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        ours = site == "same-origin"
    else:
        ours = _origin(request.headers.get("origin", "")) in _own_origins(request)
    if not ours:
        raise HTTPException(403, "This request was not made by a page of this server; it has changed nothing")


def _roles(user: BaseUser) -> frozenset[str]:
    """The names of the user's roles, as far as the auth manager tells them (the simple one and FAB do)."""
    one = getattr(user, "role", None)
    named = [one] if isinstance(one, str) else []
    for role in getattr(user, "roles", None) or ():
        name = getattr(role, "name", role)
        if isinstance(name, str):
            named.append(name)
    return frozenset(name.upper() for name in named)


def _own_origins(request: Request) -> set[tuple[str, str, int | None]]:
    """Where this server's pages come from: by its address in Airflow's settings, and by the request itself."""
    own = {_origin(f"{request.url.scheme}://{request.headers.get('host', '')}")}
    own.add(_origin(conf.get("api", "base_url", fallback="") or ""))
    return {origin for origin in own if origin[1]}


def _origin(text: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(text)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        return parts.scheme, (parts.hostname or "").lower(), port
    except ValueError:
        return "", "", None
