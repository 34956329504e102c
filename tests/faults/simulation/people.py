"""What people and banks do between sweeps: bills, allotments, corrected accounts, returned money, released holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import psycopg
from faults.simulation.books import Books
from faults.simulation.platform import Town
from faults.simulation.treasury import WRONG_IFSC, Office
from faults.simulation.world import World

from ifms.ledger.payments import release_holds
from simulator.store import load
from simulator.treasury.bills import Bill
from simulator.treasury.corrections import Correction

RIGHT_IFSC = "SMPL0000002"


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
    accounts: dict[str, str] = field(default_factory=dict)
    _repaired: set[tuple[str, str]] = field(default_factory=set)
    _provided: set[str] = field(default_factory=set)

    def approve_bills(self, payments: int) -> None:
        """So many approved wage bills for one to three payees each, some of them with a wrong bank branch."""
        world, platform = self.world, self.town.platform
        cities = platform.masters.cities
        for number in range(payments):
            amounts = [
                str(Decimal(world.random.randrange(10_000, 200_000)) / 100)
                for _ in range(world.weighted({1: 6, 2: 3, 3: 1}))
            ]
            made = platform.sampler.add({"type": "wage", "tenantId": cities[number % len(cities)], "amounts": amounts})
            for payee, amount in zip(made[0]["payees"], amounts, strict=True):
                self.owed[payee], self.tenants[payee] = Decimal(amount), made[0]["tenantId"]
                if world.chance(0.03):
                    self._change(payee, ifsc=WRONG_IFSC)
        for row in platform.state.store.rows("SELECT reference, document FROM account ORDER BY reference"):
            if row["reference"] in self.owed:
                detail = load(row["document"])["bankAccountDetails"][0]
                self.accounts[platform.cipher.decrypt(detail["accountNumber"])] = row["reference"]

    def go_about(self) -> None:
        """One round of what people do."""
        self._allot()
        self._return_money()
        self._repair_accounts()
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

    def _return_money(self) -> None:
        """Banks return some payments; only what has a voucher can come back."""
        if self.world.calm:
            return
        treasury = self.office.treasury
        now = self.world.clock.time()
        store = treasury.state.store
        paid = [b for r in store.rows("SELECT * FROM bill WHERE stage = 'paid' ORDER BY id") if (b := Bill.of(r))]
        corrected = [Correction.of(row) for row in store.rows("SELECT * FROM correction ORDER BY id")]
        sent = [(b.number, b.voucher_date, [r["benefId"] for r in b.beneficiaries], 0.03) for b in paid]
        sent += [
            (c.number, c.voucher_date, [r["benefId"] for r in c.rows], 0.15) for c in corrected if c.paid_at <= now
        ]
        for number, voucher_date, ids, probability in sent:
            for beneficiary in ids:
                if self.world.chance(probability) and not treasury.failures.has_failed(number, beneficiary):
                    rows = {"bill_number": number, "beneficiaries": [beneficiary]}
                    treasury.failures.add(rows, lambda _, found=(voucher_date, ids): found)  # type: ignore[misc]
                    self.world.event(f"the bank returns {beneficiary} of {number}")
                    self.world.fault("bank failure")

    def _repair_accounts(self) -> None:
        """Give whoever's money came back another account, and whoever's branch was refused a right one."""
        for failure in self.office.treasury.failures.listed():
            key = failure["bill_number"], failure["beneficiary"]
            if key in self._repaired or not (self.world.calm or self.world.chance(0.6)):
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

    def _release_holds(self) -> None:
        """Let payments whose PI was declined or rejected have another."""
        held = self.books.rows(
            "SELECT payment_number FROM ifms.payment WHERE hold_code IN ('PI_DECLINED', 'PI_REJECTED') ORDER BY 1"
        )
        chosen = [row["payment_number"] for row in held if self.world.calm or self.world.chance(0.5)]
        if chosen:
            self.world.event(f"{len(chosen)} payments are released")
            with psycopg.connect(self.books.dsn) as connection:
                release_holds(connection, chosen)
