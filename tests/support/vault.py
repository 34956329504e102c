"""A Vault to unwrap keys: an OpenBao or Vault where one is on the PATH, and a stand-in of its documented transit decrypt.

The stand-in encrypts with real AES-256-GCM, and knows tokens and AppRoles; what it does not know it answers like Vault.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


@dataclass
class Vault:
    """A server with the transit key `ifms`; `asked` counts what came to the stand-in."""

    address: str
    token: str
    role_id: str
    secret_id: str
    asked: list[str] = field(default_factory=list)

    def call(self, path: str, body: object = None, method: str = "POST") -> Any:
        """Ask its API as the administrator."""
        answer = requests.request(
            method, f"{self.address}/v1/{path}", json=body, headers={"X-Vault-Token": self.token}, timeout=10
        )
        answer.raise_for_status()
        return answer.json() if answer.content else {}

    def wrap(self, plaintext: bytes) -> str:
        """What an administrator would put into a connection."""
        body = {"plaintext": base64.b64encode(plaintext).decode()}
        return str(self.call("transit/encrypt/ifms", body)["data"]["ciphertext"])


@contextmanager
def stand_in() -> Iterator[Vault]:
    """A small server that answers transit's encrypt and decrypt, and AppRole's login."""
    cipher = AESGCM(AESGCM.generate_key(256))
    tokens = {"sample-root-token"}
    vault = Vault("", "sample-root-token", "sample-role", "sample-secret-id")

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            vault.asked.append(self.path)
            status, answer = self._answer(body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _answer(self, body: dict[str, str]) -> tuple[int, dict[str, Any]]:
            if self.path == "/v1/auth/approle/login":
                if (body.get("role_id"), body.get("secret_id")) != (vault.role_id, vault.secret_id):
                    return 400, {"errors": ["invalid role or secret ID"]}
                tokens.add(token := f"sample-{secrets.token_hex(4)}")
                return 200, {"auth": {"client_token": token}}
            if self.headers.get("X-Vault-Token") not in tokens:
                return 403, {"errors": ["permission denied"]}
            if self.path == "/v1/transit/encrypt/ifms":
                nonce = os.urandom(12)
                sealed = nonce + cipher.encrypt(nonce, base64.b64decode(body["plaintext"]), None)
                return 200, {"data": {"ciphertext": f"vault:v1:{base64.b64encode(sealed).decode()}"}}
            if self.path == "/v1/transit/decrypt/ifms":
                sealed = base64.b64decode(body["ciphertext"].rpartition(":")[2])
                try:
                    opened = cipher.decrypt(sealed[:12], sealed[12:], None)
                except InvalidTag:
                    return 400, {"errors": ["cipher: message authentication failed"]}
                return 200, {"data": {"plaintext": base64.b64encode(opened).decode()}}
            return 404, {"errors": []}

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    vault.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield vault
    finally:
        server.shutdown()
        server.server_close()


def program() -> str | None:
    """OpenBao's or Vault's own program, where it is installed."""
    return shutil.which("bao") or shutil.which("vault")


@contextmanager
def real(binary: str) -> Iterator[Vault]:
    """A development server of OpenBao or Vault, in memory."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        binary,
        "server",
        "-dev",
        "-dev-no-store-token",
        "-dev-root-token-id=sample-root-token",
        f"-dev-listen-address=127.0.0.1:{port}",
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    vault = Vault(f"http://127.0.0.1:{port}", "sample-root-token", "", "")
    try:
        _wait(vault)
        vault.call("sys/mounts/transit", {"type": "transit"})
        vault.call("transit/keys/ifms", {"type": "aes256-gcm96"})
        policy = 'path "transit/decrypt/ifms" { capabilities = ["update"] }'
        vault.call("sys/policies/acl/ifms", {"policy": policy})
        vault.call("sys/auth/approle", {"type": "approle"})
        vault.call("auth/approle/role/ifms", {"token_policies": ["ifms"]})
        vault.role_id = vault.call("auth/approle/role/ifms/role-id", method="GET")["data"]["role_id"]
        vault.secret_id = vault.call("auth/approle/role/ifms/secret-id", {})["data"]["secret_id"]
        yield vault
    finally:
        server.terminate()
        server.wait(10)


def _wait(vault: Vault) -> None:
    for _ in range(100):
        try:
            vault.call("sys/health", method="GET")
        except requests.RequestException:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server does not answer")
