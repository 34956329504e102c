from __future__ import annotations

import base64
import json
import os
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from airflow.sdk import Connection
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from support.databases import LOGINS

from ifms.errors import ConfigurationError
from ifms.sealing import Sealer, key_fingerprint
from ifms.treasury.client import TreasuryClient
from ifms.treasury.config import TreasuryConfig
from ifms.treasury.outcome import Exchange
from ifms.wire.crypto import aes_encrypt
from ifms_airflow.hooks import treasury as module
from ifms_airflow.hooks.treasury import TreasuryHook

LOG_KEY = base64.b64encode(bytes(range(32))).decode()
OLD_KEYS = [base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2)]
SECRET = "sample-client-secret"
OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def public_key(private_key: rsa.RSAPrivateKey) -> str:
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(private_key.public_key().public_bytes(*form)).decode()


@pytest.fixture
def connect(monkeypatch, public_key):
    """Set a connection as an operator would, in the environment, and give a hook on it."""

    def made(conn_id: str = "ifms_treasury", extra: dict | None = None, hook: dict | None = None, **fields):
        connection = {
            "conn_type": "ifms_treasury",
            "host": "https://treasury.example/",
            "login": "sample-client",
            "password": SECRET,
            "extra": {"public_key": public_key, "log_key": LOG_KEY, **(extra or {})},
            **fields,
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        return TreasuryHook(conn_id, **(hook or {}))

    return made


@pytest.fixture
def masked(monkeypatch) -> list[str]:
    heard: list[str] = []
    monkeypatch.setattr(module, "mask_secret", heard.append)
    return heard


def test_the_class_names_its_connection():
    assert TreasuryHook.conn_name_attr == "treasury_conn_id"
    assert TreasuryHook.default_conn_name == TreasuryHook.conn_type == "ifms_treasury"
    assert TreasuryHook.hook_name == "IFMS treasury (JIT)"
    assert TreasuryHook().treasury_conn_id == "ifms_treasury"


def test_a_short_connection_has_the_defaults(connect, public_key):
    config = connect().get_config()
    assert config == TreasuryConfig(
        base_url="https://treasury.example",
        client_id="sample-client",
        client_secret=SECRET,
        public_key=public_key,
        log_key=LOG_KEY,
    )


def test_every_field_of_the_connection_is_read(connect, tmp_path):
    bundle = tmp_path / "bundle.pem"
    bundle.touch()
    extra = {
        "legacy_log_secret": "sample-16-bytes!",
        "old_log_keys": f"{OLD_KEYS[0]}, {OLD_KEYS[1]}",
        "ext_app_name": "SAMPLE",
        "department_code": "DEPT",
        "purpose": "PURPOSE",
        "correction_list_key": "beneficiaryDtls",
        "timeout_seconds": "12.5",
        "connect_timeout_seconds": 3,
        "max_concurrency": "32",
        "calls_per_second": "2.5",
        "use_earlier_years": True,
        "correction_days": "60",
        "correction_last_day": "05-15",
        "max_reply_bytes": 1_000_000,
        "ca_bundle": str(bundle),
        "authenticate_path": "/login",
        "service_path": "/service",
    }
    config = connect(extra=extra).get_config()
    read = {name: getattr(config, name) for name in extra}
    assert read == extra | {
        "old_log_keys": tuple(OLD_KEYS),
        "timeout_seconds": 12.5,
        "max_concurrency": 32,
        "correction_days": 60,
        "calls_per_second": 2.5,
    }


@pytest.mark.parametrize(
    ("given", "read"), [(True, True), (False, False), ("true", True), ("False", False), ("", False)]
)
def test_a_switch_is_read(connect, given, read):
    assert connect(extra={"use_earlier_years": given}).get_config().use_earlier_years is read


def test_empty_fields_of_the_form_mean_the_default(connect):
    empty = {
        "purpose": "",
        "timeout_seconds": "",
        "max_concurrency": None,
        "ca_bundle": "",
        "old_log_keys": "",
        "calls_per_second": "",
    }
    config = connect(extra=empty).get_config()
    assert (config.purpose, config.timeout_seconds, config.max_concurrency) == ("MUKTA", 30, 16)
    assert (config.ca_bundle, config.old_log_keys, config.calls_per_second) == (None, (), None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"host": ""}, "base_url"),
        ({"host": "treasury.example"}, "base_url"),
        ({"host": "http://treasury.example"}, "https is needed"),
        ({"host": f"https://sample:{SECRET}@treasury.example"}, "credentials"),
        ({"host": "https://treasury.example:443", "port": 8443}, "names port 443 and the port field 8443"),
        ({"port": 99999}, "base_url"),
        ({"login": None}, "client_id"),
        ({"password": None}, "client_secret"),
        ({"extra": {"public_key": " "}}, "public_key is missing"),
        ({"extra": {"public_key": 5}}, "public_key in extra must be a text"),
        ({"extra": {"log_key": "c2hvcnQ="}}, "log key"),
        ({"extra": {"use_earlier_years": "perhaps"}}, "use_earlier_years in extra must be true or false"),
        ({"extra": {"use_earlier_years": 1}}, "use_earlier_years in extra must be true or false"),
        ({"extra": {"correction_last_day": "April"}}, "correction_last_day must be a day"),
        ({"extra": {"timeout_seconds": "soon"}}, "timeout_seconds in extra must be a number"),
        ({"extra": {"timeout_seconds": True}}, "timeout_seconds in extra must be a number"),
        ({"extra": {"max_concurrency": "1.5"}}, "max_concurrency in extra must be a number"),
        ({"extra": {"calls_per_second": "0"}}, "calls_per_second must be a number from 0.1 to 1000"),
        ({"extra": {"correction_list_key": "other"}}, "correction_list_key"),
    ],
)
def test_a_bad_field_names_the_connection_and_no_secret(connect, change, said):
    with pytest.raises(ConfigurationError, match=said) as caught:
        connect("sample_treasury", **change).get_config()
    assert str(caught.value).startswith("connection 'sample_treasury': ")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("port", "address"),
    [(None, "https://treasury.example"), (0, "https://treasury.example"), (8443, "https://treasury.example:8443")],
)
def test_the_port_may_have_its_own_field(connect, port, address):
    assert connect(host="https://treasury.example", port=port).get_config().base_url == address


def test_every_secret_is_masked_in_every_form(connect, masked):
    connect(extra={"legacy_log_secret": "sample-16-bytes!", "old_log_keys": " ".join(OLD_KEYS)}).get_config()
    for secret in (SECRET, LOG_KEY, "sample-16-bytes!", *OLD_KEYS):
        assert {secret, base64.b64encode(secret.encode()).decode(), secret.encode().hex()} <= set(masked)
    assert bytes(range(32)).hex() in masked
    assert "" not in masked


def test_keys_are_taken_as_people_paste_them(connect, private_key, masked):
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    pem = private_key.public_key().public_bytes(*form).decode().replace("\n", "\\n")
    key = bytes([1, 2, 3] + [0xFB, 0xFF, 0xFE] * 9 + [4, 5])
    pasted = base64.urlsafe_b64encode(key).decode().rstrip("=")
    hook = connect(extra={"public_key": f'"{pem}"', "log_key": f"'{pasted}'\n", "old_log_keys": "\\n".join(OLD_KEYS)})
    usual = Sealer(key, old_keys={key_fingerprint(old): old for old in map(base64.b64decode, OLD_KEYS)})
    assert usual.open(hook.sealer.seal(b"sample")) == b"sample"
    assert hook.sealer.open(Sealer(base64.b64decode(OLD_KEYS[1])).seal(b"older")) == b"older"
    assert {base64.b64encode(key).decode(), key.hex(), *OLD_KEYS} <= set(masked)


def test_secrets_are_masked_even_if_the_connection_is_wrong(connect, masked):
    with pytest.raises(ConfigurationError):
        connect(extra={"timeout_seconds": "soon"}).get_config()
    assert SECRET in masked


def test_no_secret_in_the_hooks_repr_or_log(connect, caplog):
    caplog.set_level("DEBUG")
    hook = connect()
    hook.get_conn()
    shown = repr(hook) + repr(hook.get_config()) + repr(hook.get_conn()) + repr(hook.sealer) + caplog.text
    assert not [secret for secret in (SECRET, LOG_KEY) if secret in shown]


def test_the_client_is_made_once_and_sends_nothing(connect):
    hook = connect()
    client = hook.get_conn()
    assert isinstance(client, TreasuryClient)
    assert hook.get_conn() is client
    assert client.config is hook.get_config()
    assert client.logins == 0


def test_the_sealer_seals_under_the_log_key_and_opens_under_old_ones(connect):
    old = connect(extra={"log_key": OLD_KEYS[0]}).sealer.seal(b"sample")
    hook = connect(extra={"old_log_keys": OLD_KEYS[0]})
    assert hook.sealer.open(old) == b"sample"
    assert hook.sealer is hook.sealer


def test_without_a_log_key_there_is_no_sealer(connect):
    hook = connect(extra={"log_key": ""})
    assert hook.get_config().log_key is None
    with pytest.raises(ConfigurationError, match="'ifms_treasury': log_key is missing"):
        _ = hook.sealer


# The Test button ------------------------------------------------------------------------------------------------------


@pytest.fixture
def login_server(private_key) -> Iterator[ThreadingHTTPServer]:
    """Answers logins with the status in `server.status`, and with a session when that is 200."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.server.headers_seen.append(dict(self.headers))
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            app_key = private_key.decrypt(base64.b64decode(body["appKey"]), OAEP)
            sek = base64.b64encode(aes_encrypt(app_key, os.urandom(32))).decode()
            reply = json.dumps({"authToken": "sample-token", "sek": sek}).encode()
            self.send_response(self.server.status)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.status, server.headers_seen = 200, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_the_test_button_logs_in(connect, login_server):
    heard: list[Exchange] = []
    host = f"http://127.0.0.1:{login_server.server_address[1]}"
    hook = connect(host=host, hook={"on_exchange": heard.append})
    assert hook.test_connection() == (True, f"Logged in at {host} as sample-client")
    assert login_server.headers_seen[0]["clientSecret"] == SECRET
    assert [exchange.outcome for exchange in heard] == ["answered"]


def test_airflows_own_way_to_the_test_button(connect, login_server):
    connect(host=f"http://127.0.0.1:{login_server.server_address[1]}")
    hook = TreasuryHook(**{TreasuryHook.conn_name_attr: Connection.get("ifms_treasury").conn_id})
    assert hook.test_connection()[0]


@pytest.mark.parametrize(("status", "said"), [(401, "refuses the login with HTTP 401"), (503, "HTTP 503")])
def test_the_test_button_says_what_is_wrong(connect, login_server, status, said):
    login_server.status = status
    good, message = connect(host=f"http://127.0.0.1:{login_server.server_address[1]}").test_connection()
    assert not good
    assert said in message
    assert SECRET not in message
    assert len(login_server.headers_seen) == 1


def test_the_test_button_on_nothing(connect):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    good, message = connect(host=f"http://127.0.0.1:{port}").test_connection()
    assert not good
    assert "refused" in message
    assert f"127.0.0.1:{port}" in message
    assert SECRET not in message


def test_the_test_button_on_a_bad_connection(connect):
    assert connect(host="").test_connection() == (
        False,
        "connection 'ifms_treasury': base_url is not an address like https://host:port",
    )


# Frames ---------------------------------------------------------------------------------------------------------------

LONG_AGO = datetime(2020, 4, 1, tzinfo=UTC)
few = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})


def types(frame):
    return {name: str(dtype) for name, dtype in frame.dtypes.items()}


@few
def test_what_the_treasury_tells_are_frames_of_known_types_and_no_money_moves(adapter, treasury, airflow_connections):
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    accepted, calls = treasury.accepted, treasury.state["calls"]
    [pi] = adapter.rows("SELECT pi_number, net_amount FROM ifms.payment_instruction")
    marks = adapter.rows("SELECT hoa_code, ddo_code, grantee_code FROM ifms.va_watermark")
    hook = TreasuryHook()
    allotments = hook.allotments_df([tuple(mark.values()) for mark in marks], LONG_AGO)
    assert len(allotments) == len(adapter.rows("SELECT id FROM ifms.allotment"))
    assert str(allotments["transaction_date"].dtype) == "datetime64[s]"
    assert sum(allotments["transaction_amount"]) == adapter.rows("SELECT sum(amount) FROM ifms.allotment")[0]["sum"]
    told = hook.payment_instruction_status_df([pi["pi_number"]])
    assert told[["pi_number", "state", "net_amount"]].to_numpy().tolist() == [
        [pi["pi_number"], "APPROVED", pi["net_amount"]]
    ]
    assert types(hook.allotments_df([], LONG_AGO)) == types(allotments)
    assert types(hook.payment_instruction_status_df([])) == types(told)
    assert treasury.accepted == accepted
    more = {service for service, times in treasury.state["calls"].items() if times != calls.get(service)}
    assert more - {"AUTH"} == {"VA", "PIS"}


@few
def test_a_login_that_may_not_log_calls_makes_none(adapter, treasury, airflow_connections, monkeypatch):
    described = json.loads(os.environ["AIRFLOW_CONN_IFMS_DB"])
    described["login"] = LOGINS["ifms_read"]
    monkeypatch.setenv("AIRFLOW_CONN_READER", json.dumps(described))
    for ask in (
        lambda hook: hook.allotments_df([("a", "b", "c")], LONG_AGO),
        lambda hook: hook.payment_instruction_status_df(["PI-SA/1"]),
    ):
        with pytest.raises(ConfigurationError, match="'reader': its login may not log calls"):
            ask(TreasuryHook(ledger_conn_id="reader"))
    assert treasury.state["calls"] == {}
