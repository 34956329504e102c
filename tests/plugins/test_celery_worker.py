"""What a Celery worker that ends tells its tasks; a real one is in tests/e2e/test_stopped.py."""

from __future__ import annotations

import subprocess
import sys
import threading
from types import SimpleNamespace

import psutil
import pytest
from support.processes import until

from ifms_airflow import celery_worker

# A worker's process with a task in one of its own, which counts what it is told and ends at a line.
WORKER = """
import os, signal, sys
task = os.fork()
if task == 0:
    told = []
    signal.signal(signal.SIGTERM, lambda *_: told.append(1))
    print("up", flush=True)
    sys.stdin.readline()
    print(len(told), flush=True)
    os._exit(0)
os.waitpid(task, 0)
"""


class Pool:
    """Celery's pool of one process, until it is gone."""

    def __init__(self, pid: int) -> None:
        self.pid, self.looks, self.gone = pid, 0, False

    @property
    def info(self) -> dict[str, list[int]]:
        if self.gone:
            raise AttributeError("_pool")
        self.looks += 1
        return {"processes": [self.pid, 2**22 - 1]}


@pytest.fixture
def stopping(monkeypatch):
    monkeypatch.setattr(celery_worker, "_stopping", threading.Event())
    monkeypatch.setattr(celery_worker, "LOOK_SECONDS", 0.02)


@pytest.mark.usefixtures("stopping")
def test_each_task_is_told_once_and_the_worker_s_own_processes_are_not():
    with subprocess.Popen(
        [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        assert worker.stdout.readline() == "up\n"
        pool = Pool(worker.pid)
        celery_worker.wait_for_the_signal(SimpleNamespace(pool=pool))
        assert pool.looks == 0, "nothing is told before the worker ends"
        celery_worker.on_signal()
        until(lambda: pool.looks > 10)
        assert psutil.pid_exists(worker.pid)
        pool.gone = True
        worker.stdin.write("\n")
        worker.stdin.flush()
        assert worker.stdout.readline() == "1\n"
    assert worker.returncode == 0


def test_airflow_s_own_settings_are_celery_s():
    from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG

    assert celery_worker.CONFIG is DEFAULT_CELERY_CONFIG
