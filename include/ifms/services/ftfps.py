"""FTFPS: which beneficiaries of a revised PI have failed again. Facts: treasury-jit.md §2 FTFPS, user-stories.md §9."""

from __future__ import annotations

from collections.abc import Sequence

from ifms import clock
from ifms.errors import WireError
from ifms.ledger import beneficiaries, instructions
from ifms.ledger.beneficiaries import Failure
from ifms.ledger.claims import Claim
from ifms.ledger.failure_matching import book, failure_of, match
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
        failures: list[Failure] = []
        for row in parse_rows(FtfpsRow, reply):
            require_same("the bill", pi, row.jit_cor_bill_no, pi.pi_number)
            require_same("the bill reference", pi, row.bill_ref_no, pi.pa_bill_ref_number)
            failures += [failure_of(each, clock.to_ist(clock.now()).date()) for each in row.benf_dtls]
        return failures or None

    def apply(self, writes: Writes, pi: PaymentInstruction, claim: Claim, news: Sequence[Failure]) -> Change:
        """Book the failures. Raises WireError, and nothing is written, for somebody who is no beneficiary of the PI."""
        connection = writes.flush()
        rows = beneficiaries.of(connection, [pi.id])[pi.id]
        matched = []
        for failure in news:
            row = match(pi, rows, failure, self._sealer)
            if row is None:
                who = quoted(failure.beneficiary_id)
                raise WireError(f"the reply about {pi.pi_number} names {who}, which is not in it")
            matched.append((row, failure))
        change = book(connection, pi, matched, claim)
        if change is None:
            instructions.note(connection, pi, claim, None)
            return Change(None, "known_failures")
        return change
