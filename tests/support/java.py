"""The Java adapter's database: its ten tables with the columns that they had, and a ledger's rows put into them.

What one adapter did to a treasury and a platform is written down as the other would have kept it: so an import of it can
be followed by sweeps against that very treasury and platform.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from support.adapter import Adapter

from ifms.importing import java
from ifms.importing.java import Report
from ifms.importing.source import Masters
from ifms.ledger import invariants

_AUDIT = "createdtime bigint, createdby varchar(256), lastmodifiedtime bigint, lastmodifiedby varchar(256)"
_MORE = f"additionalDetails jsonb, {_AUDIT}"
_ID = "id varchar(256) PRIMARY KEY"
TABLES = {
    "jit_sanction_details": f"{_ID}, tenantId varchar(64) NOT NULL, hoaCode varchar(64) NOT NULL, ddoCode varchar(64) NOT NULL, masterAllotmentId varchar(64) NOT NULL, sanctionedAmount numeric(12,2), financialYear varchar(64), {_MORE}, programCode varchar(64)",
    "jit_funds_summary": f"{_ID}, tenantId varchar(64) NOT NULL, sanctionId varchar(256) REFERENCES jit_sanction_details, allottedAmount numeric(12,2), availableAmount numeric(12,2), {_MORE}",
    "jit_allotment_details": f"id varchar(256), tenantId varchar(64), sanctionId varchar(256) REFERENCES jit_sanction_details, allotmentSerialNo int, ssuAllotmentId varchar(64), allotmentAmount numeric(12,2), allotmentTransactionType varchar(64), sanctionBalance numeric(12,2), allotmentDate bigint, {_MORE}",
    "jit_payment_inst_details": f"{_ID}, tenantId varchar(64) NOT NULL, piNumber varchar(256), parentPiNumber varchar(256), muktaReferenceId varchar(256), numBeneficiaries int, grossAmount numeric(12,2), netAmount numeric(12,2), piStatus varchar(64), piSuccessCode varchar(256), piSuccessDesc varchar(256), piApprovedId varchar(256), piApprovalDate varchar(256), piErrorResp text, {_MORE}, isActive boolean DEFAULT true, programCode varchar(64)",
    "jit_payment_advice_details": f"{_ID}, tenantId varchar(64) NOT NULL, muktaReferenceId varchar(256), piId varchar(256), paBillRefNumber varchar(256), paFinYear varchar(64), paAdviceId varchar(256), paAdviceDate varchar(64), paTokenNumber varchar(64), paTokenDate varchar(64), paErrorMsg varchar(256), {_MORE}",
    "jit_beneficiary_details": f"{_ID}, tenantId varchar(64) NOT NULL, muktaReferenceId varchar(256), piId varchar(256) NOT NULL, beneficiaryId varchar(256), beneficiaryType varchar(64), beneficiaryNumber varchar(64), bankAccountId varchar(256), amount numeric(12,2), voucherNumber varchar(256), voucherDate bigint, utrNo varchar(256), utrDate varchar(64), endToEndId varchar(256), challanNumber varchar(256), challanDate varchar(64), paymentStatus varchar(64), paymentStatusMessage varchar(256), {_MORE}",
    "jit_beneficiary_lineitems": f"{_ID}, beneficiaryId varchar(256), lineItemId varchar(256), {_AUDIT}",
    "jit_transaction_details": f"{_ID}, tenantId varchar(64) NOT NULL, sanctionId varchar(256) NOT NULL REFERENCES jit_sanction_details, paymentInstId varchar(256) NOT NULL, transactionAmount numeric(12,2), transactionDate bigint, transactionType varchar(256), {_MORE}",
    "jit_executed_va_logs": f"{_ID}, tenantId varchar NOT NULL, hoaCode varchar(64) NOT NULL, ddoCode varchar(64) NOT NULL, granteeCode varchar(64) NOT NULL, lastExecuted bigint, {_MORE}",
    "jit_pi_status_logs": f"{_ID}, piId varchar(256) NOT NULL, serviceId varchar(64) NOT NULL, status varchar(256) NOT NULL, {_MORE}",
}
_KINDS = {"INITIAL": "Initial Allotment", "ADDITIONAL": "Additional allotment", "WITHDRAWAL": "Allotment withdrawal"}


@dataclass
class JavaDatabase:
    """A database of the Java adapter."""

    dsn: str

    def __post_init__(self) -> None:
        self._connection = psycopg.connect(self.dsn, autocommit=True, row_factory=dict_row)
        for name, columns in TABLES.items():
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns})".encode())

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def run(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Run SQL that somebody has written by hand; what it returns."""
        cursor = self._connection.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    def keep(self, table: str, **values: Any) -> str:
        """Write a row; returns its id."""
        values = {"id": str(uuid.uuid4()), **values}
        values = {name: json.dumps(v) if isinstance(v, dict) else v for name, v in values.items()}
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(sql.Identifier(name.lower()) for name in values),
            sql.SQL(", ").join(map(sql.Placeholder, values)),
        )
        self._connection.execute(statement, values)
        return str(values["id"])

    def replace_all(self, adapter: Adapter) -> None:
        """Hold what `adapter` has done, and nothing else."""
        self.run(f"TRUNCATE {', '.join(TABLES)}")
        self._funds(adapter)
        for pi in adapter.rows("SELECT * FROM ifms.payment_instruction ORDER BY created_at"):
            self._pi(adapter, pi)

    def _funds(self, adapter: Adapter) -> None:
        for s in adapter.rows("SELECT * FROM ifms.sanction"):
            key = str(s["id"])
            named = {"tenantId": s["tenant_id"], "hoaCode": s["hoa_code"], "ddoCode": s["ddo_code"]}
            self.keep(
                "jit_sanction_details",
                id=key,
                **named,
                masterAllotmentId=s["master_allotment_id"],
                sanctionedAmount=s["sanctioned_amount"],
                financialYear=s["financial_year"],
                **_audit(s),
            )
            available = s["allotted_amount"] - s["spent_amount"]
            self.keep(
                "jit_funds_summary",
                tenantId=s["tenant_id"],
                sanctionId=key,
                allottedAmount=s["allotted_amount"],
                availableAmount=available,
                **_audit(s),
            )
            for a in adapter.rows("SELECT * FROM ifms.allotment WHERE sanction_id = %s", s["id"]):
                self.keep(
                    "jit_allotment_details",
                    tenantId=a["tenant_id"],
                    sanctionId=key,
                    allotmentSerialNo=a["serial_no"],
                    ssuAllotmentId=a["ssu_allotment_id"],
                    allotmentAmount=a["amount"],
                    allotmentTransactionType=_KINDS[a["kind"]],
                    sanctionBalance=a["sanction_balance"],
                    allotmentDate=_midnight(a["allotment_date"]),
                    **_audit({"created_at": a["received_at"], "updated_at": a["received_at"]}),
                )
        for w in adapter.rows("SELECT * FROM ifms.va_watermark WHERE fetched_until IS NOT NULL"):
            self.keep(
                "jit_executed_va_logs",
                tenantId=w["tenant_id"],
                hoaCode=w["hoa_code"],
                ddoCode=w["ddo_code"],
                granteeCode=w["grantee_code"],
                lastExecuted=_ms(w["fetched_until"]),
            )

    def _pi(self, adapter: Adapter, pi: dict[str, Any]) -> None:
        key = str(pi["id"])
        moved = [
            m
            for m in adapter.rows("SELECT * FROM ifms.fund_movement WHERE payment_instruction_id = %s", pi["id"])
            if m["kind"] in ("DEBIT", "REVERSAL")
        ]
        common = {"tenantId": pi["tenant_id"], "muktaReferenceId": pi["payment_number"]}
        # The Java adapter tells the treasury its createdTime by the UTC clock.
        second = _ms(pi["bill_date"]) + 19_800_000
        created = second + min(max(_ms(pi["created_at"]) - second, 0), 999)
        audit = {"createdtime": created, "createdby": "sample", "lastmodifiedtime": _ms(pi["updated_at"])}
        kept = ("PAYMENT_DECLINED", "PAYMENT_FAILED", "CORRECTION_DECLINED")  # it keeps the treasury's words
        error = pi["error_message"] if pi["error_code"] in kept else pi["error_code"]
        self.keep(
            "jit_payment_inst_details",
            id=key,
            **common,
            piNumber=pi["pi_number"],
            parentPiNumber=pi["parent_pi_number"] or "",
            numBeneficiaries=pi["beneficiary_count"],
            grossAmount=pi["gross_amount"],
            netAmount=pi["net_amount"],
            piStatus=pi["status"],
            isActive=pi["status"] != "FAILED" or bool(moved),
            piSuccessCode=pi["success_code"],
            piSuccessDesc=pi["success_description"],
            piApprovedId=pi["pi_approved_id"],
            piApprovalDate=pi["pi_approval_date"],
            piErrorResp=error,
            additionalDetails=pi["additional_details"],
            **audit,
        )
        self.keep(
            "jit_payment_advice_details",
            **common,
            piId=key,
            paBillRefNumber=pi["pa_bill_ref_number"],
            paFinYear=pi["pa_fin_year"],
            paAdviceId=pi["pa_advice_id"],
            paAdviceDate=pi["pa_advice_date"],
            paTokenNumber=pi["pa_token_number"],
            paTokenDate=pi["pa_token_date"],
            **audit,
        )
        for m in moved:
            self.keep(
                "jit_transaction_details",
                tenantId=pi["tenant_id"],
                sanctionId=str(m["sanction_id"]),
                paymentInstId=key,
                transactionAmount=m["amount"],
                transactionDate=0,
                transactionType=m["kind"],
                **audit,
            )
        for b in adapter.rows("SELECT * FROM ifms.beneficiary WHERE payment_instruction_id = %s", pi["id"]):
            revised = pi["pi_type"] == "REVISED" and pi["status"] == "INITIATED"
            status = "Payment Failed" if pi["status"] == "FAILED" else b["status"]
            row = self.keep(
                "jit_beneficiary_details",
                id=str(b["id"]),
                **common,
                piId=key,
                beneficiaryId=b["beneficiary_id"],
                beneficiaryType=b["beneficiary_type"],
                beneficiaryNumber=b["beneficiary_number"],
                bankAccountId=b["bank_account_id"],
                amount=b["amount"],
                voucherNumber=b["voucher_number"],
                voucherDate=_midnight(b["voucher_date"]),
                utrNo=b["utr_number"],
                utrDate=_text(b["utr_date"]),
                endToEndId=b["end_to_end_id"],
                challanNumber=b["challan_number"],
                challanDate=_text(b["challan_date"]),
                paymentStatus="Payment Initiated" if revised and status == "Payment In Process" else status,
                paymentStatusMessage=b["status_message"],
                **audit,
            )
            for line in b["line_item_ids"]:
                self.keep("jit_beneficiary_lineitems", beneficiaryId=row, lineItemId=line)
        for log in adapter.rows(
            "SELECT * FROM ifms.status_log WHERE payment_instruction_id = %s ORDER BY id", pi["id"]
        ):
            at = _ms(log["created_at"])
            self.keep(
                "jit_pi_status_logs",
                piId=key,
                serviceId=log["service_id"],
                status=log["status"],
                createdtime=at,
                lastmodifiedtime=at,
            )


def masters_of(adapter: Adapter) -> Masters:
    """The master data of the adapter's platform."""
    from ifms.platform.client import PlatformClient

    with PlatformClient(adapter.simulators.platform_config()) as platform:
        master = platform.master_data()
    return Masters(
        frozenset((t, u.ddo_code, u.ssu_id, u.grantee_ag_code) for t, units in master.units.items() for u in units),
        frozenset((head.code, head.scheme_code) for head in master.heads),
    )


def take_over(dsn: str, database: JavaDatabase, masters: Masters, **options: Any) -> Report:
    """Import into the ledger of `dsn`."""
    with (
        psycopg.connect(dsn, autocommit=True) as target,
        psycopg.connect(database.dsn, autocommit=True) as source,
    ):
        return java.run(target, source, masters, **options)


def imported(world: Any, here: Adapter, **options: Any) -> Report:
    """Take over what the world's Java adapter has into the ledger of `here`."""
    return take_over(here.dsn, world.database, world.masters, **options)


def broken(here: Adapter) -> dict[str, list[str]]:
    """The invariants that do not hold, with the rows that break them."""
    with psycopg.connect(here.dsn) as connection:
        return {f.invariant.name: list(f.rows) for f in invariants.find_violations(connection)}


def statuses(adapter: Adapter) -> Counter[tuple[str, str]]:
    """How many PIs of each type are in which status."""
    return Counter((r["pi_type"], r["status"]) for r in adapter.rows("SELECT * FROM ifms.payment_instruction"))


def contents(adapter: Adapter) -> dict[str, Any]:
    """A digest of each table of the ledger."""
    tables = ("sanction", "allotment", "fund_movement", "payment", "payment_instruction", "beneficiary", "status_log")
    tables += ("va_watermark", "import_row", "import_withheld", "outbox")
    return {
        table: adapter.rows(f"SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM ifms.{table} t")
        for table in tables
    }


def _audit(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "createdtime": _ms(row["created_at"]),
        "createdby": "sample",
        "lastmodifiedtime": _ms(row["updated_at"]),
        "lastmodifiedby": "sample",
    }


def _ms(instant: Any) -> int:
    return int(instant.timestamp() * 1000)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _midnight(day: Any) -> int | None:
    """Midnight of a day by the UTC clock, as the Java adapter kept dates."""
    return None if day is None else _ms(datetime(day.year, day.month, day.day, tzinfo=UTC))
