"""Scrolls and failures that two runs book at the same time: each reckons with what the other has written.

`ifms_pd`, `ifms_ftps` and `ifms_fd` all begin at 22:00. A failure that is booked between a run's look at who is paid and
its COMMIT would leave a PI SUCCESSFUL with somebody unpaid in it, whom nobody could correct any more.
"""

import threading

import psycopg
import pytest
from support import failed

from ifms.ledger import beneficiaries
from ifms.ledger.invariants import find_violations

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})


@pytest.fixture
def meanwhile(adapter, monkeypatch):
    """FD runs once another run has looked how all stand; it gets a while, if nothing holds it up."""
    fd, standing = threading.Thread(target=adapter.run, args=("FD",)), beneficiaries.standing

    def looked(*given):
        found = standing(*given)
        if not fd.ident:
            fd.start()
            fd.join(1.5)
        return found

    def run(service):
        monkeypatch.setattr(beneficiaries, "standing", looked)
        adapter.run(service)
        fd.join(30)
        assert fd.ident
        assert not fd.is_alive()

    return run


def assert_all_is_told(adapter):
    with psycopg.connect(adapter.dsn) as connection:
        assert [(found.invariant.name, found.rows) for found in find_violations(connection)] == []
    said = "SELECT payload FROM ifms.outbox WHERE topic = 'payment_status' ORDER BY id DESC LIMIT 1"
    assert adapter.rows(said)[0]["payload"]["status"] == "PARTIAL"


def one_of_two_scrolls(adapter, treasury):
    """A bill of two beneficiaries that is IN PROCESS; PD has the first one's scroll only. Their numbers."""
    adapter.run("VA")
    failed.wage_bill(adapter, payees=2)
    for service in ("PA", "PI", "PIS", "PAG"):
        adapter.run(service)
    treasury.rule("PD", "partial_scrolls", beneficiaries=1)
    return [row["n"] for row in adapter.rows("SELECT beneficiary_number AS n FROM ifms.beneficiary ORDER BY 1")]


def test_a_return_of_who_was_paid_before_while_the_last_scroll_comes(adapter, treasury, meanwhile):
    first, _ = one_of_two_scrolls(adapter, treasury)
    adapter.run("PD")
    treasury.clear()
    failed.fail(adapter, [first])
    meanwhile("PD")
    adapter.run("PD")
    adapter.run("FD")
    assert (failed.original(adapter)["status"], failed.failing(adapter)) == ("PARTIAL", [first])
    assert_all_is_told(adapter)


def test_a_failure_without_a_scroll_while_the_others_comes(adapter, treasury, meanwhile):
    _, second = one_of_two_scrolls(adapter, treasury)
    failed.fail(adapter, [second])
    meanwhile("PD")
    adapter.run("PD")
    adapter.run("FD")
    assert failed.original(adapter)["status"] == "PARTIAL"
    assert_all_is_told(adapter)


def test_a_return_of_the_original_while_its_revision_s_last_scroll_comes(adapter, meanwhile):
    failed.paid_and_failed(adapter, payees=2, failures=1)
    failed.mend(adapter)
    adapter.correct()
    [paid] = adapter.rows("SELECT beneficiary_number AS n FROM ifms.beneficiary WHERE status = 'Payment Successful'")
    failed.fail(adapter, [paid["n"]])
    meanwhile("FTPS")
    assert_all_is_told(adapter)
