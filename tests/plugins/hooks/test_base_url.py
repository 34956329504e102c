"""A port in the host field, in the port field, in both, or in none."""

from __future__ import annotations

import pytest

from ifms.errors import ConfigurationError
from ifms_airflow.hooks.base_url import base_url


@pytest.mark.parametrize("port", [None, 0])
@pytest.mark.parametrize("host", ["https://treasury.example", "https://treasury.example:8443/jit", "", "nonsense"])
def test_without_a_port_the_host_is_the_address(host: str, port: int | None):
    assert base_url(f" {host} ", port) == host


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("https://treasury.example", "https://treasury.example:8443"),
        ("https://treasury.example/", "https://treasury.example:8443/"),
        ("https://treasury.example/jit", "https://treasury.example:8443/jit"),
        (" https://treasury.example:8443/jit ", "https://treasury.example:8443/jit"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]:8443"),
        ("http://127.0.0.1", "http://127.0.0.1:8443"),
    ],
)
def test_the_port_is_joined_once(host: str, address: str):
    assert base_url(host, 8443) == address


@pytest.mark.parametrize("host", ["https://treasury.example:443", "https://[2001:db8::1]:443/jit"])
def test_two_different_ports_are_a_mistake(host: str):
    with pytest.raises(ConfigurationError, match="names port 443 and the port field 8443"):
        base_url(host, 8443)


def test_a_mistake_shows_no_credentials():
    with pytest.raises(ConfigurationError) as caught:
        base_url("https://sample:sample-secret@treasury.example:443", 8443)
    assert "sample" not in str(caught.value)


@pytest.mark.parametrize("host", [None, "", "treasury.example", "https://treasury.example:port", "https://[1"])
def test_what_is_no_address_is_left_to_the_configuration(host: str | None):
    assert base_url(host, 8443) == (host or "")
