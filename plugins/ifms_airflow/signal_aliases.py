"""Ties the signals' aliases to their assets in Airflow's database before a task does it.

Airflow does that at the first event of an alias, by a plain INSERT: of mapped tasks that end at the same moment all but
one are refused by the primary key, and the API server marks them as failed after their work is done. This listener
comes before: the scheduler calls it when a DAG run begins.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.listeners import hookimpl

log = logging.getLogger(__name__)
_tied: set[str] = set()
"""Names of signals that are known to be tied, in this process."""


@hookimpl
def on_dag_run_running(dag_run: Any, msg: str) -> None:  # noqa: ANN401  (Airflow's, which gives both)
    """Before the run's tasks: tie what is not tied yet."""
    from ifms_airflow.assets import SIGNALS

    for name in {signal.alias.name for signal in SIGNALS} - _tied:
        if tie(name):
            _tied.add(name)


def tie(name: str) -> bool:
    """Whether the alias and the asset of this name are tied now; not while a DAG with one of them was not parsed."""
    from airflow.models.asset import AssetAliasModel, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select
    from sqlalchemy.exc import SQLAlchemyError

    try:
        # A session of its own: the thread's is the scheduler's, in the middle of its work, and guards its commit.
        with create_session(scoped=False) as session:
            asset = session.scalar(select(AssetModel).where(AssetModel.name == name))
            alias = session.scalar(select(AssetAliasModel).where(AssetAliasModel.name == name))
            if asset is None or alias is None:
                return False
            if alias not in asset.aliases:
                asset.aliases.append(alias)
    except SQLAlchemyError as error:  # another scheduler was quicker: the next run finds it tied
        log.info("alias %s is not tied to its asset yet: %s", name, type(error).__name__)
        return False
    return True
