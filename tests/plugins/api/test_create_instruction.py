"""`_create`'s own work under pressure: callers who meet each other and sweeps, and a server that ends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.api import rung
from support.failed import failing, mend, original, paid_and_failed, revisions, wage_bill

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0, "persist_ms": 0})]

TENANT = "od.samplea"


def test_eight_callers_and_a_sweep_make_one_pi(adapter: Adapter, treasury: Treasury, post: Any):
    wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    number = adapter.rows("SELECT payment_number FROM ifms.payment")[0]["payment_number"]
    treasury.rule("PI", "latency", ms=300)
    with ThreadPoolExecutor(9) as pool:
        sweep = pool.submit(adapter.run, "PI")
        answers = list(pool.map(lambda _: post("pi/v1/_create", tenantId=TENANT, referenceId=number), range(8)))
        sweep.exception()
    assert len(treasury.accepted) == 1
    for answer in answers:
        if answer.status_code == 200:
            assert answer.json()["paymentInstruction"]["jitBillNo"] in treasury.accepted
        else:
            assert answer.json()["Errors"][0]["code"] in {"PI_DUPLICATE_ERROR", "UNKNOWN_ERROR"}
    assert any(answer.status_code == 200 for answer in answers) or sweep.exception() is None
    adapter.run("PI")
    assert_money_is_right(adapter, treasury)
    assert len(adapter.rows("SELECT * FROM ifms.payment_instruction")) == 1


def test_the_platform_hears_at_once_of_what_a_caller_made(
    adapter: Adapter, treasury: Treasury, post: Any, airflow_db: str
):
    wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    number = adapter.rows("SELECT payment_number FROM ifms.payment")[0]["payment_number"]
    before = rung(airflow_db, "ifms_outbox")
    assert post("pi/v1/_create", tenantId=TENANT, referenceId=number).status_code == 200
    assert rung(airflow_db, "ifms_outbox") == before + 1
    assert post("pi/v1/_create", tenantId=TENANT, referenceId="EP/none").status_code == 400
    assert_money_is_right(adapter, treasury)


def test_a_revision_whose_outcome_is_unknown_is_settled_by_the_next_call(
    adapter: Adapter, treasury: Treasury, post: Any
):
    paid_and_failed(adapter)
    mend(adapter)
    treasury.rule("COR", "lost_reply")
    parent = original(adapter)["pi_number"]
    made = post("pi/v1/_create", tenantId=TENANT, parentPI=parent).json()["paymentInstruction"]
    assert made["piStatus"] == "PENDING"
    treasury.clear()
    again = post("pi/v1/_create", tenantId=TENANT, parentPI=parent).json()["paymentInstruction"]
    assert (again["jitBillNo"], again["piStatus"]) == (made["jitBillNo"], "INITIATED")
    assert len(revisions(adapter)) == 1
    assert_money_is_right(adapter, treasury)


def test_a_pending_revision_is_settled_for_the_same_choice_and_keeps_another_one_waiting(
    adapter: Adapter, treasury: Treasury, post: Any
):
    paid_and_failed(adapter, failures=3)
    one, two, dormant = failing(adapter)
    mend(adapter, [one, two])
    treasury.rule("COR", "lost_reply")
    parent = original(adapter)["pi_number"]

    def choose(*names: str, same: bool = False) -> Any:
        choices = [{"beneficiaryNumber": name, "sameAccount": same} for name in names]
        return post("pi/v1/_create", tenantId=TENANT, parentPI=parent, beneficiaries=choices)

    made = choose(dormant, same=True).json()["paymentInstruction"]
    assert made["piStatus"] == "PENDING"
    treasury.clear()
    for other in (choose(one), choose(dormant), choose(one, dormant)):
        assert f"{made['jitBillNo']} on its way, for {dormant}" in other.json()["Errors"][0]["message"]
    again = choose(dormant, same=True).json()
    assert (again["paymentInstruction"]["jitBillNo"], again["paymentInstruction"]["piStatus"]) == (
        made["jitBillNo"],
        "INITIATED",
    )
    assert [each["beneficiaryNumber"] for each in again["notRevised"]] == [one, two]
    assert len(revisions(adapter)) == 1
    assert_money_is_right(adapter, treasury)


def test_eight_callers_with_one_choice_make_one_revision(adapter: Adapter, treasury: Treasury, post: Any):
    paid_and_failed(adapter, failures=1)
    [dormant] = failing(adapter)
    parent = original(adapter)["pi_number"]
    choice = [{"beneficiaryNumber": dormant, "sameAccount": True}]
    treasury.rule("COR", "latency", ms=300)
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: post("pi/v1/_create", tenantId=TENANT, parentPI=parent, beneficiaries=choice), range(8))
        )
    [revision] = revisions(adapter)
    assert len(treasury.state["corrections"]) == 1
    told = {a.json()["paymentInstruction"]["jitBillNo"] for a in answers if a.status_code == 200}
    assert told == {revision["pi_number"]}
    assert_money_is_right(adapter, treasury)


def test_two_callers_who_choose_differently_are_never_told_of_each_others_revision(
    adapter: Adapter, treasury: Treasury, post: Any
):
    paid_and_failed(adapter, failures=2)
    numbers = failing(adapter)
    parent = original(adapter)["pi_number"]
    treasury.rule("COR", "latency", ms=1000)

    def choose(number: str) -> Any:
        choice = [{"beneficiaryNumber": number, "sameAccount": True}]
        return post("pi/v1/_create", tenantId=TENANT, parentPI=parent, beneficiaries=choice)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(choose, numbers))
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    [told] = [answer.json()["paymentInstruction"] for answer in answers if answer.status_code == 200]
    [paid] = adapter.rows(
        "SELECT b.beneficiary_number FROM ifms.beneficiary b JOIN ifms.payment_instruction p "
        "ON p.id = b.payment_instruction_id WHERE p.pi_number = %s",
        told["jitBillNo"],
    )
    assert answers[numbers.index(paid["beneficiary_number"])].status_code == 200
    assert len(revisions(adapter)) == len(treasury.state["corrections"]) == 1
    assert_money_is_right(adapter, treasury)


def test_a_treasury_out_of_reach_leaves_a_pending_pi_and_says_so(adapter: Adapter, treasury: Treasury, post: Any):
    wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    number = adapter.rows("SELECT payment_number FROM ifms.payment")[0]["payment_number"]
    treasury.rule("PI", "refuse", mode="close")
    answer = post("pi/v1/_create", tenantId=TENANT, referenceId=number)
    assert answer.json()["paymentInstruction"]["piStatus"] == "PENDING"
    assert_money_is_right(adapter, treasury)


def test_a_payee_without_account_is_an_error_by_its_name(adapter: Adapter, treasury: Treasury, post: Any):
    order = {"type": "wage", "tenantId": TENANT, "payees": 1, "broken": "no_account"}
    adapter.simulators.ask_platform("POST", "bills", order)
    adapter.run("VA")
    adapter.run("PA")
    payment = adapter.rows("SELECT payment_number FROM ifms.payment")[0]["payment_number"]
    answer = post("pi/v1/_create", tenantId=TENANT, referenceId=payment)
    assert answer.status_code == 400
    error = answer.json()["Errors"][0]
    assert error["code"] == "PAYMENT_NOT_PAYABLE"
    assert "payee" in error["message"]
    assert treasury.accepted == {}


def test_a_server_that_ends_settles_what_is_under_way(adapter: Adapter, treasury: Treasury, airflow_connections: Any):
    from ifms_airflow.api.create_instruction import Creator
    from ifms_airflow.api.read_pool import Reads, connect

    wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    number = adapter.rows("SELECT payment_number FROM ifms.payment")[0]["payment_number"]
    treasury.rule("PI", "latency", ms=1500)
    reads = Reads(lambda: connect(20))
    creator = Creator(reads)
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(creator.pay, TENANT, number, "sample")
        while not adapter.rows("SELECT id FROM ifms.payment_instruction"):
            assert not under_way.done() or under_way.result()
        creator.close()
        under_way.exception(60)
    reads.close()
    assert set(adapter.statuses()) <= {"INITIATED", "PENDING"}
    treasury.clear()
    adapter.run("PI")
    assert adapter.statuses() == {"INITIATED": 1}
    assert_money_is_right(adapter, treasury)
