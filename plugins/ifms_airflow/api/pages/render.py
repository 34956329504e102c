"""Templates and what they need: amounts, times and masks as people read them; the style sheet and the script."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from babel.dates import format_date, format_datetime
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ifms import clock
from ifms.money import grouped, grouped_count
from ifms.queries.names import NO_NAMES
from ifms_airflow.api import messages
from ifms_airflow.api.dag_runs import Started
from ifms_airflow.api.messages import spoken, t, tn
from ifms_airflow.api.pages import language, links

MASK_IFSC = "IFMS_MASK_IFSC"
"""Environment variable: `yes` masks IFSC on the pages, as the story's later wish has it."""
_HERE = Path(__file__).parent
_STATIC = frozenset(path.name for path in (_HERE / "static").iterdir())

router = APIRouter()


@router.get("/static/{name}")
def static(name: str) -> Response:
    """The style sheet, the script, an icon."""
    if name not in _STATIC:
        raise HTTPException(404, "There is no such file")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(
        (_HERE / "static" / name).read_bytes(), media_type=kind, headers={"Cache-Control": "private, max-age=300"}
    )


def page(request: Request, template: str, status: int = 200, **values: object) -> HTMLResponse:
    """A page; `active` among the values names its place in the navigation."""
    messages.speak(language.wished(request))  # also where no page's dependency was asked: of no page at all
    given = {"root": request.scope.get("root_path", ""), "active": "", "error": None, "names": NO_NAMES} | values
    given |= {
        "language": spoken(),
        "languages": language.choices(),
        "here": language.here(request, str(given["active"])),
    }
    answer = HTMLResponse(_environment().get_template(template).render(given), status)
    language.save_asking(request, answer)
    return answer


def error_page(request: Request, status: int, message: str) -> HTMLResponse:
    """What went wrong, and the way back."""
    return page(request, "error.html", status, message=message)


def run_text(started: Started) -> str:
    """How a DAG run stands that was started on a page."""
    if started.paused and not started.over:
        return t("run.paused", dag=started.dag_id)
    return t(f"run.{started.state}", dag=started.dag_id)


def rupees(amount: Decimal | None) -> str:
    """An amount with its digits grouped as in India: ₹12,34,567.50."""
    if amount is None:
        return t("none")
    return f"{'−' if amount < 0 else ''}₹{grouped(abs(amount))}"  # noqa: RUF001  (a real minus)


def count(number: int) -> str:
    """A count with its digits grouped as in India."""
    return grouped_count(number)


def when(instant: datetime | None) -> str:
    """An instant on the treasury's clock: 1 Jun 2024, 22:15 IST."""
    if instant is None:
        return t("none")
    return format_datetime(clock.to_ist(instant), "d MMM y, HH:mm 'IST'", locale=spoken())


def day(value: date | None) -> str:
    """A day: 1 Jun 2024."""
    return t("none") if value is None else format_date(value, "d MMM y", locale=spoken())


def month(value: date, *, short: bool = False) -> str:
    """A month: Jun 2024; short: Jun 24."""
    return format_date(value, "MMM yy" if short else "MMM y", locale=spoken())


def day_of(text: str | None) -> str | None:
    """A day that the treasury has written, as the pages write days; a text that is no such day stays as it is."""
    try:
        return day(date.fromisoformat(text)) if text else text
    except ValueError:
        return text


def masked_account(last4: str | None) -> str:
    """All but the last four digits as stars."""
    return "********" + (last4 or "")


def shown_ifsc(ifsc: str) -> str:
    """An IFSC whole, for it names a branch and no person; ABCD*****12 where MASK_IFSC says yes."""
    if os.environ.get(MASK_IFSC, "").strip().lower() != "yes":
        return ifsc
    return f"{ifsc[:4]}{'*' * max(0, len(ifsc) - 6)}{ifsc[-2:]}"


def took(duration: timedelta | None) -> str:
    """How long something took: 1.2 s, 3 min 20 s."""
    if duration is None:
        return t("none")
    seconds = duration.total_seconds()
    if seconds < 60:
        return t("took.seconds", s=f"{seconds:.1f}")
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return t("took.minutes", m=minutes, s=rest)
    return t("took.hours", h=minutes // 60, m=minutes % 60)


_BENEFICIARY_TONES = {
    "Payment Successful": "good",
    "Payment Failed": "bad",
    "Payment In Process": "busy",
    "Payment Initiated": "busy",
    "Payment Pending": "wait",
}
_TONES: Mapping[str, str] = _BENEFICIARY_TONES | {
    "PENDING": "wait",
    "INITIATED": "busy",
    "APPROVED": "busy",
    "IN PROCESS": "busy",
    "SUCCESSFUL": "good",
    "COMPLETED": "good",
    "PARTIAL": "bad",
    "FAILED": "bad",
    "success": "good",
    "failed": "bad",
    "running": "busy",
    "queued": "wait",
    "answered": "good",
    "rejected": "bad",
    "never_sent": "wait",
    "unknown": "bad",
}


def tone(status: str | None) -> str:
    """What colour a status has; the status itself is always written beside it."""
    return _TONES.get(status or "", "wait")


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"t": t, "tn": tn, "bill_link": links.bill, "beneficiary_link": links.beneficiary}
    made.globals |= {"pairs": lambda values: [(value, value) for value in values]}
    filters: dict[str, Any] = {
        "rupees": rupees,
        "count": count,
        "when": when,
        "day": day,
        "day_of": day_of,
        "masked_account": masked_account,
        "shown_ifsc": shown_ifsc,
        "took": took,
        "tone": tone,
    }
    made.filters.update(filters)
    return made
