"""What the bank says about single beneficiaries: paid (PD, FTPS) or failed (FD, FTFPS). treasury-jit.md §2."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from ifms.wire.envelope import OptionalDay, OptionalNote, OptionalText, RequiredText, Row


def _list_or_none(value: object) -> object:
    return () if value is None else value


class _Beneficiary(Row):
    benf_acct_no: OptionalText = Field(default=None, repr=False)
    benf_bank_ifsc_code: OptionalText = None
    utr_no: OptionalText = None
    utr_date: OptionalDay = None
    end_to_end_id: OptionalText = None


class PaidBeneficiary(_Beneficiary):
    """A debit scroll: the money has left for this beneficiary. `benf_id` is the beneficiary number (BN-…)."""

    benf_id: RequiredText


class FailedBeneficiary(_Beneficiary):
    """The money came back: why, and by which challan. Older replies name it by account and IFSC only."""

    benf_id: OptionalText = None
    org_bill_ref_number: OptionalText = None
    challan_number: OptionalText = None
    challan_date: OptionalDay = None
    failed_reason: OptionalNote = None


PaidList = Annotated[tuple[PaidBeneficiary, ...], BeforeValidator(_list_or_none)]
FailedList = Annotated[tuple[FailedBeneficiary, ...], BeforeValidator(_list_or_none)]
