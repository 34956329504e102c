"""`ifms import-java` as an operator runs it: what it says, and the sentence with which it says that it could not."""

import json
from urllib.parse import urlsplit

import psycopg
import pytest
from support.adapter import Adapter
from support.databases import as_worker
from support.failed import wage_bill
from support.java import JavaDatabase, masters_of

from ifms.cli import main

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})


@pytest.fixture
def database(adapter, postgres):
    """Two PIs of a Java adapter, the second with a status that nobody knows."""
    wage_bill(adapter)
    wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    postgres.create_database("java_command")
    database = JavaDatabase(postgres.dsn("java_command"))
    database.replace_all(adapter)
    database.run("UPDATE jit_payment_inst_details SET pistatus = 'DECLINED' WHERE pinumber LIKE '%%2'")
    yield database
    database.close()
    postgres.drop_database("java_command")


@pytest.fixture
def command(postgres, database, simulators):
    """Run the command on an empty ledger; its DSN is the fixture's `dsn`."""
    postgres.create_database("java_ledger", "ledger_template")

    def run(*more, dsn=None, source=None):
        masters = () if "--units" in more else ("--platform", simulators.platform)
        return main(["import-java", "--dsn", dsn or run.dsn, "--from-dsn", source or database.dsn, *masters, *more])

    run.dsn = postgres.dsn("java_ledger")
    yield run
    postgres.drop_database("java_ledger")


def instructions(dsn):
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT count(*) FROM ifms.payment_instruction").fetchone()[0]


def test_a_platform_is_asked_by_https_alone(command, monkeypatch, capsys):
    monkeypatch.setenv("IFMS_PLATFORM_HTTP_HOSTS", "")
    monkeypatch.setenv("IFMS_PLATFORM_TOKEN", "sample-token")
    assert command() == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "127.0.0.1 would be spoken to by plain http" in said
    assert "IFMS_PLATFORM_HTTP_HOSTS" in said
    assert "sample-token" not in said
    assert instructions(command.dsn) == 0


def test_it_says_what_is_here_what_is_not_and_why(command, database, adapter, tmp_path, capsys):
    assert main(["reconcile", "--dsn", command.dsn]) == 0
    assert command("--rehearse") == 1
    said = capsys.readouterr()
    assert "rehearsed, nothing is changed" in said.out
    assert "its status DECLINED means nothing here. To do: mend the row" in " ".join(said.out.split())
    assert said.err.startswith("ifms: 1 reason(s) above for what was left out")
    assert instructions(command.dsn) == 0
    assert command() == 1
    assert instructions(command.dsn) == 1
    assert main(["reconcile", "--dsn", command.dsn]) == 1  # until it is settled
    assert "every payment that the Java adapter has worked on is imported" in " ".join(capsys.readouterr().out.split())
    database.run("UPDATE jit_payment_inst_details SET pistatus = 'INITIATED'")
    masters = masters_of(adapter)
    units = [dict(zip(("tenantId", "ddoCode", "ssuId", "granteeAgCode"), u, strict=True)) for u in masters.units]
    heads = [{"code": code, "schemeCode": scheme} for code, scheme in masters.schemes]
    file = tmp_path / "units.json"
    file.write_text(json.dumps({"units": units, "heads": heads}))
    assert command("--units", str(file)) == 0
    assert instructions(command.dsn) == 2
    assert main(["reconcile", "--dsn", command.dsn]) == 0
    assert Adapter(command.dsn, adapter.simulators).statuses() == {"INITIATED": 2}


def test_what_can_not_be_done_is_one_sentence(command, database, tmp_path, capsys):
    def refused(*more, **options):
        assert command(*more, **options) == 1
        said = capsys.readouterr()
        assert said.err.count("\n") == 1
        return said.err

    assert "somebody else than the ledger's owner" in refused(dsn=as_worker(command.dsn))
    assert "has no table public.jit_sanction_details" in refused(source=command.dsn)
    assert "run `ifms migrate` first" in refused(dsn=database.dsn)
    assert "--dsn is no address" in refused(source="postgresql://sample:p@ss@127.0.0.1/x")
    file = tmp_path / "units.json"
    for text in ("{", "[]", '{"units": [{}]}', '{"units": [{"tenantId": 1}]}', '{"heads": "x"}'):
        file.write_text(text)
        assert "is not the JSON that --help describes" in refused("--units", str(file))
    file.write_text("{}")
    assert "no spending units or no heads of account" in refused("--units", str(file))
    gone = urlsplit(database.dsn)._replace(path="/not_there").geturl()
    assert "not_there" in refused(source=gone)
