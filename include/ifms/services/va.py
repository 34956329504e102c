"""VA: what the treasury has allotted to each city's spending unit under each head of account.

For each (city, SSU, head of account) the treasury is asked for what came since the watermark; each allotment counts
once, in one transaction with the balances and the new watermark. Facts: treasury-jit.md §2 VA, user-stories.md §1.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from ifms import clock
from ifms.errors import BadInputError, LedgerDataError, WireError
from ifms.ledger import funds, names
from ifms.ledger.claims import Claim, claim, release
from ifms.ledger.database import Connection
from ifms.ledger.models import AllotmentKind, NewAllotment, Watermark
from ifms.money import MAX_AMOUNT, Tally
from ifms.platform.masterdata import MasterData
from ifms.sweep.pipeline import drive
from ifms.sweep.scope import Scope
from ifms.sweep.takeover import drain_with_takeover
from ifms.sweep.treasury_sweep import TreasurySweep
from ifms.treasury.client import TreasuryClient
from ifms.treasury.outcome import Answered, NeverSent, Outcome, Rejected, Unknown
from ifms.wire.bank import mask_long_numbers, quoted
from ifms.wire.envelope import Service, parse_each
from ifms.wire.phrasebook import Meaning
from ifms.wire.va import VaRequest, VaRow

LEASE = timedelta(minutes=10)
# Asked for again each time, as what was counted before is not counted again. Nobody has said whether the treasury goes
# by when an allotment was entered or by the day that it is dated, which may be some days before; and its clock and ours
# may have been set meanwhile.
OVERLAP = timedelta(days=7)
CLOCKS_DIFFER = timedelta(hours=1)  # a mark further ahead than this was made by a clock that was wrong
_SERIAL = re.compile(r"[0-9]{1,9}", re.ASCII)  # what the ledger's column can hold
# Before any allotment, for a head of account whose master data names no beginning, or one that can't be.
FIRST_DAY = datetime(2001, 4, 1, tzinfo=clock.IST)


@dataclass(frozen=True)
class _Ask:
    mark: Watermark
    claim: Claim | None  # None for a backfill
    since: datetime
    asked_at: datetime

    @property
    def where(self) -> str:
        """How problems name it."""
        mark = self.mark
        return f"allotments of {mark.tenant_id}, DDO {mark.ddo_code}, head of account {mark.hoa_code}"


def fetch_allotments(sweep: TreasurySweep, treasury: TreasuryClient, master: MasterData, scope: Scope) -> Tally:
    """Ask for every mark in `scope` and record what is new, which it returns; with `scope.since`, ask from there.

    Such a backfill asks about every mark itself, whoever else is at work on it: another run asks from another day. What
    it hears counts once like everything; the watermarks stay.

    A mark whose unit is not its city's in master data (any more) is not asked for, and stays where it is.
    """
    effective_from = {
        head.code: max(FIRST_DAY, clock.from_epoch_ms(head.effective_from)) if head.effective_from else FIRST_DAY
        for head in master.heads
    }
    gone: set[str] = set()
    new = Tally()
    cities = {city.tenant_id: city.name for city in master.cities}
    heads = {head.code: head.name for head in master.heads}
    sweep.db.transact(lambda c: names.keep(c, cities, heads))
    for fault in master.unread:
        sweep.add_problem(fault)
    _open_marks(sweep, master, scope)
    units = {(tenant, unit.ddo_code, unit.grantee_ag_code) for tenant, found in master.units.items() for unit in found}
    in_shard: dict[str, object] = {"tenants": list(scope.cities(master))}

    def since(mark: Watermark, now: datetime) -> datetime:
        if mark.hoa_code not in effective_from and mark.hoa_code not in gone and master.unread_head is None:
            gone.add(mark.hoa_code)
            sweep.add_warning(
                f"head of account {mark.hoa_code} is not in the master data any more: it is asked about all the same, "
                "but no payment instruction is made from it"
            )
        beginning = effective_from.get(mark.hoa_code, FIRST_DAY)
        due = beginning if mark.fetched_until is None or _ahead(mark, now) else mark.fetched_until - OVERLAP
        # A beginning that has been mended: what lies before the one that it had was never asked for.
        if mark.hoa_code in effective_from and mark.asked_from is not None and beginning < mark.asked_from:
            due = beginning
        # A backfill asks from further back; never from later: nobody has heard yet of what lies between.
        return max(FIRST_DAY, min(due, scope.since or due))

    def in_use(mark: Watermark) -> bool:
        """Whether its unit is this city's still; else it may be another's, and what is told of it counts there."""
        return (mark.tenant_id, mark.ddo_code, mark.grantee_code) in units or mark.tenant_id in master.problems

    def again() -> Generator[_Ask, None, None]:
        for mark in sweep.db.transact(lambda c: funds.watermarks(c, scope.cities(master))):
            now = clock.now()
            if in_use(mark):
                yield _Ask(mark, None, since(mark, now), now)

    def asks() -> Generator[_Ask, None, None]:
        while True:
            asked_at = clock.now()
            own_claim, marks = sweep.db.transact(
                lambda c: claim(
                    c,
                    funds.WATERMARKS,
                    Watermark,
                    limit=sweep.workers * 2,
                    lease=LEASE,
                    sweep_started=sweep.run.started_at,
                    shared_since=sweep.run.shared_since,
                    **in_shard,
                )
            )
            if not marks:
                return
            for mark in marks:
                if in_use(mark):
                    yield _Ask(mark, own_claim, since(mark, asked_at), asked_at)
                else:
                    sweep.db.transact(partial(release, queue=funds.WATERMARKS, row_id=mark.id, claim=own_claim))

    def call(ask: _Ask) -> Outcome | BadInputError:
        mark = ask.mark
        try:
            request = VaRequest(
                hoa=mark.hoa_code, ddo_code=mark.ddo_code, grantee_code=mark.grantee_code, from_date=ask.since
            )
        except BadInputError as error:  # a mark that can't be asked about does not stop the others
            return error
        return treasury.call(request)

    def settle(ask: _Ask, outcome: Outcome | BadInputError) -> None:
        nonlocal new
        if isinstance(outcome, BadInputError):
            own_claim = ask.claim
            if own_claim is not None:
                sweep.db.transact(lambda c: release(c, funds.WATERMARKS, ask.mark.id, own_claim))
            sweep.add_problem(f"{ask.where} can't be asked for: {outcome}")
            return
        sweep.record_outcome(outcome)
        new += _settle(sweep, ask, outcome)

    def give_back(ask: _Ask) -> None:
        own_claim = ask.claim
        if own_claim is not None:
            sweep.db.transact(lambda c: release(c, funds.WATERMARKS, ask.mark.id, own_claim, untouched=True))

    def work() -> None:
        drive(sweep, asks(), call, settle, give_back)

    if scope.since:
        drive(sweep, again(), call, settle, give_back)
    else:
        drain_with_takeover(sweep, funds.WATERMARKS, LEASE, in_shard, work)
    return new


def _ahead(mark: Watermark, now: datetime) -> bool:
    """Whether it is a mark of a time to come, so that nobody knows up to when its head was really asked for."""
    return mark.fetched_until is not None and mark.fetched_until > now + CLOCKS_DIFFER


def _open_marks(sweep: TreasurySweep, master: MasterData, scope: Scope) -> None:
    """One watermark per city, unit and head of account; a city without a unit is reported, and the others go on."""
    for tenant in scope.cities(master):
        units = master.units.get(tenant, ())
        if not units:
            why = master.problems.get(tenant, "it has no active SSU in master data ifms.SSUDetails")
            tell = sweep.add_problem if tenant in master.problems else sweep.add_warning
            tell(f"the allotments of {tenant} can't be asked for: {why}")
            continue
        marks = [
            (tenant, head.code, unit.ddo_code, unit.grantee_ag_code, unit.ssu_id)
            for unit in units
            for head in master.heads
        ]
        try:
            sweep.db.transact(lambda c, marks=marks: funds.open_watermarks(c, marks))  # type: ignore[misc]
        except LedgerDataError as error:
            sweep.add_problem(f"the spending units or heads of account of {tenant}: {error}")


def _settle(sweep: TreasurySweep, ask: _Ask, outcome: Outcome) -> Tally:
    """Write down what was answered; the allotments that are new."""
    mark = ask.mark
    where = ask.where
    allotments: list[NewAllotment] = []
    faults: list[str] = []
    if isinstance(outcome, Answered):
        rows, unread = parse_each(VaRow, outcome.reply)
        faults += [str(fault) for fault in unread]
        for row in rows:
            try:
                allotments.append(_allotment(mark, row))
            except WireError as fault:
                faults.append(str(fault))

    doubled: dict[NewAllotment, str] = {}

    def write(connection: Connection) -> funds.Recorded:
        sweep.log_calls(connection, outcome)
        doubled.clear()
        doubled.update(funds.counted_elsewhere(connection, mark, allotments))
        recorded = funds.record_allotments(connection, [each for each in allotments if each not in doubled])
        if ask.claim is None:
            pass
        elif isinstance(outcome, Answered) and not faults and not recorded.refused and not doubled:
            funds.move_watermark(connection, mark, ask.claim, ask.asked_at, ask.since, back=_ahead(mark, ask.asked_at))
        else:  # what could be read counts at once; the watermark stays, so the rest is asked for again
            release(connection, funds.WATERMARKS, mark.id, ask.claim)
        return recorded

    recorded = sweep.settled(write, log=partial(sweep.log_calls, outcome=outcome))
    sweep.counts["allotments_new"] += recorded.new
    sweep.counts["allotments_known"] += recorded.known
    for text in [*faults, *recorded.conflicts, *recorded.refused]:
        sweep.add_problem(f"{where}: {text}")
    for allotment, tenant in doubled.items():
        sweep.add_problem(
            f"{where}: {allotment} counts in {tenant} already, and money is in one city: nothing was counted; mend "
            f"ifms.SSUDetails of the city whose unit this is not, and close its sanctions if it was {tenant}"
        )
    for allotment in recorded.waiting:
        sweep.add_warning(
            f"{allotment} waits: the initial allotment of sanction {allotment.master_allotment_id} has not come"
        )
    for master_id in recorded.overdrawn:
        sweep.add_warning(
            f"sanction {master_id} of {mark.tenant_id} is overdrawn by a withdrawal: nothing more is reserved on it"
        )
    match outcome:
        case Rejected(errors=errors):
            message = "; ".join(map(str, errors))
            if sweep.phrasebook.errors(Service.VA, errors, None) is Meaning.NO_NEWS:
                sweep.add_warning(f"{where}: {message}")
            else:
                sweep.note_unknown(Service.VA, errors)
                sweep.add_problem(f"{where}: the treasury says {message}")
        case Unknown(reason=reason, understood=False):
            sweep.add_problem(f"{where}: {reason}")
        case Unknown(reason=reason) | NeverSent(reason=reason):
            sweep.add_warning(f"{where}: {reason}")
    return Tally(recorded.new, recorded.added)


def _allotment(mark: Watermark, row: VaRow) -> NewAllotment:
    name = mask_long_numbers(f"{row.mst_allotment_dist_id[:100]}/{row.ssu_allotment_id[:100]}")
    if (row.ddo_code, row.grantee_ag_code) != (mark.ddo_code, mark.grantee_code):
        raise WireError(
            f"allotment {name} is for DDO {quoted(row.ddo_code)}, grantee {quoted(row.grantee_ag_code)}, "
            "which was not asked about"
        )
    if not _SERIAL.fullmatch(row.allotment_txn_sl_no):
        raise WireError(f"allotment {name} has no serial number")
    if row.available_balance + row.allotment_amount > MAX_AMOUNT:  # what the sanction was opened with
        raise WireError(f"allotment {name}: its amount and the balance after it add up to more than {MAX_AMOUNT}")
    return NewAllotment(
        tenant_id=mark.tenant_id,
        hoa_code=mark.hoa_code,
        ddo_code=mark.ddo_code,
        grantee_code=mark.grantee_code,
        ssu_id=row.ssu_id,
        scheme_code=row.scheme_code,
        master_allotment_id=row.mst_allotment_dist_id,
        ssu_allotment_id=row.ssu_allotment_id,
        serial_no=int(row.allotment_txn_sl_no),
        kind=AllotmentKind[row.allotment_txn_type.name],
        amount=row.allotment_amount,
        sanction_balance=row.available_balance,
        allotment_date=row.allotment_date,
    )
