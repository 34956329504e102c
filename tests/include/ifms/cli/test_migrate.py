"""`ifms migrate`: the schema, and the sentence with which it says that it could not."""

from urllib.parse import urlsplit

import psycopg
import pytest

from ifms.cli import main

PASSWORD = "sample-password-17"


def tables(dsn):
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'ifms'").fetchone()[0]


def test_migrate_makes_the_ledger_in_an_empty_database(ifms, empty_database):
    done = ifms("migrate", "--dsn", empty_database)
    assert (done.returncode, done.stdout, done.stderr) == (0, "schema ifms is up to date\n", "")
    assert tables(empty_database) > 10


def test_migrate_again_changes_nothing(empty_database, capsys):
    parts = urlsplit(empty_database)
    keywords = (
        f"host={parts.hostname} port={parts.port} user={parts.username} password={parts.password} "
        f"dbname={parts.path.removeprefix('/')}"
    )
    for dsn in (empty_database, keywords):
        assert main(["migrate", "--dsn", dsn]) == 0
        assert capsys.readouterr().out == "schema ifms is up to date\n"
    assert tables(empty_database) > 10


def test_a_server_that_is_not_there_is_named_without_the_password(refused, closed_port):
    said = refused("migrate", "--dsn", f"postgresql://sample:{PASSWORD}@127.0.0.1:{closed_port}/sample")
    assert "127.0.0.1" in said
    assert str(closed_port) in said
    assert PASSWORD not in said


def test_a_wrong_password_is_not_repeated(refused, empty_database):
    parts = urlsplit(empty_database)
    wrong = parts._replace(netloc=f"{parts.username}:{PASSWORD}@{parts.hostname}:{parts.port}").geturl()
    said = refused("migrate", "--dsn", wrong)
    assert "password authentication failed" in said
    assert PASSWORD not in said


def test_an_unknown_database_is_named(refused, empty_database):
    parts = urlsplit(empty_database)
    said = refused("migrate", "--dsn", parts._replace(path="/no_such_database").geturl())
    assert "no_such_database" in said
    assert parts.password not in said


def test_what_went_wrong_is_one_line(refused, closed_port):
    said = refused("migrate", "--dsn", f"postgresql://sample:{PASSWORD}@127.0.0.1:{closed_port}/sample")
    assert said.count("\n") == 1
    assert "\t" not in said


def test_as_a_program_it_fails_by_its_exit_code_and_without_a_traceback(ifms, closed_port):
    failed = ifms("migrate", "--dsn", f"postgresql://sample:{PASSWORD}@127.0.0.1:{closed_port}/sample")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("ifms: ")
    assert "Traceback" not in failed.stderr
    assert PASSWORD not in failed.stderr


IN_THE_WAY = {
    "a table of the same name": "CREATE SCHEMA ifms; CREATE TABLE ifms.sweep_run ()",
    "a newer schema": """CREATE SCHEMA ifms; CREATE TABLE ifms.alembic_version (version_num text);
        INSERT INTO ifms.alembic_version VALUES ('9999')""",
}


@pytest.mark.parametrize("statements", IN_THE_WAY.values(), ids=IN_THE_WAY.keys())
def test_a_database_that_can_not_be_migrated_is_said_in_one_sentence(refused, empty_database, statements):
    with psycopg.connect(empty_database) as connection:
        connection.execute(statements)
    before = tables(empty_database)
    said = refused("migrate", "--dsn", empty_database)
    assert urlsplit(empty_database).password not in said
    assert len(said) < 500, "a sentence, not the migration's SQL"
    assert tables(empty_database) == before
