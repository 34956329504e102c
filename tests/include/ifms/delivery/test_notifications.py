"""Who is paid or is not, and the index, hear of it once per change, in order, on a real broker; and nobody else does."""

from __future__ import annotations

import json
import logging
import re
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from support import failed
from support.bad_ones import BadOnes
from support.databases import as_worker
from support.keys import account_numbers

from ifms.delivery.kafka import MESSAGE_ID, KafkaPublisher
from ifms.delivery.notifications import LONGEST_PAUSE, NotificationSettings
from ifms.errors import ConfigurationError, SweepNeedsAttentionError
from ifms.ledger import outbox
from ifms.ledger.claims import Claim

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})


TESTS = Path(__file__).parents[3]
KILLED = """
import os, signal, sys
tests, dsn, treasury, platform, key, servers, name = sys.argv[1:]
sys.path.insert(0, tests)
from support.adapter import Adapter
from support.simulators import Simulators
from ifms.ledger import outbox
from ifms.delivery.kafka import KafkaPublisher
from ifms.delivery.notifications import NotificationSettings

outbox.all_delivered = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
adapter = Adapter(dsn, Simulators(treasury, platform, key))
adapter.notify(KafkaPublisher({"bootstrap.servers": servers}), NotificationSettings(f"{name}-sms", f"{name}-index"))
"""


@pytest.fixture
def notices(kafka):
    return NotificationSettings(sms_topic=kafka.topic("sms"), pi_index_topic=kafka.topic("index"))


@pytest.fixture
def publisher(kafka):
    made = KafkaPublisher({"bootstrap.servers": kafka.broker.servers, "group.id": "not-ours"})
    yield made
    made.close()


@pytest.fixture
def impatiently(adapter, kafka, notices):
    """`impatiently()`: one run by a publisher that waits for the broker for two seconds."""

    def run():
        made = KafkaPublisher({"bootstrap.servers": kafka.broker.servers}, 2.0)
        try:
            return adapter.notify(made, notices).counts
        finally:
            made.close()

    return run


@pytest.fixture
def told(adapter, publisher, notices):
    """`told()`: one run of the notifier; the first one says what is wanted."""

    def run():
        return adapter.notify(publisher, notices).counts

    run()
    return run


def sms(kafka):
    return [(json.loads(record.value), record) for record in kafka.messages(f"{kafka.name}-sms")]


def index(kafka):
    return [(json.loads(record.value), record) for record in kafka.messages(f"{kafka.name}-index")]


def rows(adapter, topic):
    return adapter.rows("SELECT * FROM ifms.outbox WHERE topic = %s ORDER BY id", topic)


def owner(adapter, statement, *values):
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute(statement, values)


def due(adapter):
    owner(adapter, "UPDATE ifms.outbox SET next_attempt_at = now()")


def told_of(said, numbers):
    """Which of these numbers stand in a text by themselves: the simulator's ids have such digits in them."""
    return [number for number in numbers if re.search(rf"(?<![\w-]){number}(?!\w)", said)]


def secrets_of(adapter):
    """Every account number and phone that anybody was paid with."""
    accounts = set(account_numbers(adapter.dsn).values())
    phones = {row["mobile"] for row in adapter.rows("SELECT mobile FROM ifms.beneficiary")}
    assert accounts
    assert phones
    return accounts, phones


# Who hears what -------------------------------------------------------------------------------------------------------


def test_each_who_is_paid_hears_of_it_once_and_the_index_of_each_status(adapter, kafka, told):
    failed.wage_bill(adapter, payees=3)
    adapter.cycle()
    counts = told()
    paid = adapter.rows("SELECT * FROM ifms.beneficiary ORDER BY beneficiary_number")
    people = [row for row in paid if row["beneficiary_type"] != "DEPT"]
    assert len(people) == 3
    heard = sms(kafka)
    assert {body["mobileNumber"]: body["message"] for body, _ in heard}.keys() == {row["mobile"] for row in people}
    assert len(heard) == 3
    for row in people:
        [body] = [body for body, _ in heard if row["utr_number"] in body["message"]]
        assert body.keys() == {"mobileNumber", "message"}
        assert body["mobileNumber"] == row["mobile"]
    assert [body["paymentInstruction"]["piStatus"] for body, _ in index(kafka)] == ["SUCCESSFUL"] * 5
    assert counts["delivered"] == 3 + 5  # PENDING, INITIATED, APPROVED, IN PROCESS, SUCCESSFUL
    assert told()["delivered"] == 0
    assert (len(sms(kafka)), len(index(kafka))) == (3, 5)


def test_told_after_each_step_the_index_has_every_status_in_order(adapter, kafka, told):
    failed.wage_bill(adapter, payees=2)
    for service in ("VA", "PA", "PI", "PIS", "PAG", "PD"):
        adapter.run(service)
        told()
    failed.fail(adapter, 1)
    adapter.run("FD")
    told()
    failed.mend(adapter)
    adapter.correct()
    told()
    adapter.run("FTPS")
    told()
    original, revision = (row["pi_number"] for row in (failed.original(adapter), *failed.revisions(adapter)))
    heard = index(kafka)
    by_pi = {number: [] for number in (original, revision)}
    for body, record in heard:
        pi = body["paymentInstruction"]
        assert record.key == f"{pi['tenantId']}:{pi['muktaReferenceId']}"  # all of a payment in order
        by_pi[pi["jitBillNo"]].append(pi["piStatus"])
    # The first sending tells two statuses at once: what is told is the PI as it stands.
    assert by_pi[original] == ["INITIATED", "INITIATED", "APPROVED", "IN PROCESS", "SUCCESSFUL", "PARTIAL", "COMPLETED"]
    assert by_pi[revision] == ["INITIATED", "INITIATED", "SUCCESSFUL"]
    ids = [record.headers[MESSAGE_ID] for _, record in heard]
    assert len(set(ids)) == len(ids)


def test_each_whose_payment_failed_hears_of_it_and_of_its_success_later(adapter, kafka, told):
    failed.paid_and_failed(adapter, payees=3, failures=1)
    told()
    [who] = failed.failing(adapter)
    [row] = adapter.rows("SELECT * FROM ifms.beneficiary WHERE beneficiary_number = %s", who)
    messages = [body["message"] for body, _ in sms(kafka) if body["mobileNumber"] == row["mobile"]]
    assert len(messages) == 2
    assert "was sent to your registered account" in messages[0]
    assert ", failed." in messages[1]
    adapter.run("FD")  # told again, it is no news
    assert told()["delivered"] == 0
    failed.mend(adapter)
    adapter.correct()
    adapter.run("FTPS")
    told()
    mine = [body["message"] for body, _ in sms(kafka) if body["mobileNumber"] == row["mobile"]]
    assert len(mine) == 3
    assert "sent to your registered account" in mine[2]
    failed.fail(adapter, 1, failed.revisions(adapter)[0]["pi_number"])
    adapter.run("FTFPS")
    told()
    owner(adapter, "UPDATE ifms.notice SET wanted_since = wanted_since - interval '1 hour'")
    assert adapter.reconcile().counts["problems"] == 0  # nobody was left out
    assert ", failed." in [body["message"] for body, _ in sms(kafka) if body["mobileNumber"] == row["mobile"]][3]
    keys = {record.key for _, record in sms(kafka)}
    assert keys == {f"{failed.TENANT}:{row['payment_number']}" for row in adapter.rows("SELECT * FROM ifms.payment")}


def test_no_phone_and_no_account_is_in_the_outbox_or_in_a_log(adapter, kafka, told, impatiently, caplog):
    caplog.set_level(logging.DEBUG)
    failed.paid_and_failed(adapter, payees=2, failures=1)
    accounts, phones = secrets_of(adapter)
    caplog.clear()
    with kafka.broker.hanging():
        impatiently()
    due(adapter)
    told()
    kept = json.dumps(adapter.rows("SELECT * FROM ifms.outbox"), default=str)
    kept += json.dumps(adapter.rows("SELECT * FROM ifms.sweep_run WHERE service_id = 'NOTIFY'"), default=str)
    assert sms(kafka)
    assert told_of(kept + caplog.text, accounts | phones) == []
    assert told_of("".join(body["mobileNumber"] + " " for body, _ in sms(kafka)), phones)  # the search finds them


def test_a_department_hears_nothing_and_a_payee_without_phone_holds_nobody_up(adapter, kafka, told, publisher, notices):
    failed.wage_bill(adapter, payees=2)
    adapter.cycle()
    [some, *_] = adapter.rows(
        "SELECT * FROM ifms.beneficiary WHERE beneficiary_type = 'IND' ORDER BY beneficiary_number"
    )
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE ifms.outbox SET payload = payload || %s::jsonb WHERE topic = 'sms' AND payload->>'payee' = %s",
            ('{"payee": "gone"}', some["beneficiary_id"]),
        )
    counts = told()
    assert counts["undeliverable"] == 1
    [row] = [row for row in rows(adapter, "sms") if row["undeliverable"]]
    assert row["last_error"] == "the registry has no mobile number of payee gone"
    assert len(sms(kafka)) == 1
    assert adapter.reconcile().counts["problems"] == 0  # nothing waits
    sweep = adapter.sweep("RELAY")
    with sweep:
        assert sweep.db.transact(lambda c: outbox.send_again(c, None)) == 0
        assert sweep.db.transact(lambda c: outbox.send_again(c, [row["id"]])) == 1
    assert told()["undeliverable"] == 1


def test_additional_fields_are_what_digits_sms_service_wants(adapter, kafka, publisher):
    notices = NotificationSettings.of(
        {
            "sms_topic": kafka.topic("sms"),
            "pi_index_topic": "none",
            "sms_additional_fields": True,
            "sms_paid_code": "SAMPLE_PAID",
            "sms_paid": "{UTRNO} brings {amount}",
        }
    )
    texts(adapter, "en_IN")
    adapter.notify(publisher, notices)
    failed.wage_bill(adapter, payees=1)
    adapter.cycle()
    adapter.notify(publisher, notices)
    [(body, _)] = sms(kafka)
    assert body["additionalFields"]["templateCode"] == "SAMPLE_PAID"
    assert body["additionalFields"]["tenantId"] == failed.TENANT
    assert "authToken" not in body["additionalFields"]["requestInfo"]
    assert " brings " in body["message"]
    assert rows(adapter, "pi_index") == []


# In whose words -------------------------------------------------------------------------------------------------------

MODULE = "rainmaker-ifms"
PAID, FAILED = "JIT_PAYMENT_SUCCESSFUL", "JIT_PAYMENT_FAILED"
OWN = {"sms_paid": "own: {amount} {utr}", "sms_failed": "own: {amount} {utr} failed"}


def texts(adapter, locale, **found):
    """The platform's localisation has these texts in a locale, and no others."""
    adapter.simulators.ask_platform("POST", "messages", {"module": MODULE, "locale": locale, "texts": found})


def paid_once(adapter):
    """One payee has been paid and nobody has heard of it yet; amount and UTR as an SMS names them."""
    failed.wage_bill(adapter, payees=1)
    adapter.cycle()
    [paid] = adapter.rows("SELECT amount, utr_number FROM ifms.beneficiary WHERE beneficiary_type <> 'DEPT'")
    return f"{paid['amount']:.2f}", paid["utr_number"]


def lookups(adapter):
    return adapter.simulators.ask_platform("GET", "state")["calls"].get("localization", 0)


def wording(kafka, **more):
    given = {"sms_topic": kafka.topic("sms"), "pi_index_topic": "none", **more}
    return NotificationSettings.of(given)


def test_the_platforms_text_comes_first_and_is_looked_up_once_a_run(adapter, kafka, publisher):
    notices = wording(kafka, **OWN)
    texts(adapter, "en_IN", **{PAID: "theirs: {amount} by {UTRNO}"})
    adapter.notify(publisher, notices)
    assert lookups(adapter) == 0  # nobody is to be told anything
    failed.wage_bill(adapter, payees=3)
    adapter.cycle()
    failed.fail(adapter, 1)
    adapter.run("FD")
    before = lookups(adapter)
    adapter.notify(publisher, notices)
    assert lookups(adapter) - before == 1
    heard = sorted(body["message"].split(":")[0] for body, _ in sms(kafka))
    assert heard == ["own", "theirs", "theirs", "theirs"]


def test_without_that_module_the_connections_text_goes_out(adapter, kafka, publisher):
    notices = wording(kafka, **OWN)
    texts(adapter, "en_IN")
    adapter.notify(publisher, notices)
    amount, utr = paid_once(adapter)
    sweep = adapter.notify(publisher, notices)
    assert sweep.problems == []
    assert [body["message"] for body, _ in sms(kafka)] == [f"own: {amount} {utr}"]


def test_where_nobody_has_a_text_the_storys_goes_out_letter_for_letter(adapter, kafka, publisher):
    notices = wording(kafka)
    texts(adapter, "en_IN")
    adapter.notify(publisher, notices)
    amount, utr = paid_once(adapter)
    adapter.notify(publisher, notices)
    assert [body["message"] for body, _ in sms(kafka)] == [
        f"Payment of Rs. {amount} for MUKTA, transaction {utr} is made to your registered bank account. "
        "Contact your bank if not credited within 72 hours. MUKTA - Govt. of Odisha."
    ]


def test_a_city_is_told_in_its_own_locale(adapter, kafka, publisher, monkeypatch):
    notices = wording(kafka, sms_additional_fields=True)
    texts(adapter, "en_IN", **{PAID: "English {amount} {UTRNO}"})
    texts(adapter, "or_IN", **{PAID: "\u0b13\u0b21\u0b3c\u0b3f\u0b06 {amount} {UTRNO}"})
    adapter.notify(publisher, notices)
    amount, utr = paid_once(adapter)
    own = adapter.simulators.platform_config(city_locales={failed.TENANT: "or_IN"})
    monkeypatch.setattr(type(adapter.simulators), "platform_config", lambda _: own)
    adapter.notify(publisher, notices)
    [(body, _)] = sms(kafka)
    assert body["message"] == f"\u0b13\u0b21\u0b3c\u0b3f\u0b06 {amount} {utr}"
    assert body["additionalFields"]["requestInfo"]["msgId"].endswith("|or_IN")


@pytest.mark.parametrize(
    "fault",
    [
        {"effect": "http_status", "status": 404},
        {"effect": "http_status", "status": 503},
        {"effect": "http_status", "status": 200, "body": "[]"},
        {"effect": "errors", "code": "SAMPLE", "message": "no such service"},
    ],
    ids=lambda fault: f"{fault['effect']}-{fault.get('status')}",
)
def test_a_localisation_that_does_not_answer_is_a_remark_and_stops_nothing(adapter, kafka, publisher, fault):
    notices = wording(kafka, **OWN)
    adapter.notify(publisher, notices)
    amount, utr = paid_once(adapter)
    adapter.simulators.ask_platform("POST", "rules", {"service": "localization", **fault})
    sweep = adapter.notify(publisher, notices)
    assert sweep.counts["delivered"] == 1
    [remark] = sweep.problems
    assert remark.startswith("SMS go out in the connection's or the story's words: localisation_search for od")
    assert [body["message"] for body, _ in sms(kafka)] == [f"own: {amount} {utr}"]


def test_a_text_of_the_platform_that_can_not_be_used_is_a_problem_and_the_connections_goes_out(
    adapter, kafka, publisher
):
    notices = wording(kafka, **OWN)
    texts(adapter, "en_IN", **{PAID: "{amount} for {name}", FAILED: "{amount} is gone"})
    adapter.notify(publisher, notices)
    amount, utr = paid_once(adapter)
    with pytest.raises(SweepNeedsAttentionError):
        adapter.notify(publisher, notices)
    [row] = adapter.rows(
        "SELECT problems FROM ifms.sweep_run WHERE service_id = 'NOTIFY' ORDER BY started_at DESC LIMIT 1"
    )
    assert [problem.partition(": only")[0].partition(", {")[0] for problem in row["problems"]] == [
        f"localisation {MODULE} of en_IN: {PAID} has '{{name}}' in it",
        f"localisation {MODULE} of en_IN: {FAILED} does not name the transaction",
    ]
    assert [body["message"] for body, _ in sms(kafka)] == [f"own: {amount} {utr}"]


def test_a_text_of_the_connection_that_can_not_be_used_is_a_problem_and_the_storys_goes_out(adapter, kafka, publisher):
    notices = wording(kafka, sms_paid="{amount} {account}")
    texts(adapter, "en_IN")
    adapter.notify(publisher, wording(kafka))
    amount, utr = paid_once(adapter)
    with pytest.raises(SweepNeedsAttentionError, match=r"sms_paid has '\{account\}' in it"):
        adapter.notify(publisher, notices)
    [(body, _)] = sms(kafka)
    assert body["message"].startswith(f"Payment of Rs. {amount} for MUKTA, transaction {utr} is made")


# When nobody wants to hear --------------------------------------------------------------------------------------------


def test_without_kafka_nothing_is_written_for_it(adapter):
    failed.paid_and_failed(adapter, payees=2, failures=1)
    assert {row["topic"] for row in adapter.rows("SELECT topic FROM ifms.outbox")} == {"payment_status"}


def test_what_nobody_wants_any_more_is_closed_and_written_no_more(adapter, kafka, told, publisher):
    failed.wage_bill(adapter, payees=1)
    adapter.cycle()
    assert rows(adapter, "sms")
    nobody = NotificationSettings.of({"sms_topic": "none", "pi_index_topic": " None "})
    counts = adapter.notify(publisher, nobody).counts
    assert counts["unwanted"] == 1 + 5
    assert {row["last_error"] for row in rows(adapter, "sms")} == {"nobody wants to hear it any more"}
    failed.fail(adapter)
    adapter.run("FD")
    assert len(rows(adapter, "sms")) == 1
    assert sms(kafka) == index(kafka) == []
    assert adapter.rows("SELECT * FROM ifms.outbox_lag WHERE topic <> 'payment_status'") == []


def missed(adapter):
    """ifms_relay finds no connection; how many messages that closes."""
    with psycopg.connect(as_worker(adapter.dsn)) as connection:
        return outbox.miss_subscriber(connection)


def test_a_relay_that_does_not_run_for_weeks_loses_nothing(adapter, told):
    owner(adapter, "UPDATE ifms.notice SET wanted_since = now() - interval '30 days'")
    failed.wage_bill(adapter, payees=1)
    adapter.cycle()
    assert rows(adapter, "sms")
    assert rows(adapter, "pi_index")


def test_a_connection_that_is_gone_for_a_week_writes_no_more(adapter, told):
    assert missed(adapter) == 0
    owner(adapter, "UPDATE ifms.notice SET missing_since = missing_since - interval '7 days' + interval '1 minute'")
    assert missed(adapter) == 0
    failed.wage_bill(adapter, payees=1)
    adapter.cycle()
    waiting = len(rows(adapter, "sms")) + len(rows(adapter, "pi_index"))
    assert waiting > 1
    owner(adapter, "UPDATE ifms.notice SET missing_since = missing_since - interval '1 minute'")
    assert missed(adapter) == waiting
    failed.fail(adapter)
    adapter.run("FD")
    assert len(rows(adapter, "sms")) + len(rows(adapter, "pi_index")) == waiting
    assert missed(adapter) == 0
    told()
    assert adapter.rows("SELECT DISTINCT wanted, missing_since FROM ifms.notice") == [
        {"wanted": True, "missing_since": None}
    ]


def test_a_connection_that_comes_back_within_the_week_has_missed_nothing(adapter, told):
    for _ in range(2):
        assert missed(adapter) == 0
        owner(adapter, "UPDATE ifms.notice SET missing_since = missing_since - interval '5 days'")
        told()
    failed.wage_bill(adapter, payees=1)
    adapter.cycle()
    assert rows(adapter, "sms")


def test_a_change_that_is_rolled_back_is_not_told(adapter, told):
    failed.wage_bill(adapter, payees=1)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    before = len(rows(adapter, "pi_index"))
    with psycopg.connect(as_worker(adapter.dsn)) as connection:
        connection.execute("UPDATE ifms.payment_instruction SET status = 'APPROVED'")
        connection.rollback()
    assert len(rows(adapter, "pi_index")) == before


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"sms_topic": 7}, "sms_topic must be a name"),
        ({"pi_index_topic": " "}, "pi_index_topic must be a name"),
        ({"sms_topic": "x" * 250}, "sms_topic must be a name"),
        ({"sms_additional_fields": "yes"}, "sms_additional_fields must be true or false"),
        ({"sms_failed_code": []}, "sms_failed_code must be a name"),
    ],
)
def test_a_field_that_can_not_be_used_is_named(given, says):
    with pytest.raises(ConfigurationError, match=says):
        NotificationSettings.of(given)


# Trouble --------------------------------------------------------------------------------------------------------------


def test_a_broker_that_is_away_delays_and_drops_nothing(adapter, kafka, told, impatiently):
    failed.wage_bill(adapter, payees=2)
    adapter.cycle()
    with kafka.broker.away():
        counts = impatiently()  # green: a remark
        assert counts["delivered"] == 0
        assert counts["try_later"] == 2 + 1  # the index's next ones wait behind its first
        waiting = [row for row in rows(adapter, "sms") if row["delivered_at"] is None]
        assert [row["attempts"] for row in waiting] == [1, 1]
        assert all(row["last_error"] for row in waiting)
        with psycopg.connect(adapter.dsn) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(
                "UPDATE ifms.outbox SET attempts = 1000, created_at = now() - interval '25 hours', next_attempt_at = now()"
            )
        with pytest.raises(SweepNeedsAttentionError, match="Kafka takes no messages now: .*have been waiting since"):
            impatiently()
    pauses = adapter.rows("SELECT next_attempt_at - now() AS for FROM ifms.outbox WHERE last_error IS NOT NULL")
    assert pauses
    assert all(timedelta(minutes=5) < row["for"] <= LONGEST_PAUSE for row in pauses)
    due(adapter)
    assert told()["delivered"] == 2 + 5
    assert (len(sms(kafka)), len(index(kafka))) == (2, 5)


def test_a_broker_that_hangs_is_given_up_in_time_and_nothing_is_lost(adapter, kafka, told, impatiently):
    failed.wage_bill(adapter, payees=1)
    adapter.cycle()
    with kafka.broker.hanging():
        assert impatiently()["delivered"] == 0
    due(adapter)
    assert told()["delivered"] == 1 + 5
    ids = Counter(record.headers[MESSAGE_ID] for _, record in index(kafka) + sms(kafka))
    assert len(ids) == 6


def test_killed_between_the_brokers_word_and_ours_it_is_told_twice_with_the_same_id(adapter, kafka, told):
    failed.wage_bill(adapter, payees=2)
    adapter.cycle()
    simulators = adapter.simulators
    given = [
        adapter.dsn,
        simulators.treasury,
        simulators.platform,
        simulators.public_key,
        kafka.broker.servers,
        kafka.name,
    ]
    killed = subprocess.run([sys.executable, "-c", KILLED, str(TESTS), *given], check=False)
    assert killed.returncode == -signal.SIGKILL
    first = {record.headers[MESSAGE_ID] for _, record in sms(kafka) + index(kafka)}
    assert len(first) == 3
    assert told()["delivered"] == 0  # in the hands of the one that was killed
    owner(adapter, "UPDATE ifms.outbox SET claimed_until = now() - interval '1 second'")
    assert told()["delivered"] == 2 + 5
    ids = Counter(record.headers[MESSAGE_ID] for _, record in sms(kafka) + index(kafka))
    assert {each: ids[each] for each in first} == dict.fromkeys(first, 2)
    assert len(ids) == 2 + 5
    assert adapter.rows("SELECT * FROM ifms.outbox_lag WHERE topic <> 'payment_status'") == []


def test_a_run_has_an_end_and_leaves_the_rest_to_the_next_one(adapter, told, publisher, notices):
    failed.wage_bill(adapter, payees=1)
    adapter.cycle()
    assert adapter.notify(publisher, notices, longest=timedelta(0)).counts["delivered"] == 0
    assert told()["delivered"] == 1 + 5


def test_a_copy_that_has_fallen_behind_says_nothing(adapter, kafka, told, monkeypatch):
    failed.wage_bill(adapter, payees=1)
    adapter.cycle()
    with monkeypatch.context() as patch:
        patch.setattr(Claim, "seconds_left", property(lambda _: 1.0))
        assert told()["fallen_behind"] == 2
    assert sms(kafka) == index(kafka) == []


def test_a_message_that_is_too_large_is_set_aside_and_the_others_go_on(adapter, kafka, told):
    failed.wage_bill(adapter, payees=1)
    adapter.run("VA")
    adapter.run("PA")
    adapter.run("PI")
    large = {"sample": "x" * 300_000}  # more than this broker takes
    owner(adapter, "UPDATE ifms.payment_instruction SET additional_details = %s", json.dumps(large))
    failed.wage_bill(adapter, payees=1)
    adapter.run("PA")
    adapter.run("PI")
    with pytest.raises(
        SweepNeedsAttentionError, match=r"\(pi_index\) is set aside: the broker refuses it: MSG_SIZE_TOO_LARGE"
    ):
        told()
    small = [row["pi_number"] for row in adapter.rows("SELECT * FROM ifms.payment_instruction ORDER BY created_at")][1]
    assert [body["paymentInstruction"]["jitBillNo"] for body, _ in index(kafka)] == [small, small]
    assert told()["delivered"] == 0
    [lag] = adapter.rows("SELECT * FROM ifms.outbox_lag WHERE topic = 'pi_index'")
    assert (lag["due"], lag["set_aside"]) == (1, 1)  # the second one of the same PI waits behind the first
    owner(adapter, "UPDATE ifms.payment_instruction SET additional_details = '{}'")
    sweep = adapter.sweep("RELAY")
    with sweep:
        sweep.db.transact(lambda c: outbox.send_again(c, None))
    assert told()["delivered"] == 2


def test_a_registry_that_is_away_delays_the_sms_and_not_the_index(adapter, kafka, told):
    failed.wage_bill(adapter, payees=2)
    adapter.cycle()
    rule = {"service": "individual", "effect": "http_status", "status": 503}
    adapter.simulators.ask_platform("POST", "rules", rule)
    counts = told()
    assert (counts["delivered"], counts["try_later"]) == (5, 2)
    adapter.simulators.ask_platform("DELETE", "rules")
    due(adapter)
    assert told()["delivered"] == 2


def test_one_entry_that_can_not_be_read_spoils_nobody_elses_sms(adapter, kafka, told):
    failed.wage_bill(adapter, payees=3)
    adapter.cycle()
    spoiled = {"service": "individual", "effect": "http_status", "status": 200, "body": '{"Individual": [{"name": 7}]}'}
    adapter.simulators.ask_platform("POST", "rules", spoiled | {"times": 2})  # for all, then for the first
    counts = told()
    assert (counts["delivered"], counts["try_later"]) == (2 + 5, 1)
    due(adapter)
    assert told()["delivered"] == 1
    assert len({body["mobileNumber"] for body, _ in sms(kafka)}) == 3


def test_payees_that_a_registry_fails_about_keep_nobody_elses_sms(adapter, kafka, told, monkeypatch):
    failed.wage_bill(adapter, payees=8)
    adapter.cycle()
    payees = [row["beneficiary_id"] for row in adapter.rows("SELECT beneficiary_id FROM ifms.beneficiary ORDER BY 1")]
    bad = BadOnes(monkeypatch, "individual/v1", payees[0], payees[5])
    counts = told()
    assert (counts["delivered"], counts["try_later"]) == (6 + 5, 2)
    bad.texts = ()
    due(adapter)
    assert told()["delivered"] == 2
    assert len({body["mobileNumber"] for body, _ in sms(kafka)}) == 8


def test_a_registry_that_is_away_is_not_asked_about_each_payee(adapter, told, monkeypatch):
    failed.wage_bill(adapter, payees=20)
    adapter.cycle()
    bad = BadOnes(monkeypatch, "individual/v1", "")
    assert told()["try_later"] == 20
    assert bad.calls == 3 + 5


def test_what_is_no_message_of_ours_is_set_aside_and_the_others_go_on(adapter, kafka, told):
    strange = [{}, {"piNumber": None}, {"outcome": "paid"}, [], "text", {"outcome": "paid", "amount": "a lot"}]
    for place, payload in enumerate(strange):
        for topic in outbox.NOTICES:
            owner(
                adapter,
                "INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload) VALUES (%s, %s, %s, %s::jsonb)",
                topic,
                failed.TENANT,
                f"by hand {place}",
                json.dumps(payload),
            )
    failed.wage_bill(adapter, payees=1)
    adapter.cycle()
    with pytest.raises(SweepNeedsAttentionError, match="12 problem"):
        told()
    assert (len(sms(kafka)), len(index(kafka))) == (1, 5)
    assert {
        row["set_aside"] for row in adapter.rows("SELECT * FROM ifms.outbox_lag WHERE topic <> 'payment_status'")
    } == {6}


def test_an_import_of_the_past_tells_nobody_that_it_was_paid(adapter, told):
    """Only a sweep that hears of a payment tells of it: a row that is changed by hand or imported does not."""
    failed.wage_bill(adapter, payees=1)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    owner(
        adapter,
        "UPDATE ifms.beneficiary SET status = 'Payment Successful', voucher_number = 'V', utr_number = 'U'",
    )
    assert rows(adapter, "sms") == []
