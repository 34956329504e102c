"""Allotments: asked for since the watermark, counted once, told to a person when they can't be."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine

from ifms.clock import wire_datetime
from ifms.errors import SweepNeedsAttentionError, SweepUnreachableError
from ifms.services.scope import Scope
from ifms.services.va import OVERLAP

pytestmark = pytest.mark.simulators(platform={"cities": 2})


def sums(adapter):
    return adapter.rows("SELECT count(*) AS n, coalesce(sum(allotted_amount), 0) AS allotted FROM ifms.sanction")[0]


def marks(adapter):
    return {
        (row["tenant_id"], row["hoa_code"]): row["fetched_until"]
        for row in adapter.rows("SELECT * FROM ifms.va_watermark")
    }


def asked(adapter):
    """What was asked, from the sealed call log."""
    sealer = adapter.sweep("VA").calls.sealer
    rows = adapter.rows("SELECT request_sealed FROM ifms.treasury_call WHERE service_id = 'VA' ORDER BY created_at")
    return [sealer.open(row["request_sealed"]).decode() for row in rows]


def test_each_city_and_head_is_asked_and_each_allotment_counts_once(adapter, treasury):
    adapter.run("VA")
    first = sums(adapter)
    told = treasury.state["funds"]
    assert first["n"] == 12  # 2 cities x 3 heads x 2 sanctions that share allotment id and serial number
    assert len(told) >= first["n"]
    again = adapter.run("VA", Scope(since=datetime(2020, 1, 1, tzinfo=UTC)))
    assert again.counts["allotments_new"] == 0
    assert again.counts["allotments_known"] > 0
    assert sums(adapter) == first


def test_the_balances_are_the_treasury_s(adapter):
    adapter.run("VA")
    kinds = adapter.rows("SELECT kind, sum(amount) AS total FROM ifms.allotment GROUP BY kind")
    total = {row["kind"]: row["total"] for row in kinds}
    assert sums(adapter)["allotted"] == total["INITIAL"] + total["ADDITIONAL"] - total["WITHDRAWAL"]


def test_the_watermark_is_the_time_before_the_call_and_the_next_call_overlaps_it(adapter):
    before = datetime.now(UTC)
    adapter.run("VA")
    after = datetime.now(UTC)
    assert all(before - timedelta(seconds=1) <= mark <= after for mark in marks(adapter).values())
    assert '"fromDate":"20' in asked(adapter)[0]
    first = marks(adapter)
    adapter.run("VA")
    expected = {f'"fromDate":"{wire_datetime(mark - OVERLAP)}"' for mark in first.values()}
    assert {text for text in expected if any(text in request for request in asked(adapter)[6:])} == expected


def test_a_backfill_never_passes_over_what_was_not_asked_yet(adapter):
    """A mark that was never fetched is asked for from the head's beginning, however late the backfill's interval is."""
    adapter.run("VA", Scope(since=datetime.now(UTC) - timedelta(days=1)))
    assert sums(adapter)["n"] == 12


def test_a_clock_that_was_set_back_leaves_no_gap(adapter, treasury):
    """F18: 10 minutes back between two sweeps; the mark does not move backwards, what is asked overlaps."""
    now = datetime.now(UTC)
    adapter.run("VA")
    first = marks(adapter)
    with time_machine.travel(now - timedelta(minutes=10), tick=True):
        adapter.run("VA")
    assert marks(adapter) == first
    expected = {f'"fromDate":"{wire_datetime(mark - OVERLAP)}"' for mark in first.values()}
    assert all(any(text in request for request in asked(adapter)) for text in expected)


@pytest.mark.parametrize("serial", ["9" * 5000, "9" * 12, "୧୨", "1.0", "-1", "1e3", " "])
def test_a_serial_number_that_is_none_is_one_reply_s_trouble(adapter, treasury, serial):
    treasury.rule("VA", "unknown_text", field="allotmentTxnSlNo", text=serial, times=1)
    with pytest.raises(SweepNeedsAttentionError, match="serial number|allotmentTxnSlNo"):
        adapter.run("VA")
    assert sums(adapter)["n"] == 10  # the other five replies count
    treasury.clear()
    adapter.run("VA")
    assert sums(adapter)["n"] == 12


@pytest.mark.parametrize("effect", ["lost_reply", "garbage", "refuse"])
def test_without_an_answer_the_watermark_stays(adapter, treasury, effect):
    treasury.rule("VA", effect)
    with pytest.raises((SweepNeedsAttentionError, SweepUnreachableError)):
        adapter.run("VA")
    assert set(marks(adapter).values()) == {None}
    treasury.clear()
    adapter.run("VA")
    assert None not in marks(adapter).values()
    assert sums(adapter)["n"] == 12


def test_one_unreadable_row_does_not_keep_the_others_from_counting(adapter, treasury):
    treasury.rule("VA", "unknown_text", field="allotmentTxnType", times=1)
    with pytest.raises(SweepNeedsAttentionError, match="allotmentTxnType"):
        adapter.run("VA")
    assert sums(adapter)["n"] == 10
    assert list(marks(adapter).values()).count(None) == 1
    adapter.run("VA")
    assert sums(adapter)["n"] == 12


def test_an_error_of_one_head_names_it_and_the_others_go_on(adapter, treasury):
    treasury.rule("VA", "error", errorMsg="DDO and SSUID configuration is missing", times=1)
    with pytest.raises(SweepNeedsAttentionError, match=r"od\.sample.*DDO .*head of account .*configuration is missing"):
        adapter.run("VA")
    assert sums(adapter)["n"] == 10


def test_a_city_without_spending_unit_is_remarked_and_the_others_are_asked(adapter, simulators):
    simulators.ask_platform(
        "POST", "masters", {"tenantId": "od.samplea", "module": "ifms", "name": "SSUDetails", "data": []}
    )
    sweep = adapter.run("VA")
    assert any("od.samplea" in text and "no active SSU" in text for text in sweep.problems)
    assert {row["tenant_id"] for row in adapter.rows("SELECT tenant_id FROM ifms.sanction")} == {"od.sampleb"}


def test_a_withdrawal_below_what_is_spent_is_told(adapter, treasury, simulators):
    adapter.run("VA", Scope(tenants=("od.samplea",)))
    adapter.run("PA", Scope(tenants=("od.samplea",)))
    adapter.run("PI", Scope(tenants=("od.samplea",)))
    used = adapter.rows("SELECT * FROM ifms.sanction WHERE spent_amount > 0")[0]
    simulators.ask_treasury(
        "POST",
        "allotments",
        {
            "ddoCode": used["ddo_code"],
            "hoa": used["hoa_code"],
            "granteeAgCode": used["grantee_code"],
            "allotmentTxnType": "Allotment withdrawal",
            "allotmentAmount": f"{used['allotted_amount'] - used['spent_amount'] + Decimal(1)}",
            "mstAllotmentDistId": used["master_allotment_id"],
        },
    )
    sweep = adapter.run("VA", Scope(tenants=("od.samplea",)))
    assert any(used["master_allotment_id"] in text and "overdrawn" in text for text in sweep.problems)
    assert (
        adapter.rows("SELECT available_amount FROM ifms.sanction WHERE id = %s", used["id"])[0]["available_amount"]
        == -1
    )
