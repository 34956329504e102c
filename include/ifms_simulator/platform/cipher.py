"""The encryption service's ciphertexts: `<keyId>|<base64>`, AES-GCM per tenant (digit-services.md §7)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ifms_simulator.platform.envelope import ServiceError
from ifms_simulator.store import Json

PLAIN_ROLES = frozenset(
    {"BILL_ACCOUNTANT", "MUKTA_ADMIN", "VIEW_WS_UNMASKED", "VIEW_ORG_UNMASKED", "VIEW_DED_UNMASKED"}
)
"""The roles that see account numbers in clear; everyone else sees the last four digits."""

_NONCE = 12


class Cipher:
    """The keys of the known tenants."""

    def __init__(self, tenants: list[str]) -> None:
        self._ids = {tenant.partition(".")[0]: str(100_001 + number) for number, tenant in enumerate(sorted(tenants))}
        self._keys = {
            number: hashlib.sha256(f"sample key of {tenant}".encode()).digest() for tenant, number in self._ids.items()
        }

    def encrypt(self, tenant: str, plain: str) -> str:
        """The ciphertext of a text; equal texts of one tenant have equal ciphertexts."""
        number = self._ids[tenant.partition(".")[0]]
        key, data = self._keys[number], plain.encode()
        nonce = hmac.digest(key, data, "sha256")[:_NONCE]
        return f"{number}|{base64.b64encode(nonce + AESGCM(key).encrypt(nonce, data, None)).decode('ascii')}"

    def decrypt(self, ciphertext: str) -> str:
        """The text of a ciphertext. Raises ServiceError for what is none, or names no known key."""
        number, bar, rest = ciphertext.partition("|")
        if not bar or not (len(rest) % 4 == 0 or rest.endswith("=")):
            raise ServiceError(("Invalid Ciphertext", "Invalid Ciphertext"))
        key = self._keys.get(number)
        if key is None:
            raise ServiceError(("KEY_NOT_FOUND", f"Key not found for keyId: {number}"))
        try:
            data = base64.b64decode(rest, validate=True)
            return AESGCM(key).decrypt(data[:_NONCE], data[_NONCE:], None).decode()
        except (binascii.Error, InvalidTag, ValueError) as error:
            raise ServiceError(("Invalid Ciphertext", "Invalid Ciphertext")) from error

    def decrypt_tree(self, value: Json) -> Json:
        """`value` with every text in it decrypted; null stays null. Raises ServiceError."""
        if isinstance(value, dict):
            return {name: self.decrypt_tree(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.decrypt_tree(each) for each in value]
        if value is None:
            return None
        if not isinstance(value, str):
            raise ServiceError(("Invalid Ciphertext", "Invalid Ciphertext"))
        return self.decrypt(value)

    def encrypt_tree(self, tenant: str, value: Json) -> Json:
        """`value` with every text in it encrypted."""
        if isinstance(value, dict):
            return {name: self.encrypt_tree(tenant, each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.encrypt_tree(tenant, each) for each in value]
        return None if value is None else self.encrypt(tenant, str(value))


def masked(text: str) -> str:
    """Pattern 001: asterisks except for the last four characters."""
    return "*" * max(len(text) - 4, 0) + text[-4:]
