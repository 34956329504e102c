"""What the Java adapter had is here: every row and every column, and what it has done since."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest
from psycopg import errors
from support.databases import as_worker
from support.failed import TENANT
from support.java import broken, imported, statuses

from ifms.cities import Cities
from ifms.ledger import funds
from ifms.queries import instruction, search


def test_all_that_it_had_is_here(java_world, here):
    report = imported(java_world, here)
    assert (report.misfits, report.rehearsed) == ([], False)
    assert len(report.tables) == 10
    assert all(t.agrees and t.here == t.rows and not t.left_out for t in report.tables), report.tables
    assert statuses(here) == statuses(java_world.adapter)
    assert {status for _, status in statuses(here)} == {
        "INITIATED",
        "APPROVED",
        "IN PROCESS",
        "SUCCESSFUL",
        "PARTIAL",
        "COMPLETED",
        "FAILED",
    }
    balances = "SELECT master_allotment_id, hoa_code, allotted_amount, reserved_amount, spent_amount, available_amount, ssu_id, grantee_code, scheme_code, financial_year FROM ifms.sanction ORDER BY 1, 2"
    assert here.rows(balances) == java_world.adapter.rows(balances)
    sent = "SELECT pi_number, bill_date, pi_approved_id, pa_token_number, pa_bill_ref_number, org_bill_ref_number, org_bill_date, ssu_id, net_amount FROM ifms.payment_instruction WHERE sanction_id IS NOT NULL ORDER BY 1"
    accepted = f"SELECT * FROM ({sent}) p WHERE pi_number IN (SELECT pi_number FROM ifms.payment_instruction JOIN ifms.fund_movement m ON m.payment_instruction_id = payment_instruction.id OR pi_type = 'REVISED' WHERE kind = 'DEBIT') ORDER BY 1"
    assert here.rows(accepted) == java_world.adapter.rows(accepted)  # the treasury is asked in the very same words
    people = "SELECT beneficiary_number, beneficiary_id, amount, line_item_ids, status, voucher_number, utr_number, failed_on FROM ifms.beneficiary b JOIN ifms.payment_instruction p ON p.id = payment_instruction_id WHERE p.status <> 'FAILED' ORDER BY 1, p.created_at"
    columns = people.replace("status, voucher", "b.status, voucher")
    assert here.rows(columns) == java_world.adapter.rows(columns)
    marks = "SELECT tenant_id, hoa_code, ddo_code, grantee_code, ssu_id, date_trunc('milliseconds', fetched_until) AS until FROM ifms.va_watermark ORDER BY 2"
    assert here.rows(marks) == java_world.adapter.rows(marks)
    assert broken(here) == {}


def test_every_column_is_kept_and_every_log(java_world, here):
    imported(java_world, here)
    for table in ("jit_payment_inst_details", "jit_beneficiary_details", "jit_transaction_details"):
        kept = here.rows("SELECT content FROM ifms.import_row WHERE source = %s ORDER BY source_id", table)
        there = java_world.database.run(f"SELECT to_jsonb(t) AS content FROM {table} t ORDER BY id")
        assert kept == there
    logs = java_world.database.run("SELECT count(*) AS n FROM jit_pi_status_logs")[0]["n"]
    assert here.rows("SELECT count(*) AS n FROM ifms.status_log WHERE service_id <> 'IMPORT'") == [{"n": logs}]


def test_what_it_has_done_since_is_copied_the_next_time(java_world, here):
    imported(java_world, here)
    initiated, approved = java_world.number["INITIATED"], java_world.number["APPROVED"]
    # The SSU has rejected one; the advice of the other is made.
    run, keep = java_world.database.run, java_world.database.keep
    run(
        "UPDATE jit_payment_inst_details SET pistatus = 'FAILED', pierrorresp = 'rejected', lastmodifiedby = 'test' WHERE pinumber = %s",
        initiated,
    )
    run(
        "UPDATE jit_beneficiary_details SET paymentstatus = 'Payment Failed' WHERE piid IN (SELECT id FROM jit_payment_inst_details WHERE pinumber = %s)",
        initiated,
    )
    [debit] = run(
        "SELECT t.* FROM jit_transaction_details t JOIN jit_payment_inst_details p ON p.id = paymentinstid WHERE pinumber = %s",
        initiated,
    )
    keep(
        "jit_transaction_details",
        tenantId=debit["tenantid"],
        sanctionId=debit["sanctionid"],
        paymentInstId=debit["paymentinstid"],
        transactionAmount=debit["transactionamount"],
        transactionType="REVERSAL",
    )
    run(
        "UPDATE jit_funds_summary SET availableamount = availableamount + %s WHERE sanctionid = %s",
        debit["transactionamount"],
        debit["sanctionid"],
    )
    run("UPDATE jit_payment_inst_details SET pistatus = 'IN PROCESS' WHERE pinumber = %s", approved)
    run(
        "UPDATE jit_beneficiary_details SET paymentstatus = 'Payment In Process' WHERE piid IN (SELECT id FROM jit_payment_inst_details WHERE pinumber = %s)",
        approved,
    )
    run(
        "UPDATE jit_payment_advice_details SET pabillrefnumber = '71', pafinyear = '2026', patokennumber = '72', patokendate = '2026-01-02' WHERE piid IN (SELECT id FROM jit_payment_inst_details WHERE pinumber = %s)",
        approved,
    )
    report = imported(java_world, here)
    assert report.misfits == []
    people = run(
        "SELECT count(*) AS n FROM jit_beneficiary_details WHERE piid IN (SELECT id FROM jit_payment_inst_details WHERE pinumber IN (%s, %s))",
        initiated,
        approved,
    )[0]["n"]
    assert report.changed == 2 + people + 1 + 1 + 1  # PIs, beneficiaries, transaction, summary, advice
    rows = {r["pi_number"]: r for r in here.rows("SELECT * FROM ifms.payment_instruction")}
    assert (rows[approved]["status"], rows[approved]["pa_token_number"]) == ("IN PROCESS", "72")
    assert rows[initiated]["status"] == "FAILED"
    [payment] = here.rows("SELECT * FROM ifms.payment WHERE payment_number = %s", rows[initiated]["payment_number"])
    assert (payment["paid_by"], payment["hold_code"]) == (None, "PI_REJECTED")
    assert broken(here) == {}


def test_since_when_each_stands_where_it_stands_is_its_own_time(java_world, here):
    """Not the import's: what had waited for a month then has waited for a month."""
    imported(java_world, here)
    rows = here.rows("SELECT pi_number, status, status_since, created_at, updated_at FROM ifms.payment_instruction")
    assert rows
    for row in rows:
        assert row["status_since"] == (row["created_at"] if row["status"] == "PENDING" else row["updated_at"]), row


def test_what_this_ledger_changes_of_an_imported_pi_is_told_from_then_on(java_world, here):
    imported(java_world, here)
    number = java_world.number["IN PROCESS"]
    of = "payment_instruction_id = (SELECT id FROM ifms.payment_instruction WHERE pi_number = %s)"
    with psycopg.connect(here.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            f"UPDATE ifms.beneficiary SET status = 'Payment Successful', voucher_number = 'v', utr_number = 'u' WHERE {of}",
            (number,),
        )
    assert set(broken(here)) == {"lines_are_told"}


def test_an_imported_pi_that_is_rejected_here_is_told_of(java_world, here):
    imported(java_world, here)
    assert "lines_are_told" not in broken(here)
    with psycopg.connect(here.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE ifms.payment_instruction SET status = 'FAILED' WHERE pi_number = %s",
            (java_world.number["INITIATED"],),
        )
    assert "lines_are_told" in broken(here)


def test_only_the_owner_imports(java_world, here):
    imported(java_world, here)
    with psycopg.connect(as_worker(here.dsn), autocommit=True) as worker:
        columns = [
            row[0]
            for row in worker.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'ifms' AND table_name = 'payment_instruction' AND is_generated = 'NEVER' AND column_name NOT IN ('id', 'pi_number', 'status')"
            )
        ]
        names = ", ".join(columns)
        with pytest.raises(errors.CheckViolation, match="only the owner"):
            worker.execute(
                f"INSERT INTO ifms.payment_instruction (pi_number, {names}) SELECT 'PI-XX/1', {names} FROM ifms.payment_instruction LIMIT 1".encode()
            )
        with pytest.raises(errors.CheckViolation, match="only the owner"):
            worker.execute(
                """
                INSERT INTO ifms.beneficiary SELECT (jsonb_populate_record(b, jsonb_build_object(
                    'id', gen_random_uuid(), 'beneficiary_number', 'x'))).* FROM ifms.beneficiary b LIMIT 1
                """
            )
        with pytest.raises(errors.InsufficientPrivilege):
            worker.execute("UPDATE ifms.beneficiary SET imported_as = 'Payment Failed'")
        with pytest.raises(errors.InsufficientPrivilege):
            worker.execute("UPDATE ifms.import_withheld SET settled_at = now()")
        with pytest.raises(errors.InsufficientPrivilege):
            worker.execute("UPDATE ifms.payment_instruction SET imported_at = NULL")


def test_what_the_treasury_paid_before_is_booked_though_it_overdraws_and_nothing_more_is_reserved(java_world, here):
    """Two PIs at once took the same money, as the Java adapter let them: that is what its rows say, and it is so."""
    run = java_world.database.run
    [debit] = run(
        "SELECT t.*, s.masterallotmentid FROM jit_transaction_details t JOIN jit_sanction_details s ON s.id = t.sanctionid LIMIT 1"
    )
    run("UPDATE jit_payment_inst_details SET lastmodifiedby = 'test'")
    run("UPDATE jit_allotment_details SET allotmentamount = 1 WHERE sanctionid = %s", debit["sanctionid"])
    assert imported(java_world, here, by_rows=[debit["masterallotmentid"]]).misfits == []
    [sanction] = here.rows("SELECT id, available_amount FROM ifms.sanction WHERE available_amount < 0")
    assert broken(here) == {}
    with psycopg.connect(as_worker(here.dsn), autocommit=True) as worker:
        found = funds.choose_funding(
            worker,
            TENANT,
            Decimal(1),
            [(debit_row["ddo_code"], debit_row["hoa_code"]) for debit_row in here.rows("SELECT * FROM ifms.sanction")],
            financial_year=here.rows("SELECT max(financial_year) AS y FROM ifms.sanction")[0]["y"],
        )
        assert found is not None
        assert found.sanction_id != sanction["id"]


def test_the_database_itself_refuses_a_pi_for_what_was_left_out(java_world, here):
    number = java_world.number["APPROVED"]
    java_world.database.run(
        "UPDATE jit_payment_inst_details SET pistatus = '?', lastmodifiedby = 'test' WHERE pinumber = %s", number
    )
    imported(java_world, here)
    [withheld] = here.rows("SELECT * FROM ifms.import_withheld")
    with psycopg.connect(here.dsn, autocommit=True) as owner:
        columns = [
            row[0]
            for row in owner.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'ifms' AND table_name = 'payment_instruction' AND is_generated = 'NEVER' AND column_name NOT IN ('id', 'pi_number', 'status', 'imported_at', 'payment_number')"
            )
        ]
        names = ", ".join(columns)
        with pytest.raises(errors.CheckViolation, match="could not be imported"):
            owner.execute(
                f"INSERT INTO ifms.payment_instruction (pi_number, payment_number, {names}) SELECT 'PI-XX/1', %s, {names} FROM ifms.payment_instruction LIMIT 1".encode(),
                (withheld["payment_number"],),
            )


def test_people_find_and_see_every_pi_that_was_imported(java_world, here):
    imported(java_world, here)
    numbers = [row["pi_number"] for row in here.rows("SELECT pi_number FROM ifms.payment_instruction")]
    with psycopg.connect(as_worker(here.dsn)) as connection:
        for number in numbers:
            whole = instruction.by_number(connection, number, Cities.ALL)
            assert whole is not None
            assert instruction.around(connection, whole, Cities.ALL)
        assert search.count(connection, search.Criteria(tenant_id=TENANT), Cities.ALL) == len(numbers)
