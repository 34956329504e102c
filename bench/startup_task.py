"""The start-up of tasks, in a process that has imported nothing of ours: `bench.startup` starts it, and says of what.

An order comes as JSON on stdin. An empty one: what each task of each DAG imports. Else `idle` has the environment for a
run of ifms_pa, of which the seconds of CPU are told.
"""

from __future__ import annotations

import ast
import gc
import importlib
import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

DAGS = Path(__file__).resolve().parents[1] / "dags"


def airflows_own() -> None:
    """Import what any task of Airflow's that reads PostgreSQL has imported."""
    for module in ("airflow.sdk.execution_time.task_runner", "airflow.providers.postgres.hooks.postgres"):
        importlib.import_module(module)
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import Asset, CronTriggerTimetable

    DagBag(os.environ["AIRFLOW_HOME"])  # which has none
    Asset("sample", uri="sample://sample")  # asks all providers what their URIs look like
    CronTriggerTimetable("0 0 * * *", timezone="Asia/Kolkata")
    gc.freeze()  # as Airflow's executors do before they fork a task


def dag_of(file: Path) -> Any:  # noqa: ANN401  (Airflow is imported later)
    """The DAG of a file, parsed as a task's process parses it."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(file)
    if bag.import_errors:
        raise ValueError(str(bag.import_errors))
    return bag.dags[file.stem]


def load(operator: type) -> None:
    """Import what the operator's module, and those of its bases, import in functions."""
    for base in operator.__mro__:
        if base.__module__.startswith("ifms_airflow."):
            for module, name in _named(inspect.getsource(sys.modules[base.__module__])):
                getattr(importlib.import_module(module), name, None) or importlib.import_module(f"{module}.{name}")


def _named(source: str) -> Iterator[tuple[str, str]]:
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ifms"):
                    yield from ((node.module, alias.name) for alias in node.names)


def _every_task() -> list[dict[str, Any]]:
    found = []
    for file in sorted(DAGS.glob("ifms_*.py")):
        tasks = _forked(partial(_names, file))
        found += [_forked(partial(_one_task, file, name)) for name in tasks]
    return found


def _names(file: Path) -> list[str]:
    return [task.task_id for task in dag_of(file).tasks]


def _one_task(file: Path, name: str) -> dict[str, Any]:
    before, began = set(sys.modules), time.process_time()
    task = dag_of(file).task_dict[name]
    load(getattr(task, "operator_class", type(task)))
    seconds = time.process_time() - began
    return {"dag": file.stem, "task": name, "seconds": seconds, "modules": sorted(set(sys.modules) - before)}


def _forked(work: Callable[[], Any]) -> Any:  # noqa: ANN401  (what can be JSON)
    """Do this in a child that has what this process has imported."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            with os.fdopen(writer, "w") as pipe:
                json.dump(work(), pipe)
            os._exit(0)
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        sys.exit(1)  # what was wrong has been said
    return json.loads(said)


def _idle_run(environment: dict[str, str]) -> float:
    """Seconds of CPU of one run of ifms_pa, from its DAG file to its end."""
    from airflow.sdk.bases.operator import ExecutorSafeguard

    os.environ.update(environment)
    ExecutorSafeguard.test_mode = True  # no task runner stands around it, which would count
    began = time.process_time()
    task = dag_of(DAGS / "ifms_pa.py").task_dict["create_payments"]
    task.tenants = task.bills = None  # as their templates are rendered
    run = SimpleNamespace(run_type="scheduled", triggering_user_name=None, conf={})
    ti = SimpleNamespace(dag_id="ifms_pa", run_id="sample", try_number=1)
    context = {"dag_run": run, "ti": ti, "task": task, "outlet_events": {}}
    task.pre_execute(context)
    task.execute(context)
    return time.process_time() - began


if __name__ == "__main__":
    given = json.load(sys.stdin)
    airflows_own()
    answer = _idle_run(given["idle"]) if "idle" in given else _every_task()
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
