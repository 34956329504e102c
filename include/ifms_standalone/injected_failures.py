"""What goes wrong in a cycle on purpose, and what people outside of Airflow then do about it.

Nothing is written to the ledger here: the simulators are told, and the adapter finds out by itself.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row

from ifms_standalone.errors import StandaloneError
from ifms_standalone.outcome import Planted, Scope
from ifms_standalone.simulators import Simulator

_IN_CYCLE = "(p.created_at >= %(since)s OR p.id = ANY(%(open)s))"

# The smallest ones: those with several payees are left for the bank. Of one whose status was asked for, as after a lost
# reply, the SSU may have decided already.
_MAY_BE_REJECTED = f"""
    SELECT p.pi_number FROM ifms.payment_instruction p
    WHERE p.pi_type = 'ORIGINAL' AND p.repayment_of IS NULL AND p.status = 'INITIATED' AND {_IN_CYCLE}
      AND NOT EXISTS (SELECT FROM ifms.treasury_call c WHERE c.bill_number = p.pi_number AND c.service_id = 'PIS')
    ORDER BY p.beneficiary_count, p.created_at, p.pi_number
"""

# One payee of several, so that the others show that they keep what they got; not of the payment that was rejected.
_MAY_BE_RETURNED = f"""
    SELECT p.tenant_id, p.pi_number, b.beneficiary_number, b.beneficiary_id AS payee
    FROM ifms.payment_instruction p JOIN ifms.beneficiary b ON b.payment_instruction_id = p.id
    WHERE p.pi_type = 'ORIGINAL' AND p.status = 'SUCCESSFUL' AND b.beneficiary_type <> 'DEPT' AND {_IN_CYCLE}
    ORDER BY EXISTS (SELECT FROM ifms.payment_instruction r
                     WHERE r.pi_number = %(rejected)s AND r.payment_number = p.payment_number),
             p.beneficiary_count DESC, p.created_at, p.pi_number, b.beneficiary_number
    LIMIT 1
"""

LATE_DAYS = 4
"""How many days after its voucher the bank tells that the money has come back."""

_REJECTED_PAYMENTS = """
    SELECT payment_number FROM ifms.payment WHERE paid_by IS NULL AND hold_code = 'PI_REJECTED' ORDER BY payment_number
"""


@dataclass(frozen=True)
class _Payee:
    """The payee whose money comes back."""

    tenant_id: str
    pi_number: str
    beneficiary_number: str
    payee: str


@dataclass
class InjectedFailures:
    """One PI of the cycle is rejected by its SSU, and one payee's money of another comes back from the bank."""

    treasury: Simulator
    platform: Simulator
    ledger: psycopg.Connection
    scope: Scope
    _rejected: str | None = None
    _returned: _Payee | None = None

    @property
    def planted(self) -> Planted:
        """What has been made to go wrong so far."""
        return Planted(self._rejected, self._returned.pi_number if self._returned else None)

    def reject_one(self) -> str:
        """Let the SSU reject one PI when PIS is asked about it. Returns what was done; raises StandaloneError."""
        waiting = [number for (number,) in self.ledger.execute(_MAY_BE_REJECTED, self._parameters())]
        if not waiting:
            raise StandaloneError("no payment instruction waits for its SSU: none could be rejected")
        # A rule may be left from a run that was ended before PIS: two rejections are more than the walk mends.
        left = {rule.get("bill_number") for rule in self.treasury.control("GET", "rules") if rule["effect"] == "reject"}
        self._rejected = next((number for number in waiting if number in left), waiting[0])
        if self._rejected not in left:
            rule = {"service": "PIS", "effect": "reject", "bill_number": self._rejected, "times": 1}
            self.treasury.control("POST", "rules", rule)
        return self._rejected

    def rejected_payments(self) -> dict[str, Any] | None:
        """Fill in ifms_pi's form as an operator who wants the rejected payments paid after all."""
        numbers = [number for (number,) in self.ledger.execute(_REJECTED_PAYMENTS)]
        return {"payments": numbers} if numbers else None

    def pay_days_ago(self, days: int) -> str:
        """Let the treasury do what follows on a day in the past. Returns what was done; raises StandaloneError."""
        self.treasury.control("POST", "settings", {"clock_offset_seconds": -days * 86400})
        return f"today less {days} d" if days else "today"

    def return_one(self) -> str:
        """Let the bank return what one payee was paid, days later. Returns what was done; raises StandaloneError."""
        cursor = self.ledger.cursor(row_factory=class_row(_Payee))
        payee = cursor.execute(_MAY_BE_RETURNED, self._parameters()).fetchone()
        if payee is None:
            raise StandaloneError("no payment instruction of this cycle is paid: the bank could return nothing")
        order: dict[str, Any] = {"bill_number": payee.pi_number, "beneficiaries": [payee.beneficiary_number]}
        order["late_days"] = LATE_DAYS
        self.treasury.control("POST", "failures", order)
        self._returned = payee
        return f"{payee.beneficiary_number} of {payee.pi_number}, told {LATE_DAYS} days after its voucher"

    def correct_account(self) -> str:
        """Give that payee another account in the registry. Returns what was done; raises StandaloneError."""
        if self._returned is None:
            raise StandaloneError("the bank has returned nothing: there is no account to correct")
        account = f"9999{secrets.randbelow(10**8):08d}"
        change = {"tenantId": self._returned.tenant_id, "referenceId": self._returned.payee, "accountNumber": account}
        self.platform.control("POST", "accounts", change)
        return f"of payee {self._returned.payee}"

    def correction(self) -> dict[str, Any] | None:
        """Fill in ifms_cor's form as the operator who has heard of the corrected account."""
        if self._returned is None:
            return None
        return {"pi_number": self._returned.pi_number, "tenant": self._returned.tenant_id}

    def _parameters(self) -> dict[str, object]:
        return {"since": self.scope.since, "open": self.scope.open, "rejected": self._rejected}
