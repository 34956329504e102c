"""Lets a Celery worker that is told to end tell its tasks first, so that they settle what they have in their hands.

By itself Celery waits for its tasks and does not tell them: a sweep would go on until the worker is killed. A worker
loads this module because Airflow takes Celery's settings, which are its own, from it, where
``AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS=ifms_airflow.celery_worker.CONFIG``.

Each task gets what Airflow itself would send, SIGTERM, once: its ``on_kill`` is called. Celery then ends as always,
when the last of its tasks has.

A worker also touches the file ``<hostname>.alive`` in the folder for temporary files, so that whether it is well can be
asked without a Python of one's own.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG
from celery.signals import (  # type: ignore[import-untyped]
    heartbeat_sent,
    worker_ready,
    worker_shutting_down,
)

CONFIG = DEFAULT_CELERY_CONFIG

LOOK_SECONDS = 0.5

log = logging.getLogger("ifms.celery")

_stopping = threading.Event()


def wait_for_the_signal(sender: Any, **_: Any) -> None:  # noqa: ANN401  (Celery's consumer has no types)
    """The worker is up: from now on there may be tasks. The thread is begun here, not by a handler of a signal."""
    threading.Thread(target=_tell_tasks, args=(sender.pool,), daemon=True, name="ifms-tell-tasks").start()


def on_signal(**_: Any) -> None:
    """Celery has got its signal; called in the handler."""
    _stopping.set()


def on_heartbeat(sender: Any, **_: Any) -> None:  # noqa: ANN401
    """Every other second, while the worker's loop turns and reaches the broker: a file that a health check looks at."""
    (Path(tempfile.gettempdir()) / f"{sender.eventer.hostname}.alive").touch()


def _tell_tasks(pool: Any) -> None:  # noqa: ANN401
    """Once the worker ends, until it has ended: one that it had just taken may only begin now."""
    _stopping.wait()
    told: set[psutil.Process] = set()
    while True:
        try:
            workers = pool.info["processes"]
        except (AttributeError, TypeError):  # there are none any more
            return
        for task in _children(workers):
            if task not in told:
                told.add(task)
                log.info("The worker is ending: its task in process %d is told to", task.pid)
                with suppress(psutil.Error):
                    task.terminate()
        time.sleep(LOOK_SECONDS)


def _children(workers: list[int]) -> list[psutil.Process]:
    """The processes that Airflow's supervisors, which run in Celery's own processes, have begun: one per task."""
    found: list[psutil.Process] = []
    for worker in workers:
        with suppress(psutil.Error):
            found += psutil.Process(worker).children()
    return found


worker_ready.connect(wait_for_the_signal)
worker_shutting_down.connect(on_signal)
heartbeat_sent.connect(on_heartbeat)
