"""The record of one call to the treasury about a PI: what was sent and answered, in clear but for account numbers."""

from __future__ import annotations

import json
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse

from ifms.calllog.decryption import Keys, OpenCall, masked, open_call
from ifms.cli.terminal import os_user
from ifms.errors import SealError
from ifms.ledger.call_store import StoredCall, find_call, record_access
from ifms.ledger.database import Connection
from ifms.queries.instruction import pi_of_call
from ifms_airflow.api import writes
from ifms_airflow.api.access import INSTRUCTIONS, READ, Entitled, User, require_act, starts
from ifms_airflow.api.messages import t
from ifms_airflow.api.pages.render import page
from ifms_airflow.api.read_pool import Ledger
from ifms_airflow.hooks import TreasuryHook

router = APIRouter(dependencies=[READ])


@router.post("/call", dependencies=[starts(INSTRUCTIONS)])
def call(
    request: Request, user: User, given: Entitled, ledger: Ledger, call_id: Annotated[UUID, Form(alias="call")]
) -> HTMLResponse:
    """The call, for who may act in its city; who looked is written into ifms.call_access first."""
    with ledger.connection() as connection:
        about = pi_of_call(connection, call_id, given.read)
    if about is None:
        raise HTTPException(404, t("call.not_found"))
    require_act(given, about["tenant_id"])

    def look(connection: Connection) -> StoredCall | None:
        record_access(
            connection,
            str(call_id),
            source="ledger",
            os_user=os_user(),
            airflow_user=user.get_name(),
            unmasked=False,
            reason=None,
        )
        return find_call(connection, call_id)

    stored = writes.transact(look)
    if stored is None:
        raise HTTPException(404, t("call.not_found"))
    opened, trouble = _open(stored)
    return page(
        request,
        "call.html",
        active="instructions",
        pi_number=about["pi_number"],
        stored=stored,
        opened=opened,
        trouble=trouble,
        pretty=pretty,
    )


def _open(stored: StoredCall) -> tuple[OpenCall | None, str | None]:
    """The call in clear, or why it does not open."""
    try:
        return masked(open_call(stored, Keys(TreasuryHook().sealer))), None
    except SealError as error:
        return None, str(error)


def pretty(text: str) -> str:
    """JSON in lines; any other text as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
