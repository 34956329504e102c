"""A PI of an earlier run: sent only as it was signed, and only while the platform owes just that."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import psycopg
import pytest
from psycopg import errors
from support.adapter import Adapter, Treasury
from support.bad_ones import BadOnes, under_one_number
from support.databases import as_worker
from support.failed import TENANT, give, mend, original, paid_and_failed, revisions, wage_bill
from support.keys import account_numbers
from support.platform_store import change_stored
from support.uncertain import nobody_listens

from ifms.errors import SealError, SweepNeedsAttentionError, SweepUnreachableError

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0, "persist_ms": 0})


@pytest.fixture
def unsent(adapter: Adapter, treasury: Treasury) -> Adapter:
    """A PI of three payees that has not reached the treasury."""
    wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "refuse")
    with pytest.raises(SweepUnreachableError):
        adapter.run("PI")
    treasury.clear()
    assert adapter.statuses() == Counter(PENDING=1)
    return adapter


def problem_of(adapter: Adapter, number: str, service: str = "PI") -> str:
    """What a sweep that ends red says of a PI."""
    sweep = adapter.sweep(service)
    with pytest.raises(SweepNeedsAttentionError), sweep:
        adapter.work(sweep)
    [problem] = [each for each in sweep.problems if number in each]
    return problem


def stays_pending(adapter: Adapter, treasury: Treasury, said: str) -> None:
    """Twice, as long as nobody has mended it: red, named, the money reserved, nothing at the treasury."""
    number = original(adapter)["pi_number"]
    for _ in range(2):
        assert said in problem_of(adapter, number)
    assert treasury.accepted == {}
    assert adapter.statuses() == Counter(PENDING=1)
    [money] = adapter.rows("SELECT reserved_amount FROM ifms.sanction WHERE reserved_amount > 0")
    assert money["reserved_amount"] == original(adapter)["net_amount"]


# Who has the database's password and no key ---------------------------------------------------------------------------

FORGED_PAYMENT = f"""
    INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, raised_at)
    VALUES ('{TENANT}', 'EP/FORGED', 'forged', 100, now())"""
# Another PI's content, but for who it pays how much: the payee's sealed account is copied.
FORGED_PI = """
    WITH pi AS (
        INSERT INTO ifms.payment_instruction (tenant_id, pi_number, pi_type, payment_number, sanction_id, hoa_code,
            ddo_code, ssu_id, grantee_code, scheme_code, master_allotment_id, ssu_allotment_id, allotment_serial_no,
            gross_amount, net_amount, beneficiary_count, bill_date, financial_year, purpose, attempts, last_attempt,
            signature)
        SELECT tenant_id, 'PI-FORGED', 'ORIGINAL', 'EP/FORGED', sanction_id, hoa_code, ddo_code, ssu_id, grantee_code,
            scheme_code, master_allotment_id, ssu_allotment_id, allotment_serial_no, 100, 100, 1, bill_date,
            financial_year, purpose, 1, 'never_sent', {signature} FROM ifms.payment_instruction LIMIT 1
        RETURNING id, sanction_id
    ), moved AS (
        INSERT INTO ifms.fund_movement (sanction_id, payment_instruction_id, kind, amount)
        SELECT sanction_id, id, 'RESERVE', 100 FROM pi
    )
    INSERT INTO ifms.beneficiary (payment_instruction_id, beneficiary_number, beneficiary_id, beneficiary_type, amount,
        line_item_ids, name, account_sealed, account_last4, account_type, ifsc, bank_account_id, mobile, address)
    SELECT pi.id, 'BN-FORGED', beneficiary_id, beneficiary_type, 100, line_item_ids, name, account_sealed, '9999',
        account_type, ifsc, bank_account_id, mobile, address FROM ifms.beneficiary, pi LIMIT 1"""


def forge(adapter: Adapter, signature: str = "signature") -> None:
    with psycopg.connect(as_worker(adapter.dsn)) as connection:
        connection.execute(FORGED_PAYMENT.encode())
        connection.execute(FORGED_PI.format(signature=signature).encode())


def test_a_forged_pi_with_a_copied_account_is_not_sent(adapter: Adapter, treasury: Treasury):
    wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    accepted = dict(treasury.accepted)
    forge(adapter)
    for _ in range(2):
        assert "BN-FORGED" in problem_of(adapter, "PI-FORGED")
    assert treasury.accepted == accepted
    assert adapter.statuses() == Counter(INITIATED=1, PENDING=1)
    with pytest.raises(SealError, match="BN-FORGED"):
        account_numbers(adapter.dsn)
    with pytest.raises(SweepNeedsAttentionError):
        adapter.reconcile()
    [found] = adapter.rows("SELECT problems FROM ifms.sweep_run WHERE service_id = 'RECONCILE'")
    named = [problem for problem in found["problems"] if "PI-FORGED" in problem]
    rules = ("payments_pay_bills", "instructions_are_signed", "platform_owes_the_same")
    assert {rule for rule in rules for problem in named if problem.startswith(rule)} == set(rules)


def test_a_pi_is_not_written_without_a_signature(adapter: Adapter, treasury: Treasury):
    wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    with pytest.raises(errors.CheckViolation, match="signed when it is made"):
        forge(adapter, "NULL")


def test_an_account_that_was_exchanged_for_another_s_is_not_sent(unsent: Adapter, treasury: Treasury):
    """Even by the database's owner, past its triggers."""
    with psycopg.connect(unsent.dsn) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(
            """
            UPDATE ifms.beneficiary b SET account_sealed = o.account_sealed, account_last4 = o.account_last4
            FROM ifms.beneficiary o WHERE o.beneficiary_number <> b.beneficiary_number
            """
        )
    stays_pending(unsent, treasury, "does not open: it was changed, or is another's")


@pytest.mark.parametrize(
    "change", ["mobile = '9000000099'", "line_item_ids = '{line-x}'", "beneficiary_id = 'payee-x'"]
)
def test_a_row_that_was_rewritten_is_not_sent(unsent: Adapter, treasury: Treasury, change: str):
    with psycopg.connect(unsent.dsn) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(f"UPDATE ifms.beneficiary SET {change}".encode())
    stays_pending(unsent, treasury, "its signature does not fit")


# What the platform owes now -------------------------------------------------------------------------------------------

LINE = "$.bills[0].billDetails[0].payableLineItems[0]"
BILL_LINE = "$.billDetails[0].payableLineItems[0]"
CHANGES = {
    "the payment's amount": ("payment", "$.netPayableAmount", "1", "says 1 for the payment's total"),
    "a line's amount on the payment": ("payment", f"{LINE}.paidAmount", "1", "1"),
    "a line's amount on the bill": ("bill", f"{BILL_LINE}.amount", "1", "add up to"),
    "the payee": ("bill", "$.billDetails[0].payee.identifier", '"another"', "whom payment"),
    "a line that is paid already": ("payment", f"{LINE}.status", '"SUCCESSFUL"', "does not owe (any more)"),
    "the payment is cancelled": ("payment", "$.status", '"CANCELLED"', "is cancelled"),
    "the bill is cancelled": ("bill", "$.status", '"INACTIVE"', "WB/"),
    "the payment's number": ("payment", "$.paymentNumber", '"EP/ANOTHER"', "is not found on the platform"),
    "a line is gone": ("payment", f"{LINE}.lineItemId", '"another"', "is not in payment"),
}


@pytest.mark.parametrize(("table", "path", "value", "said"), CHANGES.values(), ids=CHANGES.keys())
def test_what_has_changed_on_the_platform_is_not_sent(
    unsent: Adapter, treasury: Treasury, tmp_path: Path, table: str, path: str, value: str, said: str
):
    change_stored(tmp_path, table, path, value)
    stays_pending(unsent, treasury, said)


def test_what_the_platform_owes_as_it_was_written_is_sent(unsent: Adapter, treasury: Treasury):
    unsent.run("PI")
    assert unsent.statuses() == Counter(INITIATED=1)
    assert list(treasury.accepted) == [original(unsent)["pi_number"]]


def test_one_that_was_never_sent_is_not_sent_either_and_is_not_asked_about(
    adapter: Adapter, treasury: Treasury, tmp_path: Path
):
    wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    with nobody_listens(adapter):
        adapter.run("PI")
    assert original(adapter)["last_attempt"] == "never_sent"
    change_stored(tmp_path, "payment", "$.status", '"CANCELLED"')
    asked = dict(treasury.state["calls"])
    stays_pending(adapter, treasury, "can't be sent again: payment EP/")
    assert {name: n for name, n in treasury.state["calls"].items() if name in ("PI", "PIS")} == {
        name: n for name, n in asked.items() if name in ("PI", "PIS")
    }
    assert "is cancelled" in original(adapter)["error_message"]
    change_stored(tmp_path, "payment", "$.status", '"INITIATED"')
    adapter.run("PI")
    assert adapter.statuses() == Counter(INITIATED=1)


def test_one_whose_payment_can_not_be_read_keeps_no_other(adapter: Adapter, treasury: Treasury, tmp_path: Path):
    for _ in range(3):
        wage_bill(adapter, payees=1)
    adapter.run("VA")
    adapter.run("PA")
    with nobody_listens(adapter):
        adapter.run("PI")
    assert adapter.statuses() == Counter(PENDING=3)
    change_stored(tmp_path, "payment", "$.netPayableAmount", '"much"')
    sweep = adapter.sweep("PI")
    with pytest.raises(SweepNeedsAttentionError), sweep:
        adapter.work(sweep)
    assert adapter.statuses() == Counter(PENDING=1, INITIATED=2)
    [waiting] = adapter.rows("SELECT pi_number, error_message FROM ifms.payment_instruction WHERE status = 'PENDING'")
    assert "could not be read on the platform" in waiting["error_message"]
    assert waiting["pi_number"] not in treasury.accepted


def test_bills_that_the_platform_fails_about_keep_no_other(
    adapter: Adapter, treasury: Treasury, monkeypatch: pytest.MonkeyPatch
):
    order = {"type": "wage", "tenantId": TENANT, "payees": 1, "count": 8}
    bills = adapter.simulators.ask_platform("POST", "bills", order)
    adapter.run("VA")
    adapter.run("PA")
    with nobody_listens(adapter):
        adapter.run("PI")
    assert adapter.statuses() == Counter(PENDING=8)
    bad = BadOnes(monkeypatch, "bill/v1/_search", bills[0]["id"], bills[5]["id"])
    with pytest.raises(SweepNeedsAttentionError, match="could not be read on the platform"):
        adapter.run("PI")
    assert adapter.statuses() == Counter(PENDING=2, INITIATED=6)
    bad.texts = ("",)
    bad.calls = 0
    with pytest.raises(SweepNeedsAttentionError):
        adapter.run("PI")
    assert bad.calls == 3 + 2
    bad.texts = ()
    adapter.run("PI")
    assert adapter.statuses() == Counter(INITIATED=8)


def test_one_whose_number_names_another_payment_too_is_not_sent(
    unsent: Adapter, treasury: Treasury, monkeypatch: pytest.MonkeyPatch
):
    number = original(unsent)["payment_number"]
    with monkeypatch.context() as patch:
        under_one_number(patch, number)
        stays_pending(unsent, treasury, f"payment number {number} is that of 2 payments")
    unsent.run("PI")
    assert unsent.statuses() == Counter(INITIATED=1)


def test_one_that_has_arrived_is_found_all_the_same(adapter: Adapter, treasury: Treasury, tmp_path: Path):
    """What the treasury has is told by its status service, whatever the platform owes today."""
    wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "lost_reply")
    with pytest.raises(SweepUnreachableError):
        adapter.run("PI")
    treasury.clear()
    assert adapter.statuses() == Counter(PENDING=1)
    change_stored(tmp_path, "payment", "$.status", '"CANCELLED"')
    adapter.run("PI")
    assert adapter.statuses() == Counter(INITIATED=1)
    assert list(treasury.accepted) == [original(adapter)["pi_number"]]


def test_a_revision_is_checked_in_the_same_way(adapter: Adapter, treasury: Treasury, tmp_path: Path):
    paid_and_failed(adapter, payees=2)
    adapter.relay()
    mend(adapter)
    treasury.rule("COR", "refuse")
    with pytest.raises(SweepUnreachableError):
        adapter.correct()
    treasury.clear()
    [revision] = revisions(adapter)
    with psycopg.connect(adapter.dsn) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(
            "UPDATE ifms.beneficiary SET mobile = '9000000099' WHERE payment_instruction_id = %s", (revision["id"],)
        )
    assert "its signature does not fit" in problem_of(adapter, revision["pi_number"], "COR")
    with psycopg.connect(adapter.dsn) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(
            "UPDATE ifms.beneficiary b SET mobile = o.mobile FROM ifms.beneficiary o"
            " WHERE o.beneficiary_number = b.beneficiary_number AND b.payment_instruction_id = %s"
            " AND o.payment_instruction_id <> b.payment_instruction_id",
            (revision["id"],),
        )
    change_stored(tmp_path, "payment", "$.status", '"CANCELLED"')
    assert "is cancelled" in problem_of(adapter, revision["pi_number"], "COR")
    assert revisions(adapter)[0]["status"] == "PENDING"
    change_stored(tmp_path, "payment", "$.status", '"PARTIAL"')
    adapter.correct()
    assert revisions(adapter)[0]["status"] == "INITIATED"


def test_two_payees_whose_one_account_is_no_longer_one_are_not_sent_first(adapter: Adapter, treasury: Treasury):
    bill = {"type": "wage", "tenantId": TENANT, "payees": 2, "same_account": True}
    [made] = adapter.simulators.ask_platform("POST", "bills", bill)
    adapter.run("VA")
    adapter.run("PA")
    with nobody_listens(adapter):
        adapter.run("PI")
    one, two = made["payees"]
    give(adapter, two, "000099990001")
    stays_pending(adapter, treasury, "whose accounts differ now: give them one account in the registry, or cancel this")
    give(adapter, one, "000099990001")
    adapter.run("PI")
    assert adapter.statuses() == Counter(INITIATED=1)


def test_one_that_may_have_arrived_is_sent_again_whatever_its_payees_accounts_are(adapter: Adapter, treasury: Treasury):
    bill = {"type": "wage", "tenantId": TENANT, "payees": 2, "same_account": True}
    [made] = adapter.simulators.ask_platform("POST", "bills", bill)
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "refuse")
    with pytest.raises(SweepUnreachableError):
        adapter.run("PI")
    treasury.clear()
    give(adapter, made["payees"][1], "000099990001")
    adapter.run("PI")
    assert adapter.statuses() == Counter(INITIATED=1)
