"""Failed and corrected payments, from the bank's failure to the revision that pays, on a real ledger and simulators."""

import contextlib
import json
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg
import pytest
from support.adapter import assert_money_is_right
from support.databases import rewrite
from support.failed import (
    TENANT,
    a_paid_bill,
    choices,
    fail,
    failing,
    give,
    long_ago,
    mend,
    none_is_wrong,
    one_account,
    order,
    original,
    paid_by,
    payee_of,
    revisions,
    sent,
)
from support.keys import account_numbers
from support.uncertain import DUPLICATE, nobody_listens, on

from ifms.cities import Cities
from ifms.errors import SweepNeedsAttentionError, SweepUnreachableError, TreasuryLoginError
from ifms.ledger import failures
from ifms.ledger.invariants import find_violations
from ifms.ledger.runs import RunContext
from ifms.platform.client import PlatformClient
from ifms.queries.search import Criteria, find
from ifms.services import cor
from ifms.services.cor import Corrections
from ifms.services.correction_order import Order
from ifms.services.instruction_draft import sendable_address
from ifms.services.manual_settlement import cancel
from ifms.sweep.scope import Scope

ONE_CITY = {"cities": 1, "bills_per_city": 0}

pytestmark = pytest.mark.simulators(platform=ONE_CITY, after=a_paid_bill)


def assert_each_took_one_number(pis):
    numbers = [int(pi["pi_number"].rpartition("/")[2]) for pi in pis]
    assert numbers == list(range(numbers[0], numbers[0] + len(pis)))


def beneficiary_statuses(adapter, pi):
    rows = adapter.rows("SELECT status FROM ifms.beneficiary WHERE payment_instruction_id = %s", pi["id"])
    return Counter(row["status"] for row in rows)


def told(adapter):
    return adapter.rows("SELECT payload FROM ifms.outbox ORDER BY id")[-1]["payload"]


def test_a_failed_payment_is_corrected_and_paid(failed, treasury):
    mend(failed)
    failed.correct(order(failed))
    revision = revisions(failed)[0]
    assert revision["status"] == "INITIATED"
    assert revision["pi_number"].startswith("COR-")
    assert beneficiary_statuses(failed, revision) == Counter({"Payment In Process": 1})
    assert original(failed)["status"] == "COMPLETED"
    assert told(failed)["lineStatus"] == "INITIATED"
    failed.run("FTPS")
    revision = revisions(failed)[0]
    assert revision["status"] == "SUCCESSFUL"
    assert revision["pa_bill_ref_number"]
    assert beneficiary_statuses(failed, revision) == Counter({"Payment Successful": 1})
    assert told(failed) == {
        "paymentNumber": revision["payment_number"],
        "status": "SUCCESSFUL",
        "referenceStatus": "PAYMENT_SUCCESS",
    }
    failed.run("FTFPS")
    assert revisions(failed)[0]["status"] == "SUCCESSFUL"
    assert failing(failed) == []
    assert_money_is_right(failed, treasury)


def by_bill(adapter, number):
    with psycopg.connect(adapter.dsn) as connection:
        return {line.pi_number for line in find(connection, Criteria(bill_number=number), Cities.ALL).lines}


@pytest.mark.parametrize("new_original", [False, True], ids=["revised", "repayment"])
def test_what_pays_failed_beneficiaries_keeps_bill_and_work_order_numbers(failed, new_original):
    if new_original:
        long_ago(failed)
    mend(failed)
    failed.correct(order(failed, new_original=new_original))
    details = original(failed)["additional_details"]
    assert details["billNumber"]
    assert details["referenceId"]
    both = failed.rows("SELECT * FROM ifms.payment_instruction_summary")
    assert len(both) == 2
    assert [row["bill_numbers"] for row in both] == [details["billNumber"]] * 2
    assert [row["work_order_numbers"] for row in both] == [details["referenceId"]] * 2
    assert by_bill(failed, details["billNumber"][0]) == {row["pi_number"] for row in both}
    rows = failed.rows("SELECT additional_details FROM ifms.payment_instruction")
    assert [row["additional_details"] for row in rows] == [details] * 2  # what the PI index is told


def test_the_treasury_gets_the_three_accounts(failed, treasury):
    before = failed.rows("SELECT account_last4, ifsc FROM ifms.beneficiary WHERE status = 'Payment Failed'")[0]
    mend(failed)
    failed.correct(order(failed))
    sent = treasury.state["corrections"][0]["params"]
    row = sent["beneficiaryDetails"][0]
    assert row["orgAccountNo"] == row["curAccountNo"]
    assert row["orgAccountNo"].endswith(before["account_last4"])
    assert row["correctedAccountNo"] == "000099990001"
    assert sent["jitOrgBillRefNo"] == row["jitCurBillRefNo"] == original(failed)["pa_bill_ref_number"]


def test_the_other_list_key_is_sent_when_the_connection_says_so(failed, treasury):
    treasury.settings(correction_list_key="beneficiaryDtls")
    failed.treasury_changes = {"correction_list_key": "beneficiaryDtls"}
    mend(failed)
    failed.correct(order(failed))
    assert revisions(failed)[0]["status"] == "INITIATED"


# Whom a revision pays -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [True, False], ids=["by its number", "all that are due"])
def test_those_who_are_mended_are_revised_and_the_others_can_be_later(paid, three, treasury, asked):
    one, two, other = three(mended=1)
    sweep = paid.correct(*([order(paid)] if asked else []))
    [first] = revisions(paid)
    assert (first["status"], paid_by(paid, first)) == ("INITIATED", [one])
    assert sweep.counts["left_out"] == 2
    assert (original(paid)["status"], sorted(failing(paid))) == ("PARTIAL", [two, other])
    if asked:
        assert any(f"{two}, {other}: the bank account is the one that failed" in text for text in sweep.problems)
    mend(paid, account="000077770001", numbers=[two, other])
    assert paid.correct().counts["waiting_for_correction"] == 1  # until what becomes of the first is known
    assert len(revisions(paid)) == 1
    paid.run("FTPS")
    paid.correct()
    assert [paid_by(paid, each) for each in revisions(paid)] == [[one], [two, other]]
    assert original(paid)["status"] == "COMPLETED"
    paid.run("FTPS")
    assert told(paid)["status"] == "SUCCESSFUL"
    assert (failing(paid), choices(paid)) == ([], [])
    none_is_wrong(paid, treasury)


def test_whom_a_revision_has_left_out_is_kept_for_whoever_asked(paid, three, monkeypatch):
    """The page shows them beside it."""
    one, two, other = three(mended=1)
    asked, correct = [], Corrections.correct

    def remember(self, orders):
        asked.append(self)
        correct(self, orders)

    monkeypatch.setattr(Corrections, "correct", remember)
    paid.correct(order(paid))
    [corrections] = asked
    kept = {each.beneficiary_number: each.beneficiary_id for each in corrections.left_out}
    assert kept == {number: payee_of(paid, number) for number in (two, other)}
    assert [paid_by(paid, each) for each in revisions(paid)] == [[one]]


def test_an_account_that_is_right_is_paid_once_more_on_purpose_and_the_name_stays(paid, three, treasury):
    one, two, other = three(mended=2)
    paid.correct(order(paid, beneficiary_numbers=(one, two), same_account=(other,), by="sample-person"))
    [revision] = revisions(paid)
    assert (revision["status"], paid_by(paid, revision)) == ("INITIATED", [one, two, other])
    sent = {row["benefId"]: row for row in treasury.state["corrections"][0]["params"]["beneficiaryDetails"]}
    on_purpose = sent[other]
    assert on_purpose["orgAccountNo"] == on_purpose["curAccountNo"] == on_purpose["correctedAccountNo"]
    assert sent[one]["curAccountNo"] != sent[one]["correctedAccountNo"]
    assert not any("same" in name.casefold() for name in on_purpose)
    assert choices(paid) == [f"paid to the account that failed, on purpose, by sample-person: {other}"]
    rows = paid.rows("SELECT beneficiary_number FROM ifms.beneficiary WHERE same_account_by = 'sample-person'")
    assert [row["beneficiary_number"] for row in rows] == [other]
    paid.run("FTPS")
    assert (original(paid)["status"], failing(paid)) == ("COMPLETED", [])
    assert told(paid)["status"] == "SUCCESSFUL"
    none_is_wrong(paid, treasury)


def test_only_who_is_named_on_purpose_is_revised(paid, three, treasury):
    one, two, other = three(mended=2)
    paid.correct(order(paid, same_account=(other,), by="sample-person"))
    assert [paid_by(paid, each) for each in revisions(paid)] == [[other]]
    assert sorted(failing(paid)) == [one, two]
    none_is_wrong(paid, treasury)


def test_who_failed_again_on_the_same_account_takes_another_choice(failed, treasury):
    [number] = failing(failed)
    for _ in range(2):
        failed.correct(order(failed, same_account=(number,), by="sample-person"))
        failed.run("FTPS")
        fail(failed, "all", revisions(failed)[-1]["pi_number"])
        failed.run("FTFPS")
        assert failing(failed) == [number]
        assert failed.correct().counts["waiting_for_correction"] == 1  # no sweep does it by itself
    assert len(revisions(failed)) == 2
    none_is_wrong(failed, treasury)


@pytest.mark.parametrize("effect", ["lost_reply", "refuse"])
def test_a_choice_whose_outcome_is_not_known_is_sent_again_as_it_was(failed, treasury, effect):
    [number] = failing(failed)
    treasury.rule("COR", effect)
    chosen = order(failed, same_account=(number,), by="sample-person")
    with pytest.raises((SweepNeedsAttentionError, SweepUnreachableError)):
        failed.correct(chosen)
    treasury.clear()
    with pytest.raises(SweepNeedsAttentionError, match="on its way"):  # settled first; the same request makes no second
        failed.correct(chosen)
    assert [row["status"] for row in revisions(failed)] == ["INITIATED"]
    [correction] = treasury.state["corrections"]
    assert correction["conflicts"] == 0
    assert len(choices(failed)) == 1
    none_is_wrong(failed, treasury)


def test_a_run_that_is_tried_again_or_cleared_makes_no_second_revision(failed, treasury):
    [number] = failing(failed)
    chosen = order(failed, same_account=(number,), by="sample-person")

    def run(run_id, *orders):
        sweep = failed.sweep("COR")
        sweep.context = RunContext("ifms_cor", run_id)
        with sweep:
            failed.work(sweep, orders=orders)
        return sweep

    def fails_again():
        failed.run("FTPS")
        fail(failed, "all", revisions(failed)[-1]["pi_number"])
        failed.run("FTFPS")

    run("first", chosen)
    fails_again()
    again = run("first", chosen)
    assert any("makes no second one" in text for text in again.problems)
    assert len(revisions(failed)) == 1
    run("second", chosen)  # another choice by a person
    assert len(revisions(failed)) == 2
    fails_again()
    mend(failed)
    run("second")  # of all that are due, whoever is due by then
    assert len(revisions(failed)) == 3
    none_is_wrong(failed, treasury)


def test_who_is_under_correction_or_paid_is_refused_by_name_and_the_others_with_them(paid, three, treasury):
    one, two, other = three(mended=2)
    paid.correct(order(paid, beneficiary_numbers=(one,)))
    both = order(paid, beneficiary_numbers=(one, two))
    with pytest.raises(SweepNeedsAttentionError, match="on its way"):
        paid.correct(both)
    paid.run("FTPS")
    with pytest.raises(SweepNeedsAttentionError, match=f"{one} has not failed"):
        paid.correct(both)
    assert (len(revisions(paid)), sorted(failing(paid))) == (1, [two, other])
    none_is_wrong(paid, treasury)


def test_who_has_no_account_is_said_and_keeps_nobody_waiting(paid, three, treasury, simulators):
    one, two, other = three(mended=1)
    for number in (two, other):
        change = {"tenantId": TENANT, "referenceId": payee_of(paid, number), "isActive": False}
        simulators.ask_platform("POST", "accounts", change)
    said = rf"^2 problem.* beneficiary ({two}|{other}) .*no active primary bank account"
    with pytest.raises(SweepNeedsAttentionError, match=said):
        paid.correct()
    assert [paid_by(paid, each) for each in revisions(paid)] == [[one]]
    assert sorted(failing(paid)) == [two, other]
    none_is_wrong(paid, treasury)


def test_two_with_one_account_go_one_after_the_other(paid, three, treasury):
    one, two, other = three(mended=2)
    mend(paid, numbers=[other])
    with pytest.raises(SweepNeedsAttentionError, match=f"{other}: it has the same account as {one}"):
        paid.correct(order(paid, beneficiary_numbers=(one, two, other)))
    assert revisions(paid) == []
    for _ in range(2):
        paid.correct()
        paid.run("FTPS")
    assert [paid_by(paid, each) for each in revisions(paid)] == [[one, two], [other]]
    none_is_wrong(paid, treasury)


def test_a_new_original_pays_two_with_one_account_one_after_the_other(paid, three, treasury):
    one, two, other = three(mended=2)
    mend(paid, numbers=[other])
    long_ago(paid)
    named = order(paid, new_original=True, beneficiary_numbers=(one, two, other))
    with pytest.raises(SweepNeedsAttentionError, match=f"{other}: it has the same account as {one}"):
        paid.correct(named)
    assert sent(paid, "ORIGINAL") == []
    for _ in range(2):
        paid.correct(order(paid, new_original=True))
        for service in ("PIS", "PAG", "PD"):
            paid.run(service)
    assert [paid_by(paid, each) for each in sent(paid, "ORIGINAL")] == [[one, two], [other]]
    none_is_wrong(paid, treasury)


@pytest.mark.parametrize("named", [True, False])
def test_who_failed_before_ftps_told_its_references_keeps_nobody_waiting(paid, three, treasury, named):
    one, two, _ = three(mended=1)
    paid.correct()
    [first] = revisions(paid)
    fail_before_its_references(treasury, first["pi_number"], one)
    paid.run("FD")
    treasury.clear()
    assert sorted(failing(paid))[:2] == [one, two]
    mend(paid, [one, two], account="000077770001")
    asked = [order(paid, beneficiary_numbers=(one, two))] if named else []
    with pytest.raises(SweepNeedsAttentionError, match=f"{one} failed in {first['pi_number']} before FTPS has told"):
        paid.correct(*asked)
    assert [paid_by(paid, each) for each in revisions(paid)[1:]] == ([] if named else [[two]])
    none_is_wrong(paid, treasury)


def fail_before_its_references(treasury, number, beneficiary):
    """FD tells of a revision's failure while FTPS has not told its references."""
    today = f"{datetime.now(UTC) + timedelta(hours=5.5):%Y-%m-%d}"
    failure = {"benfId": beneficiary, "failedReason": "Account closed", "challanNumber": "777"}
    row = {"billNumber": number, "voucherDate": today, "benfDtls": [failure]}
    treasury.rule("FD", "plain_reply", text=json.dumps({"serviceId": "FD", "errorMsg": None, "data": [row]}))


@pytest.mark.simulators(platform=ONE_CITY)
@pytest.mark.parametrize("new_original", [False, True], ids=["revised", "repayment"])
def test_two_payees_are_paid_on_one_account_or_not_at_all(adapter, treasury, new_original):
    """They had one account and are one beneficiary; by now each has his own, or one of them."""
    one, two = one_account(adapter)
    if new_original:
        long_ago(adapter)
    asked = [order(adapter, new_original=True)] if new_original else []
    for payee, account in ((two, "000099990002"), (one, "000099990001")):
        give(adapter, payee, account)
        with pytest.raises(SweepNeedsAttentionError, match=f"({one}|{two}), ({one}|{two}), whose accounts differ now"):
            adapter.correct(*asked)
    assert sent(adapter) == sent(adapter, "ORIGINAL") == []
    give(adapter, two, "000099990001")
    adapter.correct(*asked)
    [made] = sent(adapter, "ORIGINAL" if new_original else "REVISED")
    assert account_numbers(adapter.dsn)[f"{made['pi_number']} {paid_by(adapter, made)[0]}"] == "000099990001"
    none_is_wrong(adapter, treasury)


def test_a_revision_that_was_never_sent_is_not_sent_after_its_last_day(failed, treasury):
    mend(failed)
    with nobody_listens(failed):
        failed.correct(order(failed))
    [revision] = revisions(failed)
    assert revision["last_attempt"] == "never_sent"
    long_ago(failed)
    for _ in range(2):
        with pytest.raises(
            SweepNeedsAttentionError, match=f"{revision['pi_number']} can't be sent again: it was never"
        ):
            failed.correct()
    assert (revisions(failed)[0]["status"], treasury.state["corrections"]) == ("PENDING", [])
    on(failed, partial(cancel, pi_number=revision["pi_number"], typed=revision["pi_number"], reason="late", person="p"))
    failed.correct(order(failed, new_original=True))
    assert (len(sent(failed, "ORIGINAL")), failing(failed)) == (1, [])
    none_is_wrong(failed, treasury)


def test_one_that_may_have_arrived_is_settled_after_its_last_day(failed, treasury):
    mend(failed)
    treasury.rule("COR", "lost_reply")
    with pytest.raises(SweepUnreachableError):
        failed.correct(order(failed))
    treasury.clear()
    long_ago(failed)
    failed.correct()
    assert revisions(failed)[0]["status"] == "INITIATED"


def test_who_is_too_late_keeps_nobody_waiting_and_nobody_is_chosen_too_late(paid, three, treasury):
    one, two, _ = three(mended=2)
    rewrite(paid.dsn, "UPDATE ifms.beneficiary SET failed_on = failed_on - 120 WHERE beneficiary_number = %s", [one])
    with pytest.raises(SweepNeedsAttentionError, match=f"{one}: it could be corrected until"):
        paid.correct(order(paid, beneficiary_numbers=(one, two)))
    assert revisions(paid) == []
    paid.correct()
    assert [paid_by(paid, each) for each in revisions(paid)] == [[two]]
    none_is_wrong(paid, treasury)


def test_eight_choices_at_once_make_one_revision(paid, three, treasury):
    one, two, other = three(mended=2)
    chosen = order(paid, beneficiary_numbers=(one, two), same_account=(other,), by="sample-person")

    def choose():
        with contextlib.suppress(SweepNeedsAttentionError):
            paid.correct(chosen)

    threads = [threading.Thread(target=choose) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [paid_by(paid, each) for each in revisions(paid)] == [[one, two, other]]
    assert len(treasury.state["corrections"]) == len(choices(paid)) == 1
    none_is_wrong(paid, treasury)


def test_three_revisions_in_a_chain(failed, treasury):
    for number in range(1, 4):
        mend(failed, account=f"00009999{number:04d}")
        failed.correct(order(failed))
        failed.run("FTPS")
        revision = revisions(failed)[-1]
        assert revision["status"] == "SUCCESSFUL"
        if number < 3:
            fail(failed, "all", revision["pi_number"])
            failed.run("FTFPS")
            assert revisions(failed)[-1]["status"] == "PARTIAL"
            assert len(failing(failed)) == 1
    assert [row["status"] for row in revisions(failed)] == ["COMPLETED", "COMPLETED", "SUCCESSFUL"]
    assert_each_took_one_number(revisions(failed))
    last = treasury.state["corrections"][-1]["params"]["beneficiaryDetails"][0]
    assert last["curAccountNo"] == "000099990002"
    assert last["orgAccountNo"] not in (last["curAccountNo"], last["correctedAccountNo"])
    assert last["jitCurBillRefNo"] == revisions(failed)[1]["pa_bill_ref_number"]
    assert failing(failed) == []
    assert_money_is_right(failed, treasury)


def test_a_second_failure_of_a_partial_pi_counts(failed, treasury):
    fail(failed, 2)
    failed.run("FD")
    assert original(failed)["status"] == "PARTIAL"
    assert len(failing(failed)) == 2
    mend(failed)
    failed.correct(order(failed))
    assert original(failed)["status"] == "COMPLETED"
    assert revisions(failed)[0]["beneficiary_count"] == 2


def test_a_failure_after_the_others_were_corrected_can_be_corrected_too(failed):
    """The Java adapter loses it: it looks at SUCCESSFUL PIs only."""
    mend(failed)
    failed.correct(order(failed))
    failed.run("FTPS")
    fail(failed, 2)
    failed.run("FD")
    assert original(failed)["status"] == "COMPLETED"
    late = failing(failed)
    assert len(late) == 1
    mend(failed, account="000099995555")
    failed.correct(order(failed))
    failed.run("FTPS")
    assert [row["status"] for row in revisions(failed)] == ["SUCCESSFUL", "SUCCESSFUL"]
    assert failing(failed) == []


def test_some_of_the_failed_ones_are_corrected_and_the_pi_stays_partial(paid, treasury):
    fail(paid, 2)
    paid.run("FD")
    one = sorted(failing(paid))[0]
    mend(paid, numbers=[one])
    paid.correct(order(paid, beneficiary_numbers=(one,)))
    paid.run("FTPS")
    assert original(paid)["status"] == "PARTIAL"
    assert told(paid)["status"] == "PARTIAL"
    assert told(paid)["lineStatus"] == "SUCCESSFUL"
    assert len(failing(paid)) == 1


REFUSALS = {
    "another city's": (lambda a: Order("od.sampleb", original(a)["pi_number"]), "does not exist"),
    "unknown": (lambda a: Order(TENANT, "PI-SA/2000-01/000001"), "does not exist"),
    "a stranger": (lambda a: order(a, beneficiary_numbers=("BN-XX/1",)), "has no beneficiary BN-XX/1"),
    "not changed": (order, "is the one that failed.*, or choose the same account on purpose$"),
    "still correctable": (lambda a: order(a, new_original=True), "can still be corrected"),
}


@pytest.mark.parametrize(("asked", "said"), REFUSALS.values(), ids=REFUSALS.keys())
def test_is_refused_with_a_clear_reason_and_nothing_is_sent(failed, treasury, asked, said):
    with pytest.raises(SweepNeedsAttentionError, match=said):
        failed.correct(asked(failed))
    assert treasury.state["calls"].get("COR", 0) == 0
    assert revisions(failed) == []


def test_a_paid_beneficiary_is_not_paid_again(failed):
    good = failed.rows("SELECT beneficiary_number FROM ifms.beneficiary WHERE status = 'Payment Successful' LIMIT 1")[0]
    with pytest.raises(SweepNeedsAttentionError, match="has not failed"):
        failed.correct(order(failed, beneficiary_numbers=(good["beneficiary_number"],)))
    assert revisions(failed) == []


def test_all_that_are_due_are_corrected_and_the_others_wait(failed):
    sweep = failed.correct()
    assert sweep.counts["waiting_for_correction"] == 1
    assert revisions(failed) == []
    mend(failed)
    failed.correct()
    assert len(revisions(failed)) == 1
    assert failed.correct().counts["waiting_for_correction"] == 0


def test_a_declined_revision_leaves_its_beneficiaries_failed_and_another_may_follow(failed, treasury):
    mend(failed)
    number = failing(failed)[0]
    text = f"Wrong IFSC provided in Beneficiary Details for BenefId {number}"
    treasury.rule("COR", "error", times=1, errorMsgs=[{"errorCode": "322", "errorMsg": text}])
    failed.correct(order(failed))
    first = revisions(failed)[0]
    assert (first["status"], first["is_active"]) == ("FAILED", False)
    row = failed.rows("SELECT * FROM ifms.beneficiary WHERE payment_instruction_id = %s", first["id"])[0]
    assert (row["status"], row["status_message"]) == ("Payment Failed", text)
    assert original(failed)["status"] == "PARTIAL"
    assert failing(failed) == [number]
    failed.correct(order(failed))
    assert revisions(failed)[1]["status"] == "INITIATED"


@pytest.mark.parametrize("effect", ["lost_reply", "garbage", "refuse"])
@pytest.mark.parametrize("repeated", ["duplicate", "success"])
def test_a_revision_whose_outcome_is_not_known_is_sent_again_under_its_number(failed, treasury, effect, repeated):
    treasury.settings(repeated_pi=repeated)
    mend(failed)
    treasury.rule("COR", effect)
    with pytest.raises((SweepNeedsAttentionError, SweepUnreachableError)):
        failed.correct(order(failed))
    assert revisions(failed)[0]["status"] == "PENDING"
    treasury.clear()
    failed.correct()
    assert [row["status"] for row in revisions(failed)] == ["INITIATED"]
    corrections = treasury.state["corrections"]
    assert len(corrections) == 1
    assert corrections[0]["conflicts"] == 0
    assert failed.correct().counts["waiting_for_correction"] == 0


@pytest.mark.parametrize("shown", ["all of it", "a part"])
def test_a_duplicate_is_this_revision_where_ftps_shows_all_of_it(paid, three, treasury, shown):
    three(mended=2)
    treasury.rule("COR", "error_after_acceptance", errorMsg=DUPLICATE, times=1)
    if shown == "a part":
        treasury.rule("FTPS", "partial_scrolls", beneficiaries=1)
        with pytest.raises(SweepNeedsAttentionError, match="has its number already"):
            paid.correct()
    else:
        paid.correct()
    assert [row["status"] for row in revisions(paid)] == ["PENDING" if shown == "a part" else "INITIATED"]


def test_what_is_sent_again_is_what_was_signed(failed, treasury):
    mend(failed)
    treasury.rule("COR", "refuse")
    with pytest.raises(SweepUnreachableError):
        failed.correct(order(failed))
    treasury.clear()
    [revision] = revisions(failed)
    later = "UPDATE ifms.payment_instruction SET bill_date = bill_date + interval '1 day' WHERE id = %s"
    rewrite(failed.dsn, later, [revision["id"]])
    with pytest.raises(SweepNeedsAttentionError, match=f"{revision['pi_number']} can't be sent again"):
        failed.correct()
    assert (revisions(failed)[0]["status"], treasury.state["corrections"]) == ("PENDING", [])


def test_who_fails_once_more_while_it_is_looked_up_is_not_paid(paid, three, monkeypatch):
    """Another run has paid, and FTFPS has told of it, between the look at the accounts and the writing."""
    one, two, _ = three(mended=2)
    both, ids = order(paid, beneficiary_numbers=(one, two)), PlatformClient.new_ids

    def meanwhile(*args):
        monkeypatch.setattr(PlatformClient, "new_ids", ids)
        paid.correct(order(paid, beneficiary_numbers=(one,)))
        paid.run("FTPS")
        fail(paid, "all", revisions(paid)[0]["pi_number"])
        paid.run("FTFPS")
        return ids(*args)

    monkeypatch.setattr(PlatformClient, "new_ids", meanwhile)
    with pytest.raises(SweepNeedsAttentionError, match="has failed once more meanwhile; run it again"):
        paid.correct(both)
    assert [paid_by(paid, each) for each in revisions(paid)] == [[one]]


def test_after_the_deadline_a_new_original_pays_from_a_sanction(failed, treasury):
    long_ago(failed)
    mend(failed)
    with pytest.raises(
        SweepNeedsAttentionError, match="could be corrected until .* only; start ifms_cor with 'new original'"
    ):
        failed.correct(order(failed))
    spent = failed.rows("SELECT sum(spent_amount) AS spent FROM ifms.sanction")[0]["spent"]
    failed.correct(order(failed, new_original=True))
    anew = failed.rows("SELECT * FROM ifms.payment_instruction WHERE repayment_of IS NOT NULL")[0]
    assert (anew["pi_type"], anew["status"], anew["beneficiary_count"]) == ("ORIGINAL", "INITIATED", 1)
    assert anew["bill_date"].microsecond == 0
    assert original(failed)["status"] == "COMPLETED"
    now_spent = failed.rows("SELECT sum(spent_amount) AS spent FROM ifms.sanction")[0]["spent"]
    assert now_spent == spent + anew["net_amount"]
    for service in ("PIS", "PAG", "PD"):
        failed.run(service)
    assert failing(failed) == []
    assert told(failed)["status"] == "SUCCESSFUL"
    assert failed.statuses() == Counter(COMPLETED=1, SUCCESSFUL=1)


def test_a_declined_repayment_leaves_its_beneficiaries_failed_and_another_may_follow(failed, treasury):
    long_ago(failed)
    mend(failed)
    [number] = failing(failed)
    text = f"Wrong IFSC provided in Beneficiary Details for BenefId {number}"
    treasury.rule("PI", "error", times=1, errorMsgs=[{"errorCode": "322", "errorMsg": text}])
    failed.correct(order(failed, new_original=True))
    [declined] = failed.rows("SELECT * FROM ifms.payment_instruction WHERE repayment_of IS NOT NULL")
    assert (declined["status"], declined["is_active"]) == ("FAILED", False)
    assert beneficiary_statuses(failed, declined) == Counter({"Payment Failed": 1})
    assert (original(failed)["status"], failing(failed)) == ("PARTIAL", [number])
    assert_money_is_right(failed, treasury)
    failed.correct(order(failed, new_original=True))
    repayments = failed.rows(
        "SELECT status FROM ifms.payment_instruction WHERE repayment_of IS NOT NULL ORDER BY created_at"
    )
    assert [row["status"] for row in repayments] == ["FAILED", "INITIATED"]
    assert_money_is_right(failed, treasury)


def test_a_return_told_of_a_repayment_that_is_then_rejected_loses_nobody(failed, treasury):
    long_ago(failed)
    mend(failed)
    [number] = failing(failed)
    failed.correct(order(failed, new_original=True))
    [anew] = sent(failed, "ORIGINAL")
    told = {"billNumber": anew["pi_number"], "benfDtls": [{"benfId": number, "failedReason": "Account closed"}]}
    treasury.rule("FD", "plain_reply", text=json.dumps({"serviceId": "FD", "errorMsg": None, "data": [told]}))
    failed.run("FD")
    treasury.clear()
    assert failed.rows("SELECT pi_number FROM ifms.failed_beneficiary") == [{"pi_number": anew["pi_number"]}]
    treasury.rule("PIS", "reject", bill_number=anew["pi_number"])
    failed.run("PIS")
    [row] = failed.rows("SELECT pi_number, next_step FROM ifms.failed_beneficiary")
    assert row == {"pi_number": original(failed)["pi_number"], "next_step": "PAY ANEW"}
    superseded = "SELECT superseded_by FROM ifms.beneficiary_payment WHERE pi_number = %s AND beneficiary_number = %s"
    assert failed.rows(superseded, row["pi_number"], number) == [{"superseded_by": None}]
    treasury.clear()
    failed.correct(order(failed, new_original=True))
    assert [pi["status"] for pi in sent(failed, "ORIGINAL")] == ["FAILED", "INITIATED"]
    none_is_wrong(failed, treasury)


def test_the_days_of_a_correction_are_those_of_the_connection(failed, treasury):
    mend(failed)
    long_ago(failed, 20)
    failed.treasury_changes = {"correction_days": 19}
    with pytest.raises(SweepNeedsAttentionError, match="could be corrected until"):
        failed.correct(order(failed))
    assert failed.rows("SELECT next_step FROM ifms.failed_beneficiary") == [{"next_step": "PAY ANEW"}]
    failed.treasury_changes = {"correction_days": 20, "correction_last_day": "03-31"}
    failed.correct(order(failed))
    assert failed.rows("SELECT count(*) AS n FROM ifms.payment_instruction WHERE pi_type = 'REVISED'") == [{"n": 1}]
    assert_money_is_right(failed, treasury)


def test_a_declined_repayment_is_made_again_from_another_sanction(failed, treasury):
    long_ago(failed)
    mend(failed)
    treasury.rule("PI", "error", errorMsg="Insufficient fund", times=1)
    failed.correct(order(failed, new_original=True))
    failed.correct(order(failed, new_original=True))
    anew = failed.rows("SELECT * FROM ifms.payment_instruction WHERE repayment_of IS NOT NULL ORDER BY created_at")
    assert [row["status"] for row in anew] == ["FAILED", "INITIATED"]
    assert anew[0]["sanction_id"] != anew[1]["sanction_id"]
    assert_each_took_one_number(anew)
    assert_money_is_right(failed, treasury)


def test_accounts_that_the_ledger_does_not_know_are_told_by_the_audit_log(paid, three):
    """PIs that another system made: what they were sent with is in the platform's audit log."""
    numbers = three(mended=2)[:2]
    paid.correct()
    paid.run("FTPS")
    fail(paid, "all", revisions(paid)[0]["pi_number"])
    paid.run("FTFPS")
    rewrite(paid.dsn, "UPDATE ifms.beneficiary SET account_sealed = NULL")  # the ledger forgets none by itself
    mend(paid, account="000077770001", numbers=numbers)
    paid.correct()
    assert revisions(paid)[1]["status"] == "INITIATED"  # the treasury compares the accounts with those it paid to
    kept = paid.rows("SELECT beneficiary_number FROM ifms.beneficiary WHERE account_sealed IS NOT NULL ORDER BY 1")
    assert [row["beneficiary_number"] for row in kept] == [each for each in numbers for _ in range(3)]


def test_a_failure_is_matched_by_account_when_it_has_no_id(paid, treasury):
    fail(paid, 1)
    treasury.rule("FD", "missing_field", field="benfId")
    paid.run("FD")
    assert len(failing(paid)) == 1


@pytest.mark.parametrize("has_paid", [False, True])
def test_who_is_told_of_as_paid_by_another_transfer_waits_for_a_person(failed, has_paid):
    [number] = failing(failed)
    mend(failed)
    with psycopg.connect(failed.dsn) as connection:
        connection.execute(
            "INSERT INTO ifms.other_transfer (beneficiary_row, utr_number) SELECT id, 'RBI-OTHER' FROM ifms.beneficiary"
            " WHERE beneficiary_number = %s",
            (number,),
        )
        assert [found.invariant.name for found in find_violations(connection)] == ["one_transfer_each"]
    for asked in (order(failed), order(failed, beneficiary_numbers=(number,))):
        with pytest.raises(SweepNeedsAttentionError, match=f"{number}: the treasury also tells that it is paid by RBI"):
            failed.correct(asked)
    pi_number = original(failed)["pi_number"]
    with pytest.raises(
        SweepNeedsAttentionError, match=f"PI {pi_number}: .*{number}: the treasury also tells .* by RBI"
    ):
        failed.correct()
    assert revisions(failed) == []
    with psycopg.connect(failed.dsn) as connection:
        [found] = connection.execute("SELECT id FROM ifms.other_transfer").fetchone()
        failures.settle_transfer(connection, found, has_paid=has_paid, reason="asked the treasury", person="sample")
    failed.correct()
    assert len(revisions(failed)) == (0 if has_paid else 1)
    with psycopg.connect(failed.dsn) as connection:
        assert find_violations(connection) == []


def test_of_two_who_have_failed_the_one_whom_another_transfer_has_paid_is_left_out(paid):
    fail(paid, 2)
    paid.run("FD")
    done, due = failing(paid)
    mend(paid)
    with psycopg.connect(paid.dsn) as connection:
        connection.execute(
            "INSERT INTO ifms.other_transfer (beneficiary_row, utr_number) SELECT id, 'RBI-OTHER' FROM ifms.beneficiary"
            " WHERE beneficiary_number = %s",
            (done,),
        )
        [found] = connection.execute("SELECT id FROM ifms.other_transfer").fetchone()
        failures.settle_transfer(connection, found, has_paid=True, reason="asked the treasury", person="sample")
    paid.correct()
    [revision] = revisions(paid)
    taken = paid.rows(
        "SELECT beneficiary_number FROM ifms.beneficiary WHERE payment_instruction_id = %s", revision["id"]
    )
    assert taken == [{"beneficiary_number": due}]


def test_each_row_of_master_data_that_can_not_be_read_is_named_and_corrections_go_on(failed, simulators):
    mend(failed)
    codes = [{"code": code, "category": None, "active": True} for code in ("SAMPLE1", "SAMPLE2")]
    with PlatformClient(simulators.platform_config()) as platform:
        known = [code.wire() for code in platform.master_data().head_codes.values()]
    simulators.ask_platform(
        "POST", "masters", {"tenantId": "od", "module": "expense", "name": "HeadCodes", "data": [*known, *codes]}
    )
    sweep = failed.sweep("COR")
    with pytest.raises(SweepNeedsAttentionError, match="2 problem"), sweep:
        failed.work(sweep)
    assert [text.rpartition(" ")[2] for text in sweep.problems] == ["SAMPLE1", "SAMPLE2"]
    assert len(revisions(failed)) == 1


def test_the_sweep_tells_of_another_transfer_before_the_account_is_mended(failed):
    """Whoever mends the account then need not wait for the treasury's answer."""
    with psycopg.connect(failed.dsn) as connection:
        connection.execute(
            "INSERT INTO ifms.other_transfer (beneficiary_row, utr_number) SELECT id, 'RBI-OTHER'"
            " FROM ifms.failed_beneficiary"
        )
    with pytest.raises(SweepNeedsAttentionError, match=r"^1 problem.* is paid by RBI-OTHER"):
        failed.correct()


def test_a_failure_of_an_unknown_bill_is_kept_and_shown_once(paid, simulators):
    unknown = {"bill_number": "PI-XX/2020-21/000001", "unknown": True, "beneficiaries": ["BN-XX/1"]}
    today = datetime.now(UTC) + timedelta(hours=5.5)
    simulators.ask_treasury("POST", "failures", unknown | {"voucher_date": f"{today:%Y-%m-%d}"})
    with pytest.raises(SweepNeedsAttentionError, match="PI-XX/2020-21/000001.*matches nothing"):
        paid.run("FD")
    paid.run("FD")
    assert len(paid.rows("SELECT * FROM ifms.reported_failure")) == 1


def test_asking_again_changes_nothing(failed, treasury):
    before = failed.rows("SELECT * FROM ifms.beneficiary ORDER BY id"), failed.rows("SELECT * FROM ifms.outbox")
    failed.run("FD")
    failed.run("FD", Scope(since=datetime.now(UTC) - timedelta(days=7), until=datetime.now(UTC)))
    assert (
        failed.rows("SELECT * FROM ifms.beneficiary ORDER BY id"),
        failed.rows("SELECT * FROM ifms.outbox"),
    ) == before


def test_one_bad_row_does_not_keep_the_others(paid, treasury, simulators):
    simulators.ask_platform("POST", "bills", {"type": "wage", "tenantId": TENANT, "payees": 1})
    paid.cycle()
    numbers = [row["pi_number"] for row in paid.rows("SELECT pi_number FROM ifms.payment_instruction")]
    for number in numbers:
        fail(paid, 1, number)
    fail(paid, 1, numbers[0])
    simulators.ask_treasury(
        "POST",
        "failures",
        {
            "bill_number": "X",
            "unknown": True,
            "beneficiaries": ["B"],
            "voucher_date": f"{datetime.now(UTC) + timedelta(hours=5.5):%Y-%m-%d}",
        },
    )
    with pytest.raises(SweepNeedsAttentionError):
        paid.run("FD")
    assert paid.statuses() == Counter(PARTIAL=2)


@pytest.mark.simulators(platform=ONE_CITY)
def test_a_failure_before_the_scroll_completes_the_pi_as_partial(adapter, treasury, simulators):
    simulators.ask_platform("POST", "bills", {"type": "wage", "tenantId": TENANT, "payees": 2})
    for service in ("VA", "PA", "PI", "PIS", "PAG"):
        adapter.run(service)
    first = adapter.rows("SELECT min(beneficiary_number) AS n FROM ifms.beneficiary")[0]["n"]
    fail(adapter, [first])
    adapter.run("FD")
    assert adapter.statuses() == Counter({"IN PROCESS": 1})
    adapter.run("PD")
    assert adapter.statuses() == Counter(PARTIAL=1)
    assert failing(adapter) == [first]


def test_polling_ends_when_nothing_can_change_any_more(failed, treasury):
    mend(failed)
    failed.correct(order(failed))
    failed.run("FTPS")
    failed.run("FTFPS")
    asked = treasury.state["calls"]["FTFPS"]
    rewrite(
        failed.dsn,
        "UPDATE ifms.payment_instruction SET paid_at = now() - interval '101 days' WHERE paid_at IS NOT NULL",
    )
    failed.run("FTFPS")
    assert treasury.state["calls"]["FTFPS"] == asked


@pytest.mark.parametrize("asked", [{}, {"new_original": True}, None], ids=["revised", "repayment", "all that are due"])
def test_a_refused_login_leaves_nothing_behind(failed, treasury, asked):
    mend(failed)
    if asked:
        long_ago(failed)
    orders = [] if asked is None else [order(failed, **asked)]
    failed.treasury_changes = {"client_secret": "wrong"}
    with pytest.raises(TreasuryLoginError):
        failed.correct(*orders)
    assert failed.statuses() == Counter(PARTIAL=1)
    failed.treasury_changes = {}
    failed.correct(*orders)
    assert failed.statuses() == Counter(COMPLETED=1, INITIATED=1)
    assert_money_is_right(failed, treasury)


def test_two_runs_at_once_make_one_revision(failed, treasury):
    mend(failed)
    threads = [threading.Thread(target=failed.correct) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(revisions(failed)) == 1
    assert len(treasury.state["corrections"]) == 1


# What no other test asks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("new_original", [False, True], ids=["revised", "repayment"])
@pytest.mark.parametrize("which", [0, 1])
def test_what_the_platform_has_cancelled_since_is_not_paid_again(paid, three, simulators, new_original, which):
    numbers = three(mended=2)[:2]
    if new_original:
        long_ago(paid)
    paid.relay()
    while simulators.ask_platform("GET", "state")["waiting"]:
        pass
    [row] = paid.rows("SELECT line_item_ids FROM ifms.beneficiary WHERE beneficiary_number = %s", numbers[which])
    change = {"paymentNumber": original(paid)["payment_number"], "status": "CANCELLED", "lines": row["line_item_ids"]}
    simulators.ask_platform("POST", "statuses", change)
    rewrite(paid.dsn, "UPDATE ifms.beneficiary SET line_item_ids = line_item_ids || 'another of its lines'::text")
    with pytest.raises(SweepNeedsAttentionError, match="cancelled"):
        paid.correct(order(paid, beneficiary_numbers=tuple(numbers), new_original=new_original))
    assert sent(paid) == sent(paid, "ORIGINAL") == []


@pytest.mark.parametrize("new_original", [False, True], ids=["revised", "repayment"])
@pytest.mark.parametrize("asked", [True, False], ids=["by its number", "all that are due"])
def test_a_line_that_is_cancelled_keeps_nobody_else_waiting(paid, three, simulators, treasury, asked, new_original):
    one, two, other = three(mended=2)
    paid.relay()
    while simulators.ask_platform("GET", "state")["waiting"]:
        pass
    [row] = paid.rows("SELECT line_item_ids FROM ifms.beneficiary WHERE beneficiary_number = %s", one)
    change = {"paymentNumber": original(paid)["payment_number"], "status": "CANCELLED", "lines": row["line_item_ids"]}
    simulators.ask_platform("POST", "statuses", change)
    if new_original:
        long_ago(paid)
        asked = True
    sweep = paid.correct(*([order(paid, new_original=new_original)] if asked else []))
    made = sent(paid, "ORIGINAL" if new_original else "REVISED")
    assert [paid_by(paid, each) for each in made] == [[two, other] if new_original else [two]]
    [said] = sweep.problems
    assert f"{one}: line {row['line_item_ids'][0]} of payment" in said
    assert sweep.counts["left_out"] == (1 if new_original else 2)
    none_is_wrong(paid, treasury)


def test_who_has_no_account_keeps_nobody_out_of_a_new_original(paid, three, simulators):
    one, two, other = three(mended=1)
    long_ago(paid)
    simulators.ask_platform(
        "POST", "accounts", {"tenantId": TENANT, "referenceId": payee_of(paid, two), "isActive": False}
    )
    with pytest.raises(SweepNeedsAttentionError, match=rf"beneficiary {two} .*no active primary bank account"):
        paid.correct(order(paid, new_original=True))
    assert [paid_by(paid, each) for each in sent(paid, "ORIGINAL")] == [[one, other]]


@pytest.mark.parametrize("has_address", [True, False])
def test_who_has_no_name_in_the_ledger_is_named_as_the_registry_does(paid, three, monkeypatch, has_address):
    """The Java adapter kept none. Whoever has no address lives in the city."""
    if not has_address:
        monkeypatch.setattr(
            cor, "sendable_address", lambda payee, city: sendable_address(replace(payee, address=""), city)
        )
    numbers = three(mended=2)[:2]
    kept = "name, mobile, address, account_type"
    persons = f"SELECT {kept} FROM ifms.beneficiary WHERE payment_instruction_id = %s {{}} ORDER BY 1"
    mine = "AND beneficiary_number <> (SELECT max(beneficiary_number) FROM ifms.beneficiary)"
    before = paid.rows(persons.format(mine), original(paid)["id"])
    rewrite(
        paid.dsn,
        "UPDATE ifms.beneficiary SET name = '', mobile = '', address = '', account_type = 'OTHER', account_sealed = NULL",
    )
    paid.correct(order(paid, beneficiary_numbers=tuple(numbers)))
    [revision] = revisions(paid)
    lives = {} if has_address else {"address": "Sample City A"}
    assert paid.rows(persons.format(""), revision["id"]) == [person | lives for person in before]
    assert all(person["name"] for person in before)
    assert revision["bill_date"].microsecond == 0


@pytest.mark.parametrize("asked", [True, False], ids=["by their numbers", "all that are due"])
def test_of_two_originals_each_is_corrected(failed, treasury, asked):
    a_paid_bill(failed)
    numbers = [row["pi_number"] for row in failed.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY 1")]
    fail(failed, 2, numbers[1])
    failed.run("FD")
    mend(failed)
    treasury.rule("COR", "refuse")
    with pytest.raises(SweepUnreachableError):
        failed.correct(*([Order(TENANT, number) for number in numbers] if asked else []))
    assert sorted(row["parent_pi_number"] for row in revisions(failed)) == numbers
    treasury.clear()
    failed.correct()  # both are sent again, as they are
    assert [(row["status"], row["beneficiary_count"]) for row in revisions(failed)] == [
        ("INITIATED", 1),
        ("INITIATED", 2),
    ]
    assert_money_is_right(failed, treasury)


@pytest.mark.parametrize("short", ["0.00", "0.01"])
def test_a_new_original_is_paid_by_a_sanction_that_has_enough_for_all_of_it(paid, three, simulators, short):
    """Of the first of two units, under the first of the heads."""
    numbers = three(mended=2)[:2]
    long_ago(paid)
    rows = paid.rows("SELECT sum(amount) AS amount FROM ifms.beneficiary WHERE beneficiary_number = ANY(%s)", numbers)
    has = "CASE WHEN id = %s THEN %s::numeric - %s::numeric ELSE 0 END"
    rewrite(
        paid.dsn,
        f"UPDATE ifms.sanction SET allotted_amount = spent_amount + reserved_amount + {has}",
        [original(paid)["sanction_id"], rows[0]["amount"], short],
    )
    unit = {"active": True, "ssuOffice": "sample", "granteeName": "Sample", "granteeAgCode": "GOSIMULBMPL0001"}
    units = [unit | {"id": n, "ssuId": f"900{n}", "ssuCode": "S", "ddoCode": f"SIMHUD00{n}"} for n in "12"]
    master = {"tenantId": TENANT, "module": "ifms", "name": "SSUDetails", "data": units}
    simulators.ask_platform("POST", "masters", master)
    said = f"no sanction of {TENANT} has {rows[0]['amount']} available"
    with contextlib.nullcontext() if short == "0.00" else pytest.raises(SweepNeedsAttentionError, match=said):
        paid.correct(order(paid, beneficiary_numbers=tuple(numbers), new_original=True))
    assert [pi["net_amount"] for pi in sent(paid, "ORIGINAL")] == [rows[0]["amount"]] * (short == "0.00")
