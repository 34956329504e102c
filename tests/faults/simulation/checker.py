"""What must hold, told from the treasury's and the platform's own books and from the ledger's rows, in plain words.

Nothing here asks the adapter's code: the allowed edges are written out again, and who got how much is counted in the
treasury's documents, account by account. Only the adapter's own reconciliation is asked as well, because it must be red
exactly while something is stuck.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from faults.simulation.books import Books
from faults.simulation.people import People
from faults.simulation.platform import Town
from faults.simulation.treasury import Office

from ifms.ledger import invariants
from ifms_simulator.store import load
from ifms_simulator.treasury.corrections import Correction

EDGES = {
    ("PENDING", "INITIATED"),
    ("PENDING", "FAILED"),
    ("INITIATED", "APPROVED"),
    ("INITIATED", "FAILED"),
    ("APPROVED", "IN PROCESS"),
    ("IN PROCESS", "SUCCESSFUL"),
    ("IN PROCESS", "PARTIAL"),
    ("SUCCESSFUL", "PARTIAL"),
    ("INITIATED", "SUCCESSFUL"),
    ("INITIATED", "PARTIAL"),
    ("PARTIAL", "COMPLETED"),
}
WORDS = {
    "Payment Initiated": "INITIATED",
    "Payment In Process": "INITIATED",
    "Payment Successful": "SUCCESSFUL",
    "Payment Failed": "FAILED",
}
MOVEMENTS = {
    "PENDING": [["RESERVE"]],
    "FAILED": [["RELEASE", "RESERVE"], ["DEBIT", "RESERVE", "REVERSAL"]],
}
SPENT = [["DEBIT", "RESERVE"]]

# Rules of reconciliation that say that something waits; every other one may never be broken.
WAITING = {
    "allotments_count",
    "failures_are_corrected",
    "failures_are_asked_for",  # FD is down for as long as the seed wants
    "answers_are_understood",
    "claims_are_given_back",
    "earlier_numbers_are_known",
    "failed_is_not_at_the_treasury",
    "failures_are_matched",
    "messages_are_delivered",
    "nothing_is_in_doubt",
    "payments_get_instructions",
    "pending_is_settled",
    "statuses_move_on",
}
UNFOLLOWED = {
    "earlier_numbers_are_known",
    "failed_is_not_at_the_treasury",
    "failures_are_corrected",
    "nothing_is_in_doubt",
    "payments_get_instructions",
}
"""Those that stay broken over a bill that the treasury has and the ledger can't follow."""
PENDING_LIMIT = timedelta(hours=24)
DRIFT = timedelta(minutes=10)


@dataclass
class _Accepted:
    """A bill or a correction in the treasury's books."""

    number: str
    original: bool
    rejected: bool
    conflicts: int
    received: int
    rows: list[tuple[str, str, Decimal]]
    """(beneficiary, account, amount) of each line; a correction names no amount (0)."""


@dataclass
class Checker:
    """Reads all three books and changes none."""

    books: Books
    office: Office
    town: Town
    people: People
    restored: bool = False
    _lost_calls: Counter[str] = field(default_factory=Counter)

    def at_any_time(self) -> list[str]:
        """What is wrong, whatever is still under way: I1 to I4."""
        accepted = self._accepted()
        pis = {row["pi_number"]: row for row in self.books.rows("SELECT * FROM ifms.payment_instruction ORDER BY id")}
        return [
            *self._once(accepted),
            *self._no_payee_twice(accepted, whole=False),
            *self._acceptances(accepted, pis),
            *self._balances(pis),
            *self._edges(pis),
            *self._calls(accepted, pis),
            *self._told(pis),
            *self.lines(),
            *self._reconciled(pis, done=False),
        ]

    def before_restore(self) -> Counter[str]:
        """How often each number was written into the call log, those of PIs without a call too: `after_restore`."""
        rows = self.books.rows(
            "SELECT p.pi_number, (SELECT count(*) FROM ifms.treasury_call c WHERE c.bill_number = p.pi_number"
            " AND c.service_id IN ('PI', 'COR')) AS n FROM ifms.payment_instruction p"
        )
        return Counter({row["pi_number"]: row["n"] for row in rows})

    def after_restore(self, before: Counter[str]) -> set[str]:
        """The numbers that the ledger has lost."""
        self.restored = True
        now = self.before_restore()
        for number, calls in before.items():
            self._lost_calls[number] += calls - now[number]
        return set(before) - set(now)

    def green(self, service: str) -> list[str]:
        """I6: a sweep of PI or COR ended green, so none of what it sends has been PENDING for longer than the limit."""
        kind = {"PI": "ORIGINAL", "COR": "REVISED"}.get(service)
        return [
            f"I6: {service} ended green, and {row['pi_number']} is PENDING since {row['created_at']}"
            for row in self.books.rows(
                "SELECT pi_number, created_at FROM ifms.payment_instruction WHERE status = 'PENDING' AND pi_type = %s"
                " AND repayment_of IS NULL AND created_at < now() - %s ORDER BY 1",
                kind,
                PENDING_LIMIT,
            )
        ]

    def unfinished(self) -> list[str]:
        """What is still due, in short."""
        queries = {
            "PIs under way": "SELECT pi_number || ' ' || status FROM ifms.payment_instruction"
            " WHERE status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS')",
            "payments without a PI": "SELECT payment_number || ' ' || coalesce(hold_message, '-') FROM ifms.payment"
            " WHERE paid_by IS NULL",
            "failed beneficiaries that nobody pays": "SELECT beneficiary_number || ' of ' || pi_number"
            " FROM ifms.failed_beneficiary",
            "undelivered messages": "SELECT ordering_key || ' ' || coalesce(last_error, '-') FROM ifms.outbox"
            " WHERE delivered_at IS NULL",
            "reserved money": "SELECT master_allotment_id || ' ' || reserved_amount FROM ifms.sanction"
            " WHERE reserved_amount <> 0",
        }
        found = []
        unfollowed = self.people.unfollowed() | self._cancelled_payments()
        for what, query in queries.items():
            texts = [next(iter(row.values())) for row in self.books.rows(f"{query} ORDER BY 1")]
            texts = [text for text in texts if not unfollowed & set(text.split())]
            if texts:
                found.append(f"{len(texts)} {what}, the first: {texts[0]}")
        if self.people.coming:
            found.append(f"{len(self.people.coming)} returned payments are not told yet")
        store = self.town.platform.state.store
        unpaid = [
            row
            for row in store.rows("SELECT id, number FROM bill WHERE payment_status IS NULL ORDER BY number")
            if row["id"] not in self.people.cancelled
        ]
        if unpaid:
            found.append(f"{len(unpaid)} bills without a payment, the first: {unpaid[0]['number']}")
        return found

    def at_the_end(self) -> list[str]:
        """What is wrong once nothing is due: everybody has got exactly what was owed, and everybody knows it."""
        accepted = self._accepted()
        pis = {row["pi_number"]: row for row in self.books.rows("SELECT * FROM ifms.payment_instruction ORDER BY id")}
        return [
            *self._no_payee_twice(accepted, whole=True),
            *self._funds(),
            *self._heard(),
            *self._failures(),
            *self._reconciled(pis, done=True),
        ]

    # The treasury's books ---------------------------------------------------------------------------------------------

    def _accepted(self) -> list[_Accepted]:
        store = self.office.treasury.state.store
        found = []
        for row in store.rows("SELECT * FROM bill ORDER BY id"):
            lines = [
                (line["benefId"], line["benfAcctNo"], Decimal(line["benfAmount"]))
                for line in load(row["document"])["beneficiaryDetails"]
            ]
            rejected = row["stage"] == "rejected"
            found.append(_Accepted(row["number"], True, rejected, row["conflicts"], row["received"], lines))
        for row in store.rows("SELECT * FROM correction ORDER BY id"):
            lines = [(line["benefId"], line["correctedAccountNo"], Decimal(0)) for line in Correction.of(row).rows]
            found.append(_Accepted(row["number"], False, False, row["conflicts"], row["received"], lines))
        return found

    def _once(self, accepted: list[_Accepted]) -> list[str]:
        """I1: per payment one bill that counts, whatever it is called here, and each number with the same content."""
        wrong = [f"I1: {each.number} came with another content" for each in accepted if each.conflicts]
        live: dict[str, list[str]] = defaultdict(list)
        for each in accepted:
            if each.original and not each.rejected:
                for bill in {self._bill_of(account) for _, account, _ in each.rows}:
                    live[bill].append(each.number)
        return wrong + [f"I1: bill {bill} is paid by {', '.join(n)}" for bill, n in live.items() if len(n) > 1]

    def _bill_of(self, account: str) -> str:
        return self.people.bill_of.get(self.people.accounts.get(account, ""), "of nobody")

    def _no_payee_twice(self, accepted: list[_Accepted], *, whole: bool) -> list[str]:
        """I1 in rupees: nobody has more than is owed, and, once all is done (`whole`), nobody less."""
        failed = {(f["bill_number"], f["beneficiary"]) for f in self.office.treasury.failures.listed()}
        amounts: dict[str, Decimal] = {}
        got: dict[str, Decimal] = defaultdict(Decimal)
        wrong = []
        unfollowed = self._bills_of(self._unfollowed_payments()) if whole else set()
        for each in accepted:
            for beneficiary, account, amount in each.rows:
                if each.original:
                    amounts[beneficiary] = amount
                payee = self.people.accounts.get(account)
                if payee is None:
                    wrong.append(f"I1: {each.number} pays to an account that is nobody's")
                    continue
                if not each.rejected and (each.number, beneficiary) not in failed:
                    got[payee] += amounts[beneficiary]
        for payee, owed in self.people.owed.items():
            if got[payee] > owed or (whole and got[payee] < owed and self.people.bill_of[payee] not in unfollowed):
                wrong.append(f"I1: payee {payee} is owed {owed} and got {got[payee]}")
        return wrong

    # The ledger -------------------------------------------------------------------------------------------------------

    def _acceptances(self, accepted: list[_Accepted], pis: dict[str, dict[str, Any]]) -> list[str]:
        """I3: every acceptance has its row, and every row that says so its acceptance."""
        by_number = {each.number: each for each in accepted}
        lost = self.people.unaccounted
        wrong = [
            f"I3: the treasury has {number}, and nobody wrote it"
            for number in by_number
            if number not in pis and number not in lost
        ]
        for number, pi in pis.items():
            bill = by_number.get(number)
            if pi["status"] not in ("PENDING", "FAILED") and bill is None:
                wrong.append(f"I3: {number} is {pi['status']} and unknown at the treasury")
            if pi["status"] == "FAILED" and bill is not None and not bill.rejected and number not in lost:
                wrong.append(f"I7: {number} is FAILED and accepted by the treasury")
        return wrong

    def _balances(self, pis: dict[str, dict[str, Any]]) -> list[str]:
        """I2: balances are exactly what the movements say, and movements what the PIs' statuses say."""
        sums: dict[Any, Counter[str]] = defaultdict(Counter)
        kinds: dict[Any, list[str]] = defaultdict(list)
        for move in self.books.rows(
            "SELECT sanction_id, kind, amount, payment_instruction_id AS pi FROM ifms.fund_movement"
        ):
            sums[move["sanction_id"]][move["kind"]] += move["amount"]
            if move["pi"]:
                kinds[move["pi"]].append(move["kind"])
        wrong = []
        for row in self.books.rows("SELECT * FROM ifms.sanction ORDER BY id"):
            moved = sums[row["id"]]
            said = (row["allotted_amount"], row["reserved_amount"], row["spent_amount"], row["available_amount"])
            allotted = moved["ALLOTMENT"] - moved["WITHDRAWAL"]
            reserved = moved["RESERVE"] - moved["RELEASE"] - moved["DEBIT"]
            spent = moved["DEBIT"] - moved["REVERSAL"]
            if said != (allotted, reserved, spent, allotted - reserved - spent):
                wrong.append(f"I2: sanction {row['master_allotment_id']} says {said}, its movements {dict(moved)}")
        return wrong + [
            f"I2: {pi['pi_number']} is {pi['status']}, its movements are {sorted(kinds[pi['id']])}"
            for pi in pis.values()
            if pi["pi_type"] == "ORIGINAL"
            and pi["sanction_id"]
            and sorted(kinds[pi["id"]]) not in MOVEMENTS.get(pi["status"], SPENT)
        ]

    def _edges(self, pis: dict[str, dict[str, Any]]) -> list[str]:
        """I4: each PI's log is one chain of allowed edges that ends where the PI stands."""
        at = {pi["id"]: "PENDING" for pi in pis.values()}
        wrong = []
        for row in self.books.rows("SELECT * FROM ifms.status_log WHERE to_status IS NOT NULL ORDER BY id"):
            pi, edge = row["payment_instruction_id"], (row["from_status"], row["to_status"])
            if edge not in EDGES or edge[0] != at[pi]:
                wrong.append(f"I4: {pi} went {edge[0]} -> {edge[1]} when it was {at[pi]}")
            at[pi] = edge[1]
        return wrong + [
            f"I4: {pi['pi_number']} is {pi['status']}, its log says {at[pi['id']]}"
            for pi in pis.values()
            if pi["status"] != at[pi["id"]]
        ]

    def _calls(self, accepted: list[_Accepted], pis: dict[str, dict[str, Any]]) -> list[str]:
        """Nothing that moves money arrived at the treasury that is not in the call log."""
        rows = self.books.rows(
            "SELECT bill_number, count(*) AS n FROM ifms.treasury_call WHERE service_id IN ('PI', 'COR') GROUP BY 1"
        )
        written = self._lost_calls + Counter({row["bill_number"]: row["n"] for row in rows})
        return [
            f"I3: {each.number} arrived {each.received} times, the call log knows {written[each.number]}"
            for each in accepted
            if each.received > written[each.number]
            and not each.number.startswith("PI-JAVA/")  # sent by the Java adapter
        ]

    def _told(self, pis: dict[str, dict[str, Any]]) -> list[str]:
        """I5: the last word that was written down for the platform, line by line, is how its beneficiary stands."""
        said: dict[str, dict[str, str]] = defaultdict(dict)  # by payment, then by line; "" stands for all lines
        for row in self.books.rows("SELECT payload FROM ifms.outbox WHERE topic = 'payment_status' ORDER BY id"):
            told = row["payload"]
            number = told["paymentNumber"]
            if "lines" in told:
                said[number] |= dict.fromkeys(told["lines"], told["lineStatus"])
            else:
                said[number] = {"": told["status"]}
        stands: dict[tuple[str, str], str] = {}
        by_id = {pi["id"]: pi for pi in pis.values()}
        for row in self.books.rows("SELECT * FROM ifms.beneficiary ORDER BY created_at"):
            pi = by_id[row["payment_instruction_id"]]
            if pi["status"] == "PENDING" or pi["imported_at"]:
                continue  # what was told before still holds
            word = WORDS[row["status"]] if pi["status"] != "FAILED" else "FAILED"
            stands |= dict.fromkeys(((pi["payment_number"], line) for line in row["line_item_ids"]), word)
        wrong = []
        for (number, line), word in stands.items():
            heard = said[number].get(line, said[number].get(""))
            if heard != word:
                wrong.append(f"I5: line {line} of payment {number} is {word}; the last told of it is {heard}")
        return wrong

    def lines(self) -> list[str]:
        """I5: each line of the platform is what the ledger says, as far as the messages about it are delivered.

        A restored ledger is behind the platform until it has caught up: there only the end counts.
        """
        store = self.town.platform.state.store
        self.town.platform.arrive()
        if self.restored or store.row("SELECT 1 FROM topic LIMIT 1") is not None:
            return []
        last: dict[str, dict[str, Any]] = {}
        for row in self.books.rows(
            "SELECT p.pi_number, p.status AS pi_status, p.imported_at, b.status, b.line_item_ids FROM ifms.beneficiary b"
            " JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id ORDER BY p.created_at, p.id"
        ):
            last.update(dict.fromkeys(row["line_item_ids"], row))
        undelivered = {
            row["ordering_key"]
            for row in self.books.rows("SELECT ordering_key FROM ifms.outbox WHERE delivered_at IS NULL")
        }
        wrong = []
        for payment in self.town.platform.payments.listed():
            if f"{payment['tenantId']}:{payment['paymentNumber']}" in undelivered:
                continue
            how = self.people.cancelled.get(payment["bills"][0]["billId"])
            if how == "payment" and payment["status"] != "CANCELLED":
                wrong.append(f"I5: payment {payment['paymentNumber']} was cancelled and is {payment['status']} now")
            if how is not None:
                continue
            for bill in payment["bills"]:
                for detail in bill["billDetails"]:
                    for line in detail["payableLineItems"]:
                        ours = last.get(line["lineItemId"])
                        expected = _expected(ours) if line["paidAmount"] else {"INITIATED", "SUCCESSFUL"}
                        shared = ours and not ours["imported_at"] and not line["paidAmount"]  # Java merges such lines
                        if line["status"] not in expected or shared:
                            wrong.append(
                                f"I5: the platform has line {line['lineItemId']} of {payment['paymentNumber']} as "
                                f"{line['status']}, here it is {ours and (ours['status'], ours['pi_number'], ours['pi_status'])}"
                            )
        return wrong

    def _reconciled(self, pis: dict[str, dict[str, Any]], *, done: bool) -> list[str]:
        """I6: reconciliation is red while a PI is stuck, and green once nothing waits (`done`)."""
        with self.books.person() as connection:
            findings = {f.invariant.name: f for f in invariants.find_violations(connection, shown=1000)}
        unfollowed = UNFOLLOWED if self.people.unfollowed() else set()
        unmatched = findings.get("failures_are_matched")
        if unmatched and all(any(n in row for n in self.people.unaccounted) for row in unmatched.rows):
            unfollowed = unfollowed | {"failures_are_matched"}  # money came back from a bill that the ledger has lost
        allowed = unfollowed if done else WAITING
        wrong = [
            f"I6: reconciliation says {name}: {finding.rows[0]}"
            for name, finding in findings.items()
            if name not in allowed
        ]
        now = self.people.world.clock.instant
        ages = [now - pi["created_at"] for pi in pis.values() if pi["status"] == "PENDING"]
        if any(age > PENDING_LIMIT + DRIFT for age in ages) and "pending_is_settled" not in findings:
            wrong.append(f"I6: a PI is PENDING for {max(ages)}, and reconciliation is green")
        if "pending_is_settled" in findings and not any(age > PENDING_LIMIT - DRIFT for age in ages):
            wrong.append("I6: reconciliation says that a PI is PENDING for long, and none is")
        return wrong

    # The end ----------------------------------------------------------------------------------------------------------

    def _funds(self) -> list[str]:
        """I2 against the treasury: each sanction's allotted and spent money is the same in both books."""
        ours = {
            row["master_allotment_id"]: (row["allotted_amount"], row["spent_amount"])
            for row in self.books.rows("SELECT * FROM ifms.sanction")
        }
        unfollowed: dict[str, Decimal] = defaultdict(Decimal)
        for row in self.office.treasury.state.store.rows("SELECT * FROM bill WHERE stage != 'rejected'"):
            if row["number"] in self.people.unaccounted:
                unfollowed[row["distribution"]] += Decimal(row["gross"]) / 100
        theirs = {
            fund["mstAllotmentDistId"]: (
                Decimal(fund["allotted"]),
                Decimal(fund["spent"]) - unfollowed[fund["mstAllotmentDistId"]],
            )
            for fund in self.office.treasury.funds.listed()
        }
        return [
            f"I2: sanction {name} is {ours.get(name)} here and {theirs.get(name)} at the treasury"
            for name in sorted({*ours, *theirs})
            if ours.get(name) != theirs.get(name)
        ]

    def _heard(self) -> list[str]:
        """I5: the platform knows each payment, bill and line as paid, and has one payment per bill."""
        platform = self.town.platform
        platform.arrive()
        wrong = []
        per_bill: Counter[str] = Counter()
        unfollowed, cancelled, bills = (
            self._unfollowed_payments(),
            self._cancelled_payments(),
            set(self.people.cancelled),
        )
        for payment in platform.payments.listed():
            statuses = {payment["status"]}
            for bill in payment["bills"]:
                per_bill[bill["billId"]] += 1
                for detail in bill["billDetails"]:
                    statuses |= {line["status"] for line in detail["payableLineItems"]}
            if payment["paymentNumber"] in unfollowed | cancelled:
                bills |= {bill["billId"] for bill in payment["bills"]}
            elif statuses != {"SUCCESSFUL"}:
                wrong.append(f"I5: payment {payment['paymentNumber']} is paid; the platform has it as {statuses}")
        wrong += [f"I1: bill {bill} has {n} payments on the platform" for bill, n in per_bill.items() if n != 1]
        unpaid = platform.state.store.rows("SELECT id, number FROM bill WHERE payment_status IS NOT 'SUCCESSFUL'")
        return wrong + [
            f"I5: bill {row['number']} is paid, the platform does not know" for row in unpaid if row["id"] not in bills
        ]

    def _cancelled_payments(self) -> set[str]:
        return {
            payment["paymentNumber"]
            for payment in self.town.platform.payments.listed()
            if payment["bills"][0]["billId"] in self.people.cancelled
        }

    def _bills_of(self, payments: set[str]) -> set[str]:
        return {
            bill["billId"]
            for payment in self.town.platform.payments.listed()
            if payment["paymentNumber"] in payments
            for bill in payment["bills"]
        }

    def _unfollowed_payments(self) -> set[str]:
        """Payments with a bill or a correction that the treasury has and the ledger can't follow."""
        unfollowed = self.people.unfollowed()
        rows = self.books.rows(
            "SELECT payment_number FROM ifms.payment_instruction WHERE pi_number = ANY(%s)", sorted(unfollowed)
        )
        return unfollowed | {row["payment_number"] for row in rows}

    def _failures(self) -> list[str]:
        """I5: each returned payment that the treasury told of is known here as failed."""
        ours = {
            (row["pi_number"], row["beneficiary_number"])
            for row in self.books.rows(
                "SELECT p.pi_number, b.beneficiary_number FROM ifms.beneficiary b JOIN ifms.payment_instruction p"
                " ON p.id = b.payment_instruction_id WHERE b.status = 'Payment Failed'"
            )
        }
        told = {
            (f["bill_number"], f["beneficiary"])
            for f in self.office.treasury.failures.listed()
            if f["bill_number"] not in self.people.unaccounted
        }
        return [f"I5: {number} of {bill} was returned, and nobody here knows" for bill, number in sorted(told - ours)]


def _expected(last: dict[str, Any] | None) -> set[str]:
    """What the platform may have a line as, whose last row in the ledger this is."""
    if last is None or last["imported_at"]:
        return {"INITIATED", "FAILED"}  # FAILED: it waits for funds, which is told once
    match last["pi_status"], last["status"]:
        case ("FAILED", _) | (_, "Payment Failed"):
            return {"FAILED"}
        case "PENDING", _:
            return {"INITIATED", "FAILED"}  # FAILED: of the PI before, until this one is accepted
        case _, "Payment Successful":
            return {"SUCCESSFUL"}
        case _:
            return {"INITIATED"}
