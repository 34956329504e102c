"""How it runs: the last sweep of each service, what waits, and whether the treasury and the platform can be reached."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from ifms import clock
from ifms.ledger.runs import added_up, shown
from ifms.queries.health import MOST_COUNTED, SERVICES, Reach, health
from ifms.queries.unknown_answers import not_understood
from ifms_airflow.api.access import READ, Entitled, User, may_administer
from ifms_airflow.api.messages import t
from ifms_airflow.api.pages.render import page
from ifms_airflow.api.read_pool import Ledger

router = APIRouter(dependencies=[READ])


@router.get("/runs")
def runs(request: Request, user: User, given: Entitled, ledger: Ledger) -> HTMLResponse:
    """The page."""
    with ledger.connection() as connection:
        found = health(connection, given.read)
        unknown, behind_them = not_understood(connection, given.read)
    return page(
        request,
        "runs.html",
        active="runs",
        everywhere=given.read.everywhere,
        services=[(service, last(found.sweeps[service])) for service in SERVICES],
        backlog=found.backlog,
        waiting=sum(each.waiting for each in found.backlog),
        held=found.held,
        outbox=found.outbox,
        ships=bool(found.sweeps["SHIP"]),
        shipping=found.shipping,
        most_counted=MOST_COUNTED,
        reach=found.reach,
        treasury=treasury(found.reach),
        unknown=unknown,
        behind_them=behind_them,
        may_check=may_administer(user, given),
    )


def last(shards: list[dict[str, Any]]) -> dict[str, Any] | None:
    """A service's last run, its shards added up; None when there is none."""
    if not shards:
        return None
    states = {row["state"] for row in shards}
    counts = added_up(row["counts"] for row in shards)
    ended = [row["finished_at"] for row in shards]
    started = min(row["started_at"] for row in shards)
    still = None in ended
    return {
        "state": "failed" if "failed" in states else "running" if "running" in states else "success",
        "started": started,
        "took": (clock.now() if still else max(ended)) - started,
        "counts": dict(shown(what, number) for what, number in sorted(counts.items()) if number),
        "problems": [problem for row in shards for problem in row["problems"]],
        "message": next((row["message"] for row in shards if row["message"]), None),
    }


def treasury(reach: Reach) -> tuple[str, str]:
    """The treasury in a word, and its tone."""
    if not reach.calls:
        return "wait", t("runs.treasury.none")
    if reach.last_call and reach.last_answer and reach.last_call - reach.last_answer < timedelta(seconds=1):
        whole = reach.answered == reach.calls
        return ("good", t("runs.treasury.ok")) if whole else ("busy", t("runs.treasury.some"))
    return ("busy", t("runs.treasury.some")) if reach.answered else ("bad", t("runs.treasury.bad"))
