"""What is known of the runs that people have started."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from support.ledger import Ledger

from ifms.cities import Cities
from ifms.ledger import started_runs

CONF = {"tenants": ["od.samplea"], "pi_numbers": ["PI-1"]}


def record(connection: Any, run_id: str = "r", **given: Any) -> bool:
    said: dict[str, Any] = {"started_by": "sample-user", "tenants": ["od.samplea"], "conf": CONF} | given
    return started_runs.record(connection, "ifms_pi", run_id, **said)


def test_a_run_is_allowed_with_the_form_that_was_looked_at(ledger: Ledger):
    with ledger.connect() as connection:
        assert not started_runs.was_allowed(connection, "ifms_pi", "r", CONF)
        assert record(connection)
        assert started_runs.was_allowed(connection, "ifms_pi", "r", dict(reversed(CONF.items())))
        for other in ({}, {"tenants": ["od.sampleb"], "pi_numbers": ["PI-1"]}, CONF | {"adopt": None}):
            assert not started_runs.was_allowed(connection, "ifms_pi", "r", other)
        assert not started_runs.was_allowed(connection, "ifms_cor", "r", CONF)


def test_the_first_form_counts_and_the_first_person(ledger: Ledger):
    with ledger.connect() as connection:
        assert record(connection)
        assert record(connection, conf={})
        assert started_runs.was_allowed(connection, "ifms_pi", "r", CONF)
        assert not started_runs.was_allowed(connection, "ifms_pi", "r", {})
        assert not record(connection, started_by="sample-other")


def test_who_may_hear_of_a_run(ledger: Ledger):
    with ledger.connect() as connection:
        record(connection, "one")
        record(connection, "whole", tenants=None, conf={})

        def of(*cities: str) -> list[bool]:
            runs = ("one", "whole", "none")
            return [started_runs.is_of(connection, "ifms_pi", run, Cities.of(*cities)) for run in runs]

        assert of("od.samplea", "od.sampleb") == [True, False, False]
        assert of("od.sampleb") == [False, False, False]
        assert started_runs.is_of(connection, "ifms_pi", "none", Cities.ALL)
        assert started_runs.for_all_cities(connection, "ifms_pi", ["one", "whole", "none"]) == ["whole"]


def test_nobody_who_works_on_the_ledger_rewrites_one(ledger: Ledger):
    with ledger.connect() as connection:
        record(connection)
        connection.commit()
        connection.execute("SET ROLE ifms_work")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE ifms.started_run SET started_by = 'sample-other'")
