"""FTFPS: which beneficiaries of a revised PI have failed again. Facts: treasury-jit.md §2 FTFPS, user-stories.md §9."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ifms import clock
from ifms.errors import WireError
from ifms.ledger import beneficiaries, failures, instructions
from ifms.ledger.beneficiaries import Failure
from ifms.ledger.claims import Claim
from ifms.ledger.failure_matching import NO_SUCH_BENEFICIARY, book, failure_of, match
from ifms.ledger.instructions import Change
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.write_batch import Writes
from ifms.sealing import Sealer
from ifms.sweep.status_poll import StatusService, require_same
from ifms.treasury.config import TreasuryConfig
from ifms.wire.bank import quoted
from ifms.wire.envelope import Reply, Service, parse_rows
from ifms.wire.ftfps import FtfpsRequest, FtfpsRow
from ifms.wire.phrasebook import Phrasebook


class RevisedFailure(StatusService[Sequence[Failure]]):
    """Paid revisions: PARTIAL when some of their beneficiaries failed again, and then they can be revised again."""

    service = Service.FTFPS
    queue = instructions.RETURNABLE

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def request(self, pi: PaymentInstruction, config: TreasuryConfig) -> FtfpsRequest:
        """What is asked about `pi`: by its own bill reference and token, which FTPS gave."""
        return FtfpsRequest(
            jit_cor_bill_no=pi.pi_number,
            jit_cor_bill_date=pi.bill_date,
            bill_ref_no=pi.pa_bill_ref_number or "",
            token_number=pi.pa_token_number or "",
            token_date=pi.pa_token_date or "",
        )

    def read(self, pi: PaymentInstruction, reply: Reply, phrasebook: Phrasebook) -> Sequence[Failure] | None:
        """What came back; None when nothing has. Raises WireError when it is not about `pi`."""
        told: list[Failure] = []
        for row in parse_rows(FtfpsRow, reply):
            require_same("the bill", pi, row.jit_cor_bill_no, pi.pi_number)
            require_same("the bill reference", pi, row.bill_ref_no, pi.pa_bill_ref_number)
            told += [failure_of(each, clock.to_ist(clock.now()).date()) for each in row.benf_dtls]
        return told or None

    def apply(self, writes: Writes, pi: PaymentInstruction, claim: Claim, news: Sequence[Failure]) -> Change:
        """Book the failures; one that says of somebody what is known to be otherwise is kept, as FD's are.

        Raises WireError, and nothing is written, for somebody who is no beneficiary of the PI.
        """
        connection = writes.flush()
        rows = beneficiaries.of(connection, [pi.id])[pi.id]
        matched, new_unmatched = [], []
        for failure in news:
            found = match(pi, rows, failure, self._sealer)
            if found == NO_SUCH_BENEFICIARY:
                who = quoted(failure.beneficiary_id)
                raise WireError(f"the reply about {pi.pi_number} names {who}, which is not in it")
            # It is known by its day, too, and the day of asking is another one each time.
            kept = replace(failure, voucher_date=clock.to_ist(pi.bill_date).date())
            if not isinstance(found, str):
                matched.append((found, failure))
                failures.now_matched(connection, pi.pi_number, kept)
            elif failures.keep_unmatched(connection, pi.pi_number, kept, self._sealer, found):
                who = quoted(failure.beneficiary_id or failure.account_last4)
                new_unmatched.append(f"the failure of {who} is not booked, but kept: {found}")
        change = book(connection, pi, matched, claim)
        if change is None:
            instructions.note(connection, pi, claim, None)
            change = Change(None, "known_failures" if matched else "failures_unmatched")
        return replace(change, problem="; ".join(new_unmatched) or None)
