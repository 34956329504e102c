"""The way to those who hear of payments through Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from ifms.errors import ConfigurationError

if TYPE_CHECKING:
    from ifms.delivery.kafka import KafkaPublisher
    from ifms.delivery.notifications import NotificationSettings


class NotificationHook(BaseHook):
    """Kafka, over a connection of the provider's type `kafka`, which need not be there.

    Its extra holds the client's settings (`bootstrap.servers` …) and, each optional, our own fields: `sms_topic` and
    `pi_index_topic` (`none`: nobody hears), `sms_paid` and `sms_failed` (the words of an SMS, with {amount} and
    {UTRNO}, where the platform's localisation has none), and for an SMS service that wants DIGIT's additionalFields
    `sms_additional_fields`, `sms_paid_code`, `sms_failed_code`.
    """

    conn_name_attr = "kafka_conn_id"
    default_conn_name = "ifms_kafka"
    hook_name = "IFMS notices"

    def __init__(self, kafka_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.kafka_conn_id = kafka_conn_id

    def configured(self) -> bool:
        """Whether there is a connection to a Kafka."""
        try:
            self.get_connection(self.kafka_conn_id)
        except AirflowNotFoundException:
            return False
        return True

    def settings(self) -> NotificationSettings:
        """Who is to hear what. Raises ConfigurationError that names the connection and its field."""
        from ifms.delivery.notifications import NotificationSettings

        try:
            return NotificationSettings.of(self.get_connection(self.kafka_conn_id).extra_dejson)
        except ConfigurationError as error:
            raise ConfigurationError(f"connection {self.kafka_conn_id!r}: {error}") from None

    def get_conn(self) -> KafkaPublisher:
        """A publisher; closing it is the caller's. Raises ConfigurationError that names the connection."""
        from ifms_airflow.hooks.kafka import PublisherHook

        try:
            publisher: KafkaPublisher = PublisherHook(self.kafka_conn_id).get_conn  # type: ignore[no-untyped-call]
        except ConfigurationError as error:
            raise type(error)(f"connection {self.kafka_conn_id!r}: {error}") from None
        except ValueError:  # the provider's: no servers, or a callback that nobody has allowed
            raise ConfigurationError(
                f"connection {self.kafka_conn_id!r}: the extra must have 'bootstrap.servers', and no callbacks that "
                "[apache_kafka] callback_allowlist does not name"
            ) from None
        return publisher

    def test_connection(self) -> tuple[bool, str]:
        """Read our fields, and ask a broker who is there."""
        try:
            if problems := self.settings().texts.problems:
                return False, f"connection {self.kafka_conn_id!r}: {'; '.join(problems)}"
            publisher = self.get_conn()
            try:
                return True, publisher.check()
            finally:
                publisher.close()
        except ConfigurationError as error:
            return False, str(error)
