"""What shipping the log of calls costs: a ledger's calls into a real Elasticsearch, against its bulk helper alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
from elasticsearch import Elasticsearch, helpers
from tests.support.elasticsearch.server import UnavailableError, running

from bench.figures import Shipping
from ifms.calllog.documents import request_document
from ifms.calllog.elastic import CHUNK_BYTES, CHUNK_DOCUMENTS, CallStore
from ifms.clock import now
from ifms.delivery.call_log_export import BATCH, BATCH_BYTES, GIVEN_UP_AFTER, ship
from ifms.ledger import call_store, session
from ifms.ledger.database import Database
from ifms.sweep.run import Sweep
from ifms_standalone.errors import StandaloneError

ALONE = "bench-bulk-alone"
WARM = 5000  # documents that nobody counts: a JVM is slow at first


def multiply(dsn: str, number: int) -> None:
    """Leave `number` calls in the ledger, all like one that is there: as long, and sealed, as a sweep wrote it."""
    with psycopg.connect(dsn) as connection:
        connection.execute(
            """
            WITH one AS (SELECT * FROM ifms.treasury_call WHERE service_id = 'PIS' LIMIT 1),
                 others AS (DELETE FROM ifms.treasury_call)
            INSERT INTO ifms.treasury_call (id, service_id, bill_number, request_sealed, rek_sealed, sek_sealed,
                auth_token_sealed, enc_request, enc_response, status_code, outcome, duration_ms, created_at)
            SELECT gen_random_uuid(), service_id, bill_number, request_sealed, rek_sealed, sek_sealed,
                auth_token_sealed, enc_request, enc_response, status_code, outcome, duration_ms, %s
            FROM one, generate_series(1, %s)
            """,
            (now(), number),
        )


def measure_shipping(dsn: str, number: int) -> Shipping | str:
    """Ship `number` calls; a sentence where there can be no Elasticsearch."""
    multiply(dsn, number)
    try:
        with (
            running({"discovery.type": "single-node"}) as node,
            Elasticsearch(node.url, request_timeout=60, max_retries=0) as client,
            Database(lambda: session.connect(dsn)) as db,
        ):
            store = CallStore(client)
            store.prepare()
            _bulk_alone(client, db, store, min(number, WARM))
            alone = _bulk_alone(client, db, store, number)
            started = time.perf_counter()
            with Sweep(db, "SHIP") as sweep:
                ship(sweep, store, longest=timedelta(days=1))
            seconds = time.perf_counter() - started
    except UnavailableError as reason:
        return str(reason)
    if sweep.counts["shipped"] != number:
        raise StandaloneError(f"Of {number} calls, {sweep.counts['shipped']} were shipped.")
    return Shipping(number, seconds, alone, 2.5)


def _bulk_alone(client: Elasticsearch, db: Database, store: CallStore, number: int) -> float:
    """Seconds that the client's bulk helper takes for as many documents: of one batch, each with its own id."""
    mapping = client.indices.simulate_index_template(name=store.indexes.requests)["template"]["mappings"]
    client.indices.create(index=ALONE, mappings=mapping, settings={"number_of_shards": 1})
    batch = db.transact(
        lambda c: call_store.unshipped(c, limit=BATCH, most_bytes=BATCH_BYTES, given_up_after=GIVEN_UP_AFTER)
    )
    ready = [request_document(call) for call in batch]

    def actions() -> Iterator[dict[str, Any]]:
        for place in range(number):
            yield {"_index": ALONE, "_id": str(uuid4()), "_source": ready[place % len(ready)]}

    started = time.perf_counter()
    helpers.bulk(client, actions(), chunk_size=CHUNK_DOCUMENTS, max_chunk_bytes=CHUNK_BYTES)
    seconds = time.perf_counter() - started
    client.indices.delete(index=ALONE)
    return seconds
