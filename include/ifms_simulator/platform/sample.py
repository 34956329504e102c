"""Sample bills with their payees and accounts, sound ones and deliberately broken ones."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ifms_simulator.platform.accounts import Accounts
from ifms_simulator.platform.bills import Bills
from ifms_simulator.platform.ids import Ids
from ifms_simulator.platform.masters import Masters
from ifms_simulator.platform.payees import Payees
from ifms_simulator.platform.payments import Payments, payment_for
from ifms_simulator.platform.state import STATE_TENANT, State

TYPES = ("wage", "purchase", "supervision")
BROKEN = (
    "no_account",
    "masked",
    "undecrypted",
    "bad_ifsc",
    "inactive_account",
    "sums",
    "unknown_head",
    "inactive_line",
)
"""What can be wrong with a bill; what concerns a payee concerns the last one."""

_SERVICES = {"wage": "EXPENSE.WAGES", "purchase": "EXPENSE.PURCHASE", "supervision": "EXPENSE.SUPERVISION"}
_PAYEES = {"wage": "INDIVIDUAL", "purchase": "ORG", "supervision": "ORGANIZATION"}
_HEADS = {"wage": "WEG", "purchase": "PURCHASE", "supervision": "SC"}
_DEDUCTIONS = {"LC": Decimal("100.00"), "ITTDS": Decimal("180.50"), "GSTTDS": Decimal("200.25")}
_AMOUNTS = {"wage": Decimal("1250.00"), "purchase": Decimal("9019.25"), "supervision": Decimal("750.00")}
_STEP = Decimal("125.50")
_MONTH_MS = 30 * 24 * 3600 * 1000
_STATUS_OF_WORKFLOW = {"APPROVED": "ACTIVE", "REJECTED": "INACTIVE"}


class Sampler:
    """Makes sample data in the platform's registries."""

    def __init__(
        self,
        state: State,
        masters: Masters,
        ids: Ids,
        bills: Bills,
        payments: Payments,
        accounts: Accounts,
        payees: Payees,
    ) -> None:
        self._state = state
        self._masters = masters
        self._ids = ids
        self._bills = bills
        self._payments = payments
        self._accounts = accounts
        self._payees = payees

    def fill(self, bills_per_city: int) -> None:
        """Give each city that has none its departments' accounts and its bills: approved ones and one that is not."""
        for tenant in self._masters.cities:
            with self._state.store.transaction():
                if self._state.store.count(f"filled:{tenant}") > 1:
                    continue
                self._departments(tenant)
                for number in range(bills_per_city):
                    kind = TYPES[number % len(TYPES)]
                    self.bill({"type": kind, "tenantId": tenant, "payees": 4 if kind == "wage" else 1})
                if bills_per_city:
                    self.bill({"type": "purchase", "tenantId": tenant, "wfStatus": "PENDING_FOR_APPROVAL"})

    def _departments(self, tenant: str) -> None:
        heads = self._masters.rows(STATE_TENANT, "expense.HeadCodes") or []
        codes = sorted({row["code"] for row in heads if row["category"] == "deduction"})
        for code in codes:
            reference = f"Deduction_{tenant}_{code}"
            self._account(tenant, reference, "DED", f"Sample Department {code}", {})

    def add(self, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Make `count` bills (1 unless given) as the control endpoint asks; see `bill` for the rest.

        `with_payments`: each gets its payment at once. Returns each bill's id, number, payees and payment number.
        Raises ValueError.
        """
        made = []
        for _ in range(int(given.get("count", 1))):
            bill = self.bill(given)
            payees = [detail["payee"]["identifier"] for detail in bill["billDetails"]]
            row = {"id": bill["id"], "billNumber": bill["billNumber"], "tenantId": bill["tenantId"], "payees": payees}
            if given.get("with_payments"):
                row["paymentNumber"] = self._payments.seed(payment_for(bill), "sample-user")["paymentNumber"]
            made.append(row)
        return made

    def bill(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Make one bill.

        `type` (wage, purchase, supervision) and `tenantId` are needed; `payees` is how many, `amounts` one per payee
        (a purchase's and a supervision's only one), `deductions` a mapping of head codes to amounts (purchases),
        `wfStatus` is APPROVED unless given, `broken` one of BROKEN, `same_account` gives all payees one account,
        `holder` names the account holder of all, `zero_lines` gives each detail
        so many payable lines of zero rupees more, `ward` is the work's (a purchase always has one). Raises ValueError.
        """
        kind, tenant, broken = given.get("type"), given.get("tenantId"), given.get("broken")
        if kind not in TYPES or tenant not in self._masters.cities:
            raise ValueError(f"type {kind!r} must be one of {', '.join(TYPES)}, tenantId {tenant!r} a city")
        if broken not in (None, *BROKEN):
            raise ValueError(f"broken {broken!r} is not one of {', '.join(BROKEN)}")
        amounts = [Decimal(str(amount)) for amount in given.get("amounts") or ()]
        if not amounts:
            amounts = [_AMOUNTS[kind] + _STEP * number for number in range(int(given.get("payees", 1)))]
        payees = self._made_payees(kind, tenant, len(amounts), given)
        workflow = given.get("wfStatus", "APPROVED")
        bill = self._document(kind, tenant, payees, amounts, given)
        bill["status"] = _STATUS_OF_WORKFLOW.get(workflow, "INWORKFLOW")
        if broken == "sums":
            bill["totalAmount"] += Decimal("1.00")
        number = self._state.store.count("contracts")
        origin = {
            "projectNumber": f"PJ/{number:06d}",
            "contractNumber": f"WO/2026-27/{number:06d}",
            "orgId": None,
            "musterRollNumber": f"MR/{number:06d}" if kind == "wage" else None,
        }
        if kind == "purchase" or "ward" in given:  # which is entered on a screen that knows the work
            bill["additionalDetails"] = {
                "projectId": origin["projectNumber"],
                "projectName": f"Sample Project {number}",
                "ward": given.get("ward", f"W{number % 20 + 1}"),
                "invoiceNumber": f"INV-{number}",
            }
        self._bills.add(bill, workflow, origin)
        return bill

    def _made_payees(self, kind: str, tenant: str, count: int, given: Mapping[str, Any]) -> list[str]:
        payees: list[str] = []
        shared: str | None = None
        for position in range(count):
            number = self._state.store.count("payees")
            add = self._payees.add_individual if kind == "wage" else self._payees.add_organisation
            payee = add(tenant, number)
            payees.append(payee)
            last = {**given, "broken": given.get("broken") if position == count - 1 else None}
            name = "Sample Payee" if kind == "wage" else "Sample Organisation"
            holder = given.get("holder", f"{name} {number}")
            account = self._account(tenant, payee, "IND" if kind == "wage" else "ORG", holder, last, shared)
            if given.get("same_account"):
                shared = shared or account
        return payees

    def _account(
        self,
        tenant: str,
        reference: str,
        service: str,
        holder: str,
        given: Mapping[str, Any],
        number: str | None = None,
    ) -> str:
        """Make a payee's account, unless the bill is to be broken by its absence, and return its number."""
        broken = given.get("broken")
        serial = self._state.store.count("accounts")
        number = number or f"{serial:012d}"  # leading zeros belong to an account number
        if broken == "no_account":
            return number
        self._accounts.add(
            tenant,
            reference,
            service,
            holder,
            number,
            "SMPL1000001" if broken == "bad_ifsc" else "SMPL0000001",
            shown=broken if broken in ("masked", "undecrypted") else "plain",
            active=broken != "inactive_account",
            created=self._state.now_ms() - _MONTH_MS,
        )
        return number

    def _document(
        self, kind: str, tenant: str, payees: list[str], amounts: list[Decimal], given: Mapping[str, Any]
    ) -> dict[str, Any]:
        now, bill_id = self._state.now_ms(), self._state.new_id("bill")
        broken = given.get("broken")
        audit = {
            "createdBy": "sample-user",
            "createdTime": now,
            "lastModifiedBy": "sample-user",
            "lastModifiedTime": now,
        }

        def party(kind_of_party: str, identifier: str) -> dict[str, Any]:
            return {
                "id": self._state.new_id("party"),
                "parentId": bill_id,
                "tenantId": tenant,
                "type": kind_of_party,
                "identifier": identifier,
                "status": "ACTIVE",
                "additionalDetails": None,
                "auditDetails": audit,
            }

        def line(head: str, amount: Decimal, kind_of_line: str = "PAYABLE") -> dict[str, Any]:
            return {
                "id": self._state.new_id("line"),
                "billDetailId": None,
                "tenantId": tenant,
                "headCode": head,
                "amount": amount,
                "type": kind_of_line,
                "paidAmount": Decimal(0),
                "status": "ACTIVE",
                "paymentStatus": None,
                "additionalDetails": None,
                "auditDetails": audit,
            }

        deductions = given.get("deductions", _DEDUCTIONS if kind == "purchase" else {})
        details: list[dict[str, Any]] = []
        for payee, amount in zip(payees, amounts, strict=True):
            head = "NOSUCHHEAD" if broken == "unknown_head" and payee == payees[-1] else _HEADS[kind]
            taken = {code: Decimal(str(part)) for code, part in deductions.items()}
            total = amount + sum(taken.values(), Decimal(0))
            payable = [line(head, amount), *(line(code, part) for code, part in taken.items())]
            payable += [line(head, Decimal(0)) for _ in range(int(given.get("zero_lines", 0)))]
            if broken == "inactive_line":
                # As if it had been replaced: it is in the bill, and must not be paid.
                payable.append({**line(head, Decimal("11.00")), "status": "INACTIVE"})
            details.append(
                {
                    "id": self._state.new_id("detail"),
                    "tenantId": tenant,
                    "billId": bill_id,
                    "totalAmount": total,
                    "totalPaidAmount": Decimal(0),
                    "referenceId": None,
                    "paymentStatus": None,
                    "status": "ACTIVE",
                    "fromPeriod": now - _MONTH_MS,
                    "toPeriod": now,
                    "payee": party(_PAYEES[kind], payee),
                    "lineItems": [line(head, total), *(line(code, part, "DEDUCTION") for code, part in taken.items())],
                    "payableLineItems": payable,
                    "auditDetails": audit,
                    "additionalDetails": None,
                }
            )
        return {
            "id": bill_id,
            "tenantId": tenant,
            "billDate": now,
            "dueDate": now + _MONTH_MS,
            "totalAmount": sum((detail["totalAmount"] for detail in details), Decimal(0)),
            "totalPaidAmount": Decimal(0),
            "businessService": _SERVICES[kind],
            "referenceId": f"REF/{bill_id[:8]}",
            "fromPeriod": now - _MONTH_MS,
            "toPeriod": now,
            "paymentStatus": None,
            "status": "ACTIVE",
            "billNumber": self._ids.next(f"expense.{kind}.bill.number", STATE_TENANT)[0],
            "payer": party("ORGANIZATION", "Sample Payer"),
            "billDetails": details,
            "additionalDetails": None,
            "auditDetails": audit,
            "wfStatus": None,
        }
