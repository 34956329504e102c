"""The command line: what it does, and the sentence with which it says that it could not."""

import io
import socket
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.mutations import fuzzed

from ifms.cli import main

IFMS = Path(sys.executable).with_name("ifms")
PASSWORD = "sample-password-17"


def ifms(*arguments):
    return subprocess.run([IFMS, *arguments], capture_output=True, text=True, timeout=60, check=False)


def tables(dsn):
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'ifms'").fetchone()[0]


@pytest.fixture
def closed_port():
    """A port of this machine that nobody listens at."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def refused(capsys):
    """Run a command that must fail; the sentence that it ends with."""

    def run(*arguments):
        assert main(arguments) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("ifms: ")
        return said.err.removeprefix("ifms: ")

    return run


# migrate --------------------------------------------------------------------------------------------------------------


def test_migrate_makes_the_ledger_in_an_empty_database(empty_database):
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


NO_ADDRESS = {
    "no colon": f"postgresql//sample:{PASSWORD}@127.0.0.1:1/sample",
    "another kind of database": f"mysql://sample:{PASSWORD}@127.0.0.1:1/sample",
    "a driver's address": f"postgresql+psycopg://sample:{PASSWORD}@127.0.0.1:1/sample",
    "a percent sign in the password": f"postgresql://sample:{PASSWORD}%zz@127.0.0.1:1/sample",
    "a port in words": f"postgresql://sample:{PASSWORD}@127.0.0.1:port/sample",
    "an unknown keyword": f"host=127.0.0.1 port=1 password={PASSWORD} usre=sample",
    "a keyword without value": f"password={PASSWORD} sample",
    "a quote left open": f"host=127.0.0.1 password='{PASSWORD}",
    "an @ in the password": f"postgresql://sample:sample@{PASSWORD}@127.0.0.1:1/sample",
}


@pytest.mark.parametrize("dsn", NO_ADDRESS.values(), ids=NO_ADDRESS.keys())
def test_an_address_that_can_not_be_read_is_not_repeated(refused, dsn):
    assert PASSWORD not in refused("migrate", "--dsn", dsn)


def test_what_went_wrong_is_one_line(refused, closed_port):
    said = refused("migrate", "--dsn", f"postgresql://sample:{PASSWORD}@127.0.0.1:{closed_port}/sample")
    assert said.count("\n") == 1
    assert "\t" not in said


def test_as_a_program_it_fails_by_its_exit_code_and_without_a_traceback(closed_port):
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


# reconcile ------------------------------------------------------------------------------------------------------------


def test_reconcile_says_what_it_looked_at(ledger):
    ledger.fund(1000)
    done = ifms("reconcile", "--dsn", ledger.dsn)
    assert (done.returncode, done.stderr) == (0, "")
    assert "a sanction's allotted, reserved and spent amounts are" in done.stdout
    assert ledger.one("SELECT state FROM ifms.sweep_run WHERE service_id = 'RECONCILE'") == "success"


def test_reconcile_names_what_is_broken_and_ends_with_1(ledger):
    sanction = ledger.fund(1000)
    with ledger.connect() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ifms.sanction SET allotted_amount = 999, sanctioned_amount = 17")
    failed = ifms("reconcile", "--dsn", ledger.dsn)
    assert failed.returncode == 1
    assert str(sanction) in failed.stdout.replace("\n", "")
    assert "Pause ifms_pi" in failed.stdout
    assert failed.stderr.startswith("ifms: 1 problem(s), the first: balances_are_movements: ")
    assert failed.stderr.count("\n") == 1


def test_reconcile_finds_the_database_as_libpq_does(ledger, monkeypatch, capsys):
    parts = urlsplit(ledger.dsn)
    where = {"HOST": parts.hostname, "PORT": parts.port, "USER": parts.username, "PASSWORD": parts.password}
    for name, value in (where | {"DATABASE": parts.path.removeprefix("/")}).items():
        monkeypatch.setenv(f"PG{name}", str(value))
    assert main(["reconcile", "--pending-hours", "0.5"]) == 0
    assert "none" in capsys.readouterr().out


def test_reconcile_takes_a_limit_for_each_thing_that_waits(ledger, refused, capsys):
    ledger.payment(100)
    with ledger.connect() as owner:
        owner.execute(
            "UPDATE ifms.payment SET hold_code = 'BAD_PAYMENT', hold_message = 'sample',"
            " held_since = now() - interval '10 days'"
        )
    assert main(["reconcile", "--dsn", ledger.dsn]) == 1
    assert "payments_get_instructions: payment " in capsys.readouterr().err
    assert main(["reconcile", "--dsn", ledger.dsn, "--days", "held=11", "--days", "unfunded=0.5"]) == 0
    capsys.readouterr()
    assert "'pending' is no limit in days" in refused("reconcile", "--dsn", ledger.dsn, "--days", "pending=1")
    assert "the limit held must be" in refused("reconcile", "--dsn", ledger.dsn, "--days", "held=0")


def test_reconcile_needs_a_ledger(refused, empty_database):
    assert "ifms migrate" in refused("reconcile", "--dsn", empty_database)


# simulate -------------------------------------------------------------------------------------------------------------


def test_a_port_in_use_is_one_sentence(refused, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = refused("simulate", "treasury", "--state", str(tmp_path / "state.sqlite3"), "--port", port)
    assert "in use" in said


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), ("migrate", "reconcile", "simulate")),
        (("migrate",), ("--dsn",)),
        (("reconcile",), ("--dsn", "--pending-hours", "--days")),
        (("failures",), ("list", "settle")),
        (("failures", "settle"), ("--dsn", "--reason")),
        (("simulate",), ("treasury", "platform")),
        (("simulate", "treasury"), ("--state", "--port", "--client-id", "--latency-ms", "--allotment")),
        (("simulate", "platform"), ("--state", "--port", "--cities", "--bills-per-city", "--persist-ms")),
    ],
    ids=["ifms", "migrate", "reconcile", "failures", "settle", "simulate", "treasury", "platform"],
)
def test_help_names_every_option(capsys, arguments, options):
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])
    said = capsys.readouterr()
    assert ended.value.code == 0
    assert [option for option in options if option not in said.out] == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "COMMAND"),
        (("pay",), "'pay'"),
        (("simulate",), "treasury|platform"),
        (("simulate", "bank"), "'bank'"),
        (("simulate", "treasury"), "--state"),
        (("simulate", "platform", "--state", "x", "--cities", "many"), "'many'"),
        (("migrate",), "--dsn"),
        (("migrate", "--dsn"), "--dsn"),
        (("reconcile", "--pending-hours", "0"), "'0'"),
        (("reconcile", "--pending-hours", "a day"), "'a day'"),
        (("reconcile", "--pending-hours", "nan"), "'nan'"),
        (("reconcile", "--days", "initiated"), "'initiated'"),
        (("reconcile", "--days", "held=a week"), "'held=a week'"),
        (("failures", "settle", "7", "--reason", "x"), "'7'"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, tuple) else None,
)
def test_a_command_that_is_not_one_is_named(capsys, arguments, named):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert said.err.startswith("usage: ifms")
    assert named in said.err


@fuzzed
@given(
    st.lists(
        st.text(max_size=12) | st.sampled_from(["simulate", "treasury", "--port", "-1", "--help", "--"]), max_size=4
    )
)
def test_any_other_arguments_are_a_usage_error(arguments):
    assume("migrate" not in arguments)  # the address of a database is tried, not guessed
    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code in (0, 2)
