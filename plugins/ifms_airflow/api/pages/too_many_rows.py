"""A file that is too large to wait for: why, and how ifms_reports makes it."""

from __future__ import annotations

import uuid

from airflow.api_fastapi.app import get_cookie_path
from fastapi import Request
from fastapi.responses import HTMLResponse

from ifms_airflow.api.exports import REPORTS, TooManyRowsError
from ifms_airflow.api.pages.render import page


def refused(request: Request, error: TooManyRowsError) -> HTMLResponse:
    """The page that is answered instead of the file."""
    return page(
        request,
        "too_many_rows.html",
        error.status,
        message=error.message,
        report=error.report,
        dag=REPORTS,
        form=f"{get_cookie_path()}dags/{REPORTS}",
        token=uuid.uuid4().hex,
    )
