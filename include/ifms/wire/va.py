"""VA: the virtual allotments of one SSU and head of account (treasury-jit.md §2)."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from ifms.wire.envelope import (
    Amount,
    Day,
    EchoedText,
    OptionalNote,
    Request,
    RequiredText,
    Row,
    SentDateTime,
    SentText,
    Service,
)


class AllotmentType(StrEnum):
    """What an allotment does to its sanction; the treasury's texts, compared without regard to case."""

    INITIAL = "Initial Allotment"
    ADDITIONAL = "Additional allotment"
    WITHDRAWAL = "Allotment withdrawal"


_TYPES = {kind.value.lower(): kind for kind in AllotmentType}


def _allotment_type(value: object) -> AllotmentType:
    kind = _TYPES.get(" ".join(value.lower().split())) if isinstance(value, str) else None
    if kind is None:
        raise ValueError("is none of " + ", ".join(repr(known.value) for known in AllotmentType))
    return kind


def _not_negative(amount: Decimal) -> Decimal:
    if amount < 0:
        raise ValueError("is negative; the type says which way the money goes")
    return amount


class VaRequest(Request):
    """Which allotments there are since `from_date` (to the second, sent in IST)."""

    service: ClassVar[Service] = Service.VA

    hoa: SentText
    ddo_code: SentText
    grantee_code: SentText = Field(alias="granteCode")  # the treasury's spelling; the SSU's granteeAgCode
    from_date: SentDateTime


class VaRow(Row):
    """One allotment: rupees, and the sanction (`mst_allotment_dist_id`) that they belong to.

    What a PI must name is taken only if it can be sent: money that no PI could name would hold up each payment.
    """

    named_by: ClassVar[tuple[str, ...]] = ("mstAllotmentDistId", "ssuAllotmentId", "allotmentTxnSlNo")

    ddo_code: RequiredText
    scheme_code: EchoedText
    scheme_name: OptionalNote = None
    grantee_ag_code: RequiredText
    grantee_name: OptionalNote = None
    ssu_id: EchoedText
    ssu_office: OptionalNote = None
    allotment_date: Day
    allotment_txn_sl_no: RequiredText
    allotment_amount: Annotated[Amount, AfterValidator(_not_negative)]
    available_balance: Amount
    allotment_txn_type: Annotated[AllotmentType, BeforeValidator(_allotment_type)]
    mst_allotment_dist_id: EchoedText
    ssu_allotment_id: EchoedText
