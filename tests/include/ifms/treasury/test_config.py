from __future__ import annotations

import base64
import dataclasses

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ifms.errors import ConfigurationError
from ifms.treasury.config import TreasuryConfig

LOG_KEY = base64.b64encode(b"sample log key of 32 bytes......").decode()
OLD_KEY = base64.b64encode(b"an older log key of 32 bytes....").decode()


@pytest.fixture
def make(public_key):
    def made(**options):
        given = {
            "base_url": "https://treasury.example",
            "client_id": "sample-client",
            "client_secret": "sample-client-secret",
            "public_key": public_key,
            **options,
        }
        return TreasuryConfig(**given)

    return made


def test_the_defaults_are_the_contracts(make):
    config = make()
    assert config.authenticate_url == "https://treasury.example/webservices/jitfs/v1.0/authenticate"
    assert config.service_url == "https://treasury.example/webservices/jitfs/v1.0/get-jit-service-data"
    assert (config.ext_app_name, config.department_code, config.purpose) == ("MUKTA", "MUKTA", "MUKTA")
    assert config.correction_list_key == "beneficiaryDetails"
    assert (config.timeout_seconds, config.connect_timeout_seconds, config.max_concurrency) == (30, 5, 16)


def test_it_is_frozen(make):
    with pytest.raises(dataclasses.FrozenInstanceError):
        make().base_url = "https://other.example"


def test_no_secret_in_repr(make):
    config = make(log_key=LOG_KEY, old_log_keys=(OLD_KEY,), legacy_log_secret="sample-16-bytes!")
    shown = repr(config) + str(config)
    for secret in (config.client_secret, LOG_KEY, OLD_KEY, "sample-16-bytes!", config.public_key):
        assert secret not in shown
    assert "https://treasury.example" in shown


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://treasury.example/", "https://treasury.example"),
        ("https://treasury.example:8443/jit/", "https://treasury.example:8443/jit"),
        (" https://treasury.example ", "https://treasury.example"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://10.1.2.3", "https://10.1.2.3"),
    ],
)
def test_addresses_that_are_taken(make, given, kept):
    assert make(base_url=given).base_url == kept


@pytest.mark.parametrize(
    "url",
    [
        "", "treasury.example", "ftp://treasury.example", "file:///etc/passwd", "https://", "https://:443",
        "http://treasury.example", "http://10.1.2.3", "http://localhost.example", "http://127.0.0.1.example",
        "https://user:sample-secret@treasury.example", "https://sample-secret@treasury.example",
        "https://treasury.example?key=sample-secret", "https://treasury.example/?", "https://treasury.example#x",
        "https://169.254.169.254", "http://169.254.1.1", "https://[fe80::1]", "https://[::ffff:169.254.169.254]",
        "https://0.0.0.0", "https://224.0.0.1", "https://2852039166", "https://0xa9fea9fe", "https://127.1",
        "https://treasury.example:99999", "https://treasury.example:x", "https://[::1", "https://a b.example",
        "https://treasury.example/\u200b", "https://treasury.example/\x00", "https://trea\nsury.example/{x}",
    ],
)  # fmt: skip
def test_addresses_that_are_refused_without_showing_credentials(make, url):
    with pytest.raises(ConfigurationError, match="base_url") as caught:
        make(base_url=url)
    assert "sample-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout_seconds", 0), ("timeout_seconds", -1), ("timeout_seconds", float("nan")), ("timeout_seconds", 301),
        ("timeout_seconds", "30"), ("timeout_seconds", True), ("timeout_seconds", float("inf")),
        ("connect_timeout_seconds", 0), ("connect_timeout_seconds", 61), ("max_concurrency", 0),
        ("max_concurrency", 257), ("max_concurrency", "16"), ("max_reply_bytes", 10), ("max_reply_bytes", 2**40),
        ("client_id", ""), ("client_id", "a b"), ("client_id", "a\r\nx: y"), ("client_secret", ""),
        ("client_secret", "caf\u00e9"), ("public_key", ""), ("public_key", "bm90IGEga2V5"), ("log_key", "short"),
        ("log_key", base64.b64encode(b"x" * 31).decode()), ("legacy_log_secret", "short"), ("ext_app_name", " "),
        ("department_code", ""), ("purpose", ""), ("correction_list_key", "beneficiaries"),
        ("ca_bundle", "/no/such/bundle.pem"), ("authenticate_path", "no-slash"), ("service_path", "//other.example/x"),
        ("service_path", "/../x"), ("service_path", "/x?y"), ("correction_days", 0), ("correction_days", 3651),
        ("correction_days", "90"), ("correction_last_day", ""), ("correction_last_day", "30-04"),
        ("correction_last_day", "4-30"), ("correction_last_day", "04-31"), ("correction_last_day", "02-29"),
        ("correction_last_day", "04-30\n"), ("use_earlier_years", "no"), ("use_earlier_years", 1),
    ],
)  # fmt: skip
def test_a_bad_field_is_named(make, name, value):
    with pytest.raises(ConfigurationError, match=name.replace("_", "[_ ]")):
        make(**{name: value})


@pytest.mark.parametrize("empty", ["", " \n"])
def test_a_missing_public_key_is_said_to_be_missing(make, empty):
    with pytest.raises(ConfigurationError, match="^public_key is missing"):
        make(public_key=empty)


def test_an_old_log_key_that_is_none_is_named(make):
    with pytest.raises(ConfigurationError, match="old log key"):
        make(log_key=LOG_KEY, old_log_keys=("x",))


def test_a_small_or_private_key_is_refused(make):
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(ConfigurationError, match="1024 bits"):
        make(public_key=small.public_key().public_bytes(*form).decode())
