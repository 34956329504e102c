"""`python -m ifms_airflow.housekeeping`: removes old files of logs and old rows of Airflow's own database.

The service housekeeping of docker-compose.yaml; with ``--once``, a CronJob. Not a task: Airflow keeps its database from
tasks. The ledger is not touched: what it keeps, and for how long, is its own (`IFMS_CALL_LOG_DAYS`).

IFMS_LOG_DAYS (30) and IFMS_METADATA_DAYS (90) say for how many days they stay, 7 at least; `none`: for good. The logs
of runs of ifms_pa that found nothing, 288 of them a day, go after a day, unless IFMS_LOG_DAYS is `none`.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

LOG_DAYS, METADATA_DAYS = 30, 90
LEAST_DAYS, MOST_DAYS = 7, 3660
QUIET_DAG, QUIET_DAYS = "ifms_pa", 1
BATCH_ROWS = 10_000  # removed in one transaction
PAUSE_SECONDS = 24 * 60 * 60
ALIVE = "ifms-housekeeping.alive"
"""Touched in the folder for temporary files after each time that went well: what the health check looks at."""

log = logging.getLogger("ifms.housekeeping")


def days(variable: str, default: int) -> int | None:
    """For how many days the environment variable says to keep something; None: for good. Raises ValueError."""
    chosen = os.environ.get(variable, "").strip() or str(default)
    if chosen.lower() == "none":
        return None
    if not chosen.isdecimal() or not LEAST_DAYS <= int(chosen) <= MOST_DAYS:
        raise ValueError(f"{variable} is {chosen}: it must be days from {LEAST_DAYS} to {MOST_DAYS}, or none")
    return int(chosen)


def remove_old_logs(folder: Path, before: datetime, *, dry_run: bool = False) -> tuple[int, int]:
    """Remove the files below `folder` that were last written before then, and empty folders; how many, and bytes.

    A link is left alone with what it points at. A folder that a task is just about to write into may be gone: Airflow
    makes it anew with the file.
    """
    removed = size = 0
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            file = Path(place, name)
            with suppress(FileNotFoundError):
                found = file.lstat()
                if file.is_symlink() or found.st_mtime >= before.timestamp():
                    continue
                removed, size = removed + 1, size + found.st_size
                if not dry_run:
                    file.unlink()
        if not dry_run and Path(place) != folder:
            with suppress(OSError):  # it holds something
                Path(place).rmdir()
    return removed, size


def remove_quiet_logs(folder: Path, before: datetime, *, dry_run: bool = False) -> int:
    """Remove the logs of QUIET_DAG's runs that ended well before then and told nobody of news; how many runs.

    What Airflow's database does not know stays, and so does a run that has updated an asset.
    """
    from airflow.models.asset import AssetEvent
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    of_runs = {path.name.removeprefix("run_id="): path for path in (folder / f"dag_id={QUIET_DAG}").glob("run_id=*")}
    told = (
        select(AssetEvent.id)
        .where(AssetEvent.source_dag_id == DagRun.dag_id, AssetEvent.source_run_id == DagRun.run_id)
        .exists()
    )
    quiet = select(DagRun.run_id).where(
        DagRun.dag_id == QUIET_DAG, DagRun.state == "success", DagRun.end_date < before, ~told
    )
    with create_session() as session:
        over = [run_id for run_id in session.scalars(quiet) if run_id in of_runs]
    if not dry_run:
        for run_id in over:
            shutil.rmtree(of_runs[run_id], ignore_errors=True)  # what can't go now goes as an old log
    return len(over)


def remove_old_rows(before: datetime, *, dry_run: bool = False) -> None:
    """Remove rows of Airflow's database as `airflow db clean` does; each DAG's last scheduled run always stays.

    Raises RuntimeError that names the tables that could not be cleaned.
    """
    import pendulum
    from airflow.utils.db_cleanup import run_cleanup

    run_cleanup(
        clean_before_timestamp=pendulum.instance(before),
        dry_run=dry_run,
        confirm=False,
        skip_archive=True,
        batch_size=BATCH_ROWS,
        error_on_cleanup_failure=True,
    )


def clean(folder: Path, *, dry_run: bool = False) -> None:
    """Remove what is too old of both, or say what would be. Raises ValueError, RuntimeError, OSError."""
    now = datetime.now(UTC)
    log_days, metadata_days = days("IFMS_LOG_DAYS", LOG_DAYS), days("IFMS_METADATA_DAYS", METADATA_DAYS)
    if log_days is not None:
        removed, size = remove_old_logs(folder, now - timedelta(days=log_days), dry_run=dry_run)
        would = "would go" if dry_run else "removed"
        log.info("Logs older than %d days: %d files, %d bytes %s", log_days, removed, size, would)
        quiet = remove_quiet_logs(folder, now - timedelta(days=QUIET_DAYS), dry_run=dry_run)
        log.info("Logs of runs of %s without news, older than %d day: %d %s", QUIET_DAG, QUIET_DAYS, quiet, would)
    if metadata_days is not None:
        remove_old_rows(now - timedelta(days=metadata_days), dry_run=dry_run)
        log.info("Rows of Airflow's database older than %d days: %s", metadata_days, "shown" if dry_run else "removed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Clean now and every day, or once; 1 when it was to be once and failed."""
    parser = argparse.ArgumentParser(prog="python -m ifms_airflow.housekeeping", description=clean.__doc__)
    parser.add_argument("--once", action="store_true", help="clean now and end, instead of every day")
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed, remove nothing, and end")
    options = parser.parse_args(arguments)

    from airflow.configuration import conf

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    folder = Path(conf.get("logging", "base_log_folder"))
    while True:
        well = True
        try:
            clean(folder, dry_run=options.dry_run)
        except Exception:
            well = False
            log.exception("Not all could be cleaned; what is left goes the next time")
        if options.once or options.dry_run:
            return 0 if well else 1
        if well:
            (Path(tempfile.gettempdir()) / ALIVE).touch()
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    raise SystemExit(main())
