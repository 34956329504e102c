"""New keys: all account numbers and signatures, the same content, beside who works on the ledger."""

import base64
from datetime import date

import psycopg
import pytest
from psycopg import errors
from support.databases import as_worker
from support.failed import wage_bill
from support.keys import KEYRING, account_numbers
from support.simulators import LOG_KEY, SIGNING_KEY

from ifms.errors import SealError, SignatureError
from ifms.ledger import failures, instructions
from ifms.ledger import reseal as module
from ifms.ledger.beneficiaries import Failure
from ifms.ledger.binding import check_instruction
from ifms.ledger.database import Database
from ifms.ledger.reseal import left, reseal
from ifms.sealing import Sealer
from ifms.services.still_owed import Stored
from ifms.signing import Keyring, Signer

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
NEW_LOG_KEY, NEW_SIGNING_KEY = (base64.b64encode(bytes(range(start, start + 32))).decode() for start in (64, 96))
NEW = Keyring(Sealer.from_config(NEW_LOG_KEY, [LOG_KEY]), Signer.from_config(NEW_SIGNING_KEY, [SIGNING_KEY]))
NEW_ALONE = Keyring(Sealer.from_config(NEW_LOG_KEY), Signer.from_config(NEW_SIGNING_KEY))


@pytest.fixture
def paid(adapter):
    """A PI that the treasury has, of three payees, and one that it does not know yet."""
    wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    return adapter


def check_all(dsn, keyring):
    """Whether every PI is as it was signed, and what its accounts are."""
    with psycopg.connect(dsn) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM ifms.payment_instruction")]
        stored = Stored.read(connection, instructions.by_id(connection, ids))
    return {each.pi.pi_number: check_instruction(keyring, each.pi, each.rows, each.bill_ids) for each in stored}


def told_of_somebody(adapter):
    """The treasury tells of a failure that is nobody's here."""
    failure = Failure(
        voucher_date=date(2026, 6, 1),
        reason="closed",
        challan_number="7",
        challan_date=None,
        ifsc="SMPL0000001",
        account_number="000012345678",
    )
    with psycopg.connect(adapter.dsn) as connection:
        assert failures.keep_unmatched(connection, "PI-XX/1", failure, KEYRING.sealer, "nobody's")


def kept_account(dsn, keyring):
    with psycopg.connect(dsn) as connection:
        [kept] = failures.unmatched(connection, "PI-XX/1")
    return failures.open_account(keyring.sealer, "PI-XX/1", kept)


def test_all_are_under_the_new_keys_and_are_the_same(paid, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)
    told_of_somebody(paid)
    before, accounts = check_all(paid.dsn, NEW), account_numbers(paid.dsn, NEW.sealer)
    assert before == check_all(paid.dsn, KEYRING)
    with Database(lambda: psycopg.connect(paid.dsn)) as db:
        waiting = db.transact(lambda c: left(c, NEW))
        assert waiting == {
            "beneficiary.account_sealed": len(accounts),
            "reported_failure.account_sealed": 1,
            "payment_instruction.signature": len(before),
        }
        assert len(accounts) > 2
        assert reseal(db, NEW) == waiting
        assert reseal(db, NEW) == dict.fromkeys(waiting, 0)
    assert check_all(paid.dsn, NEW_ALONE) == before  # the old keys are not needed any more
    assert account_numbers(paid.dsn, NEW_ALONE.sealer) == accounts
    assert kept_account(paid.dsn, NEW_ALONE) == "000012345678"


def test_what_a_sweep_has_locked_is_left_and_counted_and_taken_the_next_time(paid):
    with Database(lambda: psycopg.connect(paid.dsn)) as db, psycopg.connect(paid.dsn) as busy:
        busy.execute("SELECT FROM ifms.beneficiary ORDER BY id LIMIT 1 FOR UPDATE")
        first = reseal(db, NEW)["beneficiary.account_sealed"]
        assert db.transact(lambda c: left(c, NEW))["beneficiary.account_sealed"] == 1
        busy.rollback()
        assert reseal(db, NEW)["beneficiary.account_sealed"] == 1
        assert first == len(account_numbers(paid.dsn, NEW.sealer)) - 1


def test_a_key_that_is_not_at_hand_is_named_and_nothing_is_changed(paid):
    query = "SELECT p.signature, b.account_sealed FROM ifms.payment_instruction p, ifms.beneficiary b ORDER BY 1, 2"
    before = paid.rows(query)
    for keyring, error in (
        (Keyring(NEW_ALONE.sealer, KEYRING.signer), SealError),
        (Keyring(KEYRING.sealer, NEW_ALONE.signer), SignatureError),
    ):
        with Database(lambda: psycopg.connect(paid.dsn)) as db, pytest.raises(error, match="not at hand"):
            reseal(db, keyring)
    assert paid.rows(query) == before


def test_what_was_not_signed_so_does_not_become_signed_so(paid):
    """Under the new key it would look sound."""
    with psycopg.connect(paid.dsn) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE ifms.payment_instruction SET purpose = 'another'")
    with Database(lambda: psycopg.connect(paid.dsn)) as db, pytest.raises(SignatureError, match="does not fit"):
        reseal(db, NEW)


def test_nobody_else_exchanges_an_account_or_a_signature(paid):
    account, signature = "beneficiary SET account_sealed = 'x'", "payment_instruction SET signature = 'x'"
    for dsn, setting, change, refused in (
        (as_worker(paid.dsn), "on", account, errors.CheckViolation),
        (as_worker(paid.dsn), "on", signature, errors.InsufficientPrivilege),
        (paid.dsn, "off", account, errors.CheckViolation),
        (paid.dsn, "off", signature, errors.CheckViolation),
    ):
        with psycopg.connect(dsn) as connection:
            connection.execute(f"SELECT set_config('ifms.resealing', '{setting}', true)".encode())
            with pytest.raises(refused, match="is frozen|permission denied"):
                connection.execute(f"UPDATE ifms.{change}".encode())
