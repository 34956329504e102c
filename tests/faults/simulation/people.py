"""What people and banks do between sweeps: bills, allotments, corrected accounts, returned money, and what operators do.

An operator knows the treasury's own books: whatever an operator says of a PI, of a text or of a restored payment is true.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from faults.simulation.books import Books
from faults.simulation.platform import Town
from faults.simulation.treasury import EXISTS, NOTHING, OTHER_NOT_FOUND, SENT_BACK, STATUSES, WRONG_IFSC, Office
from faults.simulation.world import World

from ifms.errors import BadInputError, ConflictError
from ifms.ledger import phrases, restores
from ifms.ledger.payments import release_holds
from ifms.services import manual_settlement
from ifms.wire.phrasebook import Meaning, template_of
from ifms_simulator.store import load
from ifms_simulator.treasury.corrections import Correction

RIGHT_IFSC = "SMPL0000002"
DAY = 24 * 3600.0
PERSON = "sample operator"

# What texts truthfully mean, by the beginning of their template: (text, meaning of a submission's, of an enquiry's).
_TEXTS = {
    "jit bill no {bill} already": (EXISTS, Meaning.DUPLICATE, None),
    "bill {bill} returned by ssu": (SENT_BACK, None, Meaning.REJECTED),
    **{template_of(text, None): (text, Meaning.TRY_LATER, Meaning.NO_NEWS) for text in (*NOTHING, OTHER_NOT_FOUND)},
    **{template_of(text, None): (text, None, Meaning.NOT_PAID) for text in STATUSES},
    # The treasury's own refusals of what is in a correction.
    "the payment of beneficiary": (None, Meaning.CONTENT_ERROR, None),
    "original bill": (None, Meaning.CONTENT_ERROR, None),
}


@dataclass
class People:
    """Everybody outside; `accounts` is whose each account number is, or ever was."""

    world: World
    books: Books
    office: Office
    town: Town
    owed: dict[str, Decimal] = field(default_factory=dict)
    """What each payee is to get, in rupees; each has one bill."""
    tenants: dict[str, str] = field(default_factory=dict)
    bill_of: dict[str, str] = field(default_factory=dict)
    """The platform's bill of each payee."""
    accounts: dict[str, str] = field(default_factory=dict)
    unaccounted: set[str] = field(default_factory=set)
    """Bills and corrections that the treasury may have and that the ledger does not follow: lost by a restore, or FAILED
    in an import."""
    coming: list[tuple[float, str, str, list[str], str]] = field(default_factory=list)
    """(when it is told, bill, voucher date, all its beneficiaries, the one) of payments that the bank returns."""
    cancelled: dict[str, str] = field(default_factory=dict)
    """Bills of the platform that nobody is to be paid for any more, and what was cancelled: the payment or the bill."""
    _repaired: set[tuple[str, str]] = field(default_factory=set)
    _provided: set[str] = field(default_factory=set)

    def approve_bills(self, payments: int) -> None:
        """So many approved wage bills for one to three payees each, some with lines of zero rupees besides.

        A few payees have a wrong bank branch.
        """
        world, platform = self.world, self.town.platform
        cities = platform.masters.cities
        for number in range(payments):
            amounts = [
                str(Decimal(world.random.randrange(10_000, 200_000)) / 100)
                for _ in range(world.weighted({1: 6, 2: 3, 3: 1}))
            ]
            order = {"type": "wage", "tenantId": cities[number % len(cities)], "amounts": amounts}
            made = platform.sampler.add(order | {"zero_lines": int(number % 5 == 4)})
            for payee, amount in zip(made[0]["payees"], amounts, strict=True):
                self.owed[payee], self.tenants[payee] = Decimal(amount), made[0]["tenantId"]
                self.bill_of[payee] = made[0]["id"]
                if world.chance(0.03):
                    self._change(payee, ifsc=WRONG_IFSC)
        for row in platform.state.store.rows("SELECT reference, document FROM account ORDER BY reference"):
            if row["reference"] in self.owed:
                detail = load(row["document"])["bankAccountDetails"][0]
                self.accounts[platform.cipher.decrypt(detail["accountNumber"])] = row["reference"]

    def go_about(self) -> None:
        """One round of what people do."""
        self._allot()
        self._cancel()
        self._return_money()
        self._repair_accounts()
        self._teach()
        self._settle_pending()
        self._clear_restored()
        self._release_holds()

    def allot_enough(self) -> None:
        """Each city gets more than all of its payees are owed, under one sanction, once the ledger has heard of one."""
        for tenant in self.town.platform.masters.cities:
            if tenant in self._provided:
                continue
            fund = self.books.rows("SELECT * FROM ifms.sanction WHERE tenant_id = %s ORDER BY id LIMIT 1", tenant)
            if fund:
                self._allotment(fund[0]["master_allotment_id"], "Additional allotment", "9000000.00")
                self._provided.add(tenant)

    def _allot(self) -> None:
        funds = self.office.treasury.funds.listed()
        if not funds or not self.world.chance(0.6):
            return
        for _ in range(self.world.random.randrange(1, 4)):
            fund = self.world.choose(funds)
            if self.world.chance(0.35):
                # At times more than is left there.
                self._allotment(
                    fund["mstAllotmentDistId"], "Allotment withdrawal", self.world.choose(("900.00", "15000.00"))
                )
            else:
                self._allotment(fund["mstAllotmentDistId"], "Additional allotment", "6000.00")

    def _allotment(self, distribution: str, kind: str, amount: str) -> None:
        fund = self.office.treasury.state.store.row("SELECT * FROM fund WHERE distribution = ?", distribution)
        assert fund is not None
        self.office.treasury.funds.add(
            {
                "ddoCode": fund["ddo"],
                "hoa": fund["hoa"],
                "granteeAgCode": fund["grantee"],
                "mstAllotmentDistId": distribution,
                "allotmentTxnType": kind,
                "allotmentAmount": amount,
            }
        )
        self.world.event(f"{kind} of {amount} for {distribution}")
        self.world.fault(kind.lower())

    def _cancel(self) -> None:
        """Cancel a payment, or its bill, that has no PI."""
        platform = self.town.platform
        if not self.world.chance(0.1):
            return
        platform.arrive()
        if platform.state.store.row("SELECT 1 FROM topic LIMIT 1") is not None:
            return  # what is on its way would undo it
        live = {
            row["payment_number"] for row in self.books.rows("SELECT * FROM ifms.payment WHERE paid_by IS NOT NULL")
        }
        at_the_treasury = {
            self.bill_of[self.accounts[line["benfAcctNo"]]]
            for row in self.office.treasury.state.store.rows("SELECT document FROM bill WHERE stage != 'rejected'")
            for line in load(row["document"])["beneficiaryDetails"]
        }
        payment_of = {p["bills"][0]["billId"]: p["paymentNumber"] for p in platform.payments.listed()}
        bills = [
            bill
            for bill in dict.fromkeys(self.bill_of.values())
            if payment_of.get(bill) not in live and bill not in at_the_treasury and bill not in self.cancelled
        ]
        if not bills:
            return
        bill = self.world.choose(bills)
        number = payment_of.get(bill)
        if number is not None and self.world.chance(0.7):
            platform.payments.put(
                {"paymentNumber": number, "status": "CANCELLED", "headerOnly": self.world.chance(0.5)}
            )
            self.cancelled[bill] = "payment"
        else:
            row = platform.state.store.row("SELECT number FROM bill WHERE id = ?", bill)
            assert row is not None
            platform.bills.put({"billNumber": row["number"], "status": "CANCELLED", "wfStatus": "CANCELLED"})
            self.cancelled[bill] = "bill"
        for payee, its in self.bill_of.items():
            if its == bill:
                self.owed[payee] = Decimal(0)
        self.world.event(f"the {self.cancelled[bill]} of {bill} is cancelled ({number})")
        self.world.fault(f"{self.cancelled[bill]} cancelled")

    def _return_money(self) -> None:
        """Banks return some payments, at once or days later; only what has a voucher can come back.

        Whether the ledger has heard of the voucher does not matter.
        """
        treasury = self.office.treasury
        now = self.world.clock.time()
        if not self.world.calm:
            sent = [
                (b.number, b.voucher_date, [r["benefId"] for r in b.beneficiaries], 0.03) for b in treasury.bills.paid()
            ]
            corrected = [
                Correction.of(row) for row in treasury.state.store.rows("SELECT * FROM correction ORDER BY id")
            ]
            sent += [
                (c.number, c.voucher_date, [r["benefId"] for r in c.rows], 0.15) for c in corrected if c.paid_at <= now
            ]
            known = {(number, one) for _, number, _, _, one in self.coming}
            for number, voucher_date, ids, probability in sent:
                if number in self.unaccounted:
                    continue
                for one in ids:
                    if not self.world.chance(probability) or (number, one) in known:
                        continue
                    if not treasury.failures.has_failed(number, one):
                        late = self.world.choose((0, 0, 0, 1, 2, 3, 4, 5, 6)) * DAY
                        self.coming.append((now + late, number, voucher_date, ids, one))
                        self.office.returned.add(number)
        due = [each for each in self.coming if each[0] <= now]
        self.coming = [each for each in self.coming if each[0] > now]
        for _, number, voucher_date, ids, one in due:
            rows = {"bill_number": number, "beneficiaries": [one]}
            treasury.failures.add(rows, lambda _, found=(voucher_date, ids): found)  # type: ignore[misc]
            self.world.event(f"the bank returns {one} of {number}, paid on {voucher_date}")
            self.world.fault("bank failure")

    def _repair_accounts(self) -> None:
        """Give whoever's money came back another account, and whoever's branch was refused a right one."""
        for failure in self.office.treasury.failures.listed():
            key = failure["bill_number"], failure["beneficiary"]
            if key in self._repaired or not (self.world.calm or self.world.chance(0.6)):
                continue
            if key[0] in self.unaccounted:  # the ledger knows nothing of it, since it was restored
                continue
            self._repaired.add(key)
            rows = self.books.rows(
                "SELECT beneficiary_id FROM ifms.beneficiary WHERE beneficiary_number = %s LIMIT 1", key[1]
            )
            number = f"77{len(self.accounts):010d}"
            payee = rows[0]["beneficiary_id"]
            self.accounts[number] = payee
            self._change(payee, accountNumber=number)
        if self.world.calm or self.world.chance(0.4):
            for row in self.town.platform.state.store.rows("SELECT reference, document FROM account ORDER BY id"):
                branch = load(row["document"])["bankAccountDetails"][0]["bankBranchIdentifier"]
                if branch["code"] == WRONG_IFSC:
                    self._change(row["reference"], ifsc=RIGHT_IFSC)

    def _change(self, payee: str, **changes: str) -> None:
        self.town.platform.accounts.change(self.tenants[payee], payee, changes)
        self.world.event(f"the account of {payee} is changed: {', '.join(changes)}")

    # Operators --------------------------------------------------------------------------------------------------------

    def _teach(self) -> None:
        """Say what texts mean that nobody knew."""
        with self.books.person() as connection:
            answers = sorted(phrases.unknown_answers(connection), key=lambda each: (each.service_id, each.template))
        for answer in answers:
            found = next((known for begin, known in _TEXTS.items() if answer.template.startswith(begin)), None)
            if found is None or not (self.world.calm or self.world.chance(0.5)):
                continue
            meaning = found[1] if answer.service_id in ("PI", "COR") else found[2]
            if meaning is None or (meaning is Meaning.NOT_PAID and answer.service_id not in ("PD", "FTPS")):
                continue
            try:
                with self.books.person() as connection:
                    phrases.add_phrase(
                        connection,
                        [answer.service_id],
                        found[0] or answer.template,
                        meaning,
                        reason="the treasury says so",
                        added_by=PERSON,
                    )
            except (BadInputError, ConflictError) as error:
                self.world.event(f"not taught: {error}")
            else:
                self.world.event(f"{answer.service_id}: '{answer.template}' means {meaning}")
                self.world.fault("text taught")

    def _settle_pending(self) -> None:
        """Ask the treasury about what is PENDING for two days or holds a payment back, and settle it by its books."""
        rows = self.books.rows(
            "SELECT pi_number, status FROM ifms.payment_instruction p WHERE created_at < now() - interval '2 days'"
            " AND (status = 'PENDING' OR status = 'FAILED' AND uncertain AND settled_by IS NULL AND EXISTS ("
            " SELECT FROM ifms.payment y WHERE hold_code = 'PI_IN_DOUBT'"
            " AND (y.tenant_id, y.payment_number) = (p.tenant_id, p.payment_number))) ORDER BY 1"
        )
        for number, status in [(row["pi_number"], row["status"]) for row in rows]:
            if status == "FAILED" and self.office.knows(number):
                continue
            if self.office.on_its_way(number) or not (self.world.calm or self.world.chance(0.3)):
                continue
            verdict = (
                manual_settlement.Verdict.ACCEPTED if self.office.knows(number) else manual_settlement.Verdict.NOT_THERE
            )
            try:
                with self.books.person() as connection:
                    manual_settlement.settle(
                        connection, number, verdict, reason="by its books", person=PERSON, typed=number
                    )
            except ConflictError as error:
                self.world.event(f"not settled: {error}")
            else:
                self.world.event(f"{number} is settled by hand: {verdict}")
                self.world.fault("settled by hand")

    def _clear_restored(self) -> None:
        """Clear what the restored ledger may have forgotten and the treasury does not have."""
        with self.books.person() as connection:
            doubtful = restores.in_doubt(connection)
        if not doubtful or self.office.late:
            return
        held = self.unfollowed()
        # A PENDING PI goes with its payment, a revision with its original: what another bill pays is not sent again.
        rows = self.books.rows(
            "SELECT pi_number, coalesce(parent_pi_number, payment_number) AS pays FROM ifms.payment_instruction"
            " WHERE status = 'PENDING' AND held_back"
        )
        held |= {row["pi_number"] for row in rows if row["pays"] in held}
        for number in (each.number for each in doubtful):
            if number not in held and (self.world.calm or self.world.chance(0.6)):
                with self.books.person() as connection:
                    restores.clear(connection, number, "the treasury has no other bill of it", PERSON)
                self.world.event(f"{number} is cleared after the restore")

    def unfollowed(self) -> set[str]:
        """Payments, and originals whose beneficiaries are corrected, of `unaccounted` bills that the treasury has."""
        store = self.office.treasury.state.store
        payment_of = {
            bill["billId"]: payment["paymentNumber"]
            for payment in self.town.platform.payments.listed()
            for bill in payment["bills"]
        }
        found = set()
        for row in store.rows("SELECT number, document FROM bill WHERE stage != 'rejected'"):
            if row["number"] in self.unaccounted:
                for line in load(row["document"])["beneficiaryDetails"]:
                    found.add(payment_of[self.bill_of[self.accounts[line["benfAcctNo"]]]])
        for row in store.rows("SELECT number, bill FROM correction"):
            if row["number"] in self.unaccounted:
                found.add(row["bill"])
        return found

    def _release_holds(self) -> None:
        """Let payments have another PI whose last one was declined or rejected, or is not at the treasury after all."""
        held = self.books.rows(
            "SELECT payment_number, hold_code FROM ifms.payment"
            " WHERE hold_code IN ('PI_DECLINED', 'PI_REJECTED', 'PI_IN_DOUBT') AND paid_by IS NULL ORDER BY 1"
        )
        unfollowed = self.unfollowed() if held and self.unaccounted else set()
        chosen = [
            row["payment_number"]
            for row in held
            if row["payment_number"] not in unfollowed and (self.world.calm or self.world.chance(0.5))
        ]
        if chosen:
            self.world.event(f"{len(chosen)} payments are released")
            with self.books.person() as connection:
                release_holds(connection, chosen)
