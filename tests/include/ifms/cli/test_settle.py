"""`ifms settle`: a person's word about a PENDING PI, typed at a terminal."""

import io

import psycopg
import pytest
from support.adapter import assert_money_is_right
from support.failed import original, wage_bill

from ifms.cli import main
from ifms.cli.terminal import os_user
from ifms.errors import SweepError

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})


@pytest.fixture
def lost(adapter, treasury):
    """The number of a PI that the treasury has, and whose reply was lost."""
    wage_bill(adapter, 2)
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "lost_reply", times=1)
    with pytest.raises(SweepError):
        adapter.run("PI")
    return original(adapter)["pi_number"]


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self):
        return True


def settle(adapter, number, *arguments, reason="the treasury was asked"):
    return main(["settle", number, *arguments, "--reason", reason, "--dsn", adapter.dsn])


def test_accepted(adapter, treasury, lost, capsys):
    assert settle(adapter, lost, "--accepted", "--confirm", lost) == 0
    assert capsys.readouterr().out == f"{lost} is settled by hand: accepted\n"
    row = original(adapter)
    assert (row["status"], row["settled_by"]) == ("INITIATED", os_user())
    [word] = adapter.rows("SELECT message FROM ifms.status_log WHERE status = 'STATUS_LOG_PI_SETTLED_BY_HAND'")
    assert word["message"] == f"settled by hand, accepted, by {os_user()}: the treasury was asked"
    assert_money_is_right(adapter, treasury)
    adapter.run("PIS")
    assert original(adapter)["status"] == "APPROVED"


def test_without_confirm_it_says_what_would_happen_and_changes_nothing(adapter, lost, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{lost}\n"))
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.payment_instruction SET error_message = 'of 123456789012 \x1b[2J'")
    for verdict, told in (
        ("--accepted", "count as spent, and PIS is asked about it from the next sweep on"),
        ("--not-at-treasury", "are free again; what it pays may be paid by another PI, once PIS has been asked"),
    ):
        assert settle(adapter, lost, verdict) == 1
        said = capsys.readouterr()
        assert f"{lost} of od.samplea, ₹" in said.out
        assert "it may have arrived at the treasury. Last heard: of ********9012" in said.out
        assert "\x1b" not in said.out
        assert told in said.out
        assert said.err == f"ifms: nothing was changed: add --confirm {lost} to do it\n"
    assert original(adapter)["status"] == "PENDING"


def test_at_a_terminal_it_asks_for_the_number(adapter, lost, capsys, monkeypatch):
    for typed in ("", "y\n", "PI-SA/2026-27/999999\n"):
        monkeypatch.setattr("sys.stdin", Terminal(typed))
        assert settle(adapter, lost, "--not-at-treasury") == 1
        assert "nothing was changed" in capsys.readouterr().err
        assert original(adapter)["status"] == "PENDING"
    monkeypatch.setattr("sys.stdin", Terminal(f"{lost}\n"))
    assert settle(adapter, lost, "--not-at-treasury") == 0
    assert original(adapter)["status"] == "FAILED"
    assert adapter.rows("SELECT sum(reserved_amount) AS n FROM ifms.sanction")[0]["n"] == 0


def test_what_it_refuses(adapter, lost, capsys):
    other = "PI-SA/2026-27/999999"
    for number, arguments, reason, told in (
        (lost, ["--accepted", "--confirm", other], "asked", "to confirm: nothing was changed"),
        (lost, ["--accepted", "--confirm", lost], " \t", "--reason is empty"),
        (other, ["--accepted", "--confirm", other], "asked", f"PI '{other}' is not known here"),
        (other, ["--accepted"], "asked", f"PI '{other}' is not known here"),
    ):
        assert settle(adapter, number, *arguments, reason=reason) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert told in said.err
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute(
            "UPDATE ifms.payment_instruction SET claim_token = gen_random_uuid(), claimed_until = now() + interval '1 min'"
        )
    assert settle(adapter, lost, "--accepted", "--confirm", lost) == 1
    assert "is under way" in capsys.readouterr().err
    assert original(adapter)["status"] == "PENDING"
    for arguments in ([], ["--accepted", "--not-at-treasury"]):
        with pytest.raises(SystemExit):
            settle(adapter, lost, *arguments, "--confirm", lost)
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.payment_instruction SET claim_token = NULL, claimed_until = NULL")
    assert settle(adapter, lost, "--accepted", "--confirm", lost) == 0
    for arguments in (["--not-at-treasury", "--confirm", lost], ["--not-at-treasury"]):
        assert settle(adapter, lost, *arguments) == 1
        assert "is INITIATED: only a PENDING one" in capsys.readouterr().err


def test_without_a_ledger_it_says_so(empty_database, capsys):
    assert main(["settle", "PI-1", "--accepted", "--reason", "x", "--confirm", "PI-1", "--dsn", empty_database]) == 1
    assert "run `ifms migrate` first" in capsys.readouterr().err
