"""No connection leads to a host that the environment does not name, by whatever field it tries."""

from __future__ import annotations

import base64
import json

import pytest
from support.simulators import LOG_KEY

from ifms.errors import ConfigurationError, HostNotAllowedError

pytestmark = pytest.mark.airflow

OURS, THEIRS = "ours.example", "elsewhere.example"


@pytest.fixture
def connect(monkeypatch, airflow_db):
    monkeypatch.setenv("IFMS_ALLOWED_HOSTS", OURS)
    monkeypatch.setenv("IFMS_PLATFORM_HTTP_HOSTS", "")

    def made(name: str, **fields):
        monkeypatch.setenv(f"AIRFLOW_CONN_IFMS_{name.upper()}", json.dumps(fields))

    return made


def treasury(connect, public_key, **fields):
    from ifms_airflow.hooks import TreasuryHook

    extra = {"public_key": public_key, "log_key": LOG_KEY, **fields.pop("extra", {})}
    connect("treasury", conn_type="ifms_treasury", login="sample", password="sample-secret", extra=extra, **fields)
    return TreasuryHook()


@pytest.fixture(scope="module")
def public_key():
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(key.public_bytes(*form)).decode()


def test_the_treasury_is_who_the_environment_says(connect, public_key):
    treasury(connect, public_key, host=f"https://{OURS}").get_conn().close()
    for fields in ({"host": f"https://{THEIRS}"}, {"host": f"https://{THEIRS}", "extra": {"base_url": OURS}}):
        hook = treasury(connect, public_key, **fields)
        with pytest.raises(HostNotAllowedError, match=r"connection 'ifms_treasury': .*IFMS_ALLOWED_HOSTS"):
            hook.get_conn()
        assert hook.test_connection()[0] is False
    # What else is in the connection leads nowhere else.
    hook = treasury(connect, public_key, host=f"https://{OURS}", extra={"base_url": THEIRS, "proxy": THEIRS})
    assert hook.get_config().service_url.startswith(f"https://{OURS}/")
    for path in (f"//{THEIRS}/x", f"@{THEIRS}/x", f"https://{THEIRS}/x"):
        with pytest.raises(ConfigurationError, match="service_path must be a path"):
            treasury(connect, public_key, host=f"https://{OURS}", extra={"service_path": path}).get_conn()


def test_a_change_of_the_connection_during_a_sweep_is_looked_at_too(connect, public_key):
    hook = treasury(connect, public_key, host=f"https://{OURS}")
    client = hook.get_conn()
    treasury(connect, public_key, host=f"https://{THEIRS}")
    with pytest.raises(HostNotAllowedError):
        client._renewed()


@pytest.mark.parametrize(
    ("host", "services"),
    [
        (f"https://{THEIRS}", {}),
        (f"https://{OURS}", {"bank_account_search": f"https://{THEIRS}/bankaccount/v1/_search"}),
        (f"https://{OURS}", {"user_search": f"https://{THEIRS}"}),
    ],
)
def test_no_service_of_the_platform_is_elsewhere(connect, host, services):
    from ifms_airflow.hooks import PlatformHook

    connect("platform", conn_type="ifms_platform", host=host, extra={"services": services, "base_url": THEIRS})
    with pytest.raises(HostNotAllowedError, match=r"connection ifms_platform: .*IFMS_ALLOWED_HOSTS"):
        PlatformHook().get_conn()
    worked, said = PlatformHook().test_connection()
    assert not worked
    assert "IFMS_ALLOWED_HOSTS" in said


@pytest.mark.parametrize("path", [f"//{THEIRS}/x", f"@{THEIRS}/x", f"\\\\{THEIRS}\\x"])
def test_a_path_of_the_platform_is_a_path(connect, path):
    from urllib3.util import parse_url

    from ifms_airflow.hooks import PlatformHook

    connect("platform", conn_type="ifms_platform", host=f"https://{OURS}", extra={"services": {"user_search": path}})
    assert parse_url(PlatformHook().get_config().url("user_search")).host == OURS


def test_elasticsearch_is_who_the_environment_says(connect):
    from ifms_airflow.hooks import CallLogHook

    connect("elasticsearch", conn_type="elasticsearch", host=OURS)
    CallLogHook().get_conn().close()
    for host in (THEIRS, f"{OURS}@{THEIRS}", f"{THEIRS}/{OURS}", f"{THEIRS}:9200/?{OURS}"):
        connect("elasticsearch", conn_type="elasticsearch", host=host)
        with pytest.raises(HostNotAllowedError, match="IFMS_ALLOWED_HOSTS"):
            CallLogHook().get_conn()
    for extra in ({"hosts": [f"https://{THEIRS}"]}, {"cloud_id": "x:ZWxzZXdoZXJlLmV4YW1wbGUkYWJj"}, {"host": THEIRS}):
        connect("elasticsearch", conn_type="elasticsearch", host=OURS, extra=extra)
        with pytest.raises(ConfigurationError):
            CallLogHook().get_conn()


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ({"bootstrap.servers": f"{OURS}:9092,{THEIRS}:9092"}, "IFMS_ALLOWED_HOSTS"),
        ({"bootstrap.servers": f"SASL_SSL://{THEIRS}:9092"}, "IFMS_ALLOWED_HOSTS"),
        ({"bootstrap.servers": f"{OURS}:9092", "metadata.broker.list": THEIRS}, "IFMS_ALLOWED_HOSTS"),
        (
            {"bootstrap.servers": OURS, "sasl.oauthbearer.token.endpoint.url": f"https://{THEIRS}/token"},
            "IFMS_ALLOWED_HOSTS",
        ),
        ({"bootstrap.servers": OURS, "plugin.library.paths": "sample"}, "would run"),
    ],
)
def test_kafka_is_who_the_environment_says(connect, extra, why):
    from ifms_airflow.hooks import NotificationHook
    from ifms_airflow.hooks.kafka import ListenerHook

    connect("kafka", conn_type="kafka", extra={"group.id": "sample", **extra})
    with pytest.raises(ConfigurationError, match=rf"connection 'ifms_kafka': .*{why}"):
        NotificationHook().get_conn()
    with pytest.raises(ConfigurationError, match=why):
        ListenerHook(["sample"], "ifms_kafka").get_consumer()
    connect("kafka", conn_type="kafka", extra={"bootstrap.servers": f"SSL://{OURS}:9092, {OURS}"})
    NotificationHook().get_conn().close()


@pytest.mark.parametrize(
    "fields",
    [
        {"host": THEIRS},
        {"host": f"{OURS},{THEIRS}"},
        {"host": OURS, "extra": {"hostaddr": "192.0.2.1"}},
        {"host": OURS, "extra": {"host": THEIRS}},
        {"host": f"{OURS},{OURS},{OURS}", "extra": {"port": "5432,5433"}},
        {"host": "127.0.0.1", "extra": {"dsn": f"hostaddr=192.0.2.1 host={THEIRS}"}},
        {"host": OURS, "extra": {"conninfo": f"host={THEIRS}"}},
        {"host": "", "extra": {"service": "sample"}},
    ],
)
def test_the_ledger_is_where_the_environment_says(connect, fields):
    from ifms_airflow.hooks import LedgerHook
    from ifms_airflow.hooks import ledger as module

    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.session, "connect", lambda **options: said.append(options))
        connect("db", conn_type="postgres", login="sample", password="sample-secret", **fields)
        with pytest.raises(ConfigurationError, match="connection 'ifms_db': "):
            LedgerHook().get_conn()
        assert not said
        connect("db", conn_type="postgres", host=OURS, port=6432)
        LedgerHook().get_conn()
        assert [each["host"] for each in said] == [OURS]
