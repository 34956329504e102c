"""The call log in a real Elasticsearch: what arrives, what is refused, what is for later, what is found."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from support.calls import ACCOUNT, exchange, failed, stored, write

from ifms.calllog.elastic import CallStore, Indexes
from ifms.calllog.search import CallQuery, search_ledger
from ifms.errors import CallStoreError, ConfigurationError

REQUESTS, ERRORS = "ifms-request-logs", "ifms-error-logs"


@pytest.fixture
def store(elasticsearch):
    made = CallStore(elasticsearch.client)
    made.prepare()
    return made


@pytest.fixture
def calls(ledger):
    said = [exchange(0), exchange(1, bill_number="PI-SA/2"), failed(2), failed(3, "rejected", service_id="PIS")]
    return stored(ledger.db, write(ledger.db, *said))


def test_each_call_is_a_request_and_what_went_wrong_an_error_too(store, calls, elasticsearch):
    written = store.write(calls)
    assert (written.taken, written.refused, written.later) == (calls, {}, [])
    assert {each["id"] for each in elasticsearch.documents(REQUESTS)} == {str(call.id) for call in calls}
    assert {each["requestId"] for each in elasticsearch.documents(ERRORS)} == {str(call.id) for call in calls[2:]}


def test_twice_changes_nothing(store, calls, elasticsearch):
    store.write(calls)
    first = elasticsearch.documents(REQUESTS)
    assert store.write(calls).taken == calls
    key = lambda each: each["id"]  # noqa: E731
    assert sorted(elasticsearch.documents(REQUESTS), key=key) == sorted(first, key=key)


def test_a_completed_call_replaces_its_announcement_and_never_the_other_way(store, calls, elasticsearch):
    announced = replace(calls[0], outcome=None)
    store.write([announced])
    assert elasticsearch.documents(REQUESTS)[0]["outcome"] is None
    store.write([calls[0]])
    assert elasticsearch.documents(REQUESTS)[0]["outcome"] == "answered"
    written = store.write([announced])  # another run, which had read it before
    assert (written.taken, written.later) == ([announced], [])
    assert elasticsearch.documents(REQUESTS)[0]["outcome"] == "answered"


def test_the_mapping_is_right_for_bill_service_and_date_and_keeps_what_is_large_out_of_it(store, calls, elasticsearch):
    store.write(calls)
    mapping = elasticsearch.client.indices.get_mapping(index=REQUESTS)[REQUESTS]["mappings"]
    kinds = {name: each["type"] for name, each in mapping["properties"].items()}
    assert [kinds[name] for name in ("jitBillNo", "serviceId", "createdtime")] == ["keyword", "keyword", "date"]
    assert mapping["properties"]["encResponse"]["index"] is False
    assert mapping["dynamic"] == "false"


def test_a_large_reply_is_no_reason_to_refuse(store, calls, elasticsearch):
    """Lucene takes no term of more than 32,766 bytes, and a request no more than a bulk's bound."""
    large = [replace(call, enc_response="x" * 3_000_000) for call in calls]
    assert store.write(large).taken == large
    assert {len(each["encResponse"]) for each in elasticsearch.documents(REQUESTS)} == {3_000_000}


def test_a_refused_document_is_named_with_its_reason_and_the_rest_goes_on(store, calls, elasticsearch):
    elasticsearch.client.indices.create(index=REQUESTS, mappings={"properties": {"errorMsg": {"type": "ip"}}})
    odd = replace(calls[2], error_message=f"account {ACCOUNT}")
    written = store.write([calls[0], odd, calls[1]])
    assert written.taken == calls[:2]
    assert list(written.refused) == [odd.id]
    assert "errorMsg" in written.refused[odd.id]
    assert ACCOUNT not in written.refused[odd.id]
    assert len(elasticsearch.documents(REQUESTS)) == 2


def test_an_index_that_is_read_only_is_for_later(store, calls, elasticsearch):
    store.write(calls[:2])
    elasticsearch.block_writes(REQUESTS)
    written = store.write(calls)
    assert (written.taken, written.refused) == ([], {})
    assert written.later == calls
    assert "block" in written.why_later
    elasticsearch.block_writes(REQUESTS, blocked=False)
    assert store.write(calls).taken == calls


def test_a_call_of_which_one_document_is_for_later_is_for_later(store, calls, elasticsearch):
    store.write(calls)
    elasticsearch.block_writes(ERRORS)
    written = store.write(calls)
    assert written.taken == calls[:2]
    assert written.later == calls[2:]


def test_an_elasticsearch_that_hangs_is_an_error_after_its_deadline(store, calls, elasticsearch):
    impatient = CallStore(elasticsearch.client.options(request_timeout=0.5))
    with elasticsearch.stopped():
        for attempt in (impatient.prepare, lambda: impatient.write(calls), lambda: impatient.search(CallQuery())):
            with pytest.raises(CallStoreError, match="Elasticsearch"):
                attempt()
    assert store.write(calls).taken == calls


def test_a_search_finds_what_the_ledger_finds(store, calls, elasticsearch, ledger):
    store.write(calls)
    elasticsearch.client.indices.refresh(index=REQUESTS)
    for query in (
        CallQuery(),
        CallQuery(bill="PI-SA/1"),
        CallQuery(service="PIS", outcome="rejected"),
        CallQuery(since=calls[1].created_at, until=calls[3].created_at),
        CallQuery(until=calls[2].created_at + timedelta(milliseconds=1)),
        CallQuery(bill="PI-SA/*"),
    ):
        kept = ledger.db.transact(lambda c, query=query: search_ledger(c, query))
        cut = [replace(row, created_at=row.created_at.replace(microsecond=123000)) for row in kept.rows]
        assert list(store.search(query).rows) == cut


def test_pages_of_a_search_join_without_gap_or_double(store, ledger, elasticsearch):
    ids = write(ledger.db, *(exchange(number // 4) for number in range(11)))
    store.write(stored(ledger.db, ids))
    elasticsearch.client.indices.refresh(index=REQUESTS)
    seen, after = [], None
    while True:
        page = store.search(CallQuery(limit=3, after=after))
        seen += [row.id for row in page.rows]
        if page.next is None:
            break
        after = page.next
    assert (len(seen), sorted(seen)) == (11, sorted(map(str, ids)))


def test_a_search_finds_the_java_adapters_documents_too(store, elasticsearch):
    old = {"id": "old-1", "serviceId": "PI", "jitBillNo": "PI-SA/1", "encRequest": "eA==", "createdtime": 1690000000000}
    elasticsearch.client.index(index=REQUESTS, document=old, refresh=True)
    [row] = store.search(CallQuery(bill="PI-SA/1")).rows
    assert (row.id, row.outcome, row.status_code) == ("old-1", None, None)


def test_nothing_is_found_where_there_is_no_index_yet(store):
    assert store.search(CallQuery()).rows == []


def test_indexes_may_have_other_names(calls, elasticsearch):
    store = CallStore(elasticsearch.client, Indexes("ifms-od-requests", "ifms-od-errors"))
    store.prepare()
    store.write(calls)
    assert len(elasticsearch.documents("ifms-od-requests")) == 4
    assert len(elasticsearch.documents("ifms-od-errors")) == 2
    assert json.dumps(elasticsearch.documents(REQUESTS)) == "[]"


@pytest.mark.parametrize(
    "names", [("A", "b"), ("a b", "c"), ("-a", "c"), ("a*", "c"), ("..", "c"), ("a", "a"), ("", "c")]
)
def test_a_name_that_no_index_can_have_is_refused(names):
    with pytest.raises(ConfigurationError, match="index"):
        Indexes(*names)
