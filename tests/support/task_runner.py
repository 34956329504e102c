"""Runs DAGs by Airflow's own task runner at debug log level: each task in its process, all that is written kept.

Each line of its input is `{"dag": id, "conf": {…}, "environment": {…}}`; a task that is to be tried again has failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

_SAID = "\n@@ "


class TaskRunner:
    """The running process."""

    def __init__(self, process: subprocess.Popen[str], logs: Path) -> None:
        self._process = process
        self._logs = logs
        self._output: list[str] = []

    def run(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Run a DAG with this process's connections; the state that its run ended in."""
        connections = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_CONN_")}
        order = {"dag": dag_id, "conf": conf, "environment": connections}
        self._pipe(self._process.stdin).write(json.dumps(order) + "\n")
        self._pipe(self._process.stdin).flush()
        for line in self._pipe(self._process.stdout):
            if line.startswith(_SAID.strip()):
                return line.split()[1]
            self._output.append(line)
        raise AssertionError(f"the runner of {dag_id} ended: {self.written[-2000:]}")

    @property
    def written(self) -> str:
        """All that it and its tasks wrote so far, the tasks' log files among it."""
        files = [path.read_text() for path in self._logs.rglob("*") if path.is_file()]
        return "".join([*self._output, *files])

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


@contextmanager
def task_runner(folder: Path) -> Iterator[TaskRunner]:
    """Start it; what it and its tasks log goes into files of `folder`."""
    environment = os.environ | {
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    with (folder / "errors").open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "support.task_runner", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            env=environment,
        )
        try:
            yield TaskRunner(process, folder)
        finally:
            process.kill()
            process.communicate()


def _serve(logs: Path) -> None:
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType
    from support import dags

    dags._sync()
    for line in sys.stdin:
        order = json.loads(line)
        os.environ.update(order["environment"])
        with create_session() as session:
            made = trigger_dag(
                dag_id=order["dag"],
                triggered_by=DagRunTriggeredByType.TEST,
                conf=order["conf"],
                session=session,
                replace_microseconds=False,
            )
            run = session.get_one(DagRun, made.id)
            dags._finish(run, session, partial(_supervise, logs=logs))
            state = run.state
        sys.stdout.write(f"{_SAID}{state}\n")
        sys.stdout.flush()


def _supervise(ti: Any, task: Any, *, logs: Path) -> None:
    """Let Airflow's supervisor run the task in a process of its own, as a worker does; its log is a file of `logs`."""
    from airflow.executors.workloads.base import BundleInfo
    from airflow.executors.workloads.task import TaskInstanceDTO
    from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor, supervise_task
    from airflow.utils.state import TaskInstanceState

    ti.set_state(TaskInstanceState.QUEUED)
    supervise_task(
        ti=TaskInstanceDTO.model_validate(ti, from_attributes=True),
        bundle_info=BundleInfo(name="dags-folder"),
        dag_rel_path=f"{ti.dag_id}.py",
        token="",
        client=InProcessTestSupervisor._api_client(),
        log_path=str(logs / f"{ti.id}.log"),
        subprocess_logs_to_stdout=True,
    )
    ti.refresh_from_db()
    if ti.state == TaskInstanceState.UP_FOR_RETRY:
        ti.set_state(TaskInstanceState.FAILED)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
