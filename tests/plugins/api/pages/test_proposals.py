"""The pages on which one person proposes and another approves, and that nothing gets past them."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from support import second_person
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.api import audited, runs
from support.failed import failing, long_ago, mend, original, paid_and_failed, revisions, wage_bill
from support.uncertain import on

from ifms.errors import SweepError
from ifms.ledger import payments, restores
from ifms.ledger import proposals as rows
from ifms.ledger.models import NewPayment

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]

SELF = "IFMS_SINGLE_PERSON"


@pytest.fixture
def browser(api: Any) -> Any:
    """Who acts."""
    return api("user", cookie=True)


@pytest.fixture
def other(api: Any) -> Any:
    """Who approves."""
    return api("admin", cookie=True)


@pytest.fixture
def lost(adapter: Adapter, treasury: Treasury) -> str:
    """The number of a PI that the treasury has, and whose reply was lost; settling it needs two."""
    adapter.simulators.ask_platform("POST", "settings", {"persist_ms": 0})
    wage_bill(adapter, 2)
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "lost_reply", times=1)
    with pytest.raises(SweepError):
        adapter.run("PI")
    second_person.needed(adapter.dsn)
    return str(original(adapter)["pi_number"])


def settle(browser: Any, number: str, **changes: str) -> Any:
    form = {"number": number, "verdict": "accepted", "reason": "the treasury was asked", "typed": number} | changes
    return browser.post("/ifms/settle", data=form)


def proposal(adapter: Adapter) -> dict[str, Any]:
    return adapter.rows("SELECT * FROM ifms.proposal ORDER BY proposed_at DESC LIMIT 1")[0]


def shown(browser: Any, adapter: Adapter) -> Any:
    return browser.get("/ifms/proposal", params={"id": str(proposal(adapter)["id"])})


def approve(browser: Any, adapter: Adapter) -> Any:
    page = shown(browser, adapter).text
    found = re.search(r'name="shown" value="([0-9a-f]*)"', page)
    data = {"id": str(proposal(adapter)["id"]), "shown": found[1] if found else "0" * 64}
    return browser.post("/ifms/proposal/approve", data=data)


def state(adapter: Adapter) -> Any:
    return [
        adapter.rows(f"SELECT * FROM ifms.{table} ORDER BY 1")
        for table in ("payment_instruction", "status_log", "fund_movement", "outbox", "payment", "sanction", "proposal")
    ]


def test_settling_is_proposed_shown_and_approved_by_another(
    browser: Any, other: Any, adapter: Adapter, treasury: Treasury, lost: str, airflow_db: str
):
    asked = browser.get("/ifms/settle", params={"number": lost}).text
    assert "This needs a second person" in asked
    assert settle(browser, lost, typed="x").status_code == 400
    assert settle(browser, lost, reason=" ").status_code == 400
    assert adapter.rows("SELECT FROM ifms.proposal") == []
    done = settle(browser, lost)
    assert done.status_code == 303
    assert "/ifms/proposal?id=" in done.headers["location"]
    assert original(adapter)["status"] == "PENDING"
    assert settle(browser, lost).status_code == 409  # it waits already
    before = state(adapter)
    for client in (browser, other):
        page = shown(client, adapter)
        assert page.status_code == 200
        for text in ("PENDING", "INITIATED", "spent_amount", "sample-user", "the treasury was asked", "********"):
            assert text in page.text, text
        assert not re.search(r"\b\d{9,18}\b", page.text)
    assert state(adapter) == before
    assert "another person approves it" in shown(browser, adapter).text
    assert "Approve</button>" in shown(other, adapter).text
    assert "Waiting for you" in other.get("/ifms/proposals").text
    assert approve(other, adapter).status_code == 303
    row = original(adapter)
    assert (row["status"], row["settled_by"]) == ("INITIATED", "sample-user, approved by sample-admin")
    assert [each[0] for each in audited(airflow_db)[:2]] == ["ifms.approved", "ifms.proposed"]
    assert "Approved and done" in shown(browser, adapter).text
    assert approve(other, adapter).status_code == 409
    assert_money_is_right(adapter, treasury)


def test_who_may_not_approve_does_not(api: Any, browser: Any, adapter: Adapter, lost: str, monkeypatch: Any):
    settle(browser, lost)
    before = state(adapter)
    for rights, expected in (
        ("role:User = *:act", 403),
        ("role:User = *:act od.sampleb:approve", 403),
        ("role:User = od.sampleb:act od.sampleb:approve", 404),
        ("role:User = *:act *:approve", 409),  # the right, and the proposer
    ):
        monkeypatch.setenv("IFMS_RIGHTS", rights)
        assert approve(browser, adapter).status_code == expected, rights
    monkeypatch.setenv("IFMS_RIGHTS", "role:Viewer = od.samplea:approve; role:User = *:act")
    assert state(adapter) == before
    viewer = api("viewer", cookie=True)
    assert approve(viewer, adapter).status_code == 303  # a right to approve needs none to act
    assert original(adapter)["settled_by"] == "sample-user, approved by sample-viewer"


def test_what_moved_on_meanwhile_is_said_and_not_done(browser: Any, other: Any, adapter: Adapter, lost: str):
    settle(browser, lost)
    stale = re.search(r'name="shown" value="([0-9a-f]*)"', shown(other, adapter).text)
    assert stale is not None
    adapter.run("PI")
    before = state(adapter)
    page = shown(other, adapter).text
    assert "only a PENDING one is settled by hand" in page
    assert "Approve</button>" not in page
    data = {"id": str(proposal(adapter)["id"]), "shown": stale[1]}
    assert other.post("/ifms/proposal/approve", data=data).status_code == 409
    assert state(adapter) == before


def test_refused_with_a_reason_and_taken_back(browser: Any, other: Any, adapter: Adapter, lost: str):
    settle(browser, lost)
    data = {"id": str(proposal(adapter)["id"])}
    assert other.post("/ifms/proposal/refuse", data=data | {"reason": " "}).status_code == 400
    assert other.post("/ifms/proposal/refuse", data=data | {"reason": "ask PIS"}).status_code == 303
    assert "Refused" in shown(browser, adapter).text
    assert "sample-admin: ask PIS" in shown(browser, adapter).text
    assert approve(other, adapter).status_code == 409
    settle(browser, lost)
    data = {"id": str(proposal(adapter)["id"]), "reason": "no more"}
    assert browser.post("/ifms/proposal/refuse", data=data).status_code == 303
    assert original(adapter)["status"] == "PENDING"


def test_one_person_alone_where_the_setting_allows_it(other: Any, adapter: Adapter, lost: str):
    second_person.needed(adapter.dsn, single_person=True)
    settle(other, lost)
    assert "You have proposed this yourself" in shown(other, adapter).text
    assert approve(other, adapter).status_code == 303
    assert f"sample-admin, who alone proposed and approved it ({SELF})" == original(adapter)["settled_by"]
    assert "one person alone proposed and approved it" in shown(other, adapter).text


def test_a_sanction_and_a_phrase(browser: Any, other: Any, adapter: Adapter, treasury: Treasury, lost: str):
    [row] = adapter.rows("SELECT id FROM ifms.sanction LIMIT 1")
    data = {"sanction": str(row["id"]), "closed": "true", "reason": "not paid out"}
    assert "/ifms/proposal?id=" in browser.post("/ifms/sanctions", data=data).headers["location"]
    assert adapter.rows("SELECT FROM ifms.sanction_closing") == []
    assert approve(other, adapter).status_code == 303
    [said] = adapter.rows("SELECT closed, person FROM ifms.sanction_closing")
    assert said == {"closed": True, "person": "sample-user, approved by sample-admin"}
    treasury.rule("PIS", "error", errorMsg="The sample server rests", times=1)
    with pytest.raises(SweepError):
        adapter.run("PI")
    [answer] = adapter.rows("SELECT id, template FROM ifms.unknown_answer")
    data = {"answer": str(answer["id"]), "text": answer["template"], "meaning": "try later", "reason": "they said so"}
    done = browser.post("/ifms/answers", data=data)
    assert "/ifms/proposal?id=" in done.headers["location"]
    assert adapter.rows("SELECT FROM ifms.phrase") == []
    assert answer["template"] in shown(other, adapter).text
    assert approve(other, adapter).status_code == 303
    [phrase] = adapter.rows("SELECT text, added_by FROM ifms.phrase")
    assert phrase == {"text": answer["template"], "added_by": "sample-user, approved by sample-admin"}


def test_another_transfer_that_has_not_paid(browser: Any, other: Any, adapter: Adapter):
    from ifms_airflow.api.pages.render import rupees

    paid_and_failed(adapter)
    mend(adapter)
    with psycopg.connect(adapter.dsn) as owner:
        owner.execute(
            "INSERT INTO ifms.other_transfer (beneficiary_row, utr_number, not_as_sent)"
            " SELECT id, 'RBI-OTHER', 'it names another account' FROM ifms.failed_beneficiary"
        )
    second_person.needed(adapter.dsn)
    [row] = adapter.rows("SELECT * FROM ifms.doubtful_transfer")
    data = {"id": str(row["id"]), "paid": "false", "reason": "its bank was asked"}
    assert "/ifms/proposal?id=" in browser.post("/ifms/failures/transfer", data=data).headers["location"]
    assert adapter.rows("SELECT state FROM ifms.doubtful_transfer") == [{"state": "OPEN"}]
    for client in (browser, other):
        page = shown(client, adapter).text
        for text in (
            f"Another transfer has not paid: {row['pi_number']} {row['beneficiary_number']}",
            "RBI-OTHER",
            row["known_utr_number"],
            "it names another account",
            rupees(row["amount"]),
            "its bank was asked",
            "may be corrected, and is paid again",
            "NOT PAID",
            "CORRECT",
            "********",
        ):
            assert text in page, text
        assert f"{row['pi_number']} {row['beneficiary_number']}" in client.get("/ifms/proposals").text
    assert approve(browser, adapter).status_code == 403
    with pytest.raises(SweepError, match="settle that transfer"):
        adapter.correct()
    assert revisions(adapter) == []
    assert approve(other, adapter).status_code == 303
    [said] = adapter.rows("SELECT state, settled_by, settled_reason FROM ifms.doubtful_transfer")
    assert said == {
        "state": "NOT PAID",
        "settled_by": "sample-user, approved by sample-admin",
        "settled_reason": "its bank was asked",
    }
    assert "RBI-OTHER" in shown(browser, adapter).text, "what was approved can be read later, too"
    adapter.correct()
    assert len(revisions(adapter)) == 1


# What a DAG run does ----------------------------------------------------------------------------------------------------


def act(browser: Any, number: str, action: str, **fields: Any) -> Any:
    form = {"number": number, "action": action, "token": uuid.uuid4().hex, "reason": "dormant, and right"}
    return browser.post("/ifms/act", data=form | fields)


def test_a_bill_is_adopted_by_the_form_that_was_approved(
    browser: Any, other: Any, adapter: Adapter, airflow_db: str, run_dag: Any
):
    second_person.needed(adapter.dsn)
    bill = {
        "tenant": "od.samplea",
        "pi_number": "PI-SA/2026-27/000123",
        "bill_date": "2026-11-27 21:00:14",
        "payment_number": "EP/0/2026-27/11/27/000045",
        "master_allotment_id": "1234",
        "ssu_allotment_id": "56",
        "allotment_serial_no": "1",
        "reason": "in the treasury's list",
    }
    assert run_dag("ifms_pi", conf={"adopt": bill | {"allotment_serial_no": 1, "person": "x"}}).state == "failed"
    assert browser.post("/ifms/proposals/adopt", data=bill | {"bill_date": "yesterday"}).status_code == 400
    assert browser.post("/ifms/proposals/adopt", data=bill).status_code == 303
    assert approve(other, adapter).status_code == 303
    conf = runs(airflow_db, "ifms_pi")[0]["conf"]
    assert conf["adopt"] == bill | {"allotment_serial_no": 1, "person": "sample-user"}
    assert run_dag("ifms_pi", conf=conf).state == "failed"  # there is no such payment
    assert proposal(adapter)["done_at"] is None
    assert "Approved, not done yet" in shown(browser, adapter).text


def test_what_no_restore_holds_is_not_released(browser: Any, adapter: Adapter):
    second_person.needed(adapter.dsn)
    answer = browser.post("/ifms/proposals/release", data={"number": "EP/none", "reason": "x"})
    assert answer.status_code == 400
    assert "is not in doubt since a restore" in answer.text
    assert adapter.rows("SELECT FROM ifms.proposal") == []


def test_what_is_released_is_of_one_city(browser: Any, other: Any, adapter: Adapter):
    for city in ("od.samplea", "od.sampleb"):
        told = NewPayment(city, "EP/1", str(uuid.uuid4()), Decimal(100), datetime(2026, 1, 1, tzinfo=UTC))
        on(adapter, lambda c, told=told: payments.remember_payments(c, [told]))
    with psycopg.connect(adapter.dsn) as owner:
        restores.begin(owner, "sample")
    second_person.needed(adapter.dsn)
    form = {"number": "EP/1", "reason": "not in the treasury's list"}
    answer = browser.post("/ifms/proposals/release", data=form)
    assert answer.status_code == 400
    assert "is in doubt in od.samplea and od.sampleb: name the city" in answer.text
    for city in ("od.samplea", "od.sampleb"):
        assert browser.post("/ifms/proposals/release", data=form | {"city": city}).status_code == 303
        assert proposal(adapter)["parameters"] == {"tenant": city, "kind": "PAYMENT"}
        assert city in shown(other, adapter).text
        assert approve(other, adapter).status_code == 303
    assert browser.post("/ifms/proposals/release", data=form | {"city": "od.gone"}).status_code == 400


def test_the_same_account_needs_two_and_no_run_gets_past(
    browser: Any, other: Any, adapter: Adapter, treasury: Treasury, airflow_db: str, run_dag: Any
):
    paid_and_failed(adapter)
    second_person.needed(adapter.dsn)
    number, [dormant] = original(adapter)["pi_number"], failing(adapter)
    before = len(runs(airflow_db, "ifms_cor"))
    form = {"pi_number": number, "tenant": "od.samplea", "same_account": [dormant]}
    assert run_dag("ifms_cor", conf=form).state == "failed"  # started in Airflow itself
    assert run_dag("ifms_cor", conf=form | {"proposal": str(uuid.uuid4())}).state == "failed"
    assert revisions(adapter) == []
    assert "second person" in browser.get("/ifms/confirm", params={"number": number, "action": "revise"}).text
    assert act(browser, number, "revise", same_account=[dormant], reason="").status_code == 400
    assert "/ifms/proposal?id=" in act(browser, number, "revise", same_account=[dormant]).headers["location"]
    unapproved = form | {"proposal": str(proposal(adapter)["id"])}
    assert run_dag("ifms_cor", conf=unapproved).state == "failed"
    assert revisions(adapter) == []
    page = shown(other, adapter).text
    assert dormant in page
    assert "********" in page
    assert approve(other, adapter).status_code == 303
    started = runs(airflow_db, "ifms_cor")[0]
    assert started["run_id"] == f"proposal__{proposal(adapter)['id'].hex}"
    assert approve(other, adapter).status_code == 303  # once more: the same run
    mine = [each for each in runs(airflow_db, "ifms_cor") if each["run_id"].startswith("proposal__")]
    assert len(mine) == 1
    assert before <= len(runs(airflow_db, "ifms_cor"))
    other_form = started["conf"] | {"new_original": True}
    assert run_dag("ifms_cor", conf=other_form).state == "failed"
    assert run_dag("ifms_cor", conf=started["conf"]).state == "success"
    [revision] = revisions(adapter)
    found = proposal(adapter)
    assert (found["result"], found["done_at"] is not None) == (revision["pi_number"], True)
    [row] = adapter.rows("SELECT same_account_by FROM ifms.beneficiary WHERE same_account_by IS NOT NULL")
    assert row["same_account_by"] == "sample-user, approved by sample-admin"
    assert run_dag("ifms_cor", conf=started["conf"]).state == "failed"  # used up
    assert len(revisions(adapter)) == 1
    assert_money_is_right(adapter, treasury)


def test_a_server_that_stops_between_the_approval_and_the_run_is_caught_up_with(
    browser: Any, other: Any, adapter: Adapter, airflow_db: str, run_dag: Any
):
    paid_and_failed(adapter)
    second_person.needed(adapter.dsn)
    number, [dormant] = original(adapter)["pi_number"], failing(adapter)
    act(browser, number, "revise", same_account=[dormant])
    on(adapter, lambda c: rows.approve(c, proposal(adapter)["id"], "sample-admin"))
    before = len(runs(airflow_db, "ifms_cor"))
    page = shown(other, adapter).text
    assert "Approved, not done yet" in page
    assert "Begin what is approved" in page
    assert "Begin what is approved" not in shown(browser, adapter).text  # who has no right to approve
    for _ in range(2):
        assert approve(other, adapter).status_code == 303
    assert len(runs(airflow_db, "ifms_cor")) == before + 1
    assert run_dag("ifms_cor", conf=runs(airflow_db, "ifms_cor")[0]["conf"]).state == "success"
    assert len(revisions(adapter)) == 1


def test_a_failed_pi_in_doubt_is_settled_on_the_page(browser: Any, other: Any, adapter: Adapter, lost: str):
    with psycopg.connect(adapter.dsn) as owner:  # as one that was imported in doubt
        owner.execute("SET LOCAL session_replication_role = replica")
        owner.execute("UPDATE ifms.payment_instruction SET status = 'FAILED'")
    asked = browser.get("/ifms/settle", params={"number": lost})
    assert asked.status_code == 200
    assert 'value="accepted"' not in asked.text
    assert settle(browser, lost, verdict="accepted").status_code == 409
    assert settle(browser, lost, verdict="not at the treasury").status_code == 303
    assert approve(other, adapter).status_code == 303
    assert original(adapter)["settled_by"] == "sample-user, approved by sample-admin"


def test_a_repayment_needs_two(
    browser: Any, other: Any, adapter: Adapter, treasury: Treasury, airflow_db: str, run_dag: Any
):
    paid_and_failed(adapter)
    long_ago(adapter)
    second_person.needed(adapter.dsn)
    number, numbers = original(adapter)["pi_number"], failing(adapter)
    form = {"pi_number": number, "tenant": "od.samplea", "beneficiaries": numbers, "new_original": True}
    assert run_dag("ifms_cor", conf=form).state == "failed"
    assert "/ifms/proposal?id=" in act(browser, number, "repay").headers["location"]
    assert approve(other, adapter).status_code == 303
    conf = runs(airflow_db, "ifms_cor")[0]["conf"]
    assert run_dag("ifms_cor", conf=conf).state == "success"
    [repayment] = adapter.rows("SELECT pi_number FROM ifms.payment_instruction WHERE repayment_of IS NOT NULL")
    assert proposal(adapter)["result"] == repayment["pi_number"]
    assert_money_is_right(adapter, treasury)


def test_an_account_that_was_changed_after_it_was_approved_is_not_paid(
    browser: Any, other: Any, adapter: Adapter, airflow_db: str, run_dag: Any
):
    paid_and_failed(adapter)
    second_person.needed(adapter.dsn, above_amount="1")
    number, [failed] = original(adapter)["pi_number"], failing(adapter)
    mend(adapter, [failed])
    form = {"pi_number": number, "tenant": "od.samplea", "beneficiaries": [failed]}
    assert run_dag("ifms_cor", conf=form).state == "failed"
    assert run_dag("ifms_cor").state == "failed"  # all that is due
    assert revisions(adapter) == []
    assert "/ifms/proposal?id=" in act(browser, number, "revise", revise=[failed]).headers["location"]
    assert proposal(adapter)["act"] == "correction"
    assert "********0001" in shown(other, adapter).text
    assert approve(other, adapter).status_code == 303
    mend(adapter, [failed], "000099997777")
    conf = runs(airflow_db, "ifms_cor")[0]["conf"]
    assert run_dag("ifms_cor", conf=conf).state == "failed"
    assert revisions(adapter) == []
    found = proposal(adapter)
    assert found["failed_at"] is not None
    assert "is another one by now than was approved" in found["result"]
    assert "could not be done" in shown(browser, adapter).text


def test_below_the_limit_a_correction_needs_nobody(browser: Any, adapter: Adapter, run_dag: Any, airflow_db: str):
    paid_and_failed(adapter)
    second_person.needed(adapter.dsn, above_amount="1000000")
    number, [failed] = original(adapter)["pi_number"], failing(adapter)
    mend(adapter, [failed])
    assert "/ifms/instruction?" in act(browser, number, "revise", revise=[failed]).headers["location"]
    assert run_dag("ifms_cor", conf=runs(airflow_db, "ifms_cor")[0]["conf"]).state == "success"
    assert len(revisions(adapter)) == 1


def test_a_resubmission_above_the_limit_needs_two(
    browser: Any, other: Any, adapter: Adapter, treasury: Treasury, airflow_db: str, run_dag: Any
):
    adapter.simulators.ask_platform("POST", "settings", {"persist_ms": 0})
    wage_bill(adapter, 2)
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "error", errorMsg="Wrong IFSC provided in Beneficiary Details for BenefId SA1", times=1)
    adapter.run("PI")
    [pi] = adapter.rows("SELECT pi_number, payment_number, status FROM ifms.payment_instruction")
    assert pi["status"] == "FAILED"
    second_person.needed(adapter.dsn, above_amount="1")
    again = {"payments": [pi["payment_number"]]}
    assert run_dag("ifms_pi", conf=again).state == "failed"
    assert run_dag("ifms_pi", conf={"pi_numbers": [pi["pi_number"]]}).state == "failed"
    assert len(adapter.rows("SELECT FROM ifms.payment_instruction")) == 1
    assert "/ifms/proposal?id=" in act(browser, pi["pi_number"], "resubmit").headers["location"]
    assert approve(other, adapter).status_code == 303
    conf = runs(airflow_db, "ifms_pi")[0]["conf"]
    assert conf["payments"] == [pi["payment_number"]]
    assert run_dag("ifms_pi", conf=conf).state == "success"
    assert len(adapter.rows("SELECT FROM ifms.payment_instruction")) == 2
    assert run_dag("ifms_pi", conf=conf).state == "failed"
    assert_money_is_right(adapter, treasury)
