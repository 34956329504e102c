"""Payment instructions: written before they are sent, sent under one number, and settled only by an answer."""

import base64
import os
import sqlite3
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg
import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from support import figures
from support.adapter import assert_money_is_right
from support.bad_ones import BadOnes
from support.java_rows import kept
from support.keys import KEYRING, account_numbers, call_text
from support.ledger import SOURCE, TENANT, beneficiary
from support.past import once
from support.platform_store import change_stored
from support.sanctions import allot_of_last_year, close
from support.uncertain import on

from ifms.errors import (
    ClaimLostError,
    ConflictError,
    LedgerError,
    PlatformUnavailableError,
    SweepNeedsAttentionError,
    SweepStoppedError,
    SweepUnreachableError,
    TreasuryLoginError,
)
from ifms.ledger import beneficiaries, funds, instructions, restores
from ifms.ledger.beneficiaries import Failure
from ifms.ledger.bills import bind_bills
from ifms.ledger.models import NewPayment
from ifms.ledger.payments import release_holds, remember_payments
from ifms.ledger.runs import RunContext
from ifms.ledger.statuses import BeneficiaryStatus, Event
from ifms.ledger.write_batch import Writes, connection_of
from ifms.platform.client import PlatformClient
from ifms.services import pa
from ifms.services.instruction_draft import BAD_PAYMENT
from ifms.services.pi import Instruction
from ifms.sweep.scope import Scope
from ifms.wire.envelope import ReplyError
from ifms.wire.pis import PisRow

ONE_PAYMENT = {"type": "wage", "tenantId": "od.samplea", "payees": 2, "with_payments": True}


def allotments_and_payments(adapter):
    """Allotments are there, the three sample bills have their payments, nothing is sent yet."""
    adapter.run("VA")
    adapter.run("PA")


pytestmark = pytest.mark.simulators(platform={"cities": 1}, after=allotments_and_payments)


@pytest.fixture
def funded(adapter, past):
    """Allotments are there, the three sample bills have their payments, nothing is sent yet."""
    return once(allotments_and_payments, past, adapter)


def sums(adapter):
    return adapter.rows("SELECT sum(reserved_amount) AS reserved, sum(spent_amount) AS spent FROM ifms.sanction")[0]


def test_each_payment_gets_its_instruction_and_its_money_is_spent(funded, treasury):
    sweep = funded.run("PI")
    assert sweep.counts["accepted"] == 3
    assert funded.statuses() == Counter(INITIATED=3)
    assert len(funded.rows("SELECT DISTINCT created_at FROM ifms.payment_instruction")) == 1  # one transaction's
    total = funded.rows("SELECT sum(net_amount) AS total FROM ifms.payment_instruction")[0]["total"]
    assert sums(funded) == {"reserved": 0, "spent": total}
    assert_money_is_right(funded, treasury)


def test_a_second_sweep_finds_nothing_to_do(funded, treasury):
    funded.run("PI")
    assert funded.run("PI").counts == Counter()
    assert treasury.state["calls"]["PI"] == 3


def test_the_treasury_gets_what_the_rows_say(funded, treasury):
    funded.run("PI")
    for bill in treasury.state["bills"]:
        pi = funded.rows("SELECT * FROM ifms.payment_instruction WHERE pi_number = %s", bill["number"])[0]
        sent = bill["params"]
        assert sent["billNetAmount"] == f"{pi['net_amount']:.2f}"
        assert sent["mstAllotmentDistId"] == pi["master_allotment_id"]
        assert sent["billNumberOfBenf"] == str(pi["beneficiary_count"])
        rows = funded.rows(
            "SELECT beneficiary_number, amount FROM ifms.beneficiary WHERE payment_instruction_id = %s", pi["id"]
        )
        assert {b["benefId"]: b["benfAmount"] for b in sent["beneficiaryDetails"]} == {
            row["beneficiary_number"]: f"{row['amount']:.2f}" for row in rows
        }


@pytest.mark.parametrize("effect", ["lost_reply", "cut_reply", "garbage", "bad_padding", "wrong_key", "html"])
@pytest.mark.parametrize("repeated", ["duplicate", "success"])
def test_an_accepted_instruction_whose_reply_is_lost_is_settled_on_the_same_number(funded, treasury, effect, repeated):
    """F2, F4, F5: unknown is not failed; the next sweep asks PIS and never makes a new number."""
    treasury.settings(repeated_pi=repeated)
    treasury.rule("PI", effect)
    with pytest.raises((SweepNeedsAttentionError, SweepUnreachableError)):
        funded.run("PI")
    assert funded.statuses() == Counter(PENDING=3)
    assert {r["last_attempt"] for r in funded.rows("SELECT last_attempt FROM ifms.payment_instruction")} == {"unknown"}
    assert sums(funded)["spent"] == 0
    assert sums(funded)["reserved"] > 0
    treasury.clear()
    funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=3)
    assert len(treasury.accepted) == 3
    assert_money_is_right(funded, treasury)


@pytest.mark.parametrize("unknown_bill", ["error", "empty"])
@pytest.mark.parametrize("repeated", ["duplicate", "success"])
def test_an_instruction_that_never_arrived_is_sent_again_with_the_same_number(funded, treasury, unknown_bill, repeated):
    treasury.settings(unknown_bill=unknown_bill, repeated_pi=repeated)
    treasury.rule("PI", "refuse")
    with pytest.raises(SweepUnreachableError):
        funded.run("PI")
    numbers = {row["pi_number"] for row in funded.rows("SELECT pi_number FROM ifms.payment_instruction")}
    assert len(numbers) == 3
    assert treasury.accepted == {}
    treasury.clear()
    funded.run("PI")
    assert set(treasury.accepted) == numbers
    assert funded.statuses() == Counter(INITIATED=3)
    assert_money_is_right(funded, treasury)


def test_a_reply_about_another_bill_changes_nothing(funded, treasury):
    treasury.rule("PI", "other_bill", times=1)
    with pytest.raises(SweepNeedsAttentionError, match="names the bill 'PI-XX/2000-01/999999'"):
        funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=2, PENDING=1)
    funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=3)
    assert_money_is_right(funded, treasury)


def test_a_reply_without_its_success_code_is_not_taken_for_success(funded, treasury):
    treasury.rule("PI", "missing_field", field="successCode", times=1)
    with pytest.raises(SweepNeedsAttentionError, match="successCode"):
        funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=2, PENDING=1)
    problem = funded.rows("SELECT problems FROM ifms.sweep_run WHERE service_id = 'PI'")[0]["problems"][0]
    assert "PI-" in problem


def test_an_error_that_says_nothing_about_the_bill_does_not_have_it_sent_again(funded, treasury):
    """An accepted PI whose reply was lost: PIS is in maintenance, and a second PI would be answered with any error."""
    treasury.rule("PI", "lost_reply")
    with pytest.raises(SweepUnreachableError):
        funded.run("PI")
    treasury.clear()
    treasury.rule("PIS", "error", errorMsg="Sample maintenance, try later")
    treasury.rule("PI", "error", errorMsg="Sample error that nobody knows")
    with pytest.raises(SweepNeedsAttentionError, match="PIS says what nobody knows: Sample maintenance"):
        funded.run("PI")
    assert funded.statuses() == Counter(PENDING=3)
    assert sums(funded)["reserved"] > 0
    treasury.clear()
    funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=3)
    assert_money_is_right(funded, treasury)


def test_a_declined_instruction_frees_its_money_and_names_the_beneficiary(funded, treasury):
    treasury.rule(
        "PI",
        "error",
        times=1,
        errorMsgs=[
            {"errorCode": "340", "errorMsg": "Wrong IFSC provided in Beneficiary Details for BenefId BN-SA/000001"}
        ],
    )
    funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=2, FAILED=1)
    failed = funded.rows("SELECT * FROM ifms.payment_instruction WHERE status = 'FAILED'")[0]
    assert failed["is_active"] is False
    assert "Wrong IFSC" in failed["error_message"]
    assert sums(funded)["reserved"] == 0
    payment = funded.rows("SELECT * FROM ifms.payment WHERE payment_number = %s", failed["payment_number"])[0]
    assert payment["paid_by"] is None
    assert payment["hold_code"] == "PI_DECLINED"
    told = funded.rows("SELECT payload FROM ifms.outbox WHERE ordering_key LIKE %s", f"%{failed['payment_number']}")
    assert told[-1]["payload"]["referenceStatus"] == "PAYMENT_FAILED"
    assert_money_is_right(funded, treasury)


def test_a_duplicate_means_accepted(funded, treasury):
    """money-rules.md R1: the treasury has it already."""
    treasury.settings(repeated_pi="duplicate")
    treasury.rule("PI", "lost_reply", times=3)
    treasury.rule("PIS", "error", errorMsg="Bill not received in JIT-FS", times=3)
    with pytest.raises(SweepUnreachableError):
        funded.run("PI")
    funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=3)
    logged = funded.rows("SELECT DISTINCT status FROM ifms.status_log WHERE to_status = 'INITIATED'")
    assert logged == [{"status": "STATUS_LOG_PI_DUPLICATE"}]
    assert_money_is_right(funded, treasury)


def other_key():
    """A public key that is not the treasury's."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


@pytest.mark.parametrize("wrong", ["public_key", "client_secret", "client_id"])
def test_a_refused_login_leaves_no_instruction_behind(funded, treasury, wrong):
    """F24, F7: fails at login, before any PI is written; each sweep tries once, whatever its retries."""
    funded.treasury_changes = {wrong: other_key() if wrong == "public_key" else "wrong"}
    before = treasury.state["logins_refused"]
    for _ in range(3):
        with pytest.raises(TreasuryLoginError):
            funded.run("PI")
    assert treasury.state["logins_refused"] - before == 3
    assert treasury.state["calls"].get("PI", 0) == 0
    assert funded.rows("SELECT state FROM ifms.sweep_run WHERE service_id = 'PI'") == [{"state": "failed"}] * 3
    assert funded.statuses() == Counter()
    assert sums(funded) == {"reserved": 0, "spent": 0}
    assert funded.rows("SELECT count(*) AS n FROM ifms.payment WHERE claim_token IS NOT NULL") == [{"n": 0}]
    funded.treasury_changes = {}
    funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=3)
    assert_money_is_right(funded, treasury)


def test_a_refused_login_leaves_what_is_pending_as_it_is(funded, treasury):
    treasury.rule("PI", "lost_reply")
    with pytest.raises(SweepUnreachableError):
        funded.run("PI")
    treasury.clear()
    funded.treasury_changes = {"public_key": other_key()}
    with pytest.raises(TreasuryLoginError):
        funded.run("PI")
    assert funded.statuses() == Counter(PENDING=3)
    assert {r["last_attempt"] for r in funded.rows("SELECT last_attempt FROM ifms.payment_instruction")} == {"unknown"}
    funded.treasury_changes = {}
    funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=3)
    assert_money_is_right(funded, treasury)


@pytest.mark.simulators(platform={"cities": 1})
def test_a_payment_without_funds_is_said_once_and_paid_when_money_comes(adapter, treasury, simulators):
    adapter.run("PA")
    for _ in range(2):
        sweep = adapter.run("PI")
    assert adapter.statuses() == Counter()
    assert sweep.counts["waiting_for_funds"] == 0  # not even looked up again while there is no money
    held = adapter.rows("SELECT DISTINCT hold_code FROM ifms.payment")
    assert held == [{"hold_code": "PAYMENT_INSUFFICIENT_FUNDS"}]
    told = adapter.rows("SELECT payload->>'referenceStatus' AS said, count(*) AS n FROM ifms.outbox GROUP BY 1")
    assert told == [{"said": "PAYMENT_INSUFFICIENT_FUNDS", "n": 3}]
    logged = adapter.rows("SELECT count(*) AS n FROM ifms.status_log WHERE status = 'STATUS_LOG_PI_NO_FUNDS'")
    assert logged[0]["n"] == 3
    adapter.run("VA")
    adapter.run("PI")
    assert adapter.statuses() == Counter(INITIATED=3)
    assert_money_is_right(adapter, treasury)


def used(adapter):
    rows = adapter.rows("SELECT DISTINCT master_allotment_id AS id FROM ifms.payment_instruction")
    return {row["id"] for row in rows}


def test_money_of_last_year_pays_only_when_the_connection_says_so_and_last(funded, treasury, simulators):
    old = allot_of_last_year(funded)
    funded.run("PI")
    assert old not in used(funded)  # though it was told last
    simulators.ask_platform("POST", "bills", ONE_PAYMENT)
    close(funded, other_than=old)
    sweep = funded.run("PI")
    [held] = funded.rows("SELECT hold_code, hold_message FROM ifms.payment WHERE paid_by IS NULL")
    assert held["hold_code"] == "PAYMENT_INSUFFICIENT_FUNDS"
    assert f"{old} (of " in held["hold_message"]
    assert "(closed)" in held["hold_message"]
    assert sweep.counts["waiting_for_funds"] == 1
    assert funded.run("PI").counts["waiting_for_funds"] == 0  # not even looked up again
    funded.treasury_changes = {"use_earlier_years": True}
    funded.run("PI")
    assert old in used(funded)
    assert funded.statuses() == Counter(INITIATED=4)
    assert_money_is_right(funded, treasury)


def test_a_payment_is_made_once_a_closed_sanction_is_opened_again(funded, treasury):
    close(funded)
    funded.run("PI")
    assert funded.statuses() == Counter()
    with psycopg.connect(funded.dsn) as connection:
        connection.execute(
            "INSERT INTO ifms.sanction_closing (sanction_id, closed, reason, person) "
            "SELECT id, false, 'sample', 'a tester' FROM ifms.sanction"
        )
    funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=3)
    assert_money_is_right(funded, treasury)


def test_after_a_decline_another_sanction_pays_and_the_same_only_when_no_other_can(funded, treasury):
    treasury.rule("PI", "error", errorMsg="Insufficient fund")
    funded.run("PI")
    assert funded.statuses() == Counter(FAILED=3)
    treasury.clear()
    declined = {r["payment_number"]: r["sanction_id"] for r in funded.rows("SELECT * FROM ifms.payment_instruction")}
    first, *others = declined
    on(funded, lambda c: release_holds(c, others))
    funded.run("PI")
    anew = funded.rows("SELECT payment_number, sanction_id FROM ifms.payment_instruction WHERE status = 'INITIATED'")
    assert {row["payment_number"] for row in anew} == set(others)
    assert [row for row in anew if row["sanction_id"] == declined[row["payment_number"]]] == []
    [kept] = funded.rows("SELECT master_allotment_id AS id FROM ifms.sanction WHERE id = %s", declined[first])
    close(funded, other_than=kept["id"])
    on(funded, lambda c: release_holds(c, [first]))
    funded.run("PI")
    assert funded.statuses() == Counter(FAILED=3, INITIATED=3)
    assert_money_is_right(funded, treasury)


def have_another_head(simulators):
    """Master data has one head of account, and no sanction is of it."""
    heads = [
        {
            "id": "1",
            "code": "990000000000000000000000009",
            "name": "Sample",
            "sequence": 1,
            "schemeCode": 99145,
            "active": True,
        }
    ]
    simulators.ask_platform(
        "POST", "masters", {"tenantId": "od", "module": "ifms", "name": "HeadOfAccounts", "data": heads}
    )


def test_money_under_a_head_that_master_data_does_not_know_is_named(funded, simulators):
    have_another_head(simulators)
    sweep = funded.run("PI")
    assert funded.statuses() == Counter()
    known = funded.rows("SELECT min(hoa_code) AS code FROM ifms.sanction")[0]["code"]
    assert any(known in text and "no active head of account" in text for text in sweep.problems)


@pytest.mark.parametrize("other", [{"ddoCode": "OLSNEW001"}, {"granteeAgCode": "GOSIMULNEW0001"}])
def test_money_of_a_unit_that_master_data_does_not_know_any_more_pays_nothing_and_is_named(funded, simulators, other):
    """The unit has another DDO, or grantee, since: what was allotted to the one before is not the city's any more."""
    with PlatformClient(simulators.platform_config()) as platform:
        [unit] = platform.master_data().units["od.samplea"]
    master = {"tenantId": "od.samplea", "module": "ifms", "name": "SSUDetails"}
    simulators.ask_platform("POST", "masters", master | {"data": [unit.wire() | other]})
    sweep = funded.run("PI")
    assert funded.statuses() == Counter()
    assert len(sweep.problems) == 3
    named = f"sanctions of DDO {unit.ddo_code} with grantee {unit.grantee_ag_code} are not used"
    assert all(named in text for text in sweep.problems)


def test_a_ddo_of_any_of_the_citys_units_is_known(funded, simulators):
    with PlatformClient(simulators.platform_config()) as platform:
        [unit] = platform.master_data().units["od.samplea"]
    units = [unit.wire(), unit.wire() | {"id": "another", "ddoCode": "OLSNEW001"}]
    simulators.ask_platform(
        "POST", "masters", {"tenantId": "od.samplea", "module": "ifms", "name": "SSUDetails", "data": units}
    )
    have_another_head(simulators)
    sweep = funded.run("PI")
    assert len(sweep.problems) == 3
    assert all("no active head of account" in text and "of DDO" not in text for text in sweep.problems)


def test_a_grantee_named_by_mistake_pays_nothing_once_that_is_mended(adapter, simulators):
    """SSUDetails named another grantee of the same DDO: what the treasury gives that one is not the city's."""
    with PlatformClient(simulators.platform_config()) as platform:
        [unit] = platform.master_data().units["od.samplea"]

    def name(grantee):
        master = {"tenantId": "od.samplea", "module": "ifms", "name": "SSUDetails"}
        simulators.ask_platform("POST", "masters", master | {"data": [unit.wire() | {"granteeAgCode": grantee}]})

    name("GOSIMULOTHER001")
    adapter.run("VA")
    name(unit.grantee_ag_code)
    adapter.run("VA")
    [theirs, *_] = adapter.rows("SELECT * FROM ifms.sanction WHERE grantee_code = 'GOSIMULOTHER001' ORDER BY hoa_code")
    allotted = {"ddoCode": theirs["ddo_code"], "hoa": theirs["hoa_code"], "granteeAgCode": theirs["grantee_code"]}
    allotted |= {"mstAllotmentDistId": theirs["master_allotment_id"], "allotmentTxnType": "Additional allotment"}
    simulators.ask_treasury("POST", "allotments", allotted | {"allotmentAmount": "10.00"})
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    payers = adapter.rows("SELECT DISTINCT grantee_code FROM ifms.payment_instruction")
    assert payers == [{"grantee_code": unit.grantee_ag_code}]


@pytest.mark.parametrize("last_to_pay", [0, 1])
def test_no_head_of_account_pays_that_comes_after_one_that_can_not_be_read(funded, simulators, last_to_pay):
    """Which sanction is charged is not decided by a row that is spoiled; nor is anybody told that funds are short."""
    with PlatformClient(simulators.platform_config()) as platform:
        heads = platform.master_data().heads
    later = funded.rows("SELECT * FROM ifms.sanction WHERE hoa_code = %s LIMIT 1", heads[last_to_pay].code)[0]
    close(funded, later["master_allotment_id"])
    master = {"tenantId": "od", "module": "ifms", "name": "HeadOfAccounts"}
    sound = [head.wire() for head in heads]
    spoiled = {"code": "990000000000000000000000009", "sequence": heads[0].sequence + 1 - 2 * (not last_to_pay)}
    simulators.ask_platform("POST", "masters", master | {"data": [*sound, spoiled | {"active": None}]})
    with pytest.raises(SweepNeedsAttentionError, match=r"HeadOfAccounts\[\d\]\.active"):
        funded.run("PI")
    assert funded.statuses() == Counter()
    held = funded.rows("SELECT hold_code, hold_message FROM ifms.payment")
    assert {row["hold_code"] for row in held} == {["SSU_NOT_CONFIGURED", "PAYMENT_NOT_PAYABLE"][last_to_pay]}
    assert all("no head of account from this one on pays" in row["hold_message"] for row in held)
    assert funded.rows("SELECT * FROM ifms.outbox WHERE payload->>'status' = 'FAILED'") == []
    simulators.ask_platform("POST", "masters", master | {"data": sound})
    funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=3)
    assert {row["id"] for row in funded.rows("SELECT sanction_id AS id FROM ifms.payment_instruction")} == {later["id"]}


BROKEN = {
    "no_account": "has no active primary bank account",
    "inactive_account": "has no active primary bank account",
    "masked": "masked account number",
    "undecrypted": "not decrypted",
    "bad_ifsc": "has an IFSC that is not",
    "unknown_head": "NOSUCHHEAD",
}


@pytest.mark.parametrize(("broken", "said"), BROKEN.items(), ids=BROKEN.keys())
def test_one_bad_payment_is_set_aside_with_a_clear_message_and_the_others_are_paid(
    funded, treasury, simulators, broken, said
):
    """F22, money-rules.md R12: nothing of it is sent, it is named, the run is not green the first time only."""
    bad = simulators.ask_platform("POST", "bills", ONE_PAYMENT | {"broken": broken})[0]
    with pytest.raises(SweepNeedsAttentionError, match=said):
        funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=3)
    held = funded.rows("SELECT * FROM ifms.payment WHERE payment_number = %s", bad["paymentNumber"])[0]
    assert held["hold_code"] == "PAYMENT_NOT_PAYABLE"
    assert said in held["hold_message"]
    sweep = funded.run("PI")
    assert sweep.counts["still_on_hold"] == 1
    assert treasury.state["calls"]["PI"] == 3
    assert_money_is_right(funded, treasury)


@pytest.mark.simulators(platform={"cities": 1, "persist_ms": 1000})
def test_a_payment_that_the_platform_stores_late_is_waited_for(funded, treasury):
    """ifms_pi starts the moment ifms_pa has made payments; that they are not found yet is no trouble of theirs."""
    funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=3)
    assert_money_is_right(funded, treasury)


def test_one_bad_among_many_is_set_aside_and_the_others_are_done(funded, treasury, simulators, tmp_path):
    """F22: a bank account that can't be read, then a status that can't; ONE_BAD_AMONG says among how many."""
    many = int(os.environ.get("ONE_BAD_AMONG", "300"))
    order = {"type": "wage", "tenantId": "od.samplea", "payees": 1, "with_payments": True, "count": many - 3}
    bad = simulators.ask_platform("POST", "bills", order)[many // 2]
    with closing(sqlite3.connect(tmp_path / "platform.db", timeout=60)) as platform, platform:
        changed = platform.execute(
            "UPDATE account SET document = json_remove(document, '$.referenceId') WHERE reference = ?", bad["payees"]
        )
        assert changed.rowcount == 1
    with pytest.raises(SweepNeedsAttentionError, match="referenceId"):
        funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=many - 1)
    assert funded.run("PI").counts["still_on_hold"] == 1
    held = funded.rows("SELECT payment_number FROM ifms.payment WHERE hold_code IS NOT NULL")
    assert [row["payment_number"] for row in held] == [bad["paymentNumber"]]
    one = funded.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY id LIMIT 1")[0]["pi_number"]
    treasury.rule("PIS", "garbage", bill_number=one)
    with pytest.raises(SweepNeedsAttentionError, match=one):
        funded.run("PIS")
    assert funded.statuses() == Counter(APPROVED=many - 2, INITIATED=1)
    assert_money_is_right(funded, treasury)
    figures.add("instructions done beside a bad one", many - 2)


def test_a_payment_that_can_not_be_read_does_not_keep_the_others(funded, treasury, simulators, tmp_path):
    while simulators.ask_platform("GET", "state")["waiting"]:
        time.sleep(0.02)
    with closing(sqlite3.connect(tmp_path / "platform.db", timeout=60)) as platform, platform:
        changed = platform.execute(
            "UPDATE payment SET document = json_set(document, '$.auditDetails.createdTime', 1e18) "
            "WHERE id = (SELECT min(id) FROM payment)"
        )
        assert changed.rowcount == 1
    with pytest.raises(SweepNeedsAttentionError, match=r"1 payment\(s\) of od\.samplea can't be read"):
        funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=2)
    assert_money_is_right(funded, treasury)


LINE = "$.bills[0].billDetails[0].payableLineItems[0]"
ODD_PAYMENTS = {
    "an amount beyond the column": ("payment", "$.netPayableAmount", "10000000000000", "larger than"),
    "an amount of three decimals": ("payment", "$.netPayableAmount", "2625.501", "more than two decimals"),
    "a negative amount": ("payment", "$.netPayableAmount", "-1", "not more than zero"),
    "no number": ("payment", "$.paymentNumber", "null", "has no number"),
    "a long number": ("payment", "$.paymentNumber", '"' + "9" * 129 + '"', "paymentNumber"),
    "a NUL in its number": ("payment", "$.paymentNumber", '"EP\\u0000"', "paymentNumber"),
    "a NUL in a line's id": ("payment", f"{LINE}.lineItemId", '"a\\u0000"', "lineItemId"),
    "created in 1970": ("payment", "$.auditDetails.createdTime", "1", "created in 1970"),
    "created in 9999": ("payment", "$.auditDetails.createdTime", "253402214400000", "createdTime"),
    "created before all time": ("payment", "$.auditDetails.createdTime", "-1", "createdTime"),
    "a long bill": ("bill", "$.billNumber", '"' + "x" * 129 + '"', "billNumber"),
    "a bill with a NUL": ("bill", "$.billNumber", '"WB\\u0000"', "billNumber"),
    "a payee with a NUL": ("bill", "$.billDetails[0].payee.identifier", '"a\\u0000"', "identifier"),
    "a bill that is too dear": ("bill", "$.totalAmount", "10000000000000", "add up to"),
    "a long account id": ("account", "$.bankAccountDetails[0].id", '"' + "x" * 129 + '"', "bankAccountDetails"),
    "an account type with a NUL": ("account", "$.bankAccountDetails[0].accountType", '"a\\u0000"', "AccountType|type"),
}


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0, "persist_ms": 0})
@pytest.mark.parametrize(("table", "path", "value", "said"), ODD_PAYMENTS.values(), ids=ODD_PAYMENTS.keys())
def test_a_payment_with_a_value_out_of_bounds_is_named_and_the_others_are_paid(
    adapter, treasury, simulators, tmp_path, table, path, value, said
):
    adapter.run("VA")
    for _ in range(2):
        simulators.ask_platform("POST", "bills", ONE_PAYMENT)
    change_stored(tmp_path, table, path, value)
    with pytest.raises(SweepNeedsAttentionError, match=rf"(?s){said}"):
        adapter.run("PI")
    assert adapter.statuses() == Counter(INITIATED=1)
    assert len(treasury.accepted) == 1
    assert_money_is_right(adapter, treasury)
    [run] = adapter.rows("SELECT problems FROM ifms.sweep_run WHERE service_id = 'PI'")
    assert len(run["problems"]) >= 1


def test_a_payment_on_hold_that_another_run_took_over_stops_no_other(funded, treasury, simulators, monkeypatch, caplog):
    while (state := simulators.ask_platform("GET", "state"))["waiting"]:
        time.sleep(0.02)
    order = {"paymentNumber": state["payments"][0]["paymentNumber"], "status": "CANCELLED"}
    simulators.ask_platform("POST", "statuses", order)

    def taken_over(*_):
        raise ClaimLostError("taken over")

    with monkeypatch.context() as patch:
        patch.setattr("ifms.services.pi.payments.hold_payment", taken_over)
        sweep = funded.run("PI")
    assert (sweep.counts["claim_lost"], sweep.counts["accepted"]) == (1, 2)
    assert "PI: taken over" in caplog.text


def test_what_the_database_refuses_of_a_payment_is_named_and_the_others_are_paid(funded, treasury, monkeypatch):
    real, refused = instructions.create, []

    def create(writes, originals, keyring):
        numbers = [original.content.payment.payment_number for original in originals]
        refused[:] = refused or numbers[1:2]
        if refused[0] in numbers:
            raise LedgerError("a sample rule refuses it")
        return real(writes, originals, keyring)

    monkeypatch.setattr("ifms.services.pi.instructions.create", create)
    with pytest.raises(SweepNeedsAttentionError, match="payment EP.*: a sample rule refuses it"):
        funded.run("PI")
    assert sorted(funded.statuses().values()) == [2]
    assert refused[0] not in {row["payment_number"] for row in funded.rows("SELECT * FROM ifms.payment_instruction")}


def test_a_value_that_the_ledger_can_not_hold_is_that_payment_s_trouble(funded, treasury, monkeypatch):
    """The three are written together; then, since that is refused, each by itself."""
    real, told, together = instructions.create, [], []

    def create(writes, originals, keyring):
        numbers = [original.content.payment.payment_number for original in originals]
        together.append(len(numbers))
        told[:] = told or numbers[1:2]
        if told[0] in numbers:
            connection_of(writes).execute("SELECT 'infinity'::timestamptz").fetchone()
        return real(writes, originals, keyring)

    with monkeypatch.context() as patch:
        patch.setattr("ifms.services.pi.instructions.create", create)
        with pytest.raises(SweepNeedsAttentionError, match="can't hold or reckon with a value"):
            funded.run("PI")
    assert together == [3, 1, 1, 1]
    assert funded.statuses() == Counter(INITIATED=2)
    assert funded.rows("SELECT payment_number, hold_code FROM ifms.payment WHERE hold_code IS NOT NULL") == [
        {"payment_number": told[0], "hold_code": "PAYMENT_NOT_PAYABLE"}
    ]
    funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=3)
    assert_money_is_right(funded, treasury)


def test_an_instruction_whose_key_is_not_at_hand_stays_pending_and_the_others_are_sent(
    funded, treasury, simulators, monkeypatch
):
    """Its account can't be opened: it keeps its number and its money, and stops nobody."""
    treasury.rule("PI", "lost_reply")
    with monkeypatch.context() as patch:
        patch.setattr("support.simulators.LOG_KEY", base64.b64encode(b"k" * 32).decode())
        with pytest.raises(SweepUnreachableError):
            funded.run("PI")
        treasury.clear()
    simulators.ask_platform("POST", "bills", ONE_PAYMENT)
    with pytest.raises(SweepNeedsAttentionError, match=r"PI .* can't be sent again: .*key .* is not at hand"):
        funded.run("PI")
    assert funded.statuses() == Counter(PENDING=3, INITIATED=1)
    assert funded.rows("SELECT count(*) AS n FROM ifms.payment_instruction WHERE claim_token IS NOT NULL")[0]["n"] == 0
    with monkeypatch.context() as patch:
        patch.setattr("support.simulators.LOG_KEY", base64.b64encode(b"k" * 32).decode())
        funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=4)
    assert_money_is_right(funded, treasury)


@pytest.mark.parametrize("sequence", ["SEQ_IFMS_PAYMENT_INSTRUCTION_NUMBER", "SEQ_IFMS_BENEFICIARY_NUMBER"])
def test_a_number_that_was_given_before_is_nobody_else_s(funded, treasury, simulators, tmp_path, sequence):
    """The platform's counter was set back: nothing is sent under a used number, and a fresh one is taken later."""
    funded.run("PI")
    with closing(sqlite3.connect(tmp_path / "platform.db", timeout=60)) as platform, platform:
        changed = platform.execute("UPDATE counter SET value = 0 WHERE name = ?", (f"sequence:{sequence}",))
        assert changed.rowcount == 1
    simulators.ask_platform("POST", "bills", ONE_PAYMENT)
    with pytest.raises(SweepNeedsAttentionError, match="unique"):
        funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=3)
    held = funded.rows("SELECT hold_code FROM ifms.payment WHERE hold_code IS NOT NULL")
    assert held == [{"hold_code": "PAYMENT_NOT_PAYABLE"}]
    for _ in range(20):
        if funded.statuses() == Counter(INITIATED=4):
            break
        assert treasury.state["calls"]["PI"] == 3
        funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=4)
    assert treasury.state["calls"]["PI"] == 4
    assert_money_is_right(funded, treasury)


def test_the_date_of_a_bill_is_frozen_on_its_row(funded, treasury):
    """F18: written at 23:59:59 of 31 March in Odisha, and sent again in the new financial year."""
    treasury.rule("PI", "refuse")
    with (
        time_machine.travel(datetime(2027, 3, 31, 18, 29, 59, tzinfo=UTC), tick=False),
        pytest.raises(SweepUnreachableError),
    ):
        funded.run("PI")
    treasury.clear()
    with time_machine.travel(datetime(2027, 3, 31, 18, 30, 1, tzinfo=UTC), tick=False):
        funded.run("PI")
    assert {bill["params"]["jitBillDate"] for bill in treasury.state["bills"]} == {"2027-03-31 23:59:59"}
    years = funded.rows("SELECT DISTINCT financial_year FROM ifms.payment_instruction")
    assert years == [{"financial_year": "2026-27"}]
    assert funded.statuses() == Counter(INITIATED=3)
    assert_money_is_right(funded, treasury)


def test_a_repaired_account_gets_its_instruction_by_itself(funded, treasury, simulators):
    bad = simulators.ask_platform("POST", "bills", ONE_PAYMENT | {"broken": "bad_ifsc"})[0]
    with pytest.raises(SweepNeedsAttentionError):
        funded.run("PI")
    simulators.ask_platform(
        "POST", "accounts", {"tenantId": "od.samplea", "referenceId": bad["payees"][-1], "ifsc": "SMPL0000001"}
    )
    funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=4)
    assert_money_is_right(funded, treasury)


def test_payees_on_one_account_are_joined(funded, treasury, simulators):
    bill = simulators.ask_platform("POST", "bills", ONE_PAYMENT | {"same_account": True})[0]
    funded.run("PI")
    pi = funded.rows(
        "SELECT id, beneficiary_count FROM ifms.payment_instruction WHERE payment_number = %s", bill["paymentNumber"]
    )[0]
    assert pi["beneficiary_count"] == 1
    row = funded.rows("SELECT line_item_ids FROM ifms.beneficiary WHERE payment_instruction_id = %s", pi["id"])[0]
    assert len(row["line_item_ids"]) == 2


@pytest.mark.simulators(platform={"cities": 1})
def test_a_city_without_spending_unit_is_named(adapter, simulators):
    simulators.ask_platform(
        "POST", "masters", {"tenantId": "od.samplea", "module": "ifms", "name": "SSUDetails", "data": []}
    )
    adapter.run("VA")
    adapter.run("PA")
    with pytest.raises(SweepNeedsAttentionError, match=r"od\.samplea.*no active SSU"):
        adapter.run("PI")
    assert {r["hold_code"] for r in adapter.rows("SELECT hold_code FROM ifms.payment")} == {"SSU_NOT_CONFIGURED"}


def test_eight_sweeps_at_once_make_one_instruction_per_payment(funded, treasury, simulators):
    """F10, F17."""
    simulators.ask_platform("POST", "bills", ONE_PAYMENT | {"count": 30})
    failures = []

    def run():
        try:
            funded.run("PI")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []
    assert funded.statuses() == Counter(INITIATED=33)
    assert treasury.state["calls"]["PI"] == 33
    assert_money_is_right(funded, treasury)


def test_a_stopped_sweep_gives_back_what_it_had_not_begun(funded, treasury, simulators):
    """F25: no new calls, those under way are settled."""
    simulators.ask_platform("POST", "bills", ONE_PAYMENT | {"count": 80})
    treasury.rule("PI", "latency", ms=300)
    stop = threading.Event()

    def stop_after_the_first_calls():
        while not treasury.state["calls"].get("PI"):
            time.sleep(0.02)
        stop.set()

    watcher = threading.Thread(target=stop_after_the_first_calls)
    watcher.start()
    with pytest.raises(SweepStoppedError):
        funded.run("PI", stop=stop)
    watcher.join(10)
    claimed = funded.rows("SELECT count(*) AS n FROM ifms.payment_instruction WHERE claim_token IS NOT NULL")
    assert claimed[0]["n"] == 0
    assert funded.rows("SELECT count(*) AS n FROM ifms.payment WHERE claim_token IS NOT NULL")[0]["n"] == 0
    assert len(treasury.accepted) == funded.statuses()["INITIATED"] < 83
    treasury.clear()
    funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=83)
    assert_money_is_right(funded, treasury)


def test_every_call_is_logged_and_sealed(funded):
    funded.run("PI")
    calls = funded.rows("SELECT * FROM ifms.treasury_call WHERE service_id = 'PI'")
    assert len(calls) == 3
    for call in calls:
        assert call["outcome"] == "answered"
        assert call["bill_number"] in call_text(call)
        assert call["payment_instruction_id"] is not None
    logins = funded.rows("SELECT * FROM ifms.treasury_call WHERE service_id = 'AUTH' ORDER BY created_at")
    assert len(logins) == 2  # VA's and PI's
    numbers = set(account_numbers(funded.dsn).values())
    with psycopg.connect(funded.dsn) as connection:
        for table in (
            "treasury_call",
            "payment_instruction",
            "beneficiary",
            "status_log",
            "outbox",
            "sweep_run",
            "payment",
        ):
            dump = str(connection.execute(f"SELECT t::text FROM ifms.{table} t").fetchall())
            assert not [number for number in numbers if number in dump], table


def test_the_platform_hears_of_each_accepted_payment(funded):
    funded.run("PI")
    told = funded.rows("SELECT ordering_key, payload FROM ifms.outbox ORDER BY id")
    assert {row["payload"]["status"] for row in told} == {"INITIATED"}
    assert len({row["ordering_key"] for row in told}) == 3


def test_shards_of_one_run_share_the_work_of_one_city(funded, treasury, simulators, monkeypatch):
    """The second has no city to look up: it begins when the first still does, and takes its part all the same."""
    simulators.ask_platform("POST", "bills", ONE_PAYMENT | {"count": 140})
    treasury.rule("PI", "latency", ms=50)
    both, real = threading.Barrier(2, timeout=60), pa.remember

    def remember(sweep, found):
        rows = list(found)
        both.wait()
        time.sleep(1)  # the second has looked at an empty queue
        return real(sweep, rows)

    monkeypatch.setattr("ifms.services.pi.pa.remember", remember)

    def run(shard):
        sweep = funded.sweep("PI", None)
        sweep.context, sweep.patience_seconds = RunContext("ifms_pi", "sample", shard, 1), 60
        with sweep:
            if shard == 1:
                both.wait()
            funded.work(sweep, Scope(shard=shard, shards=2))
        return sweep.counts["accepted"]

    with ThreadPoolExecutor(2) as pool:
        accepted = list(pool.map(run, range(2)))
    assert sum(accepted) == 143
    assert min(accepted) >= 20
    assert_money_is_right(funded, treasury)


@pytest.mark.parametrize(("amount", "count", "whole"), [("5.00", "2", True), (None, "2", False), ("5.00", None, False)])
def test_pis_shows_a_whole_bill_by_its_amount_and_its_count(amount, count, whole):
    row = {"pmtInstId": "1", "payInstDate": "2026-11-27 10:00:00"}
    news = PisRow.model_validate(row | {"billNetAmount": amount, "totalNumberOfBeneficiary": count})
    assert Instruction().is_whole(None, news) is whole


def test_two_receipts_for_one_bill_are_none(funded, treasury):
    treasury.rule("PI", "duplicate_rows", times=1)
    with pytest.raises(SweepNeedsAttentionError, match="PI reply"):
        funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=2, PENDING=1)


def test_what_is_written_down_of_a_new_instruction(funded):
    sweep = funded.run("PI")
    assert sweep.counts["created"] == 3
    for row in funded.rows("SELECT bill_date, additional_details FROM ifms.payment_instruction"):
        assert row["bill_date"].microsecond == 0
        assert row["additional_details"]["billNumber"]


def test_two_payments_are_written_together_too(funded):
    numbers = [row["payment_number"] for row in funded.rows("SELECT payment_number FROM ifms.payment")]
    funded.run("PI", Scope(payments=tuple(numbers[:2])))
    assert funded.statuses() == Counter(INITIATED=2)
    assert len(funded.rows("SELECT DISTINCT created_at FROM ifms.payment_instruction")) == 1


@pytest.mark.parametrize("short", [False, True], ids=["refused", "short of money"])
def test_only_what_is_refused_or_has_no_money_is_written_alone(funded, simulators, monkeypatch, caplog, short):
    """Six payments, two at a time: the first two are refused together, or there is no money for the second."""
    simulators.ask_platform("POST", "bills", ONE_PAYMENT | {"count": 3})
    create, choose, together = instructions.create, funds.choose_fundings, []

    def refuse_once(writes, originals, keyring):
        together.append(len(originals))
        if not short and len(together) == 1:
            raise ConflictError("sample")
        return create(writes, originals, keyring)

    def one_less_once(connection, tenant_id, payments, *given, **more):
        found = choose(connection, tenant_id, payments, *given, **more)
        return found[:-1] if short and not together else found

    monkeypatch.setattr("ifms.services.pi.TOGETHER", 2)
    monkeypatch.setattr("ifms.services.pi.instructions.create", refuse_once)
    monkeypatch.setattr("ifms.services.pi.funds.choose_fundings", one_less_once)
    with caplog.at_level("INFO", "ifms.sweep"):
        sweep = funded.run("PI")
    assert ("PI: 2 are written one by one: sample" in caplog.text) is not short
    assert together == ([1, 1, 2, 2] if short else [2, 1, 1, 2, 2])
    assert sweep.counts["created"] == 6
    assert funded.statuses() == Counter(INITIATED=6)


def test_a_payment_that_is_set_aside_leaves_those_after_it_together(funded, simulators, monkeypatch):
    simulators.ask_platform("POST", "bills", ONE_PAYMENT | {"count": 2})
    while simulators.ask_platform("GET", "state")["waiting"]:
        time.sleep(0.02)
    [first] = funded.rows("SELECT payment_number FROM ifms.payment ORDER BY raised_at, id LIMIT 1")
    order = {"paymentNumber": first["payment_number"], "status": "CANCELLED"}
    simulators.ask_platform("POST", "statuses", order)
    create, together = instructions.create, []

    def count(writes, originals, keyring):
        together.append(len(originals))
        return create(writes, originals, keyring)

    monkeypatch.setattr("ifms.services.pi.instructions.create", count)
    with pytest.raises(SweepNeedsAttentionError):
        funded.run("PI")
    assert together == [4]


@pytest.mark.simulators(platform={"cities": 1})
def test_the_bills_of_a_payment_without_funds_are_bound_to_it(adapter, simulators):
    """Else another payment of the same bill would be paid before it."""
    bill = simulators.ask_platform("POST", "bills", ONE_PAYMENT)[0]
    adapter.run("PI")
    [row] = adapter.rows("SELECT bill_id FROM ifms.bill WHERE payment_number = %s", bill["paymentNumber"])
    assert row["bill_id"] == bill["id"]


@pytest.mark.simulators(platform={"cities": 1})
@pytest.mark.parametrize("which", [0, 1])
def test_a_declined_payment_is_made_anew_once_any_of_its_payees_has_another_account(
    adapter, treasury, simulators, which
):
    adapter.run("VA")
    bill = simulators.ask_platform("POST", "bills", ONE_PAYMENT)[0]
    alone = Scope(payments=(bill["paymentNumber"],))
    treasury.rule(
        "PI", "error", times=1, errorMsg="Wrong IFSC provided in Beneficiary Details for BenefId BN-SA/000001"
    )
    adapter.run("PI", alone)
    held = "SELECT hold_code, hold_message FROM ifms.payment WHERE payment_number = %s"
    said = adapter.rows(held, bill["paymentNumber"])
    assert adapter.run("PI", alone).counts["still_on_hold"] == 1
    assert adapter.rows(held, bill["paymentNumber"]) == said
    assert adapter.statuses() == Counter(FAILED=1)
    mended = {"tenantId": "od.samplea", "referenceId": bill["payees"][which], "ifsc": "SMPL0000009"}
    simulators.ask_platform("POST", "accounts", mended)
    adapter.run("PI", alone)
    assert adapter.statuses() == Counter(FAILED=1, INITIATED=1)


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_declined_payment_is_not_sent_again_as_it_is_after_a_hiccup_of_the_platform(
    adapter, treasury, simulators, monkeypatch
):
    """Another hold comes over the one that says declined; what was declined is known by the ledger's PI."""
    simulators.ask_platform("POST", "bills", ONE_PAYMENT | {"count": 2})
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "error", errorMsg="Wrong IFSC provided in Beneficiary Details for BenefId BN-SA/000001")
    adapter.run("PI")
    treasury.clear()
    assert adapter.statuses() == Counter(FAILED=2)
    held = "SELECT hold_code, hold_message FROM ifms.payment ORDER BY id"
    said = adapter.rows(held)
    bad = BadOnes(monkeypatch, "bankaccount/v1", "")
    with pytest.raises(SweepNeedsAttentionError):
        adapter.run("PI")
    assert {row["hold_code"] for row in adapter.rows(held)} == {"PLATFORM_TROUBLE"}
    bad.texts = ()
    for _ in range(2):
        with suppress(SweepNeedsAttentionError):
            adapter.run("PI")
        assert adapter.statuses() == Counter(FAILED=2)
        assert adapter.rows(held) == said
    numbers = [row["payment_number"] for row in adapter.rows("SELECT payment_number FROM ifms.payment")]
    on(adapter, lambda c: release_holds(c, numbers))
    bad.texts = ("",)
    with pytest.raises(SweepNeedsAttentionError):
        adapter.run("PI")
    bad.texts = ()
    adapter.run("PI")  # what a person has let go stays so, whatever the platform does in between
    assert adapter.statuses() == Counter(FAILED=2, INITIATED=2)


def test_a_payment_that_waits_as_if_declined_and_has_no_declined_instruction_gets_one(funded):
    with psycopg.connect(funded.dsn) as connection:
        connection.execute("UPDATE ifms.payment SET hold_code = 'PI_DECLINED', hold_message = 'sample'")
    funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=3)


def test_each_row_of_master_data_that_can_not_be_read_is_named_and_the_others_pay(funded, simulators):
    codes = [{"code": code, "category": None, "active": True} for code in ("SAMPLE1", "SAMPLE2")]
    with PlatformClient(simulators.platform_config()) as platform:
        known = [code.wire() for code in platform.master_data().head_codes.values()]
    simulators.ask_platform(
        "POST", "masters", {"tenantId": "od", "module": "expense", "name": "HeadCodes", "data": [*known, *codes]}
    )
    sweep = funded.sweep("PI")
    with pytest.raises(SweepNeedsAttentionError, match="2 problem"), sweep:
        funded.work(sweep)
    assert [text.rpartition(" ")[2] for text in sweep.problems] == ["SAMPLE1", "SAMPLE2"]
    assert funded.statuses() == Counter(INITIATED=3)


def test_each_payment_is_held_whose_number_was_paid_in_other_letters(funded):
    """As the Java adapter had written them."""
    *paid, due = [row["payment_number"] for row in funded.rows("SELECT payment_number FROM ifms.payment ORDER BY 1")]
    with psycopg.connect(funded.dsn) as connection:
        for place, number in enumerate(map(str.lower, paid)):
            connection.execute(
                "INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, raised_at)"
                " VALUES ('od.samplea', %s, '', 900, now())",
                (number,),
            )
            java = {"tenant_id": "od.samplea", "imported_at": "2026-02-01"}
            connection.execute(kept(f"PI-JAVA-{place}", number, "SUCCESSFUL", **java).encode())
    with pytest.raises(SweepNeedsAttentionError, match="differs only in"):
        funded.run("PI")
    held = funded.rows(
        "SELECT payment_number FROM ifms.payment WHERE hold_message LIKE '%%differs only in%%' ORDER BY 1"
    )
    assert [row["payment_number"] for row in held] == paid
    [pi] = funded.rows("SELECT payment_number FROM ifms.payment_instruction WHERE status = 'INITIATED'")
    assert pi["payment_number"] == due


def test_earlier_numbers_of_every_payment_are_looked_for(funded, monkeypatch):
    find, asked = instructions.failed_uncertain, []

    def note(connection, payments):
        asked.extend(number for _, number in payments)
        return find(connection, payments)

    monkeypatch.setattr("ifms.services.pi.instructions.failed_uncertain", note)
    funded.run("PI")
    assert set(asked) == {row["payment_number"] for row in funded.rows("SELECT payment_number FROM ifms.payment")}
    assert len(asked) == 3


def test_money_that_is_not_used_under_a_known_head_is_not_said_to_be_under_an_unknown_one(funded):
    close(funded)
    sweep = funded.run("PI")
    assert len(sweep.problems) == 3
    assert all("(closed)" in text and "no active head of account" not in text for text in sweep.problems)


@pytest.mark.parametrize("head", [0, 1, 2])
def test_whichever_head_has_the_money_pays_though_another_unit_has_none(funded, simulators, head):
    codes = [row["code"] for row in funded.rows("SELECT DISTINCT hoa_code AS code FROM ifms.sanction ORDER BY 1")]
    with psycopg.connect(funded.dsn) as connection:
        connection.execute(
            "INSERT INTO ifms.sanction_closing (sanction_id, closed, reason, person) "
            "SELECT id, true, 'sample', 'a tester' FROM ifms.sanction WHERE hoa_code <> %s",
            (codes[head],),
        )
    units = [
        {
            "id": number,
            "ssuId": f"900{number}",
            "active": True,
            "ddoCode": f"SIMHUD00{number}",
            "ssuCode": "S",
            "ssuOffice": "sample",
            "granteeName": "Sample",
            "granteeAgCode": f"GOSIMULBMPL000{number}",
        }
        for number in ("1", "2")
    ]
    master = {"tenantId": "od.samplea", "module": "ifms", "name": "SSUDetails", "data": units}
    simulators.ask_platform("POST", "masters", master)
    funded.run("PI")
    assert funded.statuses() == Counter(INITIATED=3)


# Several cities -------------------------------------------------------------------------------------------------------

CITIES = ("od.samplea", "od.sampleb")
TWO_CITIES = pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0, "persist_ms": 0})


@pytest.fixture
def cities(adapter, simulators):
    """Money in each of two cities, and a payment that the ledger has not heard of."""
    adapter.run("VA")
    for tenant in CITIES:
        simulators.ask_platform("POST", "bills", ONE_PAYMENT | {"tenantId": tenant})
    return adapter


def with_pi(adapter):
    rows = adapter.rows("SELECT DISTINCT tenant_id FROM ifms.payment_instruction ORDER BY 1")
    return tuple(row["tenant_id"] for row in rows)


@TWO_CITIES
def test_the_payments_of_every_city_of_the_platform_get_their_instructions_and_no_others(cities, treasury):
    gone = NewPayment("od.gone", "EP/GONE", "sample", Decimal(1), datetime(2026, 1, 1, tzinfo=UTC))
    on(cities, lambda c: remember_payments(c, [gone]))
    cities.run("PI")
    assert with_pi(cities) == CITIES
    assert_money_is_right(cities, treasury)


@pytest.mark.parametrize("known", [True, False], ids=["its id is known", "its bill alone"])
@TWO_CITIES
def test_a_payment_that_another_city_has_paid_is_not_paid_again_and_the_others_are(cities, treasury, simulators, known):
    """A city with another code keeps the ids of its rows; an import does not know those of payments."""
    moved, stays = [simulators.ask_platform("POST", "bills", ONE_PAYMENT)[0] for _ in range(2)]
    number = moved["paymentNumber"]
    with PlatformClient(simulators.platform_config()) as platform:
        [payment] = platform.payments(CITIES[0], numbers=[number])
    amount = payment.net_payable_amount
    gone = NewPayment("od.gone", number, payment.id if known else "", amount, datetime(2026, 1, 1, tzinfo=UTC))
    on(cities, lambda c: remember_payments(c, [gone]))
    on(cities, lambda c: bind_bills(c, "od.gone", {number: [moved["id"]]}))
    with pytest.raises(SweepNeedsAttentionError, match="1 problem.* od.gone"):
        cities.run("PI")
    held = cities.rows(
        "SELECT hold_code, hold_message FROM ifms.payment WHERE tenant_id <> 'od.gone' AND paid_by IS NULL"
    )
    if known:  # it was not taken in
        assert held == []
    else:
        assert held[0]["hold_code"] == BAD_PAYMENT
        assert f"pays bill {moved['id']}, which payment {number} of od.gone pays already" in held[0]["hold_message"]
    paid = {row["payment_number"] for row in cities.rows("SELECT payment_number FROM ifms.payment_instruction")}
    assert number not in paid
    assert stays["paymentNumber"] in paid
    assert cities.statuses() == Counter(INITIATED=3)
    assert_money_is_right(cities, treasury)


@TWO_CITIES
def test_a_city_whose_payments_can_not_be_read_is_named_and_the_others_are_paid(cities, simulators):
    rule = {"service": "payment_search", "effect": "http_status", "status": 503}
    simulators.ask_platform("POST", "rules", rule | {"times": 3})  # as often as it is tried
    with pytest.raises(SweepNeedsAttentionError, match=f"the payments of {CITIES[0]} could not be read"):
        cities.run("PI")
    assert with_pi(cities) == CITIES[1:]


@TWO_CITIES
def test_a_platform_that_answers_about_no_city_ends_the_sweep(cities, simulators):
    simulators.ask_platform("POST", "rules", {"service": "payment_search", "effect": "http_status", "status": 503})
    with pytest.raises(PlatformUnavailableError, match=CITIES[0]):
        cities.run("PI")


@TWO_CITIES
def test_a_payment_that_the_scope_names_is_found_whatever_the_platform_calls_it(cities, simulators):
    [first, _] = [each["paymentNumber"] for each in simulators.ask_platform("GET", "state")["payments"]]
    simulators.ask_platform("POST", "statuses", {"paymentNumber": first, "status": "FAILED"})
    cities.run("PI", Scope(payments=(first,)))
    assert [row["payment_number"] for row in cities.rows("SELECT payment_number FROM ifms.payment")] == [first]


@TWO_CITIES
def test_a_restored_ledger_hears_of_payments_that_the_platform_calls_failed(cities, simulators):
    payments = [each["paymentNumber"] for each in simulators.ask_platform("GET", "state")["payments"]]
    simulators.ask_platform("POST", "statuses", [{"paymentNumber": each, "status": "FAILED"} for each in payments])
    cities.run("PI")
    assert cities.rows("SELECT payment_number FROM ifms.payment") == []
    on(cities, lambda c: restores.begin(c, "sample"))
    cities.run("PI")
    known = cities.rows("SELECT payment_number, paid_by FROM ifms.payment")
    assert {row["payment_number"] for row in known} == set(payments)
    assert {row["paid_by"] for row in known} == {None}, "they are in doubt"


@TWO_CITIES
def test_a_sweep_that_ends_early_gives_back_what_it_had_written_or_looked_up(cities, simulators, monkeypatch):
    """Of four that were written together one is taken to be sent; the next payments are of both cities."""
    for tenant in CITIES:
        simulators.ask_platform("POST", "bills", ONE_PAYMENT | {"tenantId": tenant, "count": 9})
    stop = threading.Event()

    def take_one(sweep, items, *_):
        if next(items, None) is not None:
            stop.set()
        items.close()

    monkeypatch.setattr("ifms.services.pi.drive", take_one)
    monkeypatch.setattr("ifms.services.pi.TOGETHER", 4)
    monkeypatch.setattr("ifms.services.pi.BATCH", 8)
    with pytest.raises(SweepStoppedError):
        cities.run("PI", stop=stop)
    assert cities.statuses() == Counter(PENDING=4)
    claimed = "SELECT count(*) AS n FROM ifms.{} WHERE claimed_until > now()"
    assert [cities.rows(claimed.format(table))[0]["n"] for table in ("payment_instruction", "payment")] == [1, 0]
    assert len(cities.rows("SELECT FROM ifms.payment WHERE polled_at IS NULL AND paid_by IS NULL")) == 16


# Paying failed beneficiaries anew -------------------------------------------------------------------------------------


@pytest.fixture
def repayment(ledger):
    """A new PI for both beneficiaries of a PARTIAL one, each paid for two lines; with its claim."""
    ledger.fund(10_000)
    payees = [replace(beneficiary(Decimal(200)), line_item_ids=(f"{n}a", f"{n}b")) for n in range(2)]
    pi, mine = ledger.instruct(*ledger.payment(400), payees)

    def write(connection):
        claim = mine
        for event in (Event.ACCEPTED, Event.APPROVED, Event.ADVISED, Event.SOME_FAILED):
            original = instructions.find(connection, [pi.pi_number])[pi.pi_number]
            instructions.advance(connection, original, claim, event)
            claim = None
        beneficiaries.set_beneficiaries(connection, pi, BeneficiaryStatus.PENDING, BeneficiaryStatus.IN_PROCESS)
        failure = Failure(date(2024, 6, 3), "Account closed", None, None)
        beneficiaries.record_failures(
            connection, {row.id: failure for row in beneficiaries.of(connection, [pi.id])[pi.id]}
        )
        funding = funds.choose_funding(connection, TENANT, Decimal(400), [SOURCE], financial_year="2024-25")
        return instructions.create_repayment(connection, pi, funding, "PI-SA/ANEW", pi.bill_date, payees, mine, KEYRING)

    return ledger.db.transact(write), mine


def after(ledger, repayment, what, *given):
    """Do it in a batch of writes; the statuses of both PIs, of the new one's beneficiaries, and what is told last."""
    pi, claim = repayment

    def write(connection):
        writes = Writes(connection)
        what(writes, pi, claim, *given)
        writes.flush()

    ledger.db.transact(write)
    with ledger.connect() as connection:
        statuses = connection.execute("SELECT status FROM ifms.payment_instruction ORDER BY repayment_of NULLS FIRST")
        rows = connection.execute(
            "SELECT DISTINCT status FROM ifms.beneficiary WHERE payment_instruction_id = %s", (pi.id,)
        )
        told = connection.execute("SELECT payload FROM ifms.outbox ORDER BY id").fetchall()
        return [status for (status,) in statuses], [status for (status,) in rows], [payload for (payload,) in told]


def test_an_accepted_repayment_takes_over_all_lines_of_all_its_beneficiaries(ledger, repayment):
    pis, rows, [told] = after(ledger, repayment, Instruction().accepted, None, None)
    assert (pis, rows) == (["COMPLETED", "INITIATED"], ["Payment Initiated"])
    assert (told["status"], told["referenceStatus"], told["lineStatus"]) == (
        "INITIATED",
        "PAYMENT_INITIATED",
        "INITIATED",
    )
    assert told["lines"] == ["0a", "0b", "1a", "1b"]


def test_a_declined_repayment_leaves_its_beneficiaries_as_failed_as_they_were(ledger, repayment):
    pis, rows, told = after(ledger, repayment, Instruction().declined, (ReplyError(None, "Insufficient fund"),))
    assert (pis, rows, told) == (["PARTIAL", "FAILED"], ["Payment Failed"], [])
    assert ledger.one("SELECT count(*) FROM ifms.failed_beneficiary") == 2
