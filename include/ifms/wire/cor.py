"""COR: a revised PI with corrected bank data for failed beneficiaries (treasury-jit.md §2)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AliasChoices, Field, model_serializer, model_validator
from pydantic_core.core_schema import SerializerFunctionWrapHandler

from ifms.errors import BadInputError
from ifms.wire.bank import valid_account_number, valid_ifsc
from ifms.wire.envelope import (
    OptionalNote,
    OptionalText,
    Request,
    RequiredText,
    Row,
    Sent,
    SentDateTime,
    SentText,
    Service,
)

ListKey = Literal["beneficiaryDetails", "beneficiaryDtls"]


class Correction(Sent):
    """One failed beneficiary: its account in the original PI, in the PI that failed last, and now.

    The last two differ, unless a person wants the same account once more: `same_account`, which is not sent.
    """

    benef_id: SentText
    jit_cur_bill_ref_no: SentText
    org_account_no: Annotated[SentText, Field(repr=False)]
    org_ifsc: SentText
    corrected_account_no: Annotated[str, Field(repr=False)]
    corrected_ifsc: str
    cur_account_no: Annotated[SentText, Field(repr=False)]
    cur_ifsc: SentText
    same_account: bool = Field(default=False, exclude=True)

    @model_validator(mode="after")
    def _payable(self) -> Self:
        who = f"beneficiary {self.benef_id}"
        valid_account_number(self.corrected_account_no, who)
        valid_ifsc(self.corrected_ifsc, who)
        same = (self.corrected_account_no, self.corrected_ifsc) == (self.cur_account_no, self.cur_ifsc)
        if same and not self.same_account:
            raise BadInputError(f"{who} has the account that failed, and nobody has chosen it on purpose")
        if self.same_account and not same:
            raise BadInputError(f"{who} was to be paid to the account that failed, and has another one")
        return self


class CorRequest(Request):
    """A revised PI, `jit_cor_bill_no`, of the original `jit_org_bill_no`.

    `list_key` is the name that the list is sent under: the sample and the Java code disagree, so the connection says.
    """

    service: ClassVar[Service] = Service.COR

    jit_cor_bill_no: SentText
    jit_cor_bill_date: SentDateTime
    jit_cor_bill_dept_code: SentText
    jit_org_bill_ref_no: SentText
    jit_org_bill_no: SentText
    jit_org_bill_date: SentDateTime
    beneficiary_details: Annotated[tuple[Correction, ...], Field(min_length=1)]
    list_key: ListKey = Field(default="beneficiaryDetails", exclude=True)

    @property
    def bill_number(self) -> str:
        """The revised PI's number."""
        return self.jit_cor_bill_no

    @model_validator(mode="after")
    def _no_repeats(self) -> Self:
        ids, accounts = set(), set()
        for payee in self.beneficiary_details:
            account = (payee.corrected_account_no, payee.corrected_ifsc)
            if payee.benef_id.casefold() in ids:
                raise BadInputError(f"COR {self.jit_cor_bill_no}: beneficiary {payee.benef_id} is there twice")
            if account in accounts:
                raise BadInputError(
                    f"COR {self.jit_cor_bill_no}: beneficiary {payee.benef_id} has the same account as another one"
                )
            ids.add(payee.benef_id.casefold())
            accounts.add(account)
        return self

    @model_serializer(mode="wrap")
    def _under_list_key(self, serialize: SerializerFunctionWrapHandler) -> dict[str, object]:
        document: dict[str, object] = serialize(self)
        return {self.list_key if key == "beneficiaryDetails" else key: value for key, value in document.items()}


class CorRow(Row):
    """The treasury's receipt; its success code comes under either of two names."""

    jit_cor_bill_no: RequiredText
    jit_cor_bill_date: OptionalText = None
    success_code: RequiredText = Field(validation_alias=AliasChoices("successCode", "successCd"))
    success_description: OptionalNote = Field(default=None, alias="sucessDescrp")
