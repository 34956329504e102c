"""What the database alone can't tell of the ledger: signatures, by their key, and sums, by the platform.

Looked at with the invariants (`ifms.ledger.invariants`), on PIs that are under way or have changed in the last days, or
on all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial

from ifms.errors import (
    BadInputError,
    PlatformError,
    PlatformReplyError,
    PlatformUnavailableError,
    SealError,
    SignatureError,
)
from ifms.ledger import instructions
from ifms.ledger.binding import check_instruction
from ifms.ledger.database import Database
from ifms.ledger.invariants import SHOWN, Finding, Invariant
from ifms.ledger.models import PaymentInstruction
from ifms.platform.client import PlatformClient
from ifms.platform.models import Payment, by_number
from ifms.platform.portions import Portions
from ifms.services.still_owed import Stored
from ifms.signing import Keyring

RECENT = timedelta(days=2)
BATCH = 500
SILENT = 3  # searches running that nothing was answered to: a batch's of a city, with its portions

SIGNED = Invariant(
    "instructions_are_signed",
    "a PI and its beneficiaries are what was signed when it was made",
    "Pause ifms_pi and ifms_cor; find out who has written the row, and ask the treasury what it has paid",
    "",
)
OWED = Invariant(
    "platform_owes_the_same",
    "a payment that has an original PI is on the platform, with the same amount",
    "Ask the platform what the payment is, and who has changed it; the treasury pays what the PI says",
    "",
)
WITNESSED = (SIGNED, OWED)


def unsigned(db: Database, keyring: Keyring, *, every: bool = False) -> Finding | None:
    """PIs that are not what was signed, of those that are under way or changed in the last days, or of `every` one."""
    faults = _Faults(SIGNED)
    for pis in _batches(db, every=every):
        for stored in db.transact(partial(Stored.read, pis=pis)):
            try:
                check_instruction(keyring, stored.pi, stored.rows, stored.bill_ids)
            except (SignatureError, SealError, BadInputError) as error:
                faults.add(str(error))
    return faults.finding


def otherwise_owed(
    db: Database, platform: PlatformClient, not_compared: Callable[[str], None], *, every: bool = False
) -> Finding | None:
    """Payments of original PIs that the platform lacks, or has with another amount or several times under one number.

    One search per city and batch, unless something about one payment fails: it keeps no other from being compared.
    After `SILENT` searches running of which nothing was answered the platform is asked no further. `not_compared` hears
    of each that was not, or once that the platform was out of reach.
    """
    faults = _Faults(OWED)
    portions = Portions(platform)
    silent: list[str] = []
    for pis in _batches(db, every=every):
        by_city: dict[str, list[PaymentInstruction]] = defaultdict(list)
        for pi in pis:
            if pi.pi_type == "ORIGINAL" and pi.repayment_of is None:
                by_city[pi.tenant_id].append(pi)
        for tenant, ours in by_city.items():
            told = portions.ask(tenant, ours, partial(_owed, tenant=tenant))
            whys = [f"{_payments(some)} of {tenant}: {owed}" for some, owed in told if isinstance(owed, PlatformError)]
            if all(isinstance(owed, PlatformUnavailableError) for _, owed in told):
                silent.append(f"{_payments(ours)} of {tenant}: {told[0][1]}")
                if len(silent) == SILENT:
                    not_compared(f"the platform could not be asked, and is asked no further: {silent[0]}")
                    return faults.finding
                continue
            for why in (*silent, *whys):
                not_compared(why)
            silent = []
            for some, owed in told:
                if not isinstance(owed, PlatformError):
                    faults.extend(_otherwise(some, owed))
    for why in silent:
        not_compared(why)
    return faults.finding


def _owed(
    platform: PlatformClient, pis: Sequence[PaymentInstruction], *, tenant: str
) -> dict[str, Payment | PlatformReplyError]:
    return by_number(platform.payments(tenant, numbers=sorted({pi.payment_number for pi in pis})))


def _payments(pis: Sequence[PaymentInstruction]) -> str:
    numbers = sorted({pi.payment_number for pi in pis})
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return f"payment {', '.join(numbers[:SHOWN])}{more}"


def _otherwise(pis: Iterable[PaymentInstruction], owed: Mapping[str, Payment | PlatformReplyError]) -> Iterator[str]:
    for pi in pis:
        payment = owed.get(pi.payment_number)
        if payment is None:
            yield f"payment {pi.payment_number} of {pi.tenant_id}, PI {pi.pi_number}, is not found on the platform"
        elif isinstance(payment, PlatformReplyError):
            yield f"PI {pi.pi_number}: {payment}"
        elif payment.net_payable_amount != pi.net_amount:
            amount = payment.net_payable_amount
            yield f"payment {pi.payment_number} is of {amount} on the platform, PI {pi.pi_number} of {pi.net_amount}"


def _batches(db: Database, *, every: bool) -> Iterator[list[PaymentInstruction]]:
    after, recent = None, None if every else RECENT
    while pis := db.transact(partial(instructions.made_here, after=after, limit=BATCH, recent=recent)):
        yield pis
        after = pis[-1].id


class _Faults:
    """What breaks a rule: all are counted, the first are kept."""

    def __init__(self, rule: Invariant) -> None:
        self._rule = rule
        self._count = 0
        self._rows: list[str] = []

    def add(self, fault: str) -> None:
        """Count one more."""
        self._count += 1
        if len(self._rows) < SHOWN:
            self._rows.append(fault)

    def extend(self, faults: Iterable[str]) -> None:
        """Count each."""
        for fault in faults:
            self.add(fault)

    @property
    def finding(self) -> Finding | None:
        """None when nothing breaks it."""
        return Finding(self._rule, self._count, self._rows) if self._count else None
