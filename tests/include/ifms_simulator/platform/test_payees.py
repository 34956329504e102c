import pytest

INDIVIDUAL = "individual/v1/_search"
ORGANISATION = "org-services/organisation/v1/_search"
USER = "user/v1/_search"


@pytest.fixture
def client(start_platform):
    return start_platform(bills_per_city=0)


def payees(client, kind, count, tenant="od.samplea"):
    rows = client.control("bills", {"type": kind, "tenantId": tenant, "count": count})
    return [payee for row in rows for payee in row["payees"]]


def individuals(client, ids, status=200, **query):
    return client.call(INDIVIDUAL, {"Individual": {"id": ids}}, status, **query)


def test_a_search_by_id_is_not_paged(client):
    ids = payees(client, "wage", 12)
    found = individuals(client, ids, tenantId="od.samplea", offset=0, limit=2)["Individual"]
    assert {row["id"] for row in found} == set(ids)
    assert all(len(row["mobileNumber"]) == 10 and row["name"]["givenName"].startswith("Sample") for row in found)
    assert found[0]["address"][0]["ward"]["code"]
    assert found[0]["address"][0]["locality"]["code"]
    assert individuals(client, ids, tenantId="od", offset=0, limit=2)["Individual"] == []
    whole = client.call(INDIVIDUAL, {"Individual": {}}, tenantId="od.samplea", offset=1, limit=5)["Individual"]
    assert len(whole) == 5


@pytest.mark.parametrize(
    "query",
    [{}, {"tenantId": "od.samplea", "limit": 1}, {"offset": 0, "limit": 1}, {"tenantId": "od.samplea", "offset": 0}],
)
def test_all_query_parameters_are_needed(client, query):
    assert individuals(client, [], 400, **query)["Errors"][0]["code"] == "MissingServletRequestParameterException"


def test_the_limit_goes_to_a_thousand(client):
    assert individuals(client, ["x"], tenantId="od.samplea", offset=0, limit=1000)["Individual"] == []
    refused = individuals(client, ["x"], 400, tenantId="od.samplea", offset=0, limit=1001)
    assert refused["Errors"][0]["code"] == "LIMIT"


def test_organisations_page_by_their_own_spelling(client):
    ids = payees(client, "purchase", 12)
    criteria = {"tenantId": "od.samplea", "id": ids}
    assert len(client.call(ORGANISATION, {"SearchCriteria": criteria})["organisations"]) == 12
    ten = client.call(ORGANISATION, {"SearchCriteria": criteria, "Pagination": {"offSet": 5}})
    assert len(ten["organisations"]) == 10
    assert ten["TotalCount"] == 12
    rest = client.call(ORGANISATION, {"SearchCriteria": criteria, "Pagination": {"limit": 500, "offset": 10}})
    assert len(rest["organisations"]) == 2
    row = rest["organisations"][0]
    assert len(row["contactDetails"][0]["contactMobileNumber"]) == 10
    assert set(row["orgAddress"][0]) == {"boundaryCode", "city"}
    mobile = row["contactDetails"][0]["contactMobileNumber"]
    found = client.call(ORGANISATION, {"SearchCriteria": {"contactMobileNumber": mobile}})["organisations"]
    assert [each["id"] for each in found] == [row["id"]]


def test_an_organisation_search_needs_its_criteria(client):
    assert client.codes(ORGANISATION, {"SearchCriteria": {"id": ["x"]}}) == ["TENANT_ID"]
    assert client.codes(ORGANISATION, {"searchCriteria": {"tenantId": "od"}}) == ["ORGANISATION"]


def test_the_system_user_holds_its_roles(client):
    body = {"requestInfo": {}, "tenantId": "od", "userName": "IFMS_CRONJOB", "pageSize": "1"}
    user = client.post(USER, body, info=False).json()["user"][0]
    assert user["uuid"]
    assert "BILL_ACCOUNTANT" in {role["code"] for role in user["roles"]}
    client.control("settings", {"system_user_roles": ["SYSTEM"]})
    user = client.post(USER, body, info=False).json()["user"][0]
    assert [role["code"] for role in user["roles"]] == ["SYSTEM"]
    assert client.post(USER, {**body, "userName": "NOBODY"}, info=False).json()["user"] == []


def test_a_token_is_somebodys_or_nobodys(client):
    roles = [{"code": "BILL_CREATOR", "name": "Creator", "tenantId": "od.samplea"}]
    client.control("settings", {"user_tokens": {"t-1": {"uuid": "u-1", "userName": "sample-clerk", "roles": roles}}})
    user = client.post("user/_details?access_token=t-1", {}).json()
    assert (user["uuid"], user["userName"], user["active"], user["roles"]) == ("u-1", "sample-clerk", True, roles)
    for query in ("?access_token=t-2", "?access_token=", ""):
        refused = client.post(f"user/_details{query}", {})
        assert refused.status_code == 401
        assert refused.json()["Errors"][0]["code"] == "InvalidAccessTokenException"
