"""The database keeps the money rules even against SQL written by hand."""

import pytest
from psycopg import errors
from support.ledger import DDO, HEAD, TENANT, new_instruction

from ifms.errors import LedgerError
from ifms.ledger import funds, instructions


@pytest.fixture
def pi(ledger):
    """A PENDING PI of 400 on a sanction of 1,000."""
    ledger.fund(1000)
    return ledger.instruct(*ledger.payment(400))[0]


REFUSED = {
    "a movement is changed": "UPDATE ifms.fund_movement SET amount = 1",
    "a movement is deleted": "DELETE FROM ifms.fund_movement",
    "the movements are truncated": "TRUNCATE ifms.fund_movement",
    "a status log is changed": "UPDATE ifms.status_log SET message = 'x'",
    "a status log is deleted": "DELETE FROM ifms.status_log",
    "a balance is written": "UPDATE ifms.sanction SET spent_amount = 0",
    "a balance is raised": "UPDATE ifms.sanction SET allotted_amount = allotted_amount + 1",
    "a sanction is deleted": "DELETE FROM ifms.sanction",
    "an allotment is deleted": "DELETE FROM ifms.allotment",
    "a PI is deleted": "DELETE FROM ifms.payment_instruction",
    "a beneficiary is deleted": "DELETE FROM ifms.beneficiary",
    "a PI jumps to SUCCESSFUL": "UPDATE ifms.payment_instruction SET status = 'SUCCESSFUL'",
    "a PI gets a status nobody knows": "UPDATE ifms.payment_instruction SET status = 'DONE'",
    "a PI is accepted without its debit": "UPDATE ifms.payment_instruction SET status = 'INITIATED'",
    "a PI fails without its release": "UPDATE ifms.payment_instruction SET status = 'FAILED'",
    "a PI's amount changes": "UPDATE ifms.payment_instruction SET net_amount = 1, gross_amount = 1",
    "a PI's number changes": "UPDATE ifms.payment_instruction SET pi_number = 'PI-SA/2024-25/999999'",
    "a beneficiary's amount changes": "UPDATE ifms.beneficiary SET amount = 1",
    "a beneficiary's IFSC changes": "UPDATE ifms.beneficiary SET ifsc = 'SAMP0000002'",
    "a beneficiary is paid at once": "UPDATE ifms.beneficiary SET status = 'Payment Successful'",
    "a payment's amount changes": "UPDATE ifms.payment SET amount = amount + 1",
    "a movement is negative": """INSERT INTO ifms.fund_movement (sanction_id, kind, amount, payment_instruction_id)
        SELECT sanction_id, 'DEBIT', -400, id FROM ifms.payment_instruction""",
    "more is debited than reserved": """INSERT INTO ifms.fund_movement (sanction_id, kind, amount, payment_instruction_id)
        SELECT sanction_id, 'DEBIT', 401, id FROM ifms.payment_instruction""",
    "a movement belongs to nothing": """INSERT INTO ifms.fund_movement (sanction_id, kind, amount)
        SELECT id, 'ALLOTMENT', 1 FROM ifms.sanction""",
    "a sanction starts with money": """INSERT INTO ifms.sanction (tenant_id, hoa_code, ddo_code, ssu_id, grantee_code,
        scheme_code, master_allotment_id, financial_year, sanctioned_amount, allotted_amount)
        VALUES ('od.sampleb', 'h', 'd', 's', 'g', 'c', '1', '2024-25', 1, 1)""",
}


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED.keys())
def test_is_refused(ledger, pi, statement):
    with ledger.connect() as connection:
        connection.execute(
            "INSERT INTO ifms.status_log (tenant_id, payment_number, service_id, status) VALUES ('t', 'p', 'PI', 's')"
        )
        with pytest.raises(errors.IntegrityError):
            connection.execute(statement)
    assert ledger.balances() == (1000, 400, 0, 600)


def test_a_second_live_original_for_a_payment_is_refused(ledger, pi):
    columns = """tenant_id, pi_type, payment_number, sanction_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code,
        master_allotment_id, ssu_allotment_id, allotment_serial_no, gross_amount, net_amount, beneficiary_count, bill_date,
        financial_year, purpose"""
    with ledger.connect() as connection, pytest.raises(errors.UniqueViolation) as refused:
        connection.execute(
            f"INSERT INTO ifms.payment_instruction (pi_number, {columns}) SELECT 'PI-SA/2', {columns} "
            "FROM ifms.payment_instruction"
        )
    assert refused.value.diag.constraint_name == "one_original_per_payment"


def test_no_beneficiary_is_added_later(ledger, pi):
    with ledger.connect() as connection, pytest.raises(errors.IntegrityError, match="not later"):
        connection.execute(
            """INSERT INTO ifms.beneficiary (payment_instruction_id, beneficiary_number, beneficiary_id, beneficiary_type,
                amount, line_item_ids, name, account_sealed, account_last4, account_type, ifsc, bank_account_id, mobile,
                address)
            SELECT payment_instruction_id, beneficiary_number || 'x', beneficiary_id, beneficiary_type, amount,
                line_item_ids, name, account_sealed, account_last4, account_type, ifsc, bank_account_id, mobile, address
            FROM ifms.beneficiary LIMIT 1"""
        )


def test_a_header_must_agree_with_its_rows(ledger):
    ledger.fund(1000)
    payment, claim = ledger.payment(400)

    def write(connection):
        funding = funds.choose_funding(connection, TENANT, payment.amount, [(DDO, HEAD)])
        made = instructions.create(connection, new_instruction(payment), funding, claim, claim)
        connection.execute(
            """INSERT INTO ifms.beneficiary (payment_instruction_id, beneficiary_number, beneficiary_id, beneficiary_type,
                amount, line_item_ids, name, account_sealed, account_last4, account_type, ifsc, bank_account_id, mobile,
                address)
            SELECT %s, 'BN-X', 'p', 'IND', 1, '{l}', 'Sample', 'x', '0001', 'SAVINGS', 'SAMP0000001', 'a', '9999999999', 'w'
            """,
            (made.id,),
        )

    with pytest.raises(LedgerError, match="says 2 beneficiaries and 400.00, its rows are 3 and 401.00"):
        ledger.db.transact(write)
    assert ledger.balances() == (1000, 0, 0, 1000)
