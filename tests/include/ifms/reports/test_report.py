"""What was asked for, as a query's parameters and as people read it; and that each report declares itself in one piece."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ifms.reports.aggregates import Counted
from ifms.reports.catalogue import REPORTS
from ifms.reports.period import ALL, parse
from ifms.reports.report import Kind, Request

AS_OF = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)


def test_what_is_asked_for_is_said_in_indian_time():
    asked = Request(parse("2026-11"), AS_OF, ("od.samplea", "od.sampleb"), "9900", "Expense")
    assert dict(asked.described()) == {
        "Period": "1 Nov 2026 to 30 Nov 2026",
        "As of": "24 Nov 2026, 00:00:00 IST",
        "Cities": "od.samplea, od.sampleb",
        "Head of account": "9900",
        "Transaction type": "Expense",
    }
    assert dict(Request(ALL, AS_OF).described()) == {
        "Period": "all that is known",
        "As of": "24 Nov 2026, 00:00:00 IST",
        "Cities": "all",
    }
    assert asked.values["tenants"] == ["od.samplea", "od.sampleb"]
    assert Request(ALL, AS_OF).values | {"as_of": AS_OF} == {
        "as_of": AS_OF,
        "since": None,
        "until": None,
        "year": None,
        "tenants": None,
        "hoa_code": None,
    }


@pytest.mark.parametrize("report", REPORTS.values(), ids=lambda report: report.name)
def test_tables_and_charts_name_columns_that_are_there(report):
    """Also of a report without rows: what is drawn of it is empty, and no error."""
    counted = Counted(report)
    for name in report.also:
        counted.keep(name, [])
    for table in report.tables:
        names = [column.name for column in table.columns]
        assert list(table.make(counted).columns) == names
        assert len(set(names)) == len(names)
        if table.chart:
            assert {table.chart.category, *table.chart.series} <= set(names)
    for cube in report.cubes.values():
        assert set(cube.values) <= set(report.names)
        assert set(cube.values.values()) <= {"sum", "max", "last"}
    assert all(column.kind.is_number for column in report.columns if column.total)
    assert sum(column.width for column in report.columns if column.on_paper) < 190, "it would be too small to read"
    assert Kind.TEXT.is_number is False
