"""Choose bills: an operator has payments made for some bills now, and sees what became of each number."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from ifms.errors import BadInputError
from ifms.queries import funds, names
from ifms.queries.health import problems_of_run
from ifms.services.chosen import MOST, bill_numbers
from ifms_airflow.api import dag_runs
from ifms_airflow.api.access import READ, Entitled, User, may_start, starts
from ifms_airflow.api.digit import Text
from ifms_airflow.api.forms import Token, see_other
from ifms_airflow.api.messages import t
from ifms_airflow.api.pages.render import page, run_text
from ifms_airflow.api.read_pool import Ledger, Reads
from ifms_airflow.rights import Rights

PAYMENTS = "ifms_pa"

router = APIRouter(dependencies=[READ])


class Choice(BaseModel):
    """The form: numbers as they were typed, and the city that they must be of."""

    numbers: Annotated[str, Field(max_length=30_000, pattern=r"^[^\x00]*$")] = ""
    city: Annotated[Text, Field(pattern=r"^([a-z]+\.[a-z0-9]+)?$")] = ""


class Confirmed(Choice):
    """The form as it is sent once more."""

    token: Token


@router.get("/bills")
def bills(
    request: Request,
    user: User,
    given: Entitled,
    ledger: Ledger,
    dag: Annotated[Text, Query()] = "",
    run: Annotated[Text, Query()] = "",
) -> HTMLResponse:
    """The form; with `dag` and `run`, how the run stands that was started here, and what it says of each number."""
    started = dag_runs.find(dag, run, given, ledger) if dag == PAYMENTS and run else None
    return _show(request, user, given, ledger, started=started)


@router.post("/bills/confirm", dependencies=[starts(PAYMENTS)])
def confirm(
    request: Request, user: User, given: Entitled, ledger: Ledger, form: Annotated[Choice, Form()]
) -> HTMLResponse:
    """The numbers as they were understood, before anything is paid for them."""
    try:
        numbers = bill_numbers([form.numbers])
    except BadInputError as error:
        return _show(request, user, given, ledger, form=form, error=str(error), status=400)
    with ledger.connection() as connection:
        known = names.read(connection)
    return page(
        request,
        "bills_confirm.html",
        active="bills",
        names=known,
        form=form,
        numbers=numbers,
        token=uuid.uuid4().hex,
    )


@router.post("/bills", dependencies=[starts(PAYMENTS)])
def choose(
    request: Request, user: User, given: Entitled, ledger: Ledger, form: Annotated[Confirmed, Form()]
) -> Response:
    """Start the run that has the payments made, in the city that was chosen, or in all that the user may act in."""
    try:
        numbers = bill_numbers([form.numbers])
    except BadInputError as error:
        return _show(request, user, given, ledger, form=form, error=str(error), status=400)
    cities = [form.city] if form.city else given.act.listed
    conf = {"bills": list(numbers)} | ({"tenants": cities} if cities else {})
    started = dag_runs.start(user, given, PAYMENTS, "bills", conf, form.token, page=True)
    return see_other(request, "/bills", {"dag": started.dag_id, "run": started.run_id})


def _run_text(started: dag_runs.Started) -> str:
    return t("bills.red") if started.state == "failed" else run_text(started)


def _show(
    request: Request,
    user: User,
    given: Rights,
    ledger: Reads,
    *,
    started: dag_runs.Started | None = None,
    form: Choice | None = None,
    error: str | None = None,
    status: int = 200,
) -> HTMLResponse:
    with ledger.connection() as connection:
        cities = names.read(connection).city_choices(funds.choices(connection, given.act)[2])
        lines = problems_of_run(connection, started.dag_id, started.run_id) if started and started.over else []
    return page(
        request,
        "bills.html",
        status,
        active="bills",
        form=form or Choice(),
        cities=cities,
        most=MOST,
        may_choose=may_start(user, given, PAYMENTS),
        started=started,
        run_text=_run_text(started) if started else "",
        lines=lines,
        error=error and t("bills.refused", why=error),
    )
