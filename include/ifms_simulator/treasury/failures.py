"""Payments that came back from the bank: FD, and what FTFPS tells of revised ones (treasury-jit.md §2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from ifms.clock import financial_year
from ifms_simulator.rules import Taken
from ifms_simulator.store import dump, load
from ifms_simulator.treasury.bills import Bill, Bills
from ifms_simulator.treasury.state import Refused, State, stamp

REASONS = (
    " Account does not exist",  # with the leading blank of real replies
    "Account is Dormant",
    "Failed to Pay by RBI(Through e-Kuber) Late Ret",
)

Lookup = Callable[[str], tuple[str, list[str]] | None]
"""From the number of a bill or correction to its voucher date and its beneficiaries' ids."""


class Failures:
    """The failed beneficiaries of bills and corrections."""

    def __init__(self, state: State, bills: Bills) -> None:
        self._state = state
        self._store = state.store
        self._bills = bills

    def add(self, given: Mapping[str, Any], lookup: Lookup) -> list[dict[str, str]]:
        """Record failures through the control endpoint and return them.

        `bill_number` names a bill or a correction; `beneficiaries` is a list of ids, a count (the first so many) or
        "all"; `reason` is optional. With `late_days` it is told so many days after the voucher, else from now on. For a
        bill that the treasury never saw, `unknown` is true and `voucher_date` and a list of ids are needed. Raises
        ValueError.
        """
        number, wanted, reason = given.get("bill_number"), given.get("beneficiaries", "all"), given.get("reason")
        if not isinstance(number, str) or not isinstance(reason, str | None):
            raise ValueError("bill_number is missing, or reason is not a text")
        if given.get("unknown"):
            return self._add_unknown(number, wanted, given.get("voucher_date"), reason)
        found = lookup(number)
        if found is None:
            raise ValueError(f"no bill and no correction {number}")
        late_days = given.get("late_days")
        if late_days is not None and (type(late_days) is not int or late_days < 0):
            raise ValueError("late_days is not a number of days")
        voucher_date, ids = found
        if wanted == "all":
            chosen: Sequence[str] = ids
        elif isinstance(wanted, int):
            chosen = ids[:wanted]
        else:
            chosen = [beneficiary for beneficiary in wanted if beneficiary in ids]
            if len(chosen) != len(wanted):
                raise ValueError(f"{number} has not all of these beneficiaries: {', '.join(map(str, wanted))}")
        with self._store.transaction():
            return [
                self._record(
                    number, beneficiary, voucher_date, reason or REASONS[position % len(REASONS)], late_days=late_days
                )
                for position, beneficiary in enumerate(chosen)
            ]

    def _add_unknown(self, number: str, ids: object, voucher_date: object, reason: str | None) -> list[dict[str, str]]:
        if not isinstance(ids, list) or not isinstance(voucher_date, str):
            raise ValueError("an unknown bill's failure needs voucher_date and a list of beneficiaries")
        row = {
            "billNumber": number,
            "billDate": voucher_date,
            "voucherNo": "1",
            "voucherDate": voucher_date,
            "billRefNo": "1600000000000",
            "tokenNumber": "1",
            "tokenDate": voucher_date,
        }
        with self._store.transaction():
            return [
                self._record(number, beneficiary, voucher_date, reason or REASONS[0], dump(row)) for beneficiary in ids
            ]

    def _record(
        self,
        number: str,
        beneficiary: str,
        voucher_date: str,
        reason: str,
        document: str | None = None,
        *,
        late_days: int | None = None,
    ) -> dict[str, str]:
        challan_date = self._today()
        if late_days is not None:
            challan_date = str(date.fromisoformat(voucher_date) + timedelta(days=late_days))
        self._store.run(
            "INSERT OR IGNORE INTO failure (number, beneficiary, reason, challan_date, voucher_date, document)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            number,
            beneficiary,
            reason,
            challan_date,
            voucher_date,
            document,
        )
        return {"bill_number": number, "beneficiary": beneficiary, "reason": reason, "voucher_date": voucher_date}

    def search(self, params: Mapping[str, str], rules: Taken) -> list[dict[str, Any]]:
        """FD: the failures of original bills by voucher date. Raises Refused when finYear is not that date's."""
        day = params["voucherDate"]
        if params["finYear"] != str(financial_year(date.fromisoformat(day))):
            raise Refused(f"finYear {params['finYear']} is not the financial year of {day}")
        since = self._state.settings.fd_reading == "since"
        if "failed_beneficiaries" in rules:
            self._fail_by_rule(day, since, rules)
        compared = ">=" if since else "="
        numbers = self._store.rows(
            f"SELECT DISTINCT number, document FROM failure WHERE voucher_date {compared} ? AND challan_date <= ? AND"
            " number NOT IN (SELECT number FROM correction) ORDER BY voucher_date, number",
            day,
            self._today(),
        )
        found = []
        for row in numbers:
            bill = self._bills.find(row["number"])
            if bill is not None:
                found.append(self._of_bill(bill))
            elif row["document"] is not None:
                found.append(self._of_unknown(row["number"], load(row["document"])))
        return found

    def _fail_by_rule(self, day: str, since: bool, rules: Taken) -> None:
        rule = rules["failed_beneficiaries"]
        for bill in self._bills.paid():
            if (bill.voucher_date >= day if since else bill.voucher_date == day) and rule.matches("FD", (bill.number,)):
                self.fail_first(
                    bill.number, bill.voucher_date, [row["benefId"] for row in bill.beneficiaries], rule.options
                )

    def fail_first(self, number: str, voucher_date: str, ids: Sequence[str], options: Mapping[str, Any]) -> None:
        """Record the failures that a `failed_beneficiaries` rule asks for: the first `beneficiaries` of `ids`."""
        for position, beneficiary in enumerate(ids[: options.get("beneficiaries", 1)]):
            reason = options.get("reason") or REASONS[position % len(REASONS)]
            self._record(number, beneficiary, voucher_date, reason, late_days=options.get("late_days"))

    def _of_bill(self, bill: Bill) -> dict[str, Any]:
        scrolls = {
            row["benefId"]: bill.scroll(position, row) for position, row in enumerate(bill.beneficiaries, start=1)
        }
        return {
            "billNumber": bill.number,
            "billDate": bill.date,
            "voucherNo": bill.voucher,
            "voucherDate": bill.voucher_date,
            "billRefNo": bill.reference,
            "tokenNumber": bill.token,
            "tokenDate": bill.token_date,
            "benfDtls": self.rows_of(bill.number, bill.reference, scrolls),
        }

    def _of_unknown(self, number: str, header: dict[str, Any]) -> dict[str, Any]:
        rows = self._store.rows("SELECT beneficiary FROM failure WHERE number = ? ORDER BY id", number)
        scrolls = {
            row["beneficiary"]: {
                "benfAcctNo": "90000000001",
                "benfBankIfscCode": "SMPL0000001",
                "utrNo": "RBI0",
                "utrDate": header["voucherDate"],
                "endToEndId": "EP0",
                "benfId": row["beneficiary"],
            }
            for row in rows
        }
        return {**header, "benfDtls": self.rows_of(number, header["billRefNo"], scrolls)}

    def rows_of(self, number: str, reference: str, scrolls: Mapping[str, Mapping[str, str]]) -> list[dict[str, str]]:
        """The failed beneficiaries of one bill or correction, as FD and FTFPS tell them; `scrolls` is by benefId.

        A return is told from its challan's date on.
        """
        return [
            {
                **scrolls[row["beneficiary"]],
                "orgBillRefNumber": reference,
                "challanNumber": str(80_000 + row["id"]),
                "challanDate": row["challan_date"],
                "failedReason": row["reason"],
            }
            for row in self._store.rows(
                "SELECT * FROM failure WHERE number = ? AND challan_date <= ? ORDER BY id", number, self._today()
            )
        ]

    def has_failed(self, number: str, beneficiary: str) -> bool:
        """Whether it has been told that this beneficiary of this bill or correction came back."""
        row = self._store.row(
            "SELECT 1 FROM failure WHERE number = ? AND beneficiary = ? AND challan_date <= ?",
            number,
            beneficiary,
            self._today(),
        )
        return row is not None

    def _today(self) -> str:
        return stamp(self._state.now())[:10]

    def listed(self) -> list[dict[str, str]]:
        """All failures, for the control endpoint."""
        return [
            {
                "bill_number": row["number"],
                "beneficiary": row["beneficiary"],
                "reason": row["reason"],
                "voucher_date": row["voucher_date"],
            }
            for row in self._store.rows("SELECT * FROM failure ORDER BY id")
        ]
