"""Who may be spoken to: what the environment names, however a connection spells it, and this machine."""

from __future__ import annotations

import pytest

from ifms import hosts
from ifms.errors import ConfigurationError, HostNotAllowedError
from ifms.hosts import Address


@pytest.fixture
def allow(monkeypatch):
    def set_to(text: str, plain_http: str = "") -> None:
        monkeypatch.setenv(hosts.ALLOWED, text)
        monkeypatch.setenv(hosts.PLAIN_HTTP, plain_http)

    set_to("")
    return set_to


@pytest.mark.parametrize(
    "url",
    [
        "https://treasury.example",
        "https://TREASURY.example./jit",
        "https://treasury.example:443/x",
        "https://10.1.2.3",
        "https://[::ffff:10.1.2.3]",
        "https://[2001:DB8:0::1]:8443",
    ],
)
def test_a_named_host_may_be_spoken_to_however_it_is_spelt(allow, url):
    allow("treasury.example, 10.1.2.3 [2001:db8::1]:8443")
    hosts.check_allowed([Address.of_url(url)])


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example",
        "https://treasury.example.elsewhere.example",
        "https://xtreasury.example",
        "https://other.treasury.example",
        "https://treasury.example:8443",
        "https://treasury.example\\.elsewhere.example",
        "http://treasury.example",
        "https://10.1.2.4",
        "https://2130706433",
        "https://127.1",
        "https://x.localhost",
    ],
)
def test_another_is_refused_and_the_setting_named(allow, url):
    allow("treasury.example:443")
    with pytest.raises(HostNotAllowedError, match="IFMS_ALLOWED_HOSTS"):
        hosts.check_allowed([Address.of("treasury.example", 443), Address.of_url(url)])


def test_unset_it_names_nobody_but_this_machine(allow):
    hosts.check_allowed(map(Address.of_url, ["http://127.0.0.1:8091", "http://localhost:1", "https://[::1]:2"]))
    with pytest.raises(HostNotAllowedError, match=r"treasury\.example:443 is no host"):
        hosts.check_allowed([Address.of_url("https://treasury.example")])


def test_a_host_that_may_have_plain_http_is_named_by_that(allow):
    allow("", plain_http="Digit")
    hosts.check_plain_http(["digit"])
    hosts.check_allowed([Address.of_url("http://digit:8080")])
    with pytest.raises(HostNotAllowedError, match="by plain http, .*IFMS_PLATFORM_HTTP_HOSTS"):
        hosts.check_plain_http(["digit.elsewhere.example"])


@pytest.mark.parametrize("entry", ["https://x.example", "x.example/jit", "x.example:0", "x.example:99999", "*:*:*"])
def test_a_list_that_can_not_be_read_is_named(allow, entry):
    allow(entry)
    with pytest.raises(ConfigurationError, match="IFMS_ALLOWED_HOSTS: .* is not like host"):
        hosts.check_allowed([])
