"""Messages are delivered in order per key, at least once, and what can't be delivered waits where it can be seen."""

import threading
from datetime import timedelta

import pytest
from support.ledger import TENANT

from ifms.errors import BadInputError, ClaimLostError
from ifms.ledger import outbox

A, B, C = "EP/A", "EP/B", "EP/C"


def tell(ledger, *payments):
    """One message for each payment; their ids."""
    for number in payments:
        ledger.db.transact(lambda c, number=number: outbox.enqueue_payment_status(c, TENANT, number, "INITIATED", "X"))
    with ledger.connect() as connection:
        rows = connection.execute("SELECT id FROM ifms.outbox ORDER BY id DESC LIMIT %s", (len(payments),)).fetchall()
    return [row[0] for row in reversed(rows)]


def claim(ledger, limit=100):
    return ledger.db.transact(lambda c: outbox.claim_messages(c, limit))


def settle(ledger, how, message, mine, *error):
    ledger.db.transact(lambda c: how(c, message, mine, *error))


def deliver(ledger, limit=100):
    """Claim and deliver one batch; the ids."""
    mine, batch = claim(ledger, limit)
    for message in batch:
        settle(ledger, outbox.delivered, message, mine)
    return [message.id for message in batch]


def set_aside(ledger, *payments):
    """Write a message for each payment and set them all aside; their ids."""
    ids = tell(ledger, *payments)
    mine, batch = claim(ledger)
    assert [message.id for message in batch] == ids
    for message in batch:
        settle(ledger, outbox.set_aside, message, mine, "refused")
    return ids


def make_due(ledger):
    with ledger.connect() as connection:
        connection.execute("UPDATE ifms.outbox SET next_attempt_at = now()")


def run_out(ledger):
    """Every lease is over."""
    with ledger.connect() as connection:
        connection.execute("UPDATE ifms.outbox SET claimed_until = clock_timestamp() - interval '1 second'")


def rows(ledger):
    with ledger.connect() as connection:
        return connection.execute("SELECT * FROM ifms.outbox ORDER BY id").fetchall()


def due(ledger):
    return ledger.db.transact(outbox.anything_due)


# What is said ---------------------------------------------------------------------------------------------------------


def test_a_status_of_a_whole_payment(ledger):
    (written,) = tell(ledger, A)
    _, (message,) = claim(ledger)
    assert message == outbox.Message(
        id=written,
        topic=outbox.PAYMENT_STATUS,
        tenant_id=TENANT,
        ordering_key=f"{TENANT}:{A}",
        payload={"paymentNumber": A, "status": "INITIATED", "referenceStatus": "X"},
        attempts=1,
    )


def test_a_status_of_single_lines_has_the_same_key(ledger):
    ledger.db.transact(
        lambda c: outbox.enqueue_line_statuses(
            c, TENANT, A, {"line-2", "line-1"}, "FAILED", status="PARTIAL", reference_status="PAYMENT_PARTIAL"
        )
    )
    _, (message,) = claim(ledger)
    assert message.ordering_key == f"{TENANT}:{A}"
    assert message.payload == {
        "paymentNumber": A,
        "status": "PARTIAL",
        "referenceStatus": "PAYMENT_PARTIAL",
        "lines": ["line-1", "line-2"],
        "lineStatus": "FAILED",
        "above": None,
    }


def test_what_was_rolled_back_is_not_said(ledger):
    def fail(connection):
        outbox.enqueue_payment_status(connection, TENANT, A, "INITIATED", "X")
        raise BadInputError("the change that it belongs to failed")

    with pytest.raises(BadInputError):
        ledger.db.transact(fail)
    assert rows(ledger) == []


# Order ----------------------------------------------------------------------------------------------------------------


def test_each_key_in_the_order_of_its_messages(ledger):
    a1, b1, a2, c1, a3, b2 = tell(ledger, A, B, A, C, A, B)
    assert deliver(ledger) == [a1, b1, c1]
    assert deliver(ledger) == [a2, b2]
    assert deliver(ledger) == [a3]
    assert deliver(ledger) == []


def test_the_same_payment_number_in_two_cities_is_two_keys(ledger):
    ids = tell(ledger, A)
    ledger.db.transact(lambda c: outbox.enqueue_payment_status(c, "od.sampleb", A, "INITIATED", "X"))
    assert deliver(ledger)[:1] == ids
    assert deliver(ledger) == []


def test_a_batch_has_its_limit_and_the_oldest_first(ledger):
    ids = tell(ledger, C, B, A)
    assert deliver(ledger, limit=2) == ids[:2]
    assert deliver(ledger, limit=2) == ids[2:]


@pytest.mark.parametrize("how", [outbox.try_later, outbox.set_aside])
def test_nothing_overtakes_what_could_not_be_delivered(ledger, how):
    first, other, second = tell(ledger, A, B, A)
    mine, (message, unblocked) = claim(ledger)
    settle(ledger, how, message, mine, "refused")
    settle(ledger, outbox.delivered, unblocked, mine)
    assert (message.id, unblocked.id) == (first, other)
    assert deliver(ledger) == []
    make_due(ledger)
    if how is outbox.set_aside:
        assert deliver(ledger) == []
        assert ledger.db.transact(lambda c: outbox.send_again(c, None)) == 1
    assert deliver(ledger) == [first]
    assert deliver(ledger) == [second]


def test_nothing_overtakes_what_is_under_way(ledger):
    tell(ledger, A, A)
    claim(ledger)
    assert claim(ledger)[1] == []


# Claimers side by side ------------------------------------------------------------------------------------------------


def test_two_claimers_at_the_same_moment_get_different_keys(ledger):
    a1, b1, _ = tell(ledger, A, B, A)
    with ledger.connect() as one, ledger.connect() as other, one.transaction(), other.transaction():
        other.execute("SET LOCAL statement_timeout = '10s'")  # neither waits for the other
        first, (mine,) = outbox.claim_messages(one, 1)
        second, theirs = outbox.claim_messages(other, 100)
        assert mine.id == a1
        assert [message.id for message in theirs] == [b1]
        assert first.token != second.token


def test_many_claimers_deliver_everything_once_and_in_order(ledger):
    numbers = [f"EP/{n}" for n in range(5)]
    ids = tell(ledger, *(numbers * 6))
    heard: list[tuple[str, int]] = []
    failures: list[BaseException] = []

    def work():
        try:
            with ledger.connect() as connection:
                while ledger_has_more(connection):
                    with connection.transaction():
                        mine, batch = outbox.claim_messages(connection, 2)
                    for message in batch:
                        heard.append((message.ordering_key, message.id))
                        with connection.transaction():
                            outbox.delivered(connection, message, mine)
        except BaseException as error:
            failures.append(error)

    def ledger_has_more(connection):
        return connection.execute("SELECT EXISTS (SELECT FROM ifms.outbox WHERE delivered_at IS NULL)").fetchone()[0]

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    assert sorted(number for _, number in heard) == ids
    for key in {key for key, _ in heard}:
        mine = [number for of, number in heard if of == key]
        assert mine == sorted(mine)


SETTLED = [
    (outbox.delivered, ()),
    (outbox.try_later, ("late",)),
    (outbox.set_aside, ("late",)),
    (outbox.give_back, ()),
]


def test_a_claimer_that_lost_its_claim_writes_nothing(ledger):
    tell(ledger, A)
    late, (message,) = claim(ledger)
    run_out(ledger)
    now_mine, (again,) = claim(ledger)
    assert (again.id, again.attempts) == (message.id, 2)
    before = rows(ledger)
    for how, error in SETTLED:
        with pytest.raises(ClaimLostError, match=f"message {message.id} of the outbox was taken over"):
            settle(ledger, how, message, late, *error)
        assert rows(ledger) == before, how
    settle(ledger, outbox.delivered, again, now_mine)


def test_a_message_is_settled_once(ledger):
    tell(ledger, A, B, C, "EP/D")
    mine, batch = claim(ledger)
    for (how, error), message in zip(SETTLED, batch, strict=True):
        settle(ledger, how, message, mine, *error)
        for again, late in SETTLED:
            with pytest.raises(ClaimLostError):
                settle(ledger, again, message, mine, *late)


def test_a_lease_lasts_as_long_as_it_says(ledger):
    tell(ledger, A)
    mine, _ = claim(ledger)
    assert mine.lease == outbox.LEASE
    left = ledger.one("SELECT claimed_until - clock_timestamp() FROM ifms.outbox")
    assert outbox.LEASE - timedelta(minutes=1) < left <= outbox.LEASE


# What could not be delivered ------------------------------------------------------------------------------------------


def test_the_pause_doubles_up_to_the_longest(ledger):
    tell(ledger, A)
    pauses = []
    for _ in range(13):
        make_due(ledger)
        mine, (message,) = claim(ledger)

        def later(connection, message=message, mine=mine):
            outbox.try_later(connection, message, mine, "the platform is away")
            return connection.execute("SELECT next_attempt_at - now() FROM ifms.outbox").fetchone()[0]

        pauses.append(ledger.db.transact(later))
        assert claim(ledger)[1] == []
    doubling = [outbox.FIRST_PAUSE * 2**n for n in range(13)]
    assert pauses == [min(pause, outbox.LONGEST_PAUSE) for pause in doubling]
    assert pauses[-1] == outbox.LONGEST_PAUSE < doubling[-1]
    assert ledger.row("SELECT attempts, last_error FROM ifms.outbox") == (13, "the platform is away")


def test_no_number_of_attempts_is_too_many(ledger):
    tell(ledger, A)
    with ledger.connect() as connection:
        connection.execute("UPDATE ifms.outbox SET attempts = 1000000")
    mine, (message,) = claim(ledger)
    settle(ledger, outbox.try_later, message, mine, "still away")
    assert not due(ledger)


def test_delivered_at_last_it_has_no_error_any_more(ledger):
    tell(ledger, A)
    mine, (message,) = claim(ledger)
    settle(ledger, outbox.try_later, message, mine, "away")
    make_due(ledger)
    deliver(ledger)
    assert ledger.row("SELECT delivered_at IS NOT NULL, last_error, claim_token FROM ifms.outbox") == (True, None, None)


def test_given_back_it_was_not_tried_and_is_due_at_once(ledger):
    tell(ledger, A)
    mine, (message,) = claim(ledger)
    settle(ledger, outbox.give_back, message, mine)
    assert ledger.row("SELECT attempts, claim_token, claimed_until, last_error FROM ifms.outbox") == (0, *[None] * 3)
    _, (again,) = claim(ledger)
    assert again == message


def test_set_aside_it_says_why_and_is_not_tried(ledger):
    set_aside(ledger, A)
    make_due(ledger)
    assert claim(ledger)[1] == []
    assert ledger.row("SELECT last_error, set_aside_at IS NOT NULL, delivered_at, claim_token FROM ifms.outbox") == (
        "refused",
        True,
        None,
        None,
    )


# Sent again -----------------------------------------------------------------------------------------------------------


def test_all_that_was_set_aside_is_sent_again(ledger):
    a1, b1 = set_aside(ledger, A, B)
    (c1,) = tell(ledger, C)
    assert ledger.db.transact(lambda c: outbox.send_again(c, None)) == 2
    _, batch = claim(ledger)
    assert [(message.id, message.attempts) for message in batch] == [(a1, 1), (b1, 1), (c1, 1)]
    assert ledger.db.transact(lambda c: outbox.send_again(c, None)) == 0


def test_single_messages_are_sent_again(ledger):
    _, b1, c1 = set_aside(ledger, A, B, C)
    assert ledger.db.transact(lambda c: outbox.send_again(c, [c1, b1, c1])) == 2
    assert [message.id for message in claim(ledger)[1]] == [b1, c1]


def test_no_ids_are_none_of_them(ledger):
    set_aside(ledger, A)
    assert ledger.db.transact(lambda c: outbox.send_again(c, [])) == 0
    assert claim(ledger)[1] == []


def test_what_is_sent_again_pauses_anew(ledger):
    tell(ledger, A)
    for _ in range(5):
        make_due(ledger)
        mine, (message,) = claim(ledger)
        settle(ledger, outbox.try_later, message, mine, "away")
    make_due(ledger)
    mine, (message,) = claim(ledger)
    settle(ledger, outbox.set_aside, message, mine, "refused")
    ledger.db.transact(lambda c: outbox.send_again(c, [message.id]))
    mine, (message,) = claim(ledger)
    settle(ledger, outbox.try_later, message, mine, "away")
    assert ledger.one("SELECT next_attempt_at < now() + interval '31 seconds' FROM ifms.outbox")


def test_an_id_that_is_not_set_aside_is_named_and_nothing_is_changed(ledger):
    (delivered,) = tell(ledger, C)
    deliver(ledger)
    (aside,) = set_aside(ledger, A)
    (waiting,) = tell(ledger, B)
    before = rows(ledger)
    for wrong in (delivered, waiting, 4711):
        with pytest.raises(BadInputError, match=f"message {wrong} of the outbox is not set aside: nothing was changed"):
            ledger.db.transact(lambda c, wrong=wrong: outbox.send_again(c, [aside, wrong]))
        assert rows(ledger) == before


# Due ------------------------------------------------------------------------------------------------------------------


def test_due_is_what_can_be_delivered_now(ledger):
    assert not due(ledger)
    tell(ledger, A)
    assert due(ledger)
    mine, (message,) = claim(ledger)
    settle(ledger, outbox.try_later, message, mine, "away")
    assert not due(ledger)
    make_due(ledger)
    assert due(ledger)
    deliver(ledger)
    assert not due(ledger)
    set_aside(ledger, B)
    assert not due(ledger)
    ledger.db.transact(lambda c: outbox.send_again(c, None))
    assert due(ledger)


@pytest.mark.parametrize("how", [outbox.try_later, outbox.set_aside])
def test_what_waits_behind_another_is_not_due(ledger, how):
    tell(ledger, A, A)
    mine, (message,) = claim(ledger)
    settle(ledger, how, message, mine, "refused")
    assert claim(ledger)[1] == []
    assert not due(ledger)
