"""The report: what is not as it should be is found, and named."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from io import StringIO

import psycopg
from rich.console import Console

from ifms_standalone.outcome import Books, Funds, Held, Instruction, Outcome, Planted, Scope

PAID = Instruction("od.samplea", "PI-SA/2026-27/000001", "EP/1", "SUCCESSFUL", Decimal("1500.00"), "")
LATE = Instruction("od.samplea", "PI-SA/2026-27/000002", "EP/2", "IN PROCESS", Decimal("20.00"), "no [scroll] yet")
HELD = Held("od.sampleb", "EP/3", Decimal("7.00"), "Sample Payee 17 has no account")
USED = Funds("od.samplea", "99001", "1911", Decimal(5000), Decimal(0), Decimal(1500), Decimal(3500))
UNUSED = Funds("od.sampleb", "99001", "1912", Decimal(4000), Decimal(0), Decimal(0), Decimal(4000))

LARGE = Decimal("43740000.00")


def test_all_paid_is_no_complaint() -> None:
    assert Outcome([PAID], [], [USED], []).complaints() == []


def test_each_thing_that_is_not_as_it_should_be_is_said() -> None:
    outcome = Outcome([PAID, LATE], [HELD], [USED], ["sanction 1: wrong"])
    assert outcome.complaints() == [
        "PI-SA/2026-27/000002 is IN PROCESS (no [scroll] yet)",
        "payment EP/3 of od.sampleb: Sample Payee 17 has no account",
        "sanction 1: wrong",
    ]


NUMBERS = [f"PI-SA/2026-27/00001{place}" for place in range(4)]
REJECTED = Instruction(
    "od.samplea", NUMBERS[0], "EP/7", "FAILED", Decimal("750.00"), "it is [rejected] by SSU 1", money_back=True
)
SECOND = Instruction("od.samplea", NUMBERS[1], "EP/7", "SUCCESSFUL", Decimal("750.00"), instead_of=NUMBERS[0])
RETURNED = Instruction("od.samplea", NUMBERS[2], "EP/8", "COMPLETED", Decimal("60.00"))
REVISION = Instruction("od.samplea", NUMBERS[3], "EP/8", "SUCCESSFUL", Decimal("15.00"), corrects=NUMBERS[2])
PLANTED = Planted(NUMBERS[0], NUMBERS[2])


def test_what_was_planted_and_mended_is_no_complaint() -> None:
    outcome = Outcome(
        [PAID, REJECTED, SECOND, RETURNED, REVISION], planted=PLANTED, reasons=["BN-1: Account is closed"]
    )
    assert outcome.complaints() == []
    text = StringIO()
    outcome.show(Console(file=text, width=200))
    shown = text.getvalue()
    for part in (
        "it is [rejected] by SSU 1",
        f"instead of {NUMBERS[0]}",
        f"corrected by {NUMBERS[3]}",
        f"corrects {NUMBERS[2]}",
        "5 payment instructions: 3 SUCCESSFUL, 1 FAILED, 1 COMPLETED; together they spend ₹ 2,310.00",
        f"Planted: the SSU rejected {NUMBERS[0]}. It is FAILED, its money is back on the sanction; payment EP/7: its new"
        f" PI {NUMBERS[1]} is SUCCESSFUL.",
        f"Planted: a bank returned money of {NUMBERS[2]} (BN-1: Account is closed), the account was corrected. It is"
        f" COMPLETED; its revision {NUMBERS[3]} is SUCCESSFUL.",
    ):
        assert part in shown


def test_what_was_planted_and_not_mended_is_said() -> None:
    assert Outcome([REJECTED, RETURNED], planted=PLANTED).complaints() == [
        f"{NUMBERS[0]} is FAILED, but no other payment instruction pays what it did not",
        f"{NUMBERS[2]} is COMPLETED, but no other payment instruction pays what it did not",
    ]
    partial = replace(RETURNED, status="PARTIAL")
    assert Outcome([replace(REJECTED, money_back=False), SECOND, partial], planted=PLANTED).complaints() == [
        f"{NUMBERS[0]} is FAILED, but its sanction has not got the money back",
        f"{NUMBERS[2]} is PARTIAL, not COMPLETED",
    ]
    assert "its revision is missing" in Outcome([partial], planted=PLANTED).summary()[0]


def test_what_nobody_planted_is_said() -> None:
    outcome = Outcome([REJECTED, SECOND, RETURNED, REVISION])
    assert outcome.complaints() == [
        f"{NUMBERS[0]} is FAILED (it is [rejected] by SSU 1)",
        f"{NUMBERS[2]} is COMPLETED",
    ]
    assert outcome.summary() == []


def test_a_cycle_without_instructions_is_a_complaint() -> None:
    assert Outcome([], [], [USED], []).complaints() == ["no payment instruction came out of this cycle"]


def test_tables_show_amounts_states_and_sums() -> None:
    text = StringIO()
    Outcome([PAID, LATE], [HELD], [USED, UNUSED], []).show(Console(file=text, width=140))
    shown = text.getvalue()
    for part in ("1,500.00", "IN PROCESS", "has no account", "9,000", "1 SUCCESSFUL, 1 IN PROCESS", "1,520.00"):
        assert part in shown
    assert "1 more sanctions" in shown


def test_no_amount_is_cut_on_a_narrow_terminal() -> None:
    text = StringIO()
    paid = Instruction("od.sampleaa", "PI-SAA/2026-27/000076", "EP/0/2026-27/11/23/000081", "SUCCESSFUL", LARGE, "")
    held = Held("od.sampleaa", "EP/0/2026-27/11/23/000082", LARGE, "Sample Payee 17 has no account " * 3)
    used = Funds("od.sampleaa", "9" * 27, "1" * 10, LARGE, Decimal("0.00"), Decimal("576108.00"), LARGE)
    Outcome([paid], [held], [used], []).show(Console(file=text, width=80))
    shown = text.getvalue()
    assert shown.count("4,37,40,000.00") == 7  # in a row each, in the sum of the instructions, in the register's sums
    assert "5,76,108.00" in shown
    assert "…" not in shown


def test_an_empty_ledger_agrees_with_an_empty_treasury(ledger_dsn: str) -> None:
    outcome = Outcome.of(ledger_dsn, Scope.from_now(ledger_dsn), Planted(), Books())
    assert outcome == Outcome([])


def test_a_bill_that_only_the_treasury_knows_is_said(ledger_dsn: str) -> None:
    books = Books({"PI-SA/2026-27/000009": Decimal("12.00")})
    outcome = Outcome.of(ledger_dsn, Scope.from_now(ledger_dsn), Planted(), books)
    assert outcome.wrong == ["PI-SA/2026-27/000009: the ledger has nothing accepted, the treasury ₹ 12.00"]


def test_a_balance_that_its_movements_do_not_explain_is_said(ledger_dsn: str) -> None:
    with psycopg.connect(ledger_dsn) as connection:
        connection.execute("SET session_replication_role = replica")  # past the triggers that forbid it
        connection.execute(
            "INSERT INTO ifms.sanction (tenant_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code,"
            " master_allotment_id, financial_year, sanctioned_amount, allotted_amount, spent_amount)"
            " VALUES ('od.samplea', '99001', 'SAMPLE01', '1', 'SAMPLE', '1', '1911', '2026-27', 100, 100, 40)"
        )
    outcome = Outcome.of(ledger_dsn, Scope.from_now(ledger_dsn), Planted(), Books())
    (wrong,) = outcome.wrong
    assert wrong.startswith("balances_are_movements: sanction ")
    assert "allotted 100.00, reserved 0.00, spent 40.00; its movements say 0, 0, 0" in wrong
    assert [each.available for each in outcome.funds] == [Decimal("60.00")]
