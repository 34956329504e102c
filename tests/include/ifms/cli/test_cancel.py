"""`ifms cancel`: a payment instruction that was never sent ends by a person's word."""

import pytest
from support.ledger import LEASE

from ifms.cli import main
from ifms.ledger import instructions


@pytest.fixture
def unsent(ledger):
    """A PI that no connection was made for; its number."""
    ledger.fund(1000)
    pi, mine = ledger.instruct(*ledger.payment(400))
    ledger.db.transact(lambda c: instructions.settle_attempt(c, pi, mine, "never_sent", "sample"))
    return pi.pi_number


def run(capsys, ledger, *arguments):
    code = main(["cancel", *arguments, "--dsn", ledger.dsn])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_it_is_cancelled_and_its_money_is_free(ledger, unsent, capsys):
    code, out, _ = run(capsys, ledger, unsent, "--reason", "wrong bill", "--confirm", unsent)
    assert (code, out) == (0, f"PI {unsent} is cancelled: 400.00 is available again\n")
    assert ledger.balances() == (1000, 0, 0, 1000)
    assert ledger.one("SELECT cancelled_by IS NOT NULL AND status = 'FAILED' FROM ifms.payment_instruction")


@pytest.mark.parametrize(
    ("reason", "confirm", "told"), [(" ", None, "needs a reason"), ("wrong bill", "PI-X", "type the number")]
)
def test_without_reason_or_number_nothing_is_changed(ledger, unsent, capsys, reason, confirm, told):
    code, _, err = run(capsys, ledger, unsent, "--reason", reason, "--confirm", confirm or unsent)
    assert (code, told in err) == (1, True)
    assert ledger.one("SELECT status FROM ifms.payment_instruction") == "PENDING"


def test_one_that_is_being_sent_is_refused(ledger, capsys):
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(400))
    code, _, err = run(capsys, ledger, pi.pi_number, "--reason", "wrong bill", "--confirm", pi.pi_number)
    assert (code, "is under way" in err) == (1, True)
    with ledger.connect() as connection:
        connection.execute("UPDATE ifms.payment_instruction SET claimed_until = now() - %s", (LEASE,))
    code, _, err = run(capsys, ledger, pi.pi_number, "--reason", "wrong bill", "--confirm", pi.pi_number)
    assert (code, "may have arrived" in err) == (1, True)
    assert ledger.balances()[1] == 400
