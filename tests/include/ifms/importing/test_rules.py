"""What does not fit is named and left out whole, and nothing is paid for it."""

from __future__ import annotations

import pytest
from support.java import broken, imported

from ifms.errors import BadInputError
from ifms.sweep.scope import Scope

MISFITS = {
    "unknown status": (
        "INITIATED",
        "UPDATE jit_payment_inst_details SET pistatus = 'DECLINED', lastmodifiedby = 'test' WHERE pinumber = %s",
        "its status DECLINED means nothing here",
    ),
    "sums disagree": (
        "APPROVED",
        "UPDATE jit_payment_inst_details SET netamount = netamount + 1, grossamount = grossamount + 1, lastmodifiedby = 'test' WHERE pinumber = %s",
        "; its rows are ",
    ),
    "no debit": (
        "APPROVED",
        "UPDATE jit_payment_inst_details SET pistatus = 'FAILED', lastmodifiedby = 'test' WHERE pinumber = %s",
        "its transactions are 1 DEBIT",
    ),
    "no token": (
        "IN PROCESS",
        "WITH a AS (UPDATE jit_payment_inst_details SET lastmodifiedby = 'test' WHERE pinumber = %s RETURNING id) UPDATE jit_payment_advice_details SET patokennumber = 'null' WHERE piid IN (SELECT id FROM a)",
        "without what the treasury must have told by then: its token",
    ),
    "no UTR": (
        "SUCCESSFUL",
        "WITH a AS (UPDATE jit_payment_inst_details SET lastmodifiedby = 'test' WHERE pinumber = %s RETURNING id) UPDATE jit_beneficiary_details SET utrno = NULL WHERE piid IN (SELECT id FROM a)",
        "without voucher or UTR",
    ),
    "nobody failed": (
        "SUCCESSFUL",
        "UPDATE jit_payment_inst_details SET pistatus = 'PARTIAL', lastmodifiedby = 'test' WHERE pinumber = %s",
        "none of its beneficiaries has failed",
    ),
    "no lines": (
        "INITIATED",
        "WITH a AS (UPDATE jit_payment_inst_details SET lastmodifiedby = 'test' WHERE pinumber = %s RETURNING id) DELETE FROM jit_beneficiary_lineitems WHERE beneficiaryid IN (SELECT b.id FROM jit_beneficiary_details b JOIN a ON a.id = piid)",
        "amount or lines are missing",
    ),
    "no parent": (
        "COMPLETED",
        "UPDATE jit_payment_inst_details SET parentpinumber = 'PI-XX/1', lastmodifiedby = 'test' WHERE parentpinumber = %s",
        "which is no original of this payment",
    ),
    "paid twice": (
        "COMPLETED",
        "UPDATE jit_payment_inst_details SET parentpinumber = NULL, lastmodifiedby = 'test' WHERE parentpinumber = %s",
        "more than one original PI",
    ),
}


@pytest.mark.parametrize(("state", "mutation", "said"), MISFITS.values(), ids=MISFITS.keys())
def test_a_payment_with_a_row_that_does_not_fit_is_left_out_whole(java_world, here, state, mutation, said):
    number = java_world.number[state]
    [row] = java_world.database.run("SELECT * FROM jit_payment_inst_details WHERE pinumber = %s", number)
    java_world.database.run(mutation, number)
    left_out = java_world.database.run(
        "SELECT count(*) AS n, coalesce(sum(netamount), 0) AS money FROM jit_payment_inst_details WHERE muktareferenceid = %s",
        row["muktareferenceid"],
    )[0]
    report = imported(java_world, here)
    assert any(said in misfit.why for misfit in report.misfits), report.misfits
    assert all(misfit.remedy for misfit in report.misfits)
    [table] = [t for t in report.tables if t.name == "jit_payment_inst_details"]
    assert (table.left_out, table.money_left_out) == (left_out["n"], left_out["money"])
    payment = row["muktareferenceid"]
    assert here.rows("SELECT 1 FROM ifms.payment_instruction WHERE payment_number = %s", payment) == []
    assert here.rows("SELECT 1 FROM ifms.payment WHERE payment_number = %s", payment) == []
    assert list(broken(here)) == ["nothing_is_withheld"]
    # What it has spent is spent here, too: nobody else gets it.
    [there] = java_world.database.run("SELECT sum(availableamount) AS n FROM jit_funds_summary")
    [left] = here.rows("SELECT sum(available_amount - ifms.withheld(s)) AS n FROM ifms.sanction s")
    assert left["n"] == there["n"]
    # Nobody pays it: no sweep takes it up.
    here.run("PI", Scope(payments=(payment,)))
    assert here.rows("SELECT 1 FROM ifms.payment WHERE payment_number = %s AND polled_at IS NOT NULL", payment) == []
    assert here.rows("SELECT 1 FROM ifms.payment_instruction WHERE payment_number = %s", payment) == []
    java_world.restore()
    again = imported(java_world, here)
    assert again.misfits == []
    assert broken(here) == {}
    assert here.rows("SELECT 1 FROM ifms.import_withheld WHERE settled_at IS NULL") == []
    assert here.rows(
        "SELECT status FROM ifms.payment_instruction WHERE pi_number = %s", number
    ) == java_world.adapter.rows("SELECT status FROM ifms.payment_instruction WHERE pi_number = %s", number)


def test_a_sanction_whose_summary_disagrees_is_left_out_unless_its_rows_are_right(java_world, here):
    [debit] = java_world.database.run(
        "SELECT t.sanctionid, s.masterallotmentid, s.tenantid, s.hoacode FROM jit_transaction_details t JOIN jit_sanction_details s ON s.id = t.sanctionid LIMIT 1"
    )
    java_world.database.run(
        "UPDATE jit_funds_summary SET availableamount = availableamount + 7 WHERE sanctionid = %s", debit["sanctionid"]
    )
    java_world.database.run("UPDATE jit_payment_inst_details SET lastmodifiedby = 'test'")
    report = imported(java_world, here)
    assert any("its summary says" in misfit.why for misfit in report.misfits)
    assert (
        here.rows(
            "SELECT 1 FROM ifms.sanction WHERE (master_allotment_id, hoa_code) = (%s, %s)",
            debit["masterallotmentid"],
            debit["hoacode"],
        )
        == []
    )
    assert here.rows("SELECT 1 FROM ifms.import_withheld WHERE amount > 0") != []
    report = imported(java_world, here, by_rows=[debit["masterallotmentid"]])
    assert report.misfits == []
    assert any("is imported by its rows" in remark for remark in report.remarks)
    assert broken(here) == {}
    with pytest.raises(BadInputError, match="no sanction of this number"):
        imported(java_world, here, by_rows=["no such"])


def test_an_unanswered_pi_is_named_and_its_payment_waits_for_a_person(java_world, here):
    java_world.database.run(
        "UPDATE jit_payment_inst_details SET pierrorresp = 'PAYMENT_SERVER_UNREACHABLE', lastmodifiedby = 'test' WHERE pistatus = 'FAILED' AND NOT isactive"
    )
    report = imported(java_world, here)
    assert any("not by an answer that is known to refuse it" in remark for remark in report.remarks)
    [held] = here.rows("SELECT hold_message FROM ifms.payment WHERE hold_code = 'PI_IN_DOUBT'")
    assert "the treasury may have PI PI-SA/" in held["hold_message"]
    numbers = [r["payment_number"] for r in here.rows("SELECT payment_number FROM ifms.payment WHERE paid_by IS NULL")]
    here.run("PI", Scope(payments=tuple(numbers)))
    assert not here.rows("SELECT 1 FROM ifms.payment_instruction WHERE imported_at IS NULL")
