"""Revised payment instructions: COR, FTPS, FTFPS (treasury-jit.md §2)."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ifms_simulator.rules import Taken
from ifms_simulator.store import canonical, load
from ifms_simulator.treasury.bills import DUPLICATE, PAID, Bill, Bills
from ifms_simulator.treasury.failures import Failures
from ifms_simulator.treasury.messages import refuse_same_account, refuse_unless_echoed, refuse_wrong_ifsc
from ifms_simulator.treasury.state import Refused, State, stamp

RECEIVED = "Jit Correction Bill is received successfully ,forwarded to Treasury officer"
NOT_RECEIVED = "Correction Bill not received in JIT-FS"
_REFERENCE = 1_800_000_000_000


@dataclass(frozen=True)
class Correction:
    """A correction bill that the treasury has accepted, with all that follows from it."""

    id: int
    number: str
    params: dict[str, Any]
    accepted_at: float
    pace: float

    @classmethod
    def of(cls, row: sqlite3.Row) -> Correction:
        """The correction of its row."""
        return cls(row["id"], row["number"], load(row["document"]), row["accepted_at"], row["pace"])

    @property
    def paid_at(self) -> float:
        """When the money goes out, in epoch seconds: one step after acceptance, PIS and PAG are skipped."""
        return self.accepted_at + self.pace

    @property
    def rows(self) -> list[dict[str, str]]:
        """The corrected beneficiaries, as COR gave them."""
        rows: list[dict[str, str]] = self.params.get("beneficiaryDetails") or self.params["beneficiaryDtls"]
        return rows

    @property
    def reference(self) -> str:
        """The correction's own bill reference number."""
        return str(_REFERENCE + self.id)

    @property
    def token(self) -> str:
        """The token number."""
        return str(70_000 + self.id)

    @property
    def voucher_date(self) -> str:
        """The date of voucher and token."""
        return stamp(self.paid_at)[:10]

    def scrolls(self) -> list[dict[str, str]]:
        """What the bank did for each beneficiary."""
        return [
            {
                "benfAcctNo": row["correctedAccountNo"],
                "benfBankIfscCode": row["correctedIfsc"],
                "utrNo": f"RBIC{self.id:06d}{position:03d}",
                "utrDate": self.voucher_date,
                "endToEndId": f"EP{self.reference}{position:04d}",
                "benfId": row["benefId"],
            }
            for position, row in enumerate(self.rows, start=1)
        ]


class Corrections:
    """COR, FTPS and FTFPS."""

    def __init__(self, state: State, bills: Bills, failures: Failures) -> None:
        self._state = state
        self._store = state.store
        self._bills = bills
        self._failures = failures

    def accept(self, params: dict[str, Any], rows: list[dict[str, str]]) -> list[dict[str, str]]:
        """COR: take the correction in, once. Raises Refused."""
        number, document = params["jitCorBillNo"], canonical(params)
        known = self._store.row("SELECT id, document FROM correction WHERE number = ?", number)
        if known is not None:
            self._store.run("UPDATE correction SET received = received + 1 WHERE id = ?", known["id"])
            if known["document"] != document:
                self._store.run("UPDATE correction SET conflicts = conflicts + 1 WHERE id = ?", known["id"])
                raise Refused(f"Correction bill {number} was received before with other details")
            if self._state.settings.repeated_pi == "duplicate":
                raise Refused(DUPLICATE)
            return [_receipt(params)]
        original = self._original(params)
        for row in rows:
            self._check(original, row)
        refuse_same_account(rows, "correctedAccountNo", "correctedIfsc")
        refuse_wrong_ifsc(rows, "correctedIfsc", "322", tuple(self._state.settings.refused_ifsc))
        cursor = self._store.run(
            "INSERT INTO correction (number, bill, document, accepted_at, pace, received, stage)"
            " VALUES (?, ?, ?, ?, ?, 1, 'received')",
            number,
            original.number,
            document,
            self._state.now(),
            float(self._state.settings.pace_seconds),
        )
        self._store.run_many(
            "INSERT INTO corrected VALUES (?, ?, ?, ?, ?)",
            [
                (cursor.lastrowid, original.number, row["benefId"], row["correctedAccountNo"], row["correctedIfsc"])
                for row in rows
            ],
        )
        return [_receipt(params)]

    def _original(self, params: Mapping[str, str]) -> Bill:
        bill = self._bills.find(params["jitOrgBillNo"])
        if bill is None or bill.stage == "rejected":
            raise Refused(f"Original bill {params['jitOrgBillNo']} is not received in JIT-FS")
        wrong = [
            name
            for name, ours in (("jitOrgBillRefNo", bill.reference), ("jitOrgBillDate", bill.params["jitBillDate"]))
            if params[name] != ours
        ]
        if wrong:
            raise Refused(f"{', '.join(wrong)} does not belong to original bill {bill.number}")
        return bill

    def _check(self, original: Bill, row: Mapping[str, str]) -> None:
        """Raise Refused unless the beneficiary's last payment failed and its accounts are the ones used before."""
        beneficiary = row["benefId"]
        first = next((each for each in original.beneficiaries if each["benefId"] == beneficiary), None)
        if first is None:
            raise Refused(f"Beneficiary {beneficiary} is not in the original PI")
        last = self._store.row(
            "SELECT c.id, c.number, d.account, d.ifsc FROM corrected d JOIN correction c ON c.id = d.correction"
            " WHERE d.bill = ? AND d.beneficiary = ? ORDER BY c.id DESC",
            original.number,
            beneficiary,
        )
        number, reference, account, ifsc = (
            (original.number, original.reference, first["benfAcctNo"], first["benfBankIfscCode"])
            if last is None
            else (last["number"], str(_REFERENCE + last["id"]), last["account"], last["ifsc"])
        )
        if not self._failures.has_failed(number, beneficiary):
            raise Refused(f"The payment of beneficiary {beneficiary} in {number} has not failed")
        expected = {
            "jitCurBillRefNo": reference,
            "orgAccountNo": first["benfAcctNo"],
            "orgIfsc": first["benfBankIfscCode"],
            "curAccountNo": account,
            "curIfsc": ifsc,
        }
        wrong = [name for name, ours in expected.items() if name in row and row[name] != ours]
        if wrong:
            raise Refused(f"{', '.join(wrong)} of beneficiary {beneficiary} is not what {number} was paid with")

    def success(self, params: Mapping[str, str], rules: Taken) -> list[dict[str, Any]]:
        """FTPS: voucher and debit scrolls of a correction, or nothing yet. Raises Refused."""
        correction = self._known(params["jitCorBillNo"])
        names = ("jitCorBillDate", "jitOrgBillRefNo", "jitOrgBillNo", "jitOrgBillDate")
        refuse_unless_echoed(correction.number, {name: correction.params[name] for name in names}, params)
        if not self._paid(correction):
            return []
        scrolls = correction.scrolls()
        if "partial_scrolls" in rules:
            scrolls = scrolls[: rules["partial_scrolls"].options.get("beneficiaries", 1)]
        return [
            {
                "jitCorBillNo": correction.number,
                "jitCorBillDate": correction.params["jitCorBillDate"],
                "jitOrgBillRefNo": correction.params["jitOrgBillRefNo"],
                "voucherNo": str(40_000 + correction.id),
                "voucherDate": correction.voucher_date,
                "billRefNo": correction.reference,
                "paymentStatus": PAID,
                "tokenNumber": correction.token,
                "tokenDate": correction.voucher_date,
                "benfDtls": scrolls,
            }
        ]

    def failure(self, params: Mapping[str, str], rules: Taken) -> list[dict[str, Any]]:
        """FTFPS: what of a correction came back, or nothing. Raises Refused unless what FTPS told is echoed."""
        correction = self._known(params["jitCorBillNo"])
        echoed = {
            "jitCorBillDate": correction.params["jitCorBillDate"],
            "billRefNo": correction.reference,
            "tokenNumber": correction.token,
            "tokenDate": correction.voucher_date,
        }
        refuse_unless_echoed(correction.number, echoed, params)
        if not self._paid(correction):
            return []
        scrolls = {scroll["benfId"]: scroll for scroll in correction.scrolls()}
        if "failed_beneficiaries" in rules:
            options = rules["failed_beneficiaries"].options
            self._failures.fail_first(correction.number, correction.voucher_date, list(scrolls), options)
        rows = self._failures.rows_of(correction.number, correction.params["jitOrgBillRefNo"], scrolls)
        if not rows:
            return []
        return [
            {
                "jitCorBillNo": correction.number,
                "jitCorBillDate": correction.params["jitCorBillDate"],
                "billRefNo": correction.reference,
                "tokenNumber": correction.token,
                "tokenDate": correction.voucher_date,
                "benfDtls": rows,
            }
        ]

    def find(self, number: str) -> Correction | None:
        """The accepted correction of this number."""
        row = self._store.row("SELECT * FROM correction WHERE number = ?", number)
        return Correction.of(row) if row else None

    def listed(self, content: bool) -> list[dict[str, Any]]:
        """All corrections, for the control endpoint; with what COR said if `content`."""
        return [
            {
                "number": row["number"],
                "bill": row["bill"],
                "accepted": 1,
                "received": row["received"],
                "conflicts": row["conflicts"],
                "stage": row["stage"],
                "accepted_at": row["accepted_at"],
                **({"params": load(row["document"])} if content else {}),
            }
            for row in self._store.rows("SELECT * FROM correction ORDER BY id")
        ]

    def _known(self, number: str) -> Correction:
        correction = self.find(number)
        if correction is None:
            raise Refused(NOT_RECEIVED)
        return correction

    def _paid(self, correction: Correction) -> bool:
        if self._state.now() < correction.paid_at:
            return False
        self._store.run("UPDATE correction SET stage = 'paid' WHERE id = ? AND stage != 'paid'", correction.id)
        return True


def _receipt(params: Mapping[str, str]) -> dict[str, str]:
    return {
        "jitCorBillNo": params["jitCorBillNo"],
        "jitCorBillDate": params["jitCorBillDate"],
        "successCode": "0",
        "sucessDescrp": RECEIVED,
    }
