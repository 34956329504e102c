"""PD: which beneficiaries of a PI have their debit scroll. Facts: treasury-jit.md §2 PD, user-stories.md §5."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ifms.errors import UnknownTextError, WireError
from ifms.ledger import beneficiaries, instructions, outbox
from ifms.ledger.beneficiaries import Payee, Scroll, Tally
from ifms.ledger.claims import Claim
from ifms.ledger.database import Connection
from ifms.ledger.instructions import Change
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.statuses import Event, PiStatus
from ifms.ledger.write_batch import Writes
from ifms.sealing import Sealer
from ifms.sweep.status_poll import StatusService, require_same
from ifms.treasury.config import TreasuryConfig
from ifms.wire.bank import another_account, another_ifsc, mask_long_numbers, quoted, same_utr
from ifms.wire.envelope import Reply, Service, parse_rows
from ifms.wire.ftps import FtpsRow
from ifms.wire.pd import PdRequest, PdRow
from ifms.wire.phrasebook import Meaning, Phrasebook
from ifms.wire.scroll import PaidBeneficiary

_SETTLE = "and settle it on the page Failures, or by `ifms failures settle-transfer`"


@dataclass(frozen=True)
class Recorded:
    """How a PI's beneficiaries stand after its scrolls were written, and how all of its payment's do."""

    own: Tally
    payment: Tally


@dataclass(frozen=True)
class Scrolls:
    """The debit scrolls of a reply; with what they have changed once they are written."""

    scrolls: Sequence[Scroll]
    recorded: Recorded | None = None


class PaymentDetails(StatusService[Scrolls]):
    """IN PROCESS PIs: SUCCESSFUL once every beneficiary has its scroll; those that came are kept as they come."""

    service = Service.PD
    queue = instructions.queue(PiStatus.IN_PROCESS, "ORIGINAL")

    def __init__(self, sealer: Sealer | None = None) -> None:
        self._sealer = sealer

    def request(self, pi: PaymentInstruction, config: TreasuryConfig) -> PdRequest:
        """What is asked about `pi`: what PAG gave."""
        return PdRequest(
            fin_year=pi.pa_fin_year or "",
            ext_app_name=config.ext_app_name,
            bill_ref_no=pi.pa_bill_ref_number or "",
            token_number=pi.pa_token_number or "",
            token_date=pi.pa_token_date or "",
            pi_number=pi.pi_number,
        )

    def read(self, pi: PaymentInstruction, reply: Reply, phrasebook: Phrasebook) -> Scrolls | None:
        """The scrolls so far; None when there are none yet.

        Raises WireError for another bill's reply. A row without a bill number says nothing about any PI.
        """
        rows = [row for row in parse_rows(PdRow, reply) if row.bill_number is not None]
        for row in rows:
            require_same("the bill", pi, row.bill_number, pi.pi_number)
            require_same("the bill reference", pi, row.bill_ref_no, pi.pa_bill_ref_number)
        scrolls = scrolls_of(self.service, pi, rows, phrasebook)
        return Scrolls(scrolls) if scrolls else None

    def record(self, connection: Connection, told: Sequence[tuple[PaymentInstruction, Scrolls]]) -> list[Scrolls]:
        """Write the scrolls."""
        recorded = record_paid(connection, [(pi, news.scrolls) for pi, news in told], self._sealer)
        return [replace(news, recorded=each) for (_, news), each in zip(told, recorded, strict=True)]

    def apply(self, writes: Writes, pi: PaymentInstruction, claim: Claim, news: Scrolls) -> Change:
        """Tell the platform who is paid; with the last scroll the PI is SUCCESSFUL."""
        assert news.recorded is not None, "its scrolls are written"
        return settle_paid(writes, pi, claim, news.recorded, "partly_paid")


def record_paid(
    connection: Connection, told: Sequence[tuple[PaymentInstruction, Sequence[Scroll]]], sealer: Sealer | None
) -> list[Recorded]:
    """Write the scrolls of several PIs, and enqueue an SMS to those who are paid by them."""
    pis = [pi for pi, _ in told]
    beneficiaries.hold(connection, pis)
    own = beneficiaries.record_scrolls(connection, told, sealer)
    outbox.enqueue_sms(connection, pis, "paid", {})
    return [Recorded(*each) for each in zip(own, beneficiaries.standing(connection, pis), strict=True)]


def scrolls_of(
    service: Service, pi: PaymentInstruction, rows: Iterable[PdRow | FtpsRow], phrasebook: Phrasebook
) -> tuple[Scroll, ...]:
    """The debit scrolls in a reply's rows, one per beneficiary; none of a row whose status says that it is not paid.

    Raises WireError for one without voucher or UTR or with two, UnknownTextError for a status that nobody knows.
    """
    scrolls: dict[str, Scroll] = {}
    for row in rows:
        if row.benf_dtls and row.payment_status is not None:
            meaning = phrasebook.payment_status(service, row.payment_status, pi.pi_number)
            if meaning is None:
                raise UnknownTextError(
                    f"the {service} reply about {pi.pi_number} has scrolls of the status {quoted(row.payment_status)}, "
                    "which is none that is known to say paid: ask the treasury what it means",
                    (row.payment_status,),
                )
            if meaning is not Meaning.PAID:
                continue
        for paid in row.benf_dtls:
            paid_to = mask_long_numbers(paid.benf_id[:100])
            if row.voucher_no is None or paid.utr_no is None:
                raise WireError(f"the {service} reply about {pi.pi_number} has no voucher or UTR for {paid_to}")
            known = scrolls.get(paid.benf_id.casefold())
            if known is not None and not same_utr(known.utr_number, paid.utr_no):
                raise WireError(
                    f"the {service} reply about {pi.pi_number} has two UTRs for {paid_to}: "
                    "ask the treasury whether it paid twice"
                )
            if known is not None and _on_another_account(known, paid):
                raise WireError(
                    f"the {service} reply about {pi.pi_number} has two accounts for {paid_to}: "
                    "ask the treasury which of them it has paid"
                )
            scroll = Scroll(
                beneficiary_number=paid.benf_id,
                voucher_number=row.voucher_no,
                voucher_date=row.voucher_date,
                utr_number=paid.utr_no,
                utr_date=paid.utr_date,
                end_to_end_id=paid.end_to_end_id,
                message=row.payment_status and mask_long_numbers(row.payment_status),
                account_number=paid.benf_acct_no,
                ifsc=paid.benf_bank_ifsc_code,
            )
            scrolls[paid.benf_id.casefold()] = scroll if known is None else _told_twice(known, scroll)
    return tuple(scrolls.values())


def _told_twice(known: Scroll, again: Scroll) -> Scroll:
    """A scroll that a reply has twice: what only one row tells counts, and of two accounts the one that tells more."""
    return replace(
        again,
        # Of two vouchers nobody knows which one it was: FD asks about all days that it may be.
        voucher_date=known.voucher_date if known.voucher_date == again.voucher_date else None,
        utr_date=again.utr_date or known.utr_date,
        end_to_end_id=again.end_to_end_id or known.end_to_end_id,
        account_number=max(known.account_number or "", again.account_number or "", key=_digits) or None,
        ifsc=max(known.ifsc or "", again.ifsc or "", key=_digits) or None,
    )


def _digits(text: str) -> int:
    return sum(each.isdigit() for each in text)


def _on_another_account(known: Scroll, paid: PaidBeneficiary) -> bool:
    one, other = known.account_number, paid.benf_acct_no
    ifsc = known.ifsc
    return bool(  # either of the two accounts may be masked
        (one and other and another_account(one, other) and another_account(other, one))
        or (ifsc and paid.benf_bank_ifsc_code and another_ifsc(paid.benf_bank_ifsc_code, ifsc))
    )


def settle_paid(
    writes: Writes, pi: PaymentInstruction, claim: Claim, recorded: Recorded, label: str, **columns: object
) -> Change:
    """Tell the platform who is paid, and write what else was told; with the last scroll the PI has ended.

    `label` is the word for a PI that still waits for a scroll.
    """
    waiting = recorded.own.waiting
    if waiting:
        enqueue_paid(writes, pi, recorded.own.newly_paid, recorded.payment)
        message = f"{waiting} of {pi.beneficiary_count} beneficiaries have no debit scroll yet"
        instructions.note(writes, pi, claim, message, **columns)
        outbox.enqueue_pi_index(writes, pi)
        change = Change(None, label)
    else:
        change = _complete(writes, pi, claim, recorded, **columns)
    return replace(change, problem="; ".join(_to_ask(recorded.own)) or None)


def _to_ask(own: Tally) -> Iterator[str]:
    """What a person must ask the treasury: of whom it tells another payment than before, or than was sent."""
    if own.under_another_utr:
        told = ", ".join(f"{payee.beneficiary_number} (before: {payee.utr_number})" for payee in own.under_another_utr)
        yield f"the treasury tells another UTR than before of {told}: ask it whether it paid twice, {_SETTLE}"
    if own.not_as_sent:
        told = ", ".join(f"{number} ({why})" for number, why in own.not_as_sent.items())
        yield f"the scroll of {told} is not booked, but kept: ask the treasury whom it has paid, {_SETTLE}"


def _complete(writes: Writes, pi: PaymentInstruction, claim: Claim, recorded: Recorded, **columns: object) -> Change:
    """Every beneficiary is paid or has failed: SUCCESSFUL, or PARTIAL; the platform hears who is paid."""
    event, paid = Event.SOME_FAILED, recorded.own.newly_paid
    if not recorded.own.failed:
        # All of them: of an imported PI the adapter before this one may have learned of some, and told nobody.
        event, paid = Event.PAID, recorded.own.everybody
    enqueue_paid(writes, pi, paid, recorded.payment)
    return instructions.advance(writes, pi, claim, event, error_message=None, **columns)


def enqueue_paid(writes: Writes, pi: PaymentInstruction, paid: Sequence[Payee], standing: Tally) -> None:
    """The platform hears that these beneficiaries of the PI are paid; `standing` is how all of its payment's stand.

    The whole payment is SUCCESSFUL only once everybody is paid whom it pays, by whichever PI; PARTIAL while somebody's
    money has come back, and under way while somebody's is.
    """
    if not paid:
        return
    if not standing.waiting and not standing.failed:
        outbox.enqueue_payment_status(writes, pi.tenant_id, pi.payment_number, "SUCCESSFUL", "PAYMENT_SUCCESS")
        return
    outbox.enqueue_line_statuses(
        writes,
        pi.tenant_id,
        pi.payment_number,
        [line for payee in paid for line in payee.line_item_ids],
        "SUCCESSFUL",
        status="PARTIAL" if standing.failed else "INITIATED",
        reference_status="PAYMENT_PARTIAL" if standing.failed else "PAYMENT_INITIATED",
    )
