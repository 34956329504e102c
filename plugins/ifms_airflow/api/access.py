"""Who may do what where: a login on every route, rights on DAGs and in cities, no request that another site made.

Reading needs the right to read the runs of a DAG, acting the right to start a run of the DAG that does it; in which
cities is said by `Entitled`, which every route takes that shows or does something. What is of another city does not
exist for who asks. Whole account numbers are for roles of their own, too.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
from airflow.configuration import conf
from airflow.models.dag import DagModel
from anyio import to_thread
from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials
from fastapi.security.utils import get_authorization_scheme_param

from ifms_airflow import rights
from ifms_airflow.api import digit_login, identity
from ifms_airflow.api.digit_login import DigitLogin, DigitUser
from ifms_airflow.api.messages import t
from ifms_airflow.rights import Rights

INSTRUCTIONS = "ifms_pi"
"""Who may read this DAG's runs may read payment instructions, funds and how it runs."""

UNMASKED = {"IND": "VIEW_WS_UNMASKED", "ORG": "VIEW_ORG_UNMASKED", "DEPT": "VIEW_DED_UNMASKED"}
"""The role that sees whole account numbers of wage seekers, organisations, departments (user-stories.md §12)."""
UNMASKED_ROLES = "IFMS_UNMASKED_ROLES"
"""Environment variable: further roles, separated by commas, that see all of them; none when unset."""


async def login(
    request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer_scheme)]
) -> None:
    """Raise 401 for who is not logged in; who is, is `User` for what comes after."""
    if digit_login.meant(request):
        known: DigitLogin = request.app.state.digit_login
        request.state.caller = await known.user(request)
    else:  # Airflow asks its database for each token: once a request is enough
        request.state.caller = await get_user(request, None, bearer)
    if request.state.caller is None:  # Keycloak's, for a session of Airflow's without a token of the same person's
        raise HTTPException(401, "Not authenticated")


async def _caller(request: Request) -> BaseUser:
    caller: BaseUser = request.state.caller
    return caller


User = Annotated[BaseUser, Depends(_caller)]
"""Who has sent the request, on every route of the app."""


async def entitle(request: Request, user: User) -> None:
    """Find out, once for the request, in which cities its sender may do what; `Entitled` for what comes after."""
    if isinstance(user, DigitUser):
        request.state.roles, request.state.rights = frozenset(), rights.of_digit(user.roles, user.state_tenant)
        return
    asks = identity.asks(user)  # what asks nobody takes none of Airflow's threads
    names = await to_thread.run_sync(identity.names_of, user) if asks else identity.names_of(user)
    request.state.roles = names.roles
    request.state.rights = rights.of_user(user.get_name(), names.roles, names.groups)


async def _entitled(request: Request) -> Rights:
    given: Rights = request.state.rights
    return given


Entitled = Annotated[Rights, Depends(_entitled)]
"""In which cities the sender of the request may do what."""


def _may_read(user: User, given: Entitled) -> None:
    """Raise 403 for who may not read the runs of ifms_pi, or has no city."""
    if not _authorized(user, "GET", INSTRUCTIONS):
        raise HTTPException(403, t("error.forbidden"))
    if not given.read:
        raise HTTPException(403, t("error.no_city"))


READ = Depends(_may_read)
"""A route's right: 403 for who may not read, or has no city to read of."""


def may_start(user: BaseUser, given: Rights, dag_id: str) -> bool:
    """Whether `user` may start a run of the DAG, in some city at least."""
    return bool(given.act) and _authorized(user, "POST", dag_id)


def require_start(user: BaseUser, given: Rights, dag_id: str) -> None:
    """Raise 403 unless `user` may start a run of the DAG, in some city at least."""
    if not may_start(user, given, dag_id):
        raise HTTPException(403, t("error.start", dag=dag_id))


def require_act(given: Rights, tenant_id: str | None) -> None:
    """Raise 403 unless the user may act in this city, which is open to them; None: in all cities."""
    if not (given.act.everywhere if tenant_id is None else tenant_id in given.act):
        raise HTTPException(403, t("error.act.all") if tenant_id is None else t("error.act", city=tenant_id))


def require_approve(given: Rights, tenant_id: str | None) -> None:
    """Raise 403 unless the user may approve what others propose in this city; None: in all cities."""
    if not (given.approve.everywhere if tenant_id is None else tenant_id in given.approve):
        raise HTTPException(403, t("error.approve.all") if tenant_id is None else t("error.approve", city=tenant_id))


def approves(given: Entitled) -> None:
    """Raise 403 for who may approve nothing, in no city."""
    if not given.approve:
        raise HTTPException(403, t("error.approve.none"))


def starts(*dag_ids: str) -> Any:  # noqa: ANN401  (what FastAPI calls a dependency)
    """A route's right: 403 unless the user may start a run of one of these DAGs; it looks at no body."""

    def right(user: User, given: Entitled) -> None:
        if not any(may_start(user, given, dag_id) for dag_id in dag_ids):
            raise HTTPException(403, t("error.start", dag=f" {t('error.or')} ".join(dag_ids)))

    return Depends(right)


def _authorized(user: BaseUser, method: Literal["GET", "POST"], dag_id: str) -> bool:
    """Whether the auth manager lets `user` read, or start, runs of the DAG; DIGIT's users have their cities alone."""
    if isinstance(user, DigitUser):
        return True
    details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
    manager: Any = get_auth_manager()  # generic in its own user
    return bool(manager.is_authorized_dag(method=method, access_entity=DagAccessEntity.RUN, details=details, user=user))


def may_administer(user: BaseUser, given: Rights) -> bool:
    """Whether `user` is an administrator: who has every right in every city, and may edit connections."""
    manager: Any = get_auth_manager()
    return given == rights.EVERYTHING and bool(manager.is_authorized_connection(method="PUT", user=user))


def administers(user: User, given: Entitled) -> None:
    """Raise 403 for who is no administrator."""
    if not may_administer(user, given):
        raise HTTPException(403, t("error.administer"))


def unmasked_types(roles: frozenset[str]) -> frozenset[str]:
    """The types of beneficiaries whose whole account numbers somebody with these roles may see."""
    roles = frozenset(name.upper() for name in roles)
    everything = {name.strip().upper() for name in os.environ.get(UNMASKED_ROLES, "").split(",")} - {""}
    if roles & everything:
        return frozenset(UNMASKED)
    return frozenset(kind for kind, role in UNMASKED.items() if role in roles)


async def _unmasked(request: Request, given: Entitled) -> frozenset[str]:
    return unmasked_types(request.state.roles) if given.accounts else frozenset()


Unmasked = Annotated[frozenset[str], Depends(_unmasked)]
"""The types of beneficiaries whose whole account numbers the sender may see, in the cities `accounts` of theirs."""


def sees_accounts(kinds: Unmasked) -> None:
    """Raise 403 for who may see no whole account number."""
    if not kinds:
        raise HTTPException(403, t("error.accounts.none"))


def same_site(request: Request) -> None:
    """Raise 403 for a request that changes something, is known by its cookie alone, and was not made by these pages.

    A caller with a token of its own, in the header or in DIGIT's RequestInfo, needs no such proof: no other site's page
    can send one.
    """
    if isinstance(request.state.caller, DigitUser):
        return
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
        raise HTTPException(403, t("error.same_site"))


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
