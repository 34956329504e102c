import pytest

from ifms.errors import ConfigurationError
from ifms.platform.config import DEFAULT_PATHS, PlatformConfig


def test_paths_are_those_of_the_contract():
    assert PlatformConfig("http://digit.test/").url("payment_update") == "http://digit.test/expense/payment/v1/_update"
    assert PlatformConfig("http://h/prefix").url("bill_search") == "http://h/prefix/expense/bill/v1/_search"


@pytest.mark.parametrize(
    ("override", "url"),
    [
        ("http://expense:8080/other/_search", "http://expense:8080/other/_search"),
        ("http://expense:8080", "http://expense:8080/expense/bill/v1/_search"),
        ("http://expense:8080/", "http://expense:8080/expense/bill/v1/_search"),
        ("/expense/v2/_search", "http://digit.test/expense/v2/_search"),
    ],
)
def test_a_service_can_be_elsewhere(override, url):
    config = PlatformConfig("http://digit.test", services={"bill_search": override})
    assert config.url("bill_search") == url
    assert config.url("user_search") == "http://digit.test/" + DEFAULT_PATHS["user_search"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "digit.test",
        "ftp://digit.test",
        "http://",
        "http://u:secret@digit.test",
        "http://h:x",
        "http://h?a=1",
        "http://h /",
        "http://169.254.169.254",
        "https://[fe80::1]",
        "http://[::ffff:169.254.169.254]:80",
        "http://0.0.0.0:8080",
        "http://[::]",
        "http://224.0.0.1",
    ],
)
def test_a_base_url_that_cannot_work_is_refused_without_being_quoted(url):
    with pytest.raises(ConfigurationError) as caught:
        PlatformConfig(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"timeout_seconds": 0},
        {"timeout_seconds": float("nan")},
        {"bill_page_size": 0},
        {"bill_page_size": 201},
        {"state_tenant": ""},
        {"system_user": " X"},
        {"locale": 5},
        {"services": {"bills": "x"}},
        {"services": {"bill_search": ""}},
        {"services": {"bill_search": 5}},
        {"services": ["bill_search"]},
        {"services": {"bill_search": "http://u:p@h/x"}},
        {"services": {"bill_search": "http://169.254.169.254/latest"}},
    ],
)
def test_other_values_are_checked(change):
    with pytest.raises(ConfigurationError):
        PlatformConfig("http://digit.test", **change)


def test_the_token_is_not_in_the_repr():
    assert "s3cret" not in repr(PlatformConfig("http://digit.test", auth_token="s3cret"))


def test_it_does_not_change_with_the_mapping_it_was_made_from():
    services = {"bill_search": "a"}
    config = PlatformConfig("http://digit.test", services=services)
    services["bill_search"] = "b"
    assert config.url("bill_search").endswith("/a")


def test_a_city_may_have_a_locale_of_its_own():
    config = PlatformConfig("http://digit.test", city_locales={"od.samplea": "or_IN"})
    assert (config.locale_of("od.samplea"), config.locale_of("od.sampleb")) == ("or_IN", "en_IN")
    for given in (["or_IN"], {"od.samplea": 7}, {"od.samplea": "or_IN&tenantId=x"}):
        with pytest.raises(ConfigurationError, match="city_locales"):
            PlatformConfig("http://digit.test", city_locales=given)


def test_the_hosts_of_plain_http_are_named_those_of_single_services_too():
    services = {"bill_search": "http://Expense:8080", "decrypt": "https://enc", "user_search": "user/v2/_search"}
    assert PlatformConfig("https://digit.test", services=services).http_hosts == {"expense"}
    assert PlatformConfig("http://digit.test").http_hosts == {"digit.test"}
