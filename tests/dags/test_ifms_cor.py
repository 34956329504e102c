"""ifms_cor alone: what the form asks for is corrected or refused with its reason; without a form, all that is due."""

from __future__ import annotations

import json
import os

import pytest
from support import failed
from support.adapter import assert_money_is_right

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0})]


@pytest.fixture
def form(airflow_connections, adapter):
    """Two of three payees of a paid wage bill have failed. `form(**more)`: the form for that PI."""
    failed.paid_and_failed(adapter, failures=2)

    def fill(**more):
        return {"pi_number": failed.original(adapter)["pi_number"], "tenant": failed.TENANT} | more

    return fill


@pytest.fixture
def refused(run_dag, adapter, treasury):
    """`refused(conf)`: what a run says that can't do what its form asks for; it is red at once, nothing was sent."""

    def run(conf):
        run = run_dag("ifms_cor", conf=conf)  # would wait five minutes if it were tried again
        assert run.state == "failed"
        [row] = adapter.rows("SELECT message, try_number FROM ifms.sweep_run WHERE run_id = %s", run.run_id)
        assert row["try_number"] == 1
        assert "COR" not in treasury.state["calls"]
        assert failed.revisions(adapter) == []
        return row["message"]

    return run


def statuses(adapter):
    return [row["status"] for row in failed.revisions(adapter)]


def test_one_pi_by_its_number(run_dag, form, adapter, treasury):
    failed.mend(adapter)
    assert run_dag("ifms_cor", conf=form()).state == "success"
    assert statuses(adapter) == ["INITIATED"]
    [revision] = failed.revisions(adapter)
    assert revision["beneficiary_count"] == 2
    numbers = failed.original(adapter)["additional_details"]
    assert numbers["billNumber"] != []
    assert revision["additional_details"] == numbers  # it is found by them, too
    assert adapter.statuses() == {"COMPLETED": 1, "INITIATED": 1}
    assert_money_is_right(adapter, treasury)


def test_some_of_its_beneficiaries(run_dag, form, adapter):
    one, other = failed.failing(adapter)
    failed.mend(adapter, [other])
    assert run_dag("ifms_cor", conf=form(beneficiaries=[other])).state == "success"
    assert [row["beneficiary_count"] for row in failed.revisions(adapter)] == [1]
    assert failed.failing(adapter) == [one]


def test_three_failures_two_mended_and_one_revised_on_purpose(run_dag, airflow_connections, adapter, treasury):
    """The story of a dormant account: the mended are not kept waiting, and the third is paid because a person says so."""
    failed.paid_and_failed(adapter, failures=3)
    one, two, dormant = failed.failing(adapter)
    failed.mend(adapter, [one, two])
    conf = {"pi_number": failed.original(adapter)["pi_number"], "tenant": failed.TENANT}

    assert run_dag("ifms_cor", conf=conf).state == "success"
    assert [row["beneficiary_count"] for row in failed.revisions(adapter)] == [2]
    [sweep] = adapter.rows("SELECT problems::text AS said FROM ifms.sweep_run WHERE service_id = 'COR'")
    assert f"{dormant}: the bank account is the one that failed" in sweep["said"]
    assert (failed.original(adapter)["status"], failed.failing(adapter)) == ("PARTIAL", [dormant])
    assert run_dag("ifms_ftps").state == "success"
    assert run_dag("ifms_cor").state == "success"  # all that is due never pays to an account that failed
    assert len(failed.revisions(adapter)) == 1

    assert run_dag("ifms_cor", conf=conf | {"same_account": [dormant]}).state == "success"
    assert statuses(adapter) == ["SUCCESSFUL", "INITIATED"]
    [row] = adapter.rows("SELECT message FROM ifms.status_log WHERE status = 'STATUS_LOG_COR_SAME_ACCOUNT'")
    assert row["message"] == f"paid to the account that failed, on purpose, by dag_test: {dormant}"
    [sent] = treasury.state["corrections"][1]["params"]["beneficiaryDetails"]
    assert sent["orgAccountNo"] == sent["curAccountNo"] == sent["correctedAccountNo"]
    assert run_dag("ifms_ftps").state == "success"
    assert statuses(adapter) == ["SUCCESSFUL", "SUCCESSFUL"]
    assert (failed.original(adapter)["status"], failed.failing(adapter)) == ("COMPLETED", [])
    assert_money_is_right(adapter, treasury)


def test_nobody_is_paid_on_purpose_by_a_run_that_nobody_started(run_dag, form, adapter, treasury, monkeypatch):
    from airflow.models import dagrun

    make = dagrun.get_or_create_dagrun
    monkeypatch.setattr(dagrun, "get_or_create_dagrun", lambda **given: make(**given | {"triggering_user_name": None}))
    run = run_dag("ifms_cor", conf=form(same_account=failed.failing(adapter)[:1]))
    assert run.state == "failed"
    [row] = adapter.rows("SELECT message FROM ifms.sweep_run WHERE service_id = 'COR'")
    assert "nobody's name came with it" in row["message"]
    assert failed.revisions(adapter) == []


def test_without_a_form_all_that_is_due_and_nobody_else(run_dag, form, adapter, treasury):
    assert run_dag("ifms_cor").state == "success"
    assert statuses(adapter) == []  # nobody has another account yet
    failed.mend(adapter)
    assert run_dag("ifms_cor", conf={"tenants": ["od.sampleb"]}).state == "success"
    assert statuses(adapter) == []
    for _ in range(2):
        assert run_dag("ifms_cor").state == "success"
        assert statuses(adapter) == ["INITIATED"]
    assert len(treasury.state["corrections"]) == 1


REASONS = {
    "unchanged account": ({}, "is the one that failed; correct it in the registry first"),
    "another city's": ({"tenant": "od.sampleb"}, "of od.sampleb does not exist"),
    "unknown": ({"pi_number": "PI-SA/2000-01/000001"}, "PI-SA/2000-01/000001 of od.samplea does not exist"),
    "a stranger on purpose": ({"same_account": ["BN-XX/000001"]}, "has no beneficiary BN-XX/000001"),
    "a stranger": ({"beneficiaries": ["BN-XX/000001"]}, "has no beneficiary BN-XX/000001"),
    "can still be corrected": ({"new_original": True}, "can still be corrected"),
    "no city": ({"tenant": None}, "say which city it belongs to"),
    "no PI": ({"pi_number": None}, "name the original PI"),
}


@pytest.mark.parametrize(("change", "reason"), REASONS.values(), ids=REASONS)
def test_what_is_refused_is_red_with_its_reason(form, refused, change, reason):
    assert reason in refused(form(**change))


def test_what_one_field_alone_is_about_is_not_guessed(form, refused, adapter):
    failed.mend(adapter)  # so there would be something due
    one = failed.failing(adapter)[:1]
    for alone in ({"beneficiaries": one}, {"same_account": one}, {"new_original": True}, {"tenant": failed.TENANT}):
        assert refused(alone).startswith("BadInputError: name the original PI")


@pytest.mark.parametrize(
    "change",
    [
        {"new_original": "false"},
        {"pi_number": "PI-SA/1' OR 'a' = 'a"},
        {"pi_number": "{{ conn.ifms_treasury.password }}"},
        {"beneficiaries": ["BN-SA/1'); DROP TABLE ifms.payment; --"]},
        {"beneficiaries": "BN-SA/000001"},
        {"same_account": "BN-SA/000001"},
        {"same_account": ["{{ dag_run.conf }}"]},
        {"tenant": "{{ 7 * 7 }}"},
    ],
)
def test_a_form_with_something_else_in_it_starts_nothing(run_dag, airflow_connections, adapter, treasury, change):
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        run_dag("ifms_cor", conf={"pi_number": "PI-SA/2024-25/000001", "tenant": failed.TENANT} | change)
    assert adapter.rows("SELECT id FROM ifms.sweep_run") == []
    assert treasury.state["calls"] == {}


def test_the_deadline_is_the_connections(run_dag, form, refused, adapter, monkeypatch):
    """A day after its 90 days: refused, unless the connection says more."""
    failed.mend(adapter)
    failed.long_ago(adapter, 91)
    assert "start ifms_cor with 'new original'" in refused(form())
    known = json.loads(os.environ["AIRFLOW_CONN_IFMS_TREASURY"])
    extra = known["extra"] | {"correction_days": 400, "correction_last_day": "12-31"}
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_TREASURY", json.dumps(known | {"extra": extra}))
    assert run_dag("ifms_cor", conf=form()).state == "success"
    assert statuses(adapter) == ["INITIATED"]


def test_after_the_deadline_a_new_original_is_offered_and_pays(run_dag, form, refused, adapter, treasury):
    failed.mend(adapter)
    failed.long_ago(adapter)
    assert "start ifms_cor with 'new original'" in refused(form())
    assert run_dag("ifms_cor", conf=form(new_original=True)).state == "success"
    [anew] = adapter.rows("SELECT * FROM ifms.payment_instruction WHERE repayment_of IS NOT NULL")
    assert (anew["pi_type"], anew["status"], anew["beneficiary_count"]) == ("ORIGINAL", "INITIATED", 2)
    assert_money_is_right(adapter, treasury)
