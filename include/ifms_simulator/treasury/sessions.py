"""Login and session keys (treasury-jit.md §1)."""

from __future__ import annotations

import hmac
import os
import secrets

from ifms_simulator import crypto
from ifms_simulator.treasury.state import State

EXPIRED = "No valid session encryption key found for this auth token, authenticate again"


class LoginRefused(Exception):
    """Wrong client id, secret or app key; the text is for the caller."""


class Sessions:
    """The open sessions and the key pair; both outlive a restart."""

    def __init__(self, state: State, client_id: str, client_secret: str) -> None:
        self._state = state
        self._client = (client_id.encode(), client_secret.encode())
        self._keys = self._key_pair()
        self._open: dict[str, tuple[bytes, float]] = {
            row["token"]: (row["sek"], row["since"]) for row in state.store.rows("SELECT * FROM session")
        }

    def _key_pair(self) -> crypto.KeyPair:
        row = self._state.store.row("SELECT private_key FROM key_pair")
        if row is not None:
            return crypto.KeyPair.load(row["private_key"])
        keys = crypto.KeyPair.generate()
        with self._state.store.transaction():
            self._state.store.run("INSERT INTO key_pair VALUES (?)", keys.dump())
        return keys

    @property
    def public_key(self) -> str:
        """The treasury's public key, base64 of DER SPKI."""
        return self._keys.public_key

    def log_in(
        self, client_id: str, client_secret: str, app_key: object, sek_bytes: int = 32
    ) -> tuple[str, bytes, bytes]:
        """A new session: its token, its key (of `sek_bytes` bytes), and the caller's app key. Raises LoginRefused."""
        given = (client_id.encode(), client_secret.encode())
        if not all(hmac.compare_digest(ours, theirs) for ours, theirs in zip(self._client, given, strict=True)):
            raise LoginRefused("Invalid client id or client secret")
        if not isinstance(app_key, str):
            raise LoginRefused("appKey is missing")
        try:
            key = self._keys.decrypt(crypto.from_base64(app_key))
        except ValueError:
            raise LoginRefused("Invalid appKey: it can't be decrypted with the treasury's private key") from None
        if len(key) != 32:
            raise LoginRefused("Invalid appKey: it is not 32 bytes long")
        token, sek, now = secrets.token_urlsafe(32), os.urandom(sek_bytes), self._state.now()
        self._open[token] = (sek, now)
        self._state.store.run("INSERT INTO session VALUES (?, ?, ?)", token, sek, now)
        return token, sek, key

    def key_of(self, token: str) -> bytes | None:
        """The session key of a token, or None when there is no such session, or no longer."""
        session = self._open.get(token)
        if session is None:
            return None
        sek, since = session
        if self._state.now() - since >= self._state.settings.session_minutes * 60:
            self.end(token)
            return None
        return sek

    def end(self, token: str) -> None:
        """End one session."""
        self._open.pop(token, None)
        with self._state.store.transaction():
            self._state.store.run("DELETE FROM session WHERE token = ?", token)

    def end_all(self) -> int:
        """End every session and return how many there were."""
        ended = len(self._open)
        self._open.clear()
        with self._state.store.transaction():
            self._state.store.run("DELETE FROM session")
        return ended

    def __len__(self) -> int:
        return len(self._open)
