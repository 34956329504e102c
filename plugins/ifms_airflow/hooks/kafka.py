"""The provider's way from a connection to Kafka's client, for a writer and for a reader of ours.

A module of its own, because Kafka's client takes a while to import and few tasks need it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airflow.providers.apache.kafka.hooks.base import KafkaBaseHook
from airflow.providers.apache.kafka.hooks.consume import KafkaConsumerHook
from confluent_kafka import Consumer, KafkaError

from ifms import hosts
from ifms.delivery.kafka import KafkaPublisher
from ifms.delivery.notifications import FIELDS
from ifms.errors import ConfigurationError

GROUP = "ifms-doorbell"
_BROKERS = ("bootstrap.servers", "metadata.broker.list")  # two names of one setting
_TOKENS = "sasl.oauthbearer.token.endpoint.url"
_RUN_CODE = frozenset({"plugin.library.paths", "sasl.kerberos.kinit.cmd"})

_log = logging.getLogger("ifms.doorbell")


class PublisherHook(KafkaBaseHook):
    """Its client is a publisher."""

    def _get_client(self, config: Mapping[str, Any]) -> KafkaPublisher:
        return KafkaPublisher(_clients(config))


class ListenerHook(KafkaConsumerHook):
    """Its client reads and keeps no account of what it has read: whoever listens says when it was heard."""

    def _get_client(self, config: Mapping[str, Any]) -> Consumer:
        chosen = {
            # One for each topic: who listens to one does not stop, and wait, for who begins to listen to another.
            "group.id": ".".join([GROUP, *self.topics]),
            # A ring too many costs a look; one that was missed, because the group is new or was long away, a day.
            "auto.offset.reset": "earliest",
            "topic.metadata.refresh.interval.ms": 60_000,
            "queued.max.messages.kbytes": 8192,
            "error_cb": _troubled,
            "log_level": 2,
            **_clients(config),
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
        }
        for writers in ("acks", "enable.idempotence", "message.timeout.ms", "compression.type", "linger.ms"):
            chosen.pop(writers, None)
        return Consumer(chosen)


def _clients(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the client is given. Raises ConfigurationError for what leads to a host that may not be spoken to."""
    if refused := _RUN_CODE & config.keys():
        raise ConfigurationError(f"{', '.join(sorted(refused))} would run what a connection names, and is not taken")
    brokers = ",".join(str(config.get(name) or "") for name in _BROKERS).split(",")
    addresses = [hosts.Address.of_entry(each.strip().rpartition("://")[2]) for each in brokers if each.strip()]
    if config.get(_TOKENS):
        addresses.append(hosts.Address.of_url(str(config[_TOKENS])))
    hosts.check_allowed(addresses)
    return {name: value for name, value in config.items() if name not in FIELDS}


def _troubled(error: KafkaError) -> None:
    """Said once per change by the client, which mends a broken connection by itself."""
    _log.warning("Kafka: %s (%s)", error.name(), error.str())
