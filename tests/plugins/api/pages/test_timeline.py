"""The steps of a PI on its page, and the story's words after an action."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from support.adapter import Adapter, Treasury
from support.api import runs
from support.failed import mend, original, paid_and_failed, revisions, wage_bill

from ifms.errors import SweepError

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]


@pytest.fixture
def browser(api: Any) -> Any:
    return api("user", cookie=True)


def show(browser: Any, number: str, **more: str) -> str:
    answer = browser.get("/ifms/instruction", params={"number": number, **more})
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def way(page: str) -> list[tuple[str, str]]:
    """The steps of the page, each with its state."""
    return [(name, state) for state, name in re.findall(r'<li class="(\w+)"[^>]*><b>([^<]+)</b>', page)]


def test_an_originals_steps_as_they_come(browser: Any, adapter: Adapter):
    wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    for done, service in enumerate(("PI", "PIS", "PAG", "PD"), 2):
        adapter.run(service)
        page = show(browser, original(adapter)["pi_number"])
        states = [state for _, state in way(page)]
        assert states == (["done"] * done + ["next"] + ["later"] * 5)[:5], service
        assert "time not known" not in page
    names = [name for name, _ in way(page)]
    assert names == ["Created", "Received by the treasury", "Approved by the SSU", "Payment advice", "Paid"]


def test_vouchers_challans_and_the_way_to_the_register(browser: Any, adapter: Adapter):
    paid_and_failed(adapter, 2, 1)
    page = show(browser, original(adapter)["pi_number"])
    [paid] = adapter.rows("SELECT * FROM ifms.beneficiary WHERE status = 'Payment Successful'")
    [failed] = adapter.rows("SELECT * FROM ifms.beneficiary WHERE status = 'Payment Failed'")
    assert way(page)[-1] == ("Paid in part", "failed")
    assert f"Voucher {paid['voucher_number']}" in page
    assert f"Challan {failed['challan_number']}" in page
    there = re.findall(r'href="([^"]*/register[?][^"]*)"', page)[0].replace("&amp;", "&")
    register = browser.get(there)
    assert f'id="{urlsplit(there).fragment}"' in register.text
    rows = re.findall(r'<tr id="m-\d+"', register.text)
    assert f'<tr id="{urlsplit(there).fragment}"' == rows[0]


def test_a_declined_pi_ends_where_it_was_waiting(browser: Any, adapter: Adapter, treasury: Treasury):
    treasury.rule("PI", "error", errorMsgs=[{"errorCode": "322", "errorMsg": "Sample refusal"}])
    wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    states = [state for _, state in way(show(browser, original(adapter)["pi_number"]))]
    assert states == ["done", "failed", "later", "later", "later"]


def pressed(browser: Any, airflow_db: str, number: str, action: str, work: Any, **ticked: list[str]) -> str:
    """The page after the action's run has done `work` and has ended."""
    form = {"number": number, "action": action, "token": uuid.uuid4().hex} | ticked
    answer = browser.post("/ifms/act", data=form)
    assert answer.status_code == 303, answer.text
    asked = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    begun = datetime.now(UTC)
    work(runs(airflow_db, asked["dag"])[0]["conf"])
    with psycopg.connect(airflow_db) as connection:
        connection.execute(
            "UPDATE dag_run SET state = 'success', start_date = %s, end_date = %s WHERE run_id = %s",
            (begun, datetime.now(UTC), asked["run"]),
        )
    return show(browser, number, dag=asked["dag"], run=asked["run"])


def test_the_storys_words_after_a_resubmission(
    browser: Any, adapter: Adapter, treasury: Treasury, airflow_db: str, run_dag: Any
):
    treasury.rule("PI", "lost_reply")
    wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    with pytest.raises(SweepError):
        adapter.run("PI")
    number = original(adapter)["pi_number"]
    page = pressed(browser, airflow_db, number, "resubmit", lambda conf: None)
    assert "Submission failed, " in page
    assert "ifms_pi has ended" not in page
    treasury.clear()
    page = pressed(browser, airflow_db, number, "resubmit", lambda conf: run_dag("ifms_pi", conf=conf))
    assert "The payment instruction is submitted successfully." in page


@pytest.mark.parametrize("taken", [True, False])
def test_the_storys_words_after_a_revision_name_the_new_pi(
    browser: Any, adapter: Adapter, treasury: Treasury, airflow_db: str, run_dag: Any, taken: bool
):
    paid_and_failed(adapter, 3, 1)
    number = original(adapter)["pi_number"]
    [failed] = adapter.rows("SELECT beneficiary_number FROM ifms.beneficiary WHERE status = 'Payment Failed'")
    mend(adapter)
    if not taken:
        treasury.rule("COR", "error", errorMsgs=[{"errorCode": "322", "errorMsg": "Sample refusal"}])
    page = pressed(
        browser, airflow_db, number, "revise", lambda conf: run_dag("ifms_cor", conf=conf),
        revise=[failed["beneficiary_number"]],
    )  # fmt: skip
    [revision] = revisions(adapter)
    end = "and submitted successfully." if taken else "successfully, but failed to submit."
    assert f"Revised payment instruction {revision['pi_number']} generated {end}" in page
    page = show(browser, revision["pi_number"])
    assert [name for name, _ in way(page)] == ["Created", "Received by the treasury", "Paid"]


def test_a_revision_that_made_nothing_says_so(browser: Any, adapter: Adapter, airflow_db: str):
    paid_and_failed(adapter, 3, 1)
    number = original(adapter)["pi_number"]
    [failed] = adapter.rows("SELECT beneficiary_number FROM ifms.beneficiary WHERE status = 'Payment Failed'")
    mend(adapter)
    ticked = {"revise": [failed["beneficiary_number"]]}
    page = pressed(browser, airflow_db, number, "revise", lambda conf: None, **ticked)
    assert "No payment instruction was generated" in page
