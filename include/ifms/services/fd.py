"""FD: which payments came back from the bank, voucher date by voucher date.

The treasury answers about any PI, for the vouchers of a day, or of that day and all after it: nobody has said which,
and both come to the same here. Asking twice changes nothing; a failure that matches no PI is kept and shown. Facts:
treasury-jit.md §2 FD, user-stories.md §6, cor-and-fd.md §2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import partial

from ifms import clock
from ifms.errors import IfmsError, SweepUnreachableError
from ifms.ledger import beneficiaries, failures, instructions, runs
from ifms.ledger.beneficiaries import Failure
from ifms.ledger.database import Connection
from ifms.ledger.failure_matching import NO_SUCH_BENEFICIARY, book_and_log, failure_of, match, rematch, why_not
from ifms.ledger.limits import RETURNABLE_DAYS
from ifms.ledger.models import Beneficiary
from ifms.ledger.statuses import PiStatus
from ifms.sealing import Sealer
from ifms.sweep.pipeline import drive
from ifms.sweep.treasury_sweep import TreasurySweep
from ifms.treasury.client import TreasuryClient
from ifms.treasury.outcome import Answered, NeverSent, Outcome, Rejected, Unknown
from ifms.wire.bank import mask_long_numbers
from ifms.wire.envelope import ReplyError, Service, parse_each
from ifms.wire.fd import FdRequest, FdRow
from ifms.wire.phrasebook import Meaning


def voucher_dates(since: datetime, until: datetime) -> list[date]:
    """Every IST date that the period touches, the earliest first."""
    first, last = clock.to_ist(since).date(), clock.to_ist(until).date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def dates_to_ask(sweep: TreasurySweep, days: int = RETURNABLE_DAYS) -> list[date]:
    """The voucher dates, from `days` days ago to today, on which a payment of ours may still come back.

    So many days ago is asked about, too: of what the bank told that day after the run, this is the first to hear.
    """
    today = clock.to_ist(clock.now()).date()
    return sweep.db.transact(lambda c: failures.dates_to_ask(c, today - timedelta(days=days), today))


def fetch_failures(sweep: TreasurySweep, treasury: TreasuryClient, sealer: Sealer, dates: Sequence[date]) -> None:
    """Ask for each of these voucher dates, side by side, and book what failed."""

    def days() -> Generator[date, None, None]:
        yield from dates

    def call(day: date) -> Outcome:
        return treasury.call(
            FdRequest(
                fin_year=str(clock.financial_year(day)), ext_app_name=treasury.config.ext_app_name, voucher_date=day
            )
        )

    _rematch_kept(sweep, sealer)
    answers = _Answers(sweep, sealer)
    missed: dict[date, str] = {}

    def settle(day: date, outcome: Outcome) -> None:
        sweep.record_outcome(outcome)
        sweep.db.transact(lambda c: sweep.log_calls(c, outcome))
        if not isinstance(outcome, NeverSent):
            runs.note_date(sweep.counts, day)
        understood = False
        match outcome:
            case Answered(reply=reply):
                rows, unread = parse_each(FdRow, reply)
                answers.unread(day, map(str, unread))
                for row in rows:
                    answers.row(day, row)
                understood = not unread
            case Rejected(errors=errors):
                understood = _nothing_came_back(sweep, day, errors)
            case Unknown(reason=reason, understood=False):
                sweep.add_problem(f"failures of {day}: {reason}")
            case NeverSent(reason=reason) | Unknown(reason=reason):
                missed[day] = reason
                sweep.add_warning(f"failures of {day}: {reason}")
        if understood:
            sweep.db.transact(lambda c: failures.note_asked(c, day, sweep.run.id))

    drive(sweep, days(), call, settle, give_back=lambda day: missed.update({day: "the sweep was stopped"}))
    answers.rest()
    if missed:
        raise SweepUnreachableError(f"nothing was heard about {', '.join(map(str, sorted(missed)))}; run it again")


class _Answers:
    """What the answers of one sweep tell: each row counts once, though the answers about earlier dates repeat it."""

    def __init__(self, sweep: TreasurySweep, sealer: Sealer) -> None:
        self._sweep = sweep
        self._sealer = sealer
        self._known: set[bytes] = set()
        self._faults: set[str] = set()
        self._undated: dict[bytes, tuple[date, FdRow]] = {}

    def row(self, day: date, row: FdRow) -> None:
        """Book a row by its own voucher date; one without waits for the newest date that it is reported for."""
        which = hashlib.sha256(str(row.model_dump()).encode("utf-8", "surrogatepass")).digest()
        if row.voucher_date is None:
            self._undated[which] = max((day, row), self._undated.get(which, (day, row)), key=lambda each: each[0])
        elif which not in self._known:
            self._known.add(which)
            _book_bill(self._sweep, self._sealer, row.voucher_date, row)

    def rest(self) -> None:
        """Book what waits, once all dates have been asked about."""
        for day, row in self._undated.values():
            _book_bill(self._sweep, self._sealer, day, row)

    def unread(self, day: date, faults: Iterable[str]) -> None:
        """Rows that could not be read are a problem each, wherever in an answer they stand."""
        for fault in faults:
            what = fault.partition(": ")[2]
            if what not in self._faults:
                self._faults.add(what)
                self._sweep.add_problem(f"failures of {day}: {fault}")


def _nothing_came_back(sweep: TreasurySweep, day: date, errors: tuple[ReplyError, ...]) -> bool:
    """Whether an error about a whole day is known to mean that nothing came back; any other is a problem."""
    texts = "; ".join(map(str, errors))
    if sweep.phrasebook.errors(Service.FD, errors, None) is Meaning.NO_NEWS:
        sweep.add_warning(f"failures of {day}: {texts}")
        return True
    sweep.note_unknown(Service.FD, errors)
    sweep.add_problem(f"failures of {day}: the treasury says {texts}")
    return False


def _rematch_kept(sweep: TreasurySweep, sealer: Sealer) -> None:
    """Book what was reported before its PI could take it: the PI may have moved by other news than a sweep's."""
    for bill_number in sweep.db.transact(failures.matchable_bills):
        again = partial(rematch, bill_number=bill_number, sealer=sealer, sweep_run_id=sweep.run.id)
        try:
            booked = sweep.db.transact(again)
        except IfmsError as error:
            sweep.add_problem(mask_long_numbers(f"kept failures of bill {bill_number[:100]}: {error}"))
        else:
            sweep.counts["failures_matched_late"] += booked


def _book_bill(sweep: TreasurySweep, sealer: Sealer, day: date, row: FdRow) -> None:
    """Book one bill's failures in one transaction; its trouble is not the others'."""
    reported = [failure_of(each, day, row.bill_ref_no) for each in row.benf_dtls]
    try:
        unmatched = sweep.db.transact(lambda c: _write(c, sweep, sealer, row.bill_number, reported))
    except IfmsError as error:
        sweep.add_problem(mask_long_numbers(f"failures of bill {row.bill_number[:100]}: {error}"))
        return
    for text in unmatched:
        sweep.add_problem(text)


def _write(
    connection: Connection, sweep: TreasurySweep, sealer: Sealer, bill_number: str, reported: Sequence[Failure]
) -> list[str]:
    pi = instructions.lock(connection, bill_number)
    why = why_not(pi)
    rows = [] if pi is None else beneficiaries.of(connection, [pi.id])[pi.id]
    matched, new_unmatched = [], []
    for failure in reported:
        if pi is None or why is not None:
            found: Beneficiary | str = why or NO_SUCH_BENEFICIARY
        else:
            found = match(pi, rows, failure, sealer)
        if not isinstance(found, str):
            matched.append((found, failure))
            failures.now_matched(connection, bill_number, failure)
            continue
        if failures.keep_unmatched(connection, bill_number, failure, sealer, found):
            who = f"beneficiary {failure.beneficiary_id}" if failure.beneficiary_id else "a beneficiary without id"
            text = f"a failure of bill {bill_number[:100]}, {who[:100]}, matches nothing: {found}; it is kept"
            new_unmatched.append(mask_long_numbers(text))
        sweep.counts["failures_unmatched"] += 1
    if pi is not None and pi.status is PiStatus.PENDING and reported:
        failures.look_again(connection, pi.id)
    if pi is not None and matched:
        change = book_and_log(connection, pi, matched, sweep.run.id)
        sweep.counts["bills_with_failures"] += 1
        sweep.counts["bills_newly_failed"] += change is not None
    return new_unmatched
