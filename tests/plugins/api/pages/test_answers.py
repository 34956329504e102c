"""The page about texts of the treasury that nobody understands, and what is said there of them."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest
from support import second_person
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.api import audited, runs
from support.failed import original, wage_bill

from ifms.errors import SweepError, SweepNeedsAttentionError
from ifms.wire.envelope import Service
from ifms.wire.phrasebook import MEANINGS, Meaning, shipped

NOTHING = "nothing is chosen"
TEXT = "Bill <b>waits</b> for the SSU, 123456789012"
TEMPLATE = "bill b waits b for the ssu {number}"


@pytest.fixture
def browser(api: Any) -> Any:
    return api("user", cookie=True)


def two_initiated(adapter: Adapter) -> None:
    """The SSU has two PIs to approve."""
    for _ in range(2):
        wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)


pytestmark = [
    pytest.mark.airflow,
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}, after=two_initiated),
]


@pytest.fixture
def puzzled(adapter: Adapter, treasury: Treasury) -> list[str]:
    """The numbers of two INITIATED PIs about which PIS has said what nobody knows."""
    treasury.rule("PIS", "error", errorMsg=TEXT)
    with pytest.raises(SweepNeedsAttentionError):
        adapter.run("PIS")
    return [row["pi_number"] for row in adapter.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY 1")]


def answer_id(adapter: Adapter, service: str = "PIS") -> str:
    [row] = adapter.rows("SELECT id FROM ifms.unknown_answer WHERE service_id = %s", service)
    return str(row["id"])


def form(adapter: Adapter, **changes: str) -> dict[str, str]:
    given = {"text": TEMPLATE, "meaning": "no news", "reason": "the treasury was asked"} | changes
    return {"answer": answer_id(adapter)} | given


def page(browser: Any, **query: str) -> str:
    answer = browser.get("/ifms/answers", params=query)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def test_nothing_is_unknown_at_first(browser: Any, adapter: Adapter):
    seen = page(browser)
    assert "Every answer has been understood." in seen
    assert "This site has none of its own yet." in seen
    assert 'aria-current="page">Unknown answers' in seen
    for phrase in shipped().phrases:
        assert phrase.source.replace("'", "&#39;") in seen
    assert "None with a PI behind it" in browser.get("/ifms/runs").text


def test_a_text_is_shown_with_the_pis_behind_it(browser: Any, api: Any, puzzled: list[str]):
    seen = page(browser)
    assert "Bill &lt;b&gt;waits&lt;/b&gt; for the SSU, ********9012" in seen
    assert "123456789012" not in seen
    assert f"<code>{TEMPLATE}</code>" in seen
    assert "2 times" in seen
    for number in puzzled:
        assert f">{number}</a>" in seen
        assert "is a text that nobody understands" in browser.get("/ifms/instruction", params={"number": number}).text
    offered = re.findall(r'name="meaning" value="([^"]+)"', seen)
    assert set(offered) == MEANINGS[Service.PIS]
    assert "The SSU has rejected this very bill" in seen
    assert 'name="both"' not in seen
    runs_page = browser.get("/ifms/runs").text
    assert "1 to look at" in runs_page
    assert "2 PIs wait behind them" in runs_page
    viewer = page(api("viewer", cookie=True))
    assert puzzled[0] in viewer
    assert "<form" not in viewer.partition("<main")[2]


def test_given_a_meaning_its_pis_go_on(
    browser: Any, adapter: Adapter, treasury: Treasury, puzzled: list[str], airflow_db: str, run_dag: Any
):
    done = browser.post("/ifms/answers", data=form(adapter, meaning="rejected"))
    assert done.status_code == 303, done.text
    [phrase] = adapter.rows("SELECT * FROM ifms.phrase")
    assert (phrase["services"], phrase["text"], phrase["meaning"]) == (["PIS"], TEMPLATE, "rejected")
    assert (phrase["added_by"], phrase["reason"]) == ("sample-user", "the treasury was asked")
    event, owner, _, extra = audited(airflow_db)[0]
    assert (event, owner) == ("ifms.phrase_added", "sample-user")
    assert json.loads(extra)["phrase"] == str(phrase["id"])
    there = browser.get(done.headers["location"]).text
    assert f"“{TEMPLATE}” means “rejected” from now on." in there
    assert "2 payment instructions wait behind it, and are asked about first in the next run of ifms_pis." in there
    assert "Every answer has been understood." in there
    assert "None with a PI behind it" in browser.get("/ifms/runs").text
    token = uuid.uuid4().hex
    ask = {"phrase": str(phrase["id"]), "service": "PIS", "token": token}
    started = browser.post("/ifms/answers/ask", data=ask)
    assert started.status_code == 303, started.text
    run = runs(airflow_db, "ifms_pis")[0]
    assert run["conf"] == {"pi_numbers": puzzled, "tenants": ["od.samplea"]}
    waits = browser.get(started.headers["location"]).text
    assert f"Run {run['run_id']}, started by sample-user" in waits
    assert "Start ifms_pis" not in waits  # not before this one has ended
    assert run_dag("ifms_pis", conf=run["conf"]).state == "success"
    assert adapter.statuses() == {"FAILED": 2}  # rejected, as was said
    assert_money_is_right(adapter, treasury)
    before = len(runs(airflow_db, "ifms_pis"))
    again = browser.post("/ifms/answers/ask", data=ask)
    assert again.headers["location"] == started.headers["location"]
    late = browser.post("/ifms/answers/ask", data=ask | {"token": "b" * 32})
    assert late.status_code == 409
    assert len(runs(airflow_db, "ifms_pis")) == before


def test_withdrawn_it_is_unknown_again(browser: Any, api: Any, adapter: Adapter, puzzled: list[str], airflow_db: str):
    assert browser.post("/ifms/answers", data=form(adapter)).status_code == 303
    [phrase] = adapter.rows("SELECT * FROM ifms.phrase")
    viewer = page(api("viewer", cookie=True))
    assert TEMPLATE in viewer
    assert "<form" not in viewer.partition("<main")[2]
    given = {"phrase": str(phrase["id"]), "reason": " "}
    refused = browser.post("/ifms/answers/withdraw", data=given)
    assert refused.status_code == 400
    assert "needs a reason" in refused.text
    other = api("admin", cookie=True)
    assert other.post("/ifms/answers/withdraw", data=given | {"reason": "it was wrong"}).status_code == 303
    seen = page(browser)
    assert "2 times" in seen
    assert "withdrawn by sample-admin" in seen
    assert "it was wrong" in seen
    assert audited(airflow_db)[0][:2] == ("ifms.phrase_withdrawn", "sample-admin")
    assert other.post("/ifms/answers/withdraw", data=given | {"reason": "again"}).status_code == 409


def test_withdrawn_it_names_what_has_failed_by_it(browser: Any, adapter: Adapter, puzzled: list[str]):
    assert browser.post("/ifms/answers", data=form(adapter, meaning="rejected")).status_code == 303
    adapter.run("PIS")
    assert adapter.statuses() == {"FAILED": 2}
    [phrase] = adapter.rows("SELECT id FROM ifms.phrase")
    there = page(browser, withdrawn=str(phrase["id"]))
    assert "counts no more" not in there, "it does"
    given = {"phrase": str(phrase["id"]), "reason": "it was wrong"}
    done = browser.post("/ifms/answers/withdraw", data=given)
    seen = browser.get(done.headers["location"]).text
    assert f"“{TEMPLATE}” counts no more. The treasury may have these payment instructions" in seen
    for number in puzzled:
        assert f">{number}</a>" in seen
    assert f"/answers?withdrawn={phrase['id']}" in page(browser), "and is found again"


@pytest.mark.parametrize("two", [False, True], ids=["one person", "two persons"])
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"reason": ""}, "reason"),
        ({"text": "Something else altogether"}, "does not match the answer that it was made for"),
        ({"text": "bill b {rest} ssu"}, "stands at the end only"),
        ({"text": "{rest}"}, "too few words"),
        ({"text": "{what} waits for the ssu"}, "is none of"),
        ({"meaning": "duplicate"}, "can&#39;t mean duplicate"),
        ({"meaning": NOTHING}, "Choose what the text means"),
        ({"meaning": "maybe"}, "meaning"),
    ],
)
def test_what_is_no_phrase_is_said_and_adds_nothing(
    browser: Any, adapter: Adapter, puzzled: list[str], airflow_db: str, changes: dict[str, str], told: str, two: bool
):
    if two:
        second_person.needed(adapter.dsn)
    noted = audited(airflow_db)
    given = form(adapter, **changes)
    answer = browser.post("/ifms/answers", data={name: value for name, value in given.items() if value != NOTHING})
    assert answer.status_code == 400, answer.text
    assert told in answer.text
    assert adapter.rows("SELECT FROM ifms.phrase UNION ALL SELECT FROM ifms.proposal") == []
    assert audited(airflow_db) == noted
    if changes == {"reason": ""}:  # what was filled in is still there, and in sight
        assert 'value="no news" required checked' in answer.text


def test_a_text_that_somebody_else_has_given_a_meaning_meanwhile(browser: Any, adapter: Adapter, puzzled: list[str]):
    first = form(adapter)
    assert browser.post("/ifms/answers", data=first).status_code == 303
    late = browser.post("/ifms/answers", data=first | {"meaning": "rejected"})
    assert late.status_code == 409
    assert "has given this text a meaning" in late.text
    assert len(adapter.rows("SELECT * FROM ifms.phrase")) == 1


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_of_a_submission_it_may_count_for_corrections_too(browser: Any, adapter: Adapter, treasury: Treasury):
    wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "error", errorMsg="The head of account is frozen")
    with pytest.raises(SweepError):
        adapter.run("PI")
    seen = page(browser)
    assert "It means the same for COR" in seen
    assert set(re.findall(r'name="meaning" value="([^"]+)"', seen)) == MEANINGS[Service.PI]
    given = {
        "answer": answer_id(adapter, "PI"),
        "text": "The head of account is frozen",
        "meaning": "content error",
        "both": "true",
        "reason": "the treasury was asked",
    }
    done = browser.post("/ifms/answers", data=given)
    assert done.status_code == 303, done.text
    [phrase] = adapter.rows("SELECT services FROM ifms.phrase")
    assert phrase["services"] == ["COR", "PI"]
    there = browser.get(done.headers["location"]).text
    assert "1 payment instruction waits behind it, and is asked about first in the next run of ifms_pi." in there
    treasury.clear()
    adapter.run("PI")
    assert original(adapter)["status"] == "FAILED"
    assert_money_is_right(adapter, treasury)


def test_every_meaning_is_explained():
    from ifms_airflow.api.messages import t

    for meaning in Meaning:
        assert t(f"meaning.{meaning}").endswith(".")
