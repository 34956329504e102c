"""A person says what became of a PENDING PI, or cancels one that was never sent."""

from datetime import timedelta
from unittest.mock import Mock
from uuid import UUID

import psycopg
import pytest
from support import failed
from support.adapter import assert_money_is_right
from support.uncertain import a_day_later, a_due_payment, nobody_listens, on, pi, red, reserved, resubmit

from ifms.errors import BadInputError, ClaimLostError, ConflictError, SweepError
from ifms.ledger import instructions
from ifms.ledger.claims import Claim
from ifms.services import manual_settlement
from ifms.services.manual_settlement import Verdict
from ifms.sweep.submission import Sender

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}, after=a_due_payment)


def settle(adapter, verdict, **changes):
    number = pi(adapter)["pi_number"]
    values = {"reason": "asked by phone", "person": "a tester", "typed": number} | changes
    return on(adapter, lambda c: manual_settlement.settle(c, number, verdict, **values))


def test_accepted_its_money_is_spent_and_its_status_service_asked(lost, treasury):
    settle(lost, Verdict.ACCEPTED)
    row = pi(lost)
    assert (row["status"], row["settled_by"]) == ("INITIATED", "a tester")
    [log] = lost.rows("SELECT status, message FROM ifms.status_log WHERE to_status = 'INITIATED'")
    assert log["status"] == "STATUS_LOG_PI_SETTLED_BY_HAND"
    assert log["message"] == "settled by hand, accepted, by a tester: asked by phone"
    lost.run("PIS")
    assert pi(lost)["status"] == "APPROVED"
    lost.reconcile()
    assert_money_is_right(lost, treasury)


def test_not_there_its_money_is_free_and_its_payment_gets_another_when_pis_agrees(due, treasury):
    treasury.rule("PI", "http_status", status=503, times=1)
    with pytest.raises(SweepError):
        due.run("PI")
    settle(due, Verdict.NOT_THERE)
    assert (pi(due)["status"], reserved(due)) == ("FAILED", 0)
    resubmit(due)
    due.run("PI")
    assert treasury.accepted == {pi(due)["pi_number"]: 1}
    assert pi(due)["status"] == "INITIATED"
    due.reconcile()
    assert_money_is_right(due, treasury)


@pytest.fixture
def abandoned(due, monkeypatch):
    """Its PI was accepted; the sweep died before it wrote so, and its claim has run out."""
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Sender, "settle", Mock(side_effect=KeyboardInterrupt))
        due.run("PI")
    with psycopg.connect(due.dsn) as connection:
        connection.execute("UPDATE ifms.payment_instruction SET claimed_until = now() - interval '1 min'")
    row = pi(due)
    assert (row["status"], row["last_attempt"], row["uncertain"]) == ("PENDING", "sending", False)
    return due


def test_one_whose_sweep_died_before_it_settled_is_asked_about_before_another(abandoned, treasury):
    first = pi(abandoned)["pi_number"]
    settle(abandoned, Verdict.NOT_THERE)
    resubmit(abandoned)
    red(abandoned, f"PI {first} is FAILED here.*PIS shows it")
    assert treasury.accepted == {first: 1}


def test_the_database_keeps_it_in_doubt(abandoned):
    with (
        psycopg.connect(abandoned.dsn) as connection,
        pytest.raises(psycopg.errors.CheckViolation, match="stays in doubt when a person settles it"),
    ):
        connection.execute("UPDATE ifms.payment_instruction SET settled_by = 'a tester', status = 'FAILED'")


def test_not_there_is_not_believed_when_pis_shows_it(lost, treasury):
    first = pi(lost)["pi_number"]
    settle(lost, Verdict.NOT_THERE)
    resubmit(lost)
    red(lost, f"PI {first} is FAILED here.*PIS shows it")
    assert treasury.accepted == {first: 1}


def test_what_can_t_be_settled(lost):
    for changes, told in (
        ({"reason": "  "}, "needs a reason"),
        ({"person": ""}, "name of who does it"),
        ({"typed": "PI-SA/2026-27/999999"}, "to confirm: nothing was changed"),
    ):
        with pytest.raises(Exception, match=told):
            settle(lost, Verdict.ACCEPTED, **changes)
    with psycopg.connect(lost.dsn) as connection:
        connection.execute(
            "UPDATE ifms.payment_instruction SET claim_token = gen_random_uuid(), claimed_until = now() + interval '1 min'"
        )
    with pytest.raises(Exception, match="is under way"):
        settle(lost, Verdict.ACCEPTED)
    with psycopg.connect(lost.dsn) as connection:
        connection.execute("UPDATE ifms.payment_instruction SET claimed_until = now() - interval '1 min'")
    settle(lost, Verdict.ACCEPTED)
    with pytest.raises(Exception, match="only a PENDING one"):
        settle(lost, Verdict.NOT_THERE)


def test_a_copy_that_wakes_up_afterwards_writes_nothing(lost):
    """Its claim had run out; the person's word stands."""
    token = "00000000-0000-0000-0000-000000000001"
    with psycopg.connect(lost.dsn) as connection:
        connection.execute(
            "UPDATE ifms.payment_instruction SET claim_token = %s, claimed_until = now() - interval '1 min'",
            (token,),
        )
    settle(lost, Verdict.ACCEPTED)
    assert pi(lost)["claim_token"] is None


def test_one_that_failed_in_doubt_is_cleared_by_a_person_when_its_status_service_never_tells(refused, treasury):
    """PIS answers with empty data for ever: it proves nothing."""
    red(refused, "PIS does not know it")
    a_day_later(refused)
    refused.run("PI")
    first = pi(refused)["pi_number"]
    treasury.settings(unknown_bill="empty")
    resubmit(refused)
    red(refused, f"PI {first} is FAILED here.*has no news of it")
    with pytest.raises(ConflictError, match="its money is given back"):
        settle(refused, Verdict.ACCEPTED)
    settle(refused, Verdict.NOT_THERE)
    row = pi(refused)
    assert (row["status"], row["settled_by"]) == ("FAILED", "a tester")
    with pytest.raises(ConflictError, match="only a PENDING one"):
        settle(refused, Verdict.NOT_THERE)
    resubmit(refused)
    refused.run("PI")
    assert treasury.accepted == {pi(refused)["pi_number"]: 1}
    refused.reconcile()
    assert_money_is_right(refused, treasury)


# Cancelling -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def unsent(due):
    """Its PI was written and never sent."""
    with nobody_listens(due):
        due.run("PI")
    assert pi(due)["last_attempt"] == "never_sent"
    return due


def cancel(adapter, number=None, **changes):
    number = number or pi(adapter)["pi_number"]
    values = {"reason": " the bill is\n wrong ", "person": "a tester", "typed": number} | changes
    return on(adapter, lambda c: manual_settlement.cancel(c, number, **values))


def test_one_that_was_never_sent_is_cancelled_and_its_payment_waits_for_a_person(unsent, treasury):
    first = pi(unsent)
    cancel(unsent)
    row = pi(unsent)
    assert (row["status"], row["cancelled_by"], row["is_active"], reserved(unsent)) == ("FAILED", "a tester", False, 0)
    said = "cancelled before it was sent, by a tester: the bill is wrong"
    [log] = unsent.rows("SELECT status, message, from_status FROM ifms.status_log WHERE to_status = 'FAILED'")
    assert log == {"status": "STATUS_LOG_PI_CANCELLED", "message": said, "from_status": "PENDING"}
    [payment] = unsent.rows("SELECT paid_by, hold_code, hold_message FROM ifms.payment")
    assert payment == {
        "paid_by": None,
        "hold_code": "PI_CANCELLED",
        "hold_message": f"PI {first['pi_number']} was {said}",
    }
    [told] = unsent.rows("SELECT payload FROM ifms.outbox WHERE topic = 'payment_status' ORDER BY id DESC LIMIT 1")
    assert (told["payload"]["status"], told["payload"]["referenceStatus"]) == ("FAILED", "PAYMENT_FAILED")
    unsent.run("PI")
    assert treasury.accepted == {}
    assert unsent.statuses() == {"FAILED": 1}
    resubmit(unsent)
    unsent.run("PI")
    assert treasury.accepted == {pi(unsent)["pi_number"]: 1}
    assert pi(unsent)["pi_number"] != first["pi_number"]
    unsent.reconcile()
    assert_money_is_right(unsent, treasury)


def test_a_revision_that_was_never_sent_is_cancelled_and_another_may_follow(adapter, treasury):
    failed.paid_and_failed(adapter)
    failed.mend(adapter)
    with nobody_listens(adapter):
        adapter.correct()
    [revision] = failed.revisions(adapter)
    cancel(adapter, revision["pi_number"])
    [log] = adapter.rows("SELECT status FROM ifms.status_log WHERE to_status = 'FAILED'")
    assert log == {"status": "STATUS_LOG_COR_CANCELLED"}
    assert len(failed.failing(adapter)) == 1
    adapter.correct()
    assert [row["status"] for row in failed.revisions(adapter)] == ["FAILED", "INITIATED"]
    adapter.reconcile()
    assert_money_is_right(adapter, treasury)


def test_one_that_may_have_arrived_is_not_cancelled(lost):
    with pytest.raises(ConflictError, match="may have arrived at the treasury .its last attempt: unknown"):
        cancel(lost)
    assert (pi(lost)["status"], pi(lost)["cancelled_by"]) == ("PENDING", None)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ("last_attempt = 'sending'", "may have arrived"),
        ("last_attempt = NULL", "may have arrived"),
        ("uncertain = true", "may have arrived"),
        ("held_back = true", "may have arrived"),
        ("claim_token = gen_random_uuid(), claimed_until = now() + interval '1 min'", "is under way"),
    ],
)
def test_what_can_t_be_cancelled_the_database_refuses_too(unsent, changed, told):
    with psycopg.connect(unsent.dsn) as connection:
        connection.execute(f"UPDATE ifms.payment_instruction SET {changed}")
    with pytest.raises(ConflictError, match=told):
        cancel(unsent)
    with psycopg.connect(unsent.dsn) as connection, pytest.raises(psycopg.errors.CheckViolation, match="not cancelled"):
        connection.execute("UPDATE ifms.payment_instruction SET status = 'FAILED', cancelled_by = 'x'")


def test_cancelling_needs_a_reason_a_name_and_the_number(unsent):
    for changes, told in (
        ({"reason": "  "}, "needs a reason"),
        ({"person": ""}, "name of who does it"),
        ({"typed": "PI-SA/2026-27/999999"}, "to confirm: nothing was changed"),
        ({"number": "PI-SA/2026-27/999999"}, "is not known here"),
    ):
        with pytest.raises(BadInputError, match=told):
            cancel(unsent, **changes)
    cancel(unsent)
    with pytest.raises(ConflictError, match="only a PENDING one is cancelled"):
        cancel(unsent)
    with psycopg.connect(unsent.dsn) as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("UPDATE ifms.payment_instruction SET cancelled_by = 'somebody else'")


def test_a_copy_that_wakes_up_after_its_pi_was_cancelled_sends_nothing(unsent):
    token = "00000000-0000-0000-0000-000000000001"
    with psycopg.connect(unsent.dsn) as connection:
        connection.execute(
            "UPDATE ifms.payment_instruction SET claim_token = %s, claimed_until = now() - interval '1 min'", (token,)
        )
    number = pi(unsent)["pi_number"]
    before = on(unsent, lambda c: instructions.find(c, [number]))[number]
    cancel(unsent)
    with pytest.raises(ClaimLostError):
        on(unsent, lambda c: instructions.attempt(c, before, Claim(UUID(token), timedelta(minutes=1)), uncertain=False))
