"""Calls on their way to a real Elasticsearch: all arrive, once; none is dropped; and old ones leave the ledger."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import pytest
from elasticsearch import Elasticsearch
from support.calls import exchange, failed, write, write_many

from ifms.calllog.elastic import CallStore, Indexes
from ifms.clock import now
from ifms.delivery import call_log_export
from ifms.delivery.call_log_export import remove_old, ship
from ifms.errors import SweepNeedsAttentionError, SweepStoppedError
from ifms.ledger import call_store
from ifms.sweep.run import Sweep

REQUESTS, ERRORS = "ifms-request-logs", "ifms-error-logs"


@pytest.fixture
def store(elasticsearch):
    return CallStore(elasticsearch.client)


@pytest.fixture
def run(ledger, store):
    """`run()`: one sweep that ships; it ends as its task would."""

    def ships(to=store, **options):
        with Sweep(ledger.db, "SHIP", **{k: options.pop(k) for k in ("stop",) if k in options}) as sweep:
            ship(sweep, to, **options)
        return sweep

    return ships


def waiting(ledger):
    return ledger.one("SELECT count(*) FROM ifms.treasury_call WHERE shipped_at IS NULL")


def test_everything_arrives_once(ledger, ledger_dsn, run, elasticsearch, monkeypatch):
    monkeypatch.setattr(call_log_export, "BATCH", 7)
    write_many(ledger_dsn, 40)
    write(ledger.db, failed(), failed(1, "rejected"))
    assert run().counts["shipped"] == 42
    assert waiting(ledger) == 0
    assert len(elasticsearch.documents(REQUESTS)) == 42
    assert len(elasticsearch.documents(ERRORS)) == 2
    assert run().counts["shipped"] == 0


def test_a_run_that_dies_after_sending_and_before_writing_doubles_nothing(ledger, run, elasticsearch, monkeypatch):
    write(ledger.db, exchange(), failed(1))

    def dies(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(call_store, "mark_shipped", dies)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert waiting(ledger) == 2
    assert run().counts["shipped"] == 2
    assert (len(elasticsearch.documents(REQUESTS)), len(elasticsearch.documents(ERRORS))) == (2, 1)


def test_what_is_refused_is_set_aside_and_the_rest_goes_on(ledger, ledger_dsn, run, elasticsearch, monkeypatch):
    monkeypatch.setattr(call_log_export, "BATCH", 2)
    elasticsearch.client.indices.create(index=REQUESTS, mappings={"properties": {"statusCode": {"type": "byte"}}})
    ids = write(
        ledger.db, exchange(0, status_code=1), failed(1), exchange(2, status_code=2), exchange(3, status_code=3)
    )
    with pytest.raises(SweepNeedsAttentionError, match=str(ids[1])):
        run()
    row = ledger.row("SELECT id, ship_error FROM ifms.treasury_call WHERE shipped_at IS NULL")
    assert row[0] == ids[1]
    assert "statusCode" in row[1]
    assert run().counts["shipped"] == 0  # it stays aside
    elasticsearch.client.indices.delete(index=REQUESTS)
    assert run(again=True).counts["shipped"] == 1
    assert waiting(ledger) == 0


def test_a_read_only_index_is_a_remark_and_is_caught_up_with(ledger, ledger_dsn, run, elasticsearch, monkeypatch):
    monkeypatch.setattr(call_log_export, "BATCH", 10)
    write_many(ledger_dsn, 10)
    run()
    elasticsearch.block_writes(REQUESTS)
    write_many(ledger_dsn, 30)
    sweep = run()
    assert "block" in sweep.problems[0]
    assert (sweep.counts["shipped"], waiting(ledger)) == (0, 30)
    elasticsearch.block_writes(REQUESTS, blocked=False)
    assert run().counts["shipped"] == 30
    assert len(elasticsearch.documents(REQUESTS)) == 40


def test_one_blocked_index_does_not_hold_up_the_other(ledger, run, elasticsearch, monkeypatch):
    monkeypatch.setattr(call_log_export, "BATCH", 2)
    write(ledger.db, failed())
    run()
    elasticsearch.block_writes(ERRORS)
    write(ledger.db, failed(1), exchange(2), failed(3), exchange(4), exchange(5))
    assert run().counts["shipped"] == 3
    assert waiting(ledger) == 2
    elasticsearch.block_writes(ERRORS, blocked=False)
    assert run().counts["shipped"] == 2


def test_an_elasticsearch_that_hangs_costs_one_deadline_and_loses_nothing(ledger, ledger_dsn, run, elasticsearch):
    write_many(ledger_dsn, 20)
    impatient = CallStore(elasticsearch.client.options(request_timeout=0.5))
    with elasticsearch.stopped():
        sweep = run(impatient)
        assert "Elasticsearch" in sweep.problems[0]
    assert waiting(ledger) == 20
    assert run().counts["shipped"] == 20


def test_calls_that_wait_for_a_day_are_loud(ledger, run, elasticsearch):
    write(ledger.db, exchange(started_at=now() - timedelta(hours=23)))
    run()
    elasticsearch.block_writes(REQUESTS)
    write(ledger.db, exchange(started_at=now() - timedelta(hours=23)))
    run()
    write(ledger.db, exchange(started_at=now() - timedelta(hours=25)))
    with pytest.raises(SweepNeedsAttentionError, match="none is lost"):
        run()


def test_what_was_announced_by_a_dead_process_is_shipped_and_again_when_completed(ledger, run, elasticsearch):
    call_id = ledger.one(
        """
        INSERT INTO ifms.treasury_call (id, service_id, bill_number, created_at)
        VALUES (gen_random_uuid(), 'PI', 'PI-SA/1', now() - interval '2 hours') RETURNING id
        """
    )
    assert run().counts["shipped"] == 1
    assert [each["outcome"] for each in elasticsearch.documents(REQUESTS)] == [None]
    with ledger.connect() as connection:
        connection.execute(
            "UPDATE ifms.treasury_call SET outcome = 'unknown', shipped_at = NULL WHERE id = %s", (call_id,)
        )
    assert run().counts["shipped"] == 1
    assert [each["outcome"] for each in elasticsearch.documents(REQUESTS)] == ["unknown"]


def test_a_second_run_leaves_it_to_the_first(ledger, ledger_dsn, run):
    write_many(ledger_dsn, 3)
    ledger.db.transact(call_store.claim_shipping)
    assert "another run" in run().problems[0]
    assert waiting(ledger) == 3


def test_a_run_ends_in_time_and_the_next_goes_on(ledger, ledger_dsn, run):
    write_many(ledger_dsn, 3)
    assert run(longest=timedelta(0)).counts["shipped"] == 0
    assert run().counts["shipped"] == 3


def test_a_stopped_run_stops(ledger, ledger_dsn, run):
    write_many(ledger_dsn, 3)
    stop = threading.Event()
    stop.set()
    with pytest.raises(SweepStoppedError):
        run(stop=stop)
    assert waiting(ledger) == 3
    assert run().counts["shipped"] == 3  # the right to ship was given back


def test_a_batch_is_bounded_in_memory(ledger, run, elasticsearch, monkeypatch):
    batches = []
    write_to = CallStore.write

    def watched(store, batch):
        batches.append(len(batch))
        return write_to(store, batch)

    monkeypatch.setattr(CallStore, "write", watched)
    monkeypatch.setattr(call_log_export, "BATCH_BYTES", 100_000)
    write(ledger.db, *(exchange(number, encrypted_response="x" * 60_000) for number in range(5)))
    assert run().counts["shipped"] == 5
    assert batches == [1] * 5


def test_other_indexes(ledger, run, elasticsearch):
    write(ledger.db, failed())
    run(CallStore(elasticsearch.client, Indexes("ifms-a", "ifms-b")))
    assert [len(elasticsearch.documents(index)) for index in ("ifms-a", "ifms-b")] == [1, 1]


# An end to keeping ----------------------------------------------------------------------------------------------------


@pytest.fixture
def removal(ledger):
    def removes(keep=timedelta(days=100), *, unshipped_too=False):
        with Sweep(ledger.db, "REMOVE_CALLS") as sweep:
            remove_old(sweep, keep, unshipped_too=unshipped_too)
        return sweep.counts["removed"]

    return removes


@pytest.fixture
def old(ledger, ledger_dsn):
    write_many(ledger_dsn, 25)
    with psycopg.connect(ledger_dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ifms.treasury_call SET created_at = created_at - interval '101 days'")


def test_old_calls_are_removed_in_batches_once_they_are_shipped(old, removal, run, ledger, ledger_dsn, monkeypatch):
    monkeypatch.setattr(call_log_export, "REMOVED_AT_A_TIME", 10)
    assert removal() == 0
    run()
    write_many(ledger_dsn, 2, shipped_at=now())
    assert removal() == 25
    assert ledger.one("SELECT count(*) FROM ifms.treasury_call") == 2


def test_without_an_elasticsearch_only_where_that_is_said(old, removal):
    assert removal() == 0
    assert removal(unshipped_too=True) == 25


# Servers of another kind ---------------------------------------------------------------------------------------------


def test_an_elasticsearch_of_another_version_is_red_at_once_and_named(ledger, run, elasticsearch_8):
    write(ledger.db, exchange())
    with (
        Elasticsearch(elasticsearch_8.url, request_timeout=60, max_retries=0) as client,
        pytest.raises(
            SweepNeedsAttentionError,
            match=r"Elasticsearch 8\.19\.0, and its client here is 9\..*AIRFLOW__ELASTICSEARCH__ES_COMPAT_WITH=8",
        ),
    ):
        run(CallStore(client))
    assert waiting(ledger) == 1


class OpenSearch(BaseHTTPRequestHandler):
    """Answers as OpenSearch does: it knows no media types of Elasticsearch's, and says what it is."""

    def _answer(self, status, body):
        told = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def do_GET(self):
        self._answer(200, {"version": {"distribution": "opensearch", "number": "2.19.1"}})

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.headers["Content-Type"]
        self._answer(406, {"error": f"Content-Type header [{kind}] is not supported", "status": 406})

    def log_message(self, *_):
        """Say nothing."""


def test_an_opensearch_is_refused_by_its_name(ledger, run):
    write(ledger.db, exchange())
    server = ThreadingHTTPServer(("127.0.0.1", 0), OpenSearch)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        with (
            Elasticsearch(f"http://127.0.0.1:{server.server_port}", max_retries=0) as client,
            pytest.raises(SweepNeedsAttentionError, match=r"opensearch 2\.19\.1, which .* use Elasticsearch 8 or 9"),
        ):
            run(CallStore(client))
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
    assert waiting(ledger) == 1


def test_a_site_s_own_template_is_a_remark_and_calls_are_shipped(ledger, run, elasticsearch):
    elasticsearch.client.indices.put_index_template(
        name="site", index_patterns=["ifms-*"], priority=500, template={"settings": {"number_of_replicas": 0}}
    )
    write(ledger.db, exchange(), failed(1))
    sweep = run()
    assert [REQUESTS in each or ERRORS in each for each in sweep.problems] == [True, True]
    assert all("same priority" in each and "shipped all the same" in each for each in sweep.problems)
    assert (sweep.counts["shipped"], waiting(ledger)) == (2, 0)
