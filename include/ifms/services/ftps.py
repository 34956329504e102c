"""FTPS: which beneficiaries of a revised PI have their debit scroll. Facts: treasury-jit.md §2, user-stories.md §8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ifms import clock
from ifms.errors import WireError
from ifms.ledger import instructions
from ifms.ledger.beneficiaries import Scroll
from ifms.ledger.claims import Claim
from ifms.ledger.database import Connection
from ifms.ledger.instructions import Change
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.statuses import PiStatus
from ifms.ledger.write_batch import Writes
from ifms.sealing import Sealer
from ifms.services.pd import Recorded, record_paid, scrolls_of, settle_paid
from ifms.sweep.status_poll import StatusService, require_same
from ifms.treasury.config import TreasuryConfig
from ifms.wire.envelope import Reply, Service, parse_rows
from ifms.wire.ftps import FtpsRequest, FtpsRow
from ifms.wire.phrasebook import Phrasebook


@dataclass(frozen=True)
class Paid:
    """The scrolls so far, if any, and what FTFPS and a further revision must name; with what the scrolls changed."""

    scrolls: Sequence[Scroll]
    bill_ref_no: str
    token_number: str
    token_date: str
    recorded: Recorded | None = None


class RevisedSuccess(StatusService[Paid]):
    """INITIATED revisions: SUCCESSFUL once every beneficiary has its scroll; those that came are kept as they come."""

    service = Service.FTPS
    queue = instructions.WITHOUT_SCROLLS

    def __init__(self, sealer: Sealer | None = None) -> None:
        self._sealer = sealer

    def request(self, pi: PaymentInstruction, config: TreasuryConfig) -> FtpsRequest:
        """What is asked about `pi`."""
        assert pi.org_bill_date is not None, "a revision has its original's date"
        return FtpsRequest(
            jit_cor_bill_no=pi.pi_number,
            jit_cor_bill_date=pi.bill_date,
            jit_cor_bill_dept_code=config.department_code,
            jit_org_bill_ref_no=pi.org_bill_ref_number or "",
            jit_org_bill_no=pi.parent_pi_number or "",
            jit_org_bill_date=pi.org_bill_date,
        )

    def read(self, pi: PaymentInstruction, reply: Reply, phrasebook: Phrasebook) -> Paid | None:
        """The scrolls so far, and the references, which may come before any scroll; None when there is nothing new.

        Raises WireError when they are not about `pi`.
        """
        rows = parse_rows(FtpsRow, reply)
        if not rows:
            return None
        for row in rows:
            require_same("the bill", pi, row.jit_cor_bill_no, pi.pi_number)
            require_same("the original's reference", pi, row.jit_org_bill_ref_no, pi.org_bill_ref_number)
        named = {(row.bill_ref_no, row.token_number, row.token_date) for row in rows}
        if len(named) != 1:
            raise WireError(f"the FTPS reply about {pi.pi_number} names {len(named)} bill references and tokens")
        scrolls = scrolls_of(self.service, pi, rows, phrasebook)
        references = named.pop()
        known = (pi.pa_bill_ref_number, pi.pa_token_number, pi.pa_token_date)
        return Paid(scrolls, *references) if scrolls or references != known else None

    def record(self, connection: Connection, told: Sequence[tuple[PaymentInstruction, Paid]]) -> list[Paid]:
        """Write the scrolls; of a revision whose failures came before its references there are none to write."""
        waiting = [(pi, news.scrolls) for pi, news in told if pi.status is PiStatus.INITIATED]
        written = record_paid(connection, waiting, self._sealer)
        recorded = {pi.id: each for (pi, _), each in zip(waiting, written, strict=True)}
        return [replace(news, recorded=recorded.get(pi.id)) for pi, news in told]

    def apply(self, writes: Writes, pi: PaymentInstruction, claim: Claim, news: Paid) -> Change:
        """Keep the references, tell the platform who is paid; with the last scroll the revision is SUCCESSFUL."""
        references: dict[str, object] = {
            "pa_bill_ref_number": news.bill_ref_no,
            "pa_token_number": news.token_number,
            "pa_token_date": news.token_date,
        }
        if news.recorded is None:  # all that a further revision must name of one whose payments have all come back
            instructions.note(writes, pi, claim, None, **references)
            return Change(None, "references_told")
        if news.scrolls:
            references["paid_at"] = clock.now()
        label = "partly_paid" if news.scrolls else "references_told"
        return settle_paid(writes, pi, claim, news.recorded, label, **references)
