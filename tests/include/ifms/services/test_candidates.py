"""Who of the failed can be revised: the three accounts of each, and why somebody can't be paid as it stands."""

import psycopg
import pytest
from support import failed
from support.databases import rewrite
from support.failed import TENANT
from support.platform_store import change_stored

from ifms.ledger import corrections, instructions
from ifms.ledger.database import Database
from ifms.platform.client import PlatformClient
from ifms.sealing import Sealer
from ifms.services.candidates import Account, Accounts, Candidates

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})


@pytest.fixture
def look(adapter, simulators):
    """`look(sealer=None)`: the accounts of the failed, and the faults."""

    def ask(sealer=None):
        number = failed.original(adapter)["pi_number"]
        with Database(lambda: psycopg.connect(adapter.dsn)) as db:
            original = db.transact(lambda c: instructions.find(c, [number]))[number]
            histories = db.transact(lambda c: corrections.histories(c, original))
        sealer = sealer or Sealer.from_config(simulators.treasury_config().log_key)
        with PlatformClient(simulators.platform_config()) as platform:
            return Candidates(platform, sealer).accounts(
                original, {n: h for n, h in histories.items() if h.last.failed}
            )

    return ask


def change(adapter, number, **changes):
    [row] = adapter.rows("SELECT beneficiary_id FROM ifms.beneficiary WHERE beneficiary_number = %s LIMIT 1", number)
    adapter.simulators.ask_platform(
        "POST", "accounts", {"tenantId": TENANT, "referenceId": row["beneficiary_id"], **changes}
    )


def test_another_number_or_another_branch_is_another_account(adapter, look):
    failed.paid_and_failed(adapter, failures=3)
    one, two, three = failed.failing(adapter)
    change(adapter, one, accountNumber="000099990001")
    change(adapter, two, ifsc="SMPL0000077")
    accounts, faults = look()
    assert faults == {}
    assert {number: each.mended for number, each in accounts.items()} == {one: True, two: True, three: False}
    assert accounts[one].first == accounts[one].before
    assert accounts[one].now.number == "000099990001"
    assert accounts[two].now.number == accounts[two].before.number


def test_what_failed_last_counts_and_not_the_original(adapter, look):
    failed.paid_and_failed(adapter, failures=1)
    [number] = failed.failing(adapter)
    failed.mend(adapter)
    adapter.correct()
    adapter.run("FTPS")
    failed.fail(adapter, "all", failed.revisions(adapter)[0]["pi_number"])
    adapter.run("FTFPS")
    accounts, _ = look()
    assert accounts[number].mended is False
    assert not accounts[number].first.same_as(accounts[number].before)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"isActive": False}, "no active primary bank account"),
        ({"shown": "masked"}, "masked account number"),
        ({"accountNumber": "12"}, "not 9 to 18 digits"),
        ({"ifsc": "smpl0000001"}, "IFSC"),
    ],
)
def test_one_that_can_not_be_paid_is_named_and_the_others_are_looked_at(adapter, look, changes, said):
    failed.paid_and_failed(adapter, failures=2)
    one, two = failed.failing(adapter)
    change(adapter, one, **changes)
    accounts, faults = look()
    assert list(accounts) == [two]
    assert said in faults[one]
    assert one in faults[one]


def test_an_account_that_was_sealed_by_another_key_is_that_ones_fault(adapter, look):
    failed.paid_and_failed(adapter, failures=1)
    [number] = failed.failing(adapter)
    accounts, faults = look(Sealer(b"k" * 32))
    assert (accounts, list(faults)) == ({}, [number])


def test_an_account_that_only_the_audit_log_knows(adapter, look):
    failed.paid_and_failed(adapter, failures=1)
    [number] = failed.failing(adapter)
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ifms.beneficiary SET account_sealed = NULL")
    accounts, faults = look()
    assert (accounts[number].mended, faults) == (False, {})
    assert adapter.rows("SELECT id FROM ifms.beneficiary WHERE account_sealed IS NOT NULL") == []  # it only looked


PAYEES = "is one payment to {}, {}, whose accounts differ now"


@pytest.mark.parametrize("mended", ["the first", "the second", "each another", "both the same"])
def test_payees_who_had_one_account_can_be_paid_while_they_have_one(adapter, look, mended):
    one, two = failed.one_account(adapter)
    [number] = failed.failing(adapter)
    [row] = adapter.rows("SELECT beneficiary_id FROM ifms.beneficiary")
    first, second = (one, two) if row["beneficiary_id"] == one else (two, one)
    accounts, faults = look()
    assert (accounts[number].mended, faults) == (False, {})
    if mended != "the second":
        failed.give(adapter, first, "000099990001")
    if mended != "the first":
        failed.give(adapter, second, "000099990001" if mended == "both the same" else "000099990002")
    accounts, faults = look()
    if mended == "both the same":
        assert (accounts[number].mended, accounts[number].now.number, faults) == (True, "000099990001", {})
    else:
        assert (accounts, list(faults)) == ({}, [number])
        assert PAYEES.format(first, second) in faults[number]
        assert "0000" not in faults[number].replace(number, "")


def test_one_of_several_payees_without_an_account_is_named(adapter, look):
    one, two = failed.one_account(adapter)
    [number] = failed.failing(adapter)
    for payee in (two, one):
        adapter.simulators.ask_platform(
            "POST", "accounts", {"tenantId": TENANT, "referenceId": payee, "isActive": payee != two}
        )
    _, faults = look()
    assert faults == {number: f"beneficiary {number} (payee {two}) has no active primary bank account"}


def test_whose_lines_nobody_knows_is_not_guessed_at(adapter, look):
    failed.paid_and_failed(adapter, failures=1)
    [number] = failed.failing(adapter)
    rewrite(adapter.dsn, "UPDATE ifms.beneficiary SET line_item_ids = line_item_ids || 'another line'::text")
    accounts, faults = look()
    assert (accounts, list(faults)) == ({}, [number])
    assert "has line another line in no bill of payment EP/" in faults[number]


def test_several_lines_of_one_payee_are_his_alone(adapter, look, tmp_path):
    one, two = failed.one_account(adapter)
    [number] = failed.failing(adapter)
    [row] = adapter.rows("SELECT beneficiary_id FROM ifms.beneficiary")
    for detail in (0, 1):
        change_stored(tmp_path, "bill", f"$.billDetails[{detail}].payee.identifier", f'"{row["beneficiary_id"]}"')
    failed.give(adapter, two if row["beneficiary_id"] == one else one, "000099990001")
    accounts, faults = look()
    assert (list(accounts), faults) == ([number], {})


def test_no_account_is_shown():
    account = Account("000099990001", "SMPL0000001")
    assert "000099990001" not in repr(Accounts(account, account, account))
