"""The API as DIGIT's screens and cron jobs call it, through Airflow's own server, on a real ledger and simulators."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.api import REQUEST_INFO, audited, none_waits, runs
from support.failed import failing, mend, original, paid_and_failed, revisions, wage_bill

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0, "persist_ms": 0})]

TENANT = "od.samplea"


def code(answer: Any) -> str:
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert body["ResponseInfo"] is None
    (error,) = body["Errors"]
    assert set(error) == {"code", "message", "description", "params"}
    return str(error["code"])


@pytest.fixture
def payment(adapter: Adapter) -> str:
    """A payment that has no PI yet, with money for it."""
    wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    return str(adapter.rows("SELECT payment_number FROM ifms.payment")[0]["payment_number"])


def test_a_payment_gets_its_pi(adapter: Adapter, treasury: Treasury, post: Any, payment: str, airflow_db: str):
    answer = post("pi/v1/_create", tenantId=TENANT, referenceId=payment)
    assert answer.status_code == 200, answer.text
    assert answer.json()["ResponseInfo"]["msgId"] == "1|en_IN"
    made = answer.json()["paymentInstruction"]
    assert made["piStatus"] == "INITIATED"
    assert made["muktaReferenceId"] == payment
    assert all(made[name] for name in ("hoa", "mstAllotmentDistId", "jitBillDate"))
    assert "paDetails" not in made
    assert len(made["beneficiaryDetails"]) == 3
    assert [row["transactionType"] for row in made["transactionDetails"]] == ["DEBIT"]
    assert treasury.accepted == {made["jitBillNo"]: 1}
    assert audited(airflow_db)[0][:3] == ("ifms.create", "sample-admin", "ifms_pi")
    [run] = adapter.rows("SELECT * FROM ifms.sweep_run WHERE service_id = 'PI'")
    assert run["run_id"] == "_create by sample-admin"
    assert_money_is_right(adapter, treasury)


def test_only_this_payment_gets_one(adapter: Adapter, treasury: Treasury, post: Any, payment: str):
    wage_bill(adapter)
    adapter.run("PA")
    assert post("pi/v1/_create", tenantId=TENANT, referenceId=payment).status_code == 200
    assert [row["payment_number"] for row in adapter.rows("SELECT * FROM ifms.payment_instruction")] == [payment]


def test_a_second_pi_for_a_payment_is_refused(adapter: Adapter, treasury: Treasury, post: Any, payment: str):
    post("pi/v1/_create", tenantId=TENANT, referenceId=payment)
    again = post("pi/v1/_create", tenantId=TENANT, referenceId=payment)
    assert code(again) == "PI_DUPLICATE_ERROR"
    direct = {"tenantId": TENANT, "paymentNumber": payment}
    assert code(post("pi/v1/_create", payment=direct)) == "PI_DUPLICATE_ERROR"
    assert len(treasury.accepted) == 1


def test_a_whole_payment_is_taken_by_its_number(post: Any, payment: str):
    answer = post("pi/v1/_create", payment={"tenantId": TENANT, "paymentNumber": payment, "netPayableAmount": 1})
    assert answer.json()["paymentInstruction"]["muktaReferenceId"] == payment


def test_a_payment_that_nobody_knows(adapter: Adapter, post: Any):
    assert code(post("pi/v1/_create", tenantId=TENANT, referenceId="EP/0/none")) == "PAYMENT_NOT_FIND_ERROR"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"tenantId": TENANT},
        {"referenceId": "EP/0/1"},
        {"payment": {}},
        {"payment": {"tenantId": TENANT}},
        {"parentPI": "PI-SA/1"},
    ],
)
def test_a_request_that_names_nothing(post: Any, body: dict[str, Any]):
    assert code(post("pi/v1/_create", **body)) == "PI_REQUEST_INVALID_PARAMS"


def test_a_declined_pi_is_still_200_and_may_be_tried_again(
    adapter: Adapter, treasury: Treasury, post: Any, payment: str
):
    treasury.rule("PI", "error", errorMsgs=[{"errorCode": "322", "errorMsg": "Sample refusal"}])
    made = post("pi/v1/_create", tenantId=TENANT, referenceId=payment).json()["paymentInstruction"]
    assert (made["piStatus"], made["isActive"]) == ("FAILED", False)
    assert "Sample refusal" in made["piErrorResp"]
    treasury.clear()
    again = post("pi/v1/_create", tenantId=TENANT, referenceId=payment).json()["paymentInstruction"]
    assert again["piStatus"] == "INITIATED"
    assert again["jitBillNo"] != made["jitBillNo"]
    assert_money_is_right(adapter, treasury)


def test_without_funds_it_is_a_failed_pi_under_the_payments_number(adapter: Adapter, treasury: Treasury, post: Any):
    wage_bill(adapter)
    adapter.run("PA")
    number = adapter.rows("SELECT payment_number FROM ifms.payment")[0]["payment_number"]
    made = post("pi/v1/_create", tenantId=TENANT, referenceId=number).json()["paymentInstruction"]
    assert made["piStatus"] == "FAILED"
    assert made["jitBillNo"] == number
    assert "available" in made["piErrorResp"]
    assert treasury.accepted == {}


def test_a_pi_whose_outcome_is_unknown_is_told_as_pending_and_settled_by_the_next_call(
    adapter: Adapter, treasury: Treasury, post: Any, payment: str
):
    treasury.rule("PI", "lost_reply")
    made = post("pi/v1/_create", tenantId=TENANT, referenceId=payment).json()["paymentInstruction"]
    assert made["piStatus"] == "PENDING"
    treasury.clear()
    again = post("pi/v1/_create", tenantId=TENANT, referenceId=payment).json()["paymentInstruction"]
    assert (again["piStatus"], again["jitBillNo"]) == ("INITIATED", made["jitBillNo"])
    assert_money_is_right(adapter, treasury)


def test_a_caller_who_waited_long_enough_is_told_of_the_pending_pi(
    adapter: Adapter, treasury: Treasury, post: Any, payment: str, monkeypatch: pytest.MonkeyPatch
):
    from ifms_airflow.api import create_instruction

    treasury.rule("PI", "latency", ms=6000)
    monkeypatch.setattr(create_instruction, "SECONDS", 3.0)
    made = post("pi/v1/_create", tenantId=TENANT, referenceId=payment).json()["paymentInstruction"]
    assert made["piStatus"] == "PENDING"
    monkeypatch.undo()
    _wait_for(adapter, "INITIATED")  # the work went on behind the caller
    assert treasury.accepted == {made["jitBillNo"]: 1}
    assert_money_is_right(adapter, treasury)


def _wait_for(adapter: Adapter, status: str) -> None:
    import time

    deadline = time.monotonic() + 300
    while adapter.statuses() != {status: 1}:
        assert time.monotonic() < deadline, adapter.statuses()
        time.sleep(0.1)


def test_a_revised_pi_for_what_has_failed(adapter: Adapter, treasury: Treasury, post: Any):
    paid_and_failed(adapter)
    parent = original(adapter)["pi_number"]
    refused = post("pi/v1/_create", tenantId=TENANT, parentPI=parent)
    assert code(refused) == "REVISED_PI_GEN_ERROR"
    assert "is the one that failed" in refused.json()["Errors"][0]["message"]
    mend(adapter)
    made = post("pi/v1/_create", tenantId=TENANT, parentPI=parent).json()["paymentInstruction"]
    assert (made["piStatus"], made["parentPiNumber"], made["numBeneficiaries"]) == ("INITIATED", parent, 1)
    assert code(post("pi/v1/_create", tenantId=TENANT, parentPI=parent)) == "REVISED_PI_GEN_ERROR"
    assert_money_is_right(adapter, treasury)


def revise(post: Any, parent: str, *choices: Any, **more: Any) -> Any:
    given = {"beneficiaries": list(choices)} if choices else {}
    return post("pi/v1/_create", tenantId=TENANT, parentPI=parent, **given, **more)


def test_who_is_mended_is_revised_and_the_others_are_listed(adapter: Adapter, treasury: Treasury, post: Any):
    paid_and_failed(adapter, failures=3)
    one, two, dormant = failing(adapter)
    mend(adapter, [one, two])
    parent = original(adapter)["pi_number"]
    answer = revise(post, parent).json()
    assert answer["paymentInstruction"]["numBeneficiaries"] == 2
    [left] = answer["notRevised"]
    assert left["beneficiaryNumber"] == dormant
    assert left["beneficiaryId"]
    assert left["reason"].startswith("the bank account is the one that failed")
    assert code(revise(post, parent)) == "REVISED_PI_GEN_ERROR"  # the same once more: no second revision
    assert len(revisions(adapter)) == 1
    adapter.run("FTPS")
    refused = revise(post, parent)
    assert code(refused) == "REVISED_PI_GEN_ERROR"
    assert dormant in refused.json()["Errors"][0]["message"]
    on_purpose = revise(post, parent, {"beneficiaryNumber": dormant, "sameAccount": True}).json()
    assert (on_purpose["paymentInstruction"]["piStatus"], on_purpose["notRevised"]) == ("INITIATED", [])
    [row] = adapter.rows("SELECT message FROM ifms.status_log WHERE status = 'STATUS_LOG_COR_SAME_ACCOUNT'")
    assert row["message"] == f"paid to the account that failed, on purpose, by sample-admin: {dormant}"
    assert_money_is_right(adapter, treasury)


def test_exactly_those_are_revised_who_are_chosen(adapter: Adapter, treasury: Treasury, post: Any):
    paid_and_failed(adapter, failures=3)
    one, two, dormant = failing(adapter)
    mend(adapter, [one, two])
    parent = original(adapter)["pi_number"]
    chosen = ({"beneficiaryNumber": one}, {"beneficiaryNumber": dormant, "sameAccount": True})
    answer = revise(post, parent, *chosen).json()
    assert answer["paymentInstruction"]["numBeneficiaries"] == 2
    assert [(each["beneficiaryNumber"], each["reason"]) for each in answer["notRevised"]] == [(two, "not chosen")]
    assert failing(adapter) == [two]
    assert_money_is_right(adapter, treasury)


@pytest.mark.parametrize(
    ("choice", "error", "said"),
    [
        ([], "PI_REQUEST_INVALID_PARAMS", "beneficiaries: "),
        (["BN-SA/000001"], "PI_REQUEST_INVALID_PARAMS", "beneficiaries.0: "),
        ({"beneficiaryNumber": "BN-SA/000001"}, "PI_REQUEST_INVALID_PARAMS", "beneficiaries: "),
        ([{"beneficiaryNumber": ""}], "PI_REQUEST_INVALID_PARAMS", "beneficiaryNumber"),
        ([{"beneficiaryNumber": "BN\0"}], "PI_REQUEST_INVALID_PARAMS", "beneficiaryNumber"),
        ([{"beneficiaryNumber": "{0}", "sameAccount": "true"}], "PI_REQUEST_INVALID_PARAMS", "sameAccount"),
        ([{"beneficiaryNumber": "{0}", "sameaccount": True}], "PI_REQUEST_INVALID_PARAMS", "sameaccount"),
        ([{"beneficiaryNumber": "{0}"}, {"beneficiaryNumber": "{0}"}], "REVISED_PI_GEN_ERROR", "is named twice"),
        ([{"beneficiaryNumber": "{0}"}, {"beneficiaryNumber": "BN-XX/1"}], "REVISED_PI_GEN_ERROR", "BN-XX/1"),
        (
            [{"beneficiaryNumber": "{0}"}, {"beneficiaryNumber": "{1}"}],
            "REVISED_PI_GEN_ERROR",
            "is the one that failed",
        ),
        ([{"beneficiaryNumber": "{0}", "sameAccount": True}], "REVISED_PI_GEN_ERROR", "has another account by now"),
    ],
)
def test_a_choice_that_can_not_be_followed_revises_nobody(
    adapter: Adapter, treasury: Treasury, post: Any, choice: Any, error: str, said: str
):
    paid_and_failed(adapter, failures=2)
    one, two = failing(adapter)
    mend(adapter, [one])
    given = json.loads(json.dumps(choice).replace("{0}", one).replace("{1}", two))
    answer = post("pi/v1/_create", tenantId=TENANT, parentPI=original(adapter)["pi_number"], beneficiaries=given)
    assert code(answer) == error
    assert said in answer.json()["Errors"][0]["message"]
    assert (revisions(adapter), failing(adapter)) == ([], [one, two])
    assert "COR" not in treasury.state["calls"]


def test_whom_to_revise_is_nothing_to_a_new_pi(adapter: Adapter, treasury: Treasury, post: Any):
    answer = post("pi/v1/_create", tenantId=TENANT, referenceId="EP/0/none", beneficiaries=[{"id": 1}])
    assert code(answer) == "PAYMENT_NOT_FIND_ERROR"


def test_a_search_tells_what_the_contract_tells(adapter: Adapter, post: Any):
    paid_and_failed(adapter)
    number = original(adapter)["pi_number"]
    answer = post("pi/v1/_search", searchCriteria={"piNumber": number})
    [pi] = answer.json()["paymentInstructions"]
    assert (pi["jitBillNo"], pi["piStatus"], pi["numBeneficiaries"]) == (number, "PARTIAL", 3)
    assert "parentPiNumber" not in pi  # nulls are left out
    [advice] = pi["paDetails"]
    assert all(advice[name] for name in ("paAdviceId", "paTokenNumber"))
    assert "paErrorMsg" in advice  # nulls stay
    assert {row["paymentStatus"] for row in pi["beneficiaryDetails"]} == {"Payment Successful", "Payment Failed"}
    assert [log["serviceId"] for log in pi["piStatusLogs"]] == ["FD", "PD", "PAG", "PIS", "PI"]
    assert answer.json()["totalCount"] == 1
    text = answer.text
    for row in adapter.rows("SELECT name, mobile FROM ifms.beneficiary"):
        assert row["mobile"] not in text


@pytest.fixture
def many(adapter: Adapter) -> list[str]:
    """PIs of both cities, one of them PARTIAL; their numbers, the newest first."""
    for tenant in (TENANT, "od.sampleb", TENANT, "od.sampleb", TENANT):
        wage_bill(adapter, 2, tenant)
    adapter.cycle()
    rows = adapter.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY created_at DESC, id DESC")
    assert len(rows) == 5
    return [row["pi_number"] for row in rows]


def found(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [pi["jitBillNo"] for pi in answer.json()["paymentInstructions"]]


def test_limits_offsets_and_cursors_count_pis(many: list[str], post: Any):
    everything = {"piStatus": "SUCCESSFUL"}
    assert found(post("pi/v1/_search", searchCriteria=everything)) == many
    assert found(post("pi/v1/_search", searchCriteria=everything | {"limit": 2, "offset": 1})) == many[1:3]
    assert found(post("pi/v1/_search", searchCriteria=everything | {"sortOrder": "ASC"})) == many[::-1]
    changed = everything | {"sortBy": "lastModifiedTime"}
    assert sorted(found(post("pi/v1/_search", searchCriteria=changed))) == sorted(many)
    walked: list[str] = []
    after = None
    while True:
        answer = post("pi/v1/_search", searchCriteria=everything | {"limit": 2, "after": after})
        walked += found(answer)
        assert answer.json()["totalCount"] == 5
        after = answer.json()["next"]
        if after is None:
            break
    assert walked == many
    assert post("pi/v1/_search", searchCriteria=everything | {"after": "nowhere"}).status_code == 400


def test_every_criterion_narrows_with_the_others(adapter: Adapter, many: list[str], post: Any):
    first = adapter.rows("SELECT * FROM ifms.payment_instruction WHERE pi_number = %s", many[0])[0]
    others = {"tenantId": first["tenant_id"], "piStatus": "SUCCESSFUL", "isActive": True, "piType": "ORIGINAL"}
    mine = adapter.rows("SELECT pi_number FROM ifms.payment_instruction WHERE tenant_id = %s", first["tenant_id"])
    assert sorted(found(post("pi/v1/_search", searchCriteria=others))) == sorted(r["pi_number"] for r in mine)
    bill = first["additional_details"]["billNumber"][0]
    for criterion in (
        {"ids": [str(first["id"]), "no-id"]},
        {"muktaReferenceId": first["payment_number"]},
        {"piNumber": many[0]},
        {"piNumbers": [many[0], "PI-none"]},
        {"billNumber": bill},
    ):
        assert found(post("pi/v1/_search", searchCriteria=others | criterion)) == [many[0]], criterion
        assert found(post("pi/v1/_search", searchCriteria=others | criterion | {"tenantId": "od.none"})) == []
    for nothing in ({"piType": "REVISED"}, {"isActive": False}, {"parentPiNumber": many[0]}, {"ids": []}):
        assert found(post("pi/v1/_search", searchCriteria=others | nothing)) == [], nothing


@pytest.fixture
def unfunded(adapter: Adapter) -> list[str]:
    """The numbers of three payments that wait for funds, the newest first."""
    for _ in range(3):
        wage_bill(adapter, 1)
        adapter.run("PA")
    adapter.run("PI")
    rows = adapter.rows("SELECT payment_number FROM ifms.payment ORDER BY raised_at DESC, id DESC")
    return [row["payment_number"] for row in rows]


def test_a_payment_without_a_pi_is_found_by_what_digits_screens_ask(adapter: Adapter, post: Any, unfunded: list[str]):
    newest = unfunded[0]
    for asked in ({"muktaReferenceId": newest}, {"piNumber": newest}, {"tenantId": TENANT, "muktaReferenceId": newest}):
        answer = post("pi/v1/_search", searchCriteria=asked)
        assert (found(answer), answer.json()["totalCount"]) == ([newest], 1), asked
    [told] = post("pi/v1/_search", searchCriteria={"muktaReferenceId": newest}).json()["paymentInstructions"]
    assert (told["piStatus"], told["piStatusLogs"][0]["status"]) == ("FAILED", "STATUS_LOG_PI_NO_FUNDS")
    assert "paAdviceId" in told["paDetails"][0]
    assert found(post("pi/v1/_search", searchCriteria={"piStatus": "FAILED"})) == unfunded
    for none in ({"tenantId": "od.sampleb", "piStatus": "FAILED"}, {"tenantId": TENANT}, {"piStatus": "PENDING"}):
        assert found(post("pi/v1/_search", searchCriteria=none)) == [], none
    adapter.run("VA")
    adapter.run("PI")
    [pi] = post("pi/v1/_search", searchCriteria={"muktaReferenceId": newest}).json()["paymentInstructions"]
    assert (pi["piStatus"], pi["id"]) == ("INITIATED", told["id"])
    assert pi["jitBillNo"] != newest


def test_pages_go_from_payments_without_a_pi_to_failed_pis(
    adapter: Adapter, treasury: Treasury, post: Any, unfunded: list[str]
):
    adapter.run("VA")
    treasury.rule("PI", "error", errorMsgs=[{"errorCode": "322", "errorMsg": "no"}])
    adapter.run("PI")
    adapter.simulators.ask_platform("POST", "bills", {"type": "wage", "tenantId": TENANT, "amounts": ["9999999999.00"]})
    adapter.run("PA")
    adapter.run("PI")
    rows = adapter.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY created_at DESC, id DESC")
    failed = [row["pi_number"] for row in rows]
    [waits] = adapter.rows("SELECT payment_number FROM ifms.waiting_payment WHERE attempts = 0")
    everything = [waits["payment_number"], *failed]
    assert len(everything) == 4
    for size in (1, 2, 3, 4):
        walked: list[str] = []
        asked: dict[str, Any] = {"piStatus": "FAILED", "limit": size}
        while True:
            answer = post("pi/v1/_search", searchCriteria=asked)
            walked += found(answer)
            assert answer.json()["totalCount"] == 4
            if (after := answer.json()["next"]) is None:
                break
            asked["after"] = after
        assert walked == everything, size
        for start in range(5):
            page = post("pi/v1/_search", searchCriteria={"piStatus": "FAILED", "limit": size, "offset": start})
            assert found(page) == everything[start : start + size], (size, start)


@pytest.mark.parametrize("criteria", [{}, {"limit": 5}, {"piStatus": "NO SUCH"}, {"parentPiNumber": "PI-1"}])
def test_a_search_for_nothing_in_particular_is_refused_by_its_own_code(post: Any, criteria: dict[str, Any]):
    assert code(post("pi/v1/_search", searchCriteria=criteria)) == "SEARCH_CRITERIA_MANDATORY"


def test_funds_are_told_as_the_contract_has_them(adapter: Adapter, post: Any):
    wage_bill(adapter)
    adapter.cycle()
    answer = post("funds/v1/_search", searchCriteria={"tenantId": TENANT, "sortBy": "lastModifiedTime", "limit": 1})
    body = answer.json()
    stored = adapter.rows("SELECT * FROM ifms.sanction WHERE tenant_id = %s ORDER BY updated_at DESC", TENANT)
    assert body["totalCount"] == len(stored)
    [one] = body["funds"]
    assert one["masterAllotmentId"] == stored[0]["master_allotment_id"]
    assert one["fundsSummary"]["availableAmount"] == float(stored[0]["available_amount"])
    assert one["allotmentDetails"][0]["schemeCode"] is None
    told = adapter.rows("SELECT serial_no FROM ifms.allotment WHERE sanction_id = %s ORDER BY 1 DESC", stored[0]["id"])
    assert [each["allotmentSerialNo"] for each in one["allotmentDetails"]] == [each["serial_no"] for each in told]
    assert code(post("funds/v1/_search", searchCriteria={"limit": 5})) == "SEARCH_CRITERIA_MANDATORY"


@pytest.mark.parametrize("path", ["_scheduler", "scheduler"])
@pytest.mark.parametrize("service", ["PA", "VA", "PIS", "PAG", "PD", "FD", "FTPS", "FTFPS"])
def test_the_scheduler_starts_the_services_dag_once(post: Any, airflow_db: str, path: str, service: str):
    none_waits(airflow_db, f"ifms_{service.lower()}")
    first = post(f"{path}?serviceId={service}").json()
    assert first["dagId"] == f"ifms_{service.lower()}"
    assert {"apiId", "ver", "ts", "resMsgId", "msgId", "status"} <= set(first)  # a bare ResponseInfo
    again = post(f"{path}?serviceId={service}").json()
    assert again["dagRunId"] == first["dagRunId"]  # it waits to begin: one more would do nothing else
    assert runs(airflow_db, first["dagId"])[0]["triggering_user_name"] == "sample-admin"


def test_pi_and_cor_are_accepted_and_do_nothing(post: Any, airflow_db: str):
    before = len(runs(airflow_db, "ifms_cor"))
    assert post("_scheduler?serviceId=COR").json()["dagRunId"] is None
    assert post("_scheduler?serviceId=PI").status_code == 200
    assert len(runs(airflow_db, "ifms_cor")) == before


@pytest.mark.parametrize("query", ["", "?serviceId=", "?serviceId=XX", "?serviceId=pis"])
def test_no_such_service(post: Any, query: str):
    assert code(post(f"_scheduler{query}")) == "SERVICE_ID_INVALID"


def test_cron_must_say_who_it_is(api: Any):
    answer = api("admin").post("/ifms/_scheduler?serviceId=VA", json={"RequestInfo": {}})
    assert code(answer) == "REQUEST_INFO_INVALID"
    assert code(api("admin").post("/ifms/_scheduler?serviceId=VA", json={})) == "REQUEST_INVALID"


@pytest.mark.parametrize(
    "criteria",
    [
        {"piNumber": "a\x00b"},
        {"limit": -1},
        {"offset": 10**30},
        {"ids": "no list"},
        {"piType": "OTHER"},
        {"tenantId": "x" * 300},
    ],
)
def test_what_cant_be_looked_for_is_the_callers_error(post: Any, criteria: dict[str, Any]):
    assert post("pi/v1/_search", searchCriteria=criteria).status_code == 400


def test_a_body_that_is_no_json(api: Any):
    answer = api("admin").post("/ifms/pi/v1/_search", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["Errors"][0]["code"] == "REQUEST_INVALID"


def test_a_ledger_that_is_away_is_503_without_its_words(api: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_DB", "postgresql://nobody:sample-secret@127.0.0.1:1/none")
    answer = api("admin").post(
        "/ifms/pi/v1/_search", json={"RequestInfo": REQUEST_INFO, "searchCriteria": {"tenantId": TENANT}}
    )
    assert answer.status_code == 503
    assert answer.json()["Errors"][0]["code"] == "LEDGER_UNAVAILABLE"
    assert "sample-secret" not in answer.text
