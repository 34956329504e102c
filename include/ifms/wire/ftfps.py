"""FTFPS: which beneficiaries of a revised PI have failed again (treasury-jit.md §2)."""

from __future__ import annotations

from typing import ClassVar

from ifms.wire.envelope import OptionalText, Request, RequiredText, Row, SentDateTime, SentText, Service
from ifms.wire.scroll import FailedList


class FtfpsRequest(Request):
    """Asks about a revised PI; `bill_ref_no` is the revised PI's own, from FTPS (the Java code sent the original's)."""

    service: ClassVar[Service] = Service.FTFPS

    jit_cor_bill_no: SentText
    jit_cor_bill_date: SentDateTime
    bill_ref_no: SentText
    token_number: SentText
    token_date: SentText

    @property
    def bill_number(self) -> str:
        """The revised PI's number."""
        return self.jit_cor_bill_no


class FtfpsRow(Row):
    """The beneficiaries of a revised PI that failed again."""

    jit_cor_bill_no: RequiredText
    jit_cor_bill_date: OptionalText = None
    bill_ref_no: OptionalText = None
    token_number: OptionalText = None
    token_date: OptionalText = None
    benf_dtls: FailedList = ()
