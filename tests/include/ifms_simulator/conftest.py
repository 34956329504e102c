"""Simulators on real sockets, and a client of the treasury that knows nothing of ours."""

import base64
import json
import os
import shutil
from contextlib import ExitStack

import pytest
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from ifms_simulator import crypto, platform, sample, serve, treasury
from ifms_simulator.treasury.sessions import Sessions
from ifms_simulator.treasury.state import State, TreasurySettings


class TreasuryClient:
    """Logs in and calls, as treasury-jit.md §1 says."""

    def __init__(self, url, timeout=5):
        self.url, self.http, self.timeout = url, requests.Session(), timeout
        self.token = self.sek = None

    def control(self, path, body=None, method=None):
        method = method or ("GET" if body is None else "POST")
        reply = requests.request(method, f"{self.url}/control/{path}", json=body, timeout=30)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def rule(self, **rule):
        return self.control("rules", rule)

    def login(self, client_id="sample-client", secret="sample-secret", app_key=None):
        key = serialization.load_der_public_key(base64.b64decode(self.control("public-key")["public_key"]))
        plain = os.urandom(32) if app_key is None else app_key
        oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)
        body = {"appKey": base64.b64encode(key.encrypt(plain, oaep)).decode()}
        headers = {"clientId": client_id, "clientSecret": secret}
        url = f"{self.url}/webservices/jitfs/v1.0/authenticate"
        reply = self.http.post(url, headers=headers, json=body, timeout=self.timeout)
        if reply.status_code == 200:
            self.token = reply.json()["authToken"]
            self.sek = crypto.decrypt(plain, base64.b64decode(reply.json()["sek"]))
        return reply

    def post(self, service, params, key="serviceId"):
        """The raw HTTP reply of a call, and the key that it is under."""
        if self.token is None:
            assert self.login().status_code == 200
        rek = os.urandom(32)
        plain = json.dumps({key: service, "params": params}).encode()
        body = {
            "params": base64.b64encode(crypto.encrypt(self.sek, plain)).decode(),
            "rek": base64.b64encode(crypto.encrypt(self.sek, rek)).decode(),
        }
        url = f"{self.url}/webservices/jitfs/v1.0/get-jit-service-data"
        return self.http.post(url, headers={"authToken": self.token}, json=body, timeout=self.timeout), rek

    def call(self, service, params, key="serviceId"):
        """The decrypted reply."""
        reply, rek = self.post(service, params, key)
        assert reply.status_code == 200, reply.text
        return json.loads(crypto.decrypt(rek, base64.b64decode(reply.text, validate=True)))

    def data(self, service, params):
        reply = self.call(service, params)
        assert not reply.get("errorMsg"), reply
        assert not reply.get("errorMsgs"), reply
        return reply["data"]

    def allotments(self, ddo=sample.DDO, hoa=sample.HOA, grantee=sample.GRANTEE, since="2020-04-01 00:00:00"):
        return self.data("VA", {"hoa": hoa, "ddoCode": ddo, "granteCode": grantee, "fromDate": since})

    def instruction(self, beneficiaries=3, first=1, row=0):
        """The params of a PI that fits the treasury's allotments."""
        return next(sample.instructions(1, beneficiaries, allotment=self.allotments()[row], first=first))

    def status(self, pi):
        return {"jitBillNo": pi["jitBillNo"], "jitBillDate": pi["jitBillDate"][:10], "ssuIaId": pi["ssuIaId"]}

    def advice(self, pi, told):
        return {
            "pmtInstId": told["pmtInstId"],
            "pmtInstDate": told["payInstDate"],
            "billNo": pi["jitBillNo"],
            "billDate": pi["jitBillDate"][:10],
            "ssuIaId": pi["ssuIaId"],
        }

    def details(self, advice):
        return {
            "finYear": advice["finYear"],
            "extAppName": "MUKTA",
            "billRefNo": advice["onlineBillRefNo"],
            "tokenNumber": advice["tokenNumber"],
            "tokenDate": advice["tokenDate"],
        }

    def paid(self, pi):
        """PI, PIS, PAG, PD: what PAG and PD told."""
        self.data("PI", pi)
        told = self.data("PIS", self.status(pi))[0]
        advice = self.data("PAG", self.advice(pi, told))[0]
        return advice, self.data("PD", self.details(advice))[0]

    def failed(self, paid):
        year, month = int(paid["voucherDate"][:4]), int(paid["voucherDate"][5:7])
        year = str(year if month >= 4 else year - 1)
        return self.data("FD", {"finYear": year, "extAppName": "MUKTA", "voucherDate": paid["voucherDate"]})


class PlatformClient:
    """Calls the services as a system user with the right role."""

    def __init__(self, url):
        self.url = url
        self.info = {"msgId": "1|en_IN", "userInfo": {"uuid": "u-1", "roles": [{"code": "BILL_ACCOUNTANT"}]}}

    control = TreasuryClient.control
    rule = TreasuryClient.rule

    def post(self, path, body, info=True, **query):
        body = {"RequestInfo": self.info, **body} if info else body
        return requests.post(f"{self.url}/{path}", json=body, params=query, timeout=10)

    def call(self, path, body, status=200, **query):
        reply = self.post(path, body, **query)
        assert reply.status_code == status, reply.text
        return reply.json()

    def codes(self, path, body, status=400, **query):
        """The codes of a refusal."""
        return [error["code"] for error in self.call(path, body, status, **query)["Errors"]]

    def bills(self, tenant="od.samplea", **pagination):
        criteria = {"tenantId": tenant, "isPaymentStatusNull": True}
        return self.call("expense/bill/v1/_search", {"billCriteria": criteria, "pagination": pagination or None}, 202)[
            "bills"
        ]


@pytest.fixture(scope="session")
def treasury_key(tmp_path_factory):
    """A state file that holds a key pair and nothing else: making one takes longer than a whole test."""
    path = tmp_path_factory.mktemp("treasury") / "key.sqlite3"
    state = State(path, TreasurySettings())
    Sessions(state, "", "")
    state.store.close()
    return path


@pytest.fixture
def serving():
    """Serve an app until the test ends, and give its address."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(serve.running(app))


@pytest.fixture
def start_treasury(treasury_key, tmp_path, serving):
    def start(path=None, timeout=5, **settings):
        path = path or tmp_path / "treasury.sqlite3"
        if not path.exists():
            shutil.copy(treasury_key, path)
        return TreasuryClient(serving(treasury.create_app(path, **settings)), timeout)

    return start


@pytest.fixture
def start_platform(tmp_path, serving):
    def start(path=None, **settings):
        settings = {"cities": 2, "persist_ms": 0, **settings}
        return PlatformClient(serving(platform.create_app(path or tmp_path / "platform.sqlite3", **settings)))

    return start


@pytest.fixture
def treasury_client_class():
    return TreasuryClient
