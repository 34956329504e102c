"""DIGIT's users: who sends a token of the platform's in RequestInfo, as its screens and its cron image do.

Off unless IFMS_DIGIT_LOGIN is `yes`. The token is shown to the platform's user service, which says whose it is and
which roles they have in which city; of RequestInfo nothing else is believed. What it says is kept for a minute.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from anyio import CapacityLimiter, to_thread
from fastapi import HTTPException, Request

from ifms.errors import IfmsError, PlatformReplyError
from ifms_airflow.api.limits import Places
from ifms_airflow.hooks import PlatformHook

SETTING = "IFMS_DIGIT_LOGIN"
"""Environment variable: `yes` lets DIGIT's users call the API."""
TAG = "DIGIT"
"""The tag of the routes that they may call; the pages are not among them."""
KNOWN_SECONDS = 60.0
MOST_KNOWN = 10_000
AT_ONCE = 4
"""So many tokens are asked about at a time."""
UNKNOWN = 64
"""Of so many callers whom nobody knows yet a body is read at a time."""
LONGEST_TOKEN = 4096

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DigitUser(BaseUser):
    """A user of the platform's; `roles` are their codes, each with its tenant."""

    uuid: str
    user_name: str
    roles: tuple[tuple[str, str], ...]
    state_tenant: str

    def get_id(self) -> str:
        """An id that no user of the auth manager has."""
        return f"digit:{self.uuid}"

    def get_name(self) -> str:
        """Their name in Airflow's audit log, told apart from the auth manager's users."""
        return f"digit:{self.user_name}"


def meant(request: Request) -> bool:
    """Whether the sender of a request may be known by its body: it shows Airflow nothing, and asks DIGIT's API."""
    if os.environ.get(SETTING, "").strip().lower() != "yes":
        return False
    shown = "authorization" in request.headers or COOKIE_NAME_JWT_TOKEN in request.cookies
    return not shown and TAG in getattr(request.scope.get("route"), "tags", ())


class DigitLogin:
    """Tokens that the platform has been asked about lately, by their hash, and whose each is: None for nobody's."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, tuple[float, DigitUser | None]] = OrderedDict()
        self._places = Places(UNKNOWN, 0, 5, "The server is busy; try again in a moment")
        self._asking = CapacityLimiter(AT_ONCE)

    async def user(self, request: Request) -> DigitUser:
        """Who sends the request. Raises 401 when nobody is known by its token, 503 when the platform can't be asked."""
        async with self._places.place():
            try:
                token = _token(await request.json())
            except ValueError:
                token = None
            user = None if token is None else await self._of(token)
        if user is None:
            raise HTTPException(401, "Not authenticated")
        return user

    async def _of(self, token: str) -> DigitUser | None:
        key, now = hashlib.sha256(token.encode()).digest(), time.monotonic()
        if (known := self._known.get(key)) is not None and now < known[0]:
            return known[1]
        try:
            user = await to_thread.run_sync(_ask, token, limiter=self._asking)
        except IfmsError as error:
            log.error("whose a token of the platform is can't be found out: %s", error)
            raise HTTPException(503, "The platform's user service can't be asked now; try again in a moment") from None
        self._known[key] = (now + KNOWN_SECONDS, user)
        self._known.move_to_end(key)
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return user


def _ask(token: str) -> DigitUser | None:
    with PlatformHook().get_conn() as platform:
        try:
            found = platform.user_of(token)
        except PlatformReplyError as error:
            log.error("the platform's user service has answered, and not with a user: %s", error)
            return None
        state = platform.config.state_tenant
    if found is None:
        return None
    roles = tuple((role.code, role.tenant_id) for role in found.roles if role.tenant_id)
    return DigitUser(found.uuid, found.user_name, roles, state)


def _token(body: Any) -> str | None:  # noqa: ANN401  (whatever somebody has sent)
    """The token in RequestInfo, if it can be one."""
    info = body.get("RequestInfo") if isinstance(body, dict) else None
    token = info.get("authToken") if isinstance(info, dict) else None
    if not isinstance(token, str) or not 0 < len(token) <= LONGEST_TOKEN:
        return None
    return token if token.isascii() and token.isprintable() and " " not in token else None
