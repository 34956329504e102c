"""Writes that go to the database together: one trip, the same effect as one after the other."""

import psycopg
import pytest

from ifms.errors import ClaimLostError, ConflictError
from ifms.ledger import beneficiaries, instructions, outbox
from ifms.ledger.bills import bind_bills
from ifms.ledger.statuses import BeneficiaryStatus, Event
from ifms.ledger.write_batch import Writes, write

TENANT = "od.samplea"


class Counted:
    """A connection that counts its statements."""

    def __init__(self, connection):
        self.connection = connection
        self.statements = 0

    def execute(self, *args, **options):
        self.statements += 1
        return self.connection.execute(*args, **options)


@pytest.fixture
def counted(ledger):
    with ledger.connect() as connection:
        yield Counted(connection)


def test_nothing_is_sent_before_the_flush_and_then_what_is_counted_and_the_rest(ledger, counted):
    writes = Writes(counted)
    for number in ("P1", "P2", "P3"):
        outbox.enqueue_payment_status(writes, TENANT, number, "INITIATED", "PAYMENT_INITIATED")
    bind_bills(writes, TENANT, {"P1": ["B1", "B2"]})
    assert counted.statements == 0
    assert writes.flush() is counted
    assert counted.statements == 2
    assert ledger.one("SELECT count(*) FROM ifms.outbox") == 3
    assert ledger.one("SELECT count(*) FROM ifms.bill WHERE payment_number = 'P1'") == 2
    writes.flush()
    assert counted.statements == 2


def test_a_lost_claim_is_said_and_not_what_the_other_writes_run_into(ledger):
    ledger.fund(1000)
    pi, mine = ledger.instruct(*ledger.payment(100))
    ledger.db.transact(lambda c: instructions.advance(c, pi, mine, Event.ACCEPTED))

    def late(connection):  # it would take what is reserved a second time
        writes = Writes(connection)
        instructions.advance(writes, pi, mine, Event.ACCEPTED)
        writes.flush()

    with pytest.raises(ClaimLostError, match=pi.pi_number):
        ledger.db.transact(late)


def test_a_part_that_touches_other_than_its_rows_raises_and_the_transaction_keeps_nothing(ledger):
    ledger.db.transact(lambda c: bind_bills(c, TENANT, {"P1": ["B1"]}))

    def work(connection):
        writes = Writes(connection)
        outbox.enqueue_payment_status(writes, TENANT, "P2", "INITIATED", "PAYMENT_INITIATED")
        bind_bills(writes, TENANT, {"P2": ["B0", "B1"]})
        writes.flush()

    with pytest.raises(ConflictError, match="pays bill B1, which payment P1 pays already"):
        ledger.db.transact(work)
    assert ledger.one("SELECT count(*) FROM ifms.outbox") == 0
    assert ledger.one("SELECT count(*) FROM ifms.bill") == 1


def test_two_changes_of_one_row_both_happen(ledger):
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100))
    number = ledger.one("SELECT min(beneficiary_number) FROM ifms.beneficiary")

    def work(connection):
        writes = Writes(connection)
        beneficiaries.note_beneficiaries(writes, pi, {number: "Wrong IFSC"})
        beneficiaries.set_beneficiaries(writes, pi, BeneficiaryStatus.PENDING, BeneficiaryStatus.INITIATED)
        writes.flush()

    ledger.db.transact(work)
    row = ledger.row("SELECT status, status_message FROM ifms.beneficiary WHERE beneficiary_number = %s", number)
    assert row == ("Payment Initiated", "Wrong IFSC")


def test_parameters_of_the_parts_do_not_meet(ledger, counted):
    writes = Writes(counted)
    for name in ("first", "second"):
        write(
            writes,
            "INSERT INTO ifms.sweep_run (service_id, message) VALUES (%(service)s, %(message)s)",
            {"service": name, "message": f"{name} %s %(message)s"},
        )
    write(writes, "INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload) VALUES (%s, %s, %s, '{}')", "abc")
    writes.flush()
    assert ledger.one("SELECT array_agg(service_id || ': ' || message ORDER BY service_id) FROM ifms.sweep_run") == [
        "first: first %s %(message)s",
        "second: second %s %(message)s",
    ]
    assert ledger.row("SELECT topic, tenant_id, ordering_key FROM ifms.outbox") == ("a", "b", "c")


def test_what_is_no_write_is_refused_before_it_is_sent(counted):
    with pytest.raises(AssertionError, match="no INSERT INTO or UPDATE"):
        write(Writes(counted), "DELETE FROM ifms.outbox", ())
    assert counted.statements == 0


def test_the_database_names_a_refused_part(ledger):
    def work(connection):
        writes = Writes(connection)
        write(writes, "INSERT INTO ifms.outbox (topic) VALUES (%s)", ("t",))
        write(writes, "INSERT INTO ifms.sweep_run (service_id) VALUES (%s)", ("PI",))
        writes.flush()

    with ledger.connect() as connection, pytest.raises(psycopg.errors.NotNullViolation):
        work(connection)
    assert ledger.one("SELECT count(*) FROM ifms.sweep_run") == 0
