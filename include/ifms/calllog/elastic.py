"""The call log in Elasticsearch: the one module that knows it. The client is given, and never made here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import elasticsearch
from elastic_transport import TransportError
from elasticsearch import (
    ApiError,
    AuthorizationException,
    BadRequestError,
    Elasticsearch,
    UnsupportedProductError,
    helpers,
)

from ifms.calllog.documents import error_document, request_document
from ifms.calllog.search import CallQuery, CallRow, Page
from ifms.clock import epoch_ms, from_epoch_ms
from ifms.errors import CallStoreError, CallStoreUnsuitedError, ConfigurationError
from ifms.ledger.call_store import StoredCall
from ifms.wire.bank import mask_long_numbers

CHUNK_DOCUMENTS = 500
CHUNK_BYTES = 4 * 2**20
LONGEST_REASON = 500  # characters of Elasticsearch's reason that are kept

# A document of which Elasticsearch says so will not be better next time; anything else may pass later: a read-only
# index (403), no room or no time (429), no such index and no right to make it (404), its own trouble (5xx).
_BAD_DOCUMENT = frozenset({400})
_TOO_LARGE = 413
# What a server says to the media types of a client of another kind or major version.
_OTHER_MEDIA = frozenset({406, 415})
_NEWER_IS_THERE = 409
_INDEX_NAME = re.compile(r"(?!\.\.?$)[a-z0-9.][a-z0-9._-]{0,200}", re.ASCII)

_KEYWORD = {"type": "keyword"}
_KEPT = {"type": "keyword", "index": False, "doc_values": False}  # in the document, not searched: it may be large
_MAPPING: Mapping[str, Any] = {
    # What nobody described is kept and not searched, so that no stray field ever refuses a document.
    "dynamic": False,
    "properties": {
        "id": _KEYWORD,
        "requestId": _KEYWORD,
        "serviceId": _KEYWORD,
        "jitBillNo": _KEYWORD,
        "outcome": _KEYWORD,
        "createdtime": {"type": "date", "format": "epoch_millis"},
        "statusCode": {"type": "integer"},
        "durationMs": {"type": "integer"},
        "errorMsg": {"type": "text"},
        **dict.fromkeys(
            ("encRequest", "encResponse", "sealedResponse", "jitEncRequest", "decryptionRek", "encryptionRek"), _KEPT
        ),
        **dict.fromkeys(("authToken", "sekString"), _KEPT),
    },
}
_CLEAR = ("id", "serviceId", "jitBillNo", "outcome", "statusCode", "errorMsg", "durationMs", "createdtime")


@dataclass(frozen=True)
class Indexes:
    """Where the documents go. Raises ConfigurationError for a name that no index can have."""

    requests: str = "ifms-request-logs"
    errors: str = "ifms-error-logs"

    def __post_init__(self) -> None:
        for name in (self.requests, self.errors):
            if not _INDEX_NAME.fullmatch(name):
                raise ConfigurationError(f"{name!r} can't be an index: small letters, digits, '-', '_' and '.' only")
        if self.requests == self.errors:
            raise ConfigurationError(f"requests and errors would both go into the index {self.errors!r}")


@dataclass
class Written:
    """What became of some calls: taken, refused for good with a reason, or `later`, and why."""

    taken: list[StoredCall] = field(default_factory=list)
    refused: dict[UUID, str] = field(default_factory=dict)
    later: list[StoredCall] = field(default_factory=list)
    why_later: str | None = None


class CallStore:
    """The two indexes, behind a client whose deadlines are its maker's."""

    def __init__(self, client: Elasticsearch, indexes: Indexes | None = None) -> None:
        self._client = client
        self.indexes = indexes or Indexes()

    def prepare(self) -> list[str]:
        """Let indexes that are made from now on be right for searching by bill, service and date.

        Where that is refused (the user may not; the site has templates of its own), calls are written all the same;
        returns what is worth knowing of it. Raises CallStoreError when Elasticsearch can't be reached, and
        CallStoreUnsuitedError when it is none of ours.
        """
        remarks: list[str] = []
        for index in (self.indexes.requests, self.indexes.errors):
            try:
                self._client.indices.put_index_template(
                    name=index,
                    index_patterns=[index],
                    priority=500,
                    template={"settings": {"number_of_shards": 1}, "mappings": _MAPPING},
                )
            except AuthorizationException:
                return remarks
            except (ApiError, TransportError) as error:
                failure = self._failure("Elasticsearch takes no index template", error)
                if not isinstance(error, BadRequestError) or isinstance(failure, CallStoreUnsuitedError):
                    raise failure from None
                remarks.append(
                    f"{failure}; calls are shipped all the same, into indexes that are made as its own templates say"
                )
        return remarks

    def write(self, calls: Sequence[StoredCall]) -> Written:
        """Write the calls' documents. Each has the row's id, and never replaces a newer one: twice changes nothing.

        Raises CallStoreError when Elasticsearch can't be reached; some of the documents may be there then.
        """
        made = Written()
        troubles: dict[UUID, str] = {}
        for call_id, status, reason in self._bulk(calls):
            if status in _BAD_DOCUMENT or status == _TOO_LARGE:
                made.refused.setdefault(call_id, reason)
            elif not (200 <= status < 300 or status == _NEWER_IS_THERE):
                troubles.setdefault(call_id, reason)
        for call in calls:
            if call.id in troubles:
                made.refused.pop(call.id, None)
                made.later.append(call)
                made.why_later = troubles[call.id]
            elif call.id not in made.refused:
                made.taken.append(call)
        return made

    def search(self, query: CallQuery) -> Page:
        """Find calls; here times are kept in whole milliseconds, and asked for in them.

        Raises CallStoreError when Elasticsearch can't answer.
        """
        terms = {"jitBillNo": query.bill, "serviceId": query.service, "outcome": query.outcome}
        asked: list[dict[str, Any]] = [{"term": {name: value}} for name, value in terms.items() if value is not None]
        span = {"gte": query.since, "lt": query.until}
        bounds = {name: epoch_ms(instant) for name, instant in span.items() if instant is not None}
        if bounds:
            asked.append({"range": {"createdtime": bounds | {"format": "epoch_millis"}}})
        try:
            found = self._client.search(
                index=self.indexes.requests,
                ignore_unavailable=True,
                query={"bool": {"filter": asked}},
                sort=[{"createdtime": "desc"}, {"id": "desc"}],
                search_after=None if query.after is None else [epoch_ms(query.after.created_at), query.after.id],
                size=query.limit,
                source_includes=list(_CLEAR),
                track_total_hits=False,
            )
        except (ApiError, TransportError) as error:
            raise self._failure("Elasticsearch does not answer the search", error) from None
        return query.page([_row(hit["_source"]) for hit in found["hits"]["hits"]])

    def _bulk(self, calls: Iterable[StoredCall]) -> Iterator[tuple[UUID, int, str]]:
        """Each document's call, HTTP status and error text; what was too large together goes one by one."""
        documents = [
            (call.id, _action(index, call, document))
            for call in calls
            for index, document in (
                (self.indexes.requests, request_document(call)),
                (self.indexes.errors, error_document(call)),
            )
            if document is not None
        ]
        alone = []
        for (call_id, action), status, reason in self._send(documents, CHUNK_DOCUMENTS):
            if status == _TOO_LARGE:
                alone.append((call_id, action))
            else:
                yield call_id, status, reason
        for (call_id, _), status, reason in self._send(alone, 1):
            yield call_id, status, reason

    def _send(
        self, documents: Sequence[tuple[UUID, dict[str, Any]]], chunk: int
    ) -> Iterator[tuple[tuple[UUID, dict[str, Any]], int, str]]:
        results = helpers.streaming_bulk(
            self._client,
            (action for _, action in documents),
            chunk_size=chunk,
            max_chunk_bytes=CHUNK_BYTES,
            raise_on_error=False,
            raise_on_exception=False,
        )
        try:
            for document, (_ok, result) in zip(documents, results, strict=True):
                [item] = result.values()
                status = int(item.get("status", 500))
                if "exception" in item and status in _BAD_DOCUMENT:
                    status = 500  # of the request as a whole: no document's fault
                yield document, status, _reason(item.get("error"))
        except (TransportError, ApiError) as error:
            raise self._failure("Elasticsearch takes no calls", error) from None

    def _failure(self, what: str, error: ApiError | TransportError) -> CallStoreError:
        """What an error of the client means: another server than it can talk to, or something that may pass."""
        refused = isinstance(error, ApiError) and (
            error.status_code in _OTHER_MEDIA or "media_type_header_exception" in str(error.body)
        )
        if not refused and not isinstance(error, UnsupportedProductError):
            return CallStoreError(f"{what}: {_error_text(error)}")
        kind, number = self._server()
        if kind not in (None, "elasticsearch"):
            return CallStoreUnsuitedError(
                f"the server is {kind} {number}, which Elasticsearch's client does not talk to: use Elasticsearch 8 or "
                "9, or remove the connection and search the ledger's calls"
            )
        server = f"Elasticsearch {number}" if number else "no Elasticsearch, or one of another version"
        client, major = ".".join(map(str, elasticsearch.__version__)), (number or "8").partition(".")[0]
        return CallStoreUnsuitedError(
            f"the server is {server}, and its client here is {client} ({_error_text(error)}): set "
            f"AIRFLOW__ELASTICSEARCH__ES_COMPAT_WITH={major} for all of Airflow's services"
        )

    def _server(self) -> tuple[str | None, str | None]:
        """What the server says that it is, in words that every version understands; None for what it does not say."""
        try:
            _, reported = self._client.transport.perform_request("GET", "/", headers={"accept": "application/json"})
            version = reported["version"]
            return str(version.get("distribution", "elasticsearch")), str(version["number"])
        except (TransportError, ValueError, TypeError, KeyError, AttributeError):
            return None, None


def _action(index: str, call: StoredCall, document: dict[str, Any]) -> dict[str, Any]:
    return {
        "_op_type": "index",
        "_index": index,
        "_id": document["id"],
        # An announced call is older than the same call completed, whoever ships which last.
        "version": 1 if call.outcome is None else 2,
        "version_type": "external_gte",
        "_source": document,
    }


def _row(source: Mapping[str, Any]) -> CallRow:
    return CallRow(
        id=str(source["id"]),
        service_id=str(source["serviceId"]),
        bill_number=source.get("jitBillNo"),
        outcome=source.get("outcome"),
        status_code=source.get("statusCode"),
        error=source.get("errorMsg"),
        duration_ms=source.get("durationMs"),
        created_at=from_epoch_ms(int(source["createdtime"])),
    )


def _reason(error: object) -> str:
    """Elasticsearch's own words, which may quote the document: short, and without whole account numbers."""
    texts = []
    while isinstance(error, Mapping):
        texts.append(f"{error.get('type')}: {error.get('reason')}")
        error = error.get("caused_by")
    return mask_long_numbers("; ".join(texts) or str(error))[:LONGEST_REASON]


def _error_text(error: Exception) -> str:
    """What an error of the client says, on one line."""
    text = str(error)
    if isinstance(error, ApiError):
        body = error.body if isinstance(error.body, Mapping) else {}
        text = f"HTTP {error.status_code} {_reason(body.get('error', error.message))}"
    return mask_long_numbers(" ".join(text.split()))[:LONGEST_REASON]
