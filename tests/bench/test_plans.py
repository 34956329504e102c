"""What is asked often goes by its index; `make bench` looks at a million rows, this at enough for the same plans."""

from __future__ import annotations

from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
MANY = 30_000


@pytest.fixture(scope="module")
def plans():
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(REPO))
        from bench import plans

        yield plans


@pytest.fixture(scope="module")
def filled(module_ledger_dsn, plans):
    plans.fill(module_ledger_dsn, MANY)
    return module_ledger_dsn


def test_each_look_up_goes_by_its_index(plans, filled):
    found = plans.measure(filled)
    assert len(found) > 20
    for each in found:
        assert each.by_index, f"{each.what}: {each.plan}"


def test_a_scan_would_be_seen(plans, filled):
    """As it was: compared with clock_timestamp(), which is another one for each row."""
    import psycopg

    with psycopg.connect(filled) as connection:
        connection.execute("DROP INDEX ifms.payment_instruction_claimed")
        connection.commit()
    held = {each.what: each.by_index for each in plans.measure(filled)}
    assert not held["held: INITIATED originals"]
