"""Settle by hand: a person says what became of a PENDING PI at the treasury, when nothing else can."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from ifms import clock
from ifms.errors import BadInputError, ConflictError
from ifms.ledger.instructions import as_seen
from ifms.ledger.models import said_absent
from ifms.ledger.proposals import Act
from ifms.ledger.statuses import PiStatus
from ifms.queries.instruction import Row, Whole, by_number
from ifms.services.manual_settlement import Verdict, settle
from ifms.wire.bank import mask_long_numbers
from ifms_airflow.api import dag_runs, proposing, writes
from ifms_airflow.api.access import INSTRUCTIONS, READ, Entitled, User, require_act, starts
from ifms_airflow.api.digit import Text
from ifms_airflow.api.forms import Reason, see_other, status_of
from ifms_airflow.api.messages import t
from ifms_airflow.api.pages.render import page
from ifms_airflow.api.read_pool import Ledger, Reads
from ifms_airflow.rights import Rights

router = APIRouter(dependencies=[READ])

_BECOMES = {Verdict.ACCEPTED: PiStatus.INITIATED, Verdict.NOT_THERE: PiStatus.FAILED}


class SettleForm(BaseModel):
    """The form: what the person says; empty when it is first shown."""

    verdict: Verdict | None = None
    reason: Reason = ""
    typed: Text = ""
    seen: Text = ""
    """`instructions.as_seen` of when the form was drawn."""


class Settlement(SettleForm):
    """The form as it is sent."""

    number: Annotated[Text, Field(min_length=1)]


@router.get("/settle", dependencies=[starts(INSTRUCTIONS)])
def ask(
    request: Request, given: Entitled, ledger: Ledger, number: Annotated[Text, Query(min_length=1)]
) -> HTMLResponse:
    """What is known of the PI, what either word would do, and the form."""
    whole = _look(ledger, given, number)
    if not may_settle(whole.pi):
        raise HTTPException(409, t("settle.gone", number=number, status=t(f"status.{whole.pi['status']}")))
    return _show(request, ledger, whole, SettleForm(), two=proposing.needed(ledger, Act.SETTLE))


@router.post("/settle", dependencies=[starts(INSTRUCTIONS)])
def say(request: Request, user: User, given: Entitled, ledger: Ledger, form: Annotated[Settlement, Form()]) -> Response:
    """Settle it under the person's name, and show the PI with what became of it."""
    person = user.get_name()
    whole = _look(ledger, given, form.number)
    two = proposing.needed(ledger, Act.SETTLE)
    if form.verdict is None:
        return _show(request, ledger, whole, form, t("settle.which"), 400, two=two)
    if two:
        return _propose(request, user, ledger, whole, form)
    word = partial(
        settle,
        pi_number=form.number,
        verdict=form.verdict,
        reason=form.reason,
        person=person,
        typed=form.typed,
        as_seen=form.seen or None,
    )
    try:
        writes.transact(word)
    except BadInputError as error:
        return _show(request, ledger, whole, form, str(error), 400)
    except ConflictError as error:
        whole = _look(ledger, given, form.number)
        if may_settle(whole.pi):
            return _show(request, ledger, whole, form, str(error), 409)
        if not _settled_before(whole, form.verdict, person):
            raise HTTPException(409, str(error)) from None
    else:
        dag_runs.note(
            user,
            "settle",
            dag_id=INSTRUCTIONS,
            tenant_id=whole.pi["tenant_id"],
            pi_number=form.number,
            verdict=form.verdict,
            reason=" ".join(form.reason.split()),
        )
    return see_other(request, "/instruction", {"number": form.number})


def _propose(request: Request, user: User, ledger: Reads, whole: Whole, form: Settlement) -> Response:
    """Say what another person then says yes or no to."""
    if form.typed.strip() != form.number:
        return _show(request, ledger, whole, form, t("settle.typed", number=form.number), 400, two=True)
    amount = whole.pi["net_amount"]
    try:
        made = proposing.propose(
            user,
            Act.SETTLE,
            form.number,
            {"verdict": str(form.verdict)} | ({"seen": form.seen} if form.seen else {}),
            tenant_id=whole.pi["tenant_id"],
            reason=form.reason,
            amount=amount,
        )
    except (BadInputError, ConflictError) as error:
        return _show(request, ledger, whole, form, str(error), status_of(error), two=True)
    return proposing.shown(request, made)


def may_settle(pi: Row) -> bool:
    """Whether a person may say what became of it; the ledger looks again when one does."""
    absent = said_absent(pi["said_absent_at"], pi["found_failed_at"])
    doubtful = pi["status"] == PiStatus.FAILED and pi["uncertain"] and not absent
    return pi["status"] == PiStatus.PENDING or doubtful


def _settled_before(whole: Whole, verdict: Verdict, person: str) -> bool:
    """Whether this very person has said this very thing of it: the form was sent twice."""
    words = (row["to_status"] for row in whole.log if row["status"].endswith("_SETTLED_BY_HAND"))
    return whole.pi["settled_by"] == person and _BECOMES[verdict] in words


def _look(ledger: Reads, given: Rights, number: str) -> Whole:
    with ledger.connection() as connection:
        whole = by_number(connection, number, given.read)
    if whole is None:
        raise HTTPException(404, t("pis.not_found", number=number))
    require_act(given, whole.pi["tenant_id"])
    return whole


def _show(
    request: Request,
    ledger: Reads,
    whole: Whole,
    form: SettleForm,
    error: str | None = None,
    status: int = 200,
    *,
    two: bool = False,
) -> HTMLResponse:
    pi = whole.pi
    with ledger.connection() as connection:
        seen = as_seen(connection, pi["pi_number"])
    return page(
        request,
        "settle.html",
        status,
        active="instructions",
        pi=pi,
        asks="FTPS" if pi["pi_type"] == "REVISED" else "PIS",
        kind=pi["pi_type"],
        last=whole.log[0] if whole.log else None,
        refused=[_refusal(each) for each in pi["refusal"] or ()],
        busy=pi["claimed_until"] is not None and pi["claimed_until"] >= clock.now(),
        verdicts=[Verdict.NOT_THERE] if pi["status"] == PiStatus.FAILED else list(Verdict),
        two=two,
        form=form,
        seen=seen,
        error=error,
    )


def _refusal(error: Row) -> str:
    """An error of the treasury as people may see it."""
    text = mask_long_numbers(str(error.get("text") or ""))
    return f"{error['code']}: {text}" if error.get("code") else text
