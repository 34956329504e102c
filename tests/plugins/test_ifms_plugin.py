"""The plugin as Airflow finds it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from support.environment import REPO

pytestmark = pytest.mark.airflow


def test_airflow_mounts_the_app_and_shows_the_pages(airflow_app: Any):
    from airflow.plugins_manager import _get_ui_plugins

    assert [route for route in airflow_app.routes if getattr(route, "path", "") == "/ifms"]
    ours = [view for view in _get_ui_plugins()[0] if view["url_route"].startswith("ifms-")]
    assert [view["href"] for view in ours] == [
        "/ifms/overview",
        "/ifms/instructions",
        "/ifms/bills",
        "/ifms/register",
        "/ifms/reports",
        "/ifms/runs",
        "/ifms/answers",
        "/ifms/failures",
    ]
    assert [view["nav_top_level"] for view in ours] == [True] + [False] * 7


def test_below_another_path_the_pages_are_found_too(monkeypatch: pytest.MonkeyPatch):
    sys.path.insert(0, str(REPO / "plugins"))
    try:
        from ifms_plugin import IfmsPlugin
    finally:
        sys.path.pop(0)
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.sample/state/")
    assert IfmsPlugin().external_views[0]["href"] == "/state/ifms/overview"


def test_who_only_loads_the_plugin_pays_for_no_api():
    """The scheduler, the DAG processor and every task load it."""
    program = (
        "import sys, json; sys.path.insert(0, 'plugins'); import airflow; before = set(sys.modules); import ifms_plugin;"
        "ifms_plugin.IfmsPlugin(); print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, check=True, timeout=120
    )
    loaded = json.loads(done.stdout.strip().splitlines()[-1])
    ours = [name for name in loaded if name.split(".")[0] in {"ifms", "ifms_airflow"}]
    assert set(ours) <= {"ifms_airflow", "ifms_airflow.signal_aliases"}, "the listener, which has no import of its own"
    assert not [
        name for name in loaded if name.startswith(("xlsxwriter", "psycopg", "sqlalchemy.orm", "airflow.models"))
    ]
