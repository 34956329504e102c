"""Sanctions: what is on each, what is not used of it and why; a person closes one, or opens it again."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel

from ifms.cities import Cities
from ifms.errors import BadInputError, ConflictError
from ifms.ledger import sanctions
from ifms.ledger.proposals import Act
from ifms.queries import funds, names
from ifms_airflow.api import dag_runs, proposing, writes
from ifms_airflow.api.access import INSTRUCTIONS, READ, Entitled, User, may_start, require_act, starts
from ifms_airflow.api.digit import Text
from ifms_airflow.api.forms import Reason, see_other, status_of
from ifms_airflow.api.pages.render import page
from ifms_airflow.api.read_pool import Ledger, Reads
from ifms_airflow.rights import Rights

MOST_SANCTIONS = 200
"""So many rows are shown at a time; a city has fewer."""

router = APIRouter(dependencies=[READ])


class Closing(BaseModel):
    """The form that closes a sanction, or opens it again."""

    sanction: UUID
    closed: bool
    reason: Reason = ""
    city: Text = ""


@router.get("/sanctions")
def show(
    request: Request, user: User, given: Entitled, ledger: Ledger, city: Annotated[Text, Query()] = ""
) -> HTMLResponse:
    """Each city's money by what is paid from, and the sanctions of one city, or the first of all."""
    return _show(request, user, given, ledger, city)


@router.post("/sanctions", dependencies=[starts(INSTRUCTIONS)])
def change(request: Request, user: User, given: Entitled, ledger: Ledger, form: Annotated[Closing, Form()]) -> Response:
    """Close a sanction under the person's name, or open it again."""
    with ledger.connection() as connection:
        city = funds.city_of(connection, form.sanction, given.read)
    if city is not None:
        require_act(given, city)
    if city is not None and proposing.needed(ledger, Act.SANCTION):
        try:
            wanted = {"closed": form.closed}
            made = proposing.propose(user, Act.SANCTION, str(form.sanction), wanted, tenant_id=city, reason=form.reason)
        except (BadInputError, ConflictError) as error:
            return _show(request, user, given, ledger, form.city, str(error), status_of(error))
        return proposing.shown(request, made)
    work = partial(
        sanctions.set_closed,
        sanction_id=form.sanction,
        closed=form.closed,
        reason=form.reason,
        person=user.get_name(),
        cities=given.act,
    )
    try:
        done = writes.transact(work)
    except (BadInputError, ConflictError) as error:
        return _show(request, user, given, ledger, form.city, str(error), status_of(error))
    dag_runs.note(
        user,
        "sanction_closed" if form.closed else "sanction_opened",
        dag_id=INSTRUCTIONS,
        sanction=form.sanction,
        master_allotment_id=done.master_allotment_id,
        tenant_id=done.tenant_id,
        reason=" ".join(form.reason.split()),
    )
    return see_other(request, "/sanctions", {"city": form.city} if form.city else None)


def _show(
    request: Request, user: User, given: Rights, ledger: Reads, city: str, error: str | None = None, status: int = 200
) -> HTMLResponse:
    shown = given.read.within(city or None)
    with ledger.connection() as connection:
        standing = funds.standing(connection, shown)
        found = sanctions.listed(connection, shown.listed, limit=MOST_SANCTIONS)
        known, (_, _, cities) = names.read(connection), funds.choices(connection, given.read)
    return page(
        request,
        "sanctions.html",
        status,
        active="sanctions",
        names=known,
        chosen=city,
        cities=known.city_choices(cities),
        standing=standing,
        sanctions=found,
        total=sum(each.sanctions for each in standing),
        may_change=given.act if may_start(user, given, INSTRUCTIONS) else Cities.NONE,
        two=proposing.needed(ledger, Act.SANCTION),
        error=error,
    )
