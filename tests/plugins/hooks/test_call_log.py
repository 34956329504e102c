"""CallLogHook: one question, put to the ledger or to Elasticsearch; its connection; nothing secret."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
from support.calls import ACCOUNT, TOKEN, exchange, failed, stored, write, write_many
from support.databases import as_reader

from ifms.delivery.call_log_export import ship
from ifms.errors import BadInputError, ConfigurationError
from ifms.sweep.run import Sweep

pytestmark = pytest.mark.airflow


def hook():
    from ifms_airflow.hooks import CallLogHook

    return CallLogHook()


@pytest.fixture
def connect(monkeypatch, elasticsearch):
    def made(host="127.0.0.1", **extra):
        described = elasticsearch.connection(**extra) | {"host": host}
        monkeypatch.setenv("AIRFLOW_CONN_IFMS_ELASTICSEARCH", json.dumps(described))

    return made


@pytest.fixture
def calls(ledger, airflow_connections):
    """Two calls of a bill, one of which went wrong."""
    return stored(ledger.db, write(ledger.db, exchange(), failed(1), exchange(2, bill_number="PI-SA/2")))


def test_the_ledger_and_elasticsearch_find_the_same(calls, connect, elasticsearch):
    connect()
    client = hook().get_conn()
    store = hook().store(client)
    store.prepare()
    store.write(calls)
    client.close()
    elasticsearch.client.indices.refresh(index="ifms-request-logs")
    for where in ("ledger", "elasticsearch"):
        page = hook().search(where, bill="PI-SA/1", since=calls[0].created_at)
        assert [(row.id, row.outcome, row.error) for row in page.rows] == [
            (str(calls[1].id), "unknown", "HTTP 500"),
            (str(calls[0].id), "answered", None),
        ]
        first = hook().search(where, limit=2)
        second = hook().search(where, limit=2, after=first.next)
        assert [row.id for row in (*first.rows, *second.rows)] == [str(call.id) for call in reversed(calls)]
        assert second.next is None
        assert hook().get_df(where)["id"].tolist() == [row.id for row in (*first.rows, *second.rows)]
        assert [len(chunk) for chunk in hook().get_df_by_chunks(where, chunksize=2)] == [2, 1]
        assert ACCOUNT not in repr(first)
        assert TOKEN not in repr(first)


def test_the_connections_extra_names_the_indexes_and_the_rest_is_the_clients(calls, connect, elasticsearch):
    connect(request_index="ifms-a", error_index="ifms-b", request_timeout=7, http_compress=True)
    client = hook().get_conn()
    hook().store(client).write(calls)
    client.close()
    assert [len(elasticsearch.documents(index)) for index in ("ifms-a", "ifms-b")] == [3, 1]


def test_the_test_button(connect, monkeypatch):
    connect()
    assert hook().test_connection() == (True, "Elasticsearch answers")
    monkeypatch.setenv(
        "AIRFLOW_CONN_IFMS_ELASTICSEARCH", '{"conn_type": "elasticsearch", "host": "127.0.0.1", "port": 1}'
    )
    good, said = hook().test_connection()
    assert not good
    assert "Elasticsearch" in said


def test_an_elasticsearch_8_works_where_airflow_is_told_so_and_says_so_where_it_is_not(
    calls, ledger, elasticsearch_8, monkeypatch
):
    address = {"conn_type": "elasticsearch", "host": "127.0.0.1", "port": elasticsearch_8.port, "schema": "http"}
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_ELASTICSEARCH", json.dumps(address))
    good, said = hook().test_connection()
    assert (good, "AIRFLOW__ELASTICSEARCH__ES_COMPAT_WITH=8" in said) == (False, True)
    monkeypatch.setenv("AIRFLOW__ELASTICSEARCH__ES_COMPAT_WITH", "8")
    client = hook().get_conn()
    with Sweep(ledger.db, "SHIP") as sweep:
        ship(sweep, hook().store(client))
    client.indices.refresh(index="ifms-request-logs")
    client.close()
    assert (sweep.counts["shipped"], sweep.problems) == (3, [])
    pages = [hook().search(where, bill="PI-SA/1", since=calls[0].created_at) for where in ("ledger", "elasticsearch")]
    assert [[(row.id, row.outcome) for row in page.rows] for page in pages] == [
        [(str(calls[1].id), "unknown"), (str(calls[0].id), "answered")]
    ] * 2
    assert hook().test_connection() == (True, "Elasticsearch answers")


def test_without_a_connection_the_ledger_is_asked_and_elasticsearch_is_not(calls):
    assert not hook().configured()
    assert len(hook().search().rows) == 3
    with pytest.raises(ConfigurationError, match="ifms_elasticsearch"):
        hook().search("elasticsearch")


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ({}, "host is missing"),
        ({"host": "es.example", "extra": {"request_index": "Not One"}}, "can't be an index"),
        ({"host": "es.example", "extra": {"unheard_of": 1}}, "unheard_of"),
    ],
)
def test_a_connection_that_can_not_work_is_named(monkeypatch, described, said):
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_ELASTICSEARCH", json.dumps({"conn_type": "elasticsearch"} | described))
    with pytest.raises(ConfigurationError, match=said) as raised:
        hook().store(hook().get_conn())
    assert "ifms_elasticsearch" in str(raised.value)


def test_a_question_that_makes_no_sense(calls):
    with pytest.raises(BadInputError):
        hook().search(limit=100_000)
    with pytest.raises(ConfigurationError, match="nowhere"):
        hook().search("nowhere")


# Frames ---------------------------------------------------------------------------------------------------------------


def test_all_calls_are_one_frame_with_the_types_of_a_call(calls):
    found = hook().get_df(bill="PI-SA/1")
    assert found["id"].tolist() == [str(calls[1].id), str(calls[0].id)]
    assert found["outcome"].tolist() == ["unknown", "answered"]
    assert found["status_code"].tolist() == [500, 200]
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == {
        "id": "string",
        "service_id": "string",
        "bill_number": "string",
        "outcome": "string",
        "status_code": "Int64",
        "error": "string",
        "duration_ms": "Int64",
        "created_at": "datetime64[us, UTC]",
    }
    assert found["created_at"][1] == calls[0].created_at
    nothing = hook().get_df(service="COR")
    assert (len(nothing), nothing.dtypes.to_dict()) == (0, found.dtypes.to_dict())
    assert ACCOUNT not in found.to_csv()
    assert TOKEN not in found.to_csv()


def test_a_frame_holds_all_or_says_that_it_does_not(calls):
    assert len(hook().get_df(at_most=3)) == 3
    with pytest.raises(BadInputError, match="more than 2 calls"):
        hook().get_df(at_most=2)


@pytest.mark.parametrize(("size", "lengths"), [(1, [1, 1, 1]), (2, [2, 1]), (3, [3]), (50, [3])])
def test_chunks_hold_the_same_calls_in_the_same_order(calls, size, lengths):
    chunks = list(hook().get_df_by_chunks(chunksize=size))
    assert [len(chunk) for chunk in chunks] == lengths
    assert [each for chunk in chunks for each in chunk["id"]] == [str(call.id) for call in reversed(calls)]


def test_more_calls_than_a_page_are_read_page_by_page(ledger, airflow_connections):
    write_many(ledger.dsn, 2500)
    found = hook().get_df()
    assert (len(found), found["id"].nunique()) == (2500, 2500)
    assert found["created_at"].is_monotonic_decreasing
    assert [len(chunk) for chunk in hook().get_df_by_chunks(chunksize=1200)] == [1200, 1200, 100]
    [nothing] = hook().get_df_by_chunks(service="COR")
    assert len(nothing) == 0
    with pytest.raises(BadInputError, match="chunksize 0"):
        next(hook().get_df_by_chunks(chunksize=0))


def test_who_only_reads_reports_finds_calls_too(calls, ledger, monkeypatch):
    dsn = urlsplit(as_reader(ledger.dsn))
    described = {
        "conn_type": "postgres",
        "host": dsn.hostname,
        "port": dsn.port,
        "login": dsn.username,
        "password": dsn.password,
        "schema": dsn.path.lstrip("/"),
    }
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_DB", json.dumps(described))
    assert len(hook().get_df()) == 3
