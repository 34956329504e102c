"""The database keeps the money rules even against SQL written by hand, by the ledger's owner."""

import re
import threading
import time
import uuid
from datetime import date

import psycopg
import pytest
from psycopg import errors
from support.databases import rewrite
from support.ledger import SOURCE, TENANT, allotment, copy_instructions, create, new_instruction, opened

from ifms.errors import LedgerError
from ifms.ledger import funds
from ifms.ledger.models import AllotmentKind
from ifms.ledger.statuses import BeneficiaryStatus, PiStatus, transition_rows


@pytest.fixture
def pi(ledger):
    """A PENDING PI of 400 on a sanction of 1,000."""
    ledger.fund(1000)
    return ledger.instruct(*ledger.payment(400))[0]


@pytest.fixture(scope="module")
def guarded(module_ledger_dsn):
    """A ledger with such a PI, of which nothing changes: all that is tried on it is refused."""
    with opened(module_ledger_dsn) as ledger:
        ledger.fund(1000)
        ledger.instruct(*ledger.payment(400))
        yield ledger


REFUSED = {
    "a movement is changed": "UPDATE ifms.fund_movement SET amount = 1",
    "a movement is deleted": "DELETE FROM ifms.fund_movement",
    "the movements are truncated": "TRUNCATE ifms.fund_movement",
    "a status log is changed": "UPDATE ifms.status_log SET message = 'x'",
    "a status log is deleted": "DELETE FROM ifms.status_log",
    "the status logs are truncated": "TRUNCATE ifms.status_log",
    "a call to the treasury is rewritten": "UPDATE ifms.treasury_call SET enc_response = 'x' WHERE outcome IS NOT NULL",
    "a call's outcome is forgotten": "UPDATE ifms.treasury_call SET outcome = NULL WHERE outcome IS NOT NULL",
    "an announced call is about another bill": "UPDATE ifms.treasury_call SET bill_number = 'x' WHERE outcome IS NULL",
    "an announced call is another one": "UPDATE ifms.treasury_call SET request_sealed = 'x' WHERE outcome IS NULL",
    "the calls are truncated": "TRUNCATE ifms.treasury_call",
    "a message is rewritten": "UPDATE ifms.outbox SET payload = '{}'",
    "a message is another payment's": "UPDATE ifms.outbox SET ordering_key = 'x'",
    "the messages are truncated": "TRUNCATE ifms.outbox",
    "a balance is written": "UPDATE ifms.sanction SET spent_amount = 0",
    "a balance is raised": "UPDATE ifms.sanction SET allotted_amount = allotted_amount + 1",
    "a sanction is deleted": "DELETE FROM ifms.sanction",
    "an allotment is deleted": "DELETE FROM ifms.allotment",
    "an allotment is raised": "UPDATE ifms.allotment SET amount = amount + 1",
    "an allotment becomes a withdrawal": "UPDATE ifms.allotment SET kind = 'WITHDRAWAL'",
    "an allotment leaves its sanction": "UPDATE ifms.allotment SET sanction_id = NULL",
    "an allotment counts without its movement": """INSERT INTO ifms.allotment SELECT (jsonb_populate_record(a,
        jsonb_build_object('id', gen_random_uuid(), 'serial_no', 7))).* FROM ifms.allotment a""",
    "an allotment counts twice": """INSERT INTO ifms.fund_movement (sanction_id, kind, amount, allotment_id)
        SELECT sanction_id, 'ALLOTMENT', amount, id FROM ifms.allotment""",
    "a sanction is another city's": "UPDATE ifms.sanction SET tenant_id = 'od.sampleb'",
    "a sanction is another year's": "UPDATE ifms.sanction SET financial_year = '2025-26'",
    "a payment is deleted": "DELETE FROM ifms.payment",
    "a payment is truncated": "TRUNCATE ifms.payment CASCADE",
    "a payment forgets its PI": "UPDATE ifms.payment SET paid_by = NULL",
    "a bill is deleted": "DELETE FROM ifms.bill",
    "a bill is paid by another payment": "UPDATE ifms.bill SET payment_number = 'EP/X'",
    "a bill is another city's": "UPDATE ifms.bill SET tenant_id = 'x'",
    "a bill is another one": "UPDATE ifms.bill SET bill_id = 'x'",
    "a reported failure is deleted": "DELETE FROM ifms.reported_failure",
    "a reported failure is rewritten": "UPDATE ifms.reported_failure SET reason = 'x'",
    "another transfer is deleted": "DELETE FROM ifms.other_transfer",
    "another transfer is rewritten": "UPDATE ifms.other_transfer SET utr_number = 'x'",
    "another transfer is settled without a name": "UPDATE ifms.other_transfer SET settled_at = now()",
    "a closed failure is opened": "DELETE FROM ifms.closed_failure",
    "a closed failure is rewritten": "UPDATE ifms.closed_failure SET reason = 'x'",
    "a failure is closed without a reason": """INSERT INTO ifms.closed_failure (beneficiary_row, closed_by, reason)
        SELECT max(id::text)::uuid, 'a tester', ' ' FROM ifms.beneficiary""",
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
    "a beneficiary's account is exchanged": "UPDATE ifms.beneficiary SET account_sealed = 'another'",
    "a beneficiary's account is forgotten": "UPDATE ifms.beneficiary SET account_sealed = NULL",
    "a beneficiary's account in the registry is exchanged": "UPDATE ifms.beneficiary SET bank_account_id = 'x'",
    "who has chosen the same account is rewritten": "UPDATE ifms.beneficiary SET same_account_by = 'somebody else'",
    "nobody has chosen the same account": """INSERT INTO ifms.beneficiary SELECT (jsonb_populate_record(b,
        jsonb_build_object('id', gen_random_uuid(), 'beneficiary_number', 'BN-X', 'same_account_by', ' '))).*
        FROM ifms.beneficiary b""",
    "a beneficiary is paid at once": "UPDATE ifms.beneficiary SET status = 'Payment Successful'",
    "a payment's amount changes": "UPDATE ifms.payment SET amount = amount + 1",
    "a movement is negative": """INSERT INTO ifms.fund_movement (sanction_id, kind, amount, payment_instruction_id)
        SELECT sanction_id, 'DEBIT', -400, id FROM ifms.payment_instruction""",
    "a PI's money is spent while it is PENDING": """INSERT INTO ifms.fund_movement (sanction_id, kind, amount,
        payment_instruction_id) SELECT sanction_id, 'DEBIT', net_amount, id FROM ifms.payment_instruction""",
    "a PI's money is released while it is PENDING": """INSERT INTO ifms.fund_movement (sanction_id, kind, amount,
        payment_instruction_id) SELECT sanction_id, 'RELEASE', net_amount, id FROM ifms.payment_instruction""",
    "more is debited than reserved": """INSERT INTO ifms.fund_movement (sanction_id, kind, amount, payment_instruction_id)
        SELECT sanction_id, 'DEBIT', 401, id FROM ifms.payment_instruction""",
    "a movement belongs to nothing": """INSERT INTO ifms.fund_movement (sanction_id, kind, amount)
        SELECT id, 'ALLOTMENT', 1 FROM ifms.sanction""",
    "a sanction starts with money": """INSERT INTO ifms.sanction (tenant_id, hoa_code, ddo_code, ssu_id, grantee_code,
        scheme_code, master_allotment_id, financial_year, sanctioned_amount, allotted_amount)
        VALUES ('od.sampleb', 'h', 'd', 's', 'g', 'c', '1', '2024-25', 1, 1)""",
}


RECORDS = """
    INSERT INTO ifms.status_log (tenant_id, payment_number, service_id, status) VALUES ('t', 'p', 'PI', 's');
    INSERT INTO ifms.treasury_call (id, service_id, outcome) VALUES
        (gen_random_uuid(), 'PI', 'answered'), (gen_random_uuid(), 'PI', NULL);
    INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload) VALUES ('t', 't', 'k', '{"a": 1}');
    INSERT INTO ifms.bill (tenant_id, bill_id, payment_number) VALUES ('t', 'b', 'EP/1');
    INSERT INTO ifms.reported_failure (bill_number, beneficiary_id, voucher_date, why_unmatched)
    VALUES ('b', 'x', '2024-06-01', 'sample');
    INSERT INTO ifms.other_transfer (beneficiary_row, utr_number) SELECT id, 'UTR' FROM ifms.beneficiary;
    INSERT INTO ifms.closed_failure (beneficiary_row, closed_by, reason)
    SELECT id, 'a tester', 'sample' FROM ifms.beneficiary LIMIT 1;
"""


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED.keys())
def test_is_refused(guarded, statement):
    with guarded.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute(RECORDS)
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as at COMMIT
        with pytest.raises(errors.IntegrityError), connection.transaction():
            connection.execute(statement)
    assert guarded.balances() == (1000, 400, 0, 600)
    assert guarded.one("SELECT count(*) FROM ifms.payment WHERE paid_by IS NOT NULL") == 1


def test_a_second_live_original_for_a_payment_is_refused(ledger, pi):
    columns = """tenant_id, pi_type, payment_number, sanction_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code,
        master_allotment_id, ssu_allotment_id, allotment_serial_no, gross_amount, net_amount, beneficiary_count, bill_date,
        financial_year, purpose, signature"""
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
        funding = funds.choose_funding(connection, TENANT, payment.amount, [SOURCE], financial_year="2024-25")
        made = create(connection, new_instruction(payment), funding, claim, claim)
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


# Amounts --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", ["-1", "0", "'NaN'"])
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, raised_at) "
        "VALUES ('t', 'p', 'i', {}, now())",
        "INSERT INTO ifms.fund_movement (sanction_id, kind, amount, allotment_id) "
        "SELECT sanction_id, 'ALLOTMENT', {}, id FROM ifms.allotment",
    ],
    ids=["payment", "movement"],
)
def test_an_amount_that_is_none_is_refused(guarded, statement, amount):
    with guarded.connect() as connection, pytest.raises(errors.CheckViolation):
        connection.execute(statement.format(amount))


@pytest.mark.parametrize("amount", [-1, 0, "NaN"])
def test_a_pi_of_no_amount_is_refused(guarded, amount):
    changes = {"pi_number": "X", "payment_number": "Y", "net_amount": amount, "gross_amount": amount}
    with guarded.connect() as connection, pytest.raises(errors.CheckViolation):
        copy_instructions(connection, changes)


@pytest.mark.parametrize("amount", ["-1", "'NaN'"])
def test_an_allotment_of_no_amount_is_refused(guarded, amount):
    with guarded.connect() as connection, pytest.raises(errors.CheckViolation):
        connection.execute(
            f"""INSERT INTO ifms.allotment SELECT (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid(),
            'serial_no', 7, 'sanction_id', NULL, 'amount', {amount}))).* FROM ifms.allotment a"""
        )


# Whose money ----------------------------------------------------------------------------------------------------------

OTHER = {"pi_number": "PI-SA/2", "payment_number": "EP/2"}


@pytest.mark.parametrize(
    "changes", [{"tenant_id": "od.sampleb"}, {"hoa_code": "0"}, {"ddo_code": "x"}, {"master_allotment_id": "1"}]
)
def test_a_pi_on_a_sanction_that_it_does_not_name_is_refused(guarded, changes):
    with guarded.connect() as connection, pytest.raises(errors.ForeignKeyViolation) as refused:
        copy_instructions(connection, OTHER | changes)
    assert refused.value.diag.constraint_name == "paid_by_its_own_sanction"


def test_a_pi_without_beneficiaries_is_refused(guarded):
    with guarded.connect() as connection, pytest.raises(errors.CheckViolation, match="its rows are 0"):
        copy_instructions(connection, OTHER)


def test_a_movement_on_another_sanction_or_of_another_amount_is_refused(ledger, pi):
    other = ledger.fund(500, master="901")
    with ledger.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("DELETE FROM ifms.fund_movement WHERE kind = 'RESERVE'")
        connection.execute("SET LOCAL session_replication_role = origin")
        for sanction, amount in ((other, 400), (pi.sanction_id, 399)):
            with pytest.raises(errors.CheckViolation) as refused, connection.transaction():
                connection.execute(
                    "INSERT INTO ifms.fund_movement (sanction_id, kind, amount, payment_instruction_id) "
                    "VALUES (%s, 'RESERVE', %s, %s)",
                    (sanction, amount, pi.id),
                )
            assert refused.value.diag.constraint_name == "movement_is_of_its_cause"


def test_a_payment_names_no_pi_of_another_payment(ledger, pi):
    payment, _ = ledger.payment(400)
    with ledger.connect() as connection, pytest.raises(errors.CheckViolation) as refused:
        connection.execute("UPDATE ifms.payment SET paid_by = %s WHERE id = %s", (pi.id, payment.id))
    assert refused.value.diag.constraint_name == "paid_by_its_own_instruction"


# Statuses -------------------------------------------------------------------------------------------------------------

PAIRS = [("PAYMENT_INSTRUCTION", a, b) for a in [*PiStatus, "DONE"] for b in [*PiStatus, "DONE"] if a != b] + [
    ("BENEFICIARY", a, b) for a in [*BeneficiaryStatus, "Done"] for b in [*BeneficiaryStatus, "Done"] if a != b
]


def test_every_pair_that_is_not_in_the_table_is_refused_and_no_other(ledger, pi):
    """In one transaction, each pair undone: the triggers for money, which look at the commit, are not asked."""
    allowed = {(subject, str(start), str(end)) for subject, start, end in transition_rows()}
    with ledger.connect() as connection, connection.transaction(force_rollback=True):
        for subject, start, end in PAIRS:
            update = f"UPDATE ifms.{subject.lower()} SET status = %s"
            with connection.transaction(force_rollback=True):
                connection.execute("SET LOCAL session_replication_role = replica")
                connection.execute(update, (start,))
                connection.execute("SET LOCAL session_replication_role = origin")
                if (subject, str(start), str(end)) in allowed:
                    connection.execute(update, (end,))
                    continue
                with pytest.raises(errors.CheckViolation) as refused:
                    connection.execute(update, (end,))
                assert refused.value.diag.constraint_name == "status_transition", (subject, start, end)


@pytest.mark.parametrize("status", [each for each in PiStatus if each is not PiStatus.PENDING])
def test_a_new_pi_starts_as_pending(guarded, status):
    with guarded.connect() as connection, pytest.raises(errors.CheckViolation) as refused:
        copy_instructions(connection, OTHER | {"status": status})
    assert refused.value.diag.constraint_name == "status_transition"


@pytest.mark.parametrize(
    ("status", "imported_as", "rule"),
    [
        *[(each, None, "status_transition") for each in BeneficiaryStatus if each is not BeneficiaryStatus.PENDING],
        ("Payment Successful", "Payment Failed", "status_transition"),
        ("Payment Successful", "Payment Pending", "status_transition"),
        ("Done", None, "status_transition"),
        ("Done", "Done", "beneficiary_imported_as_check"),
    ],
)
def test_a_new_beneficiary_starts_as_pending_or_as_it_is_imported(guarded, status, imported_as, rule):
    with guarded.connect() as connection, pytest.raises(errors.CheckViolation) as refused:
        connection.execute(
            """
            INSERT INTO ifms.beneficiary SELECT (jsonb_populate_record(b, jsonb_build_object(
                'id', gen_random_uuid(), 'beneficiary_number', 'x', 'status', %s::text, 'imported_as', %s::text))).*
            FROM ifms.beneficiary b
            """,
            (status, imported_as),
        )
    assert refused.value.diag.constraint_name == rule


def test_a_beneficiary_may_be_imported_in_any_status_and_in_no_other(ledger):
    check = ledger.one(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'beneficiary_imported_as_check'"
    )
    assert set(re.findall("'([^']+)'", check)) == {str(each) for each in BeneficiaryStatus}


# What stays possible --------------------------------------------------------------------------------------------------


def test_an_announced_call_is_completed_once(ledger, pi):
    call = uuid.uuid4()
    with ledger.connect() as connection:
        connection.execute("INSERT INTO ifms.treasury_call (id, service_id) VALUES (%s, 'PI')", (call,))
        connection.execute(
            "UPDATE ifms.treasury_call SET outcome = 'answered', status_code = 200 WHERE id = %s", (call,)
        )
        connection.execute("UPDATE ifms.treasury_call SET outcome = 'answered' WHERE id = %s", (call,))  # nothing new
        with pytest.raises(errors.CheckViolation, match="is not rewritten"):
            connection.execute("UPDATE ifms.treasury_call SET outcome = 'unknown' WHERE id = %s", (call,))


def test_the_owner_may_let_go_of_old_calls_and_messages(ledger, pi):
    with ledger.connect() as connection:
        connection.execute(RECORDS)
        connection.execute("DELETE FROM ifms.treasury_call")
        connection.execute("DELETE FROM ifms.outbox")


def test_movements_of_a_sanction_are_numbered_in_the_order_of_their_balances(ledger):
    """Though the one that came first had to wait for the other: the register reads them by their numbers."""
    ledger.fund(1000)
    first, second = (ledger.instruct(*ledger.payment(100))[0] for _ in range(2))

    def accept(connection, pi):
        connection.execute("UPDATE ifms.payment_instruction SET status = 'INITIATED' WHERE id = %s", (pi.id,))
        connection.execute(
            "INSERT INTO ifms.fund_movement (sanction_id, kind, amount, payment_instruction_id) "
            "VALUES (%s, 'DEBIT', 100, %s)",
            (pi.sanction_id, pi.id),
        )

    def waiting():
        with psycopg.connect(ledger.dsn) as connection:
            accept(connection, second)

    thread = threading.Thread(target=waiting)
    with psycopg.connect(ledger.dsn) as connection:
        connection.execute("SELECT FROM ifms.sanction FOR UPDATE")
        thread.start()
        while (
            ledger.one(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            == 0
        ):
            time.sleep(0.01)
        accept(connection, first)
    thread.join(60)
    with ledger.connect() as connection:
        rows = connection.execute(
            "SELECT payment_instruction_id, spent_after FROM ifms.fund_movement WHERE kind = 'DEBIT' ORDER BY id"
        )
        assert rows.fetchall() == [(first.id, 100), (second.id, 200)]


# Days and times that views reckon with --------------------------------------------------------------------------------

OUTSIDE = ["0001-01-01", "1999-12-30", "2100-01-02", "9999-12-31", "infinity", "-infinity"]


def days_and_times(ledger):
    with ledger.connect() as connection:
        return connection.execute(
            """
            SELECT table_name, column_name, data_type FROM information_schema.columns
            JOIN information_schema.tables USING (table_schema, table_name)
            WHERE table_schema = 'ifms' AND table_type = 'BASE TABLE'
              AND data_type IN ('date', 'timestamp with time zone', 'timestamp without time zone')
            """
        ).fetchall()


def test_each_day_and_time_of_the_ledger_has_bounds(ledger):
    """A new column needs them too: `CHECK (x >= '2000-01-01 00:00+00' AND x < '2100-01-01 00:00+00')`."""
    found = days_and_times(ledger)
    assert len(found) > 40
    with ledger.connect() as connection:
        checks = connection.execute(
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c'"
        ).fetchall()
    bare = [
        f"{table}.{column}"
        for table, column, _ in found
        if not any(
            name == f"ifms.{table}" and f"({column} >= '20" in rule and f"({column} < '2100" in rule
            for name, rule in checks
        )
    ]
    assert bare == []


@pytest.mark.parametrize("told", OUTSIDE)
def test_no_day_is_written_that_a_view_can_not_reckon_with(ledger, pi, told):
    statements = [
        f"UPDATE ifms.beneficiary SET {column} = '{told}'"
        for column in ("failed_on", "voucher_date", "utr_date", "challan_date", "updated_at")
    ] + [
        f"UPDATE ifms.payment SET raised_at = '{told}'",
        f"UPDATE ifms.va_watermark SET fetched_until = '{told}'",
        f"UPDATE ifms.payment_instruction SET paid_at = '{told}'",
        f"INSERT INTO ifms.reported_failure (bill_number, beneficiary_id, voucher_date, why_unmatched) "
        f"VALUES ('b', 'x', '{told}', 'sample')",
    ]
    with ledger.connect() as connection:
        connection.execute("SET session_replication_role = replica")  # other rules refuse some of it, too
        connection.execute(
            """
            INSERT INTO ifms.va_watermark (tenant_id, hoa_code, ddo_code, grantee_code, ssu_id)
            VALUES ('t', 'h', 'd', 'g', 's')
            """
        )
        for statement in statements:
            with pytest.raises(errors.CheckViolation, match="in_bounds"):
                connection.execute(statement)


def test_an_allotment_of_another_century_is_refused_by_itself(ledger, pi):
    odd = allotment(serial_no=9, kind=AllotmentKind.ADDITIONAL, allotment_date=date(1999, 1, 1))
    told = ledger.allot(odd, allotment(master_allotment_id="901"))
    assert (told.new, len(told.refused)) == (1, 1)


def test_the_last_day_that_is_taken_can_be_reckoned_with(ledger, pi):
    rewrite(ledger.dsn, "UPDATE ifms.beneficiary SET failed_on = '2099-12-31', challan_date = '2000-01-01'")
    with ledger.connect() as connection:
        assert connection.execute("SELECT ifms.correct_by('2099-12-31')").fetchone()[0].year == 2100
        for (view,) in connection.execute("SELECT viewname FROM pg_views WHERE schemaname = 'ifms'").fetchall():
            connection.execute(f"SELECT * FROM ifms.{view}").fetchall()
