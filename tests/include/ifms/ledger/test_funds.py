"""An allotment counts once, whatever the treasury tells how often; money is reserved only where there is some."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from random import Random

import psycopg
import pytest
from support.keys import KEYRING
from support.ledger import DDO, GRANTEE, HEAD, SOURCE, TENANT, allotment, beneficiary, create, new_instruction

from ifms.errors import BadInputError, ClaimLostError, ConflictError, InsufficientFundsError, LedgerError
from ifms.ledger import funds, instructions
from ifms.ledger.claims import Claim, claim
from ifms.ledger.database import Database
from ifms.ledger.funds import Movement
from ifms.ledger.models import AllotmentKind, Watermark
from ifms.ledger.statuses import Event

OTHER = "od.sampleb"
YEAR = "2024-25"


def close(ledger, master):
    with ledger.connect() as owner:
        owner.execute(
            "INSERT INTO ifms.sanction_closing (sanction_id, closed, reason, person) "
            "SELECT id, true, 'sample', 'a tester' FROM ifms.sanction WHERE master_allotment_id = %s",
            (master,),
        )


def chosen(ledger, amount, preference=(SOURCE,), payment=None):
    """The master allotment id of the sanction that pays; None when none does."""
    found = ledger.db.transact(
        lambda c: funds.choose_funding(
            c,
            TENANT,
            Decimal(amount),
            preference,
            financial_year=YEAR,
            payment_number=payment and payment.payment_number,
        )
    )
    return found and found.master_allotment_id


def withhold(ledger, master, amount):
    """As an import does for PIs that it could not take over."""
    with ledger.connect() as owner:
        owner.execute(
            "INSERT INTO ifms.import_withheld"
            " (tenant_id, payment_number, hoa_code, ddo_code, master_allotment_id, amount, reason)"
            " VALUES (%s, 'EP/0/2023-24/01/01/000001', %s, %s, %s, %s, 'sample')",
            (TENANT, HEAD, DDO, master, amount),
        )


def use_earlier_years(ledger, yes):
    with ledger.connect() as connection:
        connection.execute("UPDATE ifms.setting SET use_earlier_years = %s", (yes,))


def test_an_initial_allotment_makes_its_sanction(ledger):
    recorded = ledger.allot(allotment(amount=Decimal("200000"), sanction_balance=Decimal("600000")))
    assert (recorded.new, recorded.known, recorded.waiting) == (1, 0, ())
    assert ledger.balances() == (200000, 0, 0, 200000)
    assert ledger.row("SELECT sanctioned_amount, financial_year FROM ifms.sanction") == (800000, "2024-25")


@pytest.mark.parametrize(
    ("day", "year"),
    [(date(2024, 3, 31), "2023-24"), (date(2024, 4, 1), "2024-25"), (date(2025, 1, 15), "2024-25")],
)
def test_the_financial_year_starts_on_1_april(ledger, day, year):
    ledger.allot(allotment(allotment_date=day))
    assert ledger.one("SELECT financial_year FROM ifms.sanction") == year


def test_the_same_reply_twice_counts_once(ledger):
    rows = [allotment(), allotment(serial_no=1, kind=AllotmentKind.ADDITIONAL, amount=Decimal(300))]
    ledger.allot(*rows)
    again = ledger.allot(*rows)
    assert (again.new, again.known) == (0, 2)
    assert ledger.balances() == (1300, 0, 0, 1300)


def test_two_sanctions_may_share_allotment_id_and_serial_number(ledger):
    """Real data: they differ in mstAllotmentDistId only."""
    ledger.allot(allotment(master_allotment_id="928"), allotment(master_allotment_id="929", amount=Decimal(300)))
    assert ledger.balances("928")[0] == 1000
    assert ledger.balances("929")[0] == 300


@pytest.mark.parametrize(
    "other", [{"hoa_code": HEAD[:-1] + "2"}, {"ddo_code": "SAMPLEDDO02"}, {"tenant_id": "od.sampleb"}]
)
def test_one_master_id_under_two_heads_units_or_cities_is_two_sanctions_that_both_count(ledger, other):
    recorded = ledger.allot(allotment(amount=Decimal(700)), allotment(amount=Decimal(300), **other))
    assert (recorded.new, recorded.waiting) == (2, ())
    with ledger.connect() as connection:
        found = connection.execute("SELECT available_amount FROM ifms.sanction ORDER BY 1").fetchall()
    assert found == [(300,), (700,)]


def test_a_known_allotment_with_another_amount_is_a_conflict_and_changes_nothing(ledger):
    ledger.allot(allotment())
    told = ledger.allot(allotment(amount=Decimal(5000)), allotment(serial_no=1, kind=AllotmentKind.ADDITIONAL))
    assert len(told.conflicts) == 1
    assert "900/800/0" in told.conflicts[0]
    assert (
        "is told as INITIAL of 5000 for grantee SAMPLEGRANTEE1, but was recorded as INITIAL of 1000.00 for "
        "SAMPLEGRANTEE1;"
    ) in told.conflicts[0]
    assert (told.new, told.known) == (1, 0)  # the other one counts all the same
    assert ledger.balances()[0] == 2000


def test_an_addition_before_its_initial_allotment_waits_and_then_counts(ledger):
    early = allotment(serial_no=1, kind=AllotmentKind.ADDITIONAL, amount=Decimal(250))
    assert ledger.allot(early).waiting == (early,)
    assert ledger.one("SELECT count(*) FROM ifms.sanction") == 0
    ledger.allot(allotment(master_allotment_id="901", serial_no=1, kind=AllotmentKind.ADDITIONAL))  # another's
    assert ledger.allot(allotment()).waiting == ()
    assert ledger.balances() == (1250, 0, 0, 1250)
    assert ledger.one("SELECT master_allotment_id FROM ifms.allotment WHERE sanction_id IS NULL") == "901"


def test_what_is_new_adds_its_rupees_and_a_withdrawal_takes_its_own_off(ledger):
    first = allotment()
    told = ledger.allot(
        first,
        allotment(serial_no=1, kind=AllotmentKind.WITHDRAWAL, amount=Decimal(200)),
        allotment(serial_no=2, kind=AllotmentKind.ADDITIONAL, amount=Decimal(50)),
    )
    assert told.added == 850 == ledger.balances()[3]
    assert ledger.allot(first).added == 0


MOST = Decimal("9999999999999.99")


def test_a_row_that_the_database_refuses_keeps_no_other_from_counting(ledger):
    more = allotment(serial_no=1, kind=AllotmentKind.ADDITIONAL, amount=Decimal("0.01"))
    told = ledger.allot(
        more,
        allotment(serial_no=2, kind=AllotmentKind.WITHDRAWAL, amount=Decimal(5)),
        allotment(amount=MOST, sanction_balance=Decimal(0)),
        allotment(master_allotment_id="901"),
        allotment(master_allotment_id="901"),
    )
    assert (told.new, told.known, told.waiting, told.conflicts) == (3, 1, (), ())
    assert len(told.refused) == 1
    assert told.refused[0].startswith(f"{more} is not recorded: ")
    assert told.added == MOST - 5 + 1000
    assert ledger.balances() == (MOST - 5, 0, 0, MOST - 5)
    assert ledger.balances("901")[0] == 1000
    again = ledger.allot(more)  # there is room for it now
    assert (again.new, again.refused) == (1, ())
    assert ledger.balances()[0] == MOST - 5 + Decimal("0.01")


def test_what_became_of_each_row_is_told_when_they_are_recorded_one_by_one_too(ledger):
    known = [allotment(master_allotment_id=master) for master in ("901", "902", "905", "906")]
    assert (ledger.allot(*known).known, ledger.allot(known[0], known[0]).known) == (0, 2)
    waiting = [allotment(master_allotment_id=m, serial_no=1, kind=AllotmentKind.ADDITIONAL) for m in ("903", "904")]
    told = ledger.allot(
        allotment(amount=MOST, sanction_balance=Decimal("0.01")),
        *known[:2],
        *waiting,
        *(allotment(master_allotment_id=master, amount=Decimal(5)) for master in ("905", "906")),
        *(
            allotment(master_allotment_id=m, serial_no=1, kind=AllotmentKind.WITHDRAWAL, amount=Decimal(2000))
            for m in ("901", "902")
        ),
    )
    assert (len(told.refused), told.new, told.known, len(told.conflicts)) == (1, 4, 2, 2)
    assert (told.waiting, told.overdrawn) == (tuple(waiting), ("901", "902"))


def test_a_sanctioned_amount_beyond_its_column_is_refused_and_named(ledger):
    told = ledger.allot(allotment(amount=MOST, sanction_balance=Decimal("0.01")))
    assert (told.new, len(told.refused)) == (0, 1)
    assert "900/800/0" in told.refused[0]
    assert ledger.one("SELECT count(*) FROM ifms.allotment") == 0


def test_what_is_no_matter_of_a_row_ends_the_recording(ledger):
    with ledger.connect() as connection:
        connection.execute(
            """
            CREATE FUNCTION ifms.break() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN RAISE EXCEPTION USING ERRCODE = ''foreign_key_violation'', MESSAGE = ''sample''; END';
            CREATE TRIGGER break BEFORE INSERT ON ifms.allotment FOR EACH ROW EXECUTE FUNCTION ifms.break();
            """
        )
    with pytest.raises(LedgerError, match="sample"):
        ledger.allot(allotment())


def test_what_waited_counts_additions_first_and_nothing_is_moved_for_an_allotment_of_nothing(ledger):
    """So the history of a sanction goes below zero only where the treasury took more than it had given."""
    ledger.allot(
        allotment(serial_no=1, kind=AllotmentKind.WITHDRAWAL, amount=Decimal(1200)),
        allotment(serial_no=3, kind=AllotmentKind.ADDITIONAL, amount=Decimal(50)),
        allotment(serial_no=2, kind=AllotmentKind.ADDITIONAL, amount=Decimal(200)),
        allotment(serial_no=4, kind=AllotmentKind.ADDITIONAL, amount=Decimal(0)),
    )
    assert ledger.allot(allotment()).overdrawn == ()
    with ledger.connect() as connection:
        moves = connection.execute("SELECT kind, amount, allotted_after FROM ifms.fund_movement ORDER BY id").fetchall()
    assert moves == [
        ("ALLOTMENT", 1000, 1000),
        ("ALLOTMENT", 200, 1200),
        ("ALLOTMENT", 50, 1250),
        ("WITHDRAWAL", 1200, 50),
    ]


@pytest.mark.parametrize(("amount", "overdrawn"), [(1000, ()), (1001, ("900",))])
def test_a_withdrawal_of_all_that_there_is_overdraws_nothing(ledger, amount, overdrawn):
    ledger.fund(1000)
    told = ledger.allot(allotment(serial_no=1, kind=AllotmentKind.WITHDRAWAL, amount=Decimal(amount)))
    assert told.overdrawn == overdrawn


def test_a_withdrawal_below_what_is_spent_is_recorded_and_stops_reserving(ledger):
    ledger.fund(1000)
    payment, claim = ledger.payment(900)
    ledger.instruct(payment, claim)
    told = ledger.allot(allotment(serial_no=1, kind=AllotmentKind.WITHDRAWAL, amount=Decimal(500)))
    assert told.overdrawn == ("900",)
    assert ledger.balances() == (500, 900, 0, -400)
    assert chosen(ledger, 1) is None


def test_the_first_head_of_account_with_enough_money_pays(ledger):
    second = HEAD[:-1] + "2"
    ledger.allot(
        allotment(master_allotment_id="1", amount=Decimal(100)),
        allotment(master_allotment_id="2", amount=Decimal(100), hoa_code=second),
        allotment(master_allotment_id="3", amount=Decimal(5000), hoa_code=second),
        allotment(master_allotment_id="3", serial_no=4, kind=AllotmentKind.ADDITIONAL, hoa_code=second),
        allotment(master_allotment_id="3", serial_no=5, kind=AllotmentKind.WITHDRAWAL, hoa_code=second),
    )

    heads = [SOURCE, (DDO, GRANTEE, second)]
    assert chosen(ledger, 100, heads) == "1"
    assert chosen(ledger, 101, heads) == "3"
    funding = ledger.db.transact(lambda c: funds.choose_funding(c, TENANT, Decimal(101), heads, financial_year=YEAR))
    assert funding.allotment_serial_no == 4  # the latest that is no withdrawal
    assert chosen(ledger, 5001, heads) is None
    assert chosen(ledger, 1, []) is None


@pytest.mark.parametrize("seed", range(5))
def test_payments_chosen_for_together_get_what_they_would_get_one_after_the_other(ledger, seed):
    random = Random(seed)
    second = HEAD[:-1] + "2"
    heads = [SOURCE, (DDO, GRANTEE, second)]
    for master in range(4):
        ledger.allot(
            allotment(
                master_allotment_id=str(master),
                hoa_code=random.choice((HEAD, second)) if master else HEAD,
                amount=Decimal(random.randint(400, 900)),
            )
        )
    wanted = [ledger.payment(random.randint(20, 400)) for _ in range(12)]
    first, claim = wanted[0]
    declined, mine = ledger.instruct(first, claim)
    ledger.db.transact(lambda c: instructions.advance(c, declined, mine, Event.DECLINED))
    payments = [(payment.payment_number, payment.amount) for payment, _ in wanted[1:]] + [
        (first.payment_number, Decimal(20))
    ]
    random.shuffle(payments)
    together = ledger.db.transact(lambda c: funds.choose_fundings(c, TENANT, payments, heads, financial_year=YEAR))
    alone = []
    for number, amount in payments:
        funding = ledger.db.transact(
            lambda c, number=number, amount=amount: funds.choose_funding(
                c, TENANT, amount, heads, financial_year=YEAR, payment_number=number
            )
        )
        if funding is None:
            break
        alone.append(funding)
        with ledger.connect() as owner:  # as a PI of it would, and by the one thing that may
            owner.execute(
                "INSERT INTO ifms.import_withheld"
                " (tenant_id, payment_number, hoa_code, ddo_code, master_allotment_id, amount, reason)"
                " VALUES (%s, %s, %s, %s, %s, %s, 'sample')",
                (TENANT, f"{number}/{len(alone)}", funding.hoa_code, DDO, funding.master_allotment_id, amount),
            )
    assert together == alone
    assert together


def test_a_head_comes_before_a_unit(ledger):
    second = HEAD[:-1] + "2"
    ledger.allot(
        allotment(master_allotment_id="1", hoa_code=second), allotment(master_allotment_id="2", ddo_code="SAMPLEDDO02")
    )
    assert chosen(ledger, 1, [(ddo, GRANTEE, head) for head in (HEAD, second) for ddo in (DDO, "SAMPLEDDO02")]) == "2"


def test_its_own_financial_year_pays_and_another_never(ledger):
    ledger.allot(
        allotment(master_allotment_id="last", allotment_date=date(2024, 3, 31)),
        allotment(master_allotment_id="next", allotment_date=date(2025, 4, 1)),
    )
    assert chosen(ledger, 1) is None
    use_earlier_years(ledger, True)
    assert chosen(ledger, 1) == "last"
    use_earlier_years(ledger, False)
    ledger.allot(allotment(master_allotment_id="this", allotment_date=date(2024, 4, 1)))
    assert chosen(ledger, 1) == "this"
    assert chosen(ledger, 1001) is None


def test_earlier_years_come_last_and_the_latest_of_them_first(ledger):
    second = HEAD[:-1] + "2"
    ledger.allot(
        allotment(master_allotment_id="2022", allotment_date=date(2022, 5, 1), amount=Decimal(9000)),
        allotment(master_allotment_id="2023", allotment_date=date(2023, 5, 1), amount=Decimal(5000)),
        allotment(master_allotment_id="2024", hoa_code=second),
    )
    use_earlier_years(ledger, True)
    heads = [SOURCE, (DDO, GRANTEE, second)]
    assert [chosen(ledger, amount, heads) for amount in (1000, 1001, 5001, 9001)] == ["2024", "2023", "2022", None]


def test_in_a_head_the_most_recently_changed_comes_first_whatever_we_have_paid_from(ledger):
    ledger.allot(allotment(master_allotment_id="1", allotment_date=date(2024, 5, 30)))
    ledger.allot(allotment(master_allotment_id="2", allotment_date=date(2024, 5, 1)))
    assert chosen(ledger, 1) == "2"
    for kind, serial in ((AllotmentKind.ADDITIONAL, 1), (AllotmentKind.WITHDRAWAL, 2)):
        ledger.allot(
            allotment(
                master_allotment_id="1" if serial == 1 else "2", serial_no=serial, kind=kind, amount=Decimal(serial)
            )
        )
        assert chosen(ledger, 1) == str(serial)
    ledger.instruct(*ledger.payment(999))  # more than "2" has left
    assert ledger.balances("1")[1] == 999
    assert chosen(ledger, 1) == "2"


def test_of_those_told_together_the_one_with_the_latest_date_comes_first(ledger):
    ledger.allot(
        allotment(master_allotment_id="1", allotment_date=date(2024, 5, 1)),
        allotment(master_allotment_id="2", allotment_date=date(2024, 5, 3)),
        allotment(master_allotment_id="3", allotment_date=date(2024, 5, 2)),
    )
    assert chosen(ledger, 1) == "2"


def test_of_those_changed_together_on_one_date_the_one_known_last_comes_first(ledger):
    for master in "123":
        ledger.allot(allotment(master_allotment_id=master))
    ledger.allot(
        *(
            allotment(master_allotment_id=master, serial_no=1, kind=AllotmentKind.ADDITIONAL)
            for master in ("3", "1", "2")
        )
    )
    assert chosen(ledger, 1) == "3"


def test_a_payment_gets_what_a_greater_one_after_it_would_not_and_nothing_that_is_withheld(ledger):
    ledger.fund(1000)
    withhold(ledger, "900", 300)

    def together(*amounts):
        found = ledger.db.transact(
            lambda c: funds.choose_fundings(
                c, TENANT, [(None, Decimal(amount)) for amount in amounts], [SOURCE], financial_year=YEAR
            )
        )
        return len(found)

    assert together(100, 2000) == 1
    assert (together(400, 300), together(400, 301)) == (2, 1)


def declined_on(ledger, payment, mine):
    """Its PI was declined; the master allotment id of its sanction."""
    pi, claim = ledger.instruct(payment, mine)

    def decline(connection):
        instructions.advance(connection, pi, claim, Event.DECLINED)
        instructions.free_payment(connection, pi, "PI_DECLINED", "sample")

    ledger.db.transact(decline)
    return pi.master_allotment_id


def test_a_sanction_on_which_the_payment_was_declined_comes_after_all_others(ledger):
    ledger.allot(
        allotment(master_allotment_id="1", allotment_date=date(2024, 5, 1), amount=Decimal(5000)),
        allotment(master_allotment_id="2", allotment_date=date(2024, 5, 2), amount=Decimal(6000)),
        allotment(master_allotment_id="0", allotment_date=date(2023, 5, 2)),
    )
    payment, mine = ledger.payment(500)
    assert declined_on(ledger, payment, mine) == "2"
    assert chosen(ledger, 500, payment=payment) == "1"
    assert chosen(ledger, 500) == "2"  # for another payment
    assert chosen(ledger, 6000, payment=payment) == "2"  # no other has enough
    assert declined_on(ledger, *ledger.claim_payment(payment.payment_number)) == "2"  # `instruct` names no payment
    close(ledger, "1")
    assert chosen(ledger, 500, payment=payment) == "2"
    use_earlier_years(ledger, True)
    assert chosen(ledger, 500, payment=payment) == "0"


def test_one_that_the_ssu_rejected_or_a_person_gave_up_does_not_count_as_declined(ledger):
    ledger.allot(
        allotment(master_allotment_id="1", allotment_date=date(2024, 5, 1)),
        allotment(master_allotment_id="2", allotment_date=date(2024, 5, 2)),
    )
    rejected, mine = ledger.payment(100)
    pi, claim = ledger.instruct(rejected, mine)
    ledger.db.transact(lambda c: instructions.advance(c, pi, claim, Event.ACCEPTED))
    pi, claim = ledger.claimed(pi)
    ledger.db.transact(lambda c: instructions.advance(c, pi, claim, Event.REJECTED))
    assert chosen(ledger, 1, payment=rejected) == "2"
    settled, mine = ledger.payment(100)
    assert declined_on(ledger, settled, mine) == "2"
    assert chosen(ledger, 1, payment=settled) == "1"
    with ledger.connect() as connection:
        connection.execute("UPDATE ifms.payment_instruction SET settled_by = 'a tester'")
    assert chosen(ledger, 1, payment=settled) == "2"
    with ledger.connect() as connection:  # but not when the treasury had refused it before
        connection.execute("""UPDATE ifms.payment_instruction SET refusal = '[{"code": null, "text": "sample"}]'""")
    assert chosen(ledger, 1, payment=settled) == "1"


def test_a_pi_that_is_under_way_or_was_cancelled_does_not_count_as_declined(ledger):
    ledger.allot(
        allotment(master_allotment_id="1", allotment_date=date(2024, 5, 1)),
        allotment(master_allotment_id="2", allotment_date=date(2024, 5, 2)),
    )
    payment, mine = ledger.payment(100)
    pi, claim = ledger.instruct(payment, mine)
    assert chosen(ledger, 1, payment=payment) == "2"
    ledger.db.transact(lambda c: instructions.settle_attempt(c, pi, claim, "never_sent", "sample"))

    def cancel(connection):
        instructions.advance(connection, pi, None, Event.CANCELLED, cancelled_by="a tester")
        instructions.free_payment(connection, pi, "PI_CANCELLED", "sample")

    ledger.db.transact(cancel)
    assert chosen(ledger, 1, payment=payment) == "2"


def test_a_declined_revision_says_nothing_of_the_sanction_that_its_original_was_paid_from(ledger):
    ledger.allot(
        allotment(master_allotment_id="1", allotment_date=date(2024, 5, 1)),
        allotment(master_allotment_id="2", allotment_date=date(2024, 5, 2)),
    )
    payment, mine = ledger.payment(100)
    pi, claim = ledger.instruct(payment, mine)
    ledger.db.transact(lambda c: instructions.advance(c, pi, claim, Event.ACCEPTED))
    original = replace(pi, pa_bill_ref_number="1717400000001")

    def decline(connection):
        revision = instructions.create_revision(
            connection, original, "PI-SA/R", pi.bill_date, [beneficiary(Decimal(100))], claim, KEYRING
        )
        instructions.advance(connection, revision, claim, Event.DECLINED)

    ledger.db.transact(decline)
    assert chosen(ledger, 1, payment=payment) == "2"


def test_what_is_not_used_is_named(ledger):
    ledger.allot(
        allotment(master_allotment_id="1"),
        allotment(master_allotment_id="2", allotment_date=date(2024, 3, 1)),
        allotment(master_allotment_id="3", allotment_date=date(2025, 4, 1)),
        allotment(master_allotment_id="4", allotment_date=date(2024, 3, 1), amount=Decimal(10)),
        allotment(master_allotment_id="5"),
        allotment(master_allotment_id="6", allotment_date=date(2024, 3, 1), tenant_id=OTHER),
    )
    close(ledger, "1")
    unused = ledger.db.transact(lambda c: funds.unused_with(c, TENANT, Decimal(1000), financial_year=YEAR))
    assert unused == ["1 (closed)", "2 (of 2023-24)"]


def test_neither_another_city_s_money_nor_another_head_s_is_chosen(ledger):
    ledger.allot(
        allotment(master_allotment_id="1", tenant_id=OTHER),
        allotment(master_allotment_id="2", hoa_code=HEAD[:-1] + "2"),
        allotment(master_allotment_id="3", ddo_code="SAMPLEDDO02"),
    )
    assert chosen(ledger, 1000) is None
    ledger.fund(1000)
    assert chosen(ledger, 1000) == "900"


def test_the_allotment_named_is_the_one_heard_of_last(ledger):
    ledger.fund(1000)
    for number in ("802", "803", "801"):
        ledger.allot(allotment(serial_no=1, kind=AllotmentKind.ADDITIONAL, ssu_allotment_id=number))
    funding = ledger.db.transact(lambda c: funds.choose_funding(c, TENANT, Decimal(1), [SOURCE], financial_year=YEAR))
    assert (funding.ssu_allotment_id, funding.allotment_serial_no) == ("801", 1)


def test_who_waited_for_money_that_another_then_took_gets_what_else_is_there(ledger):
    ledger.fund(500, "901")
    assert chosen_after_waiting(ledger) == "901"


def test_who_waited_for_money_that_another_then_took_gets_what_came_meanwhile(ledger):
    assert chosen_after_waiting(ledger, lambda: ledger.fund(500, "901")) == "901"


def chosen_after_waiting(ledger, meanwhile=lambda: None):
    """The master allotment id of the sanction that pays 500, when another run takes 600 of the first one's 1,000."""
    ledger.fund(1000, "900")
    payment, payment_claim = ledger.payment(600)
    choose = partial(funds.choose_funding, tenant_id=TENANT, preference=[SOURCE], financial_year=YEAR)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(ledger.dsn) as first, psycopg.connect(ledger.dsn) as other:
        funding = choose(first, amount=payment.amount)
        assert funding.master_allotment_id == "900"
        second = pool.submit(choose, other, amount=Decimal(500))
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        while not ledger.one(waiting):
            assert not second.done(), "it did not wait"
            time.sleep(0.01)
        meanwhile()
        mine = Claim(uuid.uuid4(), timedelta(minutes=10))
        create(first, new_instruction(payment), funding, payment_claim, mine)
        first.commit()
        return second.result(30).master_allotment_id


def test_money_that_an_import_withholds_is_not_chosen(ledger):
    """The Java adapter's PIs that could not be imported have spent it, or may have."""
    ledger.fund(1000, "901")
    ledger.fund(1000, "900")
    withhold(ledger, "900", 300)
    assert (chosen(ledger, 700), chosen(ledger, 701), chosen(ledger, 1000)) == ("900", "901", "901")
    withhold(ledger, "901", 1)
    assert (chosen(ledger, 999), chosen(ledger, 1000)) == ("901", None)
    with ledger.connect() as owner:
        owner.execute("UPDATE ifms.import_withheld SET settled_at = now()")
    assert chosen(ledger, 1000) == "900"


def test_64_reservers_on_one_sanction_take_exactly_what_is_there(ledger):
    """F12: payments of 30 on 1,000: 33 get their money, and 10 are left."""
    ledger.fund(1000)
    claimed = [ledger.payment(30) for _ in range(64)]
    results: list[str] = []
    gate = threading.Barrier(16)

    def reserve(batch):
        with Database(lambda: psycopg.connect(ledger.dsn)) as db:
            mine = type(ledger)(ledger.dsn, db)
            gate.wait()
            for payment, claim in batch:
                try:
                    mine.instruct(payment, claim)
                    results.append("reserved")
                except (AssertionError, InsufficientFundsError):
                    results.append("refused")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(reserve, [claimed[i::16] for i in range(16)]))
    assert (results.count("reserved"), results.count("refused")) == (33, 31)
    assert ledger.balances() == (1000, 990, 0, 10)


def test_a_movement_is_made_once_and_only_after_its_pair(ledger):
    sanction = ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(400))

    def move(kind, amount=Decimal(400)):
        with ledger.connect() as connection, Database(lambda: psycopg.connect(ledger.dsn)) as db:
            connection.execute("SELECT 1")
            db.transact(lambda c: funds.move(c, kind, [(sanction, pi.id, amount)]))

    with pytest.raises(ConflictError):
        move(Movement.RESERVE)
    with pytest.raises(LedgerError, match="has no DEBIT"):
        move(Movement.REVERSAL)
    with pytest.raises(LedgerError, match="has no RESERVE"):
        move(Movement.DEBIT, Decimal(399))
    assert ledger.balances() == (1000, 400, 0, 600)


def test_heads_that_master_data_does_not_know_are_named(ledger):
    second, third = HEAD[:-1] + "2", HEAD[:-1] + "3"
    ledger.allot(
        allotment(master_allotment_id="1"),
        allotment(master_allotment_id="2"),
        allotment(master_allotment_id="3", hoa_code=second),
        allotment(master_allotment_id="4", hoa_code=third, tenant_id=OTHER),
    )

    def unknown(*known):
        return ledger.db.transact(lambda c: funds.heads_unknown(c, TENANT, known))

    assert unknown("something else") == [HEAD, second]
    assert (unknown(HEAD), unknown(second, HEAD)) == ([second], [])


@pytest.fixture
def named(ledger):
    """Finds an allotment by its numbers, among others that share some of them; its head and those numbers."""
    ledger.allot(
        *(allotment(master_allotment_id=master) for master in ("900", "901")),
        allotment(tenant_id=OTHER),
        allotment(serial_no=1, kind=AllotmentKind.ADDITIONAL, ssu_allotment_id="801"),
        allotment(serial_no=2, kind=AllotmentKind.WITHDRAWAL),
        allotment(serial_no=3, kind=AllotmentKind.ADDITIONAL, master_allotment_id="902"),  # waits for its sanction
        allotment(master_allotment_id="903"),
    )
    ledger.allot(allotment(master_allotment_id="903", hoa_code=HEAD[:-1] + "2"))

    def find(*numbers):
        found = ledger.db.transact(lambda c: funds.named_funding(c, TENANT, *numbers))
        assert ledger.row(
            "SELECT tenant_id, master_allotment_id FROM ifms.sanction WHERE id = %s", found.sanction_id
        ) == (
            TENANT,
            numbers[0],
        )
        return found.hoa_code, found.master_allotment_id, found.ssu_allotment_id, found.allotment_serial_no

    return find


@pytest.mark.parametrize("numbers", [("900", "800", 0), ("900", "801", 1), ("901", "800", 0)])
def test_an_allotment_is_found_by_its_numbers(named, numbers):
    assert named(*numbers) == (HEAD, *numbers)


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        (("900", "800", 1), 0),  # another allotment's serial number
        (("900", "800", 2), 0),  # a withdrawal
        (("902", "800", 3), 0),
        (("903", "800", 0), 2),  # of two heads
    ],
)
def test_numbers_that_name_no_allotment_or_two_are_refused(named, numbers, found):
    with pytest.raises(BadInputError, match=f"has {found} allotments {'/'.join(map(str, numbers))}, not one"):
        named(*numbers)


def test_units_that_are_not_known_and_have_money_are_named(ledger):
    ledger.fund(1000)
    ledger.fund(1000, "901")
    ledger.allot(
        allotment(master_allotment_id="902", ddo_code="SAMPLEDDO02"),
        allotment(master_allotment_id="903", ddo_code="SAMPLEDDO03", amount=Decimal(0)),
        allotment(master_allotment_id="904", ddo_code="SAMPLEDDO04", tenant_id=OTHER),
        allotment(master_allotment_id="905", grantee_code="OTHER"),
    )

    def unknown(*known):
        return ledger.db.transact(lambda c: funds.units_unknown(c, TENANT, known))

    second = ("SAMPLEDDO02", GRANTEE)
    assert unknown() == unknown((DDO, "X"), ("X", GRANTEE)) == [(DDO, "OTHER"), (DDO, GRANTEE), second]
    assert unknown((DDO, GRANTEE)) == [(DDO, "OTHER"), second]
    assert unknown((DDO, "OTHER"), second) == [(DDO, GRANTEE)]
    close(ledger, "902")
    assert unknown((DDO, GRANTEE)) == [(DDO, "OTHER")]


def test_a_known_allotment_for_another_grantee_is_a_conflict_and_stays_with_the_first(ledger):
    ledger.allot(allotment())
    [told] = ledger.allot(allotment(grantee_code="OTHER")).conflicts
    assert "for grantee OTHER, but was recorded as INITIAL of 1000.00 for SAMPLEGRANTEE1;" in told
    assert chosen(ledger, 1) == "900"


def test_a_sanction_of_another_grantee_pays_nothing(ledger):
    ledger.allot(allotment(grantee_code="OTHER", amount=Decimal(1000)))
    assert chosen(ledger, 1) is None
    assert chosen(ledger, 1, [(DDO, "OTHER", HEAD)]) == "900"


# Two cities with one spending unit ----------------------------------------------------------------------------------


@pytest.fixture
def mark(ledger):
    """The watermark by which allotments of that unit are told."""
    place = allotment()
    ledger.db.transact(
        lambda c: funds.open_watermarks(c, [(TENANT, HEAD, DDO, place.grantee_code, place.ssu_id)]),
    )
    [opened] = ledger.db.transact(lambda c: funds.watermarks(c, [TENANT]))
    return opened


@pytest.fixture
def elsewhere(ledger, mark):
    """`elsewhere(*allotments)`: those that count in another city than the one whose mark they were told by."""
    return lambda *told: ledger.db.transact(lambda c: funds.counted_elsewhere(c, mark, told))


def test_what_counts_on_a_sanction_of_another_city_is_told_with_that_city(ledger, elsewhere):
    first = allotment(master_allotment_id="1", ssu_allotment_id="11")
    added = allotment(
        master_allotment_id="1", ssu_allotment_id="12", serial_no=3, kind=AllotmentKind.ADDITIONAL, amount=Decimal(5)
    )
    early = allotment(
        master_allotment_id="2", ssu_allotment_id="21", serial_no=4, kind=AllotmentKind.ADDITIONAL, amount=Decimal(5)
    )
    ledger.allot(*(replace(each, tenant_id=OTHER) for each in (first, added, early)))
    assert ledger.one("SELECT count(*) FROM ifms.allotment WHERE sanction_id IS NULL") == 1
    assert elsewhere(first, added, early) == {first: OTHER, added: OTHER}  # what waits counts nowhere
    assert elsewhere(first, replace(first, ssu_allotment_id="12"), replace(first, serial_no=3)) == {first: OTHER}
    assert elsewhere() == {}
    close(ledger, "1")
    assert elsewhere(first, added, early) == {}


def test_what_counts_here_too_or_in_another_place_counts_here(ledger, elsewhere):
    both = allotment(master_allotment_id="1")
    ledger.allot(both, replace(both, tenant_id=OTHER))
    places = {"hoa_code": HEAD[:-1] + "2", "ddo_code": "SAMPLEDDO02", "grantee_code": "SAMPLEGRANTEE2"}
    others = [allotment(master_allotment_id=f"3{n}") for n in range(3)]
    for each, (name, place) in zip(others, places.items(), strict=True):
        ledger.allot(replace(each, tenant_id=OTHER, **{name: place}))
    assert elsewhere(both, *others) == {}


def test_until_it_is_known_where_an_allotment_counts_nobody_else_counts_one_of_its_place(ledger, mark):
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"

    def locks(connection):
        before = connection.execute(held).fetchone()[0]
        funds.counted_elsewhere(connection, mark, [allotment()])
        return connection.execute(held).fetchone()[0] - before

    assert ledger.db.transact(locks) == 1


# Watermarks ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def marked(ledger):
    """A watermark for each of two heads of a city, and one of another city's."""
    marks = [
        (TENANT, HEAD, DDO, "G", "1"),
        (TENANT, HEAD[:-1] + "2", DDO, "G", "1"),
        (OTHER, HEAD, "SAMPLEDDO02", "G", "2"),
    ]
    ledger.db.transact(lambda c: funds.open_watermarks(c, marks))
    return ledger


def claimed_marks(ledger, *tenants, limit=10):
    sweep = {"limit": limit, "lease": timedelta(minutes=10), "sweep_started": datetime.now(UTC) + timedelta(days=1)}
    asked = {"tenants": list(tenants) or None}
    return ledger.db.transact(lambda c: claim(c, funds.WATERMARKS, Watermark, **sweep, **asked))


def fetched_until(ledger):
    with ledger.connect() as connection:
        rows = connection.execute("SELECT tenant_id, hoa_code, fetched_until FROM ifms.va_watermark").fetchall()
    return {(tenant, head): until for tenant, head, until in rows}


def test_a_watermark_is_opened_once_and_kept(marked):
    [mark] = claimed_marks(marked, OTHER)[1]
    assert mark.tenant_id == OTHER
    before = fetched_until(marked)
    marked.db.transact(lambda c: funds.open_watermarks(c, [(OTHER, HEAD, "SAMPLEDDO02", "G", "2")]))
    assert fetched_until(marked) == before


@pytest.mark.parametrize(
    ("tenants", "expected"), [((OTHER,), [OTHER]), ((TENANT,), [TENANT, TENANT]), ((), [TENANT, TENANT, OTHER])]
)
def test_only_the_watermarks_of_the_cities_asked_for_are_taken_or_looked_at(marked, tenants, expected):
    if tenants:
        looked_at = marked.db.transact(lambda c: funds.watermarks(c, tenants))
        assert [mark.tenant_id for mark in looked_at] == expected
    assert sorted(mark.tenant_id for mark in claimed_marks(marked, *tenants)[1]) == expected


def test_what_was_never_asked_about_is_asked_about_first(marked):
    with marked.connect() as owner:
        owner.execute("UPDATE ifms.va_watermark SET polled_at = now() WHERE tenant_id = %s", (TENANT,))
    assert [mark.tenant_id for mark in claimed_marks(marked, limit=1)[1]] == [OTHER]


def test_a_watermark_moves_forward_only_and_alone(marked):
    early, late = datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 6, 2, tzinfo=UTC)
    before = fetched_until(marked)

    def move(asked_at):
        mine, [mark] = claimed_marks(marked, OTHER)
        marked.db.transact(lambda c: funds.move_watermark(c, mark, mine, asked_at, asked_at))

    move(late)
    assert fetched_until(marked) == before | {(OTHER, HEAD): late}
    move(early)
    assert fetched_until(marked) == before | {(OTHER, HEAD): late}


def test_from_when_it_was_asked_only_grows_and_of_an_imported_one_is_not_known(marked):
    early, late = datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 6, 2, tzinfo=UTC)

    def move(since):
        mine, [mark] = claimed_marks(marked, OTHER)
        marked.db.transact(lambda c: funds.move_watermark(c, mark, mine, datetime.now(UTC), since))
        [after] = marked.db.transact(lambda c: funds.watermarks(c, [OTHER]))
        return after.asked_from

    assert [move(since) for since in (late, early, late)] == [late, early, early]
    with marked.connect() as owner:
        owner.execute("UPDATE ifms.va_watermark SET asked_from = NULL")
    assert move(early) is None


def test_a_copy_whose_claim_was_taken_over_moves_no_watermark(marked):
    mine, [mark] = claimed_marks(marked, OTHER)
    with marked.connect() as owner:
        owner.execute("UPDATE ifms.va_watermark SET claimed_until = now() - interval '1 second'")
    claimed_marks(marked, OTHER)
    before = fetched_until(marked)
    with pytest.raises(ClaimLostError, match=f"{OTHER}, {HEAD}"):
        marked.db.transact(lambda c: funds.move_watermark(c, mark, mine, datetime.now(UTC), datetime.now(UTC)))
    assert fetched_until(marked) == before
