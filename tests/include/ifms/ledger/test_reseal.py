"""Account numbers under a new key: all of them, the same numbers, beside who works on the ledger."""

import base64

import psycopg
import pytest
from psycopg import errors
from support.databases import as_worker
from support.failed import wage_bill

from ifms.errors import SealError
from ifms.ledger import reseal as module
from ifms.ledger.database import Database
from ifms.ledger.reseal import left, reseal
from ifms.sealing import Sealer

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
OLD = bytes(range(32))
NEW = bytes(range(1, 33))


def b64(key):
    return base64.b64encode(key).decode()


NEW_SEALER = Sealer.from_config(b64(NEW), [b64(OLD)])


@pytest.fixture
def paid(adapter):
    """A PI that the treasury has, of three payees, and one that it does not know yet."""
    wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    return adapter


def accounts(adapter, sealer):
    rows = adapter.rows("SELECT beneficiary_number, account_sealed FROM ifms.beneficiary ORDER BY 1")
    return {row["beneficiary_number"]: sealer.open(row["account_sealed"]) for row in rows}


def test_all_are_under_the_new_key_and_are_the_same(paid, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)
    before = accounts(paid, NEW_SEALER)
    with Database(lambda: psycopg.connect(paid.dsn)) as db:
        assert db.transact(lambda c: left(c, NEW_SEALER))["beneficiary.account_sealed"] == len(before) > 2
        assert reseal(db, NEW_SEALER) == {
            "beneficiary.account_sealed": len(before),
            "unmatched_failure.account_sealed": 0,
        }
        assert reseal(db, NEW_SEALER) == dict.fromkeys(reseal(db, NEW_SEALER), 0)
    assert accounts(paid, Sealer.from_config(b64(NEW))) == before  # the old key is not needed any more


def test_what_a_sweep_has_locked_is_left_and_counted_and_taken_the_next_time(paid):
    with Database(lambda: psycopg.connect(paid.dsn)) as db, psycopg.connect(paid.dsn) as busy:
        busy.execute("SELECT FROM ifms.beneficiary ORDER BY id LIMIT 1 FOR UPDATE")
        first = reseal(db, NEW_SEALER)["beneficiary.account_sealed"]
        assert db.transact(lambda c: left(c, NEW_SEALER))["beneficiary.account_sealed"] == 1
        busy.rollback()
        assert reseal(db, NEW_SEALER)["beneficiary.account_sealed"] == 1
        assert first == len(accounts(paid, NEW_SEALER)) - 1


def test_a_key_that_is_not_at_hand_is_named_and_nothing_is_changed(paid):
    before = paid.rows("SELECT id, account_sealed FROM ifms.beneficiary ORDER BY id")
    with Database(lambda: psycopg.connect(paid.dsn)) as db, pytest.raises(SealError, match="not at hand"):
        reseal(db, Sealer.from_config(b64(NEW)))
    assert paid.rows("SELECT id, account_sealed FROM ifms.beneficiary ORDER BY id") == before


def test_nobody_else_exchanges_an_account(paid):
    for dsn, setting in ((as_worker(paid.dsn), "on"), (paid.dsn, "off")):
        with psycopg.connect(dsn) as connection:
            connection.execute(f"SELECT set_config('ifms.resealing', '{setting}', true)".encode())
            with pytest.raises(errors.CheckViolation, match="is frozen"):
                connection.execute("UPDATE ifms.beneficiary SET account_sealed = 'x'")
