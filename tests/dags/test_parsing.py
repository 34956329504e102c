"""What holds of every DAG file without running one: it parses with nothing around it, and is what the design says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.environment import REPO

pytestmark = pytest.mark.airflow

# Each DAG with its default schedule; an asset rings ifms_pi besides. A new DAG file gets its line here.
DAGS = {
    "ifms_va": "0 22 * * *",
    "ifms_pa": "*/5 * * * *",
    "ifms_pi": "0 21 * * *",
    "ifms_pis": "0 22 * * *",
    "ifms_pag": "15 22 * * *",
    "ifms_pd": "0 22 * * *",
}
INTERVALS = {"ifms_pa": timedelta(minutes=5)}  # a day for the others
TIMEOUTS = {"ifms_pa": timedelta(minutes=30)}  # two hours for the others
BELLS = {"ifms_pi": {"ifms_payments", "ifms_allotments"}}
OUTLETS = {"ifms_va": {"ifms_allotments"}, "ifms_pa": {"ifms_payments"}}
TAGS = {"ifms_pa": {"ifms", "platform"}}  # {"ifms", "treasury"} for the others
SECTIONS = ["What", "When", "Reads", "Writes", "If it fails"]

# Each takes longer to import than all DAG files together; a task imports them when it runs.
HEAVY = {
    "alembic",
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "pandas",
    "psycopg",
    "requests",
    "simulator",
    "sqlparse",
}

# What no DAG file may do, each as a DAG file that does it: the guard below must see it.
PLANTED = {
    "variable": "from airflow.sdk import Variable; Variable.get('sample')",
    "connection": "from airflow.sdk import BaseHook; BaseHook.get_connection('ifms_db')",
    "network": "import socket; socket.create_connection(('127.0.0.1', 1))",
    "query": "from airflow import settings; settings.engine.connect()  # airflow DAG",
}

PARSE = """
import json, socket, sys
from pathlib import Path

class Touched(BaseException):
    "Not an Exception: nothing on the way may swallow it."

def refuse(*args, **kwargs):
    raise Touched

for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, refuse)
socket.create_connection = socket.getaddrinfo = refuse

import sqlalchemy.engine
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import AssetAlias, AssetOrTimeSchedule, BaseHook, BaseOperator, Connection, CronTriggerTimetable
from airflow.sdk import DAG, ExceptionRetryPolicy, Param, Variable

Variable.get = Connection.get = BaseHook.get_connection = sqlalchemy.engine.Engine.connect = refuse
DagBag(Path(sys.argv[1]) / "empty")
before = set(sys.modules)

def parse(path):
    bag = DagBag(path)
    return {"dags": list(bag.dags), "errors": bag.import_errors}

report = {"ours": {path.name: parse(path) for path in sorted(Path(sys.argv[2]).glob("*.py"))}}
report["modules"] = sorted(set(sys.modules) - before)
report["planted"] = {path.stem: parse(path) for path in Path(sys.argv[1]).glob("*.py")}
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of parsing in a process that has no database, no network and no connection."""
    home = tmp_path_factory.mktemp("home")
    (home / "empty").mkdir()
    for name, line in PLANTED.items():
        (home / f"{name}.py").write_text(f"from airflow.sdk import DAG\n{line}\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "IFMS_"))}
    nowhere = {
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://nobody:sample@127.0.0.1:1/nowhere",
    }
    command = [sys.executable, "-c", PARSE, str(home), str(REPO / "dags")]
    done = subprocess.run(command, env=kept | nowhere, cwd=home, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def load(monkeypatch: pytest.MonkeyPatch | None = None, **environment: str) -> dict[str, Any]:
    """All DAGs by id, parsed as Airflow parses them, with these environment variables."""
    from airflow.dag_processing.dagbag import DagBag

    for name, value in environment.items():
        assert monkeypatch is not None
        monkeypatch.setenv(name, value)
    bag = DagBag(REPO / "dags")
    assert not bag.import_errors, bag.import_errors
    return dict(bag.dags)


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    return load()


def names(bells: Any) -> set[str]:
    """The names of the assets of a schedule."""
    return {asset.name for asset in bells.objects}


every_dag = pytest.mark.parametrize("dag_id", DAGS)


def test_dag_files_parse_without_database_network_or_connection(alone: dict[str, Any]):
    assert alone["ours"] == {f"{each}.py": {"dags": [each], "errors": {}} for each in DAGS}


def test_the_guard_sees_what_a_dag_file_asks_for(alone: dict[str, Any]):
    assert alone["planted"].keys() == PLANTED.keys()
    for name, parsed in alone["planted"].items():
        assert parsed["dags"] == [], name
        assert all(error.strip().endswith("Touched") for error in parsed["errors"].values()), name
        assert len(parsed["errors"]) == 1, name


def test_parsing_imports_nothing_heavy(alone: dict[str, Any]):
    loaded = set(alone["modules"])
    assert not loaded & HEAVY
    ours = {name for name in loaded if name.split(".")[0] in {"ifms", "simulator", "standalone", "migrations"}}
    assert ours == {"ifms", "ifms.errors"}


def test_the_dags_are_these_one_per_file(dags: dict[str, Any]):
    assert dags.keys() == DAGS.keys()
    assert {dag_id: Path(dag.fileloc).name for dag_id, dag in dags.items()} == {each: f"{each}.py" for each in DAGS}
    assert {path.stem for path in (REPO / "dags").glob("*.py")} == set(DAGS)


@every_dag
def test_schedule(dags: dict[str, Any], dag_id: str):
    from airflow.sdk import AssetOrTimeSchedule

    dag = dags[dag_id]
    clock = dag.timetable
    if dag_id in BELLS:
        assert isinstance(clock, AssetOrTimeSchedule)
        assert names(clock.asset_condition) == BELLS[dag_id]
        assert type(clock.asset_condition).__name__ == "AssetAny"  # either of them is enough
        clock = clock.timetable
    assert clock.expression == DAGS[dag_id]
    assert clock.timezone == "Asia/Kolkata"
    assert clock.interval == INTERVALS.get(dag_id, timedelta(days=1))
    assert dag.catchup is False
    assert dag.max_active_runs == 1


@every_dag
def test_owner_tags_and_task_defaults(dags: dict[str, Any], dag_id: str):
    from ifms_airflow.schedules import RETRY_POLICY

    dag = dags[dag_id]
    assert dag.owner == "ifms"
    assert dag.tags == TAGS.get(dag_id, {"ifms", "treasury"})
    assert dag.render_template_as_native_obj
    assert len(dag.tasks) == 1  # never a task per PI
    task = dag.tasks[0]
    given = task.partial_kwargs
    assert task.owner == "ifms"
    assert task.pool == "ifms_treasury"
    assert task.execution_timeout == TIMEOUTS.get(dag_id, timedelta(hours=2))
    assert task.retries == 3
    assert task.retry_delay == timedelta(minutes=5)
    assert given["retry_policy"] is RETRY_POLICY
    assert given["do_xcom_push"] is False
    assert {alias.name for alias in given.get("outlets") or ()} == OUTLETS.get(dag_id, set())
    assert task.expand_input.value == {"shard": [0]}  # a literal: mapping over it writes no XCom
    assert given["shards"] == 1


@every_dag
def test_docs_say_what_an_operator_asks(dags: dict[str, Any], dag_id: str):
    doc = dags[dag_id].doc_md
    title, *parts = re.split(r"^## (.+)$", doc, flags=re.MULTILINE)
    assert 5 < len(title.strip()) < 80
    assert parts[::2] == SECTIONS
    assert all(text.strip() for text in parts[1::2])
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    code = dag_id.removeprefix("ifms_").upper()
    assert f"IFMS_SCHEDULE_{code}" in sections["When"]
    assert "backfill" in sections["When"].lower()
    assert "sweep_run" in sections["If it fails"]
    assert "ifms.sweep_run" in re.sub(r"`|\s", " ", sections["Writes"])


@every_dag
def test_form(dags: dict[str, Any], dag_id: str):
    params = dags[dag_id].params
    assert list(params) == ["tenants"]
    assert params["tenants"] is None
    assert params.get_param("tenants").description


@every_dag
@pytest.mark.parametrize(
    "value",
    [
        ["od.samplea'; DROP TABLE ifms.payment; --"],
        ["{{ conn.ifms_treasury.password }}"],
        ["OD.SAMPLEA"],
        ["od"],
        ["od.samplea\nod.sampleb"],
        [""],
        [7],
        [None],
        "od.samplea",
        "false",
        False,
        {"tenant": "od.samplea"},
    ],
)
def test_form_refuses_what_is_no_list_of_cities(dags: dict[str, Any], dag_id: str, value: object):
    from airflow.sdk.exceptions import ParamValidationError

    param = dags[dag_id].params.get_param("tenants")
    with pytest.raises(ParamValidationError):
        param.resolve(value)


def test_form_takes_a_list_of_cities(dags: dict[str, Any]):
    param = dags["ifms_va"].params.get_param("tenants")
    assert param.resolve(["od.samplea", "od.sampleb"]) == ["od.samplea", "od.sampleb"]


@every_dag
def test_environment_sets_the_schedule(monkeypatch: pytest.MonkeyPatch, dag_id: str):
    code = dag_id.removeprefix("ifms_").upper()
    changed = load(monkeypatch, **{f"IFMS_SCHEDULE_{code}": "7 3 * * 1-5"})
    for other, dag in changed.items():
        clock = getattr(dag.timetable, "timetable", dag.timetable)
        assert clock.expression == ("7 3 * * 1-5" if other == dag_id else DAGS[other])


def test_environment_turns_schedules_off(monkeypatch: pytest.MonkeyPatch):
    off = load(monkeypatch, **{f"IFMS_SCHEDULE_{each.removeprefix('ifms_').upper()}": "none" for each in DAGS})
    for dag_id, dag in off.items():
        if dag_id in BELLS:  # the bells still ring
            assert names(dag.timetable.asset_condition) == BELLS[dag_id]
            assert not dag.timetable.can_be_scheduled or type(dag.timetable).__name__ == "AssetTriggeredTimetable"
        else:
            assert type(dag.timetable).__name__ == "NullTimetable"


def test_environment_sets_the_number_of_shards(monkeypatch: pytest.MonkeyPatch):
    for dag in load(monkeypatch, IFMS_SHARDS="3").values():
        task = dag.tasks[0]
        assert task.expand_input.value == {"shard": [0, 1, 2]}
        assert task.partial_kwargs["shards"] == 3


def test_parsing_twice_gives_the_same_dags():
    """Nothing changes with the clock: a DAG that differs at each parse would be a new version each time."""
    from airflow.serialization.serialized_objects import DagSerialization

    first, second = ({each: DagSerialization.to_dict(dag) for each, dag in load().items()} for _ in range(2))
    assert first == second
