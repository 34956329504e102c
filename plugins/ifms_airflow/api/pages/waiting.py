"""Payments without a PI: the list, one of them with why in words, and "Try again" (waiting-payments.md)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from ifms.cities import Cities
from ifms.errors import BadInputError, ConflictError
from ifms.ledger.database import Connection
from ifms.ledger.payments import needs_two
from ifms.queries import names
from ifms.queries import waiting as reads
from ifms.queries.waiting import Criteria, Waiting
from ifms.reports.files import sheets
from ifms_airflow.api import dag_runs, proposing
from ifms_airflow.api.access import INSTRUCTIONS, READ, Entitled, User, may_start, require_act, starts
from ifms_airflow.api.digit import Text
from ifms_airflow.api.exports import CSV, REPORTS, XLSX, Exporting, TooManyRowsError, Work
from ifms_airflow.api.forms import Reason, Token, see_other, status_of
from ifms_airflow.api.messages import english, has, t
from ifms_airflow.api.pages.instructions import tab_counts
from ifms_airflow.api.pages.render import count, page, run_text
from ifms_airflow.api.read_pool import Ledger

PAGE = 50

REASONS = (
    "PAYMENT_INSUFFICIENT_FUNDS",
    "PAYMENT_NOT_PAYABLE",
    "PLATFORM_TROUBLE",
    "SSU_NOT_CONFIGURED",
    "BILL_NOT_APPROVED",
    "PAYMENT_CANCELLED",
    "LINE_CANCELLED",
    "PI_DECLINED",
    "PI_REJECTED",
    "PI_CANCELLED",
    "PI_IN_DOUBT",
    "TREASURY_SILENT",
    reads.NOTHING_SAID,
)
"""Why a payment has no PI, as the pages offer it to be looked for."""

router = APIRouter(dependencies=[READ])


class ListForm(BaseModel):
    """The fields of the list's form, as they stand in its address."""

    payment: Text = ""
    bill: Text = ""
    city: Text = ""
    reason: Text = ""
    after: Text = ""

    @property
    def filled(self) -> dict[str, str]:
        """What is filled in, as an address has it, without the place in the list."""
        return {name: value for name, value in self.model_dump().items() if value and name != "after"}

    def criteria(self) -> Criteria:
        """The search."""
        return Criteria(
            tenant_id=self.city or None,
            payment_number=self.payment.strip() or None,
            bill_number=self.bill.strip() or None,
            reason=self.reason or None,
            limit=PAGE,
            after=reads.cursor_id(self.after) if self.after else None,
        )


@router.get("/waiting")
def waiting(request: Request, given: Entitled, form: Annotated[ListForm, Query()], ledger: Ledger) -> HTMLResponse:
    """The list, the oldest first."""
    criteria = form.criteria()
    with ledger.connection() as connection:
        found = reads.find(connection, criteria, given.read)
        total = reads.count(connection, criteria, given.read)
        known, cities = names.read(connection), reads.cities_waiting(connection, given.read)
        tabs = tab_counts(connection, given.read)
    more, rows = len(found) > PAGE, found[:PAGE]
    return page(
        request,
        "waiting.html",
        active="instructions",
        form=form,
        query=urlencode(form.filled),
        rows=rows,
        next=urlencode(form.filled | {"after": str(rows[-1].id)}) if more else None,
        total=total,
        limit=reads.COUNT_LIMIT,
        names=known,
        tabs=tabs,
        cities=known.city_choices(cities),
        reasons=[(code, reason_text(code)) for code in REASONS],
        reason_text=reason_text,
    )


def reason_text(code: str) -> str:
    """A reason in a few words; one that the pages do not know by its code."""
    return t(f"hold.{code}") if has(f"hold.{code}") else code


_HEADER = (
    "wait.c.payment",
    "wait.c.bills",
    "wait.c.city",
    "wait.c.amount",
    "wait.c.reason",
    "wait.c.why",
    "wait.c.raised",
    "wait.c.since",
    "wait.c.tries",
    "wait.c.polled",
    "wait.c.attempts",
    "wait.c.last_pi",
    "pis.c.city_name",
)


@router.get("/waiting.csv")
async def waiting_csv(given: Entitled, form: Annotated[ListForm, Query()], export: Exporting) -> Response:
    """Everything that the search finds."""
    return await export.made(
        partial(_write, cities=given.read, form=form, media_type=CSV), CSV, "payments-without-pi.csv"
    )


@router.get("/waiting.xlsx")
async def waiting_xlsx(given: Entitled, form: Annotated[ListForm, Query()], export: Exporting) -> Response:
    """Everything that the search finds, as a workbook."""
    return await export.made(
        partial(_write, cities=given.read, form=form, media_type=XLSX), XLSX, "payments-without-pi.xlsx"
    )


def _write(work: Work, *, cities: Cities, form: ListForm, media_type: str) -> None:
    connection, criteria = work.connection(), form.criteria()
    if reads.count(connection, criteria, cities, most=work.rows) > work.rows:
        raise TooManyRowsError(t("wait.too_many", rows=count(work.rows), dag=REPORTS))
    rows = _everything(work, connection, replace(criteria, limit=1000), cities)
    cells = map(partial(_cells, names.read(connection)), rows)
    work.table(media_type, english("wait.title"), [english(key) for key in _HEADER], cells)


def _everything(work: Work, connection: Connection, criteria: Criteria, cities: Cities) -> Iterator[Waiting]:
    """All payments of the search, in one snapshot."""
    while True:
        work.check()
        found = reads.find(connection, criteria, cities)
        yield from found[: criteria.limit]
        if len(found) <= criteria.limit:
            return
        criteria = replace(criteria, after=found[criteria.limit - 1].id)


def _in_english(code: str) -> str:
    return english(f"hold.{code}") if has(f"hold.{code}") else code


def _cells(known: names.Names, row: Waiting) -> list[sheets.Cell]:
    return [
        row.payment_number,
        ", ".join(row.bill_numbers),
        row.tenant_id,
        row.amount,
        _in_english(row.reason),
        row.why,
        row.raised_at,
        row.since,
        row.all_tries,
        row.polled_at,
        row.attempts,
        row.last_pi_number,
        known.city(row.tenant_id),
    ]


# One of them ----------------------------------------------------------------------------------------------------------

Number = Annotated[Text, Field(min_length=1)]


@router.get("/waiting/payment")
def payment(
    request: Request,
    user: User,
    given: Entitled,
    ledger: Ledger,
    city: Annotated[Number, Query()],
    number: Annotated[Number, Query()],
    run: Annotated[Text, Query()] = "",
) -> HTMLResponse:
    """One payment: why it has no PI, and what was said of it; with `run`, what came of trying again."""
    started = dag_runs.find(INSTRUCTIONS, run, given, ledger) if run else None
    with ledger.connection() as connection:
        known = reads.standing(connection, city, number, given.read)
        row = reads.one(connection, city, number, given.read)
        called = names.read(connection)
        two = needs_two(connection, city, number) is not None
    if known is None:
        raise HTTPException(404, t("wait.not_found", number=number, city=city))
    busy = started is not None and not started.over
    alive = next((each for each in known.instructions if each["status"] != "FAILED"), None)
    return page(
        request,
        "waiting_payment.html",
        active="instructions",
        names=called,
        payment=known.payment,
        row=row,
        log=known.log,
        instructions=known.instructions,
        alive=alive,
        started=started,
        run_text=run_text(started) if started else "",
        came_of_it=_came_of_it(row, alive) if started is not None and started.over else None,
        may_try=not busy
        and row is not None
        and not row.withheld
        and city in given.act
        and may_start(user, given, INSTRUCTIONS),
        two=two,
        token=uuid.uuid4().hex,
        reason_text=reason_text,
        advice=t(f"hold.{row.reason}.do") if row is not None and has(f"hold.{row.reason}.do") else None,
    )


def _came_of_it(row: Waiting | None, alive: dict[str, Any] | None) -> tuple[str, str]:
    """What trying again has come to, and its tone."""
    if alive is not None:
        return "good", t("wait.made", number=alive["pi_number"], status=t(f"status.{alive['status']}"))
    return "bad", t("wait.still", why=row.why if row is not None else t("none"))


@router.post("/waiting/again", dependencies=[starts(INSTRUCTIONS)])
def again(
    request: Request,
    user: User,
    given: Entitled,
    ledger: Ledger,
    city: Annotated[Number, Form()],
    number: Annotated[Number, Form()],
    token: Annotated[Token, Form()],
    reason: Annotated[Reason, Form()] = "",
) -> RedirectResponse:
    """Start the run of ifms_pi that takes the payment up once more, and show the payment with how the run stands.

    Or propose it, where that needs a second person.
    """
    started = dag_runs.find(INSTRUCTIONS, f"again__{token}", given, ledger)  # the same form once more
    if started is None:
        with ledger.connection() as connection:
            row = reads.one(connection, city, number, given.read)
        if row is None or row.withheld:
            raise HTTPException(409, t("wait.gone", number=number))
        require_act(given, row.tenant_id)
        try:
            proposal = proposing.resubmission(user, ledger, row.tenant_id, row.payment_number, reason)
        except (BadInputError, ConflictError) as error:
            raise HTTPException(status_of(error), str(error)) from None
        if proposal is not None:
            return proposing.shown(request, proposal)
        conf = {"payments": [row.payment_number], "tenants": [row.tenant_id]}
        started = dag_runs.start(user, given, INSTRUCTIONS, "again", conf, token, page=True)
    return see_other(request, "/waiting/payment", {"city": city, "number": number, "run": started.run_id})
