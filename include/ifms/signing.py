"""Signs what a payment instruction pays, under a key that the database never holds (decisions/07-sealed-accounts.md).

A signature is an HMAC-SHA-256 and says which key it was made under, so that it can be checked after a new key:

    1 byte    version, 1
    1 byte    length of the key id
    n bytes   key id, UTF-8
    32 bytes  the MAC, over these bytes before it and the content
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from ifms.errors import ConfigurationError, SignatureError
from ifms.sealing import KEY_BYTES, Sealer, decode_key

_VERSION = 1
_MAC_BYTES = 32


def key_fingerprint(key: bytes) -> str:
    """A name for `key` that tells nothing about it."""
    return hashlib.sha256(b"ifms signing key\0" + key).hexdigest()[:16]


class Signer:
    """Signs under one key, checks under that one and older ones. Safe to share between threads."""

    def __init__(self, key: bytes, old_keys: Iterable[bytes] = ()) -> None:
        """Sign under `key` (32 bytes); what was signed under one of `old_keys` still counts.

        Raises ConfigurationError for a key of another length.
        """
        self._key_id = key_fingerprint(key)
        self._keys: Mapping[str, bytes] = {key_fingerprint(each): each for each in (*old_keys, key)}
        if any(len(each) != KEY_BYTES for each in self._keys.values()):
            raise ConfigurationError(f"a signing key must have exactly {KEY_BYTES} bytes")

    @classmethod
    def from_config(cls, signing_key_base64: str, old_signing_keys_base64: Iterable[str] = ()) -> Self:
        """A signer from the connection's base64 texts.

        Raises ConfigurationError unless each is the base64 of exactly 32 bytes.
        """
        old = [decode_key(text, what="old signing key") for text in old_signing_keys_base64]
        return cls(decode_key(signing_key_base64, what="signing key"), old)

    def __repr__(self) -> str:
        return f"Signer(key_id={self._key_id!r})"

    @property
    def key_id(self) -> str:
        """The name of the key that new signatures are made under."""
        return self._key_id

    @property
    def header(self) -> bytes:
        """What every signature under the key of new ones begins with."""
        return _header(self._key_id)

    def sign(self, content: bytes) -> bytes:
        """The signature of `content`."""
        return self.header + self._mac(self._key_id, content)

    def check(self, content: bytes, signature: bytes | None) -> None:
        """Raise SignatureError unless `signature` is that of `content`, under a key that is at hand."""
        if signature is None:
            raise SignatureError("it is not signed")
        signature = bytes(signature)  # a bytea column may come as a memoryview
        key_id = _key_id(signature)
        if key_id not in self._keys:
            raise SignatureError(f"it is signed under key {key_id!r}, which is not at hand: give it as an old key")
        if not hmac.compare_digest(signature[-_MAC_BYTES:], self._mac(key_id, content)):
            raise SignatureError("its signature does not fit: something of it was changed, or written by somebody else")

    def _mac(self, key_id: str, content: bytes) -> bytes:
        return hmac.digest(self._keys[key_id], _header(key_id) + content, "sha256")


@dataclass(frozen=True)
class Keyring:
    """What seals account numbers, and what signs PIs: each under a key of its own."""

    sealer: Sealer
    signer: Signer


def _header(key_id: str) -> bytes:
    name = key_id.encode()
    return bytes((_VERSION, len(name))) + name


def _key_id(signature: bytes) -> str:
    end = 2 + signature[1] if len(signature) >= 2 else 0
    if not end or signature[0] != _VERSION or len(signature) != end + _MAC_BYTES:
        raise SignatureError("what stands for its signature is none")
    return signature[2:end].decode("utf-8", "replace")
