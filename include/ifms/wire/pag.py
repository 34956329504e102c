"""PAG: the payment advice of an approved PI (treasury-jit.md §2)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from ifms.wire.envelope import (
    Amount,
    EchoedText,
    OptionalAmount,
    OptionalText,
    Request,
    RequiredText,
    Row,
    SentDate,
    SentText,
    Service,
)


class PagRequest(Request):
    """Asks for the advice; `pmt_inst_date` is PIS's `payInstDate`, verbatim."""

    service: ClassVar[Service] = Service.PAG

    pmt_inst_id: SentText
    pmt_inst_date: SentText
    bill_no: SentText
    bill_date: SentDate
    ssu_ia_id: SentText

    @property
    def bill_number(self) -> str:
        """The PI number."""
        return self.bill_no


def _none_as_nobody(value: object) -> object:
    return () if value is None else value


class AdvisedAmount(Row):
    """What one beneficiary gets by the advice, and on which account, as far as it tells that."""

    benf_id: OptionalText = None
    benf_account_no: OptionalText = Field(default=None, repr=False)
    benf_bank_ifsc_code: OptionalText = None
    amount: OptionalAmount = None


class PagRow(Row):
    """The advice: without all six of its own fields PD can't be asked, so a row that lacks one is refused.

    `benfList` repeats what was sent; who has lost that reads it whole (`AdvisedList`).
    """

    bill_no: OptionalText = None
    ssu_ia_id: OptionalText = None
    fin_year: EchoedText
    advice_id: EchoedText
    advice_date: EchoedText
    online_bill_ref_no: EchoedText
    token_number: EchoedText
    token_date: EchoedText
    benf_list: Annotated[tuple[AdvisedAmount, ...], BeforeValidator(_none_as_nobody)] = ()

    @property
    def amount(self) -> Decimal | None:
        """What its beneficiaries get together, in rupees; None where it does not tell it of each."""
        amounts = [each.amount for each in self.benf_list]
        told = [amount for amount in amounts if amount is not None]
        return sum(told, Decimal(0)) if told and len(told) == len(amounts) else None


class AdvisedBeneficiary(Row):
    """One beneficiary as the advice repeats it; `benf_id` is the beneficiary number (BN-…)."""

    benf_id: RequiredText
    benf_account_no: Annotated[RequiredText, Field(repr=False)]
    benf_bank_ifsc_code: RequiredText
    amount: Amount


class AdvisedList(Row):
    """Who is paid by an advice."""

    benf_list: Annotated[tuple[AdvisedBeneficiary, ...], BeforeValidator(_none_as_nobody)] = ()
