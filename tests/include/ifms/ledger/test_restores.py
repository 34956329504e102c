"""What a restored ledger may have forgotten: told one by one, and cleared one by one."""

import psycopg
import pytest
from support.ledger import TENANT

from ifms.errors import BadInputError, LedgerError
from ifms.ledger import payments, restores


def test_a_payment_is_in_doubt_until_it_is_cleared(ledger):
    ledger.fund(1000)
    payment, _ = ledger.payment(100)
    done = ledger_owner(ledger, lambda c: restores.begin(c, "sample"))
    assert (done.last_known, done.asked_first) == (None, 0)
    assert ledger.db.transact(restores.in_doubt)[0][:2] == (payment.payment_number, TENANT)
    again, claim = ledger.claim_payment(payment.payment_number)
    with pytest.raises(LedgerError, match="was restored"):
        ledger.instruct(again, claim)
    ledger_owner(ledger, lambda c: restores.clear(c, payment.payment_number, "asked", "sample"))
    assert ledger.db.transact(restores.in_doubt) == []
    again, claim = ledger.claim_payment(payment.payment_number)
    ledger.instruct(again, claim)
    with pytest.raises(BadInputError, match="is not in doubt"):
        ledger_owner(ledger, lambda c: restores.clear(c, payment.payment_number, "asked", "sample"))


def test_another_restore_makes_it_doubtful_again(ledger):
    payment, _ = ledger.payment(100)
    for _ in range(2):
        ledger_owner(ledger, lambda c: restores.begin(c, "sample"))
        assert len(ledger.db.transact(restores.in_doubt)) == 1
        ledger_owner(ledger, lambda c: restores.clear(c, payment.payment_number, "asked", "sample"))
        assert ledger.db.transact(restores.in_doubt) == []


def test_what_was_never_sent_is_asked_about_first(ledger):
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100))
    with ledger.connect() as owner:
        owner.execute("UPDATE ifms.payment_instruction SET last_attempt = 'never_sent'")
    assert ledger_owner(ledger, lambda c: restores.begin(c, "sample")).asked_first == 1
    assert ledger.one("SELECT last_attempt FROM ifms.payment_instruction WHERE id = %s", pi.id) == "unknown"


def test_only_the_owner_says_so(ledger):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ledger.db.transact(lambda c: restores.begin(c, "sample"))
    assert payments.UNPAID.due.endswith("NOT ifms.in_doubt(q)")


def ledger_owner(ledger, work):
    with ledger.connect() as connection, connection.transaction():
        return work(connection)
