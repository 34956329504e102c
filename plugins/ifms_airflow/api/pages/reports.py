"""Made reports: what ifms_reports has written, the latest first, each with its files."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from urllib.parse import urlencode

from airflow.api_fastapi.app import get_cookie_path
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from ifms.cities import Cities
from ifms.errors import ReportSourceError
from ifms_airflow import report_storage
from ifms_airflow.api.access import READ, Entitled, User, may_start
from ifms_airflow.api.digit import DigitError
from ifms_airflow.api.exports import CSV, REPORTS, XLSX, Exporting, Work
from ifms_airflow.api.messages import t
from ifms_airflow.api.pages.render import page
from ifms_airflow.report_storage import Place
from ifms_airflow.rights import Rights
from ifms_airflow.schedules import reports_path

PAGE = 50
_TYPES = {"csv": CSV, "xlsx": XLSX, "pdf": "application/pdf"}
_UNREADABLE = "REPORTS_UNAVAILABLE"

router = APIRouter(dependencies=[READ])


class MadeForm(BaseModel):
    """Up to which day, and where the page begins: a folder, and in it the last report of the page before."""

    day: Annotated[str, Field(pattern=r"^(\d{4}-\d\d-\d\d)?$")] = ""
    after: Annotated[str, Field(pattern=r"^(\d{4}-\d\d-\d\dT\d{6}(/[A-Za-z0-9._-]{0,255})?)?$")] = ""

    @property
    def place(self) -> Place | None:
        """Where the page begins; None: with the latest."""
        folder, _, stem = self.after.partition("/")
        return Place(folder, stem) if folder else None


@router.get("/reports")
def reports(request: Request, user: User, given: Entitled, form: Annotated[MadeForm, Query()]) -> HTMLResponse:
    """The page."""
    try:
        made, following = report_storage.listed(
            reports_path(), most=PAGE, cities=_readable(given), place=form.place, until=form.day
        )
    except ReportSourceError as error:
        raise DigitError(_UNREADABLE, str(error), 503) from None
    day = {"day": form.day} if form.day else {}
    return page(
        request,
        "reports.html",
        active="reports",
        form=form,
        made=made,
        formats=report_storage.FORMATS,
        first=urlencode(day),
        next=urlencode(day | {"after": f"{following.folder}/{following.stem}"}) if following else None,
        dag=REPORTS,
        dag_page=f"{get_cookie_path()}dags/{REPORTS}" if may_start(user, given, REPORTS) else None,
    )


@router.get("/reports/{folder}/{name}")
async def report_file(folder: str, name: str, given: Entitled, export: Exporting) -> Response:
    """One made report's file; like the files that are made here, few at a time."""
    if not report_storage.is_made(folder, name, _readable(given)):
        raise HTTPException(404, t("error.report"))
    write = partial(_copy, folder=folder, name=name)
    return await export.made(write, _TYPES[name.rpartition(".")[2]], name)


def _readable(given: Rights) -> list[Cities]:
    """The cities of which a report may be: of those that the user may read, or exactly of those they may act in."""
    return [given.read, given.act]


def _copy(work: Work, *, folder: str, name: str) -> None:
    try:
        for chunk in report_storage.read(reports_path(), folder, name):
            work.check()
            work.file.write(chunk)
    except FileNotFoundError:
        raise HTTPException(404, t("error.report")) from None
    except ReportSourceError as error:
        raise DigitError(_UNREADABLE, str(error), 503) from None
