"""FD: all failed payments of one voucher date, of any PI (treasury-jit.md §2). Read its rows with `parse_each`."""

from __future__ import annotations

from typing import ClassVar

from ifms.wire.envelope import OptionalDay, OptionalText, Request, RequiredText, Row, SentDay, SentText, Service
from ifms.wire.scroll import FailedList


class FdRequest(Request):
    """`fin_year` is the first year of the voucher date's financial year."""

    service: ClassVar[Service] = Service.FD

    fin_year: SentText
    ext_app_name: SentText
    voucher_date: SentDay


class FdRow(Row):
    """The failed beneficiaries of one bill."""

    named_by: ClassVar[tuple[str, ...]] = ("billNumber",)
    about_each: ClassVar[str | None] = "benfDtls"

    bill_number: RequiredText
    bill_date: OptionalText = None
    voucher_no: OptionalText = None
    voucher_date: OptionalDay = None
    bill_ref_no: OptionalText = None
    token_number: OptionalText = None
    token_date: OptionalText = None
    benf_dtls: FailedList = ()
