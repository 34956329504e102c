import pytest

from ifms_simulator.platform.envelope import Call, ServiceError, page_of

BILLS = {"billCriteria": {"tenantId": "od.samplea", "isPaymentStatusNull": True}}


@pytest.mark.parametrize(
    ("info", "code"),
    [
        (None, "REQUEST_INFO"),
        ({"msgId": "1|en_IN"}, "USERINFO"),
        ({"msgId": "1|en_IN", "userInfo": {}}, "USERINFO_UUID"),
        ({"userInfo": {"uuid": "u"}}, "ArrayIndexOutOfBoundsException"),
        ({"msgId": "no bar", "userInfo": {"uuid": "u"}}, "ArrayIndexOutOfBoundsException"),
    ],
)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("expense/bill/v1/_search", BILLS),
        ("org-services/organisation/v1/_search", {"SearchCriteria": {"tenantId": "od.samplea"}}),
        ("bankaccount-service/bankaccount/v1/_search", {"bankAccountDetails": {"tenantId": "od.samplea"}}),
    ],
)
def test_request_info_is_needed(start_platform, path, body, info, code):
    client = start_platform(cities=1, bills_per_city=0)
    client.info = info
    assert client.codes(path, body) == [code]


def test_errors_look_like_the_tracers(start_platform):
    client = start_platform(cities=1, bills_per_city=0)
    reply = client.call("expense/bill/v1/_search", {"billCriteria": {"tenantId": "od.samplea"}}, 400)
    assert reply["ResponseInfo"] is None
    assert set(reply["Errors"][0]) == {"code", "message", "description", "params"}
    unhandled = client.call("expense/bill/v1/_search", {"billCriteria": {"tenantId": "x", "ids": "no list"}}, 400)
    assert unhandled["Errors"][0]["message"] == "An unhandled exception occurred on the server"
    assert "ids" in unhandled["Errors"][0]["description"]


def test_response_info_repeats_the_message_id(start_platform):
    client = start_platform(cities=1, bills_per_city=0)
    info = client.call("expense/bill/v1/_search", BILLS, 202)["ResponseInfo"]
    assert (info["msgId"], info["resMsgId"], info["status"]) == ("1|en_IN", "uief87324", "successful")


def test_a_page_is_cut_and_a_foreign_spelling_not_seen():
    assert page_of({"limit": 500, "offSet": 3}, offset_name="offSet", default=100) == (200, 3)
    assert page_of({"limit": 5, "offset": 3}, offset_name="offSet", default=100) == (5, 0)
    assert page_of({}, offset_name="offSet", default=10) == (10, 0)
    assert page_of(None, offset_name="offset", default=10, missing=100) == (100, 0)
    assert page_of({"limit": 500}, offset_name="offSet", default=10, most=None) == (500, 0)


def test_a_call_without_request_info_has_no_user():
    with pytest.raises(ServiceError, match="REQUEST_INFO"):
        _ = Call({}).user
