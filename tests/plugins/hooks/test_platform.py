from __future__ import annotations

import json
from decimal import Decimal

import pytest

from ifms.errors import BadInputError, ConfigurationError
from ifms.http import HttpReply, HttpTransport
from ifms.platform.client import PlatformClient
from ifms.platform.models import NewPayment
from ifms.strict_json import encode
from ifms_airflow.hooks import platform as hook_module
from ifms_airflow.hooks.platform import PlatformHook

BASE = "https://digit.test"


@pytest.fixture
def connect(monkeypatch):
    """Define the connection as an operator would, in the environment."""

    def define(host=BASE, conn_id="ifms_platform", port=None, **extra):
        value = {"conn_type": "ifms_platform", "host": host, "port": port, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(value))

    return define


def test_names_that_airflow_goes_by():
    assert PlatformHook.conn_name_attr == "platform_conn_id"
    assert (PlatformHook.default_conn_name, PlatformHook.conn_type) == ("ifms_platform", "ifms_platform")
    assert PlatformHook.hook_name == "IFMS platform (DIGIT)"


def test_an_empty_extra_means_the_defaults(connect):
    connect(auth_token="", locale=None, timeout_seconds=None)
    config = PlatformHook().get_config()
    assert (config.base_url, config.state_tenant, config.system_user) == (BASE, "od", "IFMS_CRONJOB")
    assert (config.auth_token, config.timeout_seconds, config.bill_page_size) == (None, 30, 10)


@pytest.mark.parametrize(("port", "address"), [(None, BASE), (0, BASE), (8443, f"{BASE}:8443")])
def test_the_port_may_have_its_own_field(connect, port, address):
    connect(port=port)
    assert PlatformHook().get_config().base_url == address


def test_two_different_ports_name_the_connection(connect):
    connect(f"{BASE}:80", port=8443)
    worked, text = PlatformHook().test_connection()
    assert not worked
    assert text.startswith("connection ifms_platform: the base URL names port 80 and the port field 8443")


def test_every_field_can_be_set_as_json_or_as_text(connect):
    connect(
        conn_id="other",
        state_tenant="pg",
        system_user="CRON",
        auth_token="token-1",
        timeout_seconds="2.5",
        bill_page_size="20",
        services='{"bill_search": "https://expense:8080"}',
        city_locales='{"od.samplea": "or_IN"}',
        pi_id_name="pi",
        correction_id_name="cor",
        beneficiary_id_name="benf",
        of_a_later_version=True,
    )
    config = PlatformHook("other").get_config()
    assert (config.state_tenant, config.system_user, config.auth_token) == ("pg", "CRON", "token-1")
    assert (config.timeout_seconds, config.bill_page_size) == (2.5, 20)
    assert (config.pi_id_name, config.correction_id_name, config.beneficiary_id_name) == ("pi", "cor", "benf")
    assert config.url("bill_search") == "https://expense:8080/expense/bill/v1/_search"
    assert config.locale_of("od.samplea") == "or_IN"


@pytest.mark.parametrize(
    ("host", "extra"),
    [
        ("", {}),
        ("digit.test", {}),
        (BASE, {"timeout_seconds": "soon"}),
        (BASE, {"bill_page_size": []}),
        (BASE, {"services": "{"}),
        (BASE, {"services": {"nothing": "x"}}),
    ],
)
def test_a_value_that_cannot_work_names_the_connection(connect, host, extra):
    connect(host, **extra)
    with pytest.raises(ConfigurationError, match="connection ifms_platform"):
        PlatformHook().get_config()
    worked, text = PlatformHook().test_connection()
    assert not worked
    assert "connection ifms_platform" in text


@pytest.fixture
def services(monkeypatch):
    """The replies by address, in place of the network; none is called that is not here."""
    replies: dict[str, HttpReply] = {}
    monkeypatch.setattr(HttpTransport, "post", lambda _, url, *__: replies[url.partition("?")[0]])
    return replies


def test_the_client_is_made_once_and_calls_nobody(connect, services):
    connect()
    hook = PlatformHook()
    assert hook.get_conn() is hook.get_conn()


def test_the_token_is_masked_in_task_logs(connect, monkeypatch):
    masked = []
    monkeypatch.setattr(hook_module, "mask_secret", masked.append)
    connect(auth_token="token-1")
    PlatformHook().get_config()
    assert masked == ["token-1"]


def test_the_test_button_says_what_the_platform_answers(connect, services):
    connect()
    users = {"user": [{"uuid": "u", "userName": "IFMS_CRONJOB", "roles": []}]}
    services[f"{BASE}/user/v1/_search"] = HttpReply(200, encode(users))
    tenants = [{"code": "od"}, {"code": "od.demo"}]
    masters = {"MdmsRes": {"tenant": {"tenants": tenants}}}
    services[f"{BASE}/egov-mdms-service/v1/_search"] = HttpReply(200, encode(masters))
    worked, text = PlatformHook().test_connection()
    assert worked
    assert text.startswith("1 cities of od; user IFMS_CRONJOB")


def test_the_test_button_tells_a_refusal(connect, services):
    connect()
    error = {"Errors": [{"code": "TENANT_ID", "message": "no such tenant"}]}
    services[f"{BASE}/user/v1/_search"] = HttpReply(400, encode(error))
    assert PlatformHook().test_connection() == (False, "user_search for od: HTTP 400: TENANT_ID no such tenant")


# Frames ---------------------------------------------------------------------------------------------------------------

TENANT = "od.samplea"
ACCOUNT = "000099990001"


@pytest.fixture
def frames(simulators, monkeypatch):
    """A hook on the simulated platform."""
    described = simulators.connections()["ifms_platform"]
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_PLATFORM", json.dumps(described))
    return PlatformHook()


small = pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 2, "persist_ms": 0})


def types(frame):
    return {name: str(dtype) for name, dtype in frame.dtypes.items()}


@small
def test_bills_and_payments_are_found_as_frames(frames):
    bills = frames.bills_to_pay_df([TENANT, "od.sampleb", TENANT])
    assert bills["tenant_id"].value_counts().to_dict() == {TENANT: 2, "od.sampleb": 2}
    assert all(type(amount) is Decimal for amount in bills["total_amount"])
    assert bills["payment_status"].isna().all()
    assert (bills["payee_count"] >= 1).all()
    mine = bills[bills["tenant_id"] == TENANT]
    again = frames.bills_df(TENANT, list(mine["id"]))
    assert sorted(again["bill_number"]) == sorted(mine["bill_number"])
    assert types(again) == types(bills) == types(frames.bills_df(TENANT, []))
    with PlatformClient(frames.get_config()) as client:
        created = client.create_payment(NewPayment.for_bill(next(iter(client.bills_to_pay(TENANT)))))
    payments = frames.payments_df([TENANT, "od.sampleb"])
    assert payments["payment_number"].tolist() == [created.payment_number]
    assert payments["net_payable_amount"].tolist() == [created.net_payable_amount]
    assert payments["bill_ids"][0] == [bill.bill_id for bill in created.bills]
    assert str(payments["created_at"].dtype) == "datetime64[us, UTC]"
    assert types(frames.payments_df([TENANT], numbers=[])) == types(payments)
    assert len(frames.payments_df([])) == 0
    assert len(frames.bills_to_pay_df([TENANT])) == 1


@small
def test_payees_are_judged_and_their_accounts_not_shown(frames, simulators):
    with PlatformClient(frames.get_config()) as client:
        bills = list(client.bills_to_pay(TENANT))
    ids = [
        detail.payee.identifier
        for bill in bills
        for detail in bill.bill_details
        if detail.payee and detail.payee.type == "INDIVIDUAL"
    ]
    good, bad = list(dict.fromkeys(ids))[:2]
    for payee, number in ((good, ACCOUNT), (bad, "12345")):
        simulators.ask_platform("POST", "accounts", {"tenantId": TENANT, "referenceId": payee, "accountNumber": number})
    payees = frames.payees_df(TENANT, [good, bad, "nobody", good])
    assert payees["payee_id"].tolist() == [good, bad, "nobody"]
    assert payees["payable"].tolist() == [True, False, False]
    assert payees["account_last4"][0] == ACCOUNT[-4:]
    assert payees["account_last4"].isna().tolist() == [False, True, True]
    assert payees["problem"].isna().tolist() == [True, False, False]
    assert "not 9 to 18 digits" in payees["problem"][1]
    shown = payees.to_csv()
    assert ACCOUNT not in shown
    assert "12345" not in shown
    assert types(frames.payees_df(TENANT, [], "ORG")) == types(payees)


def test_a_question_to_the_platform_that_can_not_be_is_refused(connect):
    connect()
    with pytest.raises(BadInputError, match="tenants must be a list"):
        PlatformHook().payments_df("od.samplea")
    with pytest.raises(BadInputError, match="none of IND, ORG, DEPT"):
        PlatformHook().payees_df("od.samplea", ["x"], "PERSON")


@pytest.mark.parametrize(
    ("host", "services"),
    [
        ("http://digit.test", {}),
        ("http://DIGIT.test:80", {}),
        ("http://127.0.0.1:8092", {}),
        (BASE, {"user_search": "http://digit.test/user/v1/_search"}),
    ],
)
def test_plain_http_is_refused_but_for_hosts_that_the_environment_names(connect, monkeypatch, host, services):
    connect(host, services=services)
    for others in ("", "another.test, digit.test.example"):
        monkeypatch.setenv("IFMS_PLATFORM_HTTP_HOSTS", others)
        with pytest.raises(ConfigurationError, match=r"^connection ifms_platform: .* by plain http, .*HTTP_HOSTS"):
            PlatformHook().get_config()
        worked, said = PlatformHook().test_connection()
        assert not worked
        assert "use https" in said
    monkeypatch.setenv("IFMS_PLATFORM_HTTP_HOSTS", "another.test, Digit.test 127.0.0.1")
    assert PlatformHook().get_config().http_hosts <= {"digit.test", "127.0.0.1"}


def test_the_connection_can_not_allow_itself_plain_http(connect, monkeypatch):
    monkeypatch.setenv("IFMS_PLATFORM_HTTP_HOSTS", "")
    connect("http://digit.test", IFMS_PLATFORM_HTTP_HOSTS="digit.test", http_hosts=["digit.test"], hosts="digit.test")
    with pytest.raises(ConfigurationError, match="plain http"):
        PlatformHook().get_config()
