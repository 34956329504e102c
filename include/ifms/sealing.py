"""Seals what must be kept but not read: requests, keys and tokens of the call log (decisions/07-sealed-accounts.md).

A sealed record is AES-256-GCM and says which key it was sealed under, so records stay readable after a new key:

    1 byte   version, 1
    1 byte   length of the key id
    n bytes  key id, UTF-8
    12 bytes nonce, random
    rest     ciphertext and tag

All of it is authenticated: a record with one changed bit does not open.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ifms.errors import ConfigurationError, SealError
from ifms.pasted import base64_readings, unwrapped

KEY_BYTES = 32
_HEX_KEY = re.compile(rf"[0-9a-fA-F]{{{2 * KEY_BYTES}}}")
_VERSION = 1
_NONCE_BYTES = 12
_TAG_BYTES = 16


def key_fingerprint(key: bytes) -> str:
    """A name for `key` that tells nothing about it; what a key is called when nobody named it."""
    return hashlib.sha256(b"ifms sealing key\0" + key).hexdigest()[:16]


class Sealer:
    """Seals under one key, opens under that one and older ones. Safe to share between threads."""

    def __init__(self, key: bytes, key_id: str | None = None, old_keys: Mapping[str, bytes] | None = None) -> None:
        """Seal under `key` (32 bytes), named `key_id` or by its fingerprint; open under `old_keys` (id → key) too.

        Raises ConfigurationError for a key of another length, a name of over 255 bytes, or two keys of one name.
        """
        self._key_id = key_fingerprint(key) if key_id is None else key_id
        self._ciphers = {name: _cipher(name, old) for name, old in (old_keys or {}).items()}
        if self._key_id in self._ciphers:
            raise ConfigurationError(f"the sealing key {self._key_id!r} is also among the old keys")
        self._ciphers[self._key_id] = _cipher(self._key_id, key)

    @classmethod
    def from_config(cls, log_key_base64: str, old_log_keys_base64: Iterable[str] = ()) -> Self:
        """A sealer from the connection's base64 texts; every key is named by its fingerprint.

        Raises ConfigurationError unless each is the base64 of exactly 32 bytes.
        """
        key = decode_key(log_key_base64)
        old_keys = (decode_key(text, what="old log key") for text in old_log_keys_base64)
        return cls(key, old_keys={key_fingerprint(old): old for old in old_keys if old != key})

    def __repr__(self) -> str:
        return f"Sealer(key_id={self._key_id!r})"

    @property
    def key_id(self) -> str:
        """The name of the key that new records are sealed under."""
        return self._key_id

    @property
    def header(self) -> bytes:
        """What every record under the key of new records begins with."""
        return _header(self._key_id)

    def seal(self, plaintext: bytes | str, associated: bytes = b"") -> bytes:
        """`plaintext` (text as UTF-8), sealed; `associated` is not kept, but opening needs the same again.

        Give what the record belongs to (its id, its column) as `associated`, and records can't be swapped.
        """
        header = _header(self._key_id)
        nonce = os.urandom(_NONCE_BYTES)
        data = plaintext.encode() if isinstance(plaintext, str) else plaintext
        return header + nonce + self._ciphers[self._key_id].encrypt(nonce, data, header + associated)

    def open(self, sealed: bytes, associated: bytes = b"") -> bytes:
        """The plaintext of a record from `seal`.

        Raises SealError when it was changed, cut, sealed with other `associated` data, or under a key not at hand.
        """
        sealed = bytes(sealed)  # a bytea column may come as a memoryview
        key_id, start = _read_header(sealed)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealError(f"the record is sealed under key {key_id!r}, which is not at hand: give it as an old key")
        nonce, ciphertext = sealed[start : start + _NONCE_BYTES], sealed[start + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, ciphertext, sealed[:start] + associated)
        except InvalidTag:
            raise SealError(f"the record under key {key_id!r} does not open: it was changed, or is another's") from None


def decode_key(text: str, what: str = "log key") -> bytes:
    """The 32 bytes of a base64 key; `what` names it in the ConfigurationError for anything else.

    Either alphabet of base64, with its padding or without; quotes and blanks around it don't count.
    """
    bare = unwrapped(text)
    if _HEX_KEY.fullmatch(bare):
        raise ConfigurationError(f"the {what} is hexadecimal; it must be the base64 of exactly {KEY_BYTES} bytes")
    read = base64_readings(bare)
    if not read:
        raise ConfigurationError(f"the {what} is not base64")
    for key in read:
        if len(key) == KEY_BYTES:
            return key
    raise ConfigurationError(f"the {what} has {len(read[0])} bytes; it must be the base64 of exactly {KEY_BYTES}")


def _cipher(name: str, key: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"the sealing key {name!r} has {len(key)} bytes; it must be exactly {KEY_BYTES}")
    if not 0 < len(name.encode()) <= 255:
        raise ConfigurationError("a sealing key's id must have 1 to 255 bytes")
    return AESGCM(key)


def _header(key_id: str) -> bytes:
    name = key_id.encode()
    return bytes((_VERSION, len(name))) + name


def _read_header(sealed: bytes) -> tuple[str, int]:
    """The key id, and where the nonce starts."""
    start = 2 + sealed[1] if len(sealed) >= 2 else 0
    if not start or sealed[0] != _VERSION or len(sealed) < start + _NONCE_BYTES + _TAG_BYTES:
        raise SealError("that is not a sealed record, or it was cut")
    try:
        return sealed[2:start].decode(), start
    except UnicodeDecodeError:
        raise SealError("that is not a sealed record: its key id is not text") from None
