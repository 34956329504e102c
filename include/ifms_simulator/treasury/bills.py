"""A payment instruction's way through the treasury: PI, PIS, PAG, PD (treasury-jit.md §2).

Every number that the treasury gives is derived from the bill's own row, so all services tell the same story.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from ifms.clock import financial_year
from ifms_simulator.codes import SCHEME_CODE
from ifms_simulator.rules import Taken
from ifms_simulator.store import canonical, load
from ifms_simulator.treasury.funds import Funds
from ifms_simulator.treasury.messages import refuse_same_account, refuse_unless_echoed, refuse_wrong_ifsc
from ifms_simulator.treasury.state import Refused, State, paise, stamp

PAID = "Paid by RBI eKuber,please check with your bank"
RECEIVED = (
    "Jit Bill is received successfully ,Payment Instruction will be generated after Bill is submitted by SSU in JIT-FS"
)
DUPLICATE = "Duplicate Payment Information Id"
NOT_RECEIVED = "Bill not received in JIT-FS"
STAGES = ("received", "approved", "advised", "paid")
_REFERENCE = 1_700_000_000_000
_INSTRUCTION = 500_000


@dataclass(frozen=True)
class Bill:
    """A bill that the treasury has accepted, with all that follows from it."""

    id: int
    number: str
    params: dict[str, Any]
    distribution: str
    gross: int
    accepted_at: float
    pace: float
    stage: str

    @classmethod
    def of(cls, row: sqlite3.Row) -> Bill:
        """The bill of its row."""
        return cls(
            row["id"],
            row["number"],
            load(row["document"]),
            row["distribution"],
            row["gross"],
            row["accepted_at"],
            row["pace"],
            row["stage"],
        )

    def reached_at(self, stage: str) -> float:
        """When the bill reaches a stage, in epoch seconds."""
        return self.accepted_at + STAGES.index(stage) * self.pace

    @property
    def beneficiaries(self) -> list[dict[str, str]]:
        """The beneficiaries, as the PI gave them."""
        rows: list[dict[str, str]] = self.params["beneficiaryDetails"]
        return rows

    @property
    def date(self) -> str:
        """The bill's date, as the PI gave it, without the time."""
        return str(self.params["jitBillDate"])[:10]

    @property
    def instruction(self) -> str:
        """The number of the payment instruction at the treasury."""
        return str(_INSTRUCTION + self.id)

    @property
    def instruction_time(self) -> str:
        """When it was made."""
        return stamp(self.reached_at("approved"))

    @property
    def reference(self) -> str:
        """The online bill reference number."""
        return str(_REFERENCE + self.id)

    @property
    def token(self) -> str:
        """The token number."""
        return str(self.id)

    @cached_property
    def token_date(self) -> str:
        """The date of token and advice."""
        return stamp(self.reached_at("advised"))[:10]

    @property
    def voucher(self) -> str:
        """The voucher number."""
        return str(20_000 + self.id)

    @cached_property
    def voucher_date(self) -> str:
        """The date of the voucher."""
        return stamp(self.reached_at("paid"))[:10]

    @property
    def financial_year(self) -> str:
        """The first year of the financial year of its token."""
        return str(financial_year(date.fromisoformat(self.token_date)))

    def scroll(self, position: int, row: Mapping[str, str]) -> dict[str, str]:
        """What the bank did for one beneficiary."""
        return {
            "benfAcctNo": row["benfAcctNo"],
            "benfBankIfscCode": row["benfBankIfscCode"],
            "utrNo": f"RBI{self.id:07d}{position:03d}",
            "utrDate": self.voucher_date,
            "endToEndId": f"EP{self.reference}{position:04d}",
            "benfId": row["benefId"],
        }


class Bills:
    """PI, PIS, PAG and PD."""

    def __init__(self, state: State, funds: Funds) -> None:
        self._state = state
        self._store = state.store
        self._funds = funds

    def accept(self, params: dict[str, Any], rows: list[dict[str, str]]) -> list[dict[str, str]]:
        """PI: take the bill in, once. Raises Refused."""
        number, document = params["jitBillNo"], canonical(params)
        known = self._store.row("SELECT id, document FROM bill WHERE number = ?", number)
        if known is not None:
            self._store.run("UPDATE bill SET received = received + 1 WHERE id = ?", known["id"])
            if known["document"] != document:
                self._store.run("UPDATE bill SET conflicts = conflicts + 1 WHERE id = ?", known["id"])
                raise Refused(f"Bill {number} was received before with other details")
            if self._state.settings.repeated_pi == "duplicate":
                raise Refused(DUPLICATE)
            return [_receipt(params)]
        gross = _checked_sums(params, rows)
        refuse_same_account(rows, "benfAcctNo", "benfBankIfscCode")
        refuse_wrong_ifsc(rows, "benfBankIfscCode", "340", tuple(self._state.settings.refused_ifsc))
        self._funds.book(params, gross)
        self._store.run(
            "INSERT INTO bill (number, document, distribution, gross, accepted_at, pace, received, stage)"
            " VALUES (?, ?, ?, ?, ?, ?, 1, 'received')",
            number,
            document,
            params["mstAllotmentDistId"],
            gross,
            self._state.now(),
            float(self._state.settings.pace_seconds),
        )
        return [_receipt(params)]

    def status(self, params: Mapping[str, str], rules: Taken) -> list[dict[str, str]]:
        """PIS: the treasury's number for the bill; nothing yet; or Refused when unknown or rejected by the SSU."""
        bill = self.find(params["jitBillNo"])
        if bill is None:
            if self._state.settings.unknown_bill == "empty":
                return []
            raise Refused(NOT_RECEIVED)
        refuse_unless_echoed(bill.number, {"jitBillDate": bill.date, "ssuIaId": bill.params["ssuIaId"]}, params)
        if "reject" in rules and bill.stage == "received":
            self._store.run("UPDATE bill SET stage = 'rejected' WHERE id = ?", bill.id)
            self._funds.give_back(bill.distribution, bill.gross)
        if bill.stage == "rejected" or ("reject" in rules and bill.stage == "received"):
            raise Refused(
                f"This Bill Number {bill.number} is rejected by SSU {self._funds.office_of(bill.distribution)}"
            )
        if not self._has_reached(bill, "approved"):
            return []
        return [
            {
                "pmtInstId": bill.instruction,
                "payInstDate": bill.instruction_time,
                "jitBillNumber": bill.number,
                "jitBillDate": bill.date,
                "billNetAmount": bill.params["billNetAmount"],
                "billGrossAmount": bill.params["billGrossAmount"],
                "totalNumberOfBeneficiary": str(len(bill.beneficiaries)),
                "schemeCode": SCHEME_CODE,
                "ssuIaId": bill.params["ssuIaId"],
            }
        ]

    def advice(self, params: Mapping[str, str]) -> list[dict[str, Any]]:
        """PAG: the payment advice, or nothing yet. Raises Refused unless what PIS told is echoed."""
        bill = self._known(params["billNo"])
        echoed = {
            "pmtInstId": bill.instruction,
            "pmtInstDate": bill.instruction_time,
            "billDate": bill.date,
            "ssuIaId": bill.params["ssuIaId"],
        }
        refuse_unless_echoed(bill.number, echoed, params)
        if not self._has_reached(bill, "advised"):
            return []
        return [
            {
                "billNo": bill.number,
                "ssuIaId": bill.params["ssuIaId"],
                "finYear": bill.financial_year,
                "adviceId": str(30_000 + bill.id),
                "adviceDate": bill.token_date,
                "onlineBillRefNo": bill.reference,
                "tokenNumber": bill.token,
                "tokenDate": bill.token_date,
                "benfList": [
                    {
                        "benfName": row["benefName"],
                        "benfAccountNo": row["benfAcctNo"],
                        "benfBankIfscCode": row["benfBankIfscCode"],
                        "amount": row["benfAmount"],
                        "benfId": row["benefId"],
                    }
                    for row in bill.beneficiaries
                ],
            }
        ]

    def details(self, params: Mapping[str, str], rules: Taken) -> list[dict[str, Any]]:
        """PD: voucher and debit scrolls, or nothing yet. Raises Refused unless what PAG told is echoed."""
        bill = self._known(self.number_of_reference(params["billRefNo"]))
        echoed = {"finYear": bill.financial_year, "tokenNumber": bill.token, "tokenDate": bill.token_date}
        refuse_unless_echoed(bill.number, echoed, params)
        if not self._has_reached(bill, "paid"):
            return []
        scrolls = [bill.scroll(position, row) for position, row in enumerate(bill.beneficiaries, start=1)]
        if "partial_scrolls" in rules:
            scrolls = scrolls[: rules["partial_scrolls"].options.get("beneficiaries", 1)]
        return [
            {
                "billNumber": bill.number,
                "billDate": bill.date,
                "voucherNo": bill.voucher,
                "voucherDate": bill.voucher_date,
                "billRefNo": bill.reference,
                "paymentStatus": PAID,
                "tokenNumber": bill.token,
                "tokenDate": bill.token_date,
                "benfDtls": scrolls,
            }
        ]

    def find(self, number: str) -> Bill | None:
        """The accepted bill of this number."""
        row = self._store.row("SELECT * FROM bill WHERE number = ?", number)
        return Bill.of(row) if row else None

    def number_of_reference(self, reference: str) -> str:
        """The bill number of an online bill reference, or an empty text."""
        if not (reference.isascii() and reference.isdigit() and len(reference) == 13):
            return ""
        row = self._store.row("SELECT number FROM bill WHERE id = ?", int(reference) - _REFERENCE)
        return str(row["number"]) if row else ""

    def paid(self) -> list[Bill]:
        """All bills that have reached their voucher."""
        bills = (Bill.of(row) for row in self._store.rows("SELECT * FROM bill WHERE stage != 'rejected' ORDER BY id"))
        return [bill for bill in bills if bill.reached_at("paid") <= self._state.now()]

    def listed(self, number: str | None, content: bool) -> list[dict[str, Any]]:
        """All bills, or one, for the control endpoint; with what the PI said if `content`."""
        where, values = ("WHERE number = ?", (number,)) if number else ("", ())
        return [
            {
                "number": row["number"],
                "accepted": 1,
                "received": row["received"],
                "conflicts": row["conflicts"],
                "stage": row["stage"],
                "accepted_at": row["accepted_at"],
                **({"params": load(row["document"])} if content else {}),
            }
            for row in self._store.rows(f"SELECT * FROM bill {where} ORDER BY id", *values)
        ]

    def _known(self, number: str) -> Bill:
        bill = self.find(number)
        if bill is None:
            raise Refused(NOT_RECEIVED)
        if bill.stage == "rejected":
            raise Refused(f"This Bill Number {number} is rejected by SSU {self._funds.office_of(bill.distribution)}")
        return bill

    def _has_reached(self, bill: Bill, stage: str) -> bool:
        """Whether the bill has reached `stage`; that it was told is kept."""
        if self._state.now() < bill.reached_at(stage):
            return False
        if STAGES.index(bill.stage) < STAGES.index(stage):
            self._store.run("UPDATE bill SET stage = ? WHERE id = ?", stage, bill.id)
        return True


def _receipt(params: Mapping[str, str]) -> dict[str, str]:
    return {
        "jitBillNo": params["jitBillNo"],
        "jitBillDate": params["jitBillDate"][:10],
        "ssuIaId": params["ssuIaId"],
        "successCode": "0",
        "sucessDescrp": RECEIVED,
    }


def _checked_sums(params: Mapping[str, str], rows: list[dict[str, str]]) -> int:
    """The gross amount in paise, once header and rows agree. Raises Refused."""
    gross, net = paise(params["billGrossAmount"]), paise(params["billNetAmount"])
    if params["schemeCode"] != SCHEME_CODE:
        raise Refused(f"Scheme code {params['schemeCode']} is not known")
    if int(params["billNumberOfBenf"]) != len(rows):
        raise Refused("Number of beneficiaries in the header differs from the beneficiary details")
    if not gross or not net or any(not paise(row["benfAmount"]) for row in rows):
        raise Refused("An amount is zero")
    if gross < net:
        raise Refused("Gross amount is less than net amount")
    if net != sum(paise(row["benfAmount"]) for row in rows):
        raise Refused("Net total differs from the beneficiaries' total")
    return gross
