"""What holds of every DAG file without running one: it parses with nothing around it, and is what the design says."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.environment import REPO

pytestmark = pytest.mark.airflow

# Each DAG with its default schedule (None: started by hand). A new DAG file gets its line here.
DAGS = {
    "ifms_va": "0 22 * * *",
    "ifms_pa": "*/5 * * * *",
    "ifms_pi": "0 21 * * *",
    "ifms_pis": "0 22 * * *",
    "ifms_pag": "15 22 * * *",
    "ifms_pd": "0 22 * * *",
    "ifms_fd": "0 22 * * *",
    "ifms_cor": None,
    "ifms_ftps": "0 22 * * *",
    "ifms_ftfps": "0 22 * * *",
    "ifms_relay": "*/10 * * * *",
    "ifms_reconcile": "30 20 * * *",
    "ifms_reports": "0 0 * * *",
    "ifms_settled": "30 0 * * *",
    "ifms_audit": "0 1 * * *",
}
CLOCKED = [dag_id for dag_id, cron in DAGS.items() if cron]
# A day for the others.
INTERVALS = {"ifms_pa": timedelta(minutes=5), "ifms_relay": timedelta(minutes=10)}
HALF_AN_HOUR = {"ifms_pa", "ifms_relay"}  # their tasks' timeout; two hours for the others
CATCHING_UP = {"ifms_fd", "ifms_settled"}  # where a start date is said
WITHOUT_A_GAP = {"ifms_settled"}  # its data intervals follow each other, whatever the schedule
BELLS = {"ifms_pi": {"ifms_payments", "ifms_allotments"}, "ifms_relay": {"ifms_outbox"}}
# What each may tell; all whose sweeps write to the outbox ring the same bell.
OUTLETS = dict.fromkeys(DAGS, {"ifms_outbox"}) | {
    "ifms_va": {"ifms_allotments"},
    "ifms_pa": {"ifms_payments"},
    "ifms_relay": set(),
    "ifms_reconcile": set(),
    "ifms_reports": set(),
    "ifms_settled": {"ifms_settled"},
    "ifms_audit": set(),
}
TAGS = (
    dict.fromkeys(DAGS, {"ifms", "treasury"})
    | dict.fromkeys(("ifms_pa", "ifms_relay"), {"ifms", "platform"})
    | dict.fromkeys(("ifms_reconcile", "ifms_reports", "ifms_settled", "ifms_audit"), {"ifms", "ledger"})
)
# Sweeps that are shared out between shards, one task each; the others are single tasks.
SHARED = {
    "ifms_va": "fetch_allotments",
    "ifms_pi": "create_payment_instructions",
    "ifms_pis": "poll",
    "ifms_pag": "poll",
    "ifms_pd": "poll",
    "ifms_ftps": "poll",
    "ifms_ftfps": "poll",
}
SINGLE = {
    "ifms_pa": "create_payments",
    "ifms_pi": "settle_revisions",
    "ifms_fd": "fetch_failures",
    "ifms_cor": "correct",
    "ifms_relay": "deliver",
    "ifms_reconcile": "reconcile",
}
# Tasks beside those that do not wait for the treasury, and take no slot of its pool.
BESIDE = {
    "ifms_relay": ["notify", "ship", "remove_old_calls"],
    "ifms_reports": ["report"],
    "ifms_settled": ["announce"],
    "ifms_audit": ["audit"],
}
PARAMS = dict.fromkeys(DAGS, ["tenants"]) | {
    "ifms_pa": ["tenants", "bills"],
    "ifms_pi": ["tenants", "proposal", "pi_numbers", "payments", "adopt"],
    **{f"ifms_{service}": ["tenants", "pi_numbers"] for service in ("pis", "pag", "pd", "ftps", "ftfps")},
    "ifms_fd": ["since", "until"],
    "ifms_cor": ["pi_number", "tenant", "beneficiaries", "same_account", "new_original", "proposal", "tenants"],
    "ifms_relay": ["again", "calls_again"],
    "ifms_reconcile": ["pending_hours", "limit_days"],
    "ifms_reports": ["report", "tenants", "period", "format", "hoa_code", "transaction_type"],
    "ifms_settled": ["day"],
    "ifms_audit": [],
}
SECTIONS = ["What", "When", "Reads", "Writes", "If it fails"]

# Each takes longer to import than all DAG files together; a task imports them when it runs.
HEAVY = {
    "alembic",
    "confluent_kafka",
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "elasticsearch",
    "matplotlib",
    "pandas",
    "psycopg",
    "reportlab",
    "requests",
    "ifms_simulator",
    "sqlparse",
    "xlsxwriter",
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
        "IFMS_PAYMENT_TOPIC": "expense-payment-create",  # a doorbell is not looked for either
        "IFMS_BILL_TOPIC": "expense-bill-update",
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
    return {asset.name for asset in getattr(bells, "objects", [bells])}


def given(task: Any, name: str) -> Any:
    """What a task was given, be it mapped or not."""
    return task.partial_kwargs.get(name) if hasattr(task, "partial_kwargs") else getattr(task, name)


def form_field(dag: Any, name: str) -> Any:
    """A copy of a field of the DAG's form: a Param keeps what it resolved, and all DAGs share the cities' one."""
    return copy.copy(dag.params.get_param(name))


every_dag = pytest.mark.parametrize("dag_id", DAGS)
every_clock = pytest.mark.parametrize("dag_id", CLOCKED)
every_form_of_cities = pytest.mark.parametrize("dag_id", [each for each in DAGS if "tenants" in PARAMS[each]])


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
    ours = {name for name in loaded if name.split(".")[0] in {"ifms", "ifms_simulator", "ifms_standalone"}}
    assert ours == {"ifms", "ifms.cities", "ifms.clock", "ifms.errors"}


def test_the_dags_are_these_one_per_file(dags: dict[str, Any]):
    assert dags.keys() == DAGS.keys()
    assert {dag_id: Path(dag.fileloc).name for dag_id, dag in dags.items()} == {each: f"{each}.py" for each in DAGS}
    assert {path.stem for path in (REPO / "dags").glob("*.py")} == set(DAGS)


def interval(clock: Any) -> timedelta | None:
    """The data interval that a timetable gives each run; None when they follow each other."""
    return None if type(clock).__name__ == "CronDataIntervalTimetable" else clock.interval


@every_dag
def test_schedule(dags: dict[str, Any], dag_id: str):
    from airflow.sdk import AssetOrTimeSchedule

    dag = dags[dag_id]
    clock = dag.timetable
    if dag_id in BELLS:
        assert isinstance(clock, AssetOrTimeSchedule)
        assert names(clock.asset_condition) == BELLS[dag_id]
        assert type(clock.asset_condition).__name__ == ("AssetAny" if len(BELLS[dag_id]) > 1 else "Asset")
        clock = clock.timetable
    if DAGS[dag_id] is None:
        assert type(clock).__name__ == "NullTimetable"
    else:
        assert clock.expression == DAGS[dag_id]
        assert clock.timezone == "Asia/Kolkata"
        assert interval(clock) == (None if dag_id in WITHOUT_A_GAP else INTERVALS.get(dag_id, timedelta(days=1)))
    assert dag.catchup is False, "nothing is caught up with from a date that nobody has said"
    assert dag.start_date is None
    assert dag.max_active_runs == 1


@every_dag
def test_owner_tags_and_task_defaults(dags: dict[str, Any], dag_id: str):
    from ifms_airflow.schedules import RETRY_POLICY

    dag = dags[dag_id]
    assert dag.owner == "ifms"
    assert dag.tags == TAGS[dag_id]
    assert dag.render_template_as_native_obj is bool(PARAMS[dag_id])
    shared, single = ([each[dag_id]] if dag_id in each else [] for each in (SHARED, SINGLE))
    beside = BESIDE.get(dag_id, [])
    assert [task.task_id for task in dag.tasks] == shared + single + beside  # never a task per PI
    for task in dag.tasks:
        assert task.owner == "ifms"
        assert task.pool == ("default_pool" if task.task_id in beside else "ifms_treasury")
        assert task.execution_timeout == (timedelta(minutes=30) if dag_id in HALF_AN_HOUR else timedelta(hours=2))
        assert task.retries == 3
        assert task.retry_delay == timedelta(minutes=5)
        assert given(task, "retry_policy") is RETRY_POLICY
        assert given(task, "do_xcom_push") is False
        assert {alias.name for alias in given(task, "outlets") or ()} == OUTLETS[dag_id]
        assert not task.upstream_task_ids
        if task.task_id in shared:
            assert task.expand_input.value == {"shard": [0]}  # a literal: mapping over it writes no XCom
            assert given(task, "shards") == 1
        else:
            assert (task.is_mapped, task.shards) == (False, 1)
        if "tenants" in PARAMS[dag_id]:
            assert given(task, "tenants") == "{{ params.tenants }}"


def test_every_status_service_has_its_dag(dags: dict[str, Any]):
    asking = {dag_id: given(dag.tasks[0], "service") for dag_id, dag in dags.items() if SHARED.get(dag_id) == "poll"}
    assert asking == {f"ifms_{code.lower()}": code for code in ("PIS", "PAG", "PD", "FTPS", "FTFPS")}


def test_failures_are_asked_for_from_a_day_on(monkeypatch: pytest.MonkeyPatch):
    """Midnight in Odisha, less the window: Airflow runs no task of a run that is dated before the start date."""
    window = timedelta(days=1)
    for day in ("2027-03-31", " 2028-02-29 "):
        loaded = load(monkeypatch, IFMS_START_DATE=day)
        assert {dag_id for dag_id, dag in loaded.items() if dag.catchup or dag.start_date} == CATCHING_UP
        assert loaded["ifms_fd"].start_date == datetime.fromisoformat(f"{day.strip()}T00:00:00+05:30") - window


@pytest.mark.parametrize("day", ["31-03-2027", "2027-02-29", "yesterday"])
def test_a_start_date_that_is_none_breaks_those_that_catch_up_only(monkeypatch: pytest.MonkeyPatch, day: str):
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv("IFMS_START_DATE", day)
    bag = DagBag(REPO / "dags")
    assert {Path(file).stem for file in bag.import_errors} == CATCHING_UP
    assert all(day in error or "day is out of range" in error for error in bag.import_errors.values())
    assert bag.dags.keys() == DAGS.keys() - CATCHING_UP


@every_dag
def test_docs_say_what_an_operator_asks(dags: dict[str, Any], dag_id: str):
    doc = dags[dag_id].doc_md
    title, *parts = re.split(r"^## (.+)$", doc, flags=re.MULTILINE)
    assert 5 < len(title.strip()) < 80
    assert parts[::2] == SECTIONS
    assert all(text.strip() for text in parts[1::2])
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    code = dag_id.removeprefix("ifms_").upper()
    if DAGS[dag_id]:
        assert f"IFMS_SCHEDULE_{code}" in sections["When"]
        assert "backfill" in sections["When"].lower()
    if OUTLETS[dag_id] == {"ifms_outbox"}:
        assert "`ifms.outbox`" in sections["Writes"]
    assert "sweep_run" in sections["If it fails"]
    assert "ifms.sweep_run" in re.sub(r"`|\s", " ", sections["Writes"])


@every_dag
def test_form(dags: dict[str, Any], dag_id: str):
    params = dags[dag_id].params
    assert list(params) == PARAMS[dag_id]
    assert {params[name] for name in params} <= {None, False}  # started without a form it does all that is due
    assert all(params.get_param(name).description for name in params)


@every_form_of_cities
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

    param = form_field(dags[dag_id], "tenants")
    with pytest.raises(ParamValidationError):
        param.resolve(value)


def test_form_takes_a_list_of_cities(dags: dict[str, Any]):
    assert form_field(dags["ifms_va"], "tenants").resolve(["od.samplea", "od.sampleb"]) == ["od.samplea", "od.sampleb"]


NO_NUMBERS = [
    "PI-SA/1'; DROP TABLE ifms.payment; --",
    "{{ conn.ifms_treasury.password }}",
    "",
    "X" * 257,
    "a b",
    "None",
]
ADOPTED: dict[str, Any] = {
    "tenant": "od.samplea",
    "pi_number": "PI-SA/2026-27/000001",
    "bill_date": "2026-11-01",
    "payment_number": "EP/0/2026-27/11/01/000001",
    "master_allotment_id": "1001",
    "ssu_allotment_id": "1",
    "allotment_serial_no": 1,
    "reason": "in the treasury's list of bills",
    "person": "A Sample",
}
REFUSED = {
    ("ifms_cor", "pi_number"): [*NO_NUMBERS, 7, True, ["PI-SA/2024-25/000001"]],
    ("ifms_cor", "tenant"): ["od", "OD.SAMPLEA", "od.samplea' OR 'a' = 'a", "{{ 7 * 7 }}", ["od.samplea"], 7, ""],
    ("ifms_cor", "beneficiaries"): ["BN-SA/000001", *([each] for each in NO_NUMBERS), [7], [None], {"a": "b"}, False],
    ("ifms_cor", "same_account"): ["BN-SA/000001", *([each] for each in NO_NUMBERS), [7], [None], {"a": "b"}, False],
    ("ifms_cor", "new_original"): ["false", "true", "", 0, 1, None, "{{ True }}"],
    ("ifms_pa", "bills"): [
        "WB/2024-25/000001",
        [],
        *([each] for each in NO_NUMBERS if each not in {"a b", "X" * 257}),
        [7],
        [None],
        True,
    ],
    ("ifms_pi", "payments"): ["EP/0/2024-25/06/01/000001", *([each] for each in NO_NUMBERS), [7], [None], True],
    ("ifms_relay", "again"): [
        7,
        "all",
        "[]",
        ["7"],
        ["7; DROP TABLE ifms.outbox"],
        [7.5],
        [None],
        [True],
        {"id": 7},
        True,
    ],
    ("ifms_relay", "calls_again"): ["false", "true", "", 0, 1, None, "{{ True }}", []],
    ("ifms_reconcile", "pending_hours"): ["24", "24 hours", 0, -1, 8785, float("inf"), [24], {"hours": 24}, ""],
    ("ifms_reconcile", "limit_days"): [7, "7", [], {"pending": 7}, {"held": "7"}, {"held": 0}, {"held": 367}],
    ("ifms_pi", "adopt"): [
        {},
        "PI-SA/2026-27/000001",
        [ADOPTED],
        ADOPTED | {"more": "x"},
        *({key: value for key, value in ADOPTED.items() if key != name} for name in ADOPTED),
        *(ADOPTED | {name: bad} for name in ADOPTED for bad in ("", " ", None, 1.5)),
        *(ADOPTED | {"bill_date": bad} for bad in ("01.11.2026", "2026-11-01T14:05:09", "2026-11-1")),
        ADOPTED | {"pi_number": "{{ ds }}"},
        ADOPTED | {"reason": "x" * 501},
    ],
    ("ifms_reports", "report"): ["", "register", "fund_register; DROP TABLE ifms.payment", ["fund_register"], 7, True],
    ("ifms_reports", "period"): [
        "",
        "2026",
        "2026-11-1",
        "yesterday",
        "{{ ds }}",
        "../2026-11",
        "2026-11-01 2026-11-02",
        7,
    ],
    ("ifms_settled", "day"): ["", "yesterday", "2026-11", 20261123, ["2026-11-23"]],
    ("ifms_reports", "format"): ["", "XLSX", "exe", "../csv", ["csv"], 7],
    ("ifms_reports", "hoa_code"): [*NO_NUMBERS, 990017057890000000000000001],
    ("ifms_reports", "transaction_type"): ["", "expense", "Expense' OR 'a' = 'a", ["Expense"], 7],
}
TAKEN = {
    ("ifms_cor", "pi_number"): ["PI-SA/2024-25/000001", "PI-1013/2024-25/000001", None],
    ("ifms_cor", "tenant"): ["od.samplea", None],
    ("ifms_cor", "beneficiaries"): [["BN-SA/000001", "BN-SA/000002"], [], None],
    ("ifms_cor", "same_account"): [["BN-SA/000001", "BN-SA/000002"], [], None],
    ("ifms_cor", "new_original"): [True, False],
    ("ifms_pi", "adopt"): [ADOPTED, ADOPTED | {"bill_date": "2026-11-01 14:05:09"}, None],
    ("ifms_pa", "bills"): [["WB/2024-25/000001", "PB/2024-25/000002, SB/2024-25/000003"], None],
    ("ifms_pi", "payments"): [["EP/0/2024-25/06/01/000001"], [], None],
    ("ifms_relay", "again"): [[7, 8], [], None],
    ("ifms_relay", "calls_again"): [True, False],
    ("ifms_reconcile", "pending_hours"): [24, 0.5, 8784, None],
    ("ifms_reconcile", "limit_days"): [{"held": 2, "initiated": 0.5}, {}, None],
    ("ifms_settled", "day"): ["2026-11-23", None],
    ("ifms_reports", "report"): ["fund_register", "response_times", None],
    ("ifms_reports", "period"): ["2026-27", "2026-11", "2026-11-23", "2026-11-01..2026-11-23", "all", None],
    ("ifms_reports", "format"): ["xlsx", "csv", "pdf", None],
    ("ifms_reports", "hoa_code"): ["990017057890000000000000001", None],
    ("ifms_reports", "transaction_type"): ["Initial Allotment", "Expense Reversed", None],
}


@pytest.mark.parametrize(
    ("dag_id", "name", "value"), [(*field, v) for field, values in REFUSED.items() for v in values]
)
def test_form_refuses_what_is_something_else(dags: dict[str, Any], dag_id: str, name: str, value: object):
    from airflow.sdk.exceptions import ParamValidationError

    param = form_field(dags[dag_id], name)
    with pytest.raises(ParamValidationError):
        param.resolve(value)


@pytest.mark.parametrize(("dag_id", "name", "value"), [(*field, v) for field, values in TAKEN.items() for v in values])
def test_form_takes_what_is_meant(dags: dict[str, Any], dag_id: str, name: str, value: object):
    assert form_field(dags[dag_id], name).resolve(value) == value


def test_the_form_of_reconcile_knows_each_limit_in_days(dags: dict[str, Any]):
    from ifms.ledger.limits import IN_DAYS

    schema = dags["ifms_reconcile"].params.get_param("limit_days").schema
    assert tuple(schema["properties"]) == IN_DAYS


@every_clock
def test_environment_sets_the_schedule(monkeypatch: pytest.MonkeyPatch, dag_id: str):
    code = dag_id.removeprefix("ifms_").upper()
    changed = load(monkeypatch, **{f"IFMS_SCHEDULE_{code}": "7 3 * * 1-5"})
    for other in CLOCKED:
        clock = getattr(changed[other].timetable, "timetable", changed[other].timetable)
        assert clock.expression == ("7 3 * * 1-5" if other == dag_id else DAGS[other])
        assert interval(clock) == (None if other in WITHOUT_A_GAP else INTERVALS.get(other, timedelta(days=1)))


def test_environment_turns_schedules_off(monkeypatch: pytest.MonkeyPatch):
    off = load(monkeypatch, **{f"IFMS_SCHEDULE_{each.removeprefix('ifms_').upper()}": "none" for each in CLOCKED})
    for dag_id, dag in off.items():
        if dag_id in BELLS:  # the bells still ring
            assert names(dag.timetable.asset_condition) == BELLS[dag_id]
            assert type(dag.timetable).__name__ == "AssetTriggeredTimetable"
        else:
            assert type(dag.timetable).__name__ == "NullTimetable"


def test_environment_hangs_a_doorbell_up(monkeypatch: pytest.MonkeyPatch):
    hung = load(monkeypatch, IFMS_PAYMENT_TOPIC=" sample-topic ")
    bells = hung["ifms_pi"].timetable.asset_condition
    assert names(bells) == BELLS["ifms_pi"] | {"ifms_doorbell"}
    assert type(bells).__name__ == "AssetAny"
    [watcher] = [watcher for asset in bells.objects for watcher in asset.watchers]
    assert watcher.trigger.serialize()[1]["topic"] == "sample-topic"
    assert names(load(monkeypatch, IFMS_PAYMENT_TOPIC=" ")["ifms_pi"].timetable.asset_condition) == BELLS["ifms_pi"]
    alone = load(monkeypatch, IFMS_PAYMENT_TOPIC="t", IFMS_SCHEDULE_PI="none")["ifms_pi"].timetable.asset_condition
    assert "ifms_doorbell" in names(alone)


def test_environment_hangs_a_doorbell_up_for_bills(monkeypatch: pytest.MonkeyPatch):
    hung = load(monkeypatch, IFMS_BILL_TOPIC=" sample-bills ", IFMS_PAYMENT_TOPIC="sample-payments")
    both = hung["ifms_pa"].timetable
    assert both.timetable.expression == DAGS["ifms_pa"]
    assert interval(both.timetable) == INTERVALS["ifms_pa"]
    assert names(both.asset_condition) == {"ifms_bill_doorbell"}
    [watcher] = both.asset_condition.watchers
    assert watcher.trigger.serialize()[1]["topic"] == "sample-bills"
    assert names(hung["ifms_pi"].timetable.asset_condition) == BELLS["ifms_pi"] | {"ifms_doorbell"}
    alone = load(monkeypatch, IFMS_BILL_TOPIC="t", IFMS_SCHEDULE_PA="none")["ifms_pa"].timetable
    assert names(alone.asset_condition) == {"ifms_bill_doorbell"}
    assert type(alone).__name__ == "AssetTriggeredTimetable"


def test_environment_sets_the_number_of_shards(monkeypatch: pytest.MonkeyPatch):
    for dag_id, dag in load(monkeypatch, IFMS_SHARDS="3").items():
        for task in dag.tasks:
            if SHARED.get(dag_id) == task.task_id:
                assert task.expand_input.value == {"shard": [0, 1, 2]}
                assert given(task, "shards") == 3
            else:
                assert (task.is_mapped, task.shard, task.shards) == (False, 0, 1)


def test_environment_says_how_long_calls_are_kept(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    def removal(loaded: dict[str, Any]) -> tuple[int | None, bool]:
        task = loaded["ifms_relay"].get_task("remove_old_calls")
        return task.keep_days, task.unshipped_too

    assert removal(dags) == (400, False)
    assert removal(load(monkeypatch, IFMS_CALL_LOG_DAYS=" 3650 ", IFMS_REMOVE_UNSHIPPED_CALLS="Yes")) == (3650, True)
    assert removal(load(monkeypatch, IFMS_CALL_LOG_DAYS="none", IFMS_REMOVE_UNSHIPPED_CALLS="1")) == (None, False)


def test_environment_says_for_how_long_payments_may_come_back(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    def windows(loaded: dict[str, Any]) -> tuple[int, int]:
        fetch, look = loaded["ifms_fd"].get_task("fetch_failures"), loaded["ifms_reconcile"].get_task("reconcile")
        return fetch.days, look.failure_days

    assert windows(dags) == (100, 100)
    assert windows(load(monkeypatch, IFMS_FD_DAYS=" 120 ")) == (120, 120)


def test_environment_says_where_reports_go(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    assert dags["ifms_reports"].get_task("report").path is None  # the folder `reports` of AIRFLOW_HOME
    changed = load(monkeypatch, IFMS_REPORTS_PATH=" s3://sample@bucket/reports ")
    assert changed["ifms_reports"].get_task("report").path == "s3://sample@bucket/reports"
    assert changed["ifms_audit"].get_task("audit").path == "s3://sample@bucket/reports"
    changed = load(monkeypatch, IFMS_ANCHORS_PATH=" s3://sample@vault ")
    assert changed["ifms_audit"].get_task("audit").path == "s3://sample@vault"


def test_parsing_twice_gives_the_same_dags():
    """Nothing changes with the clock: a DAG that differs at each parse would be a new version each time."""
    from airflow.serialization.serialized_objects import DagSerialization

    first, second = ({each: DagSerialization.to_dict(dag) for each, dag in load().items()} for _ in range(2))
    assert first == second
