"""A filled ledger of each earlier revision becomes this one: its rows are the same and right, and its sweeps go on."""

import re
from collections import Counter

import psycopg
import pytest
from psycopg import sql
from support.adapter import Adapter

from ifms.ledger import migrate as module
from ifms.ledger.invariants import find_violations
from ifms.ledger.migrate import MIGRATIONS, migrate

EARLIER = sorted(re.match("[0-9]+", path.name)[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))[:-1]
NOT_COPIED = {"alembic_version", "status_transition", "home"}
RENAMED = {"unmatched_failure": "reported_failure"}


@pytest.fixture
def at_revision(postgres, monkeypatch):
    """`at_revision("0002")`: the DSN of an empty ledger of that revision, as its package made it."""
    names = []

    def make(revision):
        names.append(f"upgraded_{revision}")
        postgres.create_database(names[-1])
        dsn = postgres.dsn(names[-1])
        real = module.command.upgrade
        with monkeypatch.context() as patched:
            patched.setattr(module.command, "upgrade", lambda config, _: real(config, revision))
            patched.setattr(module, "_grant", lambda connection: [])  # grants.sql is this package's
            patched.setattr(module, "_write_second_person", lambda *_: None)  # a later table
            assert migrate(dsn) == []
        return dsn

    yield make
    for name in names:
        postgres.drop_database(name)


def columns(dsn):
    """The columns that are written, by table."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            """
            SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum) FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
            WHERE c.relnamespace = 'ifms'::regnamespace AND c.relkind = 'r' GROUP BY 1
            """
        ).fetchall()
    return {name: names for name, names in rows if name not in NOT_COPIED}


def fill(dsn, source):
    """Put the rows of a ledger into an older one, so far as it has a place for them; returns how many, by table."""
    counts = {}
    new = columns(source)
    with psycopg.connect(source) as there, psycopg.connect(dsn) as here:
        here.execute("SET LOCAL session_replication_role = replica")  # they were checked when they were written
        for table, known in columns(dsn).items():
            now = RENAMED.get(table, table)
            shared = sql.SQL(", ").join(map(sql.Identifier, (name for name in known if name in new[now])))
            name = sql.Identifier("ifms", table)
            here.execute(sql.SQL("DELETE FROM {}").format(name))
            with (
                there.cursor().copy(
                    sql.SQL("COPY {} ({}) TO STDOUT").format(sql.Identifier("ifms", now), shared)
                ) as read,
                here.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(name, shared)) as write,
            ):
                for block in read:
                    write.write(block)
            counts[table] = here.execute(sql.SQL("SELECT count(*) FROM {}").format(name)).fetchone()[0]
        for table in ("fund_movement", "status_log", "outbox"):
            here.execute(
                f"SELECT setval(pg_get_serial_sequence('ifms.{table}', 'id'), (SELECT max(id) FROM ifms.{table}))"
            )
    return counts


def counted(dsn, tables):
    with psycopg.connect(dsn) as connection:
        return {t: connection.execute(f"SELECT count(*) FROM ifms.{t}").fetchone()[0] for t in tables}


def broken(dsn):
    with psycopg.connect(dsn) as connection:
        return {finding.invariant.name: list(finding.rows) for finding in find_violations(connection)}


@pytest.mark.parametrize("revision", EARLIER)
def test_a_filled_ledger_of_an_earlier_revision_is_upgraded_and_goes_on(at_revision, world, revision):
    old = at_revision(revision)
    rows = fill(old, world.adapter.dsn)
    assert rows["payment_instruction"] > 8
    assert migrate(old) == []
    assert counted(old, rows) == rows
    assert broken(old) == broken(world.adapter.dsn)
    here = Adapter(old, world.adapter.simulators)
    before = here.statuses()
    for service in ("PI", "PIS", "PAG", "PD", "FTPS", "FTFPS"):
        here.run(service)
    moved = here.statuses() - before
    assert moved == Counter(SUCCESSFUL=moved["SUCCESSFUL"])
    assert moved["SUCCESSFUL"] >= 2  # what was PENDING and what was INITIATED
    here.relay()
    here.reconcile()


def test_corrections_of_an_earlier_ledger_get_the_bill_numbers_of_their_originals(at_revision, world):
    old = at_revision("0001")
    fill(old, world.adapter.dsn)
    with psycopg.connect(old) as connection:
        before = connection.execute(
            "SELECT count(*) FROM ifms.payment_instruction WHERE pi_type = 'REVISED'"
        ).fetchone()
        connection.execute(
            """
            UPDATE ifms.payment_instruction SET additional_details = '{"note": 1, "billNumber": []}'
            WHERE parent_pi_number IS NOT NULL OR repayment_of IS NOT NULL
            """
        )
        connection.execute(  # a repayment of a repayment, the second of which is known by itself
            """
            SET LOCAL session_replication_role = replica;
            CREATE TEMP TABLE first AS SELECT * FROM ifms.payment_instruction
                WHERE coalesce(parent_pi_number, repayment_of) IS NULL ORDER BY pi_number LIMIT 1;
            INSERT INTO ifms.payment_instruction SELECT (jsonb_populate_record(f, jsonb_build_object('id',
                gen_random_uuid(), 'pi_number', n, 'repayment_of', coalesce(o, f.pi_number), 'status', 'FAILED',
                'additional_details', d))).*
            FROM first f, (VALUES ('PI-XX/1', NULL, '{}'::jsonb), ('PI-XX/2', 'PI-XX/1', '[]'),
                ('PI-XX/3', 'PI-XX/1', '{"billNumber": ["own"]}')) AS v(n, o, d);
            """
        )
    assert before[0] > 0
    assert migrate(old) == []
    with psycopg.connect(old) as connection:
        rows = dict(connection.execute("SELECT pi_number, additional_details FROM ifms.payment_instruction").fetchall())
        parents = connection.execute(
            """
            SELECT pi_number, coalesce(parent_pi_number, repayment_of) FROM ifms.payment_instruction
            WHERE coalesce(parent_pi_number, repayment_of) IS NOT NULL
            """
        ).fetchall()
    assert len(parents) >= before[0] + 3
    for number, parent in parents:
        if number == "PI-XX/3":
            assert rows[number] == {"billNumber": ["own"]}
            continue
        assert rows[number]["billNumber"]
        assert {**rows[number], **rows[parent]} == rows[number]
        assert number.startswith("PI-XX") or rows[number]["note"] == 1


def test_each_revision_but_the_last_is_upgraded():
    [*earlier, _] = sorted(path.stem for path in (MIGRATIONS / "versions").glob("*.py"))
    assert [name[:4] for name in earlier] == EARLIER
    assert (MIGRATIONS / "versions" / "0001_baseline.py").exists()
