"""Failures: what came back, or may be paid twice, and waits for a person; who has settled what, and how it is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel

from ifms.cities import Cities
from ifms.errors import BadInputError, ConflictError
from ifms.ledger import failures as ledger_failures
from ifms.ledger.database import Connection
from ifms.ledger.proposals import Act
from ifms.queries import failures as reads
from ifms.queries import names
from ifms.queries.failures import Criteria, Reported, Transfer, Unpaid
from ifms_airflow.api import dag_runs, proposing, writes
from ifms_airflow.api.access import INSTRUCTIONS, READ, Entitled, User, may_start, require_act, starts
from ifms_airflow.api.digit import Text
from ifms_airflow.api.forms import Reason, see_other, status_of
from ifms_airflow.api.messages import t
from ifms_airflow.api.pages.render import page
from ifms_airflow.api.read_pool import Ledger, Reads
from ifms_airflow.rights import Rights

MOST_ROWS = 100
"""So many of each kind are shown at a time."""
DONE = ("transfer", "reported", "unpaid")

router = APIRouter(dependencies=[READ])

Row = TypeVar("Row", Transfer, Reported, Unpaid)


class ListForm(BaseModel):
    """The fields of the list's form, as they stand in its address."""

    city: Text = ""
    number: Text = ""
    settled: bool = False

    @property
    def filled(self) -> dict[str, str]:
        """What is filled in, as an address has it."""
        texts = {"city": self.city, "number": self.number, "settled": "true" if self.settled else ""}
        return {name: value for name, value in texts.items() if value}

    def criteria(self) -> Criteria:
        """The search."""
        return Criteria(self.city or None, self.number.strip() or None, self.settled)


class Closing(ListForm):
    """The form that settles one: which, how that is known, and the list that it stood in."""

    id: UUID
    reason: Reason = ""


class Word(Closing):
    """The same of a transfer: whether it has paid; nothing is taken for granted."""

    paid: bool | None = None


@router.get("/failures")
def show(
    request: Request,
    user: User,
    given: Entitled,
    ledger: Ledger,
    form: Annotated[ListForm, Query()],
) -> HTMLResponse:
    """What waits for a person: other transfers, failures that match nothing, and who is not paid."""
    return _show(request, user, given, ledger, form)


@router.post("/failures/transfer", dependencies=[starts(INSTRUCTIONS)])
def settle_transfer(
    request: Request, user: User, given: Entitled, ledger: Ledger, form: Annotated[Word, Form()]
) -> Response:
    """Say under the person's name whether a transfer told beside another one has paid."""
    row = _look(ledger, given, reads.transfers, form.id)
    if form.paid is None:
        return _show(request, user, given, ledger, form, t("fail.which"), 400)
    if not form.paid and proposing.needed(ledger, Act.TRANSFER):
        return _propose(request, user, given, ledger, form, row)
    act = partial(ledger_failures.settle_transfer, transfer_id=row.id, has_paid=form.paid)
    told = {"transfer": row.id, "utr_number": row.utr_number, "has_paid": form.paid}
    told |= {"pi_number": row.pi_number, "beneficiary_number": row.beneficiary_number}
    return _settle(request, user, given, ledger, form, act, "transfer", row.tenant_id, told)


@router.post("/failures/reported", dependencies=[starts(INSTRUCTIONS)])
def close_reported(
    request: Request, user: User, given: Entitled, ledger: Ledger, form: Annotated[Closing, Form()]
) -> Response:
    """Close a reported failure that is nobody's here; one of no city is for who may act in all of them."""
    row = _look(ledger, given, reads.reported, form.id)
    act = partial(ledger_failures.close_reported, failure_id=row.id)
    told = {"failure": row.id, "bill_number": row.bill_number}
    return _settle(request, user, given, ledger, form, act, "reported", row.tenant_id, told)


@router.post("/failures/beneficiary", dependencies=[starts(INSTRUCTIONS)])
def close_beneficiary(
    request: Request, user: User, given: Entitled, ledger: Ledger, form: Annotated[Closing, Form()]
) -> Response:
    """Say why a failed beneficiary is not paid any more."""
    row = _look(ledger, given, reads.unpaid, form.id)
    act = partial(ledger_failures.close_beneficiary, row_id=row.id)
    told = {"pi_number": row.pi_number, "beneficiary_number": row.beneficiary_number}
    return _settle(request, user, given, ledger, form, act, "unpaid", row.tenant_id, told)


def _look(ledger: Reads, given: Rights, find: Callable[[Connection, Criteria, Cities], list[Row]], row_id: UUID) -> Row:
    """The open one of this id. Raises 409 when there is none to be seen, 403 for who may not act on it."""
    with ledger.connection() as connection:
        found = find(connection, Criteria(id=row_id), given.read)
    if not found:
        raise HTTPException(409, t("fail.gone"))
    require_act(given, found[0].tenant_id)
    return found[0]


def _propose(request: Request, user: User, given: Rights, ledger: Reads, form: Word, row: Transfer) -> Response:
    """Propose that a transfer has not paid: another person then says yes or no."""
    try:
        with ledger.connection() as connection:
            wanted = ledger_failures.not_paid(connection, row.id)
        made = proposing.propose(
            user, Act.TRANSFER, str(row.id), wanted, tenant_id=row.tenant_id, reason=form.reason, amount=row.amount
        )
    except BadInputError:
        return _show(request, user, given, ledger, form, t("fail.reason.missing"), 400)
    except ConflictError as error:
        return _show(request, user, given, ledger, form, str(error), status_of(error))
    return proposing.shown(request, made)


def _settle(
    request: Request,
    user: User,
    given: Rights,
    ledger: Reads,
    form: Closing,
    act: Callable[..., None],
    kind: str,
    tenant_id: str | None,
    told: dict[str, Any],
) -> Response:
    try:
        writes.transact(partial(act, reason=form.reason, person=user.get_name()))
    except BadInputError:
        return _show(request, user, given, ledger, form, t("fail.reason.missing"), 400)
    except ConflictError as error:
        raise HTTPException(status_of(error), t("fail.gone")) from None
    dag_runs.note(
        user,
        f"failure_{kind}_settled",
        dag_id=INSTRUCTIONS,
        tenant_id=tenant_id,
        **told,
        reason=" ".join(form.reason.split()),
    )
    return see_other(request, "/failures", form.filled | {"done": kind})


def _show(
    request: Request,
    user: User,
    given: Rights,
    ledger: Reads,
    form: ListForm,
    error: str | None = None,
    status: int = 200,
) -> HTMLResponse:
    asked = form.criteria()
    with ledger.connection() as connection:
        found: Sequence[Sequence[Transfer] | Sequence[Reported] | Sequence[Unpaid]] = (
            reads.transfers(connection, asked, given.read, MOST_ROWS),
            reads.reported(connection, asked, given.read, MOST_ROWS),
            reads.unpaid(connection, asked, given.read, MOST_ROWS),
        )
        known, cities = names.read(connection), reads.cities_with_any(connection, given.read)
    transfers, reported, unpaid = (rows[:MOST_ROWS] for rows in found)
    done = request.query_params.get("done", "")
    return page(
        request,
        "failures.html",
        status,
        active="failures",
        form=form,
        names=known,
        cities=known.city_choices(cities),
        transfers=transfers,
        reported=reported,
        unpaid=unpaid,
        cut=[len(rows) > MOST_ROWS for rows in found],
        most=MOST_ROWS,
        may_settle=given.act if may_start(user, given, INSTRUCTIONS) else Cities.NONE,
        two=proposing.needed(ledger, Act.TRANSFER),
        done=done if done in DONE else None,
        said=form if isinstance(form, Closing) else None,
        error=error,
    )
