"""Publishes SMS for payees and updates of the PI index to Kafka, as a part of ifms_relay.

Payments never wait for it. A message counts as delivered once a broker has acknowledged it; a reader may see it twice,
with the same id. Phones are looked up when an SMS goes out, and kept nowhere. Facts: digit-services.md §11 and §12.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from ifms import clock
from ifms.delivery.kafka import KafkaMessage, Publisher, PublishResult
from ifms.delivery.pi_index import documents, of_payments
from ifms.delivery.sms_texts import CODES, MODULE, Texts, mobile_of, texts_of
from ifms.errors import (
    BadInputError,
    ClaimLostError,
    ConfigurationError,
    LedgerError,
    PlatformError,
    PlatformUnavailableError,
)
from ifms.ledger import outbox
from ifms.ledger.claims import Claim
from ifms.ledger.database import Connection
from ifms.ledger.outbox import PI_INDEX, SMS, Message
from ifms.platform.client import PlatformClient
from ifms.platform.models import Individual, Organisation
from ifms.platform.portions import Portions
from ifms.sweep.run import Sweep

BATCH = 200
LONGEST_PAUSE = timedelta(minutes=10)  # a broker that is back is used by the next run, however long it was away
LOUD_AFTER = timedelta(hours=24)  # what nobody has heard by then, somebody should see to
LONGEST_RUN = timedelta(minutes=5)  # the rest is the next run's: the platform's own messages go out once per run
NEEDED_SECONDS = 60.0  # of a claim: a copy that has fallen behind says nothing, another may have said something newer

NOBODY = "none"
_FIELDS = (
    "sms_topic",
    "pi_index_topic",
    "sms_paid",
    "sms_failed",
    "sms_additional_fields",
    "sms_paid_code",
    "sms_failed_code",
)
FIELDS = frozenset(_FIELDS)
"""The fields of the connection that are ours; all others are the Kafka client's."""


@dataclass(frozen=True)
class NotificationSettings:
    """Who hears what: Kafka topics (None: nobody), the words of an SMS, and what its service wants besides them."""

    sms_topic: str | None = "egov.core.notification.sms"
    pi_index_topic: str | None = "ifms-pi-index-enrich"
    texts: Texts = field(default_factory=Texts)
    additional_fields: bool = False
    codes: Mapping[str, str] = field(default_factory=lambda: CODES)

    @classmethod
    def of(cls, given: Mapping[str, object]) -> NotificationSettings:
        """The fields of a connection. Raises ConfigurationError that names the field.

        A template that can't be used is no error: `texts.problems` names it, and another text goes out.
        """
        texts = texts_of(given)
        words: dict[str, str] = {}
        for name in ("sms_topic", "pi_index_topic", "sms_paid_code", "sms_failed_code"):
            value = given.get(name)
            if value is None or value == "":
                continue
            if not isinstance(value, str) or not value.strip() or len(value) > 249:
                raise ConfigurationError(f"{name} must be a name of 249 characters at most, or {NOBODY}")
            words[name] = value.strip()
        additional = given.get("sms_additional_fields", False)
        if not isinstance(additional, bool):
            raise ConfigurationError("sms_additional_fields must be true or false")
        default = cls()
        topics = {
            name: None if (topic := words.get(name, getattr(default, name))).lower() == NOBODY else topic
            for name in ("sms_topic", "pi_index_topic")
        }
        codes = {each: words.get(f"sms_{each}_code", default.codes[each]) for each in ("paid", "failed")}
        return cls(**topics, texts=texts, additional_fields=additional, codes=codes)

    @property
    def topics(self) -> dict[str, str]:
        """The Kafka topic of each of the outbox's topics that somebody wants to hear."""
        named = {SMS: self.sms_topic, PI_INDEX: self.pi_index_topic}
        return {topic: kafka for topic, kafka in named.items() if kafka is not None}


class _Words:
    """The texts of one run: the platform's by the city's locale, each locale looked up once, else the connection's.

    A localisation that is away or has no such texts stops nothing.
    """

    def __init__(self, sweep: Sweep, platform: PlatformClient, texts: Texts) -> None:
        self._sweep = sweep
        self._platform = platform
        self._texts = texts
        self._by_locale: dict[str, Texts] = {}
        self._away = False
        for problem in texts.problems:
            sweep.add_problem(f"connection of the notices: {problem}")

    def of(self, tenant: str) -> Texts:
        """The texts for a city."""
        locale = self._platform.config.locale_of(tenant)
        if locale not in self._by_locale:
            self._by_locale[locale] = self._texts if self._away else self._look_up(locale)
        return self._by_locale[locale]

    def _look_up(self, locale: str) -> Texts:
        try:
            found = self._platform.localised_messages(MODULE, locale)
        except PlatformError as error:
            self._away = isinstance(error, PlatformUnavailableError)
            self._sweep.add_warning(f"SMS go out in the connection's or the story's words: {error}")
            return self._texts
        texts = Texts(self._texts.templates).under(found, CODES)
        for problem in texts.problems:
            self._sweep.add_problem(f"localisation {MODULE} of {locale}: {problem}")
        return texts


@dataclass
class _Batch:
    """Messages under one claim: those that have become Kafka messages, and those that can't."""

    claim: Claim
    messages: Sequence[Message]
    kafka_messages: list[KafkaMessage] = field(default_factory=list)
    nobody: dict[int, str] = field(default_factory=dict)
    result: PublishResult = field(default_factory=PublishResult)


def notify(
    sweep: Sweep,
    platform: PlatformClient,
    publisher: Publisher,
    settings: NotificationSettings,
    *,
    longest: timedelta = LONGEST_RUN,
) -> None:
    """Tell what is due; from now on what `settings` wants is written, and nothing else.

    A broker or registry that is away is a remark, and a problem once a message has waited for a day.
    """
    topics = dict(settings.topics)
    sweep.counts["unwanted"] += sweep.db.transact(partial(outbox.set_subscriptions, wanted=tuple(topics)))
    words = _Words(sweep, platform, settings.texts if SMS in topics else Texts())
    portions = Portions(platform)
    until = time.monotonic() + longest.total_seconds()
    while topics and not sweep.stopping and time.monotonic() < until:
        claim, messages = sweep.db.transact(partial(outbox.claim_messages, limit=BATCH, topics=tuple(topics)))
        if not messages:
            return
        batch = _Batch(claim, messages)
        silent = _write_sms(batch, portions, settings, words)
        if PI_INDEX in topics:
            _write_documents(sweep, batch, topics[PI_INDEX])
        if claim.seconds_left < NEEDED_SECONDS:
            sweep.counts["fallen_behind"] += len(messages)  # their claim runs out by itself
            return
        kafka_messages = sorted(batch.kafka_messages, key=lambda kafka_message: kafka_message.id)
        result = publisher.publish(kafka_messages) if kafka_messages else PublishResult()
        away = bool(result.later)
        batch.result.acknowledged += result.acknowledged
        batch.result.refused |= result.refused
        batch.result.later |= result.later
        _settle(sweep, batch)
        if away:
            _waiting(sweep, f"Kafka takes no messages now: {next(iter(result.later.values()))}")
            return
        if silent is not None:
            _waiting(sweep, f"not every SMS goes out now: {silent}")
        if any(portions.away(message.tenant_id) for message in messages):
            topics.pop(SMS, None)


@dataclass(frozen=True)
class _Sms:
    """What a message of the outbox says of one beneficiary's payment."""

    message: Message
    outcome: str
    payment_number: str
    beneficiary_number: str
    payee: tuple[str, str]
    amount: Decimal
    utr: str | None

    @classmethod
    def of(cls, message: Message) -> _Sms:
        """Raises BadInputError for a message that nobody but a person can have written."""
        body = message.payload
        try:
            read = cls(
                message,
                str(body["outcome"]),
                str(body["paymentNumber"]),
                str(body["beneficiaryNumber"]),
                (str(body["payeeType"]), str(body["payee"])),
                Decimal(body["amount"]),
                body["utr"],
            )
        except (KeyError, TypeError, ValueError, ArithmeticError):
            raise BadInputError("it is not one of ours: something in it is missing, or is no amount") from None
        if read.outcome not in ("paid", "failed"):
            raise BadInputError("it says neither that somebody is paid nor that a payment has failed")
        return read


def _write_sms(batch: _Batch, portions: Portions, settings: NotificationSettings, words: _Words) -> str | None:
    """Make Kafka messages of the SMS in the batch, looking phones up city by city; why some can't be."""
    by_city: dict[str, list[_Sms]] = defaultdict(list)
    for message in batch.messages:
        if message.topic == SMS:
            try:
                by_city[message.tenant_id].append(_Sms.of(message))
            except BadInputError as error:
                batch.result.refused[message.id] = str(error)
    silent = None
    for tenant, wanted in by_city.items():
        phones = _phones(portions, tenant, {sms.payee for sms in wanted})
        for sms in wanted:
            found = phones.get(sms.payee)
            if isinstance(found, PlatformError):
                batch.result.later[sms.message.id] = str(found)
                silent = str(found) if isinstance(found, PlatformUnavailableError) else silent
                continue
            mobile = mobile_of(found)
            if mobile is None:
                batch.nobody[sms.message.id] = f"the registry has no mobile number of payee {sms.payee[1]}"
                continue
            text = words.of(tenant).of(sms.outcome, sms.amount, sms.utr, sms.beneficiary_number)
            body: dict[str, Any] = {"mobileNumber": mobile, "message": text}
            if settings.additional_fields:
                body["additionalFields"] = {
                    "templateCode": settings.codes[sms.outcome],
                    "requestInfo": _request_info(portions.platform.config.locale_of(tenant)),
                    "tenantId": tenant,
                }
            assert settings.sms_topic is not None
            key = f"{tenant}:{sms.payment_number}"
            batch.kafka_messages.append(KafkaMessage(sms.message.id, settings.sms_topic, key, _json(body)))
    return silent


_Entries = Mapping[str, Individual | Organisation]
_Registry = Callable[[PlatformClient, str, Collection[str]], _Entries]


def _phones(
    portions: Portions, tenant: str, payees: Collection[tuple[str, str]]
) -> dict[tuple[str, str], str | PlatformError | None]:
    """What the registries have as the phone of each payee, by type and id; or why it could not be looked up."""
    registries: dict[str, _Registry] = {"IND": PlatformClient.individuals, "ORG": PlatformClient.organisations}
    found: dict[tuple[str, str], str | PlatformError | None] = {}
    for kind, registry in registries.items():
        ids = sorted(payee for of, payee in payees if of == kind)
        for some, entries in portions.ask(tenant, ids, partial(_entries, registry=registry, tenant=tenant)):
            if isinstance(entries, PlatformError):
                found |= {(kind, payee): entries for payee in some}
            else:
                found |= {(kind, payee): entry.mobile_number for payee, entry in entries.items()}
    return found


def _entries(platform: PlatformClient, ids: Sequence[str], *, registry: _Registry, tenant: str) -> _Entries:
    return registry(platform, tenant, ids)


def _write_documents(sweep: Sweep, batch: _Batch, topic: str) -> None:
    """Make Kafka messages of the PIs in the batch, each as it stands now: what comes later says the same or more.

    And of payments that have none, or had none when the message was written.
    """
    by_id = {message.id: message for message in batch.messages if message.topic == PI_INDEX}
    payments = {message.id: payment for message in by_id.values() if (payment := _payment(message)) is not None}
    numbers = {_pi_number(message) for message in by_id.values() if message.id not in payments}
    pis = sweep.db.transact(partial(documents, pi_numbers=numbers)) if numbers else {}
    others = sweep.db.transact(partial(of_payments, payments=set(payments.values()))) if payments else {}
    for message in by_id.values():
        payment = payments.get(message.id)
        document = pis.get(_pi_number(message)) if payment is None else others.get(payment)
        if document is None:
            batch.result.refused[message.id] = f"there is no payment instruction {_pi_number(message)}"
            continue
        body = {"RequestInfo": _request_info(), "paymentInstruction": document}
        batch.kafka_messages.append(KafkaMessage(message.id, topic, message.ordering_key, _json(body)))


def _payment(message: Message) -> tuple[str, str] | None:
    """The payment that a message is about which names no PI."""
    payload = message.payload
    named = isinstance(payload, dict) and "piNumber" not in payload and payload.get("paymentNumber")
    return (message.tenant_id, str(payload["paymentNumber"])) if named else None


def _pi_number(message: Message) -> str:
    return str(message.payload.get("piNumber")) if isinstance(message.payload, dict) else "nobody has named"


def _request_info(locale: str = "en_IN") -> dict[str, Any]:
    """DIGIT's envelope, with nobody's token in it."""
    return {
        "apiId": "ifms-adapter",
        "ver": "1.0",
        "ts": clock.epoch_ms(clock.now()),
        "msgId": f"ifms-adapter|{locale}",
        "userInfo": {"uuid": "ifms-adapter"},
    }


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _settle(sweep: Sweep, batch: _Batch) -> None:
    """Write what became of each; what was acknowledged in one transaction, as nothing but a crash may double it."""
    result, claim = batch.result, batch.claim
    if result.acknowledged:
        lost = sweep.db.transact(partial(outbox.all_delivered, ids=result.acknowledged, claim=claim))
        sweep.counts["claim_lost"] += lost
        sweep.counts["delivered"] += len(result.acknowledged) - lost
    acknowledged = set(result.acknowledged)
    for message in batch.messages:
        if message.id in acknowledged:
            continue
        try:
            sweep.db.transact(partial(_settle_one, message=message, batch=batch))
        except ClaimLostError:
            sweep.counts["claim_lost"] += 1
            continue
        except LedgerError as error:  # of this message: its claim runs out, and the next run looks at it again
            sweep.add_problem(f"message {message.id} ({message.topic}): {error}")
            continue
        if message.id in result.refused:
            sweep.counts["set_aside"] += 1
            sweep.add_problem(f"message {message.id} ({message.topic}) is set aside: {result.refused[message.id]}")
        elif message.id in batch.nobody:
            sweep.counts["undeliverable"] += 1
        elif message.id in result.later:
            sweep.counts["try_later"] += 1


def _settle_one(connection: Connection, message: Message, batch: _Batch) -> None:
    if message.id in batch.result.refused:
        outbox.set_aside(connection, message, batch.claim, batch.result.refused[message.id])
    elif message.id in batch.nobody:
        outbox.close_undeliverable(connection, message, batch.claim, batch.nobody[message.id])
    elif message.id in batch.result.later:
        outbox.try_later(connection, message, batch.claim, batch.result.later[message.id], LONGEST_PAUSE)


def _waiting(sweep: Sweep, reason: str) -> None:
    oldest = sweep.db.transact(partial(outbox.waiting_since, topics=outbox.NOTICES))
    if oldest is not None and clock.now() - oldest > LOUD_AFTER:
        sweep.add_problem(f"{reason}; messages have been waiting since {oldest:%Y-%m-%d %H:%M} UTC, and none is lost")
    else:
        sweep.add_warning(f"{reason}; the messages stay in the outbox until it does")
