"""Rows of a Java adapter that all fit: a PI in each state, each beneficiary's, and what moves their money.

One thing of them is made wrong, or they are taken over as they are: cheaper than what one adapter did to a treasury
(java.py), and told to the last column.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row
from support.java import TABLES, JavaDatabase

from ifms.importing import doubts, java, rules, source
from ifms.importing.java import Report
from ifms.importing.source import Masters
from ifms.ledger import phrases

CITY, OTHER = "od.sample", "od.other"
UNITS = {  # the first city has two DDOs of one SSU, the second an SSU for each
    (CITY, "D1", "SSU1", "G1"),
    (CITY, "D3", "SSU1", "G3"),
    (OTHER, "D2", "SSU2", "G2"),
    (OTHER, "D4", "SSU4", "G4"),
}
MASTERS = Masters(frozenset(UNITS), frozenset({("H1", "S1"), ("H2", "S2")}))
NEW_YEAR = 1_767_225_600_000  # 2026, by the UTC clock, in milliseconds
SUCCESSFUL, FAILED = "Payment Successful", "Payment Failed"
# A PI's name (its payment's, in capitals), its status, and those of its beneficiaries.
ORIGINALS = {
    "initiated": ("INITIATED", "Payment Initiated", "Payment Initiated"),
    "approved": ("APPROVED", "Payment Initiated", "Payment Initiated"),
    "processed": ("IN PROCESS", "Payment In Process", FAILED),
    "scrolled": ("SUCCESSFUL", SUCCESSFUL, "Payment In Process"),  # by its first scroll: it still waits here
    "paid": ("SUCCESSFUL", SUCCESSFUL, SUCCESSFUL),
    "partial": ("PARTIAL", SUCCESSFUL, FAILED),
    "completed": ("COMPLETED", SUCCESSFUL, FAILED),
    "again": ("COMPLETED", SUCCESSFUL, FAILED),
    "rejected": ("FAILED", FAILED, FAILED),
    "declined": ("FAILED", FAILED, FAILED),
}
REVISIONS = {"completed": ("SUCCESSFUL", SUCCESSFUL), "again": ("INITIATED", "Payment Initiated")}
WITH_ITS_DEBIT = [name for name in ORIGINALS if name not in ("rejected", "declined")]
Pis = Mapping[str, Sequence[str]]
Look = Callable[..., list[dict[str, Any]]]


class Rows:
    """The rows of a Java adapter, and what is said of them."""

    def __init__(self, database: JavaDatabase, ledger: psycopg.Connection) -> None:
        self.database, self.ledger = database, ledger
        self.replace_all(ORIGINALS, REVISIONS)
        database.run("CREATE SCHEMA kept")
        for table in TABLES:
            database.run(f"CREATE TABLE kept.{table} AS TABLE {table}")

    def replace_all(self, originals: Pis, revisions: Pis, minutes: int = 0) -> None:
        """PIs of the same names in other states, in which they were so many minutes later."""
        self.database.run(f"TRUNCATE {', '.join(TABLES)}")
        _funds(self.database, 100 * sum(status != "FAILED" for status, *_ in originals.values()))
        for n, (name, (status, *people)) in enumerate(originals.items()):
            _pi(self.database, name, "", n, status, people, 100)
        for n, (name, (status, *people)) in enumerate(revisions.items()):
            _pi(self.database, f"{name}-2", f"PI-{name}", 50 + n, status, people, 40)
        for table in ("jit_payment_inst_details", "jit_beneficiary_details"):
            self.database.run(f"UPDATE {table} SET lastmodifiedtime = lastmodifiedtime + {60_000 * minutes}")

    def restore(self) -> None:
        """All of them fit again."""
        self.database.run(f"TRUNCATE {', '.join(TABLES)}")
        for table in TABLES:
            self.database.run(f"INSERT INTO {table} SELECT * FROM kept.{table}")

    def add(
        self, name: str, n: int, status: str, people: Sequence[str], parent: str = "", error: str | None = None
    ) -> None:
        """A further PI, of the payment of its name, made in the n-th minute."""
        _pi(self.database, name, parent, n, status, people, 40 if parent else 100, error)

    @contextmanager
    def taken_over(
        self, *by_rows: str, here: str = "SELECT", removed: Sequence[str] = (), removed_of: str | None = None
    ) -> Iterator[tuple[Report, Look]]:
        """What an import of them says, and the ledger to be looked at; none of it lasts. `here` is done to it before."""
        with (
            self.ledger.transaction(force_rollback=True),
            psycopg.connect(self.database.dsn, autocommit=True) as there,
            self.ledger.cursor(row_factory=dict_row) as cursor,
        ):
            cursor.execute(here)
            report = java.run(self.ledger, there, MASTERS, by_rows=by_rows, removed=removed, removed_of=removed_of)
            yield report, lambda query, *values: cursor.execute(query.encode(), values or None).fetchall()

    def misfits(self, *by_rows: str, here: str = "SELECT") -> dict[str, list[str]]:
        """What does not fit, by the name of what is left out for it: the sanction, the payment, the row.

        `here` is done to the ledger before.
        """
        with self.ledger.transaction(force_rollback=True), psycopg.connect(self.database.dsn, autocommit=True) as there:
            self.ledger.execute(here)
            source.stage(self.ledger, there, "public", MASTERS, by_rows)
            doubts.mark(self.ledger, phrases.phrasebook(self.ledger))
            rules.find_violations(self.ledger)
            found: dict[str, list[str]] = {}
            said = (
                "SELECT DISTINCT name, why FROM java_misfit"
                " WHERE remedy <> '' AND about ~ '^(sanction|PIs?|beneficiary|jit_[a-z_]+) ' ORDER BY 1, 2"
            )
            for name, why in self.ledger.execute(said):
                found.setdefault(name, []).append(why)
            return found


def _funds(database: JavaDatabase, spent: int) -> None:
    audit = {"createdtime": NEW_YEAR, "lastmodifiedtime": NEW_YEAR}
    for key, tenant, head, ddo, allotted, used in (
        ("s1", CITY, "H1", "D1", 5000, spent),
        ("s2", CITY, "H1", "D1", 300, 0),
        ("s3", OTHER, "H2", "D2", 0, 0),
    ):
        database.keep(
            "jit_sanction_details",
            id=key,
            tenantId=tenant,
            hoaCode=head,
            ddoCode=ddo,
            masterAllotmentId=f"M-{key}",
            sanctionedAmount=9000,
            financialYear="2025-26",
            **audit,
        )
        database.keep(
            "jit_funds_summary",
            id=f"f-{key}",
            tenantId=tenant,
            sanctionId=key,
            allottedAmount=allotted,
            availableAmount=allotted - used,
            **audit,
        )
    for key, sanction, serial, amount, kind, later in (
        ("a1", "s1", 1, 4990, "Initial Allotment", 0),
        ("a2", "s1", 2, 10, "Additional allotment", 0),
        ("b1", "s2", 1, 250, "Initial Allotment", 0),
        ("b2", "s2", 2, 80, "Additional allotment", 0),
        ("b3", "s2", 3, 30, "Allotment withdrawal", 0),
        ("b4", "s2", 4, 0, "Additional allotment", 0),
        ("b5", "s2", 2, 80, "Additional allotment", 1),
    ):
        database.keep(
            "jit_allotment_details",
            id=key,
            tenantId=CITY,
            sanctionId=sanction,
            allotmentSerialNo=serial,
            ssuAllotmentId="A",
            allotmentAmount=amount,
            allotmentTransactionType=kind,
            sanctionBalance=100,
            allotmentDate=NEW_YEAR,
            createdtime=NEW_YEAR + later,
        )
    database.keep(
        "jit_executed_va_logs",
        id="va",
        tenantId=CITY,
        hoaCode="H1",
        ddoCode="D1",
        granteeCode="G1",
        lastExecuted=NEW_YEAR,
    )


def _pi(
    database: JavaDatabase,
    name: str,
    parent: str,
    n: int,
    status: str,
    people: Sequence[str],
    net: int,
    error: str | None = None,
) -> None:
    payment = name.removesuffix("-2").upper()
    common = {"tenantId": CITY, "muktaReferenceId": payment}
    audit = {"createdtime": NEW_YEAR + 60_000 * n, "lastmodifiedtime": NEW_YEAR + 60_000 * n + 1_000}
    if status == "FAILED" and error is None:
        error = {"rejected": "sample reason", "declined": "PAYMENT_INSUFFICIENT_FUNDS"}.get(name)
    told = status not in ("INITIATED", "FAILED")
    processed = told and status != "APPROVED"
    database.keep(
        "jit_payment_inst_details",
        id=name,
        **common,
        piNumber=f"PI-{name}",
        parentPiNumber=parent,
        numBeneficiaries=len(people),
        grossAmount=net + (n % 2),
        netAmount=net,
        piStatus=status,
        isActive=status != "FAILED" or name == "rejected",
        piSuccessCode=f"code {name}",
        piSuccessDesc=f"description {name}",
        piErrorResp=error,
        piApprovedId="7" if told and not parent else None,
        piApprovalDate="2026-01-02" if told and not parent else None,
        **audit,
    )
    database.keep(
        "jit_payment_advice_details",
        id=f"{name}-advice",
        **common,
        piId=name,
        paAdviceId=f"advice {name}" if processed else None,
        paAdviceDate=f"advised {name}" if processed else None,
        paBillRefNumber="B" if processed else "null",
        paFinYear="2025" if processed else None,
        paTokenNumber="T" if processed else None,
        paTokenDate="2026-01-03" if processed else None,
        **audit,
    )
    for m, reported in enumerate(people):
        whose = f"{parent.removeprefix('PI-')}-1" if parent else f"{name}-{m}"
        paid = reported == SUCCESSFUL
        amount = net if parent else (60, 40)[m]
        database.keep(
            "jit_beneficiary_details",
            id=f"{name}-{m}",
            **common,
            piId=name,
            beneficiaryId=f"payee {whose}",
            beneficiaryType=("IND", "ORG", "DEPT")[(n + m) % 3],
            beneficiaryNumber=f"N-{whose}",
            amount=amount,
            voucherNumber="V" if paid else None,
            voucherDate=NEW_YEAR,
            utrNo="U" if paid else None,
            utrDate="2026-01-05 by name" if paid else None,
            endToEndId=f"E-{whose}" if paid else None,
            challanNumber=f"C-{whose}" if reported == FAILED else None,
            challanDate="2026-01-06" if reported == FAILED else None,
            bankAccountId=f"account {whose}",
            paymentStatus=reported,
            paymentStatusMessage=f"message {name}-{m}",
            **audit,
        )
        database.keep(
            "jit_beneficiary_lineitems", id=f"{name}-{m}-line", beneficiaryId=f"{name}-{m}", lineItemId=f"line {whose}"
        )
    kinds = ["DEBIT", "REVERSAL"] if status == "FAILED" else ["DEBIT"]
    for kind in [] if parent or (status == "FAILED" and name != "rejected") else kinds:
        database.keep(
            "jit_transaction_details",
            id=f"{name}-{kind}",
            tenantId=CITY,
            sanctionId="s1",
            paymentInstId=name,
            transactionAmount=net,
            transactionType=kind,
            **audit,
        )
    database.keep("jit_pi_status_logs", id=f"{name}-log", piId=name, serviceId="PI", status="sample", **audit)


def pi(name: str, **values: object) -> str:
    """Other values in a PI's row."""
    return _changed("jit_payment_inst_details", "id", name, values)


def people(name: str, **values: object) -> str:
    """Other values in the rows of all beneficiaries of a PI."""
    return _changed("jit_beneficiary_details", "piid", name, values)


def person(key: str, **values: object) -> str:
    """Other values in one beneficiary's row."""
    return _changed("jit_beneficiary_details", "id", key, values)


def advice(name: str, **values: object) -> str:
    """Other values in what PAG told."""
    return _changed("jit_payment_advice_details", "piid", name, values)


def sanction(key: str, **values: object) -> str:
    """Other values in a sanction's row."""
    return _changed("jit_sanction_details", "id", key, values)


def allotment(key: str, **values: object) -> str:
    """Other values in an allotment's row."""
    return _changed("jit_allotment_details", "id", key, values)


def moved(key: str, **values: object) -> str:
    """Other values in a transaction's row."""
    return _changed("jit_transaction_details", "id", key, values)


def _changed(table: str, key: str, name: str, values: dict[str, object]) -> str:
    literals = {column: f"'{v}'" if isinstance(v, str) else repr(v) for column, v in values.items() if v is not None}
    changes = ", ".join(f"{column} = {literals.get(column, 'NULL')}" for column in values)
    return f"UPDATE {table} SET {changes} WHERE {key} = '{name}'"


def copied(table: str, key: str, new: str, **values: object) -> str:
    """A further row like another one."""
    return f"INSERT INTO {table} SELECT (jsonb_populate_record(t, '{json.dumps({'id': new, **values})}')).* FROM {table} t WHERE id = '{key}'"


SOME_ID = "00000000-0000-4000-8000-000000000000"


def kept(number: str, payment: str, status: str = "INITIATED", **values: object) -> str:
    """SQL that writes a PI into the ledger as it stands, by none of the ledger's steps."""
    row: dict[str, object] = {
        "tenant_id": CITY,
        "pi_number": number,
        "payment_number": payment,
        "status": status,
        "pi_type": "ORIGINAL",
    }
    row |= {"is_active": status != "FAILED", "gross_amount": 100, "net_amount": 100, "beneficiary_count": 2}
    row |= {"bill_date": "2026-01-01", "financial_year": "2025-26", "purpose": "sample", "allotment_serial_no": 1}
    row |= {"sanction_id": SOME_ID}
    names = ("hoa_code", "ddo_code", "ssu_id", "grantee_code", "scheme_code", "master_allotment_id", "ssu_allotment_id")
    row |= dict.fromkeys(names, "1") | values
    literals = ", ".join("NULL" if value is None else f"'{value}'" for value in row.values())
    return (
        "SET LOCAL session_replication_role = replica;"
        f"INSERT INTO ifms.payment_instruction ({', '.join(row)}) VALUES ({literals});"
        "SET LOCAL session_replication_role = DEFAULT"
    )


def payee_kept(pi_number: str, number: str, status: str) -> str:
    """SQL that writes a beneficiary of a `kept` PI into the ledger as it stands, by none of the ledger's steps."""
    return (
        "SET LOCAL session_replication_role = replica;"
        "INSERT INTO ifms.beneficiary (payment_instruction_id, beneficiary_number, beneficiary_id, beneficiary_type,"
        " amount, line_item_ids, name, account_last4, account_type, ifsc, bank_account_id, mobile, address, status)"
        f" SELECT id, '{number}', 'sample', 'IND', 60, ARRAY['sample'], '', '', '', 'SAMP0000001', '', '', '', '{status}'"
        f" FROM ifms.payment_instruction WHERE pi_number = '{pi_number}';"
        "SET LOCAL session_replication_role = DEFAULT"
    )
