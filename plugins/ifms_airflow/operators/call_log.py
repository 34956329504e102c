"""The call log as tasks: shipping it, and an end to keeping it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ifms.errors import BadInputError
from ifms_airflow.operators.sweep import SweepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ifms_airflow.hooks import CallLogHook

SHORTEST_KEEP = timedelta(days=90)


class ShipCallsOperator(SweepOperator):
    """Ship the calls to the treasury to Elasticsearch; without a connection to one, do nothing.

    :param again: whether calls that were set aside shall be tried again (or a template that renders to that).
    :param elasticsearch_conn_id: connection of type ``elasticsearch``; it need not be there.
    """

    template_fields: Sequence[str] = ("tenants", "again")
    service_id = "SHIP"

    def __init__(
        self, *, again: bool | str | None = False, elasticsearch_conn_id: str = "ifms_elasticsearch", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.again = again
        self.elasticsearch_conn_id = elasticsearch_conn_id

    @cached_property
    def call_log_hook(self) -> CallLogHook:
        """The way to Elasticsearch."""
        from ifms_airflow.hooks import CallLogHook

        return CallLogHook(self.elasticsearch_conn_id, self.ledger_conn_id)

    def execute(self, context: Context) -> None:
        """Do the sweep, write its row; raises a SweepError that says what to look at."""
        from ifms.delivery.call_log_export import ship

        if self.again not in (True, False, None):
            raise BadInputError("calls_again must be true or false")
        if not self.call_log_hook.configured():
            self.log.info("There is no connection %s: the calls stay in the ledger", self.elasticsearch_conn_id)
            return
        client = self.call_log_hook.get_conn()
        try:
            with self.ledger_hook.ledger() as ledger, self.sweep(context, ledger) as sweep:
                ship(sweep, self.call_log_hook.store(client), again=bool(self.again))
        finally:
            client.close()


class RemoveOldCallsOperator(SweepOperator):
    """Remove calls to the treasury from the ledger that are old and were shipped.

    :param keep_days: for how long they are kept at least, 90 or more; None keeps them for good.
    :param unshipped_too: remove them even if no Elasticsearch has them.
    """

    service_id = "REMOVE_CALLS"

    def __init__(self, *, keep_days: int | None, unshipped_too: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keep_days = keep_days
        self.unshipped_too = unshipped_too

    def execute(self, context: Context) -> None:
        """Do the sweep, write its row. Raises BadInputError for a time that is too short."""
        from ifms.delivery.call_log_export import remove_old

        if self.keep_days is None:
            self.log.info("Calls are kept for good")
            return
        keep = timedelta(days=self.keep_days)
        if keep < SHORTEST_KEEP:
            raise BadInputError(f"calls are kept for {SHORTEST_KEEP.days} days at least, not for {self.keep_days}")
        with self.ledger_hook.ledger() as ledger, self.sweep(context, ledger) as sweep:
            remove_old(sweep, keep, unshipped_too=self.unshipped_too)
