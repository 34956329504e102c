"""Addresses of a ledger: no password in what is said of them; and sentences for whatever is wrong with what is there."""

from urllib.parse import urlsplit

import pytest
from support.databases import as_reader
from support.simulators import LOG_KEY, SIGNING_KEY

from ifms.cli import main
from ifms.cli.database import check_address, connected
from ifms.cli.main import GROUPS, SINGLE
from ifms.errors import ConfigurationError

PASSWORD = "sample-password-17"


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


@pytest.mark.parametrize("dsn", ["", "host=localhost", "postgresql://sample:p%40ss@127.0.0.1:5432/ifms"])
def test_an_address_is_taken(dsn):
    check_address(dsn)


def test_a_database_without_a_ledger_says_what_to_do(empty_database):
    with pytest.raises(ConfigurationError, match="run `ifms migrate` first"), connected(empty_database) as db:
        db.transact(lambda connection: connection.execute("SELECT 1 FROM ifms.payment"))


# Whatever is wrong with the database, of any command -----------------------------------------------------------------

UNITS = '{"units": [{"tenantId": "t", "ddoCode": "d", "ssuId": "s", "granteeAgCode": "g"}], "heads": [{"code": "c", "schemeCode": "s"}]}'
ID = "00000000-0000-4000-8000-000000000001"
COMMANDS = {
    "migrate": ["migrate"],
    "reconcile": ["reconcile"],
    "views": ["views"],
    "import-java": ["import-java", "--units", "{folder}/units.json", "--from-dsn", "{dsn}"],
    "reseal": ["reseal", "--key-file", "{folder}/keys", "--signing-key-file", "{folder}/signing"],
    "settle": ["settle", "PI-1", "--accepted", "--reason", "sample", "--confirm", "PI-1"],
    "cancel": ["cancel", "PI-1", "--reason", "sample", "--confirm", "PI-1"],
    "report": ["report", "fund_register", "--period", "all", "--to-folder", "{folder}"],
    "log open": ["log", "open", ID, "--key-file", "{folder}/keys"],
    "audit verify": ["audit", "verify"],
    "audit anchor": ["audit", "anchor", "--to-folder", "{folder}"],
    "after-restore begin": ["after-restore", "begin"],
    "after-restore list": ["after-restore", "list"],
    "after-restore clear": ["after-restore", "clear", "PI-1", "--reason", "sample"],
    "after-restore nothing-lost": ["after-restore", "nothing-lost", "--reason", "sample"],
    "failures list": ["failures", "list"],
    "failures settle-transfer": ["failures", "settle-transfer", ID, "--paid", "--reason", "sample"],
    "failures close-reported": ["failures", "close-reported", ID, "--reason", "sample"],
    "failures close-beneficiary": ["failures", "close-beneficiary", ID, "--reason", "sample"],
    "phrases list": ["phrases", "list"],
    "phrases unknown": ["phrases", "unknown"],
    "phrases add": ["phrases", "add", "--service", "PIS", "--text", "x", "--meaning", "no news", "--reason", "sample"],
    "phrases withdraw": ["phrases", "withdraw", ID, "--reason", "sample"],
    "proposals list": ["proposals", "list"],
    "proposals show": ["proposals", "show", ID],
    "sanction list": ["sanction", "list"],
    "sanction close": ["sanction", "close", ID, "--reason", "sample"],
    "sanction open": ["sanction", "open", ID, "--reason", "sample"],
}
A_READER_MAY = {"views", "report", "failures list"}
NOTHING_LEFT_OUT = {"simulate"}  # it has no database


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run a command on a database; its exit code, and what it says on stderr."""
    (tmp_path / "units.json").write_text(UNITS)
    (tmp_path / "keys").write_text(LOG_KEY)
    (tmp_path / "signing").write_text(SIGNING_KEY)
    monkeypatch.setenv("IFMS_LOG_KEY", LOG_KEY)
    monkeypatch.setenv("IFMS_SIGNING_KEY", SIGNING_KEY)

    def ended(command, dsn):
        words = [word.format(folder=tmp_path, dsn=dsn) for word in COMMANDS[command]]
        code = main([*words, "--dsn", dsn])
        return code, capsys.readouterr().err

    return ended


def test_every_command_is_here():
    told = {name for name, *_ in SINGLE} | {
        f"{group} {name}" for group, _, _, names in GROUPS if group not in NOTHING_LEFT_OUT for name in names.split("|")
    }
    assert told == set(COMMANDS)


def wrong(empty_database, closed_port):
    """What can be wrong, and what the sentence says of it."""
    parts = urlsplit(empty_database)
    me, there = f"{parts.username}:{parts.password}", f"{parts.hostname}:{parts.port}"
    return {
        "no server": (f"postgresql://{me}@127.0.0.1:{closed_port}/ifms", str(closed_port)),
        "wrong password": (f"postgresql://{parts.username}:{PASSWORD}@{there}/ifms", "password authentication failed"),
        "wrong database": (f"postgresql://{me}@{there}/no_such_database", "no_such_database"),
    }


@pytest.mark.tier("prove")  # a process for each command and each way to be wrong
@pytest.mark.parametrize("command", COMMANDS)
def test_whatever_is_wrong_it_ends_with_a_sentence(run, ledger_template, empty_database, closed_port, command):
    for what, (dsn, expected) in wrong(empty_database, closed_port).items():
        code, said = run(command, dsn)
        assert (code, said.count("\n")) == (1, 1), what
        assert said.startswith("ifms: "), what
        assert expected in said, what
        assert PASSWORD not in said, what
        assert urlsplit(empty_database).password not in said, what
    code, said = run(command, as_reader(empty_database))  # who may not, and finds no ledger
    assert (code, said.count("\n")) == (1, 1)
    assert "permission denied" in said if command == "migrate" else "run `ifms migrate` first" in said


@pytest.mark.tier("prove")  # a process for each command and each way to be wrong
@pytest.mark.parametrize("command", COMMANDS)
def test_a_login_without_rights_is_told_so(run, module_ledger_dsn, command):
    code, said = run(command, as_reader(module_ledger_dsn))
    if code == 1:
        assert said.count("\n") == 1
        assert command in A_READER_MAY or "permission denied" in said or "ledger's owner" in said
    else:
        assert command in A_READER_MAY
