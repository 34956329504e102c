"""A FAILED PI of the Java adapter that the treasury may have is never followed by a second accepted bill."""

import uuid
from contextlib import suppress
from itertools import product

import psycopg
import pytest
from support.java import broken, imported

from ifms.errors import SweepError, SweepNeedsAttentionError
from ifms.importing.doubts import errors_of, refused_for_its_content
from ifms.ledger.database import Database
from ifms.ledger.payments import release_holds
from ifms.ledger.phrases import add_phrase, withdraw_phrase
from ifms.services.correction_order import Order
from ifms.sweep.scope import Scope
from ifms.wire.phrasebook import shipped

NO_FUNDS = "PAYMENT_INSUFFICIENT_FUNDS"
UNANSWERED = 'I/O error on POST request for "https://treasury.example/service": Read timed out'
WRONG_IFSC = "[{errorCode=340, errorMsg=Wrong IFSC provided in Beneficiary Details for BenefId BN/1}]"


class Java:
    """What the Java adapter's database is made to say."""

    def __init__(self, world):
        self.world, self.database = world, world.database

    def unanswered(self, number, error=UNANSWERED):
        """The treasury accepted it, and the answer timed out: FAILED, no money booked. Returns its payment."""
        run = self.database.run
        [pi] = run("SELECT * FROM jit_payment_inst_details WHERE pinumber = %s", number)
        for spent in run("SELECT * FROM jit_transaction_details WHERE paymentinstid = %s", pi["id"]):
            run(
                "UPDATE jit_funds_summary SET availableamount = availableamount + %s WHERE sanctionid = %s",
                spent["transactionamount"],
                spent["sanctionid"],
            )
        run("DELETE FROM jit_transaction_details WHERE paymentinstid = %s", pi["id"])
        run(
            "UPDATE jit_payment_inst_details SET pistatus = 'FAILED', isactive = false, pierrorresp = %s, lastmodifiedby = 'test' WHERE id = %s",
            error,
            pi["id"],
        )
        run("UPDATE jit_beneficiary_details SET paymentstatus = 'Payment Failed' WHERE piid = %s", pi["id"])
        return pi["muktareferenceid"]

    def another(self, number, like, error, minutes):
        """A further FAILED PI of the same payment, made so many minutes later."""
        run, keep = self.database.run, self.database.keep
        [pi] = run("SELECT * FROM jit_payment_inst_details WHERE pinumber = %s", like)
        later = {t: pi[t] + minutes * 60_000 for t in ("createdtime", "lastmodifiedtime")}
        key = str(uuid.uuid4())
        row = {"id": key, "pinumber": number, "pistatus": "FAILED", "isactive": False, "pierrorresp": error}
        keep("jit_payment_inst_details", **(pi | later | row | {"lastmodifiedby": "test"}))
        for person in run("SELECT * FROM jit_beneficiary_details WHERE piid = %s", pi["id"]):
            lines = run("SELECT lineitemid FROM jit_beneficiary_lineitems WHERE beneficiaryid = %s", person["id"])
            named = {"id": str(uuid.uuid4()), "piid": key, "beneficiarynumber": f"{person['beneficiarynumber']}X"}
            keep("jit_beneficiary_details", **(person | named | {"paymentstatus": "Payment Failed"}))
            for line in lines:
                keep("jit_beneficiary_lineitems", beneficiaryid=named["id"], lineitemid=line["lineitemid"])

    def taken_out(self, number):
        """Its rows, which are not there yet: put them back with what is returned."""
        run = self.database.run
        [pi] = run("SELECT * FROM jit_payment_inst_details WHERE pinumber = %s", number)
        key = pi["id"]
        rows = [("jit_payment_inst_details", pi)]
        lines = run(
            "SELECT * FROM jit_beneficiary_lineitems WHERE beneficiaryid IN (SELECT id FROM jit_beneficiary_details WHERE piid = %s)",
            key,
        )
        rows += [("jit_beneficiary_lineitems", line) for line in lines]
        run(
            "DELETE FROM jit_beneficiary_lineitems WHERE beneficiaryid IN (SELECT id FROM jit_beneficiary_details WHERE piid = %s)",
            key,
        )
        for table in ("jit_beneficiary_details", "jit_payment_advice_details", "jit_pi_status_logs"):
            rows += [(table, row) for row in run(f"SELECT * FROM {table} WHERE piid = %s", key)]
            run(f"DELETE FROM {table} WHERE piid = %s", key)
        run("DELETE FROM jit_payment_inst_details WHERE id = %s", key)
        return lambda: [self.database.keep(table, **row) for table, row in rows]


@pytest.fixture
def java(java_world, here):
    return Java(java_world)


def payment(here, number):
    [row] = here.rows("SELECT * FROM ifms.payment WHERE payment_number = %s", number)
    return row


def instructions(here, number):
    rows = here.rows("SELECT * FROM ifms.payment_instruction WHERE payment_number = %s ORDER BY created_at", number)
    return {row["pi_number"]: row for row in rows}


def release(here, number):
    with Database(lambda: psycopg.connect(here.dsn)) as db:
        db.transact(lambda c: release_holds(c, [number]))


def held_and_red(here, number, *named):
    row = payment(here, number)
    assert (row["paid_by"], row["hold_code"]) == (None, "PI_IN_DOUBT")
    assert all(pi in row["hold_message"] for pi in named), row["hold_message"]
    assert [f for f in broken(here)["earlier_numbers_are_known"] if number in f]


def never_paid_twice(java, here, number, pi):
    """However often it is tried, by itself and resubmitted: `pi`, which the treasury has, stays its only bill."""
    accepted = java.world.treasury.accepted
    assert accepted[pi] == 1
    held_and_red(here, number, pi)
    before = instructions(here, number)
    here.run("PI", Scope(payments=(number,)))
    assert instructions(here, number).keys() == before.keys()
    for _ in range(2):
        release(here, number)
        with pytest.raises(SweepNeedsAttentionError, match=f"{pi} is FAILED here.*PIS shows it"):
            here.run("PI", Scope(payments=(number,)))
        held_and_red(here, number, pi)
        assert f"PI {pi} of " in broken(here)["failed_is_not_at_the_treasury"][0]
    assert instructions(here, number).keys() == before.keys()
    assert java.world.treasury.accepted == accepted


def test_one_that_was_unanswered_and_then_had_no_funds(java, here):
    """Not only the newest speaks for its payment, and what waits for funds is not in doubt for it."""
    pi = java.world.number["INITIATED"]
    number = java.unanswered(pi)
    java.another("PI-SA/2024-25/900001", pi, NO_FUNDS, 60)
    report = imported(java.world, here)
    assert report.misfits == []
    assert [remark for remark in report.remarks if pi in remark]
    rows = instructions(here, number)
    assert {n: (r["uncertain"], r["last_attempt"]) for n, r in rows.items()} == {
        pi: (True, "unknown"),
        "PI-SA/2024-25/900001": (False, "never_sent"),
    }
    never_paid_twice(java, here, number, pi)


def test_a_payment_that_this_ledger_knew_and_held_for_another_reason(java, here):
    pi = java.world.number["APPROVED"]
    number = java.unanswered(pi)
    here.run("PI", Scope(payments=(number,)))  # before the import it knew no sanction
    assert payment(here, number)["hold_code"] == NO_FUNDS
    imported(java.world, here)
    never_paid_twice(java, here, number, pi)


def test_one_that_comes_with_a_later_import(java, here):
    pi = java.world.number["IN PROCESS"]
    number = java.unanswered(pi)
    java.another("PI-SA/2024-25/900002", pi, NO_FUNDS, -60)
    come = java.taken_out(pi)
    imported(java.world, here)
    assert payment(here, number)["hold_code"] == NO_FUNDS
    come()
    assert imported(java.world, here).misfits == []
    never_paid_twice(java, here, number, pi)


@pytest.mark.parametrize(
    "error", [None, UNANSWERED, "PAYMENT_FAILED", "Duplicate Payment Information Id", "<h1>502</h1>"]
)
def test_resubmitting_asks_about_it(java, here, error):
    """The page's and the API's button, after every error that does not say that the treasury lacks it."""
    pi = java.world.number["SUCCESSFUL"]
    number = java.unanswered(pi, error)
    imported(java.world, here)
    never_paid_twice(java, here, number, pi)


def test_a_revision_is_asked_about_before_another(java, here):
    original = java.world.number["COMPLETED"]
    run, treasury = java.database.run, java.world.treasury
    [revision] = run("SELECT * FROM jit_payment_inst_details WHERE parentpinumber = %s", original)
    java.unanswered(revision["pinumber"])
    run("UPDATE jit_payment_inst_details SET pistatus = 'PARTIAL' WHERE pinumber = %s", original)
    report = imported(java.world, here)
    assert [remark for remark in report.remarks if revision["pinumber"] in remark]
    assert payment(here, revision["muktareferenceid"])["paid_by"] is not None
    accepted, asked = treasury.accepted, treasury.state["calls"].get("COR", 0)
    assert revision["pinumber"] in accepted
    for _ in range(2):
        with pytest.raises(SweepNeedsAttentionError, match=f"{revision['pinumber']} is FAILED here.*FTPS shows it"):
            here.correct(Order("od.samplea", original))
    assert treasury.accepted == accepted
    assert treasury.state["calls"].get("COR", 0) == asked
    assert "failed_is_not_at_the_treasury" in broken(here)


def test_one_that_the_treasury_lacks_gets_a_successor_once_it_was_asked(java, here):
    pi = java.world.number["INITIATED"]
    number = java.unanswered(pi)
    java.another("PI-SA/2024-25/900003", pi, UNANSWERED, 60)
    java.taken_out(pi)  # that one the treasury has; here it is about the other
    imported(java.world, here)
    held_and_red(here, number, "PI-SA/2024-25/900003")
    assert imported(java.world, here).changed == 0
    release(here, number)
    imported(java.world, here)  # what a person has released, the next import does not hold again
    assert payment(here, number)["hold_code"] is None
    java.world.treasury.rule("PI", "refuse")  # no further bill at the treasury of all these tests
    try:
        with suppress(SweepError):
            here.run("PI", Scope(payments=(number,)))
    finally:
        java.world.treasury.clear()
    made = [row["status"] for row in instructions(here, number).values() if row["imported_at"] is None]
    assert made == ["PENDING"]
    assert payment(here, number)["paid_by"] is not None
    assert "earlier_numbers_are_known" not in broken(here)


def test_what_was_refused_for_its_content_is_not_in_doubt(java, here):
    pi = java.world.number["INITIATED"]
    number = java.unanswered(pi, WRONG_IFSC)
    report = imported(java.world, here)
    assert not [remark for remark in report.remarks if pi in remark]
    [row] = instructions(here, number).values()
    assert (row["uncertain"], row["last_attempt"]) == (False, "rejected")
    assert payment(here, number)["hold_code"] == "PI_REJECTED"
    assert broken(here) == {}


def test_a_phrase_of_the_site_counts_until_it_is_withdrawn(java, here):
    pi = java.world.number["INITIATED"]
    number = java.unanswered(pi, "Sample: this head is closed")
    with psycopg.connect(here.dsn) as owner:
        phrase, _ = add_phrase(
            owner, ["PI"], "Sample: this head is closed", "content error", reason="asked", added_by="sample"
        )
    imported(java.world, here)
    assert [row["uncertain"] for row in instructions(here, number).values()] == [False]
    assert broken(here) == {}
    with psycopg.connect(here.dsn) as owner:
        assert withdraw_phrase(owner, phrase, reason="it was wrong", withdrawn_by="another") == [pi]
    assert [row["uncertain"] for row in instructions(here, number).values()] == [True]
    never_paid_twice(java, here, number, pi)


def test_each_phrase_of_the_site_by_which_each_pi_has_ended_is_kept(java, here):
    """Withdrawing any of them puts each of these in doubt."""
    pi, other = java.world.number["INITIATED"], "PI-SA/2024-25/900005"
    texts = ("Sample: this head is closed", "Sample: so is this office")
    said = f"[{', '.join(f'{{errorCode=null, errorMsg={text}}}' for text in texts)}]"
    java.unanswered(pi, said)
    java.another(other, pi, said, 60)
    with psycopg.connect(here.dsn) as owner:
        added = [
            add_phrase(owner, ["PI"], text, "content error", reason="asked", added_by="sample")[0] for text in texts
        ]
    imported(java.world, here)
    kept = here.rows(
        "SELECT pi_number AS pi, phrase_id AS phrase FROM ifms.ended_by_phrase e "
        "JOIN ifms.payment_instruction p ON p.id = e.payment_instruction_id"
    )
    assert sorted((row["pi"], row["phrase"]) for row in kept) == sorted(product((pi, other), added))


def test_one_that_has_a_live_successor_is_in_doubt_all_the_same(java, here):
    """Both may have been paid: that is said, and what is paid goes on."""
    pi = java.world.number["INITIATED"]
    java.another("PI-SA/2024-25/900004", pi, UNANSWERED, -60)
    report = imported(java.world, here)
    assert [r for r in report.remarks if "900004" in r and "paid beside the one that has" in r]
    rows = {r["pi_number"]: r for r in here.rows("SELECT * FROM ifms.payment_instruction")}
    assert rows["PI-SA/2024-25/900004"]["uncertain"]
    row = payment(here, rows[pi]["payment_number"])
    assert (row["paid_by"], row["hold_code"]) == (rows[pi]["id"], None)
    # The SSU rejects the live one: its payment is free, and the older number as much in doubt as before.
    run, keep = java.database.run, java.database.keep
    [debit] = run(
        "SELECT t.* FROM jit_transaction_details t JOIN jit_payment_inst_details p ON p.id = paymentinstid WHERE pinumber = %s",
        pi,
    )
    run("UPDATE jit_payment_inst_details SET pistatus = 'FAILED', pierrorresp = 'rejected' WHERE pinumber = %s", pi)
    run("UPDATE jit_beneficiary_details SET paymentstatus = 'Payment Failed' WHERE piid = %s", debit["paymentinstid"])
    keep("jit_transaction_details", **(debit | {"id": str(uuid.uuid4()), "transactiontype": "REVERSAL"}))
    run(
        "UPDATE jit_funds_summary SET availableamount = availableamount + %s WHERE sanctionid = %s",
        debit["transactionamount"],
        debit["sanctionid"],
    )
    assert imported(java.world, here).misfits == []
    held_and_red(here, rows[pi]["payment_number"], "PI-SA/2024-25/900004")


def test_one_that_can_not_be_asked_about_stays_in_doubt(java, here):
    """The city has two SSUs, and nobody knows which of them had it."""
    pi = java.world.number["INITIATED"]
    number = java.unanswered(pi)
    imported(java.world, here)
    with psycopg.connect(here.dsn) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE ifms.payment_instruction SET ssu_id = '' WHERE pi_number = %s", (pi,))
    release(here, number)
    with pytest.raises(SweepNeedsAttentionError, match="can't be asked"):
        here.run("PI", Scope(payments=(number,)))
    held_and_red(here, number, pi)


@pytest.mark.parametrize(
    ("kept", "errors"),
    [
        ("Insufficient fund", [(None, "Insufficient fund")]),
        (WRONG_IFSC, [("340", "Wrong IFSC provided in Beneficiary Details for BenefId BN/1")]),
        ("[{errorCode=340, errorMsg=a, b}, {errorMsg=c, errorCode=7}]", [("340", "a, b"), ("7", "c")]),
        ("[{errorCode=null, errorMsg=a}]", [(None, "a")]),
        ("[{errorCode=340}, {errorMsg=a}]", [(None, "[{errorCode=340}, {errorMsg=a}]")]),
        ("[]", [(None, "[]")]),
        ("", [(None, "")]),
    ],
)
def test_what_the_java_adapter_kept_of_a_reply(kept, errors):
    assert [(e.code, e.message) for e in errors_of(kept)] == errors


@pytest.mark.parametrize(
    ("pi_type", "kept", "refused"),
    [
        ("ORIGINAL", WRONG_IFSC, True),
        ("REVISED", WRONG_IFSC.replace("340", "322"), True),
        ("ORIGINAL", "Insufficient fund", True),
        ("ORIGINAL", "insufficient  fund.", True),
        ("ORIGINAL", f"{WRONG_IFSC[:-1]}, {{errorCode=9, errorMsg=Bill received}}]", False),
        ("ORIGINAL", "502 Bad Gateway: Insufficient fund", False),
        ("ORIGINAL", "Duplicate Payment Information Id", False),
        ("ORIGINAL", "Internal Server Error. Please try after some time", False),
        ("ORIGINAL", "Beneficiary BN/1 not in the original PI", False),
        ("REVISED", "Beneficiary BN/1 not in the original PI", True),
        ("ORIGINAL", None, False),
    ],
)
def test_only_known_content_errors_say_that_the_treasury_lacks_it(pi_type, kept, refused):
    assert refused_for_its_content(shipped(), pi_type, "PI-SA/2026-27/000001", kept) is refused
