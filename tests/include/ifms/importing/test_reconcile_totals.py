"""Rows and money are counted on both sides."""

from __future__ import annotations

from decimal import Decimal

import pytest
from support.java import imported, take_over
from support.java_rows import MASTERS, copied, moved, person, pi

from ifms.errors import LedgerError
from ifms.importing import rules
from ifms.importing.reconcile_totals import Table

TOLD_HERE = """
    WITH s AS (
        INSERT INTO ifms.sanction (tenant_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code, master_allotment_id,
            financial_year, sanctioned_amount)
        VALUES ('od.sample', 'H1', 'D1', 'SSU1', 'G1', 'S1', 'M-s2', '2025-26', 9000) RETURNING *
    ), a AS (
        INSERT INTO ifms.allotment (tenant_id, hoa_code, ddo_code, grantee_code, ssu_id, scheme_code, master_allotment_id,
            ssu_allotment_id, serial_no, kind, amount, sanction_balance, allotment_date, sanction_id)
        SELECT tenant_id, hoa_code, ddo_code, grantee_code, ssu_id, scheme_code, master_allotment_id, 'A', 1, 'INITIAL',
               251, 0, '2026-01-01', id FROM s RETURNING *
    )
    INSERT INTO ifms.fund_movement (sanction_id, kind, amount, allotment_id)
    SELECT sanction_id, 'ALLOTMENT', amount, id FROM a
"""


def test_an_allotment_told_twice_counts_once(java_world, here):
    java_world.database.run("UPDATE jit_payment_inst_details SET lastmodifiedby = 'test'")
    java_world.database.run("INSERT INTO jit_allotment_details SELECT * FROM jit_allotment_details LIMIT 1")
    report = imported(java_world, here)
    assert report.misfits == []
    assert any("more than once; it counts once here" in remark for remark in report.remarks)
    [table] = [t for t in report.tables if t.name == "jit_allotment_details"]
    assert (table.left_out, table.agrees) == (1, True)


@pytest.mark.parametrize(
    ("here", "left_out", "agrees"),
    [((3, 30), (2, 20), True), ((3, 30), (1, 20), False), ((3, 30), (2, 19), False), ((4, 31), (2, 20), False)],
)
def test_a_table_agrees_when_each_row_and_rupee_is_in_one_place_or_the_other(here, left_out, agrees):
    assert Table("jit_sanction_details", 5, Decimal(50), *here, *left_out).agrees is agrees


def test_a_sanction_of_which_this_ledger_was_told_otherwise_is_named_with_both_sums(rows):
    """The treasury has told of allotment 1 here, and of another amount."""
    with pytest.raises(LedgerError, match="nothing was imported") as refused, rows.taken_over(here=TOLD_HERE):
        pass
    said = str(refused.value)
    assert (
        "jit_allotment_details: Table(name='jit_allotment_details', rows=7, money=Decimal('5440.00'), here=6," in said
    )
    of = "sanction M-s2: allotted 300.00, spent 0 there; allotted 301.00, spent 0 and withheld 0 here"
    assert of in said
    assert "sanction M-s1" not in said


def test_a_pi_that_has_another_amount_there_by_now_is_named_with_both(rows, ledger_dsn):
    run = rows.database.run
    take_over(ledger_dsn, rows.database, MASTERS)
    for name in ("again", "completed"):
        run(pi(f"{name}-2", netamount=39, grossamount=41))
        for key, amount in ((f"{name}-2-0", 39), (f"{name}-1", 39), (f"{name}-0", 61)):
            run(person(key, amount=amount))
    said = "39.00 for 1 there, 40.00 for 1 with 40.00 here"
    with pytest.raises(LedgerError, match=f"; PI PI-again-2: {said}; PI PI-completed-2: {said}$"):
        take_over(ledger_dsn, rows.database, MASTERS)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            moved("initiated-DEBIT", transactionamount=99),
            "sanction M-s1: allotted 5000.00, spent 799.00 there; allotted 5000.00, spent 800.00 and withheld 0 here",
        ),
        (  # of a sanction on which nothing has moved here
            copied("jit_sanction_details", "s2", "su", masterallotmentid="M-u")
            + "; "
            + copied("jit_transaction_details", "initiated-DEBIT", "more", sanctionid="su", transactiontype="OTHER"),
            "sanction M-u: allotted 0, spent 100.00 there; allotted 0, spent 0 and withheld 0 here",
        ),
    ],
)
def test_what_the_rules_would_let_pass_is_refused_by_the_sums(rows, monkeypatch, change, named):
    monkeypatch.setattr(rules, "find_violations", lambda connection: None)
    rows.database.run(change)
    with pytest.raises(LedgerError) as refused, rows.taken_over():
        pass
    assert str(refused.value).endswith(f"; {named}")
    assert "jit_transaction_details: Table(" in str(refused.value)
