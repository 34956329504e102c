"""One call in clear: a row, a document of ours, one of the Java adapter; masked; never with a key or a token."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from support.calls import ACCOUNT, REK, REPLY, REQUEST, SEK, TOKEN, encoded, exchange, failed, stored, write
from support.simulators import LOG_KEY

from ifms.calllog.decryption import Keys, masked, open_call, open_document
from ifms.calllog.documents import error_document, request_document
from ifms.errors import BadInputError, ConfigurationError, SealError, WireError
from ifms.sealing import Sealer
from ifms.wire.crypto import aes_encrypt, legacy_encrypt

NEW_KEY = encoded(bytes(range(7, 39)))
SECRET = "sample-16-bytes!"
KEYS = Keys(Sealer.from_config(LOG_KEY), SECRET)
WHOLE = json.dumps(REPLY)


@pytest.fixture
def row(ledger):
    def made(said, key=LOG_KEY):
        [call] = stored(ledger.db, write(ledger.db, said, key=key))
        return call

    return made


def java(**changes):
    """What the Java adapter's helper wrote: AES-ECB under the secret, in base64."""
    document = {
        "id": "4f6b-sample",
        "serviceId": "PI",
        "jitBillNo": "PI-SA/1",
        "encRequest": encoded(legacy_encrypt(SECRET, json.dumps(REQUEST))),
        "decryptionRek": encoded(REK),
        "encResponse": encoded(aes_encrypt(REK, WHOLE.encode())),
        "createdtime": 1690000000000,
    }
    return document | changes


def test_a_row_opens(row):
    opened = open_call(row(exchange()), KEYS)
    assert (json.loads(opened.request), json.loads(opened.reply), opened.notes) == (REQUEST, REPLY, ())
    assert (opened.outcome, opened.duration_ms, opened.status_code) == ("answered", 12, 200)


def test_rows_of_an_earlier_key_open_after_the_key_was_changed(row):
    old, new = row(exchange()), row(exchange(1), NEW_KEY)
    both = Keys(Sealer.from_config(NEW_KEY, [LOG_KEY]))
    assert [json.loads(open_call(each, both).request) for each in (old, new)] == [REQUEST, REQUEST]
    with pytest.raises(SealError, match="not at hand"):
        open_call(old, Keys(Sealer.from_config(NEW_KEY)))


def test_an_announced_call_shows_what_was_to_be_sent(row):
    call = replace(row(exchange()), outcome=None, rek_sealed=None, enc_response=None)
    opened = open_call(call, KEYS)
    assert (json.loads(opened.request), opened.reply) == (REQUEST, None)


def test_a_reply_that_nobody_understood_is_shown_as_it_came(row):
    opened = open_call(row(failed(response_plain="<html>gone</html>")), KEYS)
    assert opened.reply == "<html>gone</html>"


def test_a_reply_under_another_key_is_shown_with_a_note(row):
    call = replace(row(exchange()), enc_response=encoded(aes_encrypt(SEK, WHOLE.encode())))
    opened = open_call(call, KEYS)
    assert opened.reply == call.enc_response
    assert "does not open" in opened.notes[0]


def test_a_login_shows_neither_token_nor_key(row):
    reply = json.dumps({"authToken": TOKEN, "sek": encoded(SEK), "expires": 60})
    login = {"service_id": "AUTH", "bill_number": None, "request_plain": None, "encrypted_response": None}
    opened = open_call(row(exchange(**login, response_plain=reply)), KEYS)
    assert json.loads(opened.reply) == {"authToken": "(kept sealed)", "sek": "(kept sealed)", "expires": 60}
    opened = open_call(row(exchange(**login, response_plain=f"token: {TOKEN}")), KEYS)
    assert opened.reply is None
    assert "not shown" in opened.notes[0]


def test_documents_of_ours_open_too(row):
    call = row(failed(response_plain="garbage"))
    kept = open_document(request_document(call), str(call.id), KEYS)
    assert (json.loads(kept.request), kept.reply, kept.outcome) == (REQUEST, "garbage", "unknown")
    good = row(exchange(1))
    kept = open_document({"_id": str(good.id), "_source": request_document(good)}, str(good.id), KEYS)
    assert (json.loads(kept.request), json.loads(kept.reply)) == (REQUEST, REPLY)


def test_an_error_document_shows_the_request_that_was_sent(row):
    body = json.dumps({"params": encoded(aes_encrypt(SEK, json.dumps(REQUEST).encode())), "rek": "eA=="})
    call = row(failed(encrypted_request=body))
    kept = open_document(error_document(call), str(call.id), KEYS)
    assert json.loads(kept.request) == REQUEST
    assert TOKEN not in str(kept)


@pytest.mark.parametrize("rek", [encoded(REK), encoded(legacy_encrypt(SECRET, encoded(REK)))])
@pytest.mark.parametrize(
    "wrapped", [lambda d: d, lambda d: {"hits": {"hits": [{"_id": "x", "_source": d}]}}, lambda d: [d]]
)
def test_records_of_the_java_adapter_open(rek, wrapped):
    opened = open_document(wrapped(java(decryptionRek=rek)), "4f6b-sample", KEYS)
    assert (json.loads(opened.request), json.loads(opened.reply)) == (REQUEST, REPLY)
    assert opened.created_at.year == 2023


def test_an_error_record_of_the_java_adapter_opens():
    sent = encoded(aes_encrypt(SEK, json.dumps(REQUEST).encode()))
    error = {
        "id": "e-1",
        "serviceId": "PI",
        "requestId": "4f6b-sample",
        "statusCode": "500",
        "errorMsg": "boom",
        "jitEncRequest": sent,
        "sekString": encoded(SEK),
        "authToken": TOKEN,
        "createdtime": "1690000000000",
    }
    opened = open_document(error, "e-1", Keys(None, SECRET))
    assert (json.loads(opened.request), opened.error, opened.status_code) == (REQUEST, "boom", "500")
    assert TOKEN not in str(opened)
    assert TOKEN not in f"{opened.request}{opened.reply}"


@pytest.mark.parametrize(
    ("document", "keys", "error"),
    [
        (java(), Keys(KEYS.sealer), SealError),
        (java(), Keys(None, "another16bytes!!"), WireError),
        (java(), Keys(None, "short"), ConfigurationError),
        (java(encRequest="%%%"), KEYS, BadInputError),
        (java(id="another"), KEYS, BadInputError),
        ("text", KEYS, BadInputError),
        ({"hits": {"hits": []}}, KEYS, BadInputError),
    ],
)
def test_what_does_not_open_says_why(document, keys, error):
    with pytest.raises(error) as raised:
        open_document(document, "4f6b-sample", keys)
    assert SECRET not in str(raised.value)


def test_masked_a_call_shows_no_account(row):
    odd = {
        "a": [{"accountNumber": "12345678"}, 123456789012, {ACCOUNT: f"to {ACCOUNT}"}, True, None, 1.5],
        "amount": 400,
    }
    call = open_call(row(failed(request_plain=json.dumps(odd), response_plain=f"account {ACCOUNT} is odd")), KEYS)
    shown = masked(replace(call, error=f"account {ACCOUNT}"))
    for text in (shown.request, shown.reply, shown.error):
        assert ACCOUNT not in text
        assert "123456789012" not in text
    assert '12345678"' not in shown.request
    assert json.loads(shown.request)["amount"] == 400
    assert shown.reply == "account **********9012 is odd"
    assert base64.b64encode(ACCOUNT.encode()).decode() not in shown.request
