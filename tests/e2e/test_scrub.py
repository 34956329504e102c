"""Nothing that a run writes holds a secret or a whole account number, in clear, base64 or hex.

A cycle in which much goes wrong, as Airflow's own task runner runs it, with everything logged that can be; then all that
was written is searched.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from support import failed, figures
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.dags import RunDag
from support.databases import PASSWORD
from support.environment import Environment
from support.search_engine import SearchEngine
from support.simulators import CLIENT_SECRET, LOG_KEY, Simulators

from ifms.sealing import Sealer

pytestmark = [pytest.mark.timeout(600), pytest.mark.airflow]

REFUSED_IFSC = "SMPL0009999"
SHORTEST = 10  # characters of an encoded secret that are looked for: fewer might stand anywhere


def encodings(secret: bytes) -> Iterator[str]:
    """How a secret might stand in a text: as it is, in hex, and in base64 wherever in a longer one it begins."""
    if secret.isascii() and secret.decode("ascii").isprintable():
        yield secret.decode("ascii")
    yield secret.hex()
    yield secret.hex().upper()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            whole = encode(bytes(before) + secret).decode()
            part = whole[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
            if len(part) >= SHORTEST:
                yield part


def found_in(texts: Mapping[str, str], secrets: Mapping[str, bytes]) -> list[str]:
    """What was found where; the secret itself is not repeated."""
    return [
        f"{name} in {place}"
        for name, secret in secrets.items()
        for form in set(encodings(secret))
        for place, text in texts.items()
        if _stands(form, text)
    ]


def _stands(form: str, text: str) -> bool:
    """Whether a form stands in a text; a number only as a whole one, as sample accounts are mostly zeros."""
    return form in text and (not form.isdecimal() or re.search(rf"(?<!\d){form}(?!\d)", text) is not None)


def rows_of(dsn: str) -> dict[str, str]:
    """All rows of all tables of a database, a text each table."""
    texts = {}
    with psycopg.connect(dsn) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in tables:
            name = sql.Identifier(schema, table)
            found = connection.execute(sql.SQL("SELECT row_to_json(t)::text FROM {} t").format(name)).fetchall()
            texts[f"table {schema}.{table}"] = "\n".join(text for (text,) in found)
    return texts


def secrets_of(adapter: Adapter) -> dict[str, bytes]:
    """Every secret and every account number of the run, by a name that says nothing of it."""
    sealer = Sealer.from_config(LOG_KEY)
    password = urlsplit(adapter.dsn).password or ""
    known = {
        "the client secret": CLIENT_SECRET.encode(),
        "the log key": base64.b64decode(LOG_KEY),
        "the owner's password": password.encode(),
        "the worker's password": PASSWORD.encode(),
    }
    for call in adapter.rows("SELECT * FROM ifms.treasury_call"):
        for column in ("rek_sealed", "sek_sealed"):
            if call[column] is not None:
                known[f"{column} of call {call['id']}"] = base64.b64decode(sealer.open(call[column]))
        if call["auth_token_sealed"] is not None:
            known[f"the token of call {call['id']}"] = sealer.open(call["auth_token_sealed"])
    for row in adapter.rows("SELECT * FROM ifms.beneficiary"):
        known[f"the account of {row['beneficiary_number']} in {row['payment_instruction_id']}"] = sealer.open(
            row["account_sealed"]
        )
    return known


@pytest.fixture
def connected(
    airflow_connections: Simulators, elasticsearch: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> SearchEngine:
    """Elasticsearch as a connection of Airflow's, beside the others."""
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_ELASTICSEARCH", json.dumps(elasticsearch.connection()))
    return elasticsearch


def everything_that_goes_wrong(run_dag: RunDag, adapter: Adapter, treasury: Treasury) -> None:
    """Declined, lost, garbage, rejected, failed and corrected, and a payee that can't be paid."""
    broken = {"type": "wage", "tenantId": failed.TENANT, "payees": 2}
    adapter.simulators.ask_platform("POST", "bills", broken | {"broken": "masked"})
    adapter.simulators.ask_platform("POST", "bills", broken | {"broken": "bad_ifsc"})
    run_dag("ifms_va")
    declined = {"errorMsgs": [{"errorCode": "340", "errorMsg": "Wrong IFSC provided in Beneficiary Details"}]}
    for effect, options in (("lost_reply", {}), ("garbage", {}), ("error", declined), ("expired_session", {})):
        failed.wage_bill(adapter)
        run_dag("ifms_pa")
        treasury.rule("PI", effect, times=1, **options)
        run_dag("ifms_pi")
    run_dag("ifms_pi")
    for service, effects in (("PIS", ("cut_reply", "reject")), ("PAG", ("html",)), ("PD", ("other_bill", "wrong_key"))):
        for effect in effects:
            treasury.rule(service, effect, times=1)
            run_dag(f"ifms_{service.lower()}")
        run_dag(f"ifms_{service.lower()}")
    treasury.clear()
    paid = adapter.rows("SELECT pi_number FROM ifms.payment_instruction WHERE status = 'SUCCESSFUL' ORDER BY pi_number")
    failed.fail(adapter, 1, paid[0]["pi_number"])
    run_dag("ifms_fd")
    failed.mend(adapter)
    for dag_id in ("ifms_cor", "ifms_ftps", "ifms_ftfps", "ifms_reconcile", "ifms_relay"):
        run_dag(dag_id)


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0, "persist_ms": 0})
def test_no_secret_and_no_account_number_is_written_anywhere(
    run_dag: RunDag,
    connected: SearchEngine,
    adapter: Adapter,
    treasury: Treasury,
    airflow_db: str,
    process_environment: Environment,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
):
    caplog.set_level(logging.DEBUG)
    for name in ("ifms", "urllib3", "requests", "psycopg", "elastic_transport", "airflow.task"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    everything_that_goes_wrong(run_dag, adapter, treasury)
    assert_money_is_right(adapter, treasury)
    statuses = adapter.statuses()
    assert {"SUCCESSFUL", "FAILED", "COMPLETED"} <= set(statuses), statuses

    secrets = secrets_of(adapter)
    printed = capfd.readouterr()
    written: dict[str, str] = {
        "the log": "\n".join(filter(None, map(_said, caplog.records))),
        "stdout": printed.out,
        "stderr": printed.err,
        **{f"Airflow's {name}": text for name, text in rows_of(airflow_db).items()},
        **rows_of(adapter.dsn),
        **{f"index {index}": str(connected.documents(index)) for index in ("ifms-request-logs", "ifms-error-logs")},
        **{f"file {path.name}": path.read_text(errors="replace") for path in _files(process_environment.home)},
    }
    assert "ifms" in written["the log"] + written["stdout"]
    assert len(written["index ifms-request-logs"]) > 1000
    assert found_in(written, secrets) == []
    figures.add("secrets and accounts searched for, of which none was written", len(secrets))


def test_the_search_finds_a_secret_in_any_of_its_forms():
    secret = b"000012345678"
    for before in range(3):
        for form in (
            secret.decode(),
            secret.hex(),
            base64.b64encode(b"x" * before + secret + b"yy").decode(),
            base64.urlsafe_b64encode(b"?" * before + secret).decode(),
        ):
            assert found_in({"place": f"before {form} after"}, {"name": secret}), form
    assert found_in({"place": "000012345679 " + base64.b64encode(b"000012345679").decode()}, {"name": secret}) == []


def _said(record: logging.LogRecord) -> str:
    return f"{record.name} {record.getMessage()} {record.exc_text or ''} {_extras(record)}"


def _extras(record: logging.LogRecord) -> Any:
    return {name: value for name, value in vars(record).items() if name not in ("msg", "args")}


def _files(home: Path) -> Iterable[Path]:
    return (path for path in (home / "logs").rglob("*") if path.is_file())
