"""The fund allocation register of a financial year (user-stories.md §1): rows, running balances, a chart, files."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from pydantic import BaseModel, Field

from ifms import clock
from ifms.queries import funds
from ifms.queries.funds import Month, RegisterCriteria, Transaction
from ifms.reports.files import sheets
from ifms.reports.period import parse
from ifms_airflow.api.access import READ
from ifms_airflow.api.digit import Text
from ifms_airflow.api.pages.messages import t
from ifms_airflow.api.pages.render import page, rupees
from ifms_airflow.api.read_pool import Ledger, Reads
from ifms_airflow.hooks import LedgerHook

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

    def criteria(self) -> RegisterCriteria:
        """Which part of the register."""
        if self.type and self.type not in funds.KINDS:
            raise HTTPException(400, f"{self.type} is no transaction type")
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
        return {name: value for name, value in self.model_dump().items() if value and name != "after"}


def current_year() -> str:
    """The financial year of today, IST."""
    return clock.financial_year_label(clock.financial_year(clock.now()))


@router.get("/register")
def register(request: Request, form: Annotated[RegisterForm, Query()], ledger: Ledger) -> HTMLResponse:
    """The register's page."""
    criteria = form.criteria()
    with ledger.connection() as connection:
        years, heads, cities = funds.choices(connection)
        rows = funds.register(connection, criteria)
        months = funds.months(connection, criteria)
        sums = funds.sums(connection, criteria)
    more = len(rows) > PAGE
    rows = rows[:PAGE]
    return page(
        request,
        "register.html",
        active="register",
        form=form,
        year=criteria.financial_year,
        years=sorted({*years, current_year()}, reverse=True),
        heads=heads,
        cities=cities,
        types=list(funds.KINDS),
        rows=rows,
        sums=sums,
        chart=chart(months),
        months=months,
        query=urlencode(form.filled),
        next=urlencode(form.filled | {"after": rows[-1].movement_id}) if more else None,
    )


_HEADER = ("reg.c.hoa", "reg.c.city", "reg.c.number", "reg.c.date", "reg.c.type", "reg.c.amount", "reg.c.sanctioned",
           "reg.c.available")  # fmt: skip


@router.get("/register.csv")
def register_csv(form: Annotated[RegisterForm, Query()], ledger: Ledger) -> StreamingResponse:
    """The whole register, page after page while it is read."""
    return StreamingResponse(
        sheets.csv_rows([t(key) for key in _HEADER], map(_cells, _everything(form, ledger))),
        media_type="text/csv; charset=utf-8",
        headers=_attached(form, "csv"),
    )


@router.get("/register.xlsx")
def register_xlsx(form: Annotated[RegisterForm, Query()]) -> Response:
    """The register as a workbook, as ifms_reports makes it: all rows, sums, charts."""
    return _as_reported(form, "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")


@router.get("/register.pdf")
def register_pdf(form: Annotated[RegisterForm, Query()]) -> Response:
    """The register on paper, as ifms_reports makes it: sums, charts, and the rows while they are few."""
    return _as_reported(form, "pdf", "application/pdf")


def _as_reported(form: RegisterForm, kind: str, media_type: str) -> Response:
    # What makes it is slow to load, and most processes that serve pages never need it.
    from ifms.reports import catalogue, writer  # noqa: PLC0415
    from ifms.reports.fund_register import FUND_REGISTER  # noqa: PLC0415

    year = form.year or current_year()
    if (period := parse(year)).year is None:
        raise HTTPException(400, f"{year} is no financial year")
    asked = catalogue.request(
        FUND_REGISTER,
        clock.now(),
        period=period,
        tenants=[form.city] if form.city else None,
        hoa_code=form.hoa or None,
        transaction_type=form.type or None,
    )
    # One at a time: what matplotlib is set to is the process's.
    with _MAKING, TemporaryDirectory() as folder, LedgerHook().ledger() as ledger:
        [made] = writer.make(ledger, FUND_REGISTER, asked, [kind], Path(folder)).files
        content = made.read_bytes()
    return Response(content, media_type=media_type, headers=_attached(form, kind))


@dataclass(frozen=True)
class Bar:
    """One bar of the chart, in the chart's own measure."""

    x: float
    y: float
    height: float
    label: str


@dataclass(frozen=True)
class Chart:
    """An SVG of 960 by 220: for each month what was allotted and what was spent; None of it below zero."""

    allotted: list[Bar]
    spent: list[Bar]
    names: list[tuple[float, str]]
    lines: list[tuple[float, str]]
    width: float


_FLOOR, _CEILING, _LEFT, _RIGHT = 190.0, 14.0, 78.0, 952.0


def chart(months: list[Month]) -> Chart | None:
    """The chart of these months; None when there is nothing to draw."""
    top = max((max(month.allotted, month.spent) for month in months), default=Decimal(0))
    if top <= 0:
        return None
    step = (_RIGHT - _LEFT) / max(len(months), 12)
    width = min(28.0, step * 0.36)
    allotted, spent, names = [], [], []
    for place, month in enumerate(months):
        middle = _LEFT + step * (place + 0.5)
        name = f"{month.month:%b %y}"
        allotted.append(_bar(middle - width - 1, month.allotted, top, f"{name}: {rupees(month.allotted)}"))
        spent.append(_bar(middle + 1, month.spent, top, f"{name}: {rupees(month.spent)}"))
        names.append((middle, name))
    lines = [(_FLOOR - (_FLOOR - _CEILING) * part / 4, _short(top * part / 4)) for part in range(5)]
    return Chart(allotted, spent, names, lines, width)


def _bar(x: float, amount: Decimal, top: Decimal, label: str) -> Bar:
    height = float(max(amount, Decimal(0)) / top) * (_FLOOR - _CEILING)
    return Bar(x, _FLOOR - height, height, label)


def _short(amount: Decimal) -> str:
    """An amount in crore or lakh, as short as a scale has it."""
    for size, unit in ((Decimal(10_000_000), " Cr"), (Decimal(100_000), " L"), (Decimal(1000), " K")):
        if amount >= size:
            return f"₹{amount / size:.1f}{unit}"
    return f"₹{amount:.0f}"


def _everything(form: RegisterForm, ledger: Reads) -> Iterator[Transaction]:
    criteria = replace(form.criteria(), limit=2000, after=0)
    while True:
        with ledger.connection() as connection:
            rows = funds.register(connection, criteria)
        yield from rows[: criteria.limit]
        if len(rows) <= criteria.limit:
            return
        criteria = replace(criteria, after=rows[criteria.limit - 1].movement_id)


def _cells(row: Transaction) -> list[sheets.Cell]:
    date_: date = row.transaction_date
    return [
        row.hoa_code, row.tenant_id, row.transaction_number, date_, row.transaction_type, row.transaction_amount,
        row.sanctioned_balance, row.fund_available,
    ]  # fmt: skip


def _attached(form: RegisterForm, kind: str) -> dict[str, str]:
    name = f"fund-register-{form.year or current_year()}.{kind}"
    return {"Content-Disposition": f'attachment; filename="{name}"'}
