"""Publishes messages to a Kafka broker: the one module that knows its client. No content reaches a log from here."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ifms.errors import ConfigurationError

SECONDS = 20.0
"""So long a batch may wait for the broker's word; then it is the next run's."""

MESSAGE_ID = "ifms-message-id"
"""The header by which a reader drops what it has read already: the same message always has the same one."""

# What is said of the message itself, and would be said again.
_BAD_MESSAGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD})
# What a reader's settings have in common with a writer's in one connection; a writer does not know them.
_READERS = (
    "group.",
    "auto.",
    "enable.auto.",
    "enable.partition.eof",
    "session.timeout.ms",
    "heartbeat.",
    "max.poll.",
    "fetch.",
    "queued.",
    "isolation.level",
    "partition.assignment.",
)


@dataclass(frozen=True)
class KafkaMessage:
    """One message as the broker gets it: `id` is the outbox's, of one `key` the order is kept."""

    id: int
    topic: str
    key: str
    value: bytes = field(repr=False)


@dataclass
class PublishResult:
    """What became of messages, by their ids: acknowledged, refused for good and why, or `later`, and why."""

    acknowledged: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    later: dict[int, str] = field(default_factory=dict)


class Publisher(Protocol):
    """Publishes messages."""

    def publish(self, messages: Sequence[KafkaMessage]) -> PublishResult:
        """Publish them, in this order for each key; nothing counts as published that was not acknowledged."""


class KafkaPublisher:
    """A producer whose word is the brokers': each message is in as many of them as the topic wants, once and in order.

    Raises ConfigurationError for settings that the client does not take. One publisher per task; `close` it.
    """

    def __init__(self, settings: Mapping[str, Any], seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._trouble: str | None = None
        chosen = {name: value for name, value in settings.items() if not name.startswith(_READERS)}
        chosen.setdefault("error_cb", self._troubled)
        chosen.setdefault("log_level", 2)  # what it has to say of a broker that is away, it says to `error_cb`, too
        chosen |= {"enable.idempotence": True, "acks": "all", "message.timeout.ms": int(seconds * 1000)}
        try:
            self._producer = Producer(chosen)
        except (KafkaException, TypeError, ValueError) as error:
            raise ConfigurationError(f"Kafka's client does not take the settings: {_text(error)}") from None

    def publish(self, messages: Sequence[KafkaMessage]) -> PublishResult:
        """Send, and wait for the broker's word on each.

        Messages travel together, and of those the broker refuses all for one that it will not have: so what it refuses
        is sent once more alone, and after the others, as nothing of its key may overtake it anyway.
        """
        result = self._send(messages)
        for message in messages:
            if message.id in result.refused and len(messages) > 1:
                alone = self._send([message])
                result.acknowledged += alone.acknowledged
                result.later |= alone.later
                if not alone.refused:
                    del result.refused[message.id]
        return result

    def _send(self, messages: Sequence[KafkaMessage]) -> PublishResult:
        result = PublishResult()
        for message in messages:
            try:
                self._producer.produce(
                    message.topic,
                    message.value,
                    message.key,
                    headers=[(MESSAGE_ID, f"{message.topic}:{message.id}".encode())],
                    on_delivery=partial(self._delivered, result, message.id),
                )
            except KafkaException as error:
                self._failed(result, message.id, error.args[0])
            except BufferError:
                result.later[message.id] = "too many messages wait for the broker"
            self._producer.poll(0)
        deadline = time.monotonic() + self._seconds + 5
        while self._producer.flush(1) and time.monotonic() < deadline:
            pass
        if len(self._producer):  # what has no word by now is not to be sent behind our back
            self._producer.purge()
            self._producer.flush(1)
        settled = {*result.acknowledged, *result.refused, *result.later}
        for message in messages:
            if message.id not in settled:
                result.later[message.id] = f"no word from the broker within {self._seconds:g} s"
        return result

    def check(self) -> str:
        """Ask a broker who is there. Raises ConfigurationError that says why nobody answers."""
        try:
            found = self._producer.list_topics(timeout=min(self._seconds, 10))
        except KafkaException as error:
            raise ConfigurationError(
                f"no broker answers: {_text(error)}; {self._trouble or 'no more is known'}"
            ) from None
        return f"{len(found.brokers)} broker(s) answer"

    def close(self) -> None:
        """Forget what is still queued; nothing is, after `publish`."""
        self._producer.purge()
        self._producer.flush(1)

    def _delivered(self, result: PublishResult, message_id: int, error: KafkaError | None, _: Message) -> None:
        if error is None:
            result.acknowledged.append(message_id)
        else:
            self._failed(result, message_id, error)

    def _failed(self, result: PublishResult, message_id: int, error: KafkaError) -> None:
        if error.code() in _BAD_MESSAGE:
            result.refused[message_id] = f"the broker refuses it: {error.name()} ({error.str()})"
        else:
            trouble = f"; {self._trouble}" if self._trouble else ""
            result.later[message_id] = f"{error.name()} ({error.str()}){trouble}"

    def _troubled(self, error: KafkaError) -> None:
        self._trouble = f"{error.name()} ({error.str()})"


def _text(error: Exception) -> str:
    """What an error of the client says; of a setting that it does not take, not the value."""
    cause = error.args[0] if error.args else error
    if isinstance(cause, KafkaError):
        text = cause.str()
        return text if cause.code() != KafkaError._INVALID_ARG else text.split(" for configuration property ")[-1]
    return type(error).__name__
