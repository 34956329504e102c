"""A tiny treasury on a real socket, with real keys, that misbehaves as it is told."""

from __future__ import annotations

import base64
import json
import os
import socketserver
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from ifms.treasury.config import AUTHENTICATE_PATH, SERVICE_PATH, TreasuryConfig
from ifms.wire.crypto import aes_decrypt, aes_encrypt

OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)
SECRET = "sample-client-secret"


@dataclass
class Talk:
    """One request under way at the tiny treasury."""

    handler: Any
    headers: dict[str, str]
    body: bytes
    rek: bytes = b""
    request: dict[str, Any] = field(default_factory=dict)

    def raw(self, data: bytes) -> None:
        self.handler.wfile.write(data)

    def http(self, status: int, body: bytes, *headers: str) -> None:
        head = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}", *headers]
        self.raw("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    def sealed(self, document: object, key: bytes | None = None) -> bytes:
        text = document if isinstance(document, bytes) else json.dumps(document).encode()
        return base64.b64encode(aes_encrypt(key or self.rek, text))

    def reply(self, document: object) -> None:
        self.http(200, self.sealed(document))

    def hang_up(self) -> None:
        self.handler.close_connection = True


Behaviour = Callable[[Talk], None]


def no_news(talk: Talk) -> None:
    talk.reply({"serviceId": talk.request["serviceId"], "errorMsg": None, "data": []})


class Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        self.close_connection = False
        self.server.treasury.connections += 1
        while not self.close_connection:
            request_line = self.rfile.readline()
            if not request_line:
                return
            headers = {}
            while (line := self.rfile.readline().strip()) != b"":
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            body = self.rfile.read(int(headers.get("content-length", "0")))
            path = request_line.split()[1].decode()
            self.server.treasury.serve(path, Talk(self, headers, body))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    treasury: TinyTreasury
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls is not None:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client's end of a fault is under test, not ours."""


class TinyTreasury:
    def __init__(self, private_key: rsa.RSAPrivateKey, tls: ssl.SSLContext | None = None) -> None:
        self._private_key = private_key
        self.login: Behaviour = self.log_in
        self.script: deque[Behaviour] = deque()
        self.otherwise: Behaviour = no_news
        self.requests: list[Talk] = []
        self.logins = 0
        self.login_attempts = 0
        self.connections = 0
        self.session: tuple[str, bytes] = ("", b"")
        self.release = threading.Event()  # ends every behaviour that waits
        self.lock = threading.Lock()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.treasury = self
        self.server.tls = tls
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.release.set()
        self.server.shutdown()
        self.server.server_close()

    def serve(self, path: str, talk: Talk) -> None:
        if path == AUTHENTICATE_PATH:
            with self.lock:
                self.login_attempts += 1
            self.login(talk)
            return
        assert path == SERVICE_PATH
        with self.lock:
            token, sek = self.session
            self.requests.append(talk)
            behaviour = self.script.popleft() if self.script else self.otherwise
        if talk.headers["authtoken"] != token:
            talk.http(401, b'{"errorMsg":"No valid session encryption key found"}')
            return
        document = json.loads(talk.body)
        talk.rek = aes_decrypt(sek, base64.b64decode(document["rek"]))
        talk.request = json.loads(aes_decrypt(sek, base64.b64decode(document["params"])))
        behaviour(talk)

    def app_key(self, talk: Talk) -> bytes:
        return self._private_key.decrypt(base64.b64decode(json.loads(talk.body)["appKey"]), OAEP)

    def log_in(self, talk: Talk) -> None:
        app_key = self.app_key(talk)
        with self.lock:
            self.logins += 1
            self.session = (f"sample-token-{self.logins}-{os.urandom(4).hex()}", os.urandom(32))
            token, sek = self.session
        talk.http(200, json.dumps({"authToken": token, "sek": talk.sealed(sek, app_key).decode()}).encode())

    def expire(self) -> None:
        with self.lock:
            self.session = ("expired", os.urandom(32))


@pytest.fixture(scope="session")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def public_key(private_key: rsa.RSAPrivateKey) -> str:
    der = private_key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(der).decode()


@pytest.fixture
def treasury(private_key: rsa.RSAPrivateKey) -> Iterator[TinyTreasury]:
    tiny = TinyTreasury(private_key)
    yield tiny
    tiny.stop()


@pytest.fixture
def config(treasury: TinyTreasury, public_key: str) -> Callable[..., TreasuryConfig]:
    def make(**options: Any) -> TreasuryConfig:
        return TreasuryConfig(
            **{
                "base_url": f"http://127.0.0.1:{treasury.port}",
                "client_id": "sample-client",
                "client_secret": SECRET,
                "public_key": public_key,
                "timeout_seconds": 5,
                **options,
            }
        )

    return make


@dataclass(frozen=True)
class Certificate:
    bundle: Path
    context: ssl.SSLContext


@pytest.fixture(scope="session")
def certificate(private_key: rsa.RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for localhost, not for 127.0.0.1, that signs itself, and the bundle that trusts it."""
    return signed_certificate(private_key, tmp_path_factory.mktemp("tls"), timedelta(days=-1), timedelta(days=1))


def signed_certificate(
    private_key: rsa.RSAPrivateKey, folder: Path, valid_from: timedelta, valid_to: timedelta
) -> Certificate:
    """A certificate for localhost that signs itself, valid so long from now."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sample treasury")])
    made = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key.public_key())
        .serial_number(1)
        .not_valid_before(made + valid_from)
        .not_valid_after(made + valid_to)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private_key, hashes.SHA256())
    )
    bundle, key = folder / "bundle.pem", folder / "key.pem"
    bundle.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle, key)
    return Certificate(bundle, context)


@pytest.fixture
def dated_treasury(
    private_key: rsa.RSAPrivateKey, tmp_path: Path
) -> Iterator[Callable[..., tuple[TinyTreasury, Path]]]:
    """`dated_treasury(valid_from, valid_to)`: a treasury whose certificate is valid then, and the bundle that trusts it."""
    made: list[TinyTreasury] = []

    def serve(valid_from: timedelta, valid_to: timedelta) -> tuple[TinyTreasury, Path]:
        dated = signed_certificate(private_key, tmp_path, valid_from, valid_to)
        made.append(TinyTreasury(private_key, dated.context))
        return made[-1], dated.bundle

    yield serve
    for tiny in made:
        tiny.stop()


@pytest.fixture
def tls_treasury(private_key: rsa.RSAPrivateKey, certificate: Certificate) -> Iterator[TinyTreasury]:
    tiny = TinyTreasury(private_key, certificate.context)
    yield tiny
    tiny.stop()
