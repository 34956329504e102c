"""Allotments: asked for since the watermark, counted once, told to a person when they can't be."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
import time_machine
from support.keys import call_text
from support.sanctions import close

from ifms.clock import from_epoch_ms, to_ist, wire_datetime
from ifms.errors import ConflictError, SweepNeedsAttentionError, SweepUnreachableError
from ifms.ledger.invariants import find_violations
from ifms.ledger.sanctions import set_closed
from ifms.platform.client import PlatformClient
from ifms.services.va import OVERLAP
from ifms.sweep.scope import Scope

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
    rows = adapter.rows("SELECT * FROM ifms.treasury_call WHERE service_id = 'VA' ORDER BY created_at")
    return [call_text(row) for row in rows]


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


def allotted_late(adapter, simulators, when, amount="777.00"):
    """The treasury tells of one more initial allotment, entered or dated so: how much of it has been counted later."""
    mark = adapter.rows("SELECT * FROM ifms.va_watermark WHERE tenant_id = 'od.samplea' LIMIT 1")[0]
    entry = {"allotmentTxnType": "Initial Allotment", "allotmentAmount": amount, "stamp": when}
    place = {"ddoCode": mark["ddo_code"], "hoa": mark["hoa_code"], "granteeAgCode": mark["grantee_code"]}
    simulators.ask_treasury("POST", "allotments", place | entry)


def counted(adapter, amount="777.00"):
    return len(adapter.rows("SELECT FROM ifms.sanction WHERE allotted_amount = %s", Decimal(amount)))


@pytest.mark.parametrize("days", [0, 3, 6])
def test_an_allotment_that_is_entered_later_than_it_is_dated_counts(adapter, simulators, days):
    """Nobody has said which of the two the treasury compares with `fromDate`; it tells the day alone."""
    adapter.run("VA")
    allotted_late(adapter, simulators, f"{to_ist(datetime.now(UTC) - timedelta(days=days)):%Y-%m-%d} 00:00:00")
    adapter.run("VA")
    assert counted(adapter) == 1
    assert adapter.run("VA").counts["allotments_new"] == 0


def test_what_was_allotted_while_our_clock_was_ahead_counts(adapter, simulators):
    """By the next run, whether it comes before the time that the wrong clock told or after it."""
    with time_machine.travel(datetime.now(UTC) + timedelta(days=5), tick=True):
        adapter.run("VA")
    allotted_late(adapter, simulators, wire_datetime(datetime.now(UTC)))
    with time_machine.travel(datetime.now(UTC) + timedelta(days=6), tick=True):
        adapter.run("VA")
    assert counted(adapter) == 1


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(days=400)])
def test_a_mark_of_a_time_to_come_is_set_back_and_asked_from_the_beginning(adapter, simulators, ahead):
    with time_machine.travel(datetime.now(UTC) + ahead, tick=True):
        adapter.run("VA")
    allotted_late(adapter, simulators, wire_datetime(datetime.now(UTC) - timedelta(days=20)))
    before = datetime.now(UTC)
    adapter.run("VA")
    assert counted(adapter) == 1
    assert all(before - timedelta(seconds=1) <= mark <= datetime.now(UTC) for mark in marks(adapter).values())


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


CITY = Scope(tenants=("od.samplea",))


def va_row(adapter, **changes):
    """A row of a VA reply about a city's unit, under whichever head of account is asked about first."""
    mark = adapter.rows("SELECT * FROM ifms.va_watermark WHERE tenant_id = %s LIMIT 1", CITY.tenants[0])[0]
    row = {
        "ddoCode": mark["ddo_code"],
        "schemeCode": "13145",
        "granteeAgCode": mark["grantee_code"],
        "ssuId": mark["ssu_id"],
        "allotmentDate": "2026-11-20",
        "allotmentTxnSlNo": "0",
        "allotmentAmount": "10.00",
        "availableBalance": "0.00",
        "allotmentTxnType": "Initial Allotment",
        "mstAllotmentDistId": "G1",
        "ssuAllotmentId": "G1",
    }
    return row | changes


def stuck(adapter, marked):
    """How many of the city's watermarks stayed where they were."""
    return sum(when == marked[key] for key, when in marks(adapter).items() if key[0] == CITY.tenants[0])


def told(treasury, *rows):
    treasury.rule("VA", "plain_reply", text=json.dumps({"serviceId": "VA", "errorMsg": None, "data": rows}), times=1)


OUT_OF_BOUNDS = {
    "year 1": ({"allotmentDate": "0001-01-01"}, "allotmentDate"),
    "year 1999": ({"allotmentDate": "1999-12-31"}, "allotmentDate"),
    "year 2100": ({"allotmentDate": "2100-01-01"}, "allotmentDate"),
    "year 9999": ({"allotmentDate": "9999-12-31"}, "allotmentDate"),
    "an amount beyond the column": ({"allotmentAmount": "10000000000000.00"}, "allotmentAmount"),
    "a balance beyond the column": ({"availableBalance": "-10000000000000.00"}, "availableBalance"),
    "a sum beyond the column": ({"allotmentAmount": "9999999999999.99", "availableBalance": "0.01"}, "add up to more"),
    "a long id": ({"mstAllotmentDistId": "9" * 129}, "mstAllotmentDistId"),
    "a long text": ({"schemeName": "x" * 10_001}, "schemeName"),
    "a NUL": ({"ssuId": "1\0"}, "ssuId"),
    "a scheme that no PI could name": ({"schemeCode": "13\t145"}, "schemeCode"),
    "a unit that no PI could name": ({"ssuId": "16\u200b21"}, "ssuId"),
    "a sanction that no PI could name": ({"mstAllotmentDistId": "B1\n9"}, "mstAllotmentDistId"),
    "an allotment that no PI could name": ({"ssuAllotmentId": "G\r1"}, "ssuAllotmentId"),
}


@pytest.mark.parametrize(("changes", "said"), OUT_OF_BOUNDS.values(), ids=OUT_OF_BOUNDS.keys())
def test_a_row_out_of_bounds_is_named_and_the_others_count(adapter, treasury, changes, said):
    adapter.run("VA")
    before, marked = sums(adapter), marks(adapter)
    good = va_row(adapter)
    bad = good | {"mstAllotmentDistId": "B1"} | changes
    told(treasury, bad, good)
    with pytest.raises(SweepNeedsAttentionError, match=said) as ended:
        adapter.run("VA", CITY)
    assert "B1" in str(ended.value) or "G1" in str(ended.value)
    after = sums(adapter)
    assert (after["n"], after["allotted"]) == (before["n"] + 1, before["allotted"] + 10)
    assert stuck(adapter, marked) == 1  # so the bad one is asked for again
    assert adapter.rows("SELECT * FROM ifms.va_watermark WHERE claimed_until IS NOT NULL") == []
    adapter.run("VA", CITY)
    assert stuck(adapter, marked) == 0


def test_money_that_no_payment_could_name_keeps_none_from_other_money(adapter, treasury):
    """It came last, so payments would try it first."""
    adapter.run("VA")
    told(treasury, va_row(adapter, schemeCode="13\t145", allotmentAmount="9999999.00"))
    with pytest.raises(SweepNeedsAttentionError, match="schemeCode"):
        adapter.run("VA", CITY)
    adapter.run("PA", CITY)
    adapter.run("PI", CITY)
    assert adapter.rows("SELECT hold_message FROM ifms.payment WHERE paid_by IS NULL") == []


def test_a_sum_that_the_database_refuses_is_one_row_s_trouble(adapter, treasury):
    """Each of the two fits its column, and what both make of the sanction does not."""
    adapter.run("VA")
    before, marked = sums(adapter), marks(adapter)
    initial = va_row(adapter, allotmentAmount="9999999999999.99")
    more = initial | {"allotmentTxnSlNo": "1", "allotmentTxnType": "Additional allotment", "allotmentAmount": "0.01"}
    other = initial | {"mstAllotmentDistId": "G2", "allotmentAmount": "10.00"}
    told(treasury, more, other, initial)
    with pytest.raises(SweepNeedsAttentionError, match=r"allotment G1/G1/1 of od\.sample. is not recorded"):
        adapter.run("VA", CITY)
    assert sums(adapter)["n"] == before["n"] + 2
    assert sums(adapter)["allotted"] == before["allotted"] + Decimal("9999999999999.99") + 10
    assert adapter.rows("SELECT serial_no FROM ifms.allotment WHERE master_allotment_id = 'G1'") == [{"serial_no": 0}]
    assert stuck(adapter, marked) == 1
    adapter.run("VA", CITY)
    assert stuck(adapter, marked) == 0


def test_a_head_of_account_that_left_the_master_data_is_asked_about_all_the_same(adapter, treasury):
    adapter.run("VA")
    first = marks(adapter)
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute(
            """
            INSERT INTO ifms.va_watermark (tenant_id, hoa_code, ddo_code, grantee_code, ssu_id)
            SELECT tenant_id, '990000000000000000000000009', ddo_code, grantee_code, ssu_id FROM ifms.va_watermark LIMIT 1
            """
        )
    sweep = adapter.run("VA")
    assert [text for text in sweep.problems if "990000000000000000000000009" in text and "master data" in text]
    assert sweep.counts["problems"] == 0
    assert None not in marks(adapter).values()
    assert any(
        '"hoa":"990000000000000000000000009"' in text and '"fromDate":"2001-04-01' in text for text in asked(adapter)
    )
    assert all(marks(adapter)[key] > mark for key, mark in first.items())


@pytest.mark.parametrize("beginning", [1, 946_598_400_000])
def test_a_head_of_account_that_began_before_there_were_allotments(adapter, simulators, beginning):
    """Effective since 1970 or 1999: what the treasury is asked about has bounds, too."""
    with PlatformClient(simulators.platform_config()) as platform:
        heads = [head.wire() | {"effectiveFrom": beginning} for head in platform.master_data().heads]
    simulators.ask_platform(
        "POST", "masters", {"tenantId": "od", "module": "ifms", "name": "HeadOfAccounts", "data": heads}
    )
    adapter.run("VA")
    assert sums(adapter)["n"] == 12


def test_a_mark_that_can_not_be_asked_about_stops_no_other(adapter):
    adapter.run("VA")
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute(
            """
            INSERT INTO ifms.va_watermark (tenant_id, hoa_code, ddo_code, grantee_code, ssu_id)
            SELECT tenant_id, '  a  ', ddo_code, grantee_code, ssu_id FROM ifms.va_watermark LIMIT 1
            """
        )
    first = marks(adapter)
    with pytest.raises(SweepNeedsAttentionError, match=r"1 problem"):
        adapter.run("VA")
    [run] = adapter.rows("SELECT problems FROM ifms.sweep_run ORDER BY started_at DESC LIMIT 1")
    assert any("can't be asked for: VaRequest: hoa" in text for text in run["problems"])
    assert sum(marks(adapter)[key] != mark for key, mark in first.items()) >= 5
    assert adapter.rows("SELECT * FROM ifms.va_watermark WHERE claimed_until IS NOT NULL") == []


def masters(simulators, tenant, module, name, rows):
    simulators.ask_platform("POST", "masters", {"tenantId": tenant, "module": module, "name": name, "data": rows})


def test_master_data_with_a_spoiled_row_cost_only_what_needs_it(adapter, simulators):
    """Of the state's rows each is a problem of the run; of a city's units the city alone waits."""
    with PlatformClient(simulators.platform_config()) as platform:
        master = platform.master_data()
    heads = [head.wire() for head in master.heads]
    masters(simulators, "od", "ifms", "HeadOfAccounts", [*heads, {"code": "999", "sequence": 9, "active": None}])
    masters(simulators, "od.sampleb", "ifms", "SSUDetails", [{"ddoCode": "X", "active": True}])
    with pytest.raises(SweepNeedsAttentionError, match=r"2 problem.*HeadOfAccounts\[3\]\.active .* code 999"):
        adapter.run("VA")
    problems = adapter.rows("SELECT problems FROM ifms.sweep_run ORDER BY started_at DESC LIMIT 1")[0]["problems"]
    assert any("od.sampleb can't be asked for" in text and "SSUDetails[0].ssuId" in text for text in problems)
    assert {key[0] for key in marks(adapter)} == {"od.samplea"}
    assert sums(adapter)["n"] == 6


def test_names_that_the_ledger_can_not_hold_end_no_run(adapter, simulators):
    with PlatformClient(simulators.platform_config()) as platform:
        master = platform.master_data()
    heads = [head.wire() | {"name": "A\0B" + "x" * 5000} for head in master.heads]
    masters(simulators, "od", "ifms", "HeadOfAccounts", heads)
    adapter.run("VA")
    names = adapter.rows("SELECT name FROM ifms.display_name WHERE kind = 'HEAD'")
    assert names == [{"name": ("A B" + "x" * 5000)[:200]}] * len(heads)


def test_a_beginning_that_is_mended_brings_what_was_allotted_before_it(adapter, simulators):
    """Too late a one of a head of account passes over its first allotments; once it is earlier, they are asked for."""
    with PlatformClient(simulators.platform_config()) as platform:
        heads = [head.wire() for head in platform.master_data().heads]
    late = int((datetime.now(UTC) - timedelta(minutes=1)).timestamp() * 1000)
    spoiled = [head | {"effectiveFrom": late} for head in heads]
    masters(simulators, "od", "ifms", "HeadOfAccounts", spoiled)
    adapter.run("VA")
    assert sums(adapter)["n"] == 0
    masters(simulators, "od", "ifms", "HeadOfAccounts", heads)
    adapter.run("VA")
    assert sums(adapter)["n"] == 12
    before = len(asked(adapter))
    adapter.run("VA")  # once is enough
    assert len(asked(adapter)) == before + 6
    masters(simulators, "od", "ifms", "HeadOfAccounts", spoiled)
    adapter.run("VA")
    masters(simulators, "od", "ifms", "HeadOfAccounts", heads)
    adapter.run("VA")  # a later one in between has forgotten nothing
    beginning = f'"fromDate":"{wire_datetime(from_epoch_ms(heads[0]["effectiveFrom"]))}"'
    assert [beginning in text for text in asked(adapter)] == [False] * 6 + [True] * 6 + [False] * 18


@pytest.mark.parametrize("mistaken", ["the second", "the first"])
def test_an_allotment_counts_in_one_city_though_two_have_its_unit(adapter, simulators, mistaken):
    """SSUDetails of two cities name one unit; which of them is wrong, a person says."""
    first, second = "od.samplea", "od.sampleb"
    with PlatformClient(simulators.platform_config()) as platform:
        units = platform.master_data().units
    shared, other = [units[first][0].wire()], [units[second][0].wire()]
    masters(simulators, second, "ifms", "SSUDetails", shared)
    adapter.run("VA", Scope(tenants=(first,)))
    before = sums(adapter)
    with pytest.raises(SweepNeedsAttentionError, match=f"{second}, DDO .* counts in {first} already"):
        adapter.run("VA")
    assert sums(adapter) == before
    assert {key[0] for key, when in marks(adapter).items() if when is None} == {second}
    if mistaken == "the second":
        masters(simulators, second, "ifms", "SSUDetails", other)
        before = len(asked(adapter))
        assert adapter.run("VA").problems == []  # what was asked for by mistake is not asked for any more
        assert len(asked(adapter)) == before + 2 * 3
        assert sums(adapter)["n"] == 12
        return
    masters(simulators, first, "ifms", "SSUDetails", other)
    close(adapter)
    adapter.run("VA")
    rows = adapter.rows("SELECT tenant_id, ddo_code, grantee_code FROM ifms.sanction WHERE closed_at IS NULL")
    counted = {(row["tenant_id"], row["grantee_code"]) for row in rows}
    assert counted == {(second, shared[0]["granteeAgCode"]), (first, other[0]["granteeAgCode"])}
    assert adapter.run("VA").problems == []


@pytest.fixture
def swapped(adapter, simulators):
    """Two cities' units were mixed up in SSUDetails; it is mended, and what had counted wrongly is closed. One's unit."""
    first, second = "od.samplea", "od.sampleb"
    with PlatformClient(simulators.platform_config()) as platform:
        units = platform.master_data().units
    ours, theirs = [units[first][0].wire()], [units[second][0].wire()]
    masters(simulators, first, "ifms", "SSUDetails", theirs)
    masters(simulators, second, "ifms", "SSUDetails", ours)
    adapter.run("VA")
    masters(simulators, first, "ifms", "SSUDetails", ours)
    masters(simulators, second, "ifms", "SSUDetails", theirs)
    close(adapter)
    adapter.run("VA")
    return ours[0]


@pytest.mark.parametrize("asked_first", ["od.samplea", "od.sampleb"])
@pytest.mark.parametrize("told", ["Additional allotment", "Allotment withdrawal"])
def test_what_is_told_of_a_unit_counts_in_the_city_that_has_it_by_now(adapter, simulators, swapped, asked_first, told):
    """Whichever city is asked for first: the other asked for this unit once, by mistake."""
    with PlatformClient(simulators.platform_config()) as platform:
        head = platform.master_data().heads[0].code
    place = {"ddoCode": swapped["ddoCode"], "hoa": head, "granteeAgCode": swapped["granteeAgCode"]}
    cities = sorted(("od.samplea", "od.sampleb"), key=lambda city: city != asked_first)

    def tell(kind, amount, **more):
        order = place | {"allotmentTxnType": kind, "allotmentAmount": amount} | more
        [made] = simulators.ask_treasury("POST", "allotments", order)
        for city in cities:
            assert adapter.run("VA", Scope(tenants=(city,))).problems == []
        return made["mstAllotmentDistId"]

    sanction = tell("Initial Allotment", "5000.00")
    tell(told, "2000.00", mstAllotmentDistId=sanction)
    amount = 7000 if told == "Additional allotment" else 3000
    rows = adapter.rows(
        "SELECT tenant_id, available_amount FROM ifms.sanction WHERE master_allotment_id = %s", sanction
    )
    assert rows == [{"tenant_id": "od.samplea", "available_amount": amount}]
    adapter.run("VA", Scope(since=datetime.now(UTC) - timedelta(days=30)))  # a backfill asks for no others, either
    assert sums(adapter)["n"] == 2 * 12 + 1


def test_money_that_has_moved_to_another_city_is_not_opened_again(adapter, swapped):
    closed = "SELECT id, tenant_id FROM ifms.sanction WHERE closed_at IS NOT NULL ORDER BY tenant_id DESC LIMIT 1"
    [wrong] = adapter.rows(closed)

    def open_again(person):
        with psycopg.connect(adapter.dsn) as connection:
            set_closed(connection, wrong["id"], closed=False, reason="sample", person=person)

    assert wrong["tenant_id"] == "od.sampleb"
    with pytest.raises(ConflictError, match="stays closed: its allotments count in od.samplea since"):
        open_again("a tester")
    close(adapter)
    open_again("a tester")
    with psycopg.connect(adapter.dsn) as connection:
        assert find_violations(connection) == []


def test_an_allotment_counts_once_though_two_cities_ask_for_it_at_once(adapter, simulators, treasury):
    first, second = "od.samplea", "od.sampleb"
    with PlatformClient(simulators.platform_config()) as platform:
        shared = [platform.master_data().units[first][0].wire()]
    masters(simulators, second, "ifms", "SSUDetails", shared)
    treasury.rule("VA", "latency", ms=300)

    def problems(tenant):
        try:
            return adapter.run("VA", Scope(tenants=(tenant,))).counts["problems"]
        except SweepNeedsAttentionError as red:
            return str(red).count("problem(s)")

    with ThreadPoolExecutor(2) as pool:
        red = list(pool.map(problems, (first, second)))
    assert sum(red) >= 1
    assert sums(adapter)["n"] == 6
