"""`ifms proposals` tells what waits; no command does an act that needs a second person."""

import uuid

import pytest
from support import second_person

from ifms.cli import main
from ifms.ledger import proposals
from ifms.ledger.proposals import Act


def test_what_waits_is_listed_and_shown(ledger, capsys):
    given = {"tenant_id": "od.samplea", "reason": "asked", "person": "asha"}
    made = ledger.db.transact(lambda c: proposals.propose(c, Act.RELEASE, "EP/1", {}, **given))
    assert main(["proposals", "list", "--dsn", ledger.dsn]) == 0
    said = capsys.readouterr().out
    assert f"{made.id}  waiting  release  od.samplea  EP/1  by asha\n1 proposal(s)\n" == said
    assert main(["proposals", "show", str(made.id), "--dsn", ledger.dsn]) == 0
    assert "state: waiting\n" in capsys.readouterr().out
    ledger.db.transact(lambda c: proposals.refuse(c, made.id, "ravi", "no"))
    assert main(["proposals", "list", "--decided", "--dsn", ledger.dsn]) == 0
    assert "refused  release" in capsys.readouterr().out
    assert main(["proposals", "show", str(uuid.uuid4()), "--dsn", ledger.dsn]) == 1


def test_a_transfer_is_listed_by_its_pi_and_beneficiary(ledger, capsys):
    given = {"tenant_id": "od.samplea", "reason": "asked", "person": "asha"}
    about = {"has_paid": False, "pi_number": "PI-1", "beneficiary_number": "BN-1"}
    made = ledger.db.transact(lambda c: proposals.propose(c, Act.TRANSFER, str(uuid.uuid4()), about, **given))
    assert main(["proposals", "list", "--dsn", ledger.dsn]) == 0
    assert capsys.readouterr().out.startswith(f"{made.id}  waiting  transfer  od.samplea  PI-1 BN-1  by asha\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("settle", "{pi}", "--not-at-treasury", "--reason", "x", "--confirm", "{pi}"),
        ("failures", "settle-transfer", "{transfer}", "--not-paid", "--reason", "x"),
        ("sanction", "close", "{sanction}", "--reason", "x"),
        ("phrases", "add", "--service", "PI", "--text", "Sample text", "--meaning", "try later", "--reason", "x"),
    ],
)
def test_a_command_is_no_way_around(ledger, capsys, monkeypatch, arguments):
    sanction = ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100))
    with ledger.connect() as owner:
        owner.execute("UPDATE ifms.payment_instruction SET claim_token = NULL, claimed_until = NULL")
        owner.execute(
            "INSERT INTO ifms.other_transfer (beneficiary_row, utr_number) SELECT id, 'UTR2' FROM ifms.beneficiary LIMIT 1"
        )
    transfer = ledger.one("SELECT id FROM ifms.other_transfer")
    second_person.needed(ledger.dsn)
    monkeypatch.setenv("IFMS_SECOND_PERSON", "none")  # the ledger's row counts, not a terminal's variable
    told = [each.format(pi=pi.pi_number, sanction=sanction, transfer=transfer) for each in arguments]
    assert main([*told, "--dsn", ledger.dsn]) == 1
    assert "needs a second person" in capsys.readouterr().err
    assert ledger.one("SELECT status FROM ifms.payment_instruction") == "PENDING"
    assert ledger.one("SELECT settled_at FROM ifms.other_transfer") is None
    for table in ("sanction_closing", "phrase"):
        assert ledger.one(f"SELECT count(*) FROM ifms.{table}") == 0
