"""The example on calls by service, run."""

from __future__ import annotations

import pytest
from support.adapter import Adapter

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]


def test_it_counts_calls_by_service_and_outcome(adapter: Adapter, run_example):
    import psycopg

    with psycopg.connect(adapter.dsn) as connection:
        for service, outcome, days in (
            ("PI", "answered", 1),
            ("PI", "unknown", 1),
            ("PIS", "answered", 2),
            ("PI", None, 3),
            ("PD", "answered", 9),
        ):
            connection.execute(
                "INSERT INTO ifms.treasury_call (id, service_id, outcome, created_at) "
                "VALUES (gen_random_uuid(), %s, %s, now() - %s * interval '1 day')",
                (service, outcome, days),
            )
    assert run_example("example_ifms_calls") == (
        "success",
        [
            {"service": "PI", "answered": "1", "no outcome": "1", "unknown": "1", "rejected": "0", "never_sent": "0"},
            {"service": "PIS", "answered": "1", "no outcome": "0", "unknown": "0", "rejected": "0", "never_sent": "0"},
        ],
    )


def test_a_week_without_calls_is_a_file_with_a_header(adapter: Adapter, run_example):
    assert run_example("example_ifms_calls", days=1) == ("success", [])
