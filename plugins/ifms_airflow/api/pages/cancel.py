"""Cancel: a person ends a PENDING PI that was never sent."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from ifms import clock
from ifms.errors import BadInputError, ConflictError
from ifms.ledger.statuses import PiStatus
from ifms.queries.instruction import Row, Whole, by_number
from ifms.services.manual_settlement import cancel
from ifms_airflow.api import dag_runs, writes
from ifms_airflow.api.access import INSTRUCTIONS, READ, Entitled, User, require_act, starts
from ifms_airflow.api.digit import Text
from ifms_airflow.api.forms import Reason, see_other
from ifms_airflow.api.messages import t
from ifms_airflow.api.pages.render import page
from ifms_airflow.api.read_pool import Ledger, Reads
from ifms_airflow.rights import Rights

router = APIRouter(dependencies=[READ])


class Cancellation(BaseModel):
    """The form as it is sent."""

    number: Annotated[Text, Field(min_length=1)]
    reason: Reason = ""
    typed: Text = ""


def never_sent(pi: Row) -> bool:
    """Whether a PI waits of which nothing can have arrived at the treasury; the ledger looks again when it is ended."""
    arrived = pi["uncertain"] or pi["held_back"] or pi["last_attempt"] != "never_sent"
    return pi["status"] == PiStatus.PENDING and not arrived


@router.get("/cancel", dependencies=[starts(INSTRUCTIONS)])
def ask(
    request: Request, given: Entitled, ledger: Ledger, number: Annotated[Text, Query(min_length=1)]
) -> HTMLResponse:
    """What cancelling does, and the form."""
    whole = _look(ledger, given, number)
    if not never_sent(whole.pi):
        raise HTTPException(409, t("cancel.gone", number=number))
    return _show(request, whole.pi, Cancellation(number=number))


@router.post("/cancel", dependencies=[starts(INSTRUCTIONS)])
def end(
    request: Request, user: User, given: Entitled, ledger: Ledger, form: Annotated[Cancellation, Form()]
) -> Response:
    """Cancel it under the person's name, and show the PI with what became of it."""
    person = user.get_name()
    whole = _look(ledger, given, form.number)
    work = partial(cancel, pi_number=form.number, reason=form.reason, person=person, typed=form.typed)
    try:
        writes.transact(work)
    except BadInputError as error:
        return _show(request, whole.pi, form, str(error), 400)
    except ConflictError as error:
        pi = _look(ledger, given, form.number).pi
        if never_sent(pi):
            return _show(request, pi, form, str(error), 409)
        if pi["cancelled_by"] != person:  # else the form was sent twice
            raise HTTPException(409, str(error)) from None
    else:
        reason = " ".join(form.reason.split())
        tenant = whole.pi["tenant_id"]
        dag_runs.note(user, "cancel", dag_id=INSTRUCTIONS, tenant_id=tenant, pi_number=form.number, reason=reason)
    return see_other(request, "/instruction", {"number": form.number})


def _look(ledger: Reads, given: Rights, number: str) -> Whole:
    with ledger.connection() as connection:
        whole = by_number(connection, number, given.read)
    if whole is None:
        raise HTTPException(404, t("pis.not_found", number=number))
    require_act(given, whole.pi["tenant_id"])
    return whole


def _show(request: Request, pi: Row, form: Cancellation, error: str | None = None, status: int = 200) -> HTMLResponse:
    busy = pi["claimed_until"] is not None and pi["claimed_until"] >= clock.now()
    shown = {"pi": pi, "form": form, "busy": busy, "error": error}
    return page(request, "cancel.html", status, active="instructions", **shown)
