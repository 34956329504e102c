"""DAG runs that a person or a caller of the API starts, each with its name on it and a line in Airflow's audit log."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from airflow.api.common.trigger_dag import trigger_dag
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.assets.manager import asset_manager
from airflow.exceptions import DagNotFound, DagRunAlreadyExists, ParamValidationError
from airflow.models.asset import AssetModel
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from fastapi import HTTPException
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from ifms.ledger import started_runs
from ifms.ledger.audit import record_action
from ifms.ledger.database import Connection
from ifms_airflow.api.access import require_start
from ifms_airflow.api.digit import DigitError
from ifms_airflow.api.read_pool import Reads
from ifms_airflow.assets import Signal
from ifms_airflow.hooks import LedgerHook
from ifms_airflow.rights import Rights

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Started:
    """A DAG run and how it stands: queued, running, success or failed."""

    dag_id: str
    run_id: str
    state: str
    by: str = ""
    """The name of who started it."""
    paused: bool = False
    """A run of a paused DAG waits until somebody lets the DAG run."""

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in {"success", "failed"}


def start(
    user: BaseUser,
    given: Rights,
    dag_id: str,
    event: str,
    conf: Mapping[str, Any],
    token: str | None = None,
    *,
    page: bool = False,
    approved: bool = False,
) -> Started:
    """Start a run of the DAG with `conf`; `token` names it, so that the same form sent twice starts one run.

    It is for the cities in `tenants` of `conf`, for all without them. Raises 403 when the user may not start it, or not
    for one of these cities, DigitError when Airflow refuses. What somebody else has proposed and the user has
    `approved` is started by the right to approve there.
    """
    if not approved:
        require_start(user, given, dag_id)
    tenants: Sequence[str] | None = conf.get("tenants") or None
    if not (given.approve if approved else given.act).cover(tenants):
        raise HTTPException(403, "You may start runs for cities that you may act in, and for no others")
    run_id = f"{event}__{token or datetime.now(UTC).isoformat()}"
    _allow(
        partial(
            started_runs.record, dag_id=dag_id, run_id=run_id, started_by=user.get_name(), tenants=tenants, conf=conf
        )
    )
    by = DagRunTriggeredByType.UI if page else DagRunTriggeredByType.REST_API
    try:
        trigger_dag(dag_id, triggered_by=by, triggering_user_name=user.get_name(), run_id=run_id, conf=dict(conf))
    except DagRunAlreadyExists:
        pass  # the same form once more
    except DagNotFound:
        raise DigitError("DAG_NOT_FOUND", f"Airflow has no DAG {dag_id}", 404) from None
    except (ParamValidationError, ValueError) as error:
        raise DigitError("DAG_RUN_REFUSED", f"{dag_id} can't be started with this: {error}") from None
    else:
        note(user, event, dag_id=dag_id, run_id=run_id, **conf)
    return _state(dag_id, run_id) or Started(dag_id, run_id, "queued", user.get_name())


def _allow(record: Callable[[Connection], bool]) -> None:
    """Record the start, for the run's tasks. Raises DigitError when the name is another run's."""
    if not _written(record):
        raise DigitError("DAG_RUN_REFUSED", "somebody else has started a run of this name before", 409)


def _written(work: Callable[[Connection], T]) -> T:
    with LedgerHook(statement_timeout=timedelta(seconds=20), lock_timeout=timedelta(seconds=3)).ledger() as db:
        return db.transact(work)


def note(
    user: BaseUser,
    event: str,
    *,
    dag_id: str,
    run_id: str | None = None,
    tenant_id: str | None = None,
    **extra: object,
) -> None:
    """Write who did what, with which city's, into the ledger's records and into Airflow's audit log."""
    subject = json.dumps({"run_id": run_id, **extra} if run_id else extra, default=str)
    _written(
        partial(
            record_action,
            person=user.get_name(),
            action=event,
            subject=subject,
            tenant_id=tenant_id,
            reason=str(extra.get("reason") or "") or None,
        )
    )
    log_event(user, event, dag_id=dag_id, run_id=run_id, **extra)


def log_event(user: BaseUser, event: str, *, dag_id: str, run_id: str | None = None, **extra: object) -> None:
    """Write who did what into Airflow's audit log alone: what has nothing to do with the ledger, which may be away."""
    with create_session() as session:
        session.add(
            Log(
                event=f"ifms.{event}",
                owner=user.get_name(),
                owner_display_name=user.get_name(),
                extra=json.dumps(extra, default=str),
                dag_id=dag_id,
                run_id=run_id,
            )
        )


def find(dag_id: str, run_id: str, given: Rights, ledger: Reads) -> Started | None:
    """How a DAG run stands; None when there is none, or none that is about cities which are open to the user alone."""
    with ledger.connection() as connection:
        if not started_runs.is_of(connection, dag_id, run_id, given.read):
            return None
    return _state(dag_id, run_id)


def _state(dag_id: str, run_id: str) -> Started | None:
    with create_session() as session:
        run = session.execute(
            select(DagRun.state, DagRun.triggering_user_name).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        ).first()
        paused = session.scalar(select(DagModel.is_paused).where(DagModel.dag_id == dag_id))
    return None if run is None else Started(dag_id, run_id, DagRunState(run[0]).value, run[1] or "", bool(paused))


def waiting(dag_id: str, ledger: Reads) -> Started | None:
    """A run of the DAG for all cities that has not begun, and may: who wants one more is served by it."""
    with create_session() as session:
        found = session.execute(
            select(DagRun.run_id, DagRun.conf)
            .where(DagRun.dag_id == dag_id, DagRun.state == DagRunState.QUEUED, DagRun.run_type == DagRunType.MANUAL)
            .order_by(DagRun.id)
        ).all()
    whole = [run_id for run_id, conf in found if not conf]  # one with a form does a part only
    with ledger.connection() as connection:
        allowed = started_runs.for_all_cities(connection, dag_id, whole)
    return next((_state(dag_id, run_id) for run_id in whole if run_id in allowed), None)


def emit(signal: Signal) -> None:
    """Update the signal's asset, as a task does that has news; a failure is logged: the clock starts its readers."""
    try:
        with create_session() as session:
            asset = session.scalar(select(AssetModel).where(AssetModel.uri == signal.asset.uri))
            if asset is None:
                log.warning("Airflow knows no asset %s yet; its DAGs hear of the news by their clock", signal.asset.uri)
            else:
                asset_manager.register_asset_change(asset=asset, session=session, source_is_api=True)
    except SQLAlchemyError:
        log.exception("asset %s could not be updated; its DAGs hear of the news by their clock", signal.asset.uri)
