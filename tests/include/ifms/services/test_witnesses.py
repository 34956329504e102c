"""What the keys and the platform say of the ledger: each forged, lost or changed PI is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.adapter import Adapter
from support.bad_ones import BadOnes, under_one_number
from support.failed import TENANT, original, paid_and_failed, wage_bill
from support.keys import KEYRING
from support.platform_store import change_stored

from ifms.errors import PlatformError, PlatformRefusedError, PlatformUnavailableError, SweepNeedsAttentionError
from ifms.ledger.database import Database
from ifms.platform.client import PlatformClient
from ifms.services import witnesses
from ifms.services.witnesses import otherwise_owed, unsigned


def two_bills(adapter: Adapter) -> None:
    """A PI is PARTIAL and one is paid."""
    paid_and_failed(adapter)
    wage_bill(adapter)
    adapter.cycle()


pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0, "persist_ms": 0}, after=two_bills)


@pytest.fixture
def done(adapter: Adapter) -> Adapter:
    """A PI that is PARTIAL and one that is paid."""
    return adapter


def look(adapter: Adapter, *, every: bool = False) -> dict[str, Any]:
    """Both witnesses' findings by the rule's name."""
    with (
        Database(lambda: psycopg.connect(adapter.dsn)) as db,
        PlatformClient(adapter.simulators.platform_config()) as platform,
    ):
        found = [unsigned(db, KEYRING, every=every), otherwise_owed(db, platform, pytest.fail, every=every)]
    return {each.invariant.name: each for each in found if each is not None}


def rewrite(adapter: Adapter, statement: str) -> None:
    """As nobody may: past all triggers."""
    with psycopg.connect(adapter.dsn) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(statement.encode())


def test_a_right_ledger_has_both_witnesses(done: Adapter):
    assert look(done) == look(done, every=True) == {}


def test_each_pi_that_is_not_what_was_signed_is_counted_and_the_first_are_named(
    done: Adapter, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(witnesses, "BATCH", 1)
    monkeypatch.setattr(witnesses, "SHOWN", 1)
    rewrite(done, "UPDATE ifms.payment_instruction SET purpose = 'another'")
    found = look(done)["instructions_are_signed"]
    assert found.count == 2
    [row] = found.rows
    assert "its signature does not fit" in row
    assert "PI-SA/" in row


def test_what_ended_long_ago_is_looked_at_only_when_all_are(done: Adapter):
    rewrite(
        done,
        "UPDATE ifms.payment_instruction SET purpose = 'another', updated_at = now() - interval '3 days'"
        " WHERE status = 'SUCCESSFUL'",
    )
    assert look(done) == {}
    assert look(done, every=True)["instructions_are_signed"].count == 1


def test_an_imported_pi_has_no_signature_and_needs_none(done: Adapter):
    rewrite(done, "UPDATE ifms.payment_instruction SET signature = NULL, imported_at = now()")
    assert look(done, every=True) == {}


def test_a_payment_that_the_platform_has_with_another_sum_or_not_at_all_is_named(done: Adapter, tmp_path: Path):
    change_stored(tmp_path, "payment", "$.netPayableAmount", "1")
    [row] = look(done)["platform_owes_the_same"].rows
    assert "is of 1 on the platform, PI PI-SA/" in row
    rewrite(done, "UPDATE ifms.payment_instruction SET payment_number = 'EP/NONE' WHERE status = 'SUCCESSFUL'")
    rows = look(done)["platform_owes_the_same"].rows
    assert any(f"payment EP/NONE of {TENANT}, PI PI-SA/" in row and "is not found" in row for row in rows)


PROBLEMS = "SELECT problems FROM ifms.sweep_run WHERE service_id = 'RECONCILE'"


def test_a_payment_whose_number_names_two_is_named(done: Adapter, monkeypatch: pytest.MonkeyPatch):
    pi = original(done)
    under_one_number(monkeypatch, pi["payment_number"])
    [row] = look(done)["platform_owes_the_same"].rows
    assert row.startswith(f"PI {pi['pi_number']}: payment number {pi['payment_number']} is that of 2 payments")


def two_payments(adapter: Adapter, tmp_path: Path) -> tuple[str, str]:
    """The numbers of the two payments; the first is of one rupee on the platform."""
    change_stored(tmp_path, "payment", "$.netPayableAmount", "1")
    numbers = [row["payment_number"] for row in adapter.rows("SELECT payment_number FROM ifms.payment")]
    [first] = look(adapter)["platform_owes_the_same"].rows
    [other] = [number for number in numbers if f"payment {number} " not in first]
    [changed] = [number for number in numbers if number != other]
    return changed, other


def test_a_payment_that_cannot_be_read_keeps_no_other_from_being_compared(done: Adapter, tmp_path: Path):
    changed, other = two_payments(done, tmp_path)
    change_stored(tmp_path, "payment", "$.bills", "{}", row="max")
    with pytest.raises(SweepNeedsAttentionError, match="2 problem"):
        done.reconcile()
    [row] = done.rows(PROBLEMS)
    told = sorted(row["problems"], reverse=True)
    assert f"platform_owes_the_same: payment {other} of {TENANT}: 1 payment(s) of {TENANT} can't be read" in told[0]
    assert f"payment {changed} is of 1 on the platform, PI PI-SA/" in told[1]


def test_a_payment_that_the_platform_fails_about_keeps_no_other_from_being_compared(
    done: Adapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    changed, other = two_payments(done, tmp_path)
    BadOnes(monkeypatch, "payment", other)
    with pytest.raises(SweepNeedsAttentionError, match="2 problem"):
        done.reconcile()
    [row] = done.rows(PROBLEMS)
    told = sorted(row["problems"], reverse=True)
    assert f"platform_owes_the_same: payment {other} of {TENANT}: " in told[0]
    assert f"payment {changed} is of 1 on the platform, PI PI-SA/" in told[1]


@pytest.mark.parametrize(
    ("error", "silent", "asked"),
    [
        (PlatformUnavailableError, 1, 1),
        (PlatformUnavailableError, 2, 2),
        (PlatformUnavailableError, 3, 2),
        (PlatformRefusedError, 1, 2),
    ],
)
def test_a_platform_that_is_away_is_asked_no_further_and_one_that_refuses_about_the_others(
    done: Adapter, monkeypatch: pytest.MonkeyPatch, error: type[PlatformError], silent: int, asked: int
):
    told: list[object] = []

    def none(*about: object, **_more: object) -> None:
        told.append(about)
        raise error("payment_search did not answer")

    monkeypatch.setattr(witnesses, "BATCH", 1)
    monkeypatch.setattr(witnesses, "SILENT", silent)
    monkeypatch.setattr(PlatformClient, "payments", none)
    rewrite(done, "UPDATE ifms.payment_instruction SET purpose = 'another'")
    away = error is PlatformUnavailableError and silent <= 2
    named = 1 if away else 2
    with pytest.raises(SweepNeedsAttentionError, match=f"{2 + named} problem"):
        done.reconcile()
    [row] = done.rows(PROBLEMS)
    assert len(told) == asked
    why = "the platform could not be asked, and is asked no further: " if away else ""
    problems = [text for text in row["problems"] if text.startswith(f"platform_owes_the_same: {why}payment EP/")]
    assert len(set(problems)) == named
    assert all(text.endswith(f" of {TENANT}: payment_search did not answer") for text in problems)
    assert original(done)["pi_number"] in "".join(row["problems"])
