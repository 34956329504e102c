"""deploy/monitoring: what the code tells, docs/operations.md promises, the mapping names, the rules and dashboard ask for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import yaml
from support.databases import as_worker
from support.environment import REPO

from ifms.ledger import session
from ifms.ledger.database import Database

HERE = REPO / "deploy" / "monitoring"
OPERATIONS = (REPO / "docs" / "operations.md").read_text()
RULES = HERE / "prometheus-rules.yml"
MAPPINGS: list[dict[str, Any]] = yaml.safe_load((HERE / "statsd-mapping.yml").read_text())["mappings"]
BOARD: dict[str, Any] = json.loads((HERE / "grafana-dashboard.json").read_text())
KINDS = {"counter": "counter", "timing": "observer", "gauge": "gauge"}
OVER_AN_OBSERVER = re.compile(r"_(sum|count|bucket)$")


def documented() -> dict[str, str]:
    """Every name of the tables in docs/operations.md, once for each service, with its kind."""
    told = re.search(r"`<service>` is (.*?)\.\s", OPERATIONS, re.DOTALL)
    assert told is not None
    services = re.findall(r"`([a-z_]+)`", told[1])
    rows = re.findall(r"^\| `(ifms\.[^`]+)` \| (\w+)", OPERATIONS, re.MULTILINE)
    return {name.replace("<service>", service): kind for name, kind in rows for service in services}


def mapped(name: str) -> list[dict[str, Any]]:
    """The mappings that take this name."""
    return [
        each for each in MAPPINGS if re.fullmatch(re.escape(each["match"]).replace(r"\*", "([^.]+)"), f"airflow.{name}")
    ]


def labels(name: str) -> tuple[str, dict[str, str]]:
    """What Prometheus calls this name, and its labels."""
    [one] = mapped(name)
    found = re.fullmatch(re.escape(one["match"]).replace(r"\*", "([^.]+)"), f"airflow.{name}")
    assert found is not None
    filled = {key: re.sub(r"\$(\d)", lambda m: found[int(m[1])], value) for key, value in one.get("labels", {}).items()}
    return one["name"], filled


def expressions() -> list[str]:
    """Every expression of the rules and the dashboard."""
    rules = [rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    return rules + shown()


def shown() -> list[str]:
    """Every expression of the dashboard."""
    return [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]


def used(expression: str) -> set[str]:
    """The metrics that an expression asks for, as the mapping names them."""
    histograms = {each["name"] for each in MAPPINGS if each["match_metric_type"] == "observer"}
    names = re.findall(r"\bifms_\w+", expression)
    return {short if (short := OVER_AN_OBSERVER.sub("", name)) in histograms else name for name in names}


@pytest.mark.airflow
def test_the_docs_name_what_the_code_tells_and_nothing_else(ledger_dsn: str, monkeypatch: pytest.MonkeyPatch):
    from ifms_airflow import metrics, operators
    from ifms_airflow.operators.sweep import SweepOperator

    told: dict[str, str] = {}
    recorder = SimpleNamespace(
        incr=lambda name, count=1: told.update({name: "counter"}),
        timing=lambda name, value: told.update({name: "timing"}),
        gauge=lambda name, value: told.update({name: "gauge"}),
    )
    monkeypatch.setattr(metrics, "stats", recorder)
    services = {"PIS", "PAG", "PD", "FTPS", "FTFPS"}
    for name in operators.__all__:
        operator = getattr(operators, name)
        if issubclass(operator, SweepOperator) and isinstance(operator.service_id, str):
            services.add(operator.service_id)
    with psycopg.connect(ledger_dsn) as connection:
        for service in services:
            [run] = connection.execute(
                "INSERT INTO ifms.sweep_run (service_id) VALUES (%s) RETURNING id", (service,)
            ).fetchone() or [None]
            connection.execute(
                "INSERT INTO ifms.treasury_call (id, service_id, sweep_run_id, outcome, duration_ms, created_at) "
                "VALUES (gen_random_uuid(), 'PIS', %s, 'answered', 7, now())",
                (run,),
            )
            connection.commit()
            with Database(lambda: session.connect(as_worker(ledger_dsn))) as db:
                sweep: Any = SimpleNamespace(
                    service_id=service,
                    db=db,
                    counts=Counter([*metrics.OUTCOMES, "done", "problems", "looked at"]),
                    run=SimpleNamespace(id=run, started_at=datetime(2026, 11, 1, tzinfo=UTC)),
                )
                for failure in (None, "sample"):
                    metrics._emit(sweep, 1.5, failure)
    assert told == documented()


def test_every_documented_name_has_one_place_in_the_mapping_and_every_mapping_a_name():
    names = documented()
    assert len(names) > 100
    taken = []
    for name, kind in names.items():
        [one] = mapped(name)
        assert one["match_metric_type"] == KINDS[kind], name
        taken.append(one["match"])
    assert set(taken) == {each["match"] for each in MAPPINGS}
    assert len(taken) == len({json.dumps(labels(name)) for name in names}), "two would be one"


def test_prometheus_names_tell_their_unit():
    for each in MAPPINGS:
        kind = each["match_metric_type"]
        assert each["name"].endswith("_total") == (kind == "counter"), each
        if kind == "observer" or each["match"].endswith((".oldest", ".silence", ".unshipped")):
            assert each["name"].endswith("_seconds"), each


def test_the_dashboard_shows_every_metric_and_nothing_asks_for_another():
    there = {each["name"] for each in MAPPINGS}
    assert set().union(*map(used, shown())) == there
    assert set().union(*map(used, expressions())) == there


def test_what_is_picked_by_a_label_is_there():
    values: dict[str, set[str]] = {}
    for name in documented():
        for key, value in labels(name)[1].items():
            values.setdefault(key, set()).add(value)
    picked = {pick for each in expressions() for pick in re.findall(r'(\w+)=~?"([^"]+)"', each)}
    assert {key for key, _ in picked} >= {"state", "status", "outcome", "statistic", "service"}
    for key, wanted in picked:
        assert wanted == "$service" or set(wanted.split("|")) <= values[key], (key, wanted)
    by = {
        name.strip() for each in expressions() for of in re.findall(r"by \(([^)]+)\)", each) for name in of.split(",")
    }
    legends = re.findall(r"{{(\w+)}}", json.dumps([panel["targets"] for panel in BOARD["panels"]]))
    assert by | set(legends) <= values.keys()


def test_how_long_is_too_long_is_what_the_docs_say():
    [rule] = [each for each in expressions() if "86400" in each and "backlog" in each]
    days = {
        status: int(number)
        for statuses, number in re.findall(r'status=~?"([a-z_|]+)"} > (\d+) \* 86400', rule)
        for status in statuses.split("|")
    }
    table = dict(re.findall(r"^\| .* \| `(\w+)` \| (\d+) \|$", OPERATIONS, re.MULTILINE))
    assert days == {"pending": 1} | {status: int(table[status]) for status in ("initiated", "approved", "in_process")}
    assert table["revised"] == table["initiated"]
    assert re.search(r'"Hours PENDING" \| 1 \|', OPERATIONS)


def test_the_dashboard_is_one_that_grafana_takes():
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    source = {"type": "prometheus", "uid": "${datasource}"}  # whatever a site calls its own
    for panel in panels:
        assert panel["datasource"] == source
        assert panel["description"].endswith(".")
        assert [target["datasource"] for target in panel["targets"]] == [source] * len(panel["targets"])
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        apart = any(one[a] + one[s] <= other[a] or other[a] + other[s] <= one[a] for a, s in (("x", "w"), ("y", "h")))
        assert apart, (one, other)
    named = {each["name"] for each in BOARD["templating"]["list"]}
    asked = set(re.findall(r"\$\{?(\w+)", json.dumps(panels)))
    assert asked - {"__rate_interval"} == named


# Prometheus' own checker ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def promtool() -> str:
    """The program; without it the test is skipped, except in CI, where it fails."""
    found = shutil.which("promtool")
    if found is None:
        message = "no promtool here: it is in Debian's package prometheus"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


def run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_rules(promtool: str):
    run(promtool, "check", "rules", RULES)


def test_the_alerts_fire_when_they_should(promtool: str):
    run(promtool, "test", "rules", HERE / "prometheus-rules.test.yml")


def test_every_alert_is_tried_both_ways():
    alerts = {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
    tried = yaml.safe_load((HERE / "prometheus-rules.test.yml").read_text())["tests"]
    quiet = {each["alertname"] for each in tried[0]["alert_rule_test"] if not each.get("exp_alerts")}
    fired = [
        set(re.findall(r"Ifms\w+", f"{each['expr']} {sample['labels']}"))
        for test in tried
        for each in test.get("promql_expr_test", ())
        for sample in each["exp_samples"]
    ]
    assert quiet == alerts == set().union(*fired)


def test_prometheus_understands_the_dashboard(promtool: str, tmp_path: Path):
    exprs = [each.replace("$__rate_interval", "5m").replace("$service", ".*") for each in shown()]
    rules = [{"record": f"sample:{number}", "expr": each} for number, each in enumerate(exprs)]
    file = tmp_path / "dashboard.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    run(promtool, "check", "rules", "--lint-fatal", file)
