"""A whole cycle in which everything goes wrong, at debug log level: no secret and no account in what it wrote."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from support import failed, figures, scrub
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.databases import PASSWORD
from support.keys import account_numbers, call_text
from support.search_engine import SearchEngine
from support.simulators import CLIENT_SECRET, LOG_KEY, SIGNING_KEY, Simulators
from support.task_runner import TaskRunner, task_runner

from ifms.sealing import Sealer

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.airflow,
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}),
]

NEW_KEY = base64.b64encode(bytes(range(100, 132))).decode()
LEGACY_SECRET = "sample-16-bytes!"
AUTH_TOKEN = "sample-token-of-the-gateway"
SEALED = ("request_sealed", "rek_sealed", "sek_sealed", "auth_token_sealed", "response_sealed")
INDEXES = ("ifms-request-logs", "ifms-error-logs")


@pytest.fixture
def runner(airflow_db: str, airflow_connections: Simulators, tmp_path: Path) -> Iterator[TaskRunner]:
    (tmp_path / "logs").mkdir()
    with task_runner(tmp_path / "logs") as running:
        yield running


@pytest.fixture
def set_extra(monkeypatch: pytest.MonkeyPatch) -> Any:
    def change(conn_id: str, **extra: str) -> None:
        name = f"AIRFLOW_CONN_{conn_id.upper()}"
        described = json.loads(os.environ[name])
        monkeypatch.setenv(name, json.dumps(described | {"extra": described.get("extra", {}) | extra}))

    return change


def dump(dsn: str) -> dict[str, bytes]:
    """Every table of a database as text, a bytea in hexadecimal digits."""
    tables = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
    with psycopg.connect(dsn) as connection:
        names = connection.execute(f"{tables} AND table_schema IN ('public', 'ifms')").fetchall()
        found = {}
        for schema, name in names:
            query = sql.SQL("SELECT string_agg(t::text, chr(10)) FROM {} t").format(sql.Identifier(schema, name))
            [[rows]] = connection.execute(query).fetchall()
            found[f"{schema}.{name}"] = (rows or "").encode()
    return found


def bill(simulators: Simulators, number: int) -> None:
    """An approved bill of two payees, whose accounts are like no other number of the run."""
    order = {"type": "wage", "tenantId": failed.TENANT, "payees": 2}
    [made] = simulators.ask_platform("POST", "bills", order)
    for place, payee in enumerate(made["payees"]):
        account = {"tenantId": failed.TENANT, "referenceId": payee, "accountNumber": f"0731946285{number}{place}"}
        simulators.ask_platform("POST", "accounts", account)


def accounts(adapter: Adapter, sealer: Sealer) -> set[str]:
    """The account of everybody who was paid, or should be."""
    return set(account_numbers(adapter.dsn, sealer).values())


def numbers(adapter: Adapter) -> list[str]:
    """Of all originals, the oldest first."""
    rows = adapter.rows(
        "SELECT pi_number FROM ifms.payment_instruction WHERE pi_type = 'ORIGINAL' ORDER BY created_at, id"
    )
    return [row["pi_number"] for row in rows]


def secrets_of_calls(adapter: Adapter, sealer: Sealer) -> dict[str, set[bytes]]:
    """The keys and tokens of all calls, as they were and as text."""
    found: dict[str, set[bytes]] = {"REK": set(), "SEK": set(), "token": set()}
    columns = {"REK": "rek_sealed", "SEK": "sek_sealed", "token": "auth_token_sealed"}
    for row in adapter.rows("SELECT * FROM ifms.treasury_call"):
        for kind, column in columns.items():
            if row[column] is None:
                continue
            text = call_text(row, column, sealer).encode()
            found[kind].add(text)
            if kind != "token":
                found[kind].add(base64.b64decode(text))
    return found


def test_a_cycle_of_failures_leaves_no_secret_and_no_account_in_what_it_writes(
    runner: TaskRunner,
    airflow_connections: Simulators,
    elasticsearch: SearchEngine,
    adapter: Adapter,
    treasury: Treasury,
    airflow_db: str,
    set_extra: Any,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_ELASTICSEARCH", json.dumps(elasticsearch.connection()))
    set_extra("ifms_treasury", legacy_log_secret=LEGACY_SECRET)
    set_extra("ifms_platform", auth_token=AUTH_TOKEN)
    old, both = Sealer.from_config(LOG_KEY), Sealer.from_config(NEW_KEY, [LOG_KEY])

    # A treasury that quotes accounts in its errors: declined, rejected, unknown, not understood, session over.
    for number in range(6):
        bill(airflow_connections, number)
    assert [runner.run(dag_id) for dag_id in ("ifms_va", "ifms_pa")] == ["success"] * 2
    treasury.rule("PI", "refuse")
    assert runner.run("ifms_pi") == "failed"
    treasury.clear()
    quoted = min(accounts(adapter, old))
    texts = [{"errorCode": "340", "errorMsg": f"Account {quoted} is wrong, x{quoted}y"}]
    effects: list[tuple[str, dict[str, Any]]] = [
        ("error", {"errorMsgs": texts}),
        ("http_status", {"status": 500, "body": f'{{"benefAcctNo": "{quoted}"}}'}),
        ("garbage", {}),
        ("wrong_key", {}),
        ("plain_reply", {"text": f'{{"serviceId": "PI", "data": "{quoted}"}}'}),
    ]
    for (effect, options), number in zip(effects, numbers(adapter), strict=False):
        treasury.rule("PI", effect, bill_number=number, **options)
    assert runner.run("ifms_pi") == "failed"
    treasury.clear()
    treasury.rule("PIS", "expired_session", times=1)
    runner.run("ifms_pi")
    *_, first, second = numbers(adapter)
    bill(airflow_connections, 6)  # declined on its first sending: of those above, any may have arrived
    treasury.rule("PI", "error", errorMsgs=texts)
    assert [runner.run(dag_id) for dag_id in ("ifms_pa", "ifms_pi")] == ["success", "failed"]
    treasury.clear()
    treasury.rule("PIS", "reject", bill_number=first)
    treasury.rule("PIS", "garbage", bill_number=second)
    runner.run("ifms_pis")
    treasury.clear()

    # The key is changed: accounts and calls of before stay readable.
    set_extra("ifms_treasury", log_key=NEW_KEY, old_log_keys=LOG_KEY)
    for dag_id in ("ifms_pi", "ifms_pis", "ifms_pag", "ifms_pd"):
        runner.run(dag_id)
    assert adapter.statuses()["SUCCESSFUL"] >= 3
    [paid, *_] = adapter.rows("SELECT pi_number FROM ifms.payment_instruction WHERE status = 'SUCCESSFUL'")
    failed.fail(adapter, 1, paid["pi_number"])
    treasury.rule("FD", "plain_reply", text=f'{{"data": [{{"accountNo": "{quoted}"}}', times=1)
    assert runner.run("ifms_fd") == "failed"
    runner.run("ifms_fd")
    failed.mend(adapter, account="846275913064")
    treasury.rule("COR", "lost_reply", times=1)
    for dag_id in ("ifms_cor", "ifms_pi", "ifms_cor", "ifms_ftps", "ifms_ftfps"):
        runner.run(dag_id)
    airflow_connections.ask_treasury("POST", "rules", {"service": "AUTH", "effect": "sek_bytes", "bytes": 31})
    runner.run("ifms_va")  # a login whose reply holds a token, and can't be taken
    treasury.clear()
    for dag_id in ("ifms_reconcile", "ifms_relay"):
        runner.run(dag_id)
    assert_money_is_right(adapter, treasury)

    # The run was as bad as it was meant to be, and all of it is where it is kept.
    rows = adapter.rows("SELECT DISTINCT service_id, outcome FROM ifms.treasury_call")
    said = {(row["service_id"], row["outcome"]) for row in rows}
    assert said >= {("PI", each) for each in ("answered", "rejected", "unknown")}
    assert said >= {
        ("AUTH", "answered"),
        ("AUTH", "unknown"),
        ("FD", "unknown"),
        ("COR", "unknown"),
        ("FTPS", "answered"),
    }
    assert adapter.statuses().keys() >= {"FAILED", "SUCCESSFUL", "COMPLETED"}
    assert adapter.rows("SELECT id FROM ifms.treasury_call WHERE shipped_at IS NULL") == []
    calls = adapter.rows("SELECT * FROM ifms.treasury_call")
    sealed = [(row, name) for row in calls for name in SEALED if row[name]]
    assert {old.key_id, both.key_id} == {bytes(row[name])[2:18].decode() for row, name in sealed}
    for row, name in sealed:
        call_text(row, name, both)

    secrets = secrets_of_calls(adapter, both) | {
        "client secret": {CLIENT_SECRET.encode()},
        "log key": {form for key in (LOG_KEY, NEW_KEY) for form in (key.encode(), base64.b64decode(key))},
        "signing key": {SIGNING_KEY.encode(), base64.b64decode(SIGNING_KEY)},
        "old log secret": {LEGACY_SECRET.encode()},
        "gateway token": {AUTH_TOKEN.encode()},
        "password": {PASSWORD.encode(), (urlsplit(adapter.dsn).password or "").encode()},
        "account": {each.encode() for each in accounts(adapter, both) | {quoted}},
    }
    assert all(secrets.values())
    documents = {index: json.dumps(elasticsearch.documents(index)).encode() for index in INDEXES}
    written = dump(adapter.dsn) | dump(airflow_db) | documents | {"task logs": runner.written.encode()}
    assert "DEBUG" in runner.written or "debug" in runner.written
    assert b"ifms_pi" in written["public.rendered_task_instance_fields"]
    assert all(written[f"ifms.{table}"] for table in ("outbox", "treasury_call", "status_log", "sweep_run"))
    assert all(documents.values())
    assert scrub.found(secrets, written) == set()
    figures.add("secrets and accounts searched for, of which none was written", sum(map(len, secrets.values())))


@pytest.mark.parametrize("around", [b"%s", b"x%s", b"xy%s", b"xyz%sxyz", b"{'a': %s}"])
def test_the_search_sees_each_form(around: bytes):
    secret = b"00123456789012\xff\xfe~"
    long = around % secret
    for text in (
        long,
        base64.b64encode(long),
        base64.urlsafe_b64encode(long),
        long.hex().encode(),
        long.hex().upper().encode(),
    ):
        assert scrub.found({"it": [secret]}, {"there": b"before " + text + b" after"}) == {"it in there"}
    assert scrub.found({"it": [secret]}, {"there": long.replace(b"9", b"8")}) == set()
