"""What others hear through Kafka, as a task."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ifms_airflow.operators.sweep import SweepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ifms_airflow.hooks import NotificationHook


class NotifyOperator(SweepOperator):
    """Tell beneficiaries by SMS, and the platform's index; without a connection to a Kafka, tell nobody.

    Where there has been a connection, what it wants is written, and waits, until it has been gone for a week.

    :param kafka_conn_id: connection of type ``kafka``; it need not be there.
    """

    service_id = "NOTIFY"

    def __init__(self, *, kafka_conn_id: str = "ifms_kafka", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kafka_conn_id = kafka_conn_id

    @cached_property
    def notification_hook(self) -> NotificationHook:
        """The way to Kafka."""
        from ifms_airflow.hooks import NotificationHook

        return NotificationHook(self.kafka_conn_id)

    def execute(self, context: Context) -> None:
        """Do the sweep, write its row; raises a SweepError that says what to look at."""
        from ifms.delivery.notifications import notify
        from ifms.ledger import outbox

        if not self.notification_hook.configured():
            with self.ledger_hook.ledger() as ledger:
                closed = ledger.transact(outbox.miss_subscriber)
            self.log.info("There is no connection %s: nobody is notified", self.kafka_conn_id)
            if closed:
                self.log.warning("It has been gone for a week: %d messages for it are closed, undelivered", closed)
            return
        settings = self.notification_hook.settings()
        publisher = self.notification_hook.get_conn()
        try:
            with (
                self.ledger_hook.ledger() as ledger,
                self.platform_hook.get_conn() as platform,
                self.sweep(context, ledger) as sweep,
            ):
                notify(sweep, platform, publisher, settings)
        finally:
            publisher.close()
