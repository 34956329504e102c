"""The contract's table of outcomes (treasury-jit.md §4): each service with no response, an error and success.

One row says where the PI, its beneficiaries, the platform's payment and the sanction stand afterwards. Where the table's
words are the specification's, DESIGN.md says which of DIGIT's words stands for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest
from support.adapter import assert_money_is_right

from ifms.errors import SweepError

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})

TENANT = "od.samplea"
AMOUNT = Decimal("1250.00")
CYCLE = ("VA", "PA", "PI", "PIS", "PAG", "PD", "FD", "COR", "FTPS", "FTFPS")


@dataclass(frozen=True)
class After:
    """What is so after the call; the PI and beneficiary are those of the service (the revision's from COR on)."""

    pi: str | None
    beneficiary: str | None
    payment: str | None
    reserved: Decimal = Decimal(0)
    spent: Decimal = AMOUNT
    log: str | None = None


HELD = {"reserved": AMOUNT, "spent": Decimal(0)}
FREE = {"reserved": Decimal(0), "spent": Decimal(0)}
PENDING, INITIATED, IN_PROCESS = "Payment Pending", "Payment Initiated", "Payment In Process"
PAID, FAILED = "Payment Successful", "Payment Failed"

TABLE = {
    ("VA", "no response"): After(None, None, None, **FREE),
    ("VA", "error"): After(None, None, None, **FREE),
    ("VA", "success"): After(None, None, None, **FREE),
    ("PI", "no response"): After("PENDING", PENDING, "INITIATED", **HELD, log="PI_NO_RESPONSE"),
    ("PI", "error"): After("FAILED", PENDING, "FAILED", **FREE, log="PI_ERROR"),
    ("PI", "success"): After("INITIATED", INITIATED, "INITIATED", log="PI_SUCCESS"),
    ("PIS", "no response"): After("INITIATED", INITIATED, "INITIATED", log="PIS_NO_RESPONSE"),
    ("PIS", "error"): After("INITIATED", INITIATED, "INITIATED", log="PIS_ERROR"),
    ("PIS", "rejected"): After("FAILED", INITIATED, "FAILED", **FREE, log="PIS_REJECTED"),
    ("PIS", "success"): After("APPROVED", INITIATED, "INITIATED", log="PIS_SUCCESS"),
    ("PAG", "no response"): After("APPROVED", INITIATED, "INITIATED", log="PAG_NO_RESPONSE"),
    ("PAG", "error"): After("APPROVED", INITIATED, "INITIATED", log="PAG_ERROR"),
    ("PAG", "success"): After("IN PROCESS", IN_PROCESS, "INITIATED", log="PAG_SUCCESS"),
    ("PD", "no response"): After("IN PROCESS", IN_PROCESS, "INITIATED", log="PD_NO_RESPONSE"),
    ("PD", "error"): After("IN PROCESS", IN_PROCESS, "INITIATED", log="PD_ERROR"),
    ("PD", "success"): After("SUCCESSFUL", PAID, "SUCCESSFUL", log="PD_SUCCESS"),
    ("FD", "no response"): After("SUCCESSFUL", PAID, "SUCCESSFUL"),
    ("FD", "error"): After("SUCCESSFUL", PAID, "SUCCESSFUL"),
    ("FD", "success"): After("PARTIAL", FAILED, "PARTIAL", log="FD_SUCCESS"),
    ("COR", "no response"): After("PENDING", PENDING, "PARTIAL", log="COR_NO_RESPONSE"),
    ("COR", "error"): After("FAILED", FAILED, "PARTIAL", log="COR_ERROR"),
    ("COR", "success"): After("INITIATED", IN_PROCESS, "INITIATED", log="COR_SUCCESS"),
    ("FTPS", "no response"): After("INITIATED", IN_PROCESS, "INITIATED", log="FTPS_NO_RESPONSE"),
    ("FTPS", "error"): After("INITIATED", IN_PROCESS, "INITIATED", log="FTPS_ERROR"),
    ("FTPS", "success"): After("SUCCESSFUL", PAID, "SUCCESSFUL", log="FTPS_SUCCESS"),
    ("FTFPS", "no response"): After("SUCCESSFUL", PAID, "SUCCESSFUL", log="FTFPS_NO_RESPONSE"),
    ("FTFPS", "error"): After("SUCCESSFUL", PAID, "SUCCESSFUL", log="FTFPS_ERROR"),
    ("FTFPS", "success"): After("PARTIAL", FAILED, "PARTIAL", log="FTFPS_SUCCESS"),
}


@pytest.mark.parametrize(("service", "outcome"), TABLE)
def test_the_contract_s_table(adapter, treasury, simulators, service, outcome):
    simulators.ask_platform("POST", "bills", {"type": "wage", "tenantId": TENANT, "amounts": ["1250.00"]})
    for earlier in CYCLE[: CYCLE.index(service)]:
        step(adapter, simulators, earlier)
    prepare(adapter, simulators, service)
    match outcome:
        case "no response":
            treasury.rule(service, "lost_reply")
        case "error":
            treasury.rule(service, "error", errorMsg="Sample error of the treasury")
        case "rejected":
            treasury.rule(service, "reject")
    ended = sweep(adapter, service)
    assert ended == (outcome == "success" or (service not in ("VA", "FD") and outcome in ("error", "rejected")))

    expected = TABLE[service, outcome]
    adapter.run("RELAY")
    assert standing(adapter, simulators) == (expected.pi, expected.beneficiary, expected.payment)
    money = adapter.rows(
        "SELECT coalesce(sum(reserved_amount), 0) AS r, coalesce(sum(spent_amount), 0) AS s FROM ifms.sanction"
    )
    assert (money[0]["r"], money[0]["s"]) == (expected.reserved, expected.spent)
    logged = adapter.rows(  # but for the original that a correction completes
        "SELECT status FROM ifms.status_log WHERE service_id = %s AND to_status IS DISTINCT FROM 'COMPLETED'", service
    )
    assert [row["status"] for row in logged] == ([f"STATUS_LOG_{expected.log}"] if expected.log else [])
    if outcome != "no response":
        assert_money_is_right(adapter, treasury)


def step(adapter, simulators, service):
    """What happens before the service in question, all of it well."""
    prepare(adapter, simulators, service)
    assert sweep(adapter, service)


def prepare(adapter, simulators, service):
    """What the world does before the service is asked."""
    match service:
        case "FD":
            fail(adapter, simulators, "ORIGINAL")
        case "COR":
            payee = adapter.rows("SELECT beneficiary_id FROM ifms.failed_beneficiary")[0]["beneficiary_id"]
            change = {"tenantId": TENANT, "referenceId": payee, "accountNumber": "000099990001"}
            simulators.ask_platform("POST", "accounts", change)
        case "FTFPS":
            fail(adapter, simulators, "REVISED")


def fail(adapter, simulators, pi_type):
    pi = adapter.rows("SELECT pi_number FROM ifms.payment_instruction WHERE pi_type = %s", pi_type)[0]
    simulators.ask_treasury("POST", "failures", {"bill_number": pi["pi_number"], "beneficiaries": "all"})


def sweep(adapter, service):
    """One sweep; whether it ended well."""
    try:
        if service == "COR":
            adapter.correct()
        else:
            adapter.run(service)
    except SweepError:
        return False
    return True


def standing(adapter, simulators):
    """The latest PI's status, its beneficiary's, and the platform's word for the payment."""
    pis = adapter.rows("SELECT * FROM ifms.payment_instruction ORDER BY created_at DESC")
    while (state := simulators.ask_platform("GET", "state"))["waiting"]:
        pass
    payment = state["payments"][0]["status"] if state["payments"] else None
    if not pis:
        return None, None, payment
    rows = adapter.rows("SELECT status FROM ifms.beneficiary WHERE payment_instruction_id = %s", pis[0]["id"])
    assert len(rows) == 1
    return pis[0]["status"], rows[0]["status"], payment
