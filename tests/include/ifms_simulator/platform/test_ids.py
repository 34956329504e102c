from datetime import datetime

import pytest

from ifms.clock import IST, epoch_ms, financial_year, financial_year_label, now

PATH = "egov-idgen/id/_generate"


def request(name="ifms.benef.reference.number", tenant="od.samplea", **more):
    return {"idName": name, "tenantId": tenant, "format": None, **more}


def ids(client, *requests):
    return [row["id"] for row in client.call(PATH, {"idRequests": list(requests)})["idResponses"]]


def test_ids_come_in_order_from_one_sequence_per_name(start_platform):
    client = start_platform(bills_per_city=0)
    year = financial_year_label(financial_year(now()))
    assert ids(
        client,
        request(),
        request("ifms.pi.reference.number"),
        request(tenant="od.sampleb"),
        request("ifms.repi.reference.number", "od.sampleb"),
        request(count=2),
    ) == [
        "BN-SA/000001",
        f"PI-SA/{year}/000001",
        "BN-SB/000002",
        f"COR-SB/{year}/000002",
        "BN-SA/000003",
        "BN-SA/000004",
    ]


def test_the_financial_year_is_ists(start_platform):
    client = start_platform(bills_per_city=0)
    last = epoch_ms(datetime(2027, 3, 31, 23, 59, 0, tzinfo=IST)) / 1000
    for after, year in ((0, "2026-27"), (120, "2027-28")):
        offset = last + after - epoch_ms(now()) / 1000
        client.control("settings", {"clock_offset_seconds": offset})
        assert ids(client, request("ifms.pi.reference.number"))[0].split("/")[1] == year


@pytest.mark.parametrize(
    ("requests", "code"),
    [
        ([], "IDGEN_ERROR"),
        ([request("no.such")], "ID_NOT_FOUND"),
        ([request(tenant="od.nowhere")], "CITY_CODE_NOT_FOUND"),
        ([request(format="X-[no:such]")], "INVALID_FORMAT"),
    ],
)
def test_errors_come_with_200_and_without_ids(start_platform, requests, code):
    client = start_platform(bills_per_city=0)
    reply = client.call(PATH, {"idRequests": requests})
    assert [error["code"] for error in reply["Errors"]] == [code]
    assert "idResponses" not in reply


def test_a_rule_makes_the_same_error(start_platform):
    client = start_platform(bills_per_city=0)
    client.rule(service="idgen", effect="errors", times=1)
    assert "Errors" in client.call(PATH, {"idRequests": [request()]})
    assert ids(client, request()) == ["BN-SA/000001"]


def test_a_refused_request_uses_no_number_up(start_platform):
    client = start_platform(bills_per_city=0)
    assert "Errors" in client.call(PATH, {"idRequests": [request(), request("no.such")]})
    assert ids(client, request()) == ["BN-SA/000001"]


def test_numbers_go_on_after_a_restart(start_platform, tmp_path):
    first = start_platform(tmp_path / "state.sqlite3", bills_per_city=0)
    ids(first, request(), request())
    second = start_platform(tmp_path / "state.sqlite3", bills_per_city=0)
    assert ids(second, request()) == ["BN-SA/000003"]
