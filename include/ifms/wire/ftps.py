"""FTPS: which beneficiaries of a revised PI have been paid (treasury-jit.md §2)."""

from __future__ import annotations

from typing import ClassVar

from ifms.wire.envelope import (
    EchoedText,
    OptionalDay,
    OptionalNote,
    OptionalText,
    Request,
    RequiredText,
    Row,
    SentDateTime,
    SentText,
    Service,
)
from ifms.wire.scroll import PaidList


class FtpsRequest(Request):
    """Asks about the revised PI `jit_cor_bill_no`."""

    service: ClassVar[Service] = Service.FTPS

    jit_cor_bill_no: SentText
    jit_cor_bill_date: SentDateTime
    jit_cor_bill_dept_code: SentText
    jit_org_bill_ref_no: SentText
    jit_org_bill_no: SentText
    jit_org_bill_date: SentDateTime

    @property
    def bill_number(self) -> str:
        """The revised PI's number."""
        return self.jit_cor_bill_no


class FtpsRow(Row):
    """The debit scrolls of a revised PI; without its bill reference and token FTFPS can't be asked later."""

    jit_cor_bill_no: RequiredText
    jit_cor_bill_date: OptionalText = None
    jit_org_bill_ref_no: OptionalText = None
    voucher_no: OptionalText = None
    voucher_date: OptionalDay = None
    bill_ref_no: EchoedText
    payment_status: OptionalNote = None
    token_number: EchoedText
    token_date: EchoedText
    benf_dtls: PaidList = ()
