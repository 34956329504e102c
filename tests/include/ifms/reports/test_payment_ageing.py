"""What waits for whom and since when, as of any instant."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.reported import Reported

from ifms.reports.aggregates import Counted, rows_of
from ifms.reports.payment_ageing import AGES, PAYMENT_AGEING, SERVICES


def waiting(reported: Reported, step: str) -> list[tuple[str, str]]:
    return [(row["service"], row["kind"]) for row in reported.rows("payment_ageing", as_of=reported.at(step))]


def test_each_waits_for_the_service_whose_turn_it_was(reported: Reported):
    assert waiting(reported, "allotted") == []
    assert waiting(reported, "initiated") == [("PIS", "ORIGINAL")]
    assert waiting(reported, "approved") == [("PAG", "ORIGINAL")]
    assert waiting(reported, "paid") == waiting(reported, "failed") == []
    assert waiting(reported, "revised") == [("FTPS", "REVISED")]
    assert waiting(reported, "corrected") == []
    assert waiting(reported, "rejected") == [("PI", "PAYMENT")]
    assert waiting(reported, "declined") == [("PI", "PAYMENT")] * 2
    assert waiting(reported, "pending") == [("PI", "PAYMENT")] * 2 + [("PI", "ORIGINAL")]
    assert waiting(reported, "settled") == [("PI", "PAYMENT")] * 2 + [("PIS", "ORIGINAL")]


@pytest.mark.parametrize(
    ("days", "age"),
    [
        (0.5, 0),
        (1.5, 1),
        (2.9, 1),
        (3.5, 2),
        (6.9, 2),
        (7.5, 3),
        (29.9, 3),
        (30.5, 4),
        (89.9, 4),
        (90.5, 5),
        (4000.5, 5),
    ],
)
def test_ages(reported: Reported, days: float, age: int):
    """As if nothing had happened for so long: the query itself knows no now."""
    for row in reported.rows("payment_ageing", as_of=reported.at("pending") + timedelta(days=days)):
        assert (row["days"], row["age"]) == (int(days), AGES[age])


def test_it_waits_since_it_has_its_status(reported: Reported):
    [row] = reported.rows("payment_ageing", as_of=reported.at("approved"))
    assert reported.at("initiated") < row["since"] < reported.at("approved")
    assert row["status"] == "APPROVED"


def test_cities_and_days(reported: Reported):
    everything = reported.rows("payment_ageing")
    for tenant in ("od.samplea", "od.sampleb"):
        some = reported.rows("payment_ageing", tenants=[tenant])
        assert some == [row for row in everything if row["tenant_id"] == tenant] != []
    assert reported.rows("payment_ageing", period="2020-21") == []


def test_sums_by_service_and_city():
    counted = Counted(PAYMENT_AGEING)
    rows = [("FTPS", "od.b", 5, 40), ("PI", "od.b", 7, 0), ("PI", "od.a", 11, 95), ("PIS", "od.a", 13, 2)]
    age = {0: AGES[0], 2: AGES[1], 40: AGES[4], 95: AGES[5]}
    counted.add([(s, c, "ORIGINAL", "PI", "EP", "X", amount, None, d, age[d]) for s, c, amount, d in rows])
    by_service, by_city, both = (rows_of(table.make(counted)) for table in PAYMENT_AGEING.tables)
    assert by_service == [
        ("PI", 2, 18, 95, 1, 0, 0, 0, 0, 1),
        ("PIS", 1, 13, 2, 0, 1, 0, 0, 0, 0),
        ("FTPS", 1, 5, 40, 0, 0, 0, 0, 1, 0),
    ]
    assert [row[:4] for row in by_city] == [("od.a", 2, 24, 95), ("od.b", 2, 12, 40)]
    assert [row[:3] for row in both] == [("PI", "od.a", 1), ("PI", "od.b", 1), ("PIS", "od.a", 1), ("FTPS", "od.b", 1)]
    assert SERVICES == ("PI", "PIS", "PAG", "PD", "FTPS", "none")
