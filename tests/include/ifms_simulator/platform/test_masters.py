import pytest

PATH = "egov-mdms-service/v1/_search"
ACTIVE = "$.*.[?(@.active==true)]"


def search(client, tenant, module, *names, status=200, path=PATH, **filters):
    masters = [{"name": name, **filters} for name in names]
    criteria = {"tenantId": tenant, "moduleDetails": [{"moduleName": module, "masterDetails": masters}]}
    reply = client.call(path, {"MdmsCriteria": criteria}, status)
    return reply["MdmsRes"].get(module, {}) if status == 200 else reply


@pytest.fixture
def client(start_platform):
    return start_platform(bills_per_city=0)


def test_heads_of_account_have_a_sequence_and_a_number_for_a_scheme(client):
    for tenant in ("od", "od.samplea"):  # a city falls back to its state
        heads = search(client, tenant, "ifms", "HeadOfAccounts")["HeadOfAccounts"]
        assert sorted(head["sequence"] for head in heads) == [1, 2, 3]
        assert {len(head["code"]) for head in heads} == {27}
        assert {type(head["schemeCode"]) for head in heads} == {int}
    scheme = search(client, "od", "ifms", "SchemeDetails")["SchemeDetails"][0]
    assert scheme["schemeCode"] == str(heads[0]["schemeCode"])


def test_the_active_filter(client):
    whole = search(client, "od.sampleb", "ifms", "SSUDetails")["SSUDetails"]
    assert [row["active"] for row in whole] == [True, False]
    assert search(client, "od.sampleb", "ifms", "SSUDetails", filter=ACTIVE)["SSUDetails"] == whole[:1]
    by_code = "[?(@.code=='LC')]"
    assert len(search(client, "od", "expense", "HeadCodes", filter=by_code)["HeadCodes"]) == 2
    refused = search(client, "od", "ifms", "SchemeDetails", filter="$..x", status=400)
    assert refused["Errors"][0]["code"] == "INVALID_FILTER"


def test_an_unknown_master_is_absent(client):
    assert search(client, "od", "ifms", "NoSuch") == {}
    assert set(search(client, "od", "ifms", "NoSuch", "SchemeDetails")) == {"SchemeDetails"}


def test_tenants_are_the_state_and_its_cities(client):
    tenants = search(client, "od", "tenant", "tenants")["tenants"]
    assert [(row["code"], row["city"]["code"]) for row in tenants] == [
        ("od", "0"),
        ("od.samplea", "SA"),
        ("od.sampleb", "SB"),
    ]


def test_the_newer_host_serves_the_same_call(client):
    assert search(client, "od", "ifms", "SchemeDetails", path="mdms-v2/v1/_search")["SchemeDetails"]


def test_a_master_can_be_replaced_for_good(start_platform, tmp_path):
    first = start_platform(tmp_path / "state.sqlite3", bills_per_city=0)
    first.control("masters", {"tenantId": "od.samplea", "module": "ifms", "name": "SSUDetails", "data": []})
    second = start_platform(tmp_path / "state.sqlite3", bills_per_city=0)
    for client in (first, second):
        assert search(client, "od.samplea", "ifms", "SSUDetails") == {"SSUDetails": []}


def test_message_texts(client):
    path, query = "localization/messages/v1/_search", {"tenantId": "od", "module": "rainmaker-ifms", "locale": "en_IN"}
    texts = {row["code"]: row["message"] for row in client.call(path, {}, **query)["messages"]}
    assert set(texts) == {"JIT_PAYMENT_SUCCESSFUL", "JIT_PAYMENT_FAILED"}
    assert all("{amount}" in text and "{UTRNO}" in text for text in texts.values())
    assert client.call(path, {}, **{**query, "locale": "hi_IN"})["messages"] == []
    assert client.codes(path, {}, tenantId="od") == ["MISSING_PARAM"]


def test_message_texts_can_be_replaced_for_good(start_platform, tmp_path):
    path, query = "localization/messages/v1/_search", {"tenantId": "od", "module": "rainmaker-ifms"}
    first = start_platform(tmp_path / "state.sqlite3", bills_per_city=0)
    first.control("messages", {"module": "rainmaker-ifms", "locale": "or_IN", "texts": {"A": "B"}})
    first.control("messages", {"module": "rainmaker-ifms", "locale": "en_IN", "texts": {}})
    second = start_platform(tmp_path / "state.sqlite3", bills_per_city=0)
    for client in (first, second):
        assert client.call(path, {}, **query, locale="or_IN")["messages"] == [
            {"code": "A", "message": "B", "module": "rainmaker-ifms", "locale": "or_IN"}
        ]
        assert client.call(path, {}, **query, locale="en_IN")["messages"] == []


@pytest.mark.parametrize("cities", [0, 28])
def test_there_are_27_cities(start_platform, cities):
    with pytest.raises(ValueError, match="between 1 and 27"):
        start_platform(cities=cities)
