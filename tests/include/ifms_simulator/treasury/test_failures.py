from datetime import date, timedelta

import pytest


def test_fd_tells_the_failures_of_a_voucher_date(start_treasury):
    client = start_treasury()
    pi = client.instruction(beneficiaries=3)
    advice, paid = client.paid(pi)
    assert client.failed(paid) == []
    client.control("failures", {"bill_number": pi["jitBillNo"], "beneficiaries": 2})
    row = client.failed(paid)[0]
    assert (row["billNumber"], row["billRefNo"]) == (pi["jitBillNo"], advice["onlineBillRefNo"])
    assert [each["benfId"] for each in row["benfDtls"]] == [each["benefId"] for each in pi["beneficiaryDetails"][:2]]
    assert row["benfDtls"][0]["failedReason"] == " Account does not exist"
    assert row["benfDtls"][0]["orgBillRefNumber"] == advice["onlineBillRefNo"]
    assert row["benfDtls"][0]["utrNo"] == paid["benfDtls"][0]["utrNo"]
    assert row["benfDtls"][0]["challanNumber"] != row["benfDtls"][1]["challanNumber"]


def test_a_second_failure_of_a_bill_comes_with_the_first_again(start_treasury):
    client = start_treasury()
    pi = client.instruction(beneficiaries=3)
    _, paid = client.paid(pi)
    ids = [row["benefId"] for row in pi["beneficiaryDetails"]]
    for some in ([ids[2]], [ids[2], ids[0]]):
        client.control("failures", {"bill_number": pi["jitBillNo"], "beneficiaries": some, "reason": "Sample reason"})
    told = client.failed(paid)
    assert [row["benfId"] for row in told[0]["benfDtls"]] == [ids[2], ids[0]]
    assert len(client.control("state")["failures"]) == 2


def test_a_bill_that_nobody_knows_can_fail(start_treasury):
    client = start_treasury()
    pi = client.instruction()
    _, paid = client.paid(pi)
    order = {
        "unknown": True,
        "bill_number": "PI-XX/1",
        "beneficiaries": ["BN-XX/1"],
        "voucher_date": paid["voucherDate"],
    }
    client.control("failures", order)
    assert [row["billNumber"] for row in client.failed(paid)] == ["PI-XX/1"]


def test_a_rule_fails_the_first_beneficiaries_of_the_bills_it_matches(start_treasury):
    client = start_treasury()
    first, second = (client.instruction(first=number) for number in (1, 2))
    _, paid = client.paid(first)
    client.paid(second)
    client.rule(service="FD", effect="failed_beneficiaries", beneficiaries=2, reason="Account is Dormant")
    assert {row["billNumber"]: len(row["benfDtls"]) for row in client.failed(paid)} == {
        first["jitBillNo"]: 2,
        second["jitBillNo"]: 2,
    }


@pytest.mark.parametrize(("reading", "found"), [("on", 0), ("since", 1)])
def test_the_voucher_date_is_read_as_configured(start_treasury, reading, found):
    client = start_treasury(fd_reading=reading)
    pi = client.instruction()
    client.paid(pi)
    client.control("failures", {"bill_number": pi["jitBillNo"]})
    asked = {"finYear": "2025", "extAppName": "MUKTA", "voucherDate": "2026-03-31"}
    assert len(client.data("FD", asked)) == found


def test_the_financial_year_must_be_the_dates(start_treasury):
    client = start_treasury()
    asked = {"finYear": "2026", "extAppName": "MUKTA", "voucherDate": "2026-03-31"}
    assert "finYear 2026" in client.call("FD", asked)["errorMsg"]


def days_later(client, days):
    """The treasury's clock goes on."""
    client.control("settings", {"clock_offset_seconds": days * 86400, "session_minutes": 200 * 24 * 60})


@pytest.mark.parametrize("by_rule", [True, False])
def test_a_late_return_is_told_so_many_days_after_its_voucher(start_treasury, by_rule):
    client = start_treasury()
    pi = client.instruction(beneficiaries=2)
    _, paid = client.paid(pi)
    if by_rule:
        client.rule(service="FD", effect="failed_beneficiaries", beneficiaries=1, late_days=60)
    else:
        client.control("failures", {"bill_number": pi["jitBillNo"], "beneficiaries": 1, "late_days": 60})
    for days, told in ((0, 0), (59, 0), (60, 1), (90, 1)):
        days_later(client, days)
        assert len(client.failed(paid)) == told, days
    due = date.fromisoformat(paid["voucherDate"]) + timedelta(days=60)
    assert client.failed(paid)[0]["benfDtls"][0]["challanDate"] == str(due)


def test_days_late_must_be_a_number_of_days(start_treasury):
    client = start_treasury()
    pi = client.instruction()
    client.paid(pi)
    for wrong in (-1, "4", True):
        with pytest.raises(Exception, match="."):
            client.control("failures", {"bill_number": pi["jitBillNo"], "late_days": wrong})
    assert client.control("state")["failures"] == []
