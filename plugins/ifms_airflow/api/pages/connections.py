"""Check connections: an administrator tries those that are stored, and reads what was tried and what came of it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from ifms_airflow.api import dag_runs
from ifms_airflow.api.access import INSTRUCTIONS, User, administers
from ifms_airflow.api.pages.render import page
from ifms_airflow.connection_checks import CHECKS, Result, check

router = APIRouter(dependencies=[Depends(administers)])


class Chosen(BaseModel):
    """The form's only field: one of the connections that the DAGs use."""

    connection: Literal["ifms_treasury", "ifms_platform", "ifms_db", "ifms_elasticsearch", "ifms_kafka"]


@router.get("/connections")
def show(request: Request) -> HTMLResponse:
    """What can be checked; nothing is tried yet."""
    return _show(request, None)


@router.post("/connections")
def try_one(request: Request, user: User, form: Annotated[Chosen, Form()]) -> HTMLResponse:
    """Try a stored connection, under the person's name."""
    result = check(form.connection)
    dag_runs.log_event(user, "connection_checked", dag_id=INSTRUCTIONS, connection=result.conn_id, worked=result.worked)
    return _show(request, result)


def _show(request: Request, result: Result | None) -> HTMLResponse:
    return page(request, "connections.html", active="runs", connections=list(CHECKS), result=result)
