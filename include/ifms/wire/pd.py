"""PD: which beneficiaries of a PI have been paid (treasury-jit.md §2)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ifms.wire.envelope import OptionalDay, OptionalNote, OptionalText, Request, Row, SentText, Service
from ifms.wire.scroll import PaidList


class PdRequest(Request):
    """Asks by what PAG gave; `pi_number` is for our call log and not sent: the treasury finds the bill by its token."""

    service: ClassVar[Service] = Service.PD

    fin_year: SentText
    ext_app_name: SentText
    bill_ref_no: SentText
    token_number: SentText
    token_date: SentText
    pi_number: SentText = Field(exclude=True)

    @property
    def bill_number(self) -> str:
        """The PI number."""
        return self.pi_number


class PdRow(Row):
    """The debit scrolls of one bill so far; some beneficiaries may still be missing.

    A row without `bill_number` says nothing about any PI. The token number need not be the one that PAG gave.
    """

    bill_number: OptionalText = None
    bill_date: OptionalText = None
    voucher_no: OptionalText = None
    voucher_date: OptionalDay = None
    bill_ref_no: OptionalText = None
    payment_status: OptionalNote = None
    token_number: OptionalText = None
    token_date: OptionalText = None
    benf_dtls: PaidList = ()
