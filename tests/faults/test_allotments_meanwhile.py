"""F26: allotments, withdrawals and repetitions arrive while payments are reserved and debited on the same sanctions."""

from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from support.adapter import assert_money_is_right
from support.processes import Job, at_once

from ifms import clock
from ifms.sweep.scope import Scope

TENANT = "od.samplea"
LONG_AGO = timedelta(days=400)  # in another year, whatever day it is
NOTHING_BY_ITSELF = {"allotment_initial": ["0.00"], "allotment_additional": "0.00", "allotment_withdrawal": "0.00"}

pytestmark = [
    pytest.mark.tier("prove"),
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0, "persist_ms": 0}, treasury=NOTHING_BY_ITSELF),
]


@pytest.fixture
def place(adapter):
    """The codes of one of the city's places; all of its sanctions are there, and empty."""
    adapter.run("VA")
    mark = adapter.rows("SELECT * FROM ifms.va_watermark ORDER BY hoa_code, ddo_code LIMIT 1")[0]
    return {"ddoCode": mark["ddo_code"], "hoa": mark["hoa_code"], "granteeAgCode": mark["grantee_code"]}


@pytest.fixture
def sanction(adapter, place):
    """The sanction there; its balances by name."""

    def read(master=None):
        return adapter.rows(
            "SELECT * FROM ifms.sanction WHERE hoa_code = %s AND ddo_code = %s "
            "AND (%s::text IS NULL OR master_allotment_id = %s) ORDER BY created_at LIMIT 1",
            place["hoa"],
            place["ddoCode"],
            master,
            master,
        )[0]

    return read


@pytest.fixture
def allot(simulators, place):
    """`allot(kind, amount, master, …)`: what VA will tell."""

    def tell(kind, amount, master, **more):
        order = place | {"allotmentTxnType": kind, "allotmentAmount": amount, "mstAllotmentDistId": master} | more
        return simulators.ask_treasury("POST", "allotments", order)[0]

    return tell


def bills(simulators, count, amount):
    order = {"type": "wage", "tenantId": TENANT, "amounts": [amount], "count": count, "with_payments": True}
    simulators.ask_platform("POST", "bills", order)


def green(endings):
    return all(ending.error is None for ending in endings)


def test_every_rupee_is_accounted_for_while_allotments_and_debits_cross(adapter, treasury, simulators, allot, sanction):
    """Each round tells of two more allotments while VA asks, PI pays and PIS follows; a backfill tells all again."""
    master = sanction()["master_allotment_id"]
    everything_again = Scope(since=clock.now() - 2 * LONG_AGO)
    for number in range(1, 5):
        allot("Additional allotment", f"{number}000.00", master)
        allot("Allotment withdrawal", "100.00", master)
        bills(simulators, 4, 450)
        jobs = [Job("VA"), Job("VA"), Job("VA", everything_again), Job("PI"), Job("PI"), Job("PIS")]
        endings = at_once(adapter, *jobs)
        assert green(endings), endings
        assert_money_is_right(adapter, treasury)
    adapter.run("VA")
    adapter.run("PI")
    found = sanction()
    told = next(fund for fund in treasury.state["funds"] if fund["mstAllotmentDistId"] == master)
    assert found["allotted_amount"] == Decimal(told["allotted"]) == 10000 - 400
    assert found["spent_amount"] == Decimal(told["spent"]) == 16 * 450
    assert found["reserved_amount"] == 0
    assert len(adapter.rows("SELECT id FROM ifms.allotment WHERE amount > 0")) == 8
    assert_money_is_right(adapter, treasury)


def test_a_withdrawal_below_what_is_spent_is_recorded_and_nothing_more_is_reserved(
    adapter, treasury, simulators, allot, sanction
):
    master = sanction()["master_allotment_id"]
    allot("Additional allotment", "2000.00", master)
    adapter.run("VA")
    bills(simulators, 4, 450)
    assert green(at_once(adapter, Job("PI"), Job("PI")))
    bills(simulators, 3, 100)
    allot("Allotment withdrawal", "1000.00", master)
    told = at_once(adapter, Job("VA"), Job("VA"))
    assert green(told)
    assert [p for ending in told for p in ending.problems] == [
        f"sanction {master} of {TENANT} is overdrawn by a withdrawal: nothing more is reserved on it"
    ]
    kept = adapter.rows(
        "SELECT problems FROM ifms.sweep_run WHERE service_id = 'VA' AND strpos(problems::text, 'overdrawn') > 0"
    )
    assert len(kept) == 1
    assert green(at_once(adapter, *[Job("PI")] * 4))
    found = sanction()
    assert (found["allotted_amount"], found["spent_amount"], found["reserved_amount"]) == (1000, 1800, 0)
    assert found["available_amount"] == -800
    assert len(treasury.accepted) == 4
    assert_money_is_right(adapter, treasury)
    # Enough comes again: what waited is paid by itself.
    allot("Additional allotment", "1100.00", master)
    adapter.run("VA")
    assert green(at_once(adapter, *[Job("PI")] * 4))
    assert sanction()["available_amount"] == 0
    assert len(treasury.accepted) == 7
    assert_money_is_right(adapter, treasury)


def test_an_addition_told_before_its_initial_allotment_counts_once_that_has_come(
    adapter, treasury, simulators, allot, sanction
):
    """Out of order: the initial one is entered so far back, in another year, that only a backfill hears of it."""
    adapter.treasury_changes = {"use_earlier_years": True}
    long_ago = clock.now() - LONG_AGO
    allot("Initial Allotment", "1000.00", "7000000001", stamp=f"{long_ago:%Y-%m-%d %H:%M:%S}")
    allot("Additional allotment", "500.00", "7000000001")
    bills(simulators, 3, 500)
    endings = at_once(adapter, Job("VA"), Job("VA"), Job("PI"))
    assert green(endings), endings
    said = [p for ending in endings for p in ending.problems if "has not come" in p]
    assert len(said) == 1
    assert treasury.accepted == {}
    backfill = Job("VA", Scope(since=long_ago - timedelta(days=1)))
    assert green(at_once(adapter, backfill, backfill, Job("VA"), Job("PI")))
    adapter.run("PI")
    found = sanction("7000000001")
    assert (found["allotted_amount"], found["spent_amount"]) == (1500, 1500)
    assert_money_is_right(adapter, treasury)


def test_a_backfill_asks_from_its_own_day_though_another_run_holds_every_claim(adapter, treasury, allot, sanction):
    """That run asks from another day: what the backfill is for would be left out, and its run would be green."""
    long_ago = clock.now() - LONG_AGO
    allot("Initial Allotment", "1000.00", "7000000001", stamp=f"{long_ago:%Y-%m-%d %H:%M:%S}")
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute(
            "UPDATE ifms.va_watermark SET claim_token = gen_random_uuid(), claimed_until = now() + interval '1 hour', "
            "polled_at = now() + interval '1 hour'"
        )
    before = adapter.rows("SELECT * FROM ifms.va_watermark ORDER BY id")
    adapter.run("VA", Scope(since=long_ago - timedelta(days=1)))
    assert sanction("7000000001")["allotted_amount"] == 1000
    assert adapter.rows("SELECT * FROM ifms.va_watermark ORDER BY id") == before
    assert_money_is_right(adapter, treasury)
