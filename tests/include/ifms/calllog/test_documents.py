"""A call as the seed's documents: its fields, and nothing secret in clear."""

from __future__ import annotations

import base64
import json

import pytest
from support.calls import ACCOUNT, REK, REPLY, SEK, TOKEN, encoded, exchange, failed, stored, write
from support.keys import KEYRING
from support.simulators import LOG_KEY

from ifms.calllog.documents import error_document, request_document
from ifms.ledger.status_log import call_context
from ifms.wire.crypto import aes_decrypt

SEED_REQUEST = {"id", "serviceId", "jitBillNo", "encRequest", "decryptionRek", "encResponse", "createdtime"}
SEED_ERROR = {
    "id",
    "serviceId",
    "requestId",
    "statusCode",
    "jitEncRequest",
    "errorMsg",
    "encryptionRek",
    "decryptionRek",
    "authToken",
    "sekString",
    "createdtime",
}


def opened(document, name, column):
    """A sealed field of a document."""
    which = call_context(column, document["id"], document["serviceId"], document["jitBillNo"])
    return KEYRING.sealer.open(base64.b64decode(document[name]), which).decode()


@pytest.fixture
def row(ledger):
    def made(said):
        [call] = stored(ledger.db, write(ledger.db, said))
        return call

    return made


def test_a_request_document_has_the_seeds_fields_and_opens(row):
    call = row(exchange())
    document = request_document(call)
    assert document.keys() >= SEED_REQUEST
    assert (document["id"], document["serviceId"], document["jitBillNo"]) == (str(call.id), "PI", "PI-SA/1")
    assert document["createdtime"] == 1780315200123
    assert json.loads(opened(document, "encRequest", "request_sealed"))["params"]["jitBillNo"] == "PI-SA/1"
    rek = base64.b64decode(opened(document, "decryptionRek", "rek_sealed"))
    assert json.loads(aes_decrypt(rek, base64.b64decode(document["encResponse"]))) == REPLY


def test_an_error_document_has_the_seeds_fields_and_opens(row):
    call = row(failed())
    document = error_document(call)
    assert document.keys() >= SEED_ERROR
    assert (document["requestId"], document["statusCode"], document["errorMsg"]) == (str(call.id), 500, "HTTP 500")
    assert opened(document, "decryptionRek", "rek_sealed") == encoded(REK)
    assert opened(document, "sekString", "sek_sealed") == encoded(SEK)
    assert opened(document, "authToken", "auth_token_sealed") == TOKEN
    assert aes_decrypt(SEK, base64.b64decode(document["encryptionRek"])) == REK


@pytest.mark.parametrize("outcome", ["rejected", "never_sent", "unknown"])
def test_only_what_went_well_is_no_error(row, outcome):
    assert error_document(row(failed(outcome=outcome)))["outcome"] == outcome
    assert error_document(row(exchange())) is None


def test_a_login_has_a_name_and_no_request(row):
    login = {"service_id": "AUTH", "bill_number": None, "request_plain": None, "sek": None, "auth_token": None}
    call = row(failed(encrypted_request=json.dumps({"appKey": "eA=="}), response_plain=TOKEN, **login))
    document = request_document(call)
    assert (document["jitBillNo"], document["encRequest"], document["encResponse"]) == ("AUTH", None, None)
    assert opened(document, "sealedResponse", "response_sealed") == TOKEN
    assert error_document(call)["encryptionRek"] is None


def test_a_call_that_was_never_sent_had_no_body(row):
    assert error_document(row(failed(encrypted_request=None)))["encryptionRek"] is None


def test_nothing_secret_is_in_clear(row):
    call = row(failed(response_plain=f'{{"authToken": "{TOKEN}", "account": "{ACCOUNT}"}}'))
    said = json.dumps([request_document(call), error_document(call)])
    for secret in (TOKEN, ACCOUNT, encoded(REK), encoded(SEK), REK.hex(), SEK.hex(), LOG_KEY):
        assert secret not in said
