"""`ifms failures`: what waits for a person is listed, and each kind is settled by its own command, with a reason."""

from datetime import date

import pytest
from support import second_person
from support.databases import rewrite
from support.keys import KEYRING

from ifms.cli import main
from ifms.ledger import failures
from ifms.ledger.beneficiaries import Failure
from ifms.ledger.invariants import find_violations

FAILURE = Failure(
    date(2026, 6, 1), "Account is dormant", "C1", None, beneficiary_id="BN-X", account_number="12345678901"
)


NOTHING = "open: 0 transfer(s), 0 reported, 0 beneficiary(ies)\n"


@pytest.fixture
def kept(ledger):
    """A failure that matches nothing; its id."""
    ledger.db.transact(lambda c: failures.keep_unmatched(c, "PI-X", FAILURE, KEYRING.sealer, "sample reason"))
    return str(ledger.one("SELECT id FROM ifms.reported_failure"))


def run(capsys, *arguments):
    code = main(["failures", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_it_is_listed_until_it_is_closed(ledger, kept, capsys):
    code, out, _ = run(capsys, "list", "--dsn", ledger.dsn)
    assert (code, out.splitlines()) == (
        0,
        [
            f"reported\t{kept}\tPI-X\tBN-X\tvoucher date 2026-06-01: sample reason",
            "open: 0 transfer(s), 1 reported, 0 beneficiary(ies)",
        ],
    )
    code, out, _ = run(capsys, "close-reported", kept, "--dsn", ledger.dsn, "--reason", " the treasury\n meant PI-Y ")
    assert (code, out) == (0, f"reported failure {kept} is closed\n")
    who, why = ledger.row(
        "SELECT settled_by, settled_reason FROM ifms.reported_failure WHERE settled_at = now()"
        " OR settled_at IS NOT NULL"
    )
    assert why == "the treasury meant PI-Y"
    assert who
    assert run(capsys, "list", "--dsn", ledger.dsn)[1] == NOTHING


def test_what_is_closed_stays_as_it_was_closed(ledger, kept, capsys):
    assert run(capsys, "close-reported", kept, "--dsn", ledger.dsn, "--reason", "first")[0] == 0
    code, _, err = run(capsys, "close-reported", kept, "--dsn", ledger.dsn, "--reason", "second")
    assert (code, "there is no open reported failure" in err) == (1, True)
    assert ledger.one("SELECT settled_reason FROM ifms.reported_failure") == "first"


def test_without_a_reason_nothing_is_closed(ledger, kept, capsys):
    code, _, err = run(capsys, "close-reported", kept, "--dsn", ledger.dsn, "--reason", " \n")
    assert (code, "a reason is missing" in err) == (1, True)
    assert ledger.one("SELECT settled_at FROM ifms.reported_failure") is None


@pytest.mark.parametrize("word", ["paid", "not-paid"])
def test_another_transfer_is_listed_and_settled(ledger, capsys, word):
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100))
    with ledger.connect() as connection:
        connection.execute(
            "INSERT INTO ifms.other_transfer (beneficiary_row, utr_number, voucher_date) SELECT id, 'UTR2', '2026-06-01'"
            " FROM ifms.beneficiary WHERE payment_instruction_id = %s LIMIT 1",
            (pi.id,),
        )
    found = str(ledger.one("SELECT id FROM ifms.other_transfer"))
    _, out, _ = run(capsys, "list", "--dsn", ledger.dsn)
    assert out.startswith(f"transfer\t{found}\t{pi.pi_number}\tBN-")
    assert "told as paid by UTR2, and before as " in out
    arguments = ("settle-transfer", found, f"--{word}", "--dsn", ledger.dsn, "--reason", "its bank says so")
    assert run(capsys, *arguments)[:2] == (0, f"transfer {found} is settled: it has {word.replace('-', ' ')}\n")
    assert ledger.row("SELECT has_paid, settled_reason FROM ifms.other_transfer") == (
        word == "paid",
        "its bank says so",
    )
    assert run(capsys, "list", "--dsn", ledger.dsn)[1] == NOTHING


def test_that_it_has_paid_is_said_where_a_second_person_is_needed_too(ledger, capsys):
    ledger.fund(1000)
    ledger.instruct(*ledger.payment(100))
    with ledger.connect() as connection:
        connection.execute(
            "INSERT INTO ifms.other_transfer (beneficiary_row, utr_number) SELECT id, 'UTR2' FROM ifms.beneficiary LIMIT 1"
        )
    second_person.needed(ledger.dsn)
    found = str(ledger.one("SELECT id FROM ifms.other_transfer"))
    code, out, err = run(capsys, "settle-transfer", found, "--not-paid", "--dsn", ledger.dsn, "--reason", "asked")
    assert (code, out, "this needs a second person (transfer): propose it on the adapter's pages" in err) == (
        1,
        "",
        True,
    )
    assert ledger.one("SELECT settled_at FROM ifms.other_transfer") is None
    assert run(capsys, "settle-transfer", found, "--paid", "--dsn", ledger.dsn, "--reason", "asked")[0] == 0
    assert ledger.one("SELECT has_paid FROM ifms.other_transfer") is True


def test_who_must_not_be_paid_any_more_is_closed_and_told_of_no_more(ledger, capsys):
    ledger.fund(1000)
    ledger.instruct(*ledger.payment(100))
    rewrite(ledger.dsn, "UPDATE ifms.payment_instruction SET status = 'PARTIAL'")
    rewrite(ledger.dsn, "UPDATE ifms.beneficiary SET status = 'Payment Failed', failed_on = current_date - 200")
    found = ledger.one("SELECT array_agg(id::text) FROM ifms.beneficiary")
    assert all(any(row in told for told in uncorrected(ledger)) for row in found)
    listed = run(capsys, "list", "--dsn", ledger.dsn)[1].splitlines()
    assert [row for row in found if not any(line.startswith(f"beneficiary\t{row}\tPI-") for line in listed)] == []
    assert listed[-1].endswith("2 beneficiary(ies)")
    for row in found:
        assert run(capsys, "close-beneficiary", row, "--dsn", ledger.dsn, "--reason", "has died")[0] == 0
    assert uncorrected(ledger) == []
    assert ledger.one("SELECT DISTINCT reason FROM ifms.closed_failure") == "has died"
    assert run(capsys, "list", "--dsn", ledger.dsn)[1] == NOTHING
    assert run(capsys, "close-beneficiary", found[0], "--dsn", ledger.dsn, "--reason", "twice")[0] == 1


def uncorrected(ledger):
    with ledger.connect() as connection:
        found = find_violations(connection)
    return [row for each in found if each.invariant.name == "failures_are_corrected" for row in each.rows]
