"""A bill that the treasury has and a restored ledger has lost is taken in as what the treasury says it is, or not."""

import gc
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from support import failed, second_person
from support.adapter import Adapter, assert_money_is_right
from support.databases import as_worker
from support.java import broken
from support.keys import KEYRING
from support.ledger import copy_instructions
from support.uncertain import on

from ifms.clock import to_ist, wire_datetime
from ifms.errors import (
    AdoptionRefusedError,
    BadInputError,
    InsufficientFundsError,
    SecondPersonError,
    SweepNeedsAttentionError,
    TreasuryUnreachableError,
    WireError,
)
from ifms.ledger import restores
from ifms.ledger.proposals import Act
from ifms.platform.client import PlatformClient
from ifms.services import manual_settlement, proposals
from ifms.services.adopt import Adoption, LostBill, parameters_of
from ifms.services.manual_settlement import Verdict
from ifms.treasury.client import TreasuryClient


def a_due_payment(adapter):
    """One payment of three waits for its PI, with funds."""
    adapter.simulators.ask_platform("POST", "settings", {"persist_ms": 0})
    failed.wage_bill(adapter, 3)
    adapter.run("VA")
    adapter.run("PA")


pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}, after=a_due_payment)


@pytest.fixture
def copied(adapter, postgres):
    """`copied()`: a copy of the ledger as it is now, which goes on while the one that is copied stands still."""
    name = f"{adapter.dsn.rpartition('/')[2]}_went_on"
    made = []

    def copy():
        gc.collect()  # sweeps that have ended in errors: a database with connections is not copied
        postgres.create_database(name, adapter.dsn.rpartition("/")[2])
        made.append(name)
        with psycopg.connect(postgres.dsn(name)) as owner:
            restores.nothing_lost(owner, "the ledger that will be lost", "sample")
        return Adapter(postgres.dsn(name), adapter.simulators)

    yield copy
    for each in made:
        postgres.drop_database(each)


@pytest.fixture
def lost(adapter, treasury, copied, request):
    """One payment, whose PI was made and accepted after the backup: the restored ledger; `went_on` is the lost one."""
    treasury.settings(pace_seconds=getattr(request, "param", 0))
    went_on = copied()
    went_on.run("PI")
    with psycopg.connect(adapter.dsn) as owner:
        restores.begin(owner, "sample")
    adapter.went_on = went_on
    return adapter


def form(adapter, **changes):
    [pi] = adapter.went_on.rows("SELECT * FROM ifms.payment_instruction WHERE status <> 'FAILED'")
    return {
        "tenant": pi["tenant_id"],
        "pi_number": pi["pi_number"],
        "bill_date": wire_datetime(pi["bill_date"]),
        "payment_number": pi["payment_number"],
        "master_allotment_id": pi["master_allotment_id"],
        "ssu_allotment_id": pi["ssu_allotment_id"],
        "allotment_serial_no": pi["allotment_serial_no"],
        "reason": "in the treasury's list of bills",
        "person": "A Sample",
    } | changes


def adopt(adapter, proposal=None, **changes):
    sweep = adapter.sweep("PI")
    with (
        sweep,
        TreasuryClient(adapter.simulators.treasury_config(), sweep.calls.record_login) as treasury,
        PlatformClient(adapter.simulators.platform_config()) as platform,
    ):
        bill = replace(LostBill.of_form(form(adapter, **changes)), proposal=proposal)
        return Adoption(sweep, treasury, platform, KEYRING, platform.master_data())(bill)


def refused(adapter, error, match, **changes):
    """Nothing is written, and no account number is told."""
    before = money(adapter)
    with pytest.raises(error, match=match) as caught:
        adopt(adapter, **changes)
    accounts = [a["benfAcctNo"] for a in sent(adapter)["beneficiaryDetails"]]
    assert not [account for account in accounts if account in str(caught.value)]
    assert money(adapter) == before
    assert list(broken(adapter)) == ["nothing_is_in_doubt"]


def money(adapter):
    tables = ("payment_instruction", "beneficiary", "fund_movement", "status_log", "outbox", "sanction", "bill")
    found = {table: adapter.rows(f"SELECT * FROM ifms.{table} ORDER BY id") for table in tables}
    return found | {"paid": adapter.rows("SELECT payment_number, paid_by, claim_token FROM ifms.payment ORDER BY 1")}


def sent(adapter):
    [bill] = adapter.simulators.ask_treasury("GET", "state")["bills"]
    return bill["params"]


def test_it_is_written_as_what_the_treasury_has_and_followed_like_any_other(lost, treasury):
    calls = treasury.state["calls"]["PI"]
    told = form(lost)
    assert list(broken(lost)) == ["nothing_is_in_doubt"]
    adopt(lost)
    [pi] = lost.rows("SELECT * FROM ifms.payment_instruction")
    [original] = lost.went_on.rows("SELECT * FROM ifms.payment_instruction")
    same = ("pi_number", "payment_number", "net_amount", "gross_amount", "beneficiary_count", "bill_date", "ssu_id")
    same += ("master_allotment_id", "ssu_allotment_id", "allotment_serial_no", "hoa_code", "financial_year", "purpose")
    same += ("additional_details",)
    assert {name: pi[name] for name in same} == {name: original[name] for name in same}
    assert (pi["status"], pi["adopted_by"]) == ("IN PROCESS", "A Sample")
    people = "SELECT beneficiary_number, beneficiary_id, amount, ifsc, account_last4, name, line_item_ids FROM ifms.beneficiary ORDER BY 1"
    assert lost.rows(people) == lost.went_on.rows(people)
    assert [r["status"] for r in lost.rows("SELECT status FROM ifms.beneficiary")] == ["Payment In Process"] * 3
    log = lost.rows("SELECT service_id, from_status, to_status, message FROM ifms.status_log ORDER BY id")
    assert [(row["service_id"], row["from_status"], row["to_status"]) for row in log] == [
        ("PI", "PENDING", "INITIATED"),
        ("PIS", "INITIATED", "APPROVED"),
        ("PAG", "APPROVED", "IN PROCESS"),
    ]
    assert all(row["message"].endswith("adopted by A Sample: in the treasury's list of bills") for row in log)
    [payment] = lost.rows("SELECT paid_by, hold_code, claim_token FROM ifms.payment")
    assert payment == {"paid_by": pi["id"], "hold_code": None, "claim_token": None}
    [sums] = lost.rows("SELECT sum(reserved_amount) AS reserved, sum(spent_amount) AS spent FROM ifms.sanction")
    assert (sums["reserved"], sums["spent"]) == (0, pi["net_amount"])
    assert [row["payload"]["status"] for row in lost.rows("SELECT payload FROM ifms.outbox")] == ["INITIATED"]
    asked = lost.rows(
        "SELECT service_id FROM ifms.treasury_call WHERE payment_instruction_id = %s ORDER BY 1", pi["id"]
    )
    assert [row["service_id"] for row in asked] == ["PAG", "PIS"]
    assert broken(lost) == {}
    assert_money_is_right(lost, treasury)
    # From here on it is like any other: not sent, paid, and what fails is told and corrected.
    for service in ("PI", "PD"):
        lost.run(service)
    assert lost.statuses() == {"SUCCESSFUL": 1}
    failed.fail(lost, 1)
    lost.run("FD")
    assert lost.statuses() == {"PARTIAL": 1}
    assert treasury.state["calls"]["PI"] == calls
    with pytest.raises(AdoptionRefusedError, match="is known here"):
        adopt(lost, **told)


def test_what_failed_by_the_restore_may_have_been_corrected(lost):
    adopt(lost)
    lost.run("PD")
    failed.fail(lost, 1)
    lost.run("FD")
    failed.mend(lost)
    assert "nothing_is_in_doubt" in broken(lost)
    with pytest.raises(SweepNeedsAttentionError, match="was restored"):
        lost.correct()


def test_a_day_is_enough_of_a_date(lost):
    adopt(lost, bill_date=form(lost)["bill_date"][:10])
    assert lost.statuses() == {"IN PROCESS": 1}


def test_what_is_told_of_its_lines_already_does_not_matter(lost):
    """The ledger that was lost had told the platform that all is paid."""
    for service in ("PIS", "PAG", "PD", "RELAY"):
        lost.went_on.run(service)
    adopt(lost)
    lost.run("PD")
    assert lost.statuses() == {"SUCCESSFUL": 1}


@pytest.mark.parametrize("lost", [3600], indirect=True)
def test_news_that_are_not_there_yet_are_awaited(lost, treasury):
    refused(lost, AdoptionRefusedError, "PIS has no news of PI .* try again later")
    told = lost.rows("SELECT bill_number, payment_instruction_id FROM ifms.treasury_call WHERE service_id = 'PIS'")
    assert told == [{"bill_number": form(lost)["pi_number"], "payment_instruction_id": None}]  # kept all the same
    treasury.settings(clock_offset_seconds=3700)
    refused(lost, AdoptionRefusedError, "PAG has no advice of PI .* try again later")
    treasury.settings(clock_offset_seconds=7300)
    adopt(lost)
    lost.run("PD")
    assert lost.statuses() == {"IN PROCESS": 1}


def test_what_is_no_answer_about_it_is_none(lost, treasury):
    treasury.rule("PIS", "refuse")
    refused(lost, TreasuryUnreachableError, "PIS did not answer about PI")
    treasury.clear()
    treasury.rule("PIS", "error", errorMsg="Bill not received in JIT-FS")
    refused(lost, AdoptionRefusedError, "PIS says of PI .*: Bill not received in JIT-FS")
    treasury.clear()
    adopt(lost)


def test_what_the_person_says_and_the_treasury_does_not_is_refused(lost, treasury):
    refused(lost, AdoptionRefusedError, "PIS says of PI .*jitBillDate does not belong", bill_date="2045-04-07")
    refused(lost, BadInputError, "has 0 allotments .*fetch allotments", ssu_allotment_id="X9")
    refused(lost, BadInputError, "has 0 allotments", allotment_serial_no=99)
    refused(lost, AdoptionRefusedError, "is not known here, nor on the platform", payment_number="EP/0/2026-27/1")
    refused(lost, AdoptionRefusedError, "PIS says of PI", pi_number="PI-SA/2024-25/000999")


def test_a_bill_from_before_its_payment_is_another_payment_s(lost):
    [row] = lost.rows("SELECT raised_at FROM ifms.payment")
    raised = to_ist(row["raised_at"]).date()
    before = f"is of {raised - timedelta(days=1)}, and payment .* was raised on {raised}: it pays an earlier one"
    refused(lost, AdoptionRefusedError, before, bill_date=str(raised - timedelta(days=1)))


def test_an_amount_or_count_that_differs_is_refused(lost, treasury):
    """The payment that the person names is another than the bill's."""
    failed.wage_bill(lost, 2)
    lost.run("PA")
    with psycopg.connect(lost.dsn) as owner:
        restores.begin(owner, "sample")
    [other] = lost.rows(
        "SELECT payment_number FROM ifms.payment WHERE payment_number <> %s", form(lost)["payment_number"]
    )
    refused(lost, WireError, "names the (net|gross) amount", payment_number=other["payment_number"])


def test_a_payee_on_another_account_by_now_is_named(lost):
    [first, *_] = lost.went_on.rows("SELECT * FROM ifms.beneficiary ORDER BY beneficiary_number")
    lost_numbers = [first["beneficiary_number"]]
    failed.mend(lost.went_on, lost_numbers)
    refused(
        lost,
        AdoptionRefusedError,
        f"the account of payee {first['beneficiary_id']}, .* is none that PAG names; {first['beneficiary_number']}, .* is on an account of no payee",
    )


def test_money_that_is_not_there_is_not_invented(lost, treasury):
    """Others have spent it here meanwhile: somebody must find out before the sanction is overdrawn."""
    [sanction] = lost.rows(
        "SELECT * FROM ifms.sanction WHERE master_allotment_id = %s", form(lost)["master_allotment_id"]
    )
    with psycopg.connect(lost.dsn) as owner:
        withheld = "INSERT INTO ifms.import_withheld (tenant_id, payment_number, hoa_code, ddo_code, master_allotment_id, amount, reason) VALUES (%s, 'x', %s, %s, %s, %s, 'sample')"
        owner.execute(
            withheld,
            (
                sanction["tenant_id"],
                sanction["hoa_code"],
                sanction["ddo_code"],
                sanction["master_allotment_id"],
                sanction["available_amount"],
            ),
        )
    before = money(lost)
    with pytest.raises(InsufficientFundsError):
        adopt(lost)
    assert money(lost) == before


def test_only_what_is_in_doubt_is_adopted(lost):
    with psycopg.connect(lost.dsn) as owner:
        restores.clear(owner, form(lost)["payment_number"], "asked", "sample")
    before = money(lost)
    with pytest.raises(AdoptionRefusedError, match="is not in doubt"):
        adopt(lost)
    assert money(lost) == before


def test_it_needs_a_second_person_and_is_the_bill_that_was_approved(lost):
    second_person.needed(lost.dsn)
    bill = LostBill.of_form(form(lost))
    refused(lost, SecondPersonError, "needs a second person .adopt.")

    def propose(connection):
        given = {"tenant_id": bill.tenant_id, "reason": "in the treasury's list", "person": "asha"}
        return proposals.propose(connection, Act.ADOPT, bill.pi_number, parameters_of(bill), **given)

    made = on(lost, propose)
    refused(lost, SecondPersonError, "is not approved", proposal=made.id)
    digest = on(lost, lambda c: proposals.preview(c, made)).digest
    on(lost, lambda c: proposals.approve(c, made.id, "ravi", shown=digest))
    refused(lost, SecondPersonError, "is not of this act", proposal=made.id, ssu_allotment_id="other")
    adopt(lost, proposal=made.id)
    [row] = lost.rows("SELECT adopted_by FROM ifms.payment_instruction")
    assert row["adopted_by"] == "asha, approved by ravi"
    [done] = lost.rows("SELECT done_at IS NOT NULL AS done, result FROM ifms.proposal")
    assert done == {"done": True, "result": bill.pi_number}


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_pi_that_was_pending_in_the_backup_is_settled_first(adapter, treasury, copied):
    """It was declined and replaced since: the one that the treasury has is adopted once the other has ended."""
    adapter.simulators.ask_platform("POST", "settings", {"persist_ms": 0})
    failed.wage_bill(adapter, 2)
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "refuse", times=1)
    with pytest.raises(Exception, match="none of 1 call"):
        adapter.run("PI")
    adapter.went_on = copied()
    [first] = adapter.rows("SELECT * FROM ifms.payment_instruction")
    gone = {"reason": "asked", "person": "A Sample", "typed": first["pi_number"]}
    with psycopg.connect(adapter.went_on.dsn) as owner:
        manual_settlement.settle(owner, first["pi_number"], Verdict.NOT_THERE, **gone)
        owner.execute(
            "UPDATE ifms.payment SET hold_code = NULL, hold_message = NULL, held_since = NULL, polled_at = NULL"
        )
    adapter.went_on.run("PI")
    with psycopg.connect(adapter.dsn) as owner:
        restores.begin(owner, "sample")
    refused(adapter, AdoptionRefusedError, f"has PI {first['pi_number']}, PENDING; .*settle it by hand first")
    with psycopg.connect(adapter.dsn) as owner:
        manual_settlement.settle(owner, first["pi_number"], Verdict.NOT_THERE, **gone)
    adapter.run("PI")  # in doubt: nothing is made
    adopt(adapter)
    assert adapter.statuses() == {"FAILED": 1, "IN PROCESS": 1}
    assert broken(adapter) == {}
    assert_money_is_right(adapter, treasury)


# What the database itself refuses -------------------------------------------------------------------------------------


def copy_of(connection, **changes):
    """Insert a copy of the only PI, with other values."""
    copy_instructions(connection, {"id": "00000000-0000-0000-0000-000000000001"} | changes)


def test_adopting_is_no_way_to_pay_what_is_in_doubt(lost):
    """Whoever works on the ledger and says 'adopted' gets no PI that could be sent."""
    adopt(lost)
    failed.wage_bill(lost, 2)
    lost.run("PA")
    with psycopg.connect(lost.dsn) as owner:
        restores.begin(owner, "sample")
    [other] = lost.rows("SELECT * FROM ifms.payment WHERE paid_by IS NULL")
    pending = {"pi_number": "PI-SA/2026-27/900001", "payment_number": other["payment_number"], "status": "PENDING"}
    with psycopg.connect(as_worker(lost.dsn)) as worker, pytest.raises(psycopg.errors.CheckViolation) as caught:
        copy_of(worker, **pending)
        worker.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert caught.value.diag.constraint_name == "adopted_is_at_the_treasury"
    with psycopg.connect(as_worker(lost.dsn)) as worker, pytest.raises(psycopg.errors.CheckViolation) as caught:
        copy_of(worker, **pending, adopted_by=None)
    assert caught.value.diag.constraint_name == "restored_and_in_doubt"
    with psycopg.connect(lost.dsn) as owner:
        restores.clear(owner, other["payment_number"], "asked", "sample")
    with psycopg.connect(as_worker(lost.dsn)) as worker, pytest.raises(psycopg.errors.CheckViolation) as caught:
        copy_of(worker, **pending)
    assert caught.value.diag.constraint_name == "adopted_was_lost"
    with psycopg.connect(lost.dsn) as owner, pytest.raises(psycopg.errors.CheckViolation, match="adopted"):
        owner.execute("UPDATE ifms.payment_instruction SET adopted_by = NULL")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"tenant": None}, "tenant is missing"),
        ({"pi_number": " "}, "pi_number is missing"),
        ({"reason": "\t"}, "reason is missing"),
        ({"person": ""}, "person is missing"),
        ({"allotment_serial_no": True}, "allotment_serial_no is missing"),
        ({"allotment_serial_no": "1.5"}, "whole number"),
        ({"bill_date": "07.04.2026"}, "bill_date must be like"),
        ({"amount": "1"}, "'amount' is none of"),
    ],
)
def test_a_form_that_says_too_little_is_refused(changes, match):
    whole = {
        "tenant": "od.samplea",
        "pi_number": "PI-SA/2026-27/000001",
        "bill_date": "2026-04-07",
        "payment_number": "EP/0/2026-27/1",
        "master_allotment_id": "1",
        "ssu_allotment_id": "2",
        "allotment_serial_no": 1,
        "reason": "seen",
        "person": "A Sample",
    }
    assert LostBill.of_form(whole).bill_date == datetime(2026, 4, 6, 18, 30, tzinfo=UTC)
    with pytest.raises(BadInputError, match=match):
        LostBill.of_form(whole | changes)
