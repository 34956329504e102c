"""A real Kafka for tests: one broker per test process, started when the first test asks for it; new topics per test.

Where there can be none, its tests are skipped with a sentence; in CI they fail instead.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from support.kafka.server import Broker, UnavailableError, running

PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Record:
    """A message as a reader gets it."""

    topic: str
    partition: int
    key: str | None
    value: bytes | None
    headers: dict[str, str]


@dataclass
class Kafka:
    """The broker, and a name that no other test's topics and groups have."""

    broker: Broker
    name: str

    def topic(self, of: str, partitions: int = 1) -> str:
        """A topic of this test's own, made when it is first asked for."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient, NewTopic

        topic = f"{self.name}-{of}"
        client = AdminClient({"bootstrap.servers": self.broker.servers, "log_level": 0})
        for made in client.create_topics([NewTopic(topic, partitions, 1)]).values():
            try:
                made.result(PATIENCE_SECONDS)
            except KafkaException as error:
                if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                    raise
        return topic

    def connection(self, **extra: Any) -> dict[str, Any]:
        """It as an Airflow connection, with topics of this test's own."""
        ours = {"sms_topic": f"{self.name}-sms", "pi_index_topic": f"{self.name}-index"}
        return {
            "conn_type": "kafka",
            "extra": {"bootstrap.servers": self.broker.servers, "group.id": self.name, **ours, **extra},
        }

    def send(self, topic: str, *values: bytes | str | None, key: str | None = None) -> None:
        """Put messages on a topic."""
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": self.broker.servers, "log_level": 0, "acks": "all"})
        failed: list[Any] = []
        for value in values:
            producer.produce(topic, value, key, on_delivery=lambda error, _: failed.append(error) if error else None)
            producer.poll(0)
        assert producer.flush(PATIENCE_SECONDS) == 0
        assert failed == []

    def messages(self, topic: str) -> list[Record]:
        """All that is on a topic now, partition by partition."""
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer({"bootstrap.servers": self.broker.servers, "group.id": uuid.uuid4().hex, "log_level": 0})
        try:
            partitions = sorted(consumer.list_topics(topic, timeout=PATIENCE_SECONDS).topics[topic].partitions or [])
            found: list[Record] = []
            for partition in partitions:
                place = TopicPartition(topic, partition)
                first, end = consumer.get_watermark_offsets(place, timeout=PATIENCE_SECONDS)
                consumer.assign([TopicPartition(topic, partition, first)])
                deadline = time.monotonic() + PATIENCE_SECONDS
                while first < end:
                    assert time.monotonic() < deadline, f"{topic} can't be read"
                    for message in consumer.consume(end - first, 1.0):
                        assert message.error() is None, message.error()
                        headers = {name: value.decode() for name, value in message.headers() or []}
                        key = message.key()
                        found.append(Record(topic, partition, key and key.decode(), message.value(), headers))
                        first = message.offset() + 1
            return found
        finally:
            consumer.close()

    def committed(self, group: str, topic: str) -> Sequence[int]:
        """Up to where a group has heard each partition; below zero: nothing."""
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer({"bootstrap.servers": self.broker.servers, "group.id": group, "log_level": 0})
        try:
            partitions = consumer.list_topics(topic, timeout=PATIENCE_SECONDS).topics[topic].partitions or {}
            places = consumer.committed([TopicPartition(topic, each) for each in sorted(partitions)], PATIENCE_SECONDS)
            return [place.offset for place in places]
        finally:
            consumer.close()


@contextmanager
def a_kafka(broker: Broker) -> Iterator[Kafka]:
    """The broker for one test, and up when it ends."""
    try:
        yield Kafka(broker, f"t{uuid.uuid4().hex[:8]}")
    finally:
        if broker.process is None:
            broker.start()


@contextmanager
def needed() -> Iterator[None]:
    """What needs a Kafka is skipped where there can be none; in CI it fails."""
    try:
        yield
    except UnavailableError as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def _broker() -> Iterator[Broker]:
    with needed(), running() as broker:
        yield broker


@pytest.fixture
def kafka(_broker: Broker) -> Iterator[Kafka]:
    """A running Kafka."""
    with a_kafka(_broker) as one:
        yield one
