"""Whatever is set for the database, the role or the client's environment: sweeps, hooks, pages and commands go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from support import walk
from support.adapter import Adapter
from support.hostile import ENVIRONMENT, hostile

from ifms.cli import main

pytestmark = [
    pytest.mark.tier("prove"),
    pytest.mark.airflow,
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}),
]


def test_what_is_set_for_the_database_changes_nothing(adapter: Adapter, api: Any, tmp_path: Path):
    hostile(adapter.dsn)
    walk.sweeps(adapter)
    walk.hooks()
    walk.pages(api, adapter)
    walk.commands(adapter.dsn, tmp_path, adapter.simulators.treasury_config().log_key)


@pytest.mark.usefixtures("airflow_connections")
def test_what_the_environment_says_changes_nothing(adapter: Adapter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    walk.sweeps(adapter)
    walk.hooks()
    walk.commands(adapter.dsn, tmp_path, adapter.simulators.treasury_config().log_key)


def test_a_new_ledger_is_made_in_such_a_database(empty_database: str, monkeypatch: pytest.MonkeyPatch):
    hostile(empty_database)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert main(["migrate", "--dsn", empty_database]) == 0
    assert main(["reconcile", "--dsn", empty_database]) == 0


@pytest.mark.parametrize("style", ["SQL, DMY", "German", "Postgres, MDY"])
@pytest.mark.parametrize("whose", ["DATABASE {database}", "ROLE {role} IN DATABASE {database}"])
def test_any_style_of_dates(adapter: Adapter, style: str, whose: str):
    target = whose.format(database=urlsplit(adapter.dsn).path.removeprefix("/"), role="sample_worker")
    with psycopg.connect(adapter.dsn, autocommit=True) as owner:
        owner.execute(f"ALTER {target} SET datestyle = '{style}'".encode())
    assert adapter.run("VA").counts["allotments"] >= 0
