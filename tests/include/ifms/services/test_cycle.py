"""One whole cycle, from approved bills to paid beneficiaries, on a real ledger and both simulators."""

from collections import Counter

import pytest


@pytest.mark.simulators(platform={"cities": 3})
def test_every_approved_bill_becomes_a_paid_instruction(adapter):
    adapter.cycle()
    assert adapter.statuses() == Counter({"SUCCESSFUL": 9})
    assert {row["status"] for row in adapter.rows("SELECT status FROM ifms.beneficiary")} == {"Payment Successful"}
