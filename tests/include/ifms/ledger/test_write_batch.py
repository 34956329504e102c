"""Writes that go to the database together: one trip, the same effect as one after the other."""

import psycopg
import pytest

from ifms.errors import ClaimLostError, ConflictError
from ifms.ledger import beneficiaries, instructions, outbox
from ifms.ledger.bills import bind_bills
from ifms.ledger.statuses import BeneficiaryStatus, Event
from ifms.ledger.write_batch import RowStatement, Writes, write, write_row

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

    with pytest.raises(ConflictError, match=f"pays bill B1, which payment P1 of {TENANT} pays already"):
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
        outbox.enqueue_payment_status(writes, TENANT, "P1", "INITIATED", "PAYMENT_INITIATED")  # of another table
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


# Rows that are written alike -------------------------------------------------------------------------------------------

RUN = RowStatement(
    "INSERT INTO ifms.sweep_run (service_id, message, counts, problems, shard)"
    " SELECT {service}, {message}, {counts}, {problems}, {shard} {rows}",
    {"service": "text", "message": "text", "counts": "jsonb", "problems": "jsonb", "shard": "integer"},
)
SAID = RowStatement(
    "UPDATE ifms.sweep_run r SET message = {message} {rows} WHERE r.service_id = {service}",
    {"service": "text", "message": "text"},
    key="service",
)


def run(service, message="{message} %s %(x)s", counts=(), shard=0):
    return {"service": service, "message": message, "counts": dict(counts), "problems": [message], "shard": shard}


def stored(ledger, what):
    with ledger.connect() as connection:
        return connection.execute(f"SELECT {what} FROM ifms.sweep_run ORDER BY service_id").fetchall()


@pytest.mark.parametrize("together", [True, False])
def test_rows_come_out_as_they_went_in_however_many_are_sent(ledger, together):
    rows = [run("A", "Ünïcode \\ ' \" \n", {"n": [1, None]}, 7), run("B", None), run("C", "", {}, 2)]

    def work(connection):
        target = Writes(connection) if together else connection
        for row in rows:
            write_row(target, RUN, row)
        if together:
            target.flush()

    ledger.db.transact(work)
    assert stored(ledger, "service_id, message, counts, problems, shard") == [tuple(row.values()) for row in rows]


def test_rows_that_are_written_alike_are_one_statement(ledger, counted):
    writes = Writes(counted)
    for number in range(5):
        write_row(writes, RUN, run(f"S{number}"))
        outbox.enqueue_payment_status(writes, TENANT, f"P{number}", "INITIATED", "PAYMENT_INITIATED")
    writes.flush()
    assert counted.statements == 1
    for number in range(5):
        write_row(writes, SAID, {"service": f"S{number}", "message": f"said {number}"}, rows=1, otherwise=never)
    writes.flush()
    assert counted.statements == 2
    assert stored(ledger, "message") == [(f"said {number}",) for number in range(5)]
    assert ledger.one("SELECT array_agg(payload ->> 'paymentNumber' ORDER BY id) FROM ifms.outbox") == [
        f"P{number}" for number in range(5)
    ]


def test_a_change_of_rows_that_are_inserted_with_it_sees_them(ledger, counted):
    writes = Writes(counted)
    write_row(writes, RUN, run("A"))
    write_row(writes, SAID, {"service": "A", "message": "changed"}, rows=1, otherwise=never)
    writes.flush()
    assert stored(ledger, "message") == [("changed",)]


def never(_):
    return AssertionError("each was there")


def test_a_row_that_is_changed_twice_is_changed_twice(ledger, counted):
    for service in "AB":
        write_row(counted, RUN, run(service))
    writes = Writes(counted)
    for service, message in (("A", "first"), ("B", "only"), ("A", "second")):
        write_row(writes, SAID, {"service": service, "message": message}, rows=1, otherwise=never)
    assert counted.statements == 3  # the first two had to be sent
    writes.flush()
    assert stored(ledger, "message") == [("second",), ("only",)]


def test_one_of_several_rows_that_is_not_there_is_said_and_none_is_written(ledger, counted):
    write_row(counted, RUN, run("A"))

    def change(*services):
        writes = Writes(counted)
        for service in services:
            gone = ConflictError(f"{service} is not there")
            write_row(writes, SAID, {"service": service, "message": "new"}, rows=1, otherwise=lambda _, gone=gone: gone)
        with counted.connection.transaction():
            writes.flush()

    with pytest.raises(ConflictError, match="B is not there"):
        change("B")
    with pytest.raises(ClaimLostError, match="one of several"):
        change("A", "B")
    assert ledger.one("SELECT message FROM ifms.sweep_run") == run("A")["message"]


def test_the_types_of_a_pi_s_columns_are_the_database_s(ledger):
    """Rows that are written together are typed here; one of another type would be refused, or turned into it."""
    with ledger.connect() as connection:
        columns = connection.execute(
            """
            SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
            WHERE attrelid = 'ifms.payment_instruction'::regclass AND attnum > 0 AND NOT attisdropped
            """
        ).fetchall()
    types = {name: kind.replace("timestamp with time zone", "timestamptz") for name, kind in columns}
    written = {name: kind for name, kind in types.items() if kind != "text[]"}  # by a trigger
    assert {name: instructions._TYPES.get(name, "text") for name in written} == written
    assert instructions._TYPES.keys() - types.keys() == {"lease"}
