"""Calls counted and timed against the call log, and how long each status lasted."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from support.failed import TENANT
from support.reported import Reported

from ifms.reports.catalogue import request
from ifms.reports.response_times import RESPONSE_TIMES


def also(reported: Reported, name: str, **asked: Any) -> list[dict[str, Any]]:
    names, query = RESPONSE_TIMES.also[name]
    values = request(RESPONSE_TIMES, asked.pop("as_of", reported.at("settled")), **asked).values
    with reported.db() as db:
        rows = db.read_snapshot(lambda c: c.execute(query.encode(), values, prepare=False).fetchall())
    return [dict(zip(names, row, strict=True)) for row in rows]


def calls(reported: Reported, where: str = "true") -> list[dict[str, Any]]:
    return reported.adapter.rows(
        f"SELECT c.*, p.tenant_id FROM ifms.treasury_call c LEFT JOIN ifms.payment_instruction p "
        f"ON p.id = c.payment_instruction_id WHERE {where} ORDER BY c.duration_ms"
    )


def test_calls_by_service_are_the_logs(reported: Reported):
    known = calls(reported)
    services = {row["service"]: row for row in also(reported, "services", period="all")}
    assert {name: row["calls"] for name, row in services.items()} == Counter(row["service_id"] for row in known)
    for name, row in services.items():
        mine = [call for call in known if call["service_id"] == name]
        told = Counter(call["outcome"] for call in mine)
        assert (row["answered"], row["rejected"], row["unknown"], row["never_sent"]) == tuple(
            told[each] for each in ("answered", "rejected", "unknown", "never_sent")
        )
        spoken = [call["duration_ms"] for call in mine if call["outcome"] in ("answered", "rejected")]
        if spoken:
            assert row["slowest_ms"] == max(spoken)
            assert row["median_ms"] == spoken[(len(spoken) - 1) // 2]
    assert list(services)[:3] == ["AUTH", "VA", "PI"]
    assert services["PI"]["unknown"] == 1


def test_rows_by_day_come_to_the_same(reported: Reported):
    rows = reported.rows("response_times", period="all", as_of=reported.at("settled"))
    days = also(reported, "days", period="all")
    assert sum(row["calls"] for row in rows) == sum(row["calls"] for row in days) == len(calls(reported))
    assert rows == sorted(rows, key=lambda row: row["day"])


def test_a_call_that_had_not_ended_is_not_counted(reported: Reported):
    [slowest] = calls(reported, "c.service_id = 'PIS' AND c.outcome = 'answered'")[-1:]
    end = slowest["created_at"] + timedelta(milliseconds=slowest["duration_ms"])
    before, after = (
        sum(row["calls"] for row in reported.rows("response_times", period="all", as_of=at))
        for at in (end, end + timedelta(microseconds=1))
    )
    assert after == before + 1


def test_of_a_city_only_calls_about_its_own(reported: Reported):
    rows = also(reported, "services", tenants=[TENANT], period="all")
    assert sum(row["calls"] for row in rows) == len(calls(reported, f"p.tenant_id = '{TENANT}'"))
    assert "AUTH" not in {row["service"] for row in rows}


def test_how_long_each_status_lasted(reported: Reported):
    stages = {
        (row["pi_type"], row["from_status"], row["to_status"]): row for row in also(reported, "stages", period="all")
    }
    logged = reported.adapter.rows("SELECT from_status, to_status FROM ifms.status_log WHERE to_status IS NOT NULL")
    assert sum(row["changes"] for row in stages.values()) == len(logged)
    assert stages["ORIGINAL", "PARTIAL", "COMPLETED"]["changes"] == 1
    assert stages["REVISED", "INITIATED", "SUCCESSFUL"]["longest_minutes"] == 0
    assert [row["changes"] for row in also(reported, "stages", as_of=reported.at("initiated"))] == [1]
