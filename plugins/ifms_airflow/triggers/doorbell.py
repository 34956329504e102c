"""A Kafka topic as a doorbell: that there was a message is all that is heard of it.

A message says that there may be a new payment; which, the platform's search says. So nothing in a message matters: it
is never read, and lost, doubled, reordered and unreadable ones change nothing in the end. Imported by the DAG
processor, so Kafka's client is imported when the trigger runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

RUNG = "rung"
"""All that an asset event says."""

Result = TypeVar("Result")
Positions = dict[tuple[str, int], int]

_MESSAGES = 500
_POLL_SECONDS = 1.0
_RETRY_SECONDS = 30.0

log = structlog.get_logger("ifms.doorbell")


class DoorbellTrigger(BaseEventTrigger):
    """Rings when messages come on a topic: once for a burst, and once more a little later.

    The second ring is for what the platform had announced but not stored yet when the first one rang. Only when it is
    in Airflow's database are the messages marked as heard: a triggerer that dies rings again.

    :param topic: the topic.
    :param kafka_conn_id: connection of type ``kafka``.
    :param gather_seconds: for how long, at most, messages are gathered into one ring.
    :param echo_seconds: how long after the first the second ring comes.
    """

    def __init__(
        self,
        topic: str,
        kafka_conn_id: str = "ifms_kafka",
        gather_seconds: float = 3.0,
        echo_seconds: float = 60.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.topic = topic
        self.kafka_conn_id = kafka_conn_id
        self.gather_seconds = gather_seconds
        self.echo_seconds = echo_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Where this class is, and what it was made with."""
        return f"{type(self).__module__}.{type(self).__name__}", {
            "topic": self.topic,
            "kafka_conn_id": self.kafka_conn_id,
            "gather_seconds": self.gather_seconds,
            "echo_seconds": self.echo_seconds,
        }

    def shared_stream_key(self) -> Hashable:
        """It runs as a shared stream, for the sake of that stream's word on what is safely stored."""
        return ("ifms-doorbell", self.topic, self.kafka_conn_id)

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> Doorbell:
        """The Kafka side of the stream."""
        return Doorbell(**kwargs)

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """One event for each ring, with nothing in it."""
        async for _ in shared_stream:
            yield TriggerEvent(RUNG)  # type: ignore[no-untyped-call]

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """It has no life outside its shared stream."""
        raise RuntimeError("a doorbell is heard as a shared stream, and this triggerer runs none: Airflow 3.3 does")
        yield  # pragma: no cover


class Doorbell(SharedStreamProducer):
    """The Kafka side: a consumer of its own in a thread of its own, because Kafka's client blocks."""

    def __init__(self, topic: str, kafka_conn_id: str, gather_seconds: float, echo_seconds: float) -> None:
        self.topic = topic
        self.kafka_conn_id = kafka_conn_id
        self.gather_seconds = gather_seconds
        self.echo_seconds = echo_seconds
        self._consumer: Consumer | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ifms-doorbell")
        self._read: Positions = {}
        self._logged: str | None = None

    async def open_stream(self) -> AsyncIterator[tuple[str, Positions | None]]:
        """A ring for each burst, which marks nothing as heard, and its echo, which does.

        A broker that is away is waited for by Kafka's client; a connection that is missing or wrong is looked at again
        every half minute. Neither ends the stream.
        """
        consumer = await self._connected()
        first: float | None = None  # when the burst under way began
        echo_at: float | None = None
        read: Positions = {}
        while True:
            fresh = self._note(await self._in_thread(partial(consumer.consume, _MESSAGES, _POLL_SECONDS)))
            now = time.monotonic()
            if fresh and first is None:
                first = now
            if first is not None and (not fresh or now - first >= self.gather_seconds):
                first = None
                if echo_at is None:
                    echo_at, read = now + self.echo_seconds, dict(self._read)
                yield RUNG, None
            elif echo_at is not None and now >= echo_at:
                yield RUNG, read
                newer = read != self._read
                echo_at, read = (now + self.echo_seconds, dict(self._read)) if newer else (None, {})

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Mark as heard what was rung for, once that is stored. Raises when a ring was not: it rings again."""
        if any(item.outcome.failed or not item.outcome.acked for item in batch):
            raise RuntimeError("a ring of the doorbell was not stored; its messages are read again")
        positions: Positions = {}
        for item in batch:
            positions |= item.broker_payload or {}
        if positions:
            await self._in_thread(partial(self._commit, positions))

    async def aclose(self) -> None:
        """Leave the group, so that the next one to listen need not wait for us."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await self._in_thread(consumer.close)
        self._thread.shutdown(wait=False)

    async def _connected(self) -> Consumer:
        while True:
            try:
                self._consumer = await self._in_thread(self._connect)
            except Exception as error:  # whatever is wrong with a connection, a person mends it while we wait
                self._say(f"the doorbell can't listen: {type(error).__name__}: {error}")
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                log.info("The doorbell listens", topic=self.topic)
                return self._consumer

    def _connect(self) -> Consumer:
        from ifms_airflow.hooks.kafka import ListenerHook

        consumer: Consumer = ListenerHook([self.topic], self.kafka_conn_id).get_consumer()
        return consumer

    def _note(self, messages: Sequence[Message]) -> bool:
        """Whether there was a message among these; what is in it is nobody's business."""
        fresh = False
        for message in messages:
            error = message.error()
            if error is not None:
                self._say(f"Kafka: {error.name()} ({error.str()})")
                continue
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            if topic is not None and partition is not None and offset is not None:
                self._read[topic, partition] = offset + 1
            fresh = True
        return fresh

    def _commit(self, positions: Positions) -> None:
        from confluent_kafka import TopicPartition

        if self._consumer is None:
            raise RuntimeError("the doorbell was closed before its messages could be marked as heard")
        places = [TopicPartition(topic, partition, offset) for (topic, partition), offset in positions.items()]
        self._consumer.commit(offsets=places, asynchronous=False)

    def _say(self, what: str) -> None:
        """Warn of something, once for as long as it is the same."""
        if what != self._logged:
            self._logged = what
            log.warning(what)

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
