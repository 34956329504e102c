"""What a caller of `_create` is answered from: the payment, its PIs, and who is left out of a revision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from support.adapter import Adapter
from support.failed import mend, original, paid_and_failed, revisions, wage_bill

from ifms.queries import creation

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})

TENANT = "od.samplea"


def ask(adapter: Adapter, question: Callable[..., Any], *values: str) -> Any:
    with psycopg.connect(adapter.dsn) as connection:
        return question(connection, *values)


def test_a_payment_without_money_says_so_and_has_no_pi(adapter: Adapter):
    wage_bill(adapter)
    adapter.run("PA")
    adapter.run("PI")
    number = adapter.rows("SELECT payment_number FROM ifms.payment")[0]["payment_number"]
    assert ask(adapter, creation.payment, TENANT, number)["hold_code"] == "PAYMENT_INSUFFICIENT_FUNDS"
    assert ask(adapter, creation.payment, "od.other", number) is None
    assert ask(adapter, creation.originals, TENANT, number) == []
    adapter.run("VA")
    adapter.run("PI")
    pi = original(adapter)
    assert ask(adapter, creation.originals, TENANT, number) == [
        {"id": pi["id"], "pi_number": pi["pi_number"], "status": "INITIATED"}
    ]


def test_a_revision_has_those_whom_it_pays_and_the_others_are_outside(adapter: Adapter):
    paid_and_failed(adapter, 3, 2)
    parent = original(adapter)["pi_number"]
    failed = sorted(row["beneficiary_number"] for row in adapter.rows("SELECT * FROM ifms.failed_beneficiary"))
    assert len(failed) == 2
    assert ask(adapter, creation.revisions, TENANT, parent) == []
    outside = ask(adapter, creation.failed_outside, parent, "none")
    assert [row["beneficiary_number"] for row in outside] == failed
    mend(adapter)
    adapter.correct()
    [revision] = revisions(adapter)
    [found] = ask(adapter, creation.revisions, TENANT, parent)
    assert (found["pi_number"], found["paid"], found["same"]) == (revision["pi_number"], failed, None)
    assert ask(adapter, creation.failed_outside, parent, revision["pi_number"]) == []
