"""A submission whose outcome is not known is settled by facts alone: never a second accepted bill, never a green guess."""

import json
from datetime import timedelta

import psycopg
import pytest
from support import failed
from support.adapter import assert_money_is_right

from ifms.errors import SweepError, SweepNeedsAttentionError
from ifms.ledger import phrases
from ifms.ledger.database import Database
from ifms.ledger.payments import release_holds
from ifms.services import by_hand
from ifms.services.by_hand import Verdict
from ifms.services.cor import Order

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})

UNKNOWN_BILL = "Bill not received in JIT-FS"
DUPLICATE = "Duplicate Payment Information Id"


@pytest.fixture
def due(adapter):
    """One payment that waits for its PI, with funds."""
    adapter.simulators.ask_platform("POST", "settings", {"persist_ms": 0})
    failed.wage_bill(adapter, 2)
    adapter.run("VA")
    adapter.run("PA")
    return adapter


@pytest.fixture
def lost(due, treasury):
    """Its PI was accepted, and the reply lost."""
    treasury.rule("PI", "lost_reply", times=1)
    with pytest.raises(SweepError):
        due.run("PI")
    return due


def pi(adapter, number=None):
    rows = adapter.rows("SELECT * FROM ifms.payment_instruction ORDER BY created_at")
    return rows[-1] if number is None else next(row for row in rows if row["pi_number"] == number)


def reserved(adapter):
    return adapter.rows("SELECT sum(reserved_amount) AS n FROM ifms.sanction")[0]["n"]


def on(adapter, work):
    with Database(lambda: psycopg.connect(adapter.dsn)) as db:
        return db.transact(work)


def resubmit(adapter):
    numbers = [row["payment_number"] for row in adapter.rows("SELECT payment_number FROM ifms.payment")]
    on(adapter, lambda c: release_holds(c, numbers))


def a_day_later(adapter, by=timedelta(hours=25)):
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.payment_instruction SET absent_since = absent_since - %s", (by,))


def red(adapter, match, service="PI"):
    with pytest.raises(SweepNeedsAttentionError, match=match):
        adapter.run(service)


def stays_pending(adapter, treasury, number):
    row = pi(adapter)
    assert (row["pi_number"], row["status"], row["uncertain"]) == (number, "PENDING", True)
    assert reserved(adapter) == row["net_amount"]
    assert_money_is_right(adapter, treasury)


@pytest.mark.parametrize(
    "again",
    [
        "JIT Bill No {n} already exists",
        "Insufficient fund",
        "Wrong IFSC provided in Beneficiary Details for BenefId BN/1",
    ],
)
def test_a_second_submission_that_is_refused_declines_nothing(lost, treasury, again):
    """Whatever the second one is refused for: the treasury has the first."""
    number = pi(lost)["pi_number"]
    treasury.rule("PIS", "error", errorMsg=UNKNOWN_BILL, times=1)
    treasury.rule("PI", "error", errorMsg=again.format(n=number), times=1)
    red(lost, "refused: ")
    stays_pending(lost, treasury, number)
    assert again.split("{")[0] in pi(lost)["error_message"]
    lost.run("PI")  # PIS shows it now
    assert pi(lost)["status"] == "INITIATED"
    assert treasury.accepted == {number: 1}
    assert_money_is_right(lost, treasury)


@pytest.mark.parametrize("text", ["SSU user mapping not found", "DDO code not found", "Response not received from RBI"])
def test_what_pis_says_about_something_else_has_nothing_sent(lost, treasury, text):
    number, calls = pi(lost)["pi_number"], treasury.state["calls"]["PI"]
    treasury.rule("PIS", "error", errorMsg=text)
    red(lost, f"PIS says what nobody knows: {text}")
    assert treasury.state["calls"]["PI"] == calls
    stays_pending(lost, treasury, number)


def test_empty_data_never_means_that_the_treasury_lacks_it(due, treasury):
    """It is also the answer about a bill that waits for its SSU."""
    treasury.settings(pace_seconds=3600)
    treasury.rule("PI", "lost_reply", times=1)
    with pytest.raises(SweepError):
        due.run("PI")
    number = pi(due)["pi_number"]
    treasury.rule("PI", "error", errorMsg="Insufficient fund", times=1)
    red(due, "refused: Insufficient fund")
    for _ in range(3):
        a_day_later(due)
        red(due, "PIS has no news of it")
        stays_pending(due, treasury, number)
    assert pi(due)["absent_since"] is None
    assert_money_is_right(due, treasury)


class TestTwiceUnknown:
    """Refused, and its status service says twice, a day apart, that it does not know the bill: then it has FAILED."""

    @pytest.fixture
    def refused(self, due, treasury):
        """A submission that never arrived, then one that was refused for want of funds; PIS knows no bill."""
        treasury.rule("PI", "http_status", status=503, times=1)
        with pytest.raises(SweepError):
            due.run("PI")
        treasury.rule("PI", "error", errorMsg="Insufficient fund", times=1)
        red(due, "refused: Insufficient fund")
        return due

    def test_a_day_apart_it_is_declined(self, refused, treasury):
        number = pi(refused)["pi_number"]
        red(refused, "refused: Insufficient fund; PIS does not know it")
        stays_pending(refused, treasury, number)
        red(refused, "refused: Insufficient fund; PIS does not know it")
        stays_pending(refused, treasury, number)
        a_day_later(refused, timedelta(hours=23))
        red(refused, "PIS does not know it")
        stays_pending(refused, treasury, number)
        a_day_later(refused, timedelta(hours=2))
        refused.run("PI")
        assert pi(refused)["status"] == "FAILED"
        assert reserved(refused) == 0
        assert treasury.accepted == {}
        log = refused.rows("SELECT message FROM ifms.status_log WHERE to_status = 'FAILED'")
        assert "PIS does not know it since" in log[0]["message"]
        assert_money_is_right(refused, treasury)
        refused.relay()

    def test_an_answer_that_is_not_that_begins_the_day_anew(self, refused, treasury):
        red(refused, "PIS does not know it")
        assert pi(refused)["absent_since"] is not None
        treasury.settings(unknown_bill="empty")
        red(refused, "PIS has no news of it")
        assert pi(refused)["absent_since"] is None
        treasury.settings(unknown_bill="error")
        a_day_later(refused)
        red(refused, "PIS does not know it")
        assert pi(refused)["status"] == "PENDING"

    def test_before_the_payment_gets_another_its_number_is_asked_about(self, refused, treasury):
        """It turns up after all: the payment waits for a person, and reconciliation is red."""
        red(refused, "PIS does not know it")
        a_day_later(refused)
        refused.run("PI")
        first = pi(refused)["pi_number"]
        resubmit(refused)
        treasury.rule("PIS", "error", errorMsg="Sample text that nobody knows", times=1)
        red(refused, f"PI {first} is FAILED here, but its outcome was once not known, and PIS says: Sample text")
        assert refused.rows("SELECT hold_code FROM ifms.payment") == [{"hold_code": "PI_IN_DOUBT"}]
        refused.run("PI")
        assert len(refused.rows("SELECT FROM ifms.payment_instruction")) == 1, "it waits for a person"
        resubmit(refused)
        refused.run("PI")
        assert treasury.accepted == {pi(refused)["pi_number"]: 1}
        assert pi(refused)["pi_number"] != first
        assert_money_is_right(refused, treasury)

    def test_one_that_the_treasury_shows_is_never_replaced(self, refused, treasury):
        red(refused, "PIS does not know it")
        a_day_later(refused)
        refused.run("PI")
        row = pi(refused)
        shown = {
            "serviceId": "PIS", "errorMsg": None,
            "data": [{"pmtInstId": "1", "payInstDate": "2026-11-27 10:00:00", "jitBillNumber": row["pi_number"],
                      "billNetAmount": str(row["net_amount"])}],
        }  # fmt: skip
        treasury.rule("PIS", "plain_reply", text=json.dumps(shown))
        resubmit(refused)
        red(refused, f"PI {row['pi_number']} is FAILED here.*and PIS shows it: the treasury has it")
        treasury.clear()
        assert len(refused.rows("SELECT FROM ifms.payment_instruction")) == 1
        with pytest.raises(SweepNeedsAttentionError, match="is FAILED here, and the treasury has it"):
            refused.reconcile()


class TestFirstSubmission:
    """Of the only submission that was made the treasury's word counts, where it is known."""

    def test_a_duplicate_means_that_the_number_is_taken(self, due, treasury):
        treasury.rule("PI", "error", errorMsg=DUPLICATE, times=1)
        red(due, "the treasury has its number already, by something that was not sent from here")
        number = pi(due)["pi_number"]
        stays_pending(due, treasury, number)
        for _ in range(2):  # PIS knows nothing of it: for ever, until a person says what it is
            red(due, "PIS does not know it")
            a_day_later(due)
        stays_pending(due, treasury, number)
        assert treasury.accepted == {}

    def test_a_duplicate_that_pis_shows_with_amount_and_count_is_ours(self, due, treasury):
        """A proxy has sent it twice: the reply to the second came back."""
        treasury.rule("PI", "error_after_acceptance", errorMsg=DUPLICATE, times=1)
        due.run("PI")
        assert pi(due)["status"] == "INITIATED"
        assert treasury.accepted == {pi(due)["pi_number"]: 1}
        assert_money_is_right(due, treasury)

    @pytest.mark.parametrize(
        "text",
        ["Internal Server Error. Please try after some time", "Sample text that nobody knows", UNKNOWN_BILL],
    )
    def test_any_other_text_declines_nothing(self, due, treasury, text):
        treasury.rule("PI", "error", errorMsg=text, times=1)
        red(due, f"refused: {text}")
        stays_pending(due, treasury, pi(due)["pi_number"])
        assert due.rows("SELECT hold_code FROM ifms.payment") == [{"hold_code": None}]

    def test_a_text_about_another_time_is_sent_again_under_its_number(self, due, treasury):
        treasury.rule("PI", "error", errorMsg="Internal Server Error. Please try after some time", times=1)
        red(due, "Internal Server Error")
        due.run("PI")
        assert treasury.accepted == {pi(due)["pi_number"]: 1}
        assert pi(due)["status"] == "INITIATED"

    def test_once_its_words_are_known_it_is_declined_by_them(self, due, treasury):
        treasury.rule("PI", "error", errorMsg="Scheme 13145 is closed for this office", times=1)
        red(due, "Scheme 13145 is closed")
        [answer] = on(due, phrases.unknown_answers)
        assert (answer.service_id, answer.times, answer.waiting) == ("PI", 1, 1)
        on(
            due,
            lambda c: phrases.add_phrase(
                c,
                ["PI"],
                "Scheme {number} is closed for this office",
                "content error",
                reason="asked",
                added_by="a tester",
            ),
        )
        assert on(due, phrases.unknown_answers) == []
        calls = treasury.state["calls"]
        sweep = due.run("PI")
        assert sweep.counts["declined"] == 1
        assert treasury.state["calls"] == calls, "nothing had to be asked"
        assert pi(due)["status"] == "FAILED"
        assert_money_is_right(due, treasury)

    def test_a_later_one_is_accepted_once_its_words_are_known_for_a_duplicate(self, lost, treasury):
        number = pi(lost)["pi_number"]
        treasury.rule("PIS", "error", errorMsg=UNKNOWN_BILL)
        treasury.rule("PI", "error", errorMsg=f"JIT Bill No {number} already exists", times=1)
        red(lost, "already exists")
        on(
            lost,
            lambda c: phrases.add_phrase(
                c, ["PI", "COR"], "JIT Bill No {bill} already exists", "duplicate", reason="asked", added_by="a tester"
            ),
        )
        lost.run("PI")
        assert pi(lost)["status"] == "INITIATED"
        assert_money_is_right(lost, treasury)

    def test_known_words_decline_at_once(self, due, treasury):
        treasury.rule("PI", "error", errorMsg="Insufficient fund", times=1)
        due.run("PI")
        assert (pi(due)["status"], pi(due)["uncertain"]) == ("FAILED", False)
        assert reserved(due) == 0

    def test_a_known_and_an_unknown_text_together_decline_nothing(self, due, treasury):
        texts = [{"errorMsg": "Insufficient fund"}, {"errorMsg": "Sample text that nobody knows"}]
        treasury.rule("PI", "error", errorMsgs=texts, times=1)
        red(due, "refused: Insufficient fund; Sample text")
        stays_pending(due, treasury, pi(due)["pi_number"])


class TestRevisions:
    """The same for a revised PI, whose status service is FTPS."""

    @pytest.fixture
    def mended(self, adapter):
        adapter.simulators.ask_platform("POST", "settings", {"persist_ms": 0})
        failed.paid_and_failed(adapter, 2, 1)
        failed.mend(adapter)
        return adapter

    def test_a_second_submission_that_is_refused_declines_nothing(self, mended, treasury):
        treasury.settings(pace_seconds=3600)
        treasury.rule("COR", "lost_reply", times=1)
        with pytest.raises(SweepError):
            mended.correct()
        treasury.rule("COR", "error", errorMsg="Beneficiary is in another correction bill", times=1)
        with pytest.raises(SweepNeedsAttentionError, match="refused: Beneficiary is in another correction bill"):
            mended.correct()
        [revision] = failed.revisions(mended)
        assert (revision["status"], revision["uncertain"]) == ("PENDING", True)
        assert_money_is_right(mended, treasury)

    def test_a_duplicate_on_the_first_submission_is_no_acceptance(self, mended, treasury):
        treasury.rule("COR", "error", errorMsg=DUPLICATE, times=1)
        with pytest.raises(SweepNeedsAttentionError, match="has its number already"):
            mended.correct()
        [revision] = failed.revisions(mended)
        assert revision["status"] == "PENDING"
        assert revision["pi_number"] not in treasury.accepted

    def test_a_failed_one_that_may_be_there_is_asked_about_before_the_next(self, mended, treasury):
        treasury.rule("COR", "http_status", status=503, times=1)
        with pytest.raises(SweepError):
            mended.correct()
        [first] = failed.revisions(mended)
        number = first["pi_number"]
        on(
            mended,
            lambda c: by_hand.settle(
                c, number, Verdict.NOT_THERE, reason="the treasury was asked", person="a tester", typed=number
            ),
        )
        treasury.rule("FTPS", "error", errorMsg="Sample text that nobody knows", times=1)
        order = Order(failed.TENANT, failed.original(mended)["pi_number"])
        mended.correct(order)  # a person has said so, and nothing shows it
        assert [row["status"] for row in failed.revisions(mended)] == ["FAILED", "INITIATED"]
        assert_money_is_right(mended, treasury)


class TestByHand:
    """A person says what became of a PENDING PI."""

    def settle(self, adapter, verdict, **changes):
        number = pi(adapter)["pi_number"]
        values = {"reason": "asked by phone", "person": "a tester", "typed": number} | changes
        return on(adapter, lambda c: by_hand.settle(c, number, verdict, **values))

    def test_accepted_its_money_is_spent_and_its_status_service_asked(self, lost, treasury):
        self.settle(lost, Verdict.ACCEPTED)
        row = pi(lost)
        assert (row["status"], row["settled_by"]) == ("INITIATED", "a tester")
        [log] = lost.rows("SELECT status, message FROM ifms.status_log WHERE to_status = 'INITIATED'")
        assert log["status"] == "STATUS_LOG_PI_SETTLED_BY_HAND"
        assert log["message"] == "settled by hand, accepted, by a tester: asked by phone"
        lost.run("PIS")
        assert pi(lost)["status"] == "APPROVED"
        lost.reconcile()
        assert_money_is_right(lost, treasury)

    def test_not_there_its_money_is_free_and_its_payment_gets_another_when_pis_agrees(self, due, treasury):
        treasury.rule("PI", "http_status", status=503, times=1)
        with pytest.raises(SweepError):
            due.run("PI")
        self.settle(due, Verdict.NOT_THERE)
        assert (pi(due)["status"], reserved(due)) == ("FAILED", 0)
        resubmit(due)
        due.run("PI")
        assert treasury.accepted == {pi(due)["pi_number"]: 1}
        assert pi(due)["status"] == "INITIATED"
        due.reconcile()
        assert_money_is_right(due, treasury)

    def test_not_there_is_not_believed_when_pis_shows_it(self, lost, treasury):
        first = pi(lost)["pi_number"]
        self.settle(lost, Verdict.NOT_THERE)
        resubmit(lost)
        red(lost, f"PI {first} is FAILED here.*PIS shows it")
        assert treasury.accepted == {first: 1}

    def test_what_can_t_be_settled(self, lost):
        for changes, told in (
            ({"reason": "  "}, "needs a reason"),
            ({"person": ""}, "name of who does it"),
            ({"typed": "PI-SA/2026-27/999999"}, "to confirm: nothing was changed"),
        ):
            with pytest.raises(Exception, match=told):
                self.settle(lost, Verdict.ACCEPTED, **changes)
        with psycopg.connect(lost.dsn) as connection:
            connection.execute(
                "UPDATE ifms.payment_instruction SET claim_token = gen_random_uuid(), claimed_until = now() + interval '1 min'"
            )
        with pytest.raises(Exception, match="is under way"):
            self.settle(lost, Verdict.ACCEPTED)
        with psycopg.connect(lost.dsn) as connection:
            connection.execute("UPDATE ifms.payment_instruction SET claimed_until = now() - interval '1 min'")
        self.settle(lost, Verdict.ACCEPTED)
        with pytest.raises(Exception, match="only a PENDING one"):
            self.settle(lost, Verdict.NOT_THERE)

    def test_a_copy_that_wakes_up_afterwards_writes_nothing(self, lost):
        """Its claim had run out; the person's word stands."""
        token = "00000000-0000-0000-0000-000000000001"
        with psycopg.connect(lost.dsn) as connection:
            connection.execute(
                "UPDATE ifms.payment_instruction SET claim_token = %s, claimed_until = now() - interval '1 min'",
                (token,),
            )
        self.settle(lost, Verdict.ACCEPTED)
        assert pi(lost)["claim_token"] is None


def test_the_database_refuses_a_guess(lost):
    """PENDING and uncertain, it does not fail without a fact, whoever writes it."""
    with psycopg.connect(lost.dsn) as connection, pytest.raises(psycopg.IntegrityError, match="may have arrived"):
        connection.execute("UPDATE ifms.payment_instruction SET uncertain = true WHERE status = 'PENDING'")
        connection.execute("UPDATE ifms.payment_instruction SET status = 'FAILED' WHERE status = 'PENDING'")
    with psycopg.connect(lost.dsn) as connection, pytest.raises(psycopg.IntegrityError, match="is not unsaid"):
        connection.execute("UPDATE ifms.payment_instruction SET uncertain = true")
        connection.execute("UPDATE ifms.payment_instruction SET uncertain = false")
