"""`ifms log open`: a call in clear for whoever holds the key, under a record; never a key, a token, or by argv."""

from __future__ import annotations

import io
import json
import os
import pwd
from uuid import uuid4

import psycopg
import pytest
from support.calls import ACCOUNT, REK, REQUEST, SEK, TOKEN, encoded, exchange, failed, write
from support.databases import as_worker
from support.simulators import LOG_KEY

from ifms.cli import main
from ifms.cli.settings import KEY, LEGACY_SECRET
from ifms.cli.terminal import os_user
from ifms.wire.crypto import aes_encrypt, legacy_encrypt

SECRET = "sample-16-bytes!"
JAVA = {
    "id": "4f6b-sample",
    "serviceId": "PI",
    "jitBillNo": "PI-SA/1",
    "encRequest": encoded(legacy_encrypt(SECRET, json.dumps(REQUEST))),
    "decryptionRek": encoded(REK),
    "encResponse": encoded(aes_encrypt(REK, b'{"data": []}')),
    "createdtime": 1690000000000,
}


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch):
    for variable in (KEY, LEGACY_SECRET):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def open_log(ledger_dsn, capsys):
    """`open_log("ID", "--unmasked", …)`: the exit code, what was printed, and the error."""

    def run(*arguments):
        code = main(["log", "open", *map(str, arguments), "--dsn", as_worker(ledger_dsn)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def looked(dsn):
    with psycopg.connect(dsn) as connection:
        query = "SELECT call_id, source, os_user, unmasked, reason FROM ifms.call_access ORDER BY id"
        return connection.execute(query).fetchall()


def test_a_call_is_shown_masked_and_that_is_recorded(ledger, ledger_dsn, open_log, monkeypatch):
    [call_id] = write(ledger.db, exchange())
    monkeypatch.setenv(KEY, LOG_KEY)
    code, shown, _ = open_log(call_id)
    assert code == 0
    for text in (str(call_id), "PI-SA/1", "answered", "12 ms", "2026-06-01 12:00:00", "beneficiaryDtls", "successCode"):
        assert text in shown
    for secret in (ACCOUNT, TOKEN, LOG_KEY, encoded(REK), encoded(SEK)):
        assert secret not in shown
    assert "9012" in shown
    assert looked(ledger_dsn) == [(str(call_id), "ledger", os_user(), False, None)]


def test_whole_numbers_are_shown_for_a_reason_that_is_recorded(ledger, ledger_dsn, open_log, tmp_path):
    [call_id] = write(ledger.db, exchange())
    (tmp_path / "key").write_text(f'\ufeff"{LOG_KEY}"\r\n')
    code, shown, _ = open_log(call_id, "--key-file", tmp_path / "key", "--unmasked", "--reason", "complaint 7")
    assert code == 0
    assert ACCOUNT in shown
    assert TOKEN not in shown
    assert looked(ledger_dsn) == [(str(call_id), "ledger", os_user(), True, "complaint 7")]


@pytest.mark.parametrize("reason", [(), ("--reason", "  ")])
def test_without_a_reason_nothing_is_unmasked(ledger, ledger_dsn, open_log, monkeypatch, reason):
    [call_id] = write(ledger.db, exchange())
    monkeypatch.setenv(KEY, LOG_KEY)
    code, shown, error = open_log(call_id, "--unmasked", *reason)
    assert (code, shown) == (1, "")
    assert "--reason" in error
    assert looked(ledger_dsn) == []


def test_who_can_not_be_recorded_sees_nothing(ledger, ledger_dsn, open_log, monkeypatch):
    [call_id] = write(ledger.db, exchange())
    monkeypatch.setenv(KEY, LOG_KEY)
    with psycopg.connect(ledger_dsn) as connection:
        connection.execute("REVOKE INSERT ON ifms.call_access FROM ifms_work")
    code, shown, error = open_log(call_id)
    assert (code, shown) == (1, "")
    assert "call_access" in error


def test_rows_of_an_earlier_key_open_with_both(ledger, open_log, monkeypatch):
    new = encoded(bytes(range(9, 41)))
    old_row, new_row = write(ledger.db, exchange())[0], write(ledger.db, exchange(1), key=new)[0]
    monkeypatch.setenv(KEY, f"{new} {LOG_KEY}")
    assert [open_log(each)[0] for each in (old_row, new_row)] == [0, 0]
    monkeypatch.setenv(KEY, new)
    code, shown, error = open_log(old_row)
    assert (code, shown) == (1, "")
    assert "not at hand" in error


@pytest.mark.parametrize("exported", [JAVA, {"hits": {"hits": [{"_source": JAVA}]}}])
def test_a_record_of_the_java_adapter_opens_from_a_file_and_from_stdin(
    ledger_dsn, open_log, monkeypatch, tmp_path, exported
):
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "export.json").write_text(json.dumps(exported))
    from_file = open_log(
        JAVA["id"], "--document", tmp_path / "export.json", "--legacy-secret-file", tmp_path / "secret"
    )
    monkeypatch.setenv(LEGACY_SECRET, SECRET)
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(exported)))
    from_stdin = open_log(JAVA["id"], "--document", "-")
    assert from_file == from_stdin
    assert from_file[0] == 0
    assert "beneficiaryDtls" in from_file[1]
    assert ACCOUNT not in from_file[1]
    assert looked(ledger_dsn) == [(JAVA["id"], "document", os_user(), False, None)] * 2


def test_a_foreign_reply_does_not_steer_the_terminal(ledger, open_log, monkeypatch):
    [call_id] = write(ledger.db, failed(response_plain="\x1b[2J[bold]gone[/bold]\x07"))
    monkeypatch.setenv(KEY, LOG_KEY)
    _, shown, _ = open_log(call_id)
    assert "\x1b[2J" not in shown
    assert "[bold]gone[/bold]" in shown


@pytest.mark.parametrize(
    ("arguments", "key", "said"),
    [
        ((uuid4(),), LOG_KEY, "no call"),
        (("4f6b-sample",), LOG_KEY, "--document"),
        ((uuid4(),), "", "no key"),
        ((uuid4(),), "short", "log key"),
        ((uuid4(), "--document", "/nowhere/export.json"), LOG_KEY, "No such file"),
        ((uuid4(), "--key-file", "/nowhere/key"), "", "No such file"),
    ],
)
def test_what_can_not_be_opened_says_what_to_do(open_log, monkeypatch, arguments, key, said):
    monkeypatch.setenv(KEY, key)
    code, shown, error = open_log(*arguments)
    assert (code, shown) == (1, "")
    assert said in error
    assert key == "" or key not in error


def test_a_document_that_is_no_json_is_refused(open_log, monkeypatch, tmp_path):
    monkeypatch.setenv(KEY, LOG_KEY)
    (tmp_path / "export.json").write_text("[" * 100_000)
    assert "not JSON" in open_log("1", "--document", tmp_path / "export.json")[2]


def test_no_key_is_taken_from_the_command_line(capsys):
    with pytest.raises(SystemExit):
        main(["log", "open", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "No key is taken from the command line" in shown
    assert KEY in shown
    with pytest.raises(SystemExit):
        main(["log", "open", "1", "--key", LOG_KEY])


def test_the_user_is_the_systems_word(monkeypatch):
    for variable in ("LOGNAME", "USER", "USERNAME"):
        monkeypatch.setenv(variable, "somebody-else")
    assert os_user() == pwd.getpwuid(os.getuid()).pw_name
