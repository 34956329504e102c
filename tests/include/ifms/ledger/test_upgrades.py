"""A filled ledger of each revision becomes the next package's: its rows are the same and right, its sweeps go on."""

import shutil
from collections import Counter
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg import errors, sql
from support.adapter import Adapter
from support.databases import as_worker

from ifms.ledger import migrate as module
from ifms.ledger.invariants import find_violations
from ifms.ledger.migrate import MIGRATIONS, migrate

REVISIONS = sorted(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
NOT_COPIED = {"alembic_version", "status_transition", "home"}


@pytest.fixture
def at_revision(postgres, monkeypatch):
    """`at_revision("0001")`: the DSN of an empty ledger of that revision, as its package made it."""
    names = []

    def make(revision):
        names.append(f"upgraded_{revision}")
        postgres.create_database(names[-1])
        dsn = postgres.dsn(names[-1])
        real = module.command.upgrade
        with monkeypatch.context() as patched:
            patched.setattr(module.command, "upgrade", lambda config, _: real(config, revision))
            patched.setattr(module, "_grant", lambda connection: [])  # grants.sql is this package's
            assert migrate(dsn) == []
        return dsn

    yield make
    for name in names:
        postgres.drop_database(name)


@pytest.fixture
def later(tmp_path, monkeypatch):
    """`later("CREATE …")`: from now on `migrate` is that of a package with one more revision, which runs this SQL."""
    migrations = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    config = Config()
    config.set_main_option("script_location", str(migrations))

    def make(script):
        made = migrations / "versions" / "9999_later.py"
        if not made.exists():
            assert Path(command.revision(config, "later", rev_id="9999").path) == made  # from script.py.mako
        made.with_suffix(".sql").write_text(script, encoding="utf-8")
        monkeypatch.setattr(module, "MIGRATIONS", migrations)

    return make


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
            shared = sql.SQL(", ").join(map(sql.Identifier, (name for name in known if name in new[table])))
            name = sql.Identifier("ifms", table)
            here.execute(sql.SQL("DELETE FROM {}").format(name))
            with (
                there.cursor().copy(sql.SQL("COPY {} ({}) TO STDOUT").format(name, shared)) as read,
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


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_filled_ledger_is_upgraded_and_goes_on(at_revision, later, world, revision):
    old = at_revision(revision)
    rows = fill(old, world.adapter.dsn)
    assert rows["payment_instruction"] > 8
    later(
        "ALTER TABLE ifms.payment_instruction ADD COLUMN sample text NOT NULL DEFAULT 'as before';"
        " CREATE TABLE ifms.sample (id int)"
    )
    assert migrate(old) == []
    with psycopg.connect(old) as connection:
        assert connection.execute("SELECT DISTINCT sample FROM ifms.payment_instruction").fetchall() == [("as before",)]
    with psycopg.connect(as_worker(old)) as connection:
        connection.execute("INSERT INTO ifms.sample VALUES (1)")
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


def test_a_revision_that_fails_changes_nothing_and_is_begun_again(at_revision, later):
    ledger = at_revision(REVISIONS[-1])
    later("CREATE TABLE ifms.sample (id int); CREATE TABLE ifms.sample (id int)")
    with pytest.raises(errors.DuplicateTable):
        migrate(ledger)
    assert "sample" not in columns(ledger)
    later("CREATE TABLE ifms.sample (id int)")
    assert migrate(ledger) == []
    assert columns(ledger)["sample"] == ["id"]
