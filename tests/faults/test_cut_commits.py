"""F13: the connection is cut at COMMIT. What was committed is read again and not done twice; what was not, is done."""

from collections import Counter
from dataclasses import replace

import pytest
from support.adapter import assert_money_is_right
from support.proxy import before

CUTS = ("answer lost", "never arrived")

pytestmark = [
    pytest.mark.tier("prove"),
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 3, "persist_ms": 0}),
]


def run_cut(adapter, how, marker, service):
    """One sweep whose transaction that says `marker` is cut at its COMMIT."""
    with before(adapter.dsn) as (proxy, dsn):
        cut = replace(adapter, dsn=dsn)
        proxy.cut(how, marker)
        sweep = cut.correct() if service == "COR" else cut.run(service)
        assert proxy.cuts == 1, "no transaction was cut: the marker is out of date"
    return sweep


def count(adapter, table, where="true"):
    return adapter.rows(f"SELECT count(*) AS n FROM ifms.{table} WHERE {where}")[0]["n"]


def assert_written_once(adapter, treasury, service, number):
    """`number` bills of `service`: one call, one log row of it, one status row, one message each."""
    assert treasury.state["calls"][service] == number
    calls = f"service_id = '{service}'"
    logs = f"{calls} AND to_status IS DISTINCT FROM 'COMPLETED'"  # which is the original's, and no call's
    assert count(adapter, "treasury_call", calls) == count(adapter, "status_log", logs) == number
    assert count(adapter, "treasury_call", f"{calls} AND outcome = 'answered'") == number
    assert_money_is_right(adapter, treasury)


@pytest.mark.parametrize("how", [*CUTS, "arrives late"])
@pytest.mark.parametrize("marker", ["RESERVE", "DEBIT"], ids=["writing a PI", "settling it"])
def test_a_payment_instruction_is_written_and_settled_once(adapter, treasury, how, marker):
    adapter.run("VA")
    adapter.run("PA")
    sweep = run_cut(adapter, how, marker, "PI")
    assert (sweep.counts["created"], sweep.counts["accepted"]) == (3, 3)
    assert adapter.statuses() == Counter(INITIATED=3)
    assert count(adapter, "fund_movement", "kind = 'RESERVE'") == count(adapter, "fund_movement", "kind = 'DEBIT'") == 3
    assert count(adapter, "outbox") == 3
    assert_written_once(adapter, treasury, "PI", 3)


@pytest.mark.parametrize("how", CUTS)
def test_allotments_count_once(adapter, treasury, how):
    sweep = run_cut(adapter, how, "INSERT INTO ifms.allotment", "VA")
    assert sweep.counts["allotments_new"] == count(adapter, "allotment") == count(adapter, "fund_movement") == 12
    assert count(adapter, "va_watermark", "fetched_until IS NOT NULL AND claim_token IS NULL") == 3
    calls = "service_id = 'VA'"
    assert treasury.state["calls"]["VA"] == count(adapter, "treasury_call", calls) == 3
    assert_money_is_right(adapter, treasury)


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize(
    "marker", ["INSERT INTO ifms.payment_instruction", "success_code"], ids=["writing", "settling"]
)
def test_a_correction_is_written_and_settled_once(adapter, treasury, simulators, how, marker):
    adapter.cycle()
    failed = fail_and_repair(adapter, simulators)
    told = count(adapter, "outbox")
    sweep = run_cut(adapter, how, marker, "COR")
    assert sweep.counts["accepted"] == 1
    assert adapter.statuses() == Counter(SUCCESSFUL=2, COMPLETED=1, INITIATED=1)
    assert count(adapter, "beneficiary", f"beneficiary_number = '{failed}'") == 2
    assert count(adapter, "outbox") == told + 1
    assert_written_once(adapter, treasury, "COR", 1)


def fail_and_repair(adapter, simulators):
    """One paid beneficiary fails and has another account now; its number."""
    number = adapter.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY created_at LIMIT 1")[0]["pi_number"]
    simulators.ask_treasury("POST", "failures", {"bill_number": number, "beneficiaries": 1})
    adapter.run("FD")
    row = adapter.rows("SELECT * FROM ifms.beneficiary WHERE status = 'Payment Failed'")[0]
    change = {"tenantId": "od.samplea", "referenceId": row["beneficiary_id"], "accountNumber": "000099990001"}
    simulators.ask_platform("POST", "accounts", change)
    return row["beneficiary_number"]
