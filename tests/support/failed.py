"""Payments that come back from the bank, and payees whose accounts are mended: what a test does around FD and COR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import psycopg
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.databases import rewrite

from ifms.ledger.invariants import find_violations
from ifms.services.correction_order import Order

TENANT = "od.samplea"
NEW_ACCOUNT = "000099990001"


def last_day(failed_on: date, days: int = 90, month: int = 4, day: int = 30) -> date:
    """The last day of a correction, reckoned anew: whichever comes first of so many days and that day of the year."""
    ends = [date(year, 3, 31) for year in (failed_on.year, failed_on.year + 1) if date(year, 3, 31) >= failed_on]
    after_it = [date(year, month, day) for year in range(failed_on.year, failed_on.year + 3)]
    return min(failed_on + timedelta(days=days), next(each for each in after_it if each > ends[0]))


def wage_bill(adapter: Adapter, payees: int = 3, tenant: str = TENANT) -> None:
    """An approved wage bill."""
    adapter.simulators.ask_platform("POST", "bills", {"type": "wage", "tenantId": tenant, "payees": payees})


def one_account(adapter: Adapter) -> tuple[str, str]:
    """Two payees with one account, who are one beneficiary: paid, and failed. Their ids, in the bill's order."""
    bill = {"type": "wage", "tenantId": TENANT, "payees": 2, "same_account": True}
    [made] = adapter.simulators.ask_platform("POST", "bills", bill)
    adapter.cycle()
    fail(adapter, "all")
    adapter.run("FD")
    one, two = made["payees"]
    return one, two


def give(adapter: Adapter, payee: str, account: str) -> None:
    """The registry has another account for a payee."""
    change = {"tenantId": TENANT, "referenceId": payee, "accountNumber": account}
    adapter.simulators.ask_platform("POST", "accounts", change)


def a_paid_bill(adapter: Adapter) -> None:
    """One wage bill of three payees, paid."""
    wage_bill(adapter)
    adapter.cycle()


def original(adapter: Adapter) -> dict[str, Any]:
    """The oldest original PI."""
    return adapter.rows("SELECT * FROM ifms.payment_instruction WHERE pi_type = 'ORIGINAL' ORDER BY created_at")[0]


def revisions(adapter: Adapter) -> list[dict[str, Any]]:
    """The revised PIs, the oldest first."""
    return adapter.rows("SELECT * FROM ifms.payment_instruction WHERE pi_type = 'REVISED' ORDER BY created_at")


def fail(adapter: Adapter, beneficiaries: int | Sequence[str] | str = 1, number: str | None = None) -> None:
    """The bank gives money back: of the first so many beneficiaries, of these, or of `all`."""
    order = {"bill_number": number or original(adapter)["pi_number"], "beneficiaries": beneficiaries}
    adapter.simulators.ask_treasury("POST", "failures", order)


def failing(adapter: Adapter) -> list[str]:
    """The beneficiaries whose last payment failed and whom nobody has taken over."""
    rows = adapter.rows("SELECT beneficiary_number FROM ifms.failed_beneficiary ORDER BY 1")
    return [row["beneficiary_number"] for row in rows]


def payee_of(adapter: Adapter, number: str) -> str:
    """Who is behind a beneficiary's number."""
    rows = adapter.rows("SELECT beneficiary_id FROM ifms.beneficiary WHERE beneficiary_number = %s", number)
    payee: str = rows[0]["beneficiary_id"]
    return payee


def mend(adapter: Adapter, numbers: Sequence[str] | None = None, account: str = NEW_ACCOUNT) -> None:
    """The registry has other accounts for these beneficiaries, or for all who failed."""
    for place, number in enumerate(failing(adapter) if numbers is None else numbers):
        change = {"tenantId": TENANT, "referenceId": payee_of(adapter, number)}
        adapter.simulators.ask_platform("POST", "accounts", change | {"accountNumber": f"{int(account) + place:012d}"})


def paid_and_failed(adapter: Adapter, payees: int = 3, failures: int = 1) -> None:
    """A wage bill, paid; then the first of its payees have failed, and FD has told so."""
    wage_bill(adapter, payees)
    adapter.cycle()
    fail(adapter, failures)
    adapter.run("FD")


def order(adapter: Adapter, **changes: Any) -> Order:
    """To correct the oldest original."""
    return Order(TENANT, original(adapter)["pi_number"], **changes)


def sent(adapter: Adapter, pi_type: str = "REVISED") -> list[dict[str, Any]]:
    """The PIs that pay failed beneficiaries once more: revised ones, or new originals."""
    column = "parent_pi_number" if pi_type == "REVISED" else "repayment_of"
    return adapter.rows(f"SELECT * FROM ifms.payment_instruction WHERE {column} IS NOT NULL ORDER BY created_at")


def paid_by(adapter: Adapter, pi: Mapping[str, Any]) -> list[str]:
    """The numbers of a PI's beneficiaries."""
    rows = adapter.rows("SELECT beneficiary_number FROM ifms.beneficiary WHERE payment_instruction_id = %s", pi["id"])
    return sorted(row["beneficiary_number"] for row in rows)


def choices(adapter: Adapter) -> list[str]:
    """The choices of an account that failed, as the status log has them."""
    rows = adapter.rows("SELECT message FROM ifms.status_log WHERE status = 'STATUS_LOG_COR_SAME_ACCOUNT'")
    return [row["message"] for row in rows]


def none_is_wrong(adapter: Adapter, treasury: Treasury) -> None:
    """Every rupee is where it belongs, and no invariant is broken."""
    assert_money_is_right(adapter, treasury)
    with psycopg.connect(adapter.dsn) as connection:
        assert find_violations(connection) == []


def long_ago(adapter: Adapter, days: int = 120) -> None:
    """What has failed did so days ago: after 120 it can't be corrected any more."""
    rewrite(adapter.dsn, "UPDATE ifms.beneficiary SET failed_on = failed_on - %s WHERE failed_on IS NOT NULL", [days])
