"""The page on which a person says what became of a PENDING PI at the treasury."""

from __future__ import annotations

import json
import re
from typing import Any

import psycopg
import pytest
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.api import audited
from support.failed import mend, original, paid_and_failed, revisions
from support.uncertain import a_due_payment

from ifms.errors import SweepError

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}, after=a_due_payment),
]

NOTHING = "nothing is chosen"


@pytest.fixture
def browser(api: Any) -> Any:
    return api("user", cookie=True)


@pytest.fixture
def lost(adapter: Adapter, treasury: Treasury) -> str:
    """The number of a PI that the treasury has, and whose reply was lost."""
    treasury.rule("PI", "lost_reply", times=1)
    with pytest.raises(SweepError):
        adapter.run("PI")
    return str(original(adapter)["pi_number"])


def form(number: str, verdict: str = "accepted", **changes: str) -> dict[str, str]:
    return {"number": number, "verdict": verdict, "reason": "the treasury was asked", "typed": number} | changes


def say(browser: Any, number: str, verdict: str = "accepted", **changes: str) -> Any:
    return browser.post("/ifms/settle", data=form(number, verdict, **changes))


def state(adapter: Adapter) -> Any:
    return [
        adapter.rows(f"SELECT * FROM ifms.{table} ORDER BY 1")
        for table in ("payment_instruction", "status_log", "fund_movement", "outbox", "payment", "sanction")
    ]


def test_what_is_known_is_shown_before_anything_is_said(browser: Any, adapter: Adapter, treasury: Treasury, lost: str):
    treasury.rule("PIS", "error", errorMsg="Bill not received in JIT-FS", times=1)
    treasury.rule("PI", "error", errorMsg="Insufficient <b>fund</b> of 123456789012", times=1)
    with pytest.raises(SweepError):
        adapter.run("PI")
    assert f"/ifms/settle?number={lost.replace('/', '%2F')}" in browser.get(
        "/ifms/instruction", params={"number": lost}
    ).text.replace("%2f", "%2F")
    before = state(adapter)
    shown = browser.get("/ifms/settle", params={"number": lost})
    assert shown.status_code == 200, shown.text
    for text in (
        "2, the last one",
        "may have arrived, and how it ended is not known",
        "A submission may have arrived",
        "The treasury refused it",
        "on a further submission",
        "Its reserved money counts as spent, and PIS is asked about it",
        "Its reserved money is free again",
        f"Type {lost} to confirm",
        "Insufficient &lt;b&gt;fund",
    ):
        assert text in shown.text, text
    assert "123456789012" not in shown.text
    assert "does not know it since" not in shown.text
    treasury.rule("PIS", "error", errorMsg="Bill not received in JIT-FS", times=1)
    with pytest.raises(SweepError):
        adapter.run("PI")
    assert "PIS does not know it since" in browser.get("/ifms/settle", params={"number": lost}).text
    assert state(adapter)[2] == before[2]


def test_accepted_its_money_is_spent_and_pis_is_asked(
    browser: Any, adapter: Adapter, treasury: Treasury, lost: str, airflow_db: str
):
    done = say(browser, lost)
    assert done.status_code == 303, done.text
    row = original(adapter)
    assert (row["status"], row["settled_by"]) == ("INITIATED", "sample-user")
    assert_money_is_right(adapter, treasury)
    there = browser.get(done.headers["location"]).text
    assert "No call was made: settled by hand, accepted, by sample-user: the treasury was asked" in there
    assert "STATUS_LOG_PI_SETTLED_BY_HAND" in there
    assert "Settled by hand by" in there
    assert "/ifms/settle" not in there
    event, owner, dag_id, extra = audited(airflow_db)[0]
    assert (event, owner, dag_id) == ("ifms.settle", "sample-user", "ifms_pi")
    assert json.loads(extra) == {"pi_number": lost, "verdict": "accepted", "reason": "the treasury was asked"}
    adapter.run("PIS")
    assert original(adapter)["status"] == "APPROVED"
    assert treasury.accepted == {lost: 1}


def test_not_there_its_money_is_free_and_it_is_not_paid_again_when_pis_shows_it(
    browser: Any, adapter: Adapter, treasury: Treasury, lost: str, airflow_db: str, run_dag: Any
):
    assert say(browser, lost, "not at the treasury").status_code == 303
    assert original(adapter)["status"] == "FAILED"
    assert adapter.rows("SELECT sum(reserved_amount + spent_amount) AS n FROM ifms.sanction")[0]["n"] == 0
    there = browser.get("/ifms/instruction", params={"number": lost}).text
    assert "settled by hand, not at the treasury, by sample-user" in there
    assert "Resubmit" in there
    press = {"number": lost, "action": "resubmit", "token": "a" * 32}
    assert browser.post("/ifms/act", data=press).status_code == 303
    from support.api import runs

    run_dag("ifms_pi", conf=runs(airflow_db, "ifms_pi")[0]["conf"])
    assert adapter.statuses() == {"FAILED": 1}  # the treasury has it after all
    assert treasury.accepted == {lost: 1}


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_revised_pi_is_settled_too(browser: Any, adapter: Adapter, treasury: Treasury):
    paid_and_failed(adapter, 2, 1)
    mend(adapter)
    treasury.rule("COR", "lost_reply", times=1)
    with pytest.raises(SweepError):
        adapter.correct()
    [revision] = revisions(adapter)
    shown = browser.get("/ifms/settle", params={"number": revision["pi_number"]}).text
    assert "No money moves: its original has spent it, and FTPS" in shown or "its original has spent it. FTPS" in shown
    assert say(browser, revision["pi_number"]).status_code == 303
    assert revisions(adapter)[0]["status"] == "INITIATED"
    assert_money_is_right(adapter, treasury)


@pytest.mark.parametrize(
    ("changes", "told", "code"),
    [
        ({"typed": "PI-SA/2026-27/999999"}, "nothing was changed", 400),
        ({"typed": ""}, "nothing was changed", 400),
        ({"reason": " \t"}, "needs a reason", 400),
        ({"verdict": NOTHING}, "Choose what became of it", 400),
        ({"verdict": "perhaps"}, "verdict", 400),
        ({"number": "PI-XX/1", "typed": "PI-XX/1"}, "There is no payment instruction PI-XX/1", 404),
        ({"reason": "x" * 1001}, "reason", 400),
        ({"reason": "\x00"}, "reason", 400),
    ],
)
def test_what_is_not_said_whole_changes_nothing(
    browser: Any, adapter: Adapter, lost: str, airflow_db: str, changes: dict[str, str], told: str, code: int
):
    before, noted = state(adapter), audited(airflow_db)
    given = form(lost) | changes
    answer = browser.post("/ifms/settle", data={name: value for name, value in given.items() if value != NOTHING})
    assert answer.status_code == code, answer.text
    assert told in answer.text
    assert (state(adapter), audited(airflow_db)) == (before, noted)
    if code == 400 and set(changes) == {"typed"}:  # what was filled in is still there
        assert "the treasury was asked" in answer.text
        assert 'value="accepted" required checked' in answer.text


def test_while_a_call_is_under_way_it_is_refused(browser: Any, adapter: Adapter, lost: str):
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute(
            "UPDATE ifms.payment_instruction SET claim_token = gen_random_uuid(), claimed_until = now() + interval '1 min'"
        )
    shown = browser.get("/ifms/settle", params={"number": lost}).text
    assert "A call about it is under way" in shown
    assert "<form" not in shown.partition("<main")[2]
    answer = say(browser, lost)
    assert answer.status_code == 409
    assert f"a call about PI {lost} is under way" in answer.text
    assert original(adapter)["status"] == "PENDING"


def test_sent_twice_it_is_settled_once_and_the_other_word_comes_too_late(
    browser: Any, api: Any, adapter: Adapter, lost: str
):
    first, again = say(browser, lost), say(browser, lost)
    assert (first.status_code, again.status_code) == (303, 303)
    assert first.headers["location"] == again.headers["location"]
    before = state(adapter)
    for client, verdict in ((browser, "not at the treasury"), (api("admin", cookie=True), "accepted")):
        late = say(client, lost, verdict)
        assert late.status_code == 409
        assert "only a PENDING one is settled by hand" in late.text
    gone = browser.get("/ifms/settle", params={"number": lost})
    assert gone.status_code == 409
    assert "is Initiated: only a pending one" in gone.text
    assert state(adapter) == before
    [word] = adapter.rows("SELECT * FROM ifms.status_log WHERE status = 'STATUS_LOG_PI_SETTLED_BY_HAND'")
    assert word["message"] == "settled by hand, accepted, by sample-user: the treasury was asked"


def test_who_may_only_look_is_not_offered_it(api: Any, adapter: Adapter, lost: str):
    viewer = api("viewer", cookie=True)
    assert "/ifms/settle" not in viewer.get("/ifms/instruction", params={"number": lost}).text
    assert viewer.get("/ifms/settle", params={"number": lost}).status_code == 403
    assert say(viewer, lost).status_code == 403
    assert original(adapter)["status"] == "PENDING"


def test_a_form_that_was_drawn_before_it_was_sent_again_settles_nothing(
    browser: Any, adapter: Adapter, treasury: Treasury, lost: str
):
    """Whoever looked for it at the treasury did so before that."""
    page = browser.get("/ifms/settle", params={"number": lost}).text
    [seen] = re.findall(r'name="seen" value="([^"]+)"', page)
    treasury.rule("PIS", "error", errorMsg="Bill not received in JIT-FS", times=1)
    treasury.rule("PI", "lost_reply", times=1)
    adapter.run("PI")
    before = state(adapter)
    answer = say(browser, lost, "not at the treasury", seen=seen)
    assert answer.status_code == 409
    assert "was sent, or shown by its status service, since somebody looked for it" in answer.text
    assert state(adapter) == before
    [seen] = re.findall(r'name="seen" value="([^"]+)"', answer.text)
    assert say(browser, lost, "not at the treasury", seen=seen).status_code == 303
