"""The ledger's connection: bounded in time, in UTC, and gone when it is closed."""

from __future__ import annotations

import inspect
import json
import tracemalloc
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import errors
from support.databases import as_reader
from support.ledger import TENANT, Ledger

from ifms.errors import BadInputError
from ifms.queries import views

pytestmark = pytest.mark.airflow


def connection_to(address: str) -> dict[str, object]:
    """An Airflow connection to the ledger of a DSN."""
    dsn = urlsplit(address)
    return {
        "conn_type": "postgres",
        "host": dsn.hostname,
        "port": dsn.port,
        "login": dsn.username,
        "password": dsn.password,
        "schema": dsn.path.lstrip("/"),
    }


@pytest.fixture
def _connection(ledger_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    described = connection_to(ledger_dsn)
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_DB", json.dumps(described))
    monkeypatch.setenv("AIRFLOW_CONN_ANOTHER", json.dumps(described))


def shown(ledger, setting: str) -> str:
    return ledger.transact(lambda c: c.execute(f"SHOW {setting}").fetchone()[0])


@pytest.mark.usefixtures("_connection")
def test_sessions_are_bounded_and_in_utc():
    from ifms_airflow.hooks import LedgerHook

    with LedgerHook().ledger() as ledger:
        assert shown(ledger, "statement_timeout") == "5min"
        assert shown(ledger, "lock_timeout") == "30s"
        assert shown(ledger, "idle_in_transaction_session_timeout") == "1min"
        assert shown(ledger, "timezone") == "UTC"


@pytest.mark.usefixtures("_connection")
def test_the_timeout_of_a_statement_and_the_connection_can_be_chosen():
    from ifms_airflow.hooks import LedgerHook

    with LedgerHook("another", statement_timeout=timedelta(seconds=7)).ledger() as ledger:
        assert shown(ledger, "statement_timeout") == "7s"


@pytest.mark.usefixtures("_connection")
def test_the_data_team_reads_the_tables():
    from ifms_airflow.hooks import LedgerHook

    assert LedgerHook().get_records("SELECT count(*) FROM ifms.payment_instruction") == [(0,)]


@pytest.mark.parametrize(
    ("extra", "prepared"),
    [({}, 0), ({"prepare_threshold": 5}, 1), ({"prepare_threshold": None}, 0)],
)
def test_more_statements_are_prepared_where_the_connection_says_so(
    ledger_dsn: str, monkeypatch: pytest.MonkeyPatch, extra: dict[str, object], prepared: int
):
    from ifms_airflow.hooks import LedgerHook

    monkeypatch.setenv("AIRFLOW_CONN_IFMS_DB", json.dumps(connection_to(ledger_dsn) | {"extra": extra}))
    with LedgerHook().ledger() as ledger:
        for _ in range(10):
            ledger.transact(lambda c: c.execute("SELECT %s::int", (1,)).fetchone())
        assert ledger.transact(lambda c: c.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()) == (
            prepared,
        )


@pytest.mark.usefixtures("_connection")
def test_a_closed_ledger_leaves_no_session(ledger_dsn: str):
    from ifms_airflow.hooks import LedgerHook

    with LedgerHook().ledger() as ledger:
        pid = ledger.transact(lambda c: c.execute("SELECT pg_backend_pid()").fetchone()[0])
    with psycopg.connect(ledger_dsn) as other:
        gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND state <> 'disabled'"
        for _ in range(100):
            if other.execute(gone, (pid,)).fetchone() == (0,):
                break
            other.execute("SELECT pg_sleep(0.05)")
            other.commit()
        else:
            pytest.fail("the session is still there")


@pytest.mark.usefixtures("_connection")
def test_nothing_is_asked_of_the_database_before_it_is_used(monkeypatch: pytest.MonkeyPatch):
    from ifms_airflow.hooks import LedgerHook

    monkeypatch.setattr(LedgerHook, "get_conn", lambda self: pytest.fail("connected too early"))
    with LedgerHook().ledger():
        pass


def test_names_that_airflow_goes_by():
    from ifms_airflow.hooks import LedgerHook

    assert (LedgerHook.conn_name_attr, LedgerHook.default_conn_name) == ("ledger_conn_id", "ifms_db")
    assert LedgerHook.conn_type == "postgres"


# Frames ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def _reader(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection of somebody who only reads, on a ledger with five PIs of 100, and a payment that waits for one."""
    ledger.fund(1000)
    for _ in range(5):
        ledger.instruct(*ledger.payment(100))
    ledger.payment(100)
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_DB", json.dumps(connection_to(as_reader(ledger.dsn))))


# What each question to a view asks for, so that it finds what the fixture wrote, and so that it finds nothing.
QUESTIONS: dict[str, tuple[str, dict[str, Any], dict[str, Any], int]] = {
    "fund_register": ("fund_register", {"financial_year": "2024-25"}, {"financial_year": "1999-00"}, 1),
    "payment_instructions": ("payment_instruction_summary", {}, {"tenants": []}, 5),
    "open_payment_instructions": (
        "open_payment_instruction",
        {"statuses": ["PENDING"]},
        {"older_than": timedelta(days=1)},
        5,
    ),
    "failed_beneficiaries": ("failed_beneficiary", {}, {"days_left_at_most": 1}, 0),
    "beneficiary_payments": (
        "beneficiary_payment",
        {"statuses": ["Payment Pending"], "tenants": [TENANT]},
        {"utr_numbers": ["U1"]},
        10,
    ),
    "sanctions": ("sanction_summary", {"tenants": [TENANT]}, {"hoa_codes": ["none"]}, 1),
    "status_history": ("status_history", {"services": ["PI"]}, {"pi_numbers": ["PI-XX/1"]}, 0),
    "unmatched_failures": ("unmatched_failure", {"states": ["OPEN"]}, {"bill_numbers": ["PI-XX/1"]}, 0),
    "doubtful_transfers": ("doubtful_transfer", {"states": ["OPEN"]}, {"pi_numbers": ["PI-XX/1"]}, 0),
    "waiting_payments": ("waiting_payment", {"tenants": [TENANT]}, {"hold_codes": ["none"]}, 1),
}


def test_each_question_to_a_view_has_its_frame_with_the_same_arguments():
    from ifms_airflow.hooks import LedgerHook

    asked = {
        name: function
        for name, function in inspect.getmembers(views, inspect.isfunction)
        if function.__module__ == views.__name__ and not name.startswith("_")
    }
    assert asked.keys() == QUESTIONS.keys()
    for name, function in asked.items():
        offered = dict(inspect.signature(getattr(LedgerHook, f"{name}_df")).parameters)
        del offered["self"]
        assert list(offered) == list(inspect.signature(function).parameters), name


@pytest.mark.usefixtures("_reader")
@pytest.mark.parametrize("name", QUESTIONS)
def test_frames_have_the_types_of_the_database_also_without_a_row(name: str):
    from ifms_airflow.hooks import LedgerHook

    hook = LedgerHook()
    view, some, none, rows = QUESTIONS[name]
    full, empty = getattr(hook, f"{name}_df")(**some), getattr(hook, f"{name}_df")(**none)
    assert full.dtypes.to_dict() == empty.dtypes.to_dict()
    assert (len(full), len(empty)) == (rows, 0)
    assert list(full.columns) == list(hook.get_df(f"SELECT * FROM ifms.{view}").columns)
    if (by_chunks := getattr(hook, f"{name}_by_chunks", None)) is not None:
        chunks = list(by_chunks(chunksize=3, **some))
        assert [len(chunk) for chunk in chunks] == [3] * (rows // 3) + [rows % 3] * (rows % 3 > 0 or rows == 0)
        assert [*chunks[0].columns] == [*full.columns]
        batches = list(getattr(hook, f"{name}_by_batches")(rows=3, **some))
        assert [batch.num_rows for batch in batches] == [3] * (rows // 3) + [rows % 3] * (rows % 3 > 0)
        assert all(batch.schema.names == [*full.columns] for batch in batches)
        assert list(getattr(hook, f"{name}_by_batches")(**none)) == []


@pytest.mark.usefixtures("_reader")
def test_batches_hold_what_frames_hold():
    import pyarrow as pa
    import pyarrow.compute as pc

    from ifms_airflow.hooks import LedgerHook

    hook = LedgerHook()
    table = pa.Table.from_batches(hook.beneficiary_payments_by_batches(rows=4))
    frame = hook.beneficiary_payments_df()
    assert pc.sum(table["amount"]).as_py() == frame["amount"].sum() == Decimal(500)
    for name in ("pi_number", "beneficiary_number", "bill_numbers", "created_at", "voucher_date", "reason"):
        known = frame[name].astype(object)
        assert table[name].to_pylist() == known.where(known.notna(), None).tolist(), name
    with pytest.raises(BadInputError, match="less than one row"):
        hook.get_batches("SELECT 1", rows=0)
    with pytest.raises(errors.InsufficientPrivilege):
        list(hook.get_batches("SELECT name FROM ifms.beneficiary"))


@pytest.mark.usefixtures("_reader")
def test_rupees_are_decimals():
    from ifms_airflow.hooks import LedgerHook

    amounts = LedgerHook().payment_instructions_df()["net_amount"]
    assert amounts.sum() == Decimal(500)
    assert {type(amount) for amount in amounts} == {Decimal}


@pytest.mark.usefixtures("_reader")
def test_parameters_go_beside_the_statement():
    from ifms_airflow.hooks import LedgerHook

    hook = LedgerHook()
    statement = "SELECT pi_number FROM ifms.payment_instruction_summary WHERE "
    assert len(hook.get_df(f"{statement} status = %s AND tenant_id = ANY(%s)", ("PENDING", [TENANT]))) == 5
    assert len(hook.get_df(f"{statement} status = %(status)s", {"status": "' OR true --"})) == 0
    assert len(hook.get_df(f"{statement} pi_number LIKE 'PI-SA/%'")) == 5  # a % is a % where no value is given
    assert hook.get_df(["SET LOCAL timezone = 'Asia/Kolkata'", "SHOW timezone"])["TimeZone"].tolist() == [
        "Asia/Kolkata"
    ]


@pytest.mark.usefixtures("_connection")
def test_a_frame_can_not_write_whoever_asks():
    from ifms_airflow.hooks import LedgerHook

    for statement in ("UPDATE ifms.sanction SET updated_at = now() RETURNING id", "DELETE FROM ifms.outbox"):
        with pytest.raises(errors.ReadOnlySqlTransaction):
            LedgerHook().get_df(statement)
        with pytest.raises((errors.ReadOnlySqlTransaction, errors.SyntaxError)):
            list(LedgerHook().get_df_by_chunks(statement, chunksize=1))


@pytest.mark.usefixtures("_reader")
def test_a_reader_gets_no_table():
    from ifms_airflow.hooks import LedgerHook

    with pytest.raises(errors.InsufficientPrivilege):
        LedgerHook().get_df("SELECT * FROM ifms.beneficiary")


@pytest.mark.usefixtures("_connection")
def test_what_is_sealed_goes_into_no_frame():
    from ifms_airflow.hooks import LedgerHook

    with pytest.raises(BadInputError, match="account_sealed"):
        LedgerHook().get_df("SELECT id, account_sealed FROM ifms.beneficiary")


@pytest.mark.usefixtures("_connection")
def test_a_question_that_runs_too_long_is_ended():
    from ifms_airflow.hooks import LedgerHook

    hook = LedgerHook(statement_timeout=timedelta(milliseconds=200))
    with pytest.raises(errors.QueryCanceled):
        hook.get_df("SELECT pg_sleep(60)::text AS slept")
    with pytest.raises(errors.QueryCanceled):
        next(hook.get_df_by_chunks("SELECT pg_sleep(60)::text AS slept", chunksize=1))


@pytest.mark.usefixtures("_reader")
@pytest.mark.parametrize(("size", "lengths"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (9, [5])])
def test_chunks_hold_the_same_rows_in_the_same_order(size: int, lengths: list[int]):
    from ifms_airflow.hooks import LedgerHook

    hook = LedgerHook()
    whole = hook.payment_instructions_df()
    chunks = list(hook.payment_instructions_by_chunks(chunksize=size))
    assert [len(chunk) for chunk in chunks] == lengths
    assert [number for chunk in chunks for number in chunk["id"]] == list(whole["id"])
    assert all(chunk.dtypes.to_dict() == whole.dtypes.to_dict() for chunk in chunks)


@pytest.mark.usefixtures("_reader")
def test_no_row_is_one_empty_frame_and_the_register_comes_by_chunks_too():
    from ifms_airflow.hooks import LedgerHook

    [nothing] = LedgerHook().fund_register_by_chunks("1999-00")
    assert list(nothing.dtypes) == list(LedgerHook().fund_register_df("1999-00").dtypes)
    [one] = LedgerHook().fund_register_by_chunks("2024-25", tenants=[TENANT])
    assert one["transaction_type"].tolist() == ["Initial Allotment"]


@pytest.mark.usefixtures("_connection")
def test_chunks_hold_one_frame_at_a_time_and_wait_for_a_slow_reader():
    """A hundred thousand rows are not fetched for the first ten; between two frames the session may stand still for as long as
    a statement may run, where a task that writes may not."""
    from ifms_airflow.hooks import LedgerHook

    hook = LedgerHook()
    asked = "SELECT n, current_setting('idle_in_transaction_session_timeout') AS idle, repeat('x', 1000) AS filler FROM generate_series(1, 100000) n"
    chunks = hook.get_df_by_chunks(asked, chunksize=10)
    tracemalloc.start()
    first, second = next(chunks), next(chunks)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert first["n"].tolist() + second["n"].tolist() == list(range(1, 21))
    assert set(first["idle"]) == {"5min"}
    assert most < 20_000_000  # all rows are a hundred million bytes
    chunks.close()  # gives the session back: nothing is left of it
    with pytest.raises(StopIteration):
        next(chunks)


@pytest.mark.usefixtures("_connection")
def test_what_airflows_own_frames_offer_and_these_do_not_is_said():
    from ifms_airflow.hooks import LedgerHook

    hook = LedgerHook()
    with pytest.raises(ValueError, match="polars"):
        hook.get_df("SELECT 1 AS n", df_type="polars")
    with pytest.raises(TypeError, match="coerce_float"):
        hook.get_df("SELECT 1 AS n", coerce_float=True)
    with pytest.raises(BadInputError, match="chunksize 0"):
        hook.get_df_by_chunks("SELECT 1 AS n", chunksize=0)
    with pytest.raises(BadInputError, match="one statement"):
        hook.get_df_by_chunks(["SELECT 1 AS n", "SELECT 2 AS n"], chunksize=1)
    assert hook.get_pandas_df("SELECT 1.10 AS n")["n"].tolist() == [Decimal("1.10")]  # its older name
