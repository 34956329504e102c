"""PI: a payment instruction, new to the treasury (treasury-jit.md §2).

The names are the samples'. `pranNo` and `adhaarNumber`, empty in the samples, are left out as the adapter before this
one did.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Self

from pydantic import Field, computed_field, field_validator, model_validator

from ifms.errors import BadInputError
from ifms.wire.bank import valid_account_number, valid_ifsc
from ifms.wire.envelope import (
    OptionalNote,
    OptionalText,
    Request,
    RequiredText,
    Row,
    Sent,
    SentAmount,
    SentDateTime,
    SentText,
    Service,
)
from ifms.wire.text import accepted

BENEFICIARY_PURPOSE = "Mukta Payment"


class PiBeneficiary(Sent):
    """One payee of a PI; `benef_id` is the beneficiary number (BN-…), by which every later reply names it."""

    benef_id: SentText
    benef_name: SentText
    benf_acct_no: Annotated[str, Field(repr=False)]
    benf_bank_ifsc_code: str
    benf_mobile_no: Annotated[str, Field(pattern=r"^[0-9]{10}$", repr=False)]
    benf_email_id: str = ""
    benf_address: SentText
    benf_account_type: SentText
    benf_amount: SentAmount
    purpose: SentText = BENEFICIARY_PURPOSE

    @model_validator(mode="after")
    def _payable(self) -> Self:
        accepted(self.benef_name, f"the name of beneficiary {self.benef_id}")
        accepted(self.benf_address, f"the address of beneficiary {self.benef_id}")
        accepted(self.purpose, f"the purpose of beneficiary {self.benef_id}")
        who = f"{self.benef_name} ({self.benef_id})"
        valid_account_number(self.benf_acct_no, who)
        valid_ifsc(self.benf_bank_ifsc_code, who)
        return self


class PiRequest(Request):
    """A whole PI. Amounts are rupees; the number of beneficiaries is counted, never given."""

    service: ClassVar[Service] = Service.PI

    jit_bill_no: SentText
    jit_bill_date: SentDateTime
    jit_bill_ddo_code: SentText
    grantee_ag_code: SentText
    scheme_code: SentText
    hoa: SentText
    ssu_ia_id: SentText
    mst_allotment_dist_id: SentText
    ssu_allotment_id: SentText
    allotment_txn_sl_no: SentText
    bill_gross_amount: SentAmount
    bill_net_amount: SentAmount
    purpose: SentText
    beneficiary_details: Annotated[tuple[PiBeneficiary, ...], Field(min_length=1)]

    @computed_field(alias="billNumberOfBenf")  # type: ignore[prop-decorator]
    @property
    def bill_number_of_benf(self) -> str:
        """How many beneficiaries there are, as the treasury wants it: a text."""
        return str(len(self.beneficiary_details))

    @property
    def bill_number(self) -> str:
        """The PI number."""
        return self.jit_bill_no

    @field_validator("purpose")
    @classmethod
    def _accepted_purpose(cls, purpose: str) -> str:
        return accepted(purpose, "the purpose")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        """What the treasury would refuse is not sent (user-stories.md §2, validations)."""
        bill, payees = self.jit_bill_no, self.beneficiary_details
        total = sum((payee.benf_amount for payee in payees), Decimal(0))
        if total != self.bill_net_amount:
            raise BadInputError(f"PI {bill}: net amount {self.bill_net_amount}, but its beneficiaries' sum is {total}")
        if self.bill_gross_amount < self.bill_net_amount:
            raise BadInputError(f"PI {bill}: gross {self.bill_gross_amount} is less than net {self.bill_net_amount}")
        ids, accounts = set(), set()
        for payee in payees:
            account = (payee.benf_acct_no, payee.benf_bank_ifsc_code)
            if payee.benef_id.casefold() in ids:
                raise BadInputError(f"PI {bill}: beneficiary {payee.benef_id} is there twice")
            if account in accounts:
                raise BadInputError(f"PI {bill}: beneficiary {payee.benef_id} has the same account as another one")
            ids.add(payee.benef_id.casefold())
            accounts.add(account)
        return self


class PiRow(Row):
    """The treasury's receipt for a PI."""

    jit_bill_no: RequiredText
    jit_bill_date: OptionalText = None
    ssu_ia_id: OptionalText = None
    success_code: RequiredText
    success_description: OptionalNote = Field(default=None, alias="sucessDescrp")
