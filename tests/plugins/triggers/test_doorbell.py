"""The doorbell on a real broker: a burst is one ring and its echo, and nothing that is in a message matters."""

from __future__ import annotations

import asyncio
import importlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from airflow.triggers.base import TriggerEvent
from airflow.triggers.shared_stream import AdvanceItem, AdvanceOutcome

from ifms_airflow.triggers import doorbell as module
from ifms_airflow.triggers.doorbell import RUNG, Doorbell, DoorbellTrigger

PATIENCE_SECONDS = 300  # for what only takes as long as the machine is busy
STORED, LOST, NOBODY = AdvanceOutcome(1, 0), AdvanceOutcome(0, 1), AdvanceOutcome(0, 0)
POISON = [None, b"", b"\x00\xff\xfe", b"{", b"x" * 150_000, b'{"payment": null}', "\N{PILE OF POO}".encode()]


@pytest.fixture
def topic(kafka, monkeypatch):
    """A topic, and the connection to its broker."""
    connection = kafka.connection(**{"topic.metadata.refresh.interval.ms": 1000, "acks": "all"})
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_KAFKA", json.dumps(connection))
    return kafka.topic("payments", partitions=2)


def bell(topic, echo_seconds=2.0):
    return Doorbell(topic, "ifms_kafka", gather_seconds=2.0, echo_seconds=echo_seconds)


def listen(
    one: Doorbell,
    enough: Callable[[list[Any]], bool],
    *,
    then: float = 0,
    meanwhile: Callable[[], Any] | None = None,
    after_first: Callable[[], Any] | None = None,
    close: bool = True,
) -> list[Any]:
    """What each ring carries, until there are enough, and of those that come within `then` seconds after them.

    `meanwhile` is done once it listens, `after_first` once it has rung.
    """
    heard: list[Any] = []

    async def run() -> None:
        stream = one.open_stream()
        waiting = asyncio.create_task(anext(stream))
        if meanwhile is not None:
            await asyncio.to_thread(meanwhile)
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            done, _ = await asyncio.wait({waiting}, timeout=max(0, end - time.monotonic()))
            if not done:
                assert enough(heard), f"the doorbell does not ring: {heard}"
                break
            _, positions = waiting.result()
            already = enough(heard)
            heard.append(positions)
            waiting = asyncio.create_task(anext(stream))
            if len(heard) == 1 and after_first is not None:
                await asyncio.to_thread(after_first)
            if enough(heard) and not already:
                end = time.monotonic() + then
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        if close:
            await one.aclose()

    asyncio.run(run())
    return heard


def rung(heard: list[Any]) -> bool:
    """It has rung."""
    return bool(heard)


def echoed(messages: int) -> Callable[[list[Any]], bool]:
    """An echo has come that marks so many messages as heard."""
    return lambda heard: any(each and sum(each.values()) == messages for each in heard)


def test_it_is_made_again_from_what_it_says_of_itself():
    made = DoorbellTrigger("sample-topic", "sample_conn", 1.0, 7.0)
    path, kwargs = made.serialize()
    where, name = path.rsplit(".", 1)
    again = getattr(importlib.import_module(where), name)(**kwargs)
    assert (type(again), again.serialize(), again.shared_stream_key()) == (
        DoorbellTrigger,
        made.serialize(),
        made.shared_stream_key(),
    )
    producer = DoorbellTrigger.create_shared_stream_producer(kwargs)
    assert (producer.topic, producer.kafka_conn_id, producer.echo_seconds) == ("sample-topic", "sample_conn", 7.0)


def test_parsed_again_it_is_the_same_trigger():
    """Else each parse of the DAG files, twice a minute, would replace it by another one."""
    from airflow.models.trigger import Trigger
    from airflow.serialization.encoders import encode_trigger
    from airflow.triggers.base import BaseEventTrigger

    told = encode_trigger(DoorbellTrigger("sample-topic"))
    kept = Trigger(told["classpath"], told["kwargs"])
    assert BaseEventTrigger.hash(kept.classpath, kept.kwargs) == BaseEventTrigger.hash(
        told["classpath"], told["kwargs"]
    )


def test_an_event_says_that_it_rang_and_nothing_else():
    async def stream():
        yield "ring"
        yield "ring"

    async def events():
        return [event async for event in DoorbellTrigger("sample-topic").filter_shared_stream(stream())]

    assert asyncio.run(events()) == [TriggerEvent(RUNG), TriggerEvent(RUNG)]


def test_it_runs_in_a_shared_stream_only():
    async def run():
        async for _ in DoorbellTrigger("sample-topic").run():
            pass

    with pytest.raises(RuntimeError, match="shared stream"):
        asyncio.run(run())


def test_a_burst_is_a_ring_and_an_echo_and_the_echo_is_what_is_heard(kafka, topic):
    for n in range(4):
        kafka.send(topic, *[b"{}"] * 50, key=str(n))
    heard = listen(bell(topic), echoed(200), then=4)
    assert heard[0] is None
    assert len(heard) <= 4  # two, where the broker gives all at once
    assert sum(max(0, each) for each in kafka.committed(kafka.name, topic)) == 0  # nobody has said that it is stored


def test_poison_rings_like_anything_else_and_is_not_read(kafka, topic, caplog, capfd):
    caplog.set_level("DEBUG")
    kafka.send(topic, *POISON, b'{"mobileNumber": "9876543210"}')
    listen(bell(topic), echoed(len(POISON) + 1))
    said = caplog.text + "".join(capfd.readouterr())
    assert "9876543210" not in said
    assert "xxxxxxxx" not in said


def test_what_was_not_stored_rings_again(kafka, topic):
    kafka.send(topic, b"{}", key="k")
    for _ in range(2):  # as if the triggerer was killed before the echo, twice
        assert listen(bell(topic, echo_seconds=600), rung) == [None]
    one = bell(topic)
    first, *_, echo = listen(one, echoed(1), close=False)

    async def advance():
        for outcome in (LOST, NOBODY):
            with pytest.raises(RuntimeError, match="was not stored"):
                await one.advance([AdvanceItem(first, STORED), AdvanceItem(echo, outcome)])
        assert sum(max(0, each) for each in kafka.committed(kafka.name, topic)) == 0
        await one.advance([AdvanceItem(first, STORED)])
        assert sum(max(0, each) for each in kafka.committed(kafka.name, topic)) == 0
        await one.advance([AdvanceItem(echo, STORED)])
        assert sum(max(0, each) for each in kafka.committed(kafka.name, topic)) == 1
        await one.aclose()
        with pytest.raises(RuntimeError):
            await one.advance([AdvanceItem(echo, STORED)])

    asyncio.run(advance())
    next_one = bell(topic)
    *_, echo = listen(next_one, any, meanwhile=lambda: kafka.send(topic, b"{}", key="other"))
    assert len(echo) == 1  # what was marked as heard does not ring again


def test_a_message_after_the_ring_has_an_echo_of_its_own(kafka, topic):
    kafka.send(topic, b"1", key="a")
    heard = listen(bell(topic, echo_seconds=8), echoed(2), after_first=lambda: kafka.send(topic, b"2", key="a"))
    assert [sum(each.values()) for each in heard if each] == [1, 2]
    assert heard.count(None) == 2


def test_a_topic_that_is_made_later_is_heard(kafka, topic):
    def made():
        time.sleep(2)
        kafka.send(kafka.topic("later"), b"{}")

    assert listen(bell(f"{kafka.name}-later", echo_seconds=600), rung, meanwhile=made) == [None]


@pytest.mark.parametrize("wrong", [None, {}, {"bootstrap.servers": "127.0.0.1:1", "security.protocol": "sample"}])
def test_a_connection_that_is_missing_or_wrong_is_waited_for(kafka, topic, monkeypatch, wrong):
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.2)
    said: list[str] = []
    monkeypatch.setattr(Doorbell, "_say", lambda _, what: said.append(what))
    if wrong is None:
        monkeypatch.delenv("AIRFLOW_CONN_IFMS_KAFKA")
    else:
        monkeypatch.setenv("AIRFLOW_CONN_IFMS_KAFKA", json.dumps({"conn_type": "kafka", "extra": wrong}))

    def mend():
        end = time.monotonic() + PATIENCE_SECONDS
        while not said:
            assert time.monotonic() < end
            time.sleep(0.1)
        monkeypatch.setenv("AIRFLOW_CONN_IFMS_KAFKA", json.dumps(kafka.connection()))
        kafka.send(topic, b"{}")

    assert listen(bell(topic, echo_seconds=600), rung, meanwhile=mend) == [None]
    assert said[0].startswith("the doorbell can't listen: ")


def test_the_same_trouble_is_said_once(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(module.log, "warning", said.append)
    one = bell("sample-topic")
    for what in ("away", "away", "away", "back", "away"):
        one._say(what)
    assert said == ["away", "back", "away"]
