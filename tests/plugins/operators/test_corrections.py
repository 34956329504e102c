"""ifms_cor's operator: what a form's fields mean, and which of them it takes."""

from __future__ import annotations

import pytest
from support import failed

from ifms.errors import BadInputError

pytestmark = pytest.mark.airflow

NUMBER = "PI-SA/2024-25/000001"


def asked_for(**fields):
    from ifms_airflow.operators import CorrectOperator

    return CorrectOperator(task_id="correct", **fields).asked_for()


def test_nothing_asked_for_is_all_that_is_due():
    assert asked_for() is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (None, False, ())),
        ({"beneficiaries": [], "same_account": []}, (None, False, ())),
        ({"beneficiaries": ["BN-SA/2", " BN-SA/1 "]}, (("BN-SA/2", "BN-SA/1"), False, ())),
        ({"same_account": [" BN-SA/1 "]}, (None, False, ("BN-SA/1",))),
        ({"beneficiaries": ["BN-SA/2"], "same_account": ["BN-SA/1"]}, (("BN-SA/2",), False, ("BN-SA/1",))),
        ({"new_original": True}, (None, True, ())),
    ],
)
def test_one_pi(fields, expected):
    assert asked_for(pi_number=f" {NUMBER} ", tenant=" od.samplea ", **fields) == ("od.samplea", NUMBER, *expected)


@pytest.mark.parametrize(
    "fields",
    [{"tenant": "od.samplea"}, {"beneficiaries": ["BN-SA/1"]}, {"same_account": ["BN-SA/1"]}, {"new_original": True}],
)
def test_a_field_about_a_pi_that_nobody_named_is_not_taken_for_all(fields):
    with pytest.raises(BadInputError, match="name the original PI"):
        asked_for(**fields)


@pytest.mark.parametrize("number", ["", "  ", 0, False, 20240001, [NUMBER]])
def test_a_number_that_is_none_is_not_taken_for_all(number):
    with pytest.raises(BadInputError, match="the original PI must be a number like"):
        asked_for(pi_number=number, tenant="od.samplea")


@pytest.mark.parametrize("tenant", [None, "", " ", 7, ["od.samplea"]])
def test_the_city_is_needed(tenant):
    with pytest.raises(BadInputError, match=f"PI {NUMBER}: say which city"):
        asked_for(pi_number=NUMBER, tenant=tenant)


@pytest.mark.parametrize("value", ["false", "true", "{{ params.new_original }}", 1, 0, None])
def test_a_text_is_no_yes(value):
    with pytest.raises(BadInputError, match="new original must be true or false"):
        asked_for(pi_number=NUMBER, tenant="od.samplea", new_original=value)


@pytest.mark.parametrize("field", ["beneficiaries", "same_account"])
@pytest.mark.parametrize("value", ["BN-SA/1", [7], [None], [""], [["BN-SA/1"]], {"BN-SA/1": True}])
def test_beneficiaries_are_a_list_of_numbers(field, value):
    with pytest.raises(BadInputError, match=f"{field} must be a list of texts"):
        asked_for(pi_number=NUMBER, tenant="od.samplea", **{field: value})


@pytest.mark.parametrize("field", ["beneficiaries", "same_account"])
def test_nobody_is_named_twice(field):
    with pytest.raises(BadInputError, match=f"{field} names one of them twice"):
        asked_for(pi_number=NUMBER, tenant="od.samplea", **{field: ["BN-SA/1", "BN-SA/2", " BN-SA/1"]})


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_treasury_that_is_away_is_worth_a_retry_and_the_revision_keeps_its_number(
    run_dag, airflow_connections, adapter, treasury, sweeps, without_retries
):
    failed.paid_and_failed(adapter)
    failed.mend(adapter)
    treasury.rule("COR", "refuse", mode="close")
    run = run_dag("ifms_cor")
    assert run.state == "failed"
    [row] = sweeps(run)
    assert row["message"].startswith("SweepUnreachableError: ")
    [before] = failed.revisions(adapter)
    assert before["status"] == "PENDING"
    treasury.clear()
    assert run_dag("ifms_cor").state == "success"
    assert [(row["pi_number"], row["status"]) for row in failed.revisions(adapter)] == [
        (before["pi_number"], "INITIATED")
    ]
