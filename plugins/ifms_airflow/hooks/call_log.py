"""The calls to the treasury, for who asks about them: in the ledger, or in Elasticsearch."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import astuple
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from ifms import hosts
from ifms.calllog.search import MOST_ROWS, CallQuery, CallRow, Page, Place, search_ledger
from ifms.errors import BadInputError, CallStoreError, ConfigurationError
from ifms.queries import frames
from ifms_airflow.hooks.ledger import LedgerHook

if TYPE_CHECKING:
    import pandas as pd
    from elasticsearch import Elasticsearch

    from ifms.calllog.elastic import CallStore

# What a person of this project sets in the connection's extra; the rest of it is the client's.
REQUEST_INDEX = "request_index"
ERROR_INDEX = "error_index"
# Seconds for one request of a bulk: a slow Elasticsearch is tried again in ten minutes.
TIMEOUT_SECONDS = 10
AT_MOST = 100_000
"""Rows of one frame: who asks for all calls of a year asks by chunks."""

_Where = Literal["ledger", "elasticsearch"]
# As CallRow has them.
_COLUMNS = {
    "id": frames.TEXT,
    "service_id": frames.TEXT,
    "bill_number": frames.TEXT,
    "outcome": frames.TEXT,
    "status_code": frames.WHOLE,
    "error": frames.TEXT,
    "duration_ms": frames.WHOLE,
    "created_at": frames.INSTANT,
}


class CallLogHook(BaseHook):
    """Finds calls to the treasury by bill, service, outcome and time; and knows where they are shipped.

    Nothing that it returns is secret: what a call said is shown by `ifms log open`, to whoever holds the key. The
    connection to Elasticsearch is of the provider's own type, and optional; its extra may name the indexes
    (`request_index`, `error_index`), everything else in it goes to the client. For the ledger's calls the login of
    `ledger_conn_id` need only be a member of `ifms_read`.
    """

    conn_name_attr = "elasticsearch_conn_id"
    default_conn_name = "ifms_elasticsearch"
    hook_name = "IFMS call log"

    def __init__(self, elasticsearch_conn_id: str = default_conn_name, ledger_conn_id: str = "ifms_db") -> None:
        super().__init__()
        self.elasticsearch_conn_id = elasticsearch_conn_id
        self.ledger_conn_id = ledger_conn_id

    def search(
        self,
        where: _Where = "ledger",
        *,
        bill: str | None = None,
        service: str | None = None,
        outcome: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        after: Place | None = None,
    ) -> Page:
        """A page of calls, newest first; give its `next` as `after` for the one behind it.

        `bill` is a PI's number, or "AUTH" for logins; `service` a code like "PI"; `outcome` one of answered, rejected,
        never_sent, unknown; `since` is included, `until` is not; `limit` is 1000 at most. The ledger has the newest
        calls and, for as long as they are kept there, the older ones; Elasticsearch has what was shipped.

        Raises BadInputError for a question that makes no sense, ConfigurationError without a connection, CallStoreError
        when Elasticsearch does not answer.
        """
        query = CallQuery(bill, service, outcome, since, until, limit, after)
        if where == "ledger":
            with LedgerHook(self.ledger_conn_id).ledger() as ledger:
                return ledger.transact(partial(search_ledger, query=query))
        if where != "elasticsearch":
            raise ConfigurationError(f"calls are in the ledger or in elasticsearch, not in {where!r}")
        if not self.configured():
            raise ConfigurationError(f"there is no connection {self.elasticsearch_conn_id!r}: ask the ledger instead")
        client = self.get_conn()
        try:
            return self.store(client).search(query)
        finally:
            client.close()

    def get_df(
        self,
        where: _Where = "ledger",
        *,
        bill: str | None = None,
        service: str | None = None,
        outcome: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        at_most: int = AT_MOST,
    ) -> pd.DataFrame:
        """All calls that `search` finds, as one frame, newest first: `at_most` rows of them.

        Columns: `id`, `service_id`, `bill_number`, `outcome`, `error` (string), `status_code` (HTTP), `duration_ms`
        (Int64), `created_at` (UTC). Raises what `search` raises, and BadInputError when there are more than `at_most`:
        a frame that holds a part of the truth would be counted as if it held all of it.
        """
        rows = self._rows(where, bill, service, outcome, since, until, MOST_ROWS)
        held = [astuple(row) for row in islice(rows, at_most + 1)]
        if len(held) > at_most:
            raise BadInputError(f"more than {at_most} calls: narrow the question, or take get_df_by_chunks")
        return frames.frame(_COLUMNS, held)

    def get_df_by_chunks(
        self,
        where: _Where = "ledger",
        *,
        bill: str | None = None,
        service: str | None = None,
        outcome: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        chunksize: int = 10_000,
    ) -> Generator[pd.DataFrame, None, None]:
        """The same in frames of `chunksize` rows, without an end but the last call; at least one, if need be empty.

        Each page is asked for by itself, after the last call of the one before: calls that are made meanwhile are not
        in it, and nothing is held open between two frames. Raises what `search` raises.
        """
        if chunksize < 1:
            raise BadInputError(f"chunksize {chunksize} is less than one row")
        rows = self._rows(where, bill, service, outcome, since, until, min(chunksize, MOST_ROWS))
        held = [astuple(row) for row in islice(rows, chunksize)]
        yield frames.frame(_COLUMNS, held)
        while held := [astuple(row) for row in islice(rows, chunksize)]:
            yield frames.frame(_COLUMNS, held)

    def _rows(
        self,
        where: _Where,
        bill: str | None,
        service: str | None,
        outcome: str | None,
        since: datetime | None,
        until: datetime | None,
        page_size: int,
    ) -> Generator[CallRow, None, None]:
        after: Place | None = None
        while True:
            page = self.search(
                where,
                bill=bill,
                service=service,
                outcome=outcome,
                since=since,
                until=until,
                limit=page_size,
                after=after,
            )
            yield from page.rows
            after = page.next
            if after is None:
                return

    def configured(self) -> bool:
        """Whether there is a connection to an Elasticsearch."""
        try:
            self.get_connection(self.elasticsearch_conn_id)
        except AirflowNotFoundException:
            return False
        return True

    def get_conn(self) -> Elasticsearch:
        """A client; closing it is the caller's. Raises ConfigurationError that names the connection."""
        from airflow.providers.elasticsearch.hooks.elasticsearch import connect

        connection = self.get_connection(self.elasticsearch_conn_id)
        if not connection.host:
            raise ConfigurationError(f"connection {self.elasticsearch_conn_id!r}: the host is missing")
        try:
            hosts.check_allowed([hosts.Address.of(connection.host, connection.port or 9200)])
        except ConfigurationError as error:
            raise type(error)(f"connection {self.elasticsearch_conn_id!r}: {error}") from None
        options: dict[str, Any] = {"request_timeout": TIMEOUT_SECONDS, "max_retries": 0, "retry_on_timeout": False}
        options |= {name: value for name, value in connection.extra_dejson.items() if name not in _OURS}
        try:
            # As the provider's own hook does it, which would hand our own settings to the client.
            made = connect(
                host=connection.host,
                port=connection.port or 9200,
                user=connection.login or None,
                password=connection.password or None,
                scheme=connection.schema or "http",
                **options,
            )
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"connection {self.elasticsearch_conn_id!r}: {error}") from None
        return made.es

    def store(self, client: Elasticsearch) -> CallStore:
        """The connection's indexes, behind `client`. Raises ConfigurationError for names that no index can have."""
        from ifms.calllog.elastic import CallStore, Indexes

        extra = self.get_connection(self.elasticsearch_conn_id).extra_dejson
        named = {"requests": extra.get(REQUEST_INDEX), "errors": extra.get(ERROR_INDEX)}
        try:
            return CallStore(client, Indexes(**{name: str(value) for name, value in named.items() if value}))
        except ConfigurationError as error:
            raise ConfigurationError(f"connection {self.elasticsearch_conn_id!r}: {error}") from None

    def test_connection(self) -> tuple[bool, str]:
        """Ask for the newest call in Elasticsearch."""
        try:
            self.search("elasticsearch", limit=1)
        except (ConfigurationError, CallStoreError) as error:
            return False, str(error)
        return True, "Elasticsearch answers"


_OURS = frozenset({REQUEST_INDEX, ERROR_INDEX})
