"""Proposals: acts that one person wants done, what each would do, and another person's yes or no."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from ifms import clock
from ifms.errors import AdoptionRefusedError, BadInputError, ConflictError, IfmsError
from ifms.ledger import proposals as rows
from ifms.ledger import restores
from ifms.ledger.proposals import Act, Proposal
from ifms.queries import names
from ifms.services import proposals
from ifms.services.adopt import LostBill, parameters_of
from ifms.services.proposals import Preview
from ifms_airflow.api import dag_runs, proposing, writes
from ifms_airflow.api.access import (
    INSTRUCTIONS,
    READ,
    Entitled,
    User,
    approves,
    may_start,
    require_act,
    require_approve,
    starts,
)
from ifms_airflow.api.digit import Text
from ifms_airflow.api.forms import Reason, status_of
from ifms_airflow.api.messages import t
from ifms_airflow.api.pages.render import page, run_text
from ifms_airflow.api.read_pool import Ledger, Reads
from ifms_airflow.rights import Rights

DAGS = {
    Act.SAME_ACCOUNT: "ifms_cor",
    Act.REPAYMENT: "ifms_cor",
    Act.CORRECTION: "ifms_cor",
    Act.RESUBMISSION: INSTRUCTIONS,
    Act.ADOPT: INSTRUCTIONS,
}
"""What does an act that calls the treasury."""
UNSHOWN = {"payees", "has_paid", "seen"}
"""Parameters that say nothing to people, or that the page shows by the list of payees or the name of the act."""


router = APIRouter(dependencies=[READ])


class Decision(BaseModel):
    """A yes or no."""

    id: UUID
    shown: Annotated[str, Field(pattern="^[0-9a-f]{64}$|^$")] = ""
    """What was shown, by its digest."""
    reason: Reason = ""


class ToBeAdopted(BaseModel):
    """The form of a bill that a restored ledger has lost."""

    tenant: Text = ""
    pi_number: Text = ""
    bill_date: Text = ""
    payment_number: Text = ""
    master_allotment_id: Text = ""
    ssu_allotment_id: Text = ""
    allotment_serial_no: Text = ""
    reason: Reason = ""


@router.get("/proposals")
def show(request: Request, user: User, given: Entitled, ledger: Ledger) -> HTMLResponse:
    """What waits for the user, what the user has proposed, what is decided; and the forms that are on no other page."""
    return _list(request, user, given, ledger)


@router.post("/proposals/adopt", dependencies=[starts(INSTRUCTIONS)])
def adopt(
    request: Request, user: User, given: Entitled, ledger: Ledger, form: Annotated[ToBeAdopted, Form()]
) -> Response:
    """Propose to adopt a bill that the treasury has and a restored ledger has lost."""
    if form.tenant.strip() and form.tenant.strip() not in given.act:  # as of a city that there is none of
        return _list(request, user, given, ledger, t("error.act", city=form.tenant), 400)
    try:
        bill = LostBill.of_form(form.model_dump() | {"person": user.get_name()})
        made = proposing.propose(
            user, Act.ADOPT, bill.pi_number, parameters_of(bill), tenant_id=bill.tenant_id, reason=bill.reason
        )
    except (BadInputError, ConflictError, AdoptionRefusedError) as error:
        return _list(request, user, given, ledger, str(error), 400)
    return proposing.shown(request, made)


@router.post("/proposals/release", dependencies=[starts(INSTRUCTIONS)])
def release(
    request: Request,
    user: User,
    given: Entitled,
    ledger: Ledger,
    number: Annotated[Text, Form(min_length=1)],
    city: Annotated[Text, Form()] = "",
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Propose to release what is held back since a restore; its city, where two have the number."""
    require_act(given, None)
    try:
        doubt = writes.rehearse(partial(restores.doubt_about, number=number, tenant_id=city.strip() or None))
        made = proposing.propose(user, Act.RELEASE, number, doubt.named, tenant_id=None, reason=reason)
    except (BadInputError, ConflictError) as error:
        return _list(request, user, given, ledger, str(error), 400)
    return proposing.shown(request, made)


@router.get("/proposal")
def one(request: Request, user: User, given: Entitled, ledger: Ledger, id: Annotated[UUID, Query()]) -> HTMLResponse:
    """What would happen now, by the act's own code; and the yes and no."""
    return _show(request, user, given, ledger, _look(ledger, given, id))


@router.post("/proposal/approve", dependencies=[Depends(approves)])
def approve(
    request: Request, user: User, given: Entitled, ledger: Ledger, form: Annotated[Decision, Form()]
) -> Response:
    """Say yes under the person's name: it is done in the same transaction, or by the DAG run that is started now.

    Said once more of what is approved and was not begun (this server was stopped in between), it is begun.
    """
    found = _look(ledger, given, form.id)
    require_approve(given, found.tenant_id)
    if not (found.state(clock.now()) == "approved" and found.act in DAGS):
        work = partial(proposals.approve, proposal_id=found.id, person=user.get_name(), shown=form.shown)
        try:
            found = writes.transact(work)
        except IfmsError as error:
            return _show(request, user, given, ledger, _look(ledger, given, form.id), str(error), status_of(error))
        dag_runs.note(user, "approved", dag_id=INSTRUCTIONS, proposal=found.id, act=found.act, subject=found.subject)
    if found.act in DAGS:
        dag_id = DAGS[Act(found.act)]
        dag_runs.start(user, given, dag_id, "proposal", conf_of(found), found.id.hex, page=True, approved=True)
    return proposing.shown(request, found)


def _answers(user: User, given: Entitled) -> None:
    """Raise 403 for who may neither approve nor propose anything, in no city."""
    if not given.approve and not may_start(user, given, INSTRUCTIONS):
        raise HTTPException(403, t("error.approve.none"))


@router.post("/proposal/refuse", dependencies=[Depends(_answers)])
def refuse(
    request: Request, user: User, given: Entitled, ledger: Ledger, form: Annotated[Decision, Form()]
) -> Response:
    """Say no, with a reason; whoever has proposed it may take it back."""
    found = _look(ledger, given, form.id)
    if not _same(found.proposed_by, user.get_name()):
        require_approve(given, found.tenant_id)
    work = partial(rows.refuse, proposal_id=found.id, person=user.get_name(), refusal=form.reason)
    try:
        writes.transact(work)
    except (BadInputError, ConflictError) as error:
        return _show(request, user, given, ledger, _look(ledger, given, form.id), str(error), status_of(error))
    dag_runs.note(user, "refused", dag_id=INSTRUCTIONS, proposal=found.id, act=found.act, subject=found.subject)
    return proposing.shown(request, found)


def conf_of(proposal: Proposal) -> dict[str, Any]:
    """The form of the DAG run that does it."""
    given, tenant = proposal.parameters, proposal.tenant_id
    conf: dict[str, Any] = {"proposal": str(proposal.id), "tenants": [tenant]}
    match Act(proposal.act):
        case Act.RESUBMISSION:
            return conf | {"payments": [proposal.subject]}
        case Act.ADOPT:
            bill = {
                "pi_number": proposal.subject,
                "person": proposal.proposed_by[:100],
                "reason": proposal.reason[:500],
            }
            return conf | {"adopt": given | bill}
        case _:
            named = {key: given[key] for key in ("tenant", "beneficiaries", "same_account", "new_original")}
            return conf | {"pi_number": proposal.subject} | named


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _look(ledger: Reads, given: Rights, proposal_id: UUID) -> Proposal:
    with ledger.connection() as connection:
        found = rows.find(connection, proposal_id, given.read)
    if found is None:
        raise HTTPException(404, t("prop.not_found"))
    return found


def _may_approve(given: Rights, proposal: Proposal) -> bool:
    return given.approve.everywhere if proposal.tenant_id is None else proposal.tenant_id in given.approve


def _list(
    request: Request, user: User, given: Rights, ledger: Reads, error: str | None = None, status: int = 200
) -> HTMLResponse:
    now, name = clock.now(), user.get_name()
    with ledger.connection() as connection:
        waiting = [each for each in rows.listed(connection, given.read, undecided=True) if each.state(now) == "waiting"]
        decided = rows.listed(connection, given.read, undecided=False)
        said, known = rows.policy(connection), names.read(connection)
    for_you = [
        each
        for each in waiting
        if _may_approve(given, each) and (said.single_person or not _same(each.proposed_by, name))
    ]
    theirs = {each.id for each in for_you}
    return page(
        request,
        "proposals.html",
        status,
        active="proposals",
        names=known,
        parts=[
            ("for_you", for_you),
            ("yours", [each for each in waiting if _same(each.proposed_by, name)]),
            ("others", [e for e in waiting if e.id not in theirs and not _same(e.proposed_by, name)]),
            ("decided", decided),
        ],
        now=now,
        policy=said,
        may_adopt=bool(given.act) and Act.ADOPT in said.acts,
        may_release=given.act.everywhere and Act.RELEASE in said.acts,
        error=error,
    )


def _show(
    request: Request,
    user: User,
    given: Rights,
    ledger: Reads,
    proposal: Proposal,
    error: str | None = None,
    status: int = 200,
) -> HTMLResponse:
    state = proposal.state(clock.now())
    preview: Preview | None = None
    if state == "waiting":
        try:
            preview = writes.rehearse(partial(proposals.preview, proposal=proposal))
        except IfmsError as refusal:  # it can't be done any more: that is what there is to see
            error = error or str(refusal)
    dag_id = DAGS.get(Act(proposal.act))
    started = dag_runs.find(dag_id, f"proposal__{proposal.id.hex}", given, ledger) if dag_id else None
    mine = _same(proposal.proposed_by, user.get_name())
    with ledger.connection() as connection:
        said, known = rows.policy(connection), names.read(connection)
    may = _may_approve(given, proposal)
    return page(
        request,
        "proposal.html",
        status,
        active="proposals",
        names=known,
        proposal=proposal,
        state=state,
        preview=preview,
        given=[(key, value) for key, value in proposal.parameters.items() if key not in UNSHOWN],
        may_approve=may and preview is not None and (said.single_person or not mine),
        alone=mine and said.single_person,
        may_begin=may and state == "approved" and dag_id is not None and started is None,
        may_refuse=state in {"waiting", "expired"} and (may or mine),
        by_owner=proposal.act == Act.RELEASE and state == "approved",
        mine=mine,
        started=started,
        run_text=run_text(started) if started else "",
        error=error,
    )
