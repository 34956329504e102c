"""F9, F10, F12, F17, F26: many at once, each in a process of its own; in the end it is as if one had done it."""

import threading
import uuid
from collections import Counter
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from support.adapter import Adapter, assert_money_is_right
from support.ledger import LEASE, SOURCE, TENANT, create, new_instruction
from support.processes import Job, at_once
from support.simulators import both

from ifms import clock
from ifms.errors import InsufficientFundsError
from ifms.ledger import funds, payments
from ifms.ledger.claims import Claim
from ifms.ledger.database import Database
from ifms.ledger.models import NewPayment
from ifms.services.correction_order import Order
from ifms.sweep.scope import Scope

pytestmark = pytest.mark.tier("prove")

NOTHING_BY_ITSELF = {"allotment_initial": ["0.00"], "allotment_additional": "0.00", "allotment_withdrawal": "0.00"}
ONE_CITY = {"cities": 1, "bills_per_city": 0, "persist_ms": 0}


def green(endings):
    return [ending for ending in endings if ending.error is not None] == []


def bills(simulators, count, amount, **more):
    order = {"type": "wage", "tenantId": TENANT, "amounts": [amount], "count": count, "with_payments": True}
    return simulators.ask_platform("POST", "bills", order | more)


def allot(adapter, amount, kind="Additional allotment", place=0, **more):
    """Tell of an allotment at one of the city's places, in the order of their heads of account; what VA will tell."""
    mark = adapter.rows("SELECT * FROM ifms.va_watermark ORDER BY hoa_code, ddo_code")[place]
    codes = {"ddoCode": mark["ddo_code"], "hoa": mark["hoa_code"], "granteeAgCode": mark["grantee_code"]}
    order = codes | {"allotmentTxnType": kind, "allotmentAmount": amount} | more
    return adapter.simulators.ask_treasury("POST", "allotments", order)[0]


def master_of(adapter, place=0):
    return adapter.rows("SELECT master_allotment_id FROM ifms.sanction ORDER BY hoa_code, ddo_code")[place][
        "master_allotment_id"
    ]


@pytest.mark.simulators(platform=ONE_CITY, treasury=NOTHING_BY_ITSELF)
def test_eight_processes_spend_all_that_fits_and_not_a_rupee_more(adapter, treasury, simulators):
    """Twelve payments of 700 on 3,900: five fit, whoever comes first."""
    adapter.run("VA")
    allot(adapter, "3900.00", mstAllotmentDistId=master_of(adapter))
    adapter.run("VA")
    bills(simulators, 12, 700)
    assert green(at_once(adapter, *[Job("PI")] * 8))
    assert adapter.statuses() == Counter(INITIATED=5)
    money = adapter.rows("SELECT sum(spent_amount) AS spent, sum(reserved_amount) AS reserved FROM ifms.sanction")[0]
    assert money == {"spent": Decimal(3500), "reserved": Decimal(0)}
    assert treasury.state["calls"]["PI"] == len(treasury.accepted) == 5
    waiting = adapter.rows("SELECT hold_code FROM ifms.payment WHERE paid_by IS NULL")
    assert [row["hold_code"] for row in waiting] == ["PAYMENT_INSUFFICIENT_FUNDS"] * 7
    said = adapter.rows("SELECT count(*) AS n FROM ifms.status_log WHERE status = 'STATUS_LOG_PI_NO_FUNDS'")
    assert said == [{"n": 7}]
    assert_money_is_right(adapter, treasury)


def test_64_connections_reserve_on_one_sanction_at_once(ledger):
    """Half of them look for a sanction that has the money, half insist on this one: the database itself must refuse."""
    sanction = ledger.fund(1000)
    claimed = [ledger.payment(30) for _ in range(64)]
    results = Counter()
    gate = threading.Barrier(64, timeout=60)

    def insist(mine, payment, claim):
        def write(connection):
            funding = funds.choose_funding(connection, TENANT, Decimal(1), [SOURCE], financial_year="2024-25")
            assert funding is not None
            assert funding.sanction_id == sanction
            pi_claim = Claim(uuid.uuid4(), LEASE)
            return create(connection, new_instruction(payment), funding, claim, pi_claim)

        mine.db.transact(write)

    def reserve(number, payment, claim):
        with Database(lambda: psycopg.connect(ledger.dsn)) as db:
            mine = type(ledger)(ledger.dsn, db)
            db.transact(lambda c: c.execute("SELECT 1"))
            gate.wait()
            try:
                if number % 2:
                    insist(mine, payment, claim)
                else:
                    mine.instruct(payment, claim)
                results["reserved"] += 1
            except (AssertionError, InsufficientFundsError):
                results["refused"] += 1

    threads = [threading.Thread(target=reserve, args=(n, *each)) for n, each in enumerate(claimed)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert results == {"reserved": 33, "refused": 31}
    assert ledger.balances() == (1000, 990, 0, 10)
    assert ledger.one("SELECT count(*) FROM ifms.fund_movement WHERE kind = 'RESERVE'") == 33


# 2 and 8 sweeps at once (F10) ---------------------------------------------------------------------------------------

TWO_CITIES = {"cities": 2, "bills_per_city": 3, "persist_ms": 0}
FIRST_HALF = ("VA", "PA", "PI", "RELAY", "PIS", "PAG", "PD")


def walk(adapter, copies):
    """From allotments to a corrected payment that fails again, each service by so many sweeps at once."""

    def at_once_of(service):
        endings = at_once(adapter, *[Job(service)] * copies)
        assert green(endings), (service, endings)

    for service in FIRST_HALF:
        at_once_of(service)
    fail(adapter, "ORIGINAL")
    at_once_of("FD")
    repair(adapter)
    at_once_of("COR")
    at_once_of("FTPS")
    fail(adapter, "REVISED")
    at_once_of("FTFPS")
    at_once_of("RELAY")


def fail(adapter, pi_type):
    """Let the largest payment of the first city's wage bill fail, or of its revision."""
    row = adapter.rows(
        "SELECT pi_number, beneficiary_number FROM ifms.payment_instruction p "
        "JOIN ifms.beneficiary b ON b.payment_instruction_id = p.id WHERE tenant_id = %s AND pi_type = %s "
        "ORDER BY beneficiary_count DESC, b.amount DESC LIMIT 1",
        TENANT,
        pi_type,
    )[0]
    order = {"bill_number": row["pi_number"], "beneficiaries": [row["beneficiary_number"]]}
    adapter.simulators.ask_treasury("POST", "failures", order)


def repair(adapter):
    """Give everybody whose payment failed another account."""
    for row in adapter.rows("SELECT * FROM ifms.beneficiary WHERE status = 'Payment Failed'"):
        change = {"tenantId": TENANT, "referenceId": row["beneficiary_id"], "accountNumber": "000099990001"}
        adapter.simulators.ask_platform("POST", "accounts", change)


SHAPE = {
    "payment instructions": """
        SELECT tenant_id, pi_type, status, net_amount, beneficiary_count, last_attempt, attempts, claim_token, is_active
        FROM ifms.payment_instruction""",
    "beneficiaries": """
        SELECT p.tenant_id, p.pi_type, b.amount, b.status, b.utr_number IS NULL, b.failed_on
        FROM ifms.beneficiary b JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id""",
    # Of two sanctions that were opened together, any may be the first to pay.
    "sanctions": """
        SELECT hoa_code, ddo_code, count(*), sum(allotted_amount), sum(reserved_amount), sum(spent_amount)
        FROM ifms.sanction GROUP BY 1, 2""",
    "movements": "SELECT hoa_code, kind, amount FROM ifms.fund_movement JOIN ifms.sanction s ON s.id = sanction_id",
    "allotments": "SELECT master_allotment_id, ssu_allotment_id, serial_no, kind, amount FROM ifms.allotment",
    "payments": "SELECT tenant_id, amount, paid_by IS NULL, hold_code, claim_token FROM ifms.payment",
    "bills": "SELECT tenant_id, payment_number IS NULL FROM ifms.bill",
    # Every sweep says for itself what FD told it, and asks about some PIs that have no news.
    "log": """
        SELECT tenant_id, service_id, status, from_status, to_status FROM ifms.status_log
        WHERE service_id <> 'FD' AND status NOT LIKE '%NO_NEWS'""",
    "messages": """
        SELECT tenant_id, payload ->> 'status', payload ->> 'referenceStatus', payload ->> 'lineStatus',
               delivered_at IS NULL, set_aside_at, attempts FROM ifms.outbox""",
    "unmatched": "SELECT bill_number FROM ifms.reported_failure",
}


def shape(adapter):
    """All that two runs have in common who did the same: no ids, no numbers, no times."""
    with psycopg.connect(adapter.dsn) as connection:
        rows = {what: Counter(connection.execute(query).fetchall()) for what, query in SHAPE.items()}
    told = adapter.simulators.ask_platform("GET", "state")["payments"]
    return rows | {"platform": Counter((payment["tenantId"], payment["status"]) for payment in told)}


@pytest.fixture(scope="module")
def alone(postgres, ledger_template, tmp_path_factory):
    """What one sweep at a time makes of the same bills."""
    postgres.create_database("alone", ledger_template)
    with both(tmp_path_factory.mktemp("alone"), platform=TWO_CITIES) as simulators:
        adapter = Adapter(postgres.dsn("alone"), simulators)
        walk(adapter, 1)
        yield shape(adapter)
    postgres.drop_database("alone")


@pytest.mark.simulators(platform=TWO_CITIES)
@pytest.mark.parametrize("copies", [2, 8])
def test_sweeps_at_once_make_the_rows_that_one_makes(adapter, treasury, alone, copies):
    walk(adapter, copies)
    found = shape(adapter)
    assert {what: rows for what, rows in found.items() if rows != alone[what]} == {}, alone
    calls = treasury.state["calls"]
    assert (calls["PI"], calls["COR"]) == (6, 1)
    assert set(treasury.accepted.values()) == {1}
    assert_money_is_right(adapter, treasury)


@pytest.mark.simulators(platform=TWO_CITIES)
def test_eight_operators_who_ask_for_one_correction_get_one(adapter, treasury):
    adapter.cycle()
    fail(adapter, "ORIGINAL")
    adapter.run("FD")
    repair(adapter)
    number = adapter.rows("SELECT pi_number FROM ifms.payment_instruction WHERE status = 'PARTIAL'")[0]["pi_number"]
    endings = at_once(adapter, *[Job("COR", orders=(Order(TENANT, number),))] * 8)
    assert Counter(ending.error for ending in endings) == {None: 1, "SweepNeedsAttentionError": 7}
    assert all("on its way" in ending.said for ending in endings if ending.error)
    assert treasury.state["calls"]["COR"] == 1
    assert_money_is_right(adapter, treasury)


# A backfill beside the scheduled run --------------------------------------------------------------------------------


@pytest.mark.simulators(platform=TWO_CITIES)
def test_a_backfill_beside_the_scheduled_run_does_nothing_twice(adapter, treasury, alone):
    """The same payments and PIs are due for both: one has all days, the other those of its interval."""
    now = clock.now()
    backfill = Scope(since=now - timedelta(days=1), until=now + timedelta(hours=1))
    for service in (*FIRST_HALF, "FD"):
        if service == "FD":
            fail(adapter, "ORIGINAL")
        endings = at_once(adapter, *[Job(service), Job(service, backfill)] * 2)
        assert green(endings), (service, endings)
    assert treasury.state["calls"]["PI"] == 6
    assert adapter.statuses() == Counter(SUCCESSFUL=5, PARTIAL=1)
    found = shape(adapter)
    for same in ("sanctions", "movements", "allotments", "bills", "payments"):
        assert found[same] == alone[same], same
    assert_money_is_right(adapter, treasury)


# One payment, told ten times (F17) ----------------------------------------------------------------------------------


@pytest.mark.simulators(platform=ONE_CITY)
def test_one_payment_told_ten_times_at_once_gets_one_instruction(adapter, treasury, simulators):
    adapter.run("VA")
    bills(simulators, 1, 700)
    endings = at_once(adapter, *[Job("PI")] * 10)
    assert green(endings), endings
    assert adapter.statuses() == Counter(INITIATED=1)
    assert len(adapter.rows("SELECT id FROM ifms.payment")) == 1
    assert treasury.state["calls"]["PI"] == len(treasury.accepted) == 1
    assert_money_is_right(adapter, treasury)


def test_ten_announcements_of_one_payment_are_one_and_another_amount_is_a_conflict(ledger):
    """F9: the first telling stands."""
    conflicts = []
    gate = threading.Barrier(10, timeout=60)
    told = [NewPayment(TENANT, "EP/0/2026-27/01/01/000001", "sample-id", amount, clock.now()) for amount in (700, 800)]

    def announce(number):
        with Database(lambda: psycopg.connect(ledger.dsn)) as db:
            db.transact(lambda c: c.execute("SELECT 1"))
            gate.wait()
            conflicts.extend(db.transact(lambda c: payments.remember_payments(c, [told[number % 2]])))

    threads = [threading.Thread(target=announce, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    first = ledger.one("SELECT amount FROM ifms.payment")
    assert len(conflicts) == 5
    assert first not in {conflict.told.amount for conflict in conflicts}
