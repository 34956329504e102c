from __future__ import annotations

import base64
import gzip
import json
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ifms.errors import TreasuryError, TreasuryLoginError, TreasuryUnreachableError
from ifms.treasury.client import MAX_UNPROVED_LOGINS, TreasuryClient
from ifms.treasury.outcome import Answered, Exchange, NeverSent, Rejected, Unknown
from ifms.treasury.transport import Transport
from ifms.wire.crypto import aes_decrypt, aes_encrypt
from ifms.wire.envelope import parse_rows
from ifms.wire.pi import PiRequest
from ifms.wire.pis import PisRequest, PisRow

NO_SESSION = "No valid session encryption key found for the user"
ACCOUNT = "00123456789012"
Config = Callable[..., Any]


def pis(number: int = 1) -> PisRequest:
    return PisRequest(
        jit_bill_no=f"PI-TE/2024-25/{number:06d}",
        jit_bill_date=datetime(2024, 10, 28, 12, tzinfo=UTC),
        ssu_ia_id="1621",
    )


def pi() -> PiRequest:
    return PiRequest(
        jit_bill_no="PI-TE/2024-25/000001",
        jit_bill_date=datetime(2024, 10, 28, 12, tzinfo=UTC),
        jit_bill_ddo_code="OLSHUD001",
        grantee_ag_code="GOHUDULBMPL0036",
        scheme_code="13145",
        hoa="132217058",
        ssu_ia_id="1621",
        mst_allotment_dist_id="928",
        ssu_allotment_id="860",
        allotment_txn_sl_no="0",
        bill_gross_amount="900.00",
        bill_net_amount="900.00",
        purpose="MUKTA",
        beneficiary_details=[
            {
                "benef_id": "BN-TE/000017",
                "benef_name": "Sample Payee 17",
                "benf_acct_no": ACCOUNT,
                "benf_bank_ifsc_code": "SMPL0000001",
                "benf_mobile_no": "9999999999",
                "benf_address": "Ward 1",
                "benf_account_type": "SAVINGS",
                "benf_amount": "900.00",
            }
        ],
    )


@pytest.fixture
def client(config: Config) -> Any:
    with TreasuryClient(config(), login_pauses_seconds=(0.01, 0.01)) as made:
        yield made


# Answers --------------------------------------------------------------------------------------------------------------


def test_an_answer_comes_with_its_rows_and_its_exchange(treasury, client):
    row = {"pmtInstId": "858", "payInstDate": "2023-10-28 11:03:04"}
    treasury.script.append(lambda talk: talk.reply({"serviceId": " PIS", "data": [row], "unknown": 1}))
    outcome = client.call(pis())
    assert isinstance(outcome, Answered)
    assert parse_rows(PisRow, outcome.reply)[0].pmt_inst_id == "858"
    (exchange,) = outcome.exchanges
    assert (exchange.service_id, exchange.bill_number) == ("PIS", "PI-TE/2024-25/000001")
    assert (exchange.outcome, exchange.status_code, exchange.error) == ("answered", 200, None)
    assert exchange.started_at.tzinfo is UTC
    assert 0 <= exchange.duration_ms < 5000


def test_what_is_sent_opens_with_the_keys_of_the_exchange(treasury, client):
    (exchange,) = client.call(pis()).exchanges
    sent = json.loads(exchange.encrypted_request)
    sek, rek = base64.b64decode(exchange.sek), base64.b64decode(exchange.rek)
    assert aes_decrypt(sek, base64.b64decode(sent["rek"])) == rek
    assert aes_decrypt(sek, base64.b64decode(sent["params"])).decode() == exchange.request_plain
    assert json.loads(exchange.request_plain) == treasury.requests[0].request
    assert aes_decrypt(rek, base64.b64decode(exchange.encrypted_response)) == (
        b'{"serviceId": "PIS", "errorMsg": null, "data": []}'
    )
    assert treasury.requests[0].headers["authtoken"] == exchange.auth_token
    assert treasury.requests[0].headers["accept-encoding"] == "identity"


def test_every_call_has_its_own_key(client):
    assert client.call(pis()).exchanges[0].rek != client.call(pis()).exchanges[0].rek


@pytest.mark.parametrize(
    "errors",
    [
        {"errorMsg": "Bill not received in JIT-FS"},
        {"errorMsg": None, "errorMsgs": [{"errorCode": "340", "errorMsg": "Wrong IFSC"}]},
        {"errorMsgs": [{"errorCode": 322, "errorMsg": None}], "data": []},
    ],
)
def test_an_error_in_either_field_is_a_rejection(treasury, client, errors):
    treasury.script.append(lambda talk: talk.reply({"serviceId": "PI", "data": [], **errors}))
    outcome = client.call(pis())
    assert isinstance(outcome, Rejected)
    assert len(outcome.errors) == 1
    assert outcome.exchanges[0].outcome == "rejected"


def test_an_error_and_data_at_once_say_nothing(treasury, client):
    """A receipt beside a warning: neither may decide about money."""
    both = {"serviceId": "PI", "data": [{"jitBillNo": "1"}], "errorMsg": "Account 123456789012 is wrong"}
    treasury.script.append(lambda talk: talk.reply(both))
    outcome = client.call(pis())
    assert isinstance(outcome, Unknown)
    assert not outcome.understood
    assert outcome.reason == "the reply has an error and data at once: Account ********9012 is wrong"
    assert outcome.exchanges[0].outcome == "unknown"


def test_connections_are_reused(treasury, client):
    for number in range(20):
        assert isinstance(client.call(pis(number)), Answered)
    assert treasury.connections == 1


# F3: nothing arrived --------------------------------------------------------------------------------------------------


def close_after_reply(talk):
    talk.reply({"serviceId": "PIS", "data": []})
    talk.hang_up()


def test_a_refused_connection_is_never_sent(treasury, client):
    treasury.script.append(close_after_reply)
    client.call(pis())
    treasury.stop()
    time.sleep(0.05)  # until the server's end has arrived
    outcome = client.call(pis())
    assert isinstance(outcome, NeverSent)
    assert "refused" in outcome.reason.lower()
    assert f"127.0.0.1:{treasury.port}" in outcome.reason
    assert outcome.exchanges[0].outcome == "never_sent"


def test_a_name_without_an_address_is_unreachable(config):
    client = TreasuryClient(config(base_url="https://treasury.invalid"), login_pauses_seconds=())
    with client, pytest.raises(TreasuryUnreachableError, match="no login"):
        client.login()


def test_tls_is_verified_against_the_given_bundle(tls_treasury, config, certificate):
    options = {"base_url": f"https://localhost:{tls_treasury.port}"}
    with TreasuryClient(config(**options, ca_bundle=str(certificate.bundle))) as client:
        for number in range(3):
            assert isinstance(client.call(pis(number)), Answered)
        assert tls_treasury.connections == 1
    client = TreasuryClient(config(**options), login_pauses_seconds=())
    with client, pytest.raises(TreasuryUnreachableError, match="certificate verify failed"):
        client.login()
    assert tls_treasury.login_attempts == 1


def test_a_certificate_for_another_host_is_never_sent(tls_treasury, config, certificate):
    heard: list[Exchange] = []
    options = {"base_url": f"https://127.0.0.1:{tls_treasury.port}", "ca_bundle": str(certificate.bundle)}
    client = TreasuryClient(config(**options), heard.append, login_pauses_seconds=())
    with client, pytest.raises(TreasuryUnreachableError, match=r"certificate is not valid for '127\.0\.0\.1'"):
        client.login()
    assert [exchange.outcome for exchange in heard] == ["never_sent"]
    assert tls_treasury.login_attempts == 0


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "said"),
    [(-2, -1, "certificate has expired"), (1, 2, "certificate is not yet valid")],
)
def test_a_certificate_of_another_time_is_never_sent_to(dated_treasury, config, valid_from, valid_to, said):
    tiny, bundle = dated_treasury(timedelta(days=valid_from), timedelta(days=valid_to))
    heard: list[Exchange] = []
    options = {"base_url": f"https://localhost:{tiny.port}", "ca_bundle": str(bundle)}
    client = TreasuryClient(config(**options), heard.append, login_pauses_seconds=())
    with client, pytest.raises(TreasuryUnreachableError, match=said):
        client.login()
    assert [exchange.outcome for exchange in heard] == ["never_sent"]
    assert tiny.login_attempts == 0


def test_a_listener_that_never_finishes_the_handshake_is_never_sent(config, certificate):
    heard: list[Exchange] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = {"base_url": f"https://127.0.0.1:{silent.getsockname()[1]}", "ca_bundle": str(certificate.bundle)}
        with TreasuryClient(
            config(**options, connect_timeout_seconds=0.2), heard.append, login_pauses_seconds=()
        ) as client:
            started = time.monotonic()
            with pytest.raises(TreasuryUnreachableError):
                client.login()
            assert time.monotonic() - started < 2
    assert [exchange.outcome for exchange in heard] == ["never_sent"]


def test_a_pooled_connection_that_the_server_closed_is_replaced(treasury, client):
    treasury.script.extend([close_after_reply, close_after_reply])
    for number in range(3):
        assert isinstance(client.call(pis(number)), Answered)
        time.sleep(0.05)  # until the server's end has arrived
    assert treasury.connections == 3


def reset_after_reply(talk):
    talk.reply({"serviceId": "PIS", "data": []})
    reset(talk)


@pytest.mark.parametrize(
    ("goodbye", "expected"), [(reset_after_reply, NeverSent), (close_after_reply, Unknown)], ids=["reset", "closed"]
)
def test_a_dead_connection_that_nobody_noticed(treasury, client, monkeypatch, goodbye, expected):
    """A reset socket takes no byte, so nothing can have arrived; one closed politely takes them all, so it may have."""
    treasury.script.append(goodbye)
    client.call(pis())
    time.sleep(0.05)  # until the server's end has arrived
    monkeypatch.setattr("urllib3.connectionpool.is_connection_dropped", lambda _: False)
    outcome = client.call(pis())
    assert type(outcome) is expected
    assert len(treasury.requests) == 1


# F2, F4: it may have arrived ------------------------------------------------------------------------------------------


def reset(talk):
    talk.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    talk.hang_up()


def redirect(talk):
    talk.http(302, b"", "Location: http://127.0.0.1:1/elsewhere")


def cut(talk):
    talk.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabcd")
    talk.hang_up()


def cut_chunks(talk):
    talk.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabcd")
    talk.hang_up()


def no_http(talk):
    talk.raw(b"\x16\x03\x01 hello\r\n\r\n")
    talk.hang_up()


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        (lambda talk: talk.hang_up(), None),
        (reset, None),
        (cut, 200),
        (cut_chunks, 200),
        (no_http, None),
        (lambda talk: talk.http(500, b"Internal error"), 500),
        (lambda talk: talk.http(503, b"<html>busy</html>"), 503),
        (lambda talk: talk.http(400, b"{}"), 400),
        (redirect, 302),
    ],
    ids=["closed", "reset", "cut", "cut chunks", "not http", "500", "503", "400", "redirect"],
)
def test_a_call_without_a_reply_is_unknown_and_made_once(treasury, client, behaviour, status):
    treasury.script.append(behaviour)
    outcome = client.call(pis())
    assert isinstance(outcome, Unknown)
    assert outcome.understood
    (exchange,) = outcome.exchanges
    assert (exchange.outcome, exchange.status_code) == ("unknown", status)
    assert exchange.error
    assert len(treasury.requests) == 1
    assert isinstance(client.call(pis()), Answered)  # the next one is not harmed


def drip_head(talk):
    talk.raw(b"HTTP/1.1 200 OK\r\n")
    while not talk.handler.server.treasury.release.wait(0.05):
        talk.raw(b"X-Slow: 1\r\n")


def drip_body(talk):
    talk.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not talk.handler.server.treasury.release.wait(0.05):
        talk.raw(b"A")


def drip_chunks(talk):
    talk.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not talk.handler.server.treasury.release.wait(0.05):
        talk.raw(b"1\r\nA\r\n")


def silent(talk):
    talk.handler.server.treasury.release.wait()


@pytest.mark.parametrize("behaviour", [drip_head, drip_body, drip_chunks, silent])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_the_deadline_is_the_whole_calls(request, config, certificate, behaviour, tls):
    treasury = request.getfixturevalue("tls_treasury" if tls else "treasury")
    base_url = f"https://localhost:{treasury.port}" if tls else f"http://127.0.0.1:{treasury.port}"
    with TreasuryClient(config(base_url=base_url, ca_bundle=str(certificate.bundle), timeout_seconds=0.5)) as client:
        client.login()
        treasury.script.append(behaviour)
        started = time.monotonic()
        outcome = client.call(pis())
        took = time.monotonic() - started
    assert isinstance(outcome, Unknown)
    assert outcome.understood
    assert 0.4 < took < 1.5
    assert outcome.exchanges[0].duration_ms >= 400


def test_a_read_gets_what_is_left_and_not_the_whole_time_again(treasury, config):
    def late(talk):
        time.sleep(0.8)
        talk.raw(b"HTTP/1.1 200 OK\r\n")
        silent(talk)

    with TreasuryClient(config(timeout_seconds=1)) as client:
        client.login()
        treasury.script.append(late)
        started = time.monotonic()
        assert isinstance(client.call(pis()), Unknown)
        assert time.monotonic() - started < 1.6


def large(talk):
    talk.http(200, b"A" * 3_000_000)


def large_without_length(talk):
    talk.raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"A" * 3_000_000)
    talk.hang_up()


BOMB = gzip.compress(bytes(20_000_000), 1)  # made here: making it takes longer than a call may


def bomb(talk):
    talk.http(200, BOMB, "Content-Encoding: gzip")


def large_redirect(talk):
    talk.http(302, b"A" * 3_000_000, "Location: /elsewhere")


@pytest.mark.parametrize("behaviour", [large, large_without_length, bomb, large_redirect])
def test_a_reply_that_is_too_large_is_not_read(treasury, config, behaviour):
    with TreasuryClient(config(max_reply_bytes=1_000_000)) as client:
        treasury.script.append(behaviour)
        outcome = client.call(pis())
        assert isinstance(outcome, Unknown)
        assert not outcome.understood
        assert "larger than 1000000 bytes" in outcome.reason
        assert isinstance(client.call(pis()), Answered)


def test_a_compressed_reply_is_read_though_it_was_not_asked_for(treasury, client):
    treasury.script.append(
        lambda talk: talk.http(200, gzip.compress(talk.sealed({"serviceId": "PIS"})), "Content-Encoding: gzip")
    )
    assert isinstance(client.call(pis()), Answered)


# F5: replies that nobody understands ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        lambda talk: b"",
        lambda talk: b"<html><title>Maintenance</title></html>",
        lambda talk: b'{"serviceId":"PIS","data":[]}',
        lambda talk: base64.b64encode(os.urandom(64)),
        lambda talk: base64.b64encode(b"\0" * 15),
        lambda talk: talk.sealed({"serviceId": "PIS"}, os.urandom(32)),
        lambda talk: talk.sealed({"serviceId": "PIS", "data": {}}),
        lambda talk: talk.sealed({"serviceId": "PIS", "data": [[{}]]}),
        lambda talk: talk.sealed(b'{"serviceId":"PIS","data":[],"data":[]}'),
        lambda talk: talk.sealed(b"[" * 10_000),
        lambda talk: talk.sealed(b'{"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
        lambda talk: talk.sealed(b"\xff\xfe"),
        lambda talk: b"\xff\xfe\x00",
    ],
)
def test_a_reply_that_is_not_understood_is_kept(treasury, client, body):
    sent = []

    def behaviour(talk):
        sent.append(body(talk))
        talk.http(200, sent[0])

    treasury.script.append(behaviour)
    outcome = client.call(pis())
    assert isinstance(outcome, Unknown)
    assert not outcome.understood
    (exchange,) = outcome.exchanges
    assert exchange.status_code == 200
    assert exchange.response_plain == sent[0].decode("utf-8", "replace").replace("\0", "\ufffd")
    assert exchange.encrypted_response is None
    assert len(treasury.requests) == 1


# F6: the session ends -------------------------------------------------------------------------------------------------


ODD = [MemoryError("0123456789012"), RecursionError("0123456789012"), RuntimeError("0123456789012"), OSError("disk")]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
def test_an_error_while_the_reply_is_read_is_unknown(treasury, client, monkeypatch, odd):
    """Once a byte was sent, whatever goes wrong here says nothing about what the treasury has."""

    def broken(*_: object) -> None:
        raise odd

    client.login()
    monkeypatch.setattr(TreasuryClient, "_read", broken)
    outcome = client.call(pi())
    assert isinstance(outcome, Unknown)
    assert not outcome.understood
    assert type(odd).__name__ in outcome.reason
    assert "0123456789012" not in outcome.reason
    [exchange] = outcome.exchanges
    assert (exchange.outcome, exchange.status_code, exchange.bill_number) == ("unknown", 200, "PI-TE/2024-25/000001")
    assert exchange.error == outcome.reason
    assert len(treasury.requests) == 1


@pytest.mark.parametrize("after", [True, False], ids=["after the call", "instead of the call"])
def test_an_error_out_of_the_transport_is_unknown(treasury, client, monkeypatch, after):
    client.login()
    real = Transport.post

    def broken(self: Transport, *args: Any) -> None:
        if after:
            real(self, *args)
        raise MemoryError

    monkeypatch.setattr(Transport, "post", broken)
    outcome = client.call(pi())
    assert isinstance(outcome, Unknown)
    assert not outcome.understood
    assert "MemoryError" in outcome.reason
    assert [exchange.outcome for exchange in outcome.exchanges] == ["unknown"]


def test_an_error_of_ours_before_anything_is_sent_is_raised(treasury, client, monkeypatch):
    client.login()

    def broken(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("ifms.http.PoolManager.urlopen", broken)
    with pytest.raises(MemoryError):
        client.call(pi())
    assert not treasury.requests


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_stop_is_no_outcome(client, monkeypatch, stop):
    def stopped(*_: object) -> None:
        raise stop

    client.login()
    monkeypatch.setattr(TreasuryClient, "_read", stopped)
    with pytest.raises(stop):
        client.call(pi())


def test_an_error_after_a_refused_session_loses_no_exchange(treasury, client, monkeypatch):
    client.login()
    treasury.expire()

    def broken(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(TreasuryClient, "_try_login", broken)
    outcome = client.call(pi())
    assert isinstance(outcome, Unknown)
    assert "MemoryError" in outcome.reason
    assert len(outcome.exchanges) == 1


def test_a_login_that_can_not_be_read_is_logged_and_raised(treasury, config, monkeypatch):
    heard: list[Exchange] = []

    def broken(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("ifms.treasury.client._read_login", broken)
    with TreasuryClient(config(), heard.append) as client, pytest.raises(MemoryError):
        client.login()
    assert [(each.service_id, each.outcome) for each in heard] == [("AUTH", "unknown")]


def test_one_login_for_all_threads(treasury, client):
    with ThreadPoolExecutor(32) as pool:
        outcomes = list(pool.map(lambda number: client.call(pis(number)), range(64)))
    assert all(isinstance(outcome, Answered) for outcome in outcomes)
    assert (treasury.logins, client.logins) == (1, 1)


def test_an_expired_session_costs_exactly_one_login_and_nobody_fails(treasury, config):
    heard: list[Exchange] = []
    with TreasuryClient(config(), heard.append) as client:
        client.login()
        gate = threading.Barrier(32)

        def work(number: int) -> list[Any]:
            before = client.call(pis(number))
            if gate.wait() == 0:
                treasury.expire()
            gate.wait()
            return [before, client.call(pis(number)), client.call(pis(number))]

        with ThreadPoolExecutor(32) as pool:
            outcomes = [outcome for three in pool.map(work, range(32)) for outcome in three]
    assert all(isinstance(outcome, Answered) for outcome in outcomes)
    assert (treasury.logins, client.logins) == (2, 2)
    assert [exchange.service_id for exchange in heard] == ["AUTH", "AUTH"]
    assert max(len(outcome.exchanges) for outcome in outcomes) == 2


def says_no_session_in_clear(talk):
    talk.http(200, NO_SESSION.upper().encode())


@pytest.mark.parametrize(
    "behaviour",
    [
        lambda talk: talk.http(500, f"<html>{NO_SESSION}</html>".encode()),
        lambda talk: talk.http(401, json.dumps({"errorMsg": NO_SESSION}).encode()),
        lambda talk: talk.reply({"serviceId": "PIS", "errorMsg": NO_SESSION, "data": []}),
        lambda talk: talk.reply({"serviceId": "PIS", "errorMsgs": [{"errorCode": "1", "errorMsg": NO_SESSION}]}),
        says_no_session_in_clear,
    ],
    ids=["500", "401", "errorMsg", "errorMsgs", "in clear"],
)
def test_wherever_the_treasury_says_that_the_session_is_over(treasury, client, behaviour):
    treasury.script.append(behaviour)
    outcome = client.call(pis())
    assert isinstance(outcome, Answered)
    assert [exchange.outcome for exchange in outcome.exchanges] == ["unknown", "answered"]
    assert treasury.logins == 2
    first, second = outcome.exchanges
    assert first.auth_token != second.auth_token
    assert first.request_plain == second.request_plain


def test_a_session_refused_twice_is_unknown_for_that_call_only(treasury, client):
    client.call(pis())
    treasury.script.extend([lambda talk: talk.http(500, NO_SESSION.encode())] * 2)
    outcome = client.call(pis())
    assert isinstance(outcome, Unknown)
    assert outcome.understood
    assert len(outcome.exchanges) == 2
    assert treasury.logins == 2
    assert isinstance(client.call(pis()), Answered)


def test_sessions_that_are_always_refused_end_in_a_login_error_not_a_storm(treasury, client):
    treasury.otherwise = lambda talk: talk.http(500, NO_SESSION.encode())

    def call(number: int) -> Any:
        try:
            return client.call(pis(number))
        except TreasuryLoginError as error:
            return error

    with ThreadPoolExecutor(32) as pool:
        outcomes = list(pool.map(call, range(200)))
    assert all(isinstance(outcome, (Unknown, TreasuryLoginError)) for outcome in outcomes)
    assert isinstance(call(1), TreasuryLoginError)
    assert treasury.logins == MAX_UNPROVED_LOGINS


def test_one_call_that_is_always_refused_does_not_stop_the_others(treasury, client):
    def refuse_the_first(talk):
        if talk.request["params"]["jitBillNo"].endswith("000001"):
            talk.http(500, NO_SESSION.encode())
        else:
            talk.reply({"serviceId": "PIS", "data": []})

    treasury.otherwise = refuse_the_first
    assert isinstance(client.call(pis(1)), Unknown)
    for number in range(2, 30):
        assert isinstance(client.call(pis(number)), Answered)
        assert isinstance(client.call(pis(1)), Unknown)


def test_a_lost_session_and_a_failing_login_lose_no_exchange(treasury, client):
    client.call(pis())
    treasury.expire()
    treasury.login = lambda talk: talk.http(401, b"")
    outcome = client.call(pis())
    assert isinstance(outcome, Unknown)
    assert len(outcome.exchanges) == 1
    with pytest.raises(TreasuryLoginError):
        client.call(pis())


# F7, F24: login -------------------------------------------------------------------------------------------------------


def in_32_threads(client: TreasuryClient) -> list[BaseException]:
    def call(number: int) -> BaseException:
        with pytest.raises(TreasuryError) as caught:
            client.call(pis(number))
        return caught.value

    with ThreadPoolExecutor(32) as pool:
        return list(pool.map(call, range(96)))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 302])
def test_a_refused_login_is_tried_once_and_told_to_every_thread(treasury, config, status):
    treasury.login = lambda talk: talk.http(status, b"no")
    heard: list[Exchange] = []
    with TreasuryClient(config(), heard.append) as client:
        errors = in_32_threads(client)
    assert {type(error) for error in errors} == {TreasuryLoginError}
    assert f"HTTP {status}" in str(errors[0])
    assert treasury.login_attempts == len(heard) == 1
    assert treasury.requests == []


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_failing_login_stops_after_a_few_tries(treasury, config, status):
    treasury.login = lambda talk: talk.http(status, b"no")
    heard: list[Exchange] = []
    with TreasuryClient(config(), heard.append, login_pauses_seconds=(0.01, 0.01)) as client:
        errors = in_32_threads(client)
    assert {type(error) for error in errors} == {TreasuryUnreachableError}
    assert treasury.login_attempts == len(heard) == 3
    assert {exchange.service_id for exchange in heard} == {"AUTH"}


def test_a_login_that_fails_once_is_made_good(treasury, config):
    tries = []

    def second_time(talk):
        tries.append(1)
        if len(tries) == 1:
            talk.http(503, b"")
        else:
            treasury.log_in(talk)

    treasury.login = second_time
    heard: list[Exchange] = []
    with TreasuryClient(config(), heard.append, login_pauses_seconds=(0.01,)) as client:
        assert isinstance(client.call(pis()), Answered)
    assert [exchange.outcome for exchange in heard] == ["unknown", "answered"]


def answer_login(token: object, sek: object):
    def behaviour(talk):
        talk.http(200, json.dumps({"authToken": token, "sek": sek}).encode())

    return behaviour


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_session_key_of_another_length_is_refused(treasury, client, length):
    def behaviour(talk):
        app_key = treasury.app_key(talk)
        sek = base64.b64encode(aes_encrypt(app_key, b"k" * length)).decode()
        talk.http(200, json.dumps({"authToken": "sample-token", "sek": sek}).encode())

    treasury.login = behaviour
    with pytest.raises(TreasuryLoginError, match=f"{length} bytes"):
        client.login()


@pytest.mark.parametrize(
    "behaviour",
    [
        answer_login("sample-token", "not base64!"),
        answer_login("sample-token", base64.b64encode(os.urandom(48)).decode()),
        answer_login("sample-token", None),
        answer_login("sample-token", 7),
        lambda talk: talk.http(200, b"<html>"),
        lambda talk: talk.http(200, b"[]"),
        lambda talk: talk.http(200, b"null"),
        lambda talk: talk.http(200, b"[" * 100_000),
        lambda talk: talk.http(200, b""),
    ],
)
def test_a_login_reply_that_is_no_login(treasury, client, behaviour):
    treasury.login = behaviour
    with pytest.raises(TreasuryLoginError):
        client.login()
    assert treasury.login_attempts == 1


def test_a_wrong_public_key_fails_at_login(treasury, config):
    def decrypt_or_refuse(talk):
        try:
            treasury.log_in(talk)
        except ValueError:
            talk.http(400, b"")

    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = other.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    treasury.login = decrypt_or_refuse
    with TreasuryClient(config(public_key=pem)) as client, pytest.raises(TreasuryLoginError, match="public key"):
        client.call(pis())
    assert treasury.requests == []


def test_login_twice_is_one_login(treasury, client):
    client.login()
    client.login()
    assert treasury.logins == client.logins == 1


def test_a_closed_client_sends_nothing(treasury, client):
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.call(pis())
    assert treasury.login_attempts == 0


# Nothing secret is shown ----------------------------------------------------------------------------------------------


def test_no_secret_and_no_account_in_any_repr_text_or_log(treasury, config, caplog):
    caplog.set_level(logging.DEBUG)
    heard: list[Exchange] = []
    request = pi()
    with TreasuryClient(config(), heard.append, login_pauses_seconds=()) as client:
        client.login()
        token, sek = treasury.session
        treasury.script.extend(
            [
                lambda talk: talk.reply({"serviceId": "PI", "data": [{"benfAccountNo": ACCOUNT}]}),
                lambda talk: talk.reply({"serviceId": "PI", "errorMsg": f"account {ACCOUNT} is there twice"}),
                lambda talk: talk.http(500, f"{ACCOUNT} {talk.headers['authtoken']}".encode()),
                lambda talk: talk.http(200, f"{ACCOUNT} {talk.headers['authtoken']}".encode()),
                lambda talk: talk.http(200, talk.sealed(f'{{"data":"{ACCOUNT}"'.encode())),
                lambda talk: talk.hang_up(),
                lambda talk: talk.http(500, NO_SESSION.encode()),
            ]
        )
        outcomes = [client.call(request) for _ in range(7)]
        texts = [repr(client), str(client.config)]
    assert {type(outcome) for outcome in outcomes} == {Answered, Rejected, Unknown}
    exchanges = [exchange for outcome in outcomes for exchange in outcome.exchanges] + heard
    texts += [repr(thing) for thing in (request, *outcomes, *exchanges)]
    texts += [str(exchange.error) for exchange in exchanges] + [caplog.text]
    shown = "\n".join(texts)
    secrets = {client.config.client_secret, ACCOUNT, token, sek.hex(), base64.b64encode(sek).decode()}
    secrets |= {exchange.rek for exchange in exchanges} | {exchange.sek for exchange in exchanges}
    assert {len(secret) > 8 for secret in secrets} == {True}
    assert [secret for secret in secrets if secret in shown] == []
    assert "Logged in" in caplog.text


# Figures --------------------------------------------------------------------------------------------------------------


def test_the_client_costs_little_of_its_own(treasury, client):
    """Processor time of one thread per call, in seconds: far above what is usual, far below a client made per call."""
    for number in range(20):
        client.call(pis(number))
    started = time.thread_time()
    for number in range(200):
        client.call(pis(number))
    assert (time.thread_time() - started) / 200 < 0.005
