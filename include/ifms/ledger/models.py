"""The ledger's rows as the services see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from ifms.ledger.statuses import BeneficiaryStatus, PiStatus


class AllotmentKind(StrEnum):
    """What an allotment does to its sanction."""

    INITIAL = "INITIAL"
    ADDITIONAL = "ADDITIONAL"
    WITHDRAWAL = "WITHDRAWAL"


@dataclass(frozen=True)
class Watermark:
    """Up to when the allotments of one head of account at one spending unit have been fetched."""

    id: UUID
    tenant_id: str
    hoa_code: str
    ddo_code: str
    grantee_code: str
    ssu_id: str
    fetched_until: datetime | None
    asked_from: datetime | None
    """From when on all up to then has been asked for; None before, and when another adapter has done it."""


@dataclass(frozen=True)
class NewAllotment:
    """An allotment as the treasury reported it; amounts in rupees, the date the treasury's (IST)."""

    tenant_id: str
    hoa_code: str
    ddo_code: str
    grantee_code: str
    ssu_id: str
    scheme_code: str
    master_allotment_id: str
    ssu_allotment_id: str
    serial_no: int
    kind: AllotmentKind
    amount: Decimal
    sanction_balance: Decimal
    allotment_date: date

    def __str__(self) -> str:
        return f"allotment {self.master_allotment_id}/{self.ssu_allotment_id}/{self.serial_no} of {self.tenant_id}"


@dataclass(frozen=True)
class NewPayment:
    """A payment of the platform that is to be paid; the amount in rupees."""

    tenant_id: str
    payment_number: str
    payment_id: str
    amount: Decimal
    raised_at: datetime | None
    """None where the platform tells no time."""


@dataclass(frozen=True)
class Payment:
    """A payment that waits for its payment instruction."""

    id: UUID
    tenant_id: str
    payment_number: str
    payment_id: str
    amount: Decimal
    hold_code: str | None
    hold_message: str | None


@dataclass(frozen=True)
class Funding:
    """The sanction that funds a PI, and the allotment that the treasury wants named."""

    sanction_id: UUID
    hoa_code: str
    ddo_code: str
    ssu_id: str
    grantee_code: str
    scheme_code: str
    master_allotment_id: str
    ssu_allotment_id: str
    allotment_serial_no: int


@dataclass(frozen=True)
class NewBeneficiary:
    """One payee's share of a new PI; texts as they go to the treasury."""

    beneficiary_number: str
    beneficiary_id: str
    beneficiary_type: str
    amount: Decimal
    line_item_ids: tuple[str, ...]
    name: str
    account_number: str = field(repr=False)
    account_type: str
    ifsc: str
    bank_account_id: str
    mobile: str
    address: str
    same_account_by: str | None = None
    """Who has chosen, on purpose, the account whose payment had failed; None for everybody else."""
    gender: str | None = field(default=None, repr=False)
    social_category: str | None = field(default=None, repr=False)
    """Codes of an individual as the registry has them, for counting alone; they do not go to the treasury."""

    @property
    def account_last4(self) -> str:
        """What is shown of the account number."""
        return self.account_number[-4:]


@dataclass(frozen=True)
class Beneficiary:
    """One payee's share of a PI as it is stored."""

    id: UUID
    payment_instruction_id: UUID
    beneficiary_number: str
    beneficiary_id: str
    beneficiary_type: str
    amount: Decimal
    line_item_ids: list[str]
    name: str
    account_sealed: bytes | None
    account_last4: str
    account_type: str
    ifsc: str
    bank_account_id: str
    mobile: str
    address: str
    status: BeneficiaryStatus
    status_message: str | None
    failed_on: date | None
    same_account_by: str | None = None
    gender: str | None = field(default=None, repr=False)
    social_category: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", BeneficiaryStatus(self.status))


def said_absent(said_at: datetime | None, found_at: datetime | None) -> bool:
    """Whether a person's word that the treasury lacks a PI stands: nothing has shown the PI since."""
    return said_at is not None and (found_at is None or found_at < said_at)


@dataclass(frozen=True)
class PaymentInstruction:
    """A payment instruction as a sweep claims it; `bill_date` is frozen at its creation."""

    id: UUID
    tenant_id: str
    pi_number: str
    pi_type: str
    parent_pi_number: str | None
    payment_number: str
    status: PiStatus
    sanction_id: UUID
    hoa_code: str
    ddo_code: str
    ssu_id: str
    grantee_code: str
    scheme_code: str
    master_allotment_id: str
    ssu_allotment_id: str
    allotment_serial_no: int
    gross_amount: Decimal
    net_amount: Decimal
    beneficiary_count: int
    bill_date: datetime
    purpose: str
    repayment_of: str | None
    org_bill_ref_number: str | None
    org_bill_date: datetime | None
    attempts: int
    last_attempt: str | None
    pi_approved_id: str | None
    pi_approval_date: str | None
    pa_fin_year: str | None
    pa_bill_ref_number: str | None
    pa_token_number: str | None
    pa_token_date: str | None
    created_at: datetime
    error_message: str | None = None
    uncertain: bool = False
    """A submission of it may have arrived without its outcome being known at once."""
    refusal: list[dict[str, str | None]] | None = None
    """What the treasury answered to its last submission when that settled nothing: code and text of each error."""
    refused_first: bool = False
    """That submission was the first that can have arrived."""
    absent_since: datetime | None = None
    """Since when its status service says, asked after that refusal, that it does not know the bill."""
    held_back: bool = False
    """The ledger was restored: it is asked about, and not submitted before somebody has cleared it."""
    settled_by: str | None = None
    """Who has said what became of it, when nothing else could."""
    said_absent_at: datetime | None = None
    """When a person has said, the last time, that the treasury lacks it."""
    found_failed_at: datetime | None = None
    """When its status service has shown it though it is FAILED here."""
    same_refusals: int = 0
    """How many sweeps running have been refused with the text in `error_message`."""
    unmatched_failures: bool = False
    """Whether FD has reported failures that it could not take where it stood."""
    signature: bytes | None = field(default=None, repr=False)
    """Over all that it pays (`ifms.ledger.binding`); None of one that was imported, which is never sent."""
    additional_details: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """For people: numbers of DIGIT's bills (`billNumber`), work orders (`referenceId`) and projects (`projectNumber`),
    the projects' names (`projectName`) and wards (`ward`)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", PiStatus(self.status))

    @property
    def may_have_arrived(self) -> bool:
        """Whether the treasury may have it: anything but that no attempt has reached it."""
        return self.uncertain or self.last_attempt != "never_sent"

    @property
    def is_said_absent(self) -> bool:
        """Whether a person has said that the treasury lacks it, and its status service has not shown it since."""
        return said_absent(self.said_absent_at, self.found_failed_at)
