"""Login replies and sealed replies made wrong somewhere: a typed error, and nothing secret in it."""

from __future__ import annotations

import base64
import os
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import figures
from support.mutations import fuzzed, mutated

from ifms.errors import TreasuryLoginError, TreasuryUnreachableError, WireError
from ifms.http import HttpReply
from ifms.treasury.client import _decrypt, _read_login
from ifms.wire.crypto import aes_encrypt

APP_KEY, REK = bytes(range(32)), bytes(range(32, 64))


def login(random):
    """The body of a login reply, its session key under the app key or not."""
    sek = os.urandom(random.choice((32, 32, 0, 16, 31, 33)))
    sealed = base64.b64encode(aes_encrypt(random.choice((APP_KEY, REK)), sek)).decode()
    return {"authToken": random.choice(("sample-token", "two words", "x" * 8193, "ନ")), "sek": sealed}, sek


@fuzzed
@given(random=st.randoms(use_true_random=False))
def test_a_login_reply_made_wrong(random):
    document, sek = login(random)
    body = mutated(random, document) if random.randrange(4) else mutated(random, document)[::-1]
    status = random.choice((200, 200, 200, 201, 302, 400, 401, 408, 500))
    figures.add("fuzzed replies", 1)
    try:
        token, key = _read_login(HttpReply(status, body.encode("utf-8", "surrogatepass")), APP_KEY)
    except (TreasuryLoginError, TreasuryUnreachableError) as error:
        shown = str(error)
        assert document["authToken"][:12] not in shown
        assert not sek or base64.b64encode(sek).decode() not in shown
    else:
        assert 200 <= status < 300
        assert len(key) == 32
        assert token.isascii()
        assert " " not in token


@fuzzed
@given(random=st.randoms(use_true_random=False), cut=st.integers(0, 200))
def test_a_sealed_reply_made_wrong(random, cut):
    """Changed, cut, under another key, or no base64 at all."""
    plain = mutated(random, {"serviceId": "PIS", "errorMsg": None, "data": [{"jitBillNumber": "PI-SA/1"}]}).encode()
    sealed = bytearray(base64.b64encode(aes_encrypt(random.choice((REK, REK, APP_KEY)), plain)))
    for _ in range(random.randrange(3)):
        sealed[random.randrange(len(sealed))] = random.randrange(256)
    body = bytes(sealed) if random.randrange(2) else bytes(sealed[:cut])
    figures.add("fuzzed replies", 1)
    with suppress(WireError):
        assert all(isinstance(row, dict) for row in _decrypt(HttpReply(200, body), REK).data)


@pytest.mark.parametrize("garbage", [b"", b"=", b"====", b"A", b"AA==", b"\xff" * 64, b"QUJD\n", b"Q U J D"])
def test_what_is_no_base64_of_whole_blocks(garbage):
    with pytest.raises(WireError):
        _decrypt(HttpReply(200, garbage), REK)
