"""DIGIT's bodies as existing screens and cron jobs send and read them (http-api.md), and its envelope of errors."""

from __future__ import annotations

import time
from datetime import datetime
from datetime import time as day_time
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ifms import clock
from ifms.queries import digit_document
from ifms.queries.instruction import Row, Whole

Text = Annotated[str, Field(max_length=256, pattern=r"^[^\x00]*$")]


class DigitError(Exception):
    """Something that is answered by DIGIT's envelope: 400, its code, and what to do in the message."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class Body(BaseModel):
    """What every body has; what else callers send along is let pass."""

    model_config = ConfigDict(extra="ignore")

    RequestInfo: dict[str, Any] = Field(description="DIGIT's RequestInfo")

    def response_info(self) -> dict[str, Any]:
        """DIGIT's ResponseInfo to this request."""
        info = {
            name: value for name in ("apiId", "ver", "msgId") if isinstance(value := self.RequestInfo.get(name), str)
        }
        return {
            "apiId": info.get("apiId"),
            "ver": info.get("ver"),
            "ts": int(time.time() * 1000),
            "resMsgId": "uief87324",
            "msgId": info.get("msgId"),
            "status": "successful",
        }


class ResponseInfo(BaseModel):
    """DIGIT's ResponseInfo."""

    apiId: str | None
    ver: str | None
    ts: int
    resMsgId: str
    msgId: str | None
    status: str


class OneError(BaseModel):
    """One error of DIGIT's."""

    code: str
    message: str
    description: str | None
    params: list[str] | None


class Errors(BaseModel):
    """DIGIT's envelope of errors."""

    ResponseInfo: ResponseInfo | None
    Errors: list[OneError]


def errors(*faults: tuple[str, str]) -> dict[str, Any]:
    """The envelope around (code, message)s; some screens show the message, others the description."""
    return {
        "ResponseInfo": None,
        "Errors": [
            {"code": code, "message": message, "description": message, "params": None} for code, message in faults
        ],
    }


def instruction(whole: Whole, *, created: bool = False) -> dict[str, Any]:
    """A PI as DIGIT's screens know it; `created`, as `_create` answers: with what was sent, without the advice."""
    pi = whole.pi
    moved = [_movement(pi, row) for row in whole.movements if row["kind"] in ("DEBIT", "REVERSAL")]
    document = digit_document.head(pi) | {
        "parentPiNumber": pi["parent_pi_number"],
        "piErrorResp": pi["error_message"],
        "beneficiaryDetails": [digit_document.beneficiary(pi, row) for row in whole.beneficiaries],
        "transactionDetails": moved or _link_to_sanction(pi),
    }
    if created:
        document |= _sent(pi)
    else:
        document["paDetails"] = [_advice(pi)]
        document["piStatusLogs"] = [_log(row) for row in whole.log]
    return digit_document.without_nulls(document)


def sanction(row: Row) -> dict[str, Any]:
    """A sanction with its funds and allotments."""
    details = {"additionalDetails": None, "auditDetails": digit_document.audit(row)}
    return {
        "id": str(row["id"]),
        "tenantId": row["tenant_id"],
        "hoaCode": row["hoa_code"],
        "ddoCode": row["ddo_code"],
        "masterAllotmentId": row["master_allotment_id"],
        "sanctionedAmount": digit_document.number(row["sanctioned_amount"]),
        "financialYear": row["financial_year"],
        **details,
        "fundsSummary": {
            "id": str(row["id"]),
            "tenantId": row["tenant_id"],
            "sanctionId": str(row["id"]),
            "allottedAmount": digit_document.number(row["allotted_amount"]),
            "availableAmount": digit_document.number(row["available_amount"]),
            **details,
        },
        "allotmentDetails": [_allotment(each) for each in row["allotments"]],
    }


_WIRE_ONLY = (
    "ddoCode",
    "schemeCode",
    "schemeName",
    "granteeAgCode",
    "granteeName",
    "ssuId",
    "ssuOffice",
    "allotmentDate",
    "allotmentTxnSlNo",
    "allotmentAmount",
    "availableBalance",
    "mstAllotmentDistId",
)
_ALLOTMENT_KINDS = {
    "INITIAL": "Initial Allotment",
    "ADDITIONAL": "Additional Allotment",
    "WITHDRAWAL": "Allotment Withdrawal",
}


def _allotment(row: Row) -> dict[str, Any]:
    at = datetime.combine(row["allotment_date"], day_time(), clock.IST)
    return {
        "id": str(row["id"]),
        "tenantId": row["tenant_id"],
        "sanctionId": str(row["sanction_id"]),
        "allotmentSerialNo": row["serial_no"],
        "ssuAllotmentId": row["ssu_allotment_id"],
        "allotmentTxnType": _ALLOTMENT_KINDS[row["kind"]],
        "decimalAllottedAmount": digit_document.number(row["amount"]),
        "decimalSanctionBalance": digit_document.number(row["sanction_balance"]),
        "allotmentDateTimeStamp": clock.epoch_ms(at),
        "additionalDetails": None,
        "auditDetails": digit_document.audit({"created_at": row["received_at"], "updated_at": row["received_at"]}),
        **dict.fromkeys(_WIRE_ONLY),
    }


def _advice(pi: Row) -> dict[str, Any]:
    return {
        "id": str(pi["id"]),
        "tenantId": pi["tenant_id"],
        "muktaReferenceId": pi["payment_number"],
        "piId": str(pi["id"]),
        "paBillRefNumber": pi["pa_bill_ref_number"],
        "paFinYear": pi["pa_fin_year"],
        "paAdviceId": pi["pa_advice_id"],
        "paAdviceDate": pi["pa_advice_date"],
        "paTokenNumber": pi["pa_token_number"],
        "paTokenDate": pi["pa_token_date"],
        "paErrorMsg": None,
        "additionalDetails": None,
        "auditDetails": digit_document.audit(pi),
    }


def _movement(pi: Row, row: Row) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "tenantId": pi["tenant_id"],
        "sanctionId": str(row["sanction_id"]),
        "paymentInstId": str(pi["id"]),
        "transactionAmount": digit_document.number(row["amount"]),
        "transactionDate": clock.epoch_ms(row["created_at"]),
        "transactionType": row["kind"],
        "additionalDetails": None,
        "auditDetails": digit_document.audit({"created_at": row["created_at"], "updated_at": row["created_at"]}),
    }


def _link_to_sanction(pi: Row) -> list[dict[str, Any]]:
    """A row of no money and no type for a PI without a DEBIT: screens find head and allotment by its sanctionId.

    A PENDING PI has no DEBIT yet, a revised one has none at all, as its original's sanction has paid.
    """
    if pi["sanction_id"] is None:  # imported without one
        return []
    link = {"id": pi["id"], "sanction_id": pi["sanction_id"], "amount": 0, "created_at": pi["created_at"], "kind": None}
    return [_movement(pi, link)]


def _log(row: Row) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "piId": str(row["payment_instruction_id"]),
        "serviceId": row["service_id"],
        "status": row["status"],
        "additionalDetails": None if row["message"] is None else {"message": row["message"]},
        "auditDetails": digit_document.audit({"created_at": row["created_at"], "updated_at": row["created_at"]}),
    }


def _sent(pi: Row) -> dict[str, Any]:
    return {
        "jitBillDate": clock.wire_datetime(pi["bill_date"]),
        "jitBillDdoCode": pi["ddo_code"],
        "granteeAgCode": pi["grantee_code"],
        "schemeCode": pi["scheme_code"],
        "hoa": pi["hoa_code"],
        "ssuIaId": pi["ssu_id"],
        "mstAllotmentDistId": pi["master_allotment_id"],
        "ssuAllotmentId": pi["ssu_allotment_id"],
        "allotmentTxnSlNo": str(pi["allotment_serial_no"]),
        "billGrossAmount": str(pi["gross_amount"]),
        "billNetAmount": str(pi["net_amount"]),
        "billNumberOfBenf": str(pi["beneficiary_count"]),
        "purpose": pi["purpose"],
    }
