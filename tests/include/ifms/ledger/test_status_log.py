"""What was said to the treasury, sealed; announced before it is sent, completed after."""

from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row
from support.keys import call_text

from ifms.errors import SealError
from ifms.ledger.instructions import advance
from ifms.ledger.status_log import CallLog, LogStatus, log_status
from ifms.ledger.statuses import Event, PiStatus
from ifms.sealing import Sealer
from ifms.treasury.outcome import Exchange

SECRETS = {
    "request_plain": '{"account":"123456789012"}',
    "rek": "rek-secret",
    "sek": "sek-secret",
    "auth_token": "token",
}


def exchange(**changes):
    values = {
        "service_id": "PI",
        "bill_number": "PI-SA/1",
        "outcome": "answered",
        "started_at": datetime(2024, 6, 1, tzinfo=UTC),
        "duration_ms": 12,
        "status_code": 200,
        "encrypted_request": "cipher",
        "encrypted_response": "reply",
        **SECRETS,
    }
    return Exchange(**(values | changes))


@pytest.fixture
def calls():
    """A call log under a sample key."""
    return CallLog(Sealer(bytes(range(32))))


def written(ledger):
    """The only call."""
    with psycopg.connect(ledger.dsn, row_factory=dict_row) as connection:
        [row] = connection.execute("SELECT * FROM ifms.treasury_call").fetchall()
    return row


def test_an_announced_call_is_completed_and_not_doubled(ledger, calls):
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(400))
    run = ledger.one("SELECT gen_random_uuid()")
    announced = ledger.db.transact(lambda c: calls.announce(c, "PI", [(pi, "plain")], run))[0]
    assert ledger.row("SELECT outcome, calls.bill_number FROM ifms.treasury_call calls") == (None, pi.pi_number)
    both = [exchange(outcome="unknown"), exchange()]
    ledger.db.transact(lambda c: calls.write(c, both, instruction_id=pi.id, announced=announced))
    rows = ledger.one("SELECT array_agg(outcome ORDER BY id = %s DESC) FROM ifms.treasury_call", announced)
    assert rows == ["unknown", "answered"]


def test_an_announced_call_that_was_not_sent_says_so(ledger, calls):
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(400))
    run = ledger.one("SELECT gen_random_uuid()")
    announced = ledger.db.transact(lambda c: calls.announce(c, "PI", [(pi, "plain")], run))[0]
    ledger.db.transact(lambda c: calls.withdraw(c, announced))
    assert ledger.one("SELECT outcome FROM ifms.treasury_call") == "never_sent"


def test_secrets_are_sealed_and_open_with_the_key_only(ledger, calls):
    ledger.db.transact(lambda c: calls.write(c, [exchange()]))
    dump = ledger.one("SELECT t::text FROM ifms.treasury_call t")
    for secret in (*SECRETS.values(), "123456789012"):
        assert secret not in dump
        assert secret.encode().hex() not in dump
    row = written(ledger)
    assert call_text(row, sealer=calls.sealer) == SECRETS["request_plain"]
    assert call_text(row, "rek_sealed", calls.sealer) == SECRETS["rek"]
    with pytest.raises(SealError):
        call_text(row, sealer=Sealer(bytes(32)))


@pytest.mark.parametrize("changes", [{"id": UUID(int=1)}, {"bill_number": "PI-XX/1"}, {"service_id": "COR"}])
def test_a_sealed_text_opens_in_its_own_column_of_its_own_call(ledger, calls, changes):
    ledger.db.transact(lambda c: calls.write(c, [exchange()]))
    row = written(ledger)
    for moved in (row | changes, row | {"request_sealed": row["rek_sealed"]}):
        with pytest.raises(SealError):
            call_text(moved, sealer=calls.sealer)


@pytest.mark.parametrize("is_announced", [False, True])
def test_a_call_is_written_once_however_often_that_is_tried(ledger, calls, is_announced):
    """As when nobody can tell what became of a COMMIT: what was written stays, and nothing is written beside it."""
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(400))
    announced = None
    if is_announced:
        [announced] = ledger.db.transact(lambda c: calls.announce(c, "PI", [(pi, "plain")], None))
    said = exchange()
    ledger.db.transact(lambda c: calls.write(c, [said], instruction_id=pi.id, announced=announced))
    before = written(ledger)
    ledger.db.transact(lambda c: calls.write(c, [said], instruction_id=pi.id, announced=announced))
    assert written(ledger) == before


def test_logins_are_written_once(ledger, calls):
    calls.record_login(exchange(service_id="AUTH", bill_number=None, request_plain=None))
    for _ in range(2):
        calls.write_logins(ledger.db, None)
    assert ledger.row("SELECT service_id, bill_number, request_sealed FROM ifms.treasury_call") == (
        "AUTH",
        "AUTH",
        None,
    )


def test_a_login_is_written_once_though_its_task_is_stopped_behind_the_commit(ledger, calls):
    class Stopped(Exception):
        pass

    def transact(work):
        ledger.db.transact(work)
        raise Stopped

    calls.record_login(exchange(service_id="AUTH", bill_number=None, request_plain=None))
    with pytest.raises(Stopped):
        calls.write_logins(SimpleNamespace(transact=transact), None)
    calls.write_logins(ledger.db, None)
    assert ledger.one("SELECT count(*) FROM ifms.treasury_call") == 1


def test_the_status_log_says_from_where_to_where(ledger):
    ledger.fund(1000)
    pi, claim = ledger.instruct(*ledger.payment(400))

    def write(connection):
        log_status(connection, pi, "PI", LogStatus.NO_RESPONSE, message="timeout")
        advance(connection, pi, claim, Event.ACCEPTED)
        log_status(connection, pi, "PI", LogStatus.SUCCESS, to_status=PiStatus.INITIATED)

    ledger.db.transact(write)
    with ledger.connect() as connection:
        rows = connection.execute(
            "SELECT status, from_status, to_status, message FROM ifms.status_log ORDER BY id"
        ).fetchall()
    assert rows == [
        ("STATUS_LOG_PI_NO_RESPONSE", None, None, "timeout"),
        ("STATUS_LOG_PI_SUCCESS", "PENDING", "INITIATED", None),
    ]
