"""A person says what became of a PENDING PI."""

import psycopg
import pytest
from support.adapter import assert_money_is_right
from support.uncertain import a_day_later, on, pi, red, reserved, resubmit

from ifms.errors import ConflictError, SweepError
from ifms.services import by_hand
from ifms.services.by_hand import Verdict

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})


def settle(adapter, verdict, **changes):
    number = pi(adapter)["pi_number"]
    values = {"reason": "asked by phone", "person": "a tester", "typed": number} | changes
    return on(adapter, lambda c: by_hand.settle(c, number, verdict, **values))


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
