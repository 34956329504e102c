"""The schema comes up on an empty database, again on a full one, and holds the code's transitions; who may do what."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import errors, sql
from support import failed
from support.databases import as_reader, as_worker

from ifms.ledger.migrate import READER, WORKER, migrate
from ifms.ledger.statuses import transition_rows

IFMS = Path(sys.executable).with_name("ifms")
REPORTS = {
    "call_log",
    "doubtful_transfer",
    "failed_beneficiary",
    "fund_register",
    "open_payment_instruction",
    "payment_instruction_summary",
    "outbox_lag",
    "beneficiary_payment",
    "returned_payment",
    "sanction_summary",
    "status_history",
    "unmatched_failure",
    "waiting_payment",
}
# What of the tables a reader sees: what reports count, and nothing that somebody has written or is called by.
COUNTED = {
    "display_name": {"kind", "code", "name"},
    "started_run": {"dag_id", "run_id", "conf_sha256"},  # what an export asks that a person has started
    "bill": {"tenant_id", "bill_id", "payment_number", "asked_at"},
    "payment": {"tenant_id", "payment_number", "amount", "raised_at", "seen_at"},
    "payment_instruction": {
        "id",
        "tenant_id",
        "hoa_code",
        "bill_type",
        "pi_number",
        "pi_type",
        "repayment_of",
        "payment_number",
        "net_amount",
        "created_at",
    },
    "beneficiary": {
        "payment_instruction_id",
        "beneficiary_number",
        "amount",
        "status",
        "voucher_number",
        "failed_on",
        "created_at",
        "updated_at",
    },
    "status_log": {"id", "payment_instruction_id", "from_status", "to_status", "created_at"},
    "fund_movement": {"payment_instruction_id", "kind", "amount", "created_at"},
    "sanction": {"tenant_id"},
    "va_watermark": {"tenant_id"},
}
WRITTEN_BY_THE_OWNER = {
    "overview",
    "overview_instruction",
    "overview_failed",
    "status_transition",
    "alembic_version",
    "import_row",
    "import_withheld",
    "restored",
    "restore_cleared",
    "home",
    "audit_link",
    "call_removal",
    "second_person",
}
_DECIDED = {
    "approved_by",
    "approved_at",
    "refused_by",
    "refused_at",
    "refusal",
    "done_at",
    "done_in",
    "failed_at",
    "result",
}
# Records: what the database itself says of a row, whoever works on the ledger does not.
SAID_BY_THE_DATABASE = {
    "status_log": {"id", "created_at"},
    "fund_movement": {"id", "created_at", "allotted_after", "reserved_after", "spent_after"},
    "call_access": {"id", "looked_at", "database_user"},
    "person_action": {"id", "acted_at", "database_user"},
    "sanction_closing": {"id", "noted_at"},
    "started_run": {"started_at"},
    "proposal": {"id", "proposed_at", "expires_at", "single_person", *_DECIDED},
}


def test_migrates_twice_and_holds_the_transitions(empty_database):
    migrate(empty_database)
    migrate(empty_database)
    with psycopg.connect(empty_database) as connection:
        rows = connection.execute("SELECT * FROM ifms.status_transition").fetchall()
        versions = connection.execute("SELECT version_num FROM ifms.alembic_version").fetchall()
    assert set(rows) == transition_rows()
    assert len(versions) == 1


# Roles ----------------------------------------------------------------------------------------------------------------


def relations(dsn, kind):
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'ifms'::regnamespace AND relkind = %s", (kind,)
        ).fetchall()
    return {name for (name,) in rows}


def rights(dsn, role):
    """(table or view, right) that the role has on all of it."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            """
            SELECT relname, "right" FROM pg_class
            CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) "right"
            WHERE relnamespace = 'ifms'::regnamespace AND relkind IN ('r', 'v')
              AND has_table_privilege(%s, oid, "right")
            """,
            (role,),
        ).fetchall()
    return set(rows)


def test_who_works_deletes_nothing_but_saved_searches_and_rewrites_no_record(ledger_dsn):
    tables = relations(ledger_dsn, "r")
    assert len(tables) > 10
    assert rights(ledger_dsn, WORKER) == (
        {(name, "SELECT") for name in tables | REPORTS}
        | {(name, "INSERT") for name in tables - WRITTEN_BY_THE_OWNER - set(SAID_BY_THE_DATABASE) - {"setting"}}
        | {("saved_search", "DELETE")}
    )


def columns(dsn, right):
    """(table, column) that a worker has the right on, column by column."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            """
            SELECT relname, attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
            WHERE relnamespace = 'ifms'::regnamespace AND relkind = 'r' AND NOT attisdropped
              AND has_column_privilege(%s, c.oid, attnum, %s)
            """,
            (WORKER, right),
        ).fetchall()
    return set(rows)


def test_who_works_writes_no_time_and_no_number_of_a_record_and_changes_none(ledger_dsn):
    inserted, updated = columns(ledger_dsn, "INSERT"), columns(ledger_dsn, "UPDATE")
    for table, said in SAID_BY_THE_DATABASE.items():
        assert {column for name, column in columns(ledger_dsn, "SELECT") - inserted if name == table} == said, table
    assert not {name for name, _ in updated - {("proposal", each) for each in _DECIDED}} & (
        set(SAID_BY_THE_DATABASE) | WRITTEN_BY_THE_OWNER
    )


def test_who_works_has_no_right_to_change_what_is_frozen(ledger_dsn):
    """A trigger that refuses any change of a column stands behind a right that nobody has."""
    with psycopg.connect(ledger_dsn) as connection:
        frozen = connection.execute(
            """
            SELECT relname, attname FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(tgattr)
            WHERE relnamespace = 'ifms'::regnamespace AND tgfoid = 'ifms.refuse_change'::regproc AND tgqual IS NULL
            """
        ).fetchall()
    assert len(frozen) > 50
    assert set(frozen) & columns(ledger_dsn, "UPDATE") == {("beneficiary", "same_account_by")} & set(frozen)


FORGED = {
    "when a run ended": "sweep_run SET finished_at = now() - interval '1 day', state = 'success'",
    "what a run counted": "sweep_run SET counts = '{}'",
    "when a message was delivered": "outbox SET delivered_at = now() - interval '1 day'",
    "that a message was delivered": "outbox SET delivered_at = NULL",
    "when a call was shipped": "treasury_call SET shipped_at = now() - interval '1 day'",
    "by which transfer somebody was paid": "beneficiary SET utr_number = 'SAMPLE'",
    "on which day somebody was paid": "beneficiary SET utr_date = utr_date - 1",
    "when a correction was paid": "payment_instruction SET paid_at = now()",
    "by which advice something was paid": "payment_instruction SET pa_advice_id = 'SAMPLE'",
    "who has approved something": "payment_instruction SET pi_approved_id = 'SAMPLE'",
}


@pytest.fixture
def finished(adapter, simulators):
    """A bill, paid and returned and paid again; all is told and shipped."""
    failed.paid_and_failed(adapter)
    failed.mend(adapter)
    for service in ("COR", "FTPS"):
        adapter.run(service)
    adapter.relay()
    with psycopg.connect(as_worker(adapter.dsn)) as connection:
        connection.execute("UPDATE ifms.treasury_call SET shipped_at = now()")
    return adapter.dsn


def test_the_password_of_who_works_rewrites_nothing_that_was_reported(finished):
    for what, change in FORGED.items():
        column = change.split(" SET ")[1].split(" = ")[0]
        table = change.split(" SET ")[0]
        with psycopg.connect(as_worker(finished)) as connection:
            known = connection.execute(
                f"SELECT count({column}) FROM ifms.{table} WHERE {column} IS NOT NULL".encode()
            ).fetchone()
            assert known[0] > 0, f"{what}: nothing there to rewrite"
            with pytest.raises(errors.CheckViolation, match="on record|as it was reported"):
                connection.execute(f"UPDATE ifms.{change} WHERE {column} IS NOT NULL".encode())


def test_the_password_of_who_works_logs_no_status_that_is_none(finished):
    with (
        pytest.raises(errors.CheckViolation, match="cannot say it"),
        psycopg.connect(as_worker(finished)) as connection,
    ):
        connection.execute(
            """
            INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status,
                from_status, to_status)
            SELECT id, tenant_id, payment_number, 'PI', 'STATUS_LOG_PI_REJECTED', status, 'FAILED'
            FROM ifms.payment_instruction WHERE status <> 'FAILED'
            """
        )


def test_who_reads_sees_of_the_tables_what_reports_count(ledger_dsn):
    with psycopg.connect(as_reader(ledger_dsn), autocommit=True) as connection:
        seen = connection.execute(
            """
            SELECT relname, attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
            WHERE relnamespace = 'ifms'::regnamespace AND relkind = 'r' AND NOT attisdropped
              AND has_column_privilege(c.oid, attnum, 'SELECT, INSERT, UPDATE, REFERENCES')
            """
        ).fetchall()
        assert set(seen) == {(table, column) for table, columns in COUNTED.items() for column in columns}
        for column in ("account_sealed", "account_last4", "status_message", "name", "mobile", "*"):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(f"SELECT {column} FROM ifms.beneficiary")


def test_who_reads_sees_the_views(ledger_dsn):
    assert relations(ledger_dsn, "v") == REPORTS
    assert rights(ledger_dsn, READER) == {(name, "SELECT") for name in REPORTS}
    with psycopg.connect(as_reader(ledger_dsn), autocommit=True) as connection:
        for name in REPORTS:
            connection.execute(sql.SQL("SELECT * FROM ifms.{}").format(sql.Identifier(name)))


def test_views_show_no_sealed_column(ledger_dsn):
    with psycopg.connect(ledger_dsn) as connection:
        shown = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'ifms' "
            "AND table_name = ANY(%s) AND (data_type = 'bytea' OR column_name LIKE '%%sealed%%' OR column_name LIKE 'enc_%%')",
            (list(REPORTS),),
        ).fetchall()
    assert shown == []


REFUSED = {
    "a balance": "UPDATE ifms.sanction SET spent_amount = 0",
    "a sanction's money": "UPDATE ifms.sanction SET allotted_amount = allotted_amount + 1",
    "a movement": "UPDATE ifms.fund_movement SET amount = 1",
    "a log": "UPDATE ifms.status_log SET message = 'x'",
    "a step": "INSERT INTO ifms.status_transition VALUES ('PAYMENT_INSTRUCTION', 'PENDING', 'SUCCESSFUL')",
    "the steps": "DELETE FROM ifms.status_transition",
    "a call": "DELETE FROM ifms.treasury_call",
    "a message": "DELETE FROM ifms.outbox",
    "a sweep": "DELETE FROM ifms.sweep_run",
    "all": "TRUNCATE ifms.outbox",
    "a table": "CREATE TABLE ifms.other ()",
    "a column": "ALTER TABLE ifms.payment ADD COLUMN other text",
    "a trigger": "ALTER TABLE ifms.fund_movement DISABLE TRIGGER ALL",
    "a function": "CREATE OR REPLACE FUNCTION ifms.refuse_change() RETURNS trigger LANGUAGE sql AS ''",
    "no triggers": "SET session_replication_role = replica",
}


@pytest.mark.parametrize("login", [as_worker, as_reader])
@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED.keys())
def test_is_the_owners_alone(ledger_dsn, login, statement):
    with (
        psycopg.connect(login(ledger_dsn), autocommit=True) as connection,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


def test_migrating_again_grants_what_is_new_and_takes_back_what_was_too_much(ledger_dsn):
    with psycopg.connect(ledger_dsn) as connection:
        connection.execute("CREATE TABLE ifms.later (id int); CREATE VIEW ifms.later_report AS SELECT 1 AS one")
        connection.execute("GRANT ALL ON ifms.outbox TO ifms_work; GRANT SELECT ON ifms.payment TO ifms_read")
    assert ("later", "INSERT") in rights(ledger_dsn, WORKER)  # by default privileges, before anybody migrates
    assert migrate(ledger_dsn) == []
    assert ("later_report", "SELECT") in rights(ledger_dsn, READER)
    assert ("later", "SELECT") not in rights(ledger_dsn, READER)
    assert ("outbox", "DELETE") not in rights(ledger_dsn, WORKER)
    assert ("payment", "SELECT") not in rights(ledger_dsn, READER)


@pytest.fixture
def humble(empty_database):
    """The DSN of an owner who may not create roles."""
    parts = urlsplit(empty_database)
    database = parts.path.removeprefix("/")
    owner = f"owner_of_{database}"
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {owner} LOGIN PASSWORD 'sample'")
        connection.execute(f"ALTER DATABASE {database} OWNER TO {owner}")
    yield parts._replace(netloc=f"{owner}:sample@{parts.hostname}:{parts.port}").geturl()
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {owner} CASCADE; ALTER DATABASE {database} OWNER TO postgres")
        connection.execute(f"DROP ROLE {owner}")


def test_an_owner_who_may_not_create_roles_is_told_what_an_administrator_must_run(
    humble, empty_database, monkeypatch, capsys
):
    from ifms.cli import main
    from ifms.ledger import migrate as module

    # Other databases of this server have the real ones.
    monkeypatch.setattr(module, "WORKER", "sample_missing_work")
    monkeypatch.setattr(module, "READER", "sample_missing_read")
    assert main(["migrate", "--dsn", humble]) == 0  # the schema is there, as it is without roles
    said = capsys.readouterr()
    assert said.out == "schema ifms is up to date\n"
    assert "CREATE ROLE sample_missing_work NOLOGIN; CREATE ROLE sample_missing_read NOLOGIN;" in said.err
    monkeypatch.undo()
    make_roles(empty_database)
    assert migrate(humble) == []  # an owner who may not create them may grant to them


def make_roles(dsn):
    """What the administrator was told to run."""
    from ifms.ledger import migrate as module

    with psycopg.connect(dsn, autocommit=True) as connection:
        for role in (WORKER, READER):
            assert module._role_exists(connection, role)


def test_two_ledgers_of_one_server_may_be_migrated_at_once(postgres):
    names = ["at_once_1", "at_once_2"]
    for name in names:
        postgres.create_database(name)
    running = [
        subprocess.Popen([IFMS, "migrate", "--dsn", postgres.dsn(name)], stderr=subprocess.PIPE) for name in names
    ]
    assert [(process.communicate(timeout=120)[1], process.returncode) for process in running] == [(b"", 0)] * len(names)
    for name in names:
        postgres.drop_database(name)


def test_a_role_that_another_ledger_makes_meanwhile_is_no_failure(empty_database, monkeypatch):
    """The role is not seen, and is there when it is to be made."""
    from ifms.ledger import migrate as module

    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE ROLE sample_meanwhile NOLOGIN")
        unseen = "SELECT FROM pg_roles WHERE rolname = %s"
        real = psycopg.Connection.execute

        def blind(self, query, *arguments, **options):
            return real(self, "SELECT WHERE false") if query == unseen else real(self, query, *arguments, **options)

        with monkeypatch.context() as patched:
            patched.setattr(psycopg.Connection, "execute", blind)
            assert module._role_exists(connection, "sample_meanwhile")
        connection.execute("DROP ROLE sample_meanwhile")
