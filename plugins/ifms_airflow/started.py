"""Whether a run that a person has started may begin: asked by every task of ours before it does anything.

Airflow's own rights are per DAG. Whoever may start one in Airflow's UI or by its REST API may fill in its form for any
city; so may who makes a backfill or materialises an asset. A task can't ask the auth manager who that is: it has a
name. What the pages and the API start, they have recorded before (`ifms.started_run`), with the form; any other run of
a person begins only if IFMS_RIGHTS lets that name act in all cities. Runs that nobody has started (by the clock, by an
asset) go on as always.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ifms.errors import NotAllowedError
from ifms_airflow import rights

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ifms_airflow.hooks import LedgerHook


def check(context: Context, ledger: Callable[[], LedgerHook]) -> None:
    """Raise NotAllowedError when a person has started the task's run who may not."""
    run = context["dag_run"]
    person = getattr(run, "triggering_user_name", None)
    if not person or rights.of_person(person).act.everywhere:
        return
    from ifms.ledger import started_runs

    with ledger().ledger() as db:
        conf = dict(run.conf or {})
        if db.transact(partial(started_runs.was_allowed, dag_id=run.dag_id, run_id=run.run_id, conf=conf)):
            return
    raise NotAllowedError(
        f"{person} may not start runs of {run.dag_id} here: nothing was done. Runs for a city are started on the "
        f"adapter's pages, or through its API; who may start any run in Airflow itself has the right *:act in "
        f"{rights.RIGHTS}, by name"
    )
