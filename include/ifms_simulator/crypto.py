"""The treasury's side of the wire's cryptography, on plain primitives and apart from `ifms.wire` on purpose.

AES-256 in ECB with PKCS padding, and RSA-OAEP with SHA-1 for both hash and mask: the treasury's choice
(treasury-jit.md §1).
"""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_BLOCK = 16
_OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)  # noqa: S303


def encrypt(key: bytes, plaintext: bytes) -> bytes:
    """AES-256-ECB of `plaintext`, padded."""
    missing = _BLOCK - len(plaintext) % _BLOCK
    return encrypt_blocks(key, plaintext + bytes([missing]) * missing)


def encrypt_blocks(key: bytes, blocks: bytes) -> bytes:
    """AES-256-ECB of whole blocks without adding padding: how a reply with broken padding is made."""
    encryptor = Cipher(algorithms.AES256(key), modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(blocks) + encryptor.finalize()


def decrypt(key: bytes, ciphertext: bytes) -> bytes:
    """The plaintext of AES-256-ECB. Raises ValueError when key, length or padding are wrong."""
    if not ciphertext or len(ciphertext) % _BLOCK:
        raise ValueError("the ciphertext is not a whole number of blocks")
    decryptor = Cipher(algorithms.AES256(key), modes.ECB()).decryptor()  # noqa: S305
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    missing = padded[-1]
    if not 1 <= missing <= _BLOCK or padded[-missing:] != bytes([missing]) * missing:
        raise ValueError("the padding is wrong")
    return padded[:-missing]


def from_base64(text: str) -> bytes:
    """The bytes of standard base64. Raises ValueError for anything else."""
    return base64.b64decode(text, validate=True)


def to_base64(data: bytes) -> str:
    """Standard base64, padded, in one line."""
    return base64.b64encode(data).decode("ascii")


class KeyPair:
    """The treasury's RSA key."""

    def __init__(self, private_key: rsa.RSAPrivateKey) -> None:
        self._private_key = private_key

    @classmethod
    def generate(cls) -> KeyPair:
        """A new pair of 2,048 bits."""
        return cls(rsa.generate_private_key(public_exponent=65537, key_size=2048))

    @classmethod
    def load(cls, der: bytes) -> KeyPair:
        """The pair of a PKCS#8 DER private key, as `dump` gives it."""
        # Unchecked: it is one that `generate` made, and to look whether its factors are prime costs as much as a test.
        key = serialization.load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError("the stored key is not an RSA key")
        return cls(key)

    def dump(self) -> bytes:
        """The private key as PKCS#8 DER, for the simulator's own state."""
        return self._private_key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def public_key(self) -> str:
        """The public key as the treasury hands it out: base64 of DER SPKI."""
        return to_base64(
            self._private_key.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )

    def decrypt(self, ciphertext: bytes) -> bytes:
        """The plaintext of RSA-OAEP(SHA-1). Raises ValueError when it is not meant for this key."""
        return self._private_key.decrypt(ciphertext, _OAEP)
