"""Celery workers by docker-compose.yaml's command, each with one task at a time, and which of them is at which shard."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg

from ifms_standalone import postgres

from . import compose
from .real_airflow import RealAirflow, until
from .redis import Server as Broker

HOST = "sample-host"
ALIVE = tempfile.gettempdir()
CONFIG_OPTIONS = "AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS"
SERVICE = compose.written()["services"]["worker"]


def settings(broker: Broker, server: postgres.Server) -> dict[str, str]:
    """What Airflow's parts must know to give their tasks to Celery; its metadata database is on `server`."""
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CELERY__BROKER_URL": broker.url,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{server.dsn('airflow').partition('://')[2]}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": "1",
        "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
        CONFIG_OPTIONS: compose.written()["x-airflow-environment"][CONFIG_OPTIONS],
    }


@dataclass
class Crew:
    """The workers of an Airflow whose metadata database is on `server`; `up`: those that were started and not killed."""

    airflow: RealAirflow
    server: postgres.Server
    up: list[str] = field(default_factory=list)

    def start(self, *names: str) -> None:
        """Start workers side by side, and wait until each takes tasks."""
        for name in names:
            pid_file = str(self.airflow.record.with_name(f"{name}.pid"))
            named = ("--celery-hostname", f"{name}@{HOST}", "--pid", pid_file)
            self.airflow.start(name, *SERVICE["command"], *named, "--skip-serve-logs")
        for name in names:
            log = self.airflow.processes.log(name)
            until(lambda log=log: "ready" in log.read_text(), f"{name} is not up")  # type: ignore[misc]
            self.up.append(name)

    def kill(self, name: str) -> None:
        """Kill a worker with all that it has started, as when its machine goes."""
        self.airflow.kill_all(name)
        self.up.remove(name)

    def shards(self, run_id: str) -> dict[int, str]:
        """Which worker runs which shard now: by Airflow's rows, and the session that its process is in."""
        sessions = {self.airflow.pid(name): name for name in self.up}
        with psycopg.connect(self.server.dsn("airflow")) as connection:
            running = connection.execute(
                "SELECT map_index, pid FROM task_instance"
                " WHERE run_id = %s AND state = 'running' AND map_index >= 0 AND pid IS NOT NULL",
                (run_id,),
            ).fetchall()
        found = {}
        for shard, pid in running:
            with suppress(ProcessLookupError):
                found[shard] = sessions[os.getsid(pid)]
        return found

    def is_well(self, name: str) -> bool:
        """What docker-compose.yaml's health check says of a worker."""
        check = SERVICE["healthcheck"]["test"][1].replace("/tmp/celery@$$HOSTNAME", f"{ALIVE}/{name}@{HOST}")
        return subprocess.run(["sh", "-c", check], capture_output=True, check=False).returncode == 0
