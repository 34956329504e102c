"""What the overview shows, and that each of it is of the cities that may be shown."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from support.adapter import Adapter, Treasury
from support.asking import ask
from support.databases import rewrite
from support.failed import TENANT, long_ago, mend, paid_and_failed, wage_bill

from ifms import clock
from ifms.cities import Cities
from ifms.errors import SweepError
from ifms.ledger.overview import refresh
from ifms.queries import overview as reads
from ifms.queries.overview import Who

OTHER = "od.sampleb"


def counted(adapter: Adapter) -> None:
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.overview SET as_of = NULL")
        assert refresh(connection)


def two_cities(adapter: Adapter) -> None:
    """One has a PI whose payment has failed and one that waits for the SSU; the other a payment without a PI."""
    paid_and_failed(adapter, 3, 1)
    wage_bill(adapter, 2)
    adapter.run("PA")
    adapter.run("PI")
    adapter.simulators.ask_platform("POST", "bills", {"type": "wage", "tenantId": OTHER, "amounts": ["9999999999.00"]})
    adapter.run("PA")
    adapter.run("PI")
    counted(adapter)


pytestmark = [pytest.mark.tier("prove"), pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0})]
after_two_cities = pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0}, after=two_cities)


@pytest.fixture
def world(adapter: Adapter) -> Adapter:
    """Those two cities."""
    return adapter


def test_before_the_first_count_there_is_nothing(adapter: Adapter):
    assert ask(adapter, reads.as_of).of is None
    assert ask(adapter, reads.states) == ask(adapter, reads.waits) == ask(adapter, reads.by_city) == []
    assert ask(adapter, reads.reconciled) is None
    assert {each.payments for each in ask(adapter, reads.failed)} == {0}


@after_two_cities
def test_states_and_what_waits_for_whom(world: Adapter):
    assert ask(world, reads.as_of).of is not None
    assert {(each.status, each.instructions) for each in ask(world, reads.states)} == {("PARTIAL", 1), ("INITIATED", 1)}
    payment, approval = ask(world, reads.waits)
    assert (payment.who, payment.what, payment.number, payment.amount) == (Who.US, "PAYMENT", 1, Decimal("9999999999"))
    assert (approval.who, approval.what, approval.number) == (Who.SSU, "INITIATED", 1)
    assert approval.ages == [1, 0, 0, 0, 0]
    [pi] = world.rows("SELECT * FROM ifms.payment_instruction WHERE status = 'INITIATED'")
    assert (approval.oldest, approval.amount, approval.overdue) == (pi["status_since"], pi["net_amount"], 0)


@after_two_cities
@pytest.mark.parametrize(
    ("days", "place", "late"), [(0, 0, 0), (1, 1, 0), (6, 2, 0), (15, 3, 0), (16, 3, 1), (31, 4, 1)]
)
def test_each_age_has_its_place_and_what_is_too_old_is_overdue(world: Adapter, days: int, place: int, late: int):
    with psycopg.connect(world.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE ifms.payment_instruction SET status_since = now() - make_interval(days => %s) "
            "WHERE status = 'INITIATED'",
            (days,),
        )
    counted(world)
    _, approval = ask(world, reads.waits)
    assert (approval.ages.index(1), approval.overdue) == (place, late)


@after_two_cities
def test_a_payment_that_is_held_for_too_long_is_overdue(world: Adapter):
    for days, late in ((29, 0), (31, 1)):
        with psycopg.connect(world.dsn) as connection:
            connection.execute(
                "UPDATE ifms.payment SET held_since = now() - make_interval(days => %s) WHERE paid_by IS NULL", (days,)
            )
        assert ask(world, reads.waits)[0].overdue == late


@after_two_cities
def test_failed_payments_by_the_days_that_are_left(world: Adapter):
    def places() -> list[int]:
        counted(world)
        return [each.payments for each in ask(world, reads.failed)]

    with psycopg.connect(world.dsn) as connection:
        connection.execute("UPDATE ifms.setting SET correction_last_month = 12, correction_last_day = 31")
        connection.execute("UPDATE ifms.setting SET correction_days = 90")
        [today] = connection.execute("SELECT (now() AT TIME ZONE 'Asia/Kolkata')::date").fetchone() or [None]
    for left, place in ((-1, 0), (0, 1), (7, 1), (8, 2), (30, 2), (31, 3)):
        day = today - timedelta(days=90 - left)
        rewrite(world.dsn, "UPDATE ifms.beneficiary SET failed_on = %s WHERE status = 'Payment Failed'", [day])
        assert places() == [int(each == place) for each in range(4)], left
    [first, *_] = ask(world, reads.failed, cities=Cities.of(OTHER))
    assert first.payments == 0


def test_a_correction_that_is_under_way_is_told(adapter: Adapter, treasury: Treasury):
    paid_and_failed(adapter, 3, 2)
    [one, two] = [row["beneficiary_number"] for row in adapter.rows("SELECT * FROM ifms.failed_beneficiary ORDER BY 6")]
    mend(adapter, [one])
    treasury.rule("COR", "lost_reply")
    with suppress(SweepError):
        adapter.correct()
    counted(adapter)
    assert [(each.payments, each.busy) for each in ask(adapter, reads.failed) if each.payments] == [(1, 1)]
    assert two
    [waits] = [each for each in ask(adapter, reads.waits) if each.pi_type == "REVISED"]
    assert (waits.what, waits.who) == ("PENDING", Who.US)


def test_it_is_too_late_for_some(adapter: Adapter):
    paid_and_failed(adapter)
    long_ago(adapter)
    counted(adapter)
    late, *others = ask(adapter, reads.failed)
    assert (late.least, late.payments, [each.payments for each in others]) == (None, 1, [0, 0, 0])


@after_two_cities
def test_funds_are_those_of_the_years_sanctions(world: Adapter):
    year = clock.financial_year_label(clock.financial_year(clock.now()))
    heads = ask(world, reads.heads, year)
    rows = world.rows("SELECT * FROM ifms.sanction WHERE financial_year = %s", year)
    assert [each.hoa_code for each in heads] == sorted({row["hoa_code"] for row in rows})
    for what in ("allotted", "reserved", "spent", "available"):
        assert sum(getattr(each, what) for each in heads) == sum(row[f"{what}_amount"] for row in rows)
    assert ask(world, reads.heads, "1999-00") == ask(world, reads.heads, year, cities=Cities.NONE) == []


@after_two_cities
def test_cities_have_what_has_not_arrived_yet(world: Adapter):
    first, second = ask(world, reads.by_city)
    assert (first.tenant_id, first.on_its_way, first.waiting, first.failed) == (TENANT, 1, 0, 1)
    assert (second.tenant_id, second.on_its_way, second.waiting, second.failed) == (OTHER, 0, 1, 0)
    assert second.money == second.waiting_amount == Decimal("9999999999")
    assert first.money == first.on_its_way_amount + first.failed_amount
    [pi] = world.rows("SELECT * FROM ifms.payment_instruction WHERE status = 'INITIATED'")
    assert first.oldest == pi["status_since"]
    available = world.rows("SELECT sum(available_amount) AS sum FROM ifms.sanction WHERE tenant_id = %s", TENANT)
    assert first.available == available[0]["sum"]


@after_two_cities
def test_nothing_of_another_city_is_shown(world: Adapter):
    here, there = Cities.of(TENANT), Cities.of(OTHER)
    for allowed in (here, there, Cities.NONE):
        shown = {each.tenant_id for each in ask(world, reads.by_city, cities=allowed)}
        assert shown == allowed.names
    assert ask(world, reads.states, cities=there) == []
    assert [each.what for each in ask(world, reads.waits, cities=here)] == ["INITIATED"]
    assert [each.what for each in ask(world, reads.waits, cities=there)] == ["PAYMENT"]
    assert ask(world, reads.waits, cities=Cities.NONE) == []


@after_two_cities
def test_todays_sweeps_are_counted_by_dag_run_and_the_last_one_is_told(world: Adapter):
    found = {each.service: each for each in ask(world, reads.sweeps_today)}
    runs = world.rows("SELECT count(*) AS n FROM ifms.sweep_run WHERE service_id = 'PI'")
    assert (found["PI"].runs, found["PI"].red, found["PI"].state) == (runs[0]["n"], 0, "success")
    assert (found["NOTIFY"].runs, found["NOTIFY"].state) == (0, None)
    with psycopg.connect(world.dsn) as connection:
        for shard in range(2):
            connection.execute(
                "INSERT INTO ifms.sweep_run (service_id, dag_id, run_id, shard, state, finished_at) "
                "VALUES ('NOTIFY', 'd', 'r', %s, 'failed', now())",
                (shard,),
            )
        connection.execute(
            "INSERT INTO ifms.sweep_run (service_id, state, started_at) VALUES ('NOTIFY', 'failed', now() - interval '2 days')"
        )
    notify = next(each for each in ask(world, reads.sweeps_today) if each.service == "NOTIFY")
    assert (notify.runs, notify.red, notify.state) == (1, 1, "failed")


@after_two_cities
def test_unknown_answers_are_those_with_pis_of_the_cities_behind_them(world: Adapter, treasury: Treasury):
    assert ask(world, reads.unknown_answers) == (0, 0)
    treasury.rule("PIS", "error", errorMsg="Documents are awaited from the SSU")
    with suppress(SweepError):
        world.run("PIS")
    assert ask(world, reads.unknown_answers) == (1, 1)
    assert ask(world, reads.unknown_answers, cities=Cities.of(TENANT)) == (1, 1)
    assert ask(world, reads.unknown_answers, cities=Cities.of(OTHER)) == (0, 0)


def raised(adapter: Adapter, pi_number: str, seconds: int) -> None:
    """The PI was accepted so many seconds after the platform had made its payment."""
    rewrite(
        adapter.dsn,
        """
        UPDATE ifms.payment y SET raised_at = l.created_at - make_interval(secs => %s)
        FROM ifms.status_log l JOIN ifms.payment_instruction p ON p.id = l.payment_instruction_id
        WHERE p.pi_number = %s AND l.to_status = 'INITIATED' AND p.payment_number = y.payment_number
        """,
        [seconds, pi_number],
    )


def test_how_fast_payments_were_accepted(adapter: Adapter, treasury: Treasury):
    assert ask(adapter, reads.accepted) == reads.Accepted(0, None, None)
    adapter.run("VA")
    for _ in range(4):
        wage_bill(adapter, 1)
    adapter.run("PA")
    adapter.run("PI")
    numbers = [row["pi_number"] for row in adapter.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY 1")]
    for number, seconds in zip(numbers, (10, 20, 30, 40), strict=True):
        raised(adapter, number, seconds)
    found = reads.Accepted(4, timedelta(seconds=20), timedelta(seconds=40))
    assert ask(adapter, reads.accepted) == ask(adapter, reads.accepted, cities=Cities.of(TENANT)) == found
    assert ask(adapter, reads.accepted, cities=Cities.of(OTHER)).payments == 0
    raised(adapter, numbers[0], -5)  # the platform's clock is ahead
    raised(adapter, numbers[1], -5)
    assert ask(adapter, reads.accepted).median == timedelta(0)
    rewrite(
        adapter.dsn,
        "UPDATE ifms.status_log SET created_at = created_at - interval '25 hours' "
        "WHERE payment_instruction_id = (SELECT id FROM ifms.payment_instruction WHERE pi_number = %s)",
        [numbers[3]],
    )
    assert ask(adapter, reads.accepted).payments == 3
    assert ask(adapter, reads.accepted).p95 == timedelta(seconds=30)


def test_what_is_paid_to_a_corrected_account_is_no_first_acceptance(adapter: Adapter, treasury: Treasury):
    paid_and_failed(adapter, 3, 1)
    [failed] = [row["beneficiary_number"] for row in adapter.rows("SELECT * FROM ifms.failed_beneficiary")]
    mend(adapter, [failed])
    adapter.correct()
    assert len(adapter.rows("SELECT * FROM ifms.status_log WHERE to_status = 'INITIATED'")) == 2
    assert ask(adapter, reads.accepted).payments == 1


@after_two_cities
def test_broken_rules_are_those_that_the_last_reconcile_found(world: Adapter):
    world.relay()
    assert world.reconcile().problems == []
    found = ask(world, reads.reconciled)
    assert (found.state, found.broken) == ("success", [])
    assert found.rules > 20
    with psycopg.connect(world.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ifms.sanction SET spent_amount = spent_amount + 1")
    with pytest.raises(SweepError):
        world.reconcile()
    found = ask(world, reads.reconciled)
    broken = {name: rule for name, _, rule in found.broken}
    assert "balances_are_movements" in broken
    assert broken["balances_are_movements"].remedy
    assert found.state == "failed"
