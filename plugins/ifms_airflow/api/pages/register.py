"""The fund allocation register of a financial year (user-stories.md §1): rows, running balances, a chart, files."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from ifms import clock
from ifms.cities import Cities
from ifms.ledger.database import Connection
from ifms.queries import funds, names
from ifms.queries.funds import Month, RegisterCriteria, Transaction
from ifms.reports.files import sheets
from ifms.reports.period import parse
from ifms_airflow.api import dag_runs
from ifms_airflow.api.access import READ, Entitled, User, may_start, starts
from ifms_airflow.api.digit import Text
from ifms_airflow.api.exports import CSV, REPORTS, XLSX, Exporting, TooManyRowsError, Work
from ifms_airflow.api.forms import Token, see_other
from ifms_airflow.api.messages import english, t
from ifms_airflow.api.pages.render import count, month, page, run_text, rupees
from ifms_airflow.api.read_pool import Ledger
from ifms_airflow.rights import Rights

PAGE = 100
_MAKING = threading.Lock()

router = APIRouter(dependencies=[READ])


class RegisterForm(BaseModel):
    """The fields of the register's form; without a year it is the current one."""

    year: Annotated[str, Field(pattern=r"^(\d{4}-\d\d)?$")] = ""
    hoa: Text = ""
    type: Text = ""
    city: Text = ""
    after: Annotated[int, Field(ge=0, le=2**62)] = 0
    run: Text = ""

    def criteria(self) -> RegisterCriteria:
        """Which part of the register."""
        if self.type and self.type not in funds.KINDS:
            raise HTTPException(400, t("error.type", text=self.type))
        return RegisterCriteria(
            financial_year=self.year or current_year(),
            tenant_id=self.city or None,
            hoa_code=self.hoa or None,
            transaction_type=self.type or None,
            limit=PAGE,
            after=self.after,
        )

    @property
    def filled(self) -> dict[str, str]:
        """What is filled in, without the place in the register."""
        return {name: value for name, value in self.model_dump().items() if value and name in _FILTERS}


_FILTERS = ("year", "hoa", "type", "city")


class ReportForm(RegisterForm):
    """The form that has ifms_reports make the file."""

    format: Literal["csv", "xlsx", "pdf"]
    token: Token


def current_year() -> str:
    """The financial year of today, IST."""
    return clock.financial_year_label(clock.financial_year(clock.now()))


@router.get("/register")
def register(
    request: Request,
    form: Annotated[RegisterForm, Query()],
    given: Entitled,
    ledger: Ledger,
) -> HTMLResponse:
    """The register's page; with `run`, how the run of ifms_reports stands that was started for a file of it."""
    criteria = form.criteria()
    started = dag_runs.find(REPORTS, form.run, given, ledger) if form.run else None
    with ledger.connection() as connection:
        years, heads, cities = funds.choices(connection, given.read)
        rows = funds.register(connection, criteria, given.read)
        months = funds.months(connection, criteria, given.read)
        sums = funds.sums(connection, criteria, given.read)
        known = names.read(connection)
        by_head = funds.heads(connection, criteria, given.read)
    head_lines = [(known.head(each.hoa_code), each.allotted, each.spent) for each in by_head]
    more = len(rows) > PAGE
    rows = rows[:PAGE]
    return page(
        request,
        "register.html",
        active="register",
        form=form,
        year=criteria.financial_year,
        years=sorted({*years, current_year()}, reverse=True),
        names=known,
        heads=known.head_choices(heads),
        cities=known.city_choices(cities),
        types=list(funds.KINDS),
        rows=rows,
        sums=sums,
        chart=chart(months),
        month_lines=[(month(each.month), each.allotted, each.spent) for each in months],
        head_chart=head_chart(head_lines),
        head_lines=head_lines,
        query=urlencode(form.filled),
        started=started,
        run_text=_run_text(started) if started else "",
        next=urlencode(form.filled | {"after": rows[-1].movement_id}) if more else None,
    )


_HEADER = (
    "reg.c.hoa",
    "reg.c.code",
    "reg.c.city",
    "reg.c.number",
    "reg.c.date",
    "reg.c.type",
    "reg.c.amount",
    "reg.c.sanctioned",
    "reg.c.available",
)


@router.get("/register.csv")
async def register_csv(
    form: Annotated[RegisterForm, Query()], user: User, given: Entitled, export: Exporting
) -> Response:
    """The whole register."""
    return await export.made(partial(_write_rows, form=form, user=user, given=given), CSV, _name(form, "csv"))


@router.get("/register.xlsx")
async def register_xlsx(
    form: Annotated[RegisterForm, Query()], user: User, given: Entitled, export: Exporting
) -> Response:
    """The register as a workbook, as ifms_reports makes it: all rows, sums, charts."""
    return await export.made(
        partial(_write_report, form=form, user=user, given=given, kind="xlsx"), XLSX, _name(form, "xlsx")
    )


@router.get("/register.pdf")
async def register_pdf(
    form: Annotated[RegisterForm, Query()], user: User, given: Entitled, export: Exporting
) -> Response:
    """The register on paper, as ifms_reports makes it: sums, charts, and the rows while they are few."""
    write = partial(_write_report, form=form, user=user, given=given, kind="pdf")
    return await export.made(write, "application/pdf", _name(form, "pdf"))


@router.post("/register/report", dependencies=[starts(REPORTS)])
def report(request: Request, user: User, given: Entitled, form: Annotated[ReportForm, Form()]) -> RedirectResponse:
    """Have ifms_reports make a file that is too large to wait for, and show the register with how the run stands.

    Of the city that was chosen, or of all that the user may act in.
    """
    criteria = form.criteria()
    conf = {
        "report": "fund_register",
        "period": criteria.financial_year,
        "format": form.format,
        "tenants": [form.city] if form.city else given.act.listed,
        "hoa_code": criteria.hoa_code,
        "transaction_type": criteria.transaction_type,
    }
    reported = {name: value for name, value in conf.items() if value is not None}
    started = dag_runs.start(user, given, REPORTS, "register", reported, form.token, page=True)
    return see_other(request, "/register", form.filled | {"run": started.run_id})


def _run_text(started: dag_runs.Started) -> str:
    return t("reg.reported") if started.state == "success" else run_text(started)


def _refuse_many(connection: Connection, work: Work, form: RegisterForm, user: User, given: Rights, kind: str) -> None:
    """Raise TooManyRowsError for a file that nobody should wait for; with the form, for who may have it made."""
    if funds.count(connection, form.criteria(), given.read, most=work.rows) > work.rows:
        raise TooManyRowsError(
            t("reg.too_many", rows=count(work.rows), dag=REPORTS),
            form.filled | {"format": kind} if may_start(user, given, REPORTS) else None,
        )


def _write_rows(work: Work, *, form: RegisterForm, user: User, given: Rights) -> None:
    connection = work.connection()
    _refuse_many(connection, work, form, user, given, "csv")
    rows = map(partial(_cells, names.read(connection)), _everything(work, connection, form, given.read))
    work.table(CSV, english("reg.title"), [english(key) for key in _HEADER], rows)


def _write_report(work: Work, *, form: RegisterForm, user: User, given: Rights, kind: str) -> None:
    # What makes it is slow to load, and most processes that serve pages never need it.
    from ifms.reports import catalogue, writer
    from ifms.reports.fund_register import FUND_REGISTER

    year = form.year or current_year()
    if (period := parse(year)).year is None:
        raise HTTPException(400, t("error.year", text=year))
    with work.ledger() as ledger, TemporaryDirectory() as folder:
        ledger.read_snapshot(partial(_refuse_many, work=work, form=form, user=user, given=given, kind=kind))
        asked = catalogue.request(
            FUND_REGISTER,
            clock.now(),
            period=period,
            tenants=ledger.read_snapshot(partial(_tenants, form=form, cities=given.read)),
            hoa_code=form.hoa or None,
            transaction_type=form.type or None,
        )
        with _MAKING:  # one at a time: what matplotlib is set to is the process's
            [made] = writer.make(ledger, FUND_REGISTER, asked, [kind], Path(folder)).files
        with made.open("rb") as whole:
            shutil.copyfileobj(whole, work.file)


def _tenants(connection: Connection, form: RegisterForm, cities: Cities) -> list[str] | None:
    """The report's cities; None for all. Raises 400 for none: a report would tell which others there are."""
    if cities.everywhere:
        return [form.city] if form.city else None
    chosen = cities.within(form.city or None)
    known = [city for city in funds.choices(connection, chosen)[2] if city in chosen]
    if not known:
        raise HTTPException(400, t("reg.no_city"))
    return known


@dataclass(frozen=True)
class Bar:
    """One bar of the chart, in the chart's own measure."""

    x: float
    y: float
    height: float
    label: str


@dataclass(frozen=True)
class Chart:
    """An SVG of 960 by 220: for each month or head of account what was allotted and spent; none of it below zero."""

    allotted: list[Bar]
    spent: list[Bar]
    names: list[tuple[float, str]]
    lines: list[tuple[float, str]]
    width: float


_HEADS = 12
_FLOOR, _CEILING, _LEFT, _RIGHT = 190.0, 14.0, 78.0, 952.0


def chart(months: list[Month]) -> Chart | None:
    """The chart of these months; None when there is nothing to draw."""
    return _drawn([(month(each.month, short=True), each.allotted, each.spent) for each in months], 12)


def head_chart(heads: list[tuple[str, Decimal, Decimal]]) -> Chart | None:
    """The chart of these heads of account by name; of many the first, all of which the table has."""
    return _drawn(heads[:_HEADS], 4)


def _drawn(groups: list[tuple[str, Decimal, Decimal]], at_least: int) -> Chart | None:
    """For each group what was allotted and what was spent, side by side."""
    top = max((max(given, taken) for _, given, taken in groups), default=Decimal(0))
    if top <= 0:
        return None
    step = (_RIGHT - _LEFT) / max(len(groups), at_least)
    width = min(28.0, step * 0.36)
    room = int(step / 6.5)  # so many letters stand under a group
    allotted, spent, labels = [], [], []
    for place, (name, given, taken) in enumerate(groups):
        middle = _LEFT + step * (place + 0.5)
        allotted.append(_bar(middle - width - 1, given, top, f"{name}: {rupees(given)}"))
        spent.append(_bar(middle + 1, taken, top, f"{name}: {rupees(taken)}"))
        labels.append((middle, name if len(name) <= room else f"{name[: room - 1].rstrip()}…"))
    lines = [(_FLOOR - (_FLOOR - _CEILING) * part / 4, _short(top * part / 4)) for part in range(5)]
    return Chart(allotted, spent, labels, lines, width)


def _bar(x: float, amount: Decimal, top: Decimal, label: str) -> Bar:
    height = float(max(amount, Decimal(0)) / top) * (_FLOOR - _CEILING)
    return Bar(x, _FLOOR - height, height, label)


def _short(amount: Decimal) -> str:
    """An amount in crore or lakh, as short as a scale has it."""
    for size, unit in ((Decimal(10_000_000), "crore"), (Decimal(100_000), "lakh"), (Decimal(1000), "thousand")):
        if amount >= size:
            return t(f"reg.short.{unit}", n=f"{amount / size:.1f}")
    return f"₹{amount:.0f}"


def _everything(work: Work, connection: Connection, form: RegisterForm, cities: Cities) -> Iterator[Transaction]:
    criteria = replace(form.criteria(), limit=2000, after=0)
    while True:
        work.check()
        rows = funds.register(connection, criteria, cities)
        yield from rows[: criteria.limit]
        if len(rows) <= criteria.limit:
            return
        criteria = replace(criteria, after=rows[criteria.limit - 1].movement_id)


def _cells(known: names.Names, row: Transaction) -> list[sheets.Cell]:
    date_: date = row.transaction_date
    return [
        known.head(row.hoa_code),
        row.hoa_code,
        row.tenant_id,
        row.transaction_number,
        date_,
        row.transaction_type,
        row.transaction_amount,
        row.sanctioned_balance,
        row.fund_available,
    ]


def _name(form: RegisterForm, kind: str) -> str:
    return f"fund-register-{form.year or current_year()}.{kind}"
