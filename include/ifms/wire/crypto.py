"""The treasury's ciphers: AES-256-ECB with PKCS7 and RSA-OAEP with SHA-1 (treasury-jit.md §1), and nothing else.

ECB hides no repetition and detects no change, and SHA-1 is old: both are the treasury's choice, not ours. What this
package keeps for itself is sealed by `ifms.sealing`.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from ifms.errors import ConfigurationError, WireError
from ifms.wire.public_key import PublicKeySource, load_public_key

__all__ = [
    "AES_KEY_BYTES",
    "LEGACY_KEY_BYTES",
    "PublicKeySource",
    "aes_decrypt",
    "aes_encrypt",
    "legacy_decrypt",
    "legacy_encrypt",
    "load_public_key",
    "rsa_encrypt",
]

AES_KEY_BYTES = 32
LEGACY_KEY_BYTES = 16
BLOCK_BYTES = 16

_OAEP = rsa_padding.OAEP(mgf=rsa_padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)  # noqa: S303


def aes_encrypt(key: bytes, plaintext: bytes) -> bytes:
    """`plaintext` under AES-256-ECB with PKCS7 padding.

    Raises ConfigurationError unless the key is exactly 32 bytes.
    """
    return _ecb_encrypt(_checked(key, AES_KEY_BYTES), plaintext)


def aes_decrypt(key: bytes, ciphertext: bytes) -> bytes:
    """The plaintext of `aes_encrypt`.

    Raises ConfigurationError unless the key is exactly 32 bytes, WireError when the text is not whole blocks or its
    padding is wrong: another key, or another cipher's text.
    """
    return _ecb_decrypt(_checked(key, AES_KEY_BYTES), ciphertext)


def rsa_encrypt(public_key: PublicKeySource, plaintext: bytes) -> bytes:
    """`plaintext` under RSA-OAEP with SHA-1 and MGF1-SHA1; `public_key` is whatever `load_public_key` takes.

    Raises ConfigurationError for the key, WireError for a plaintext that does not fit it.
    """
    key = load_public_key(public_key)
    try:
        return key.encrypt(plaintext, _OAEP)
    except ValueError as error:
        raise WireError(f"{len(plaintext)} bytes do not fit an RSA key of {key.key_size} bits") from error


def legacy_encrypt(key: str, text: str) -> bytes:
    """`text` (UTF-8) as the Java adapter's log helper wrote it: AES-128-ECB under the 16 UTF-8 bytes of `key`.

    Raises ConfigurationError when the key has another length.
    """
    return _ecb_encrypt(_checked(key.encode(), LEGACY_KEY_BYTES), text.encode())


def legacy_decrypt(key: str, ciphertext: bytes) -> str:
    """The text of a record that the Java adapter's log helper wrote.

    Raises ConfigurationError when the key is not 16 UTF-8 bytes, WireError when the record does not open under it.
    """
    plaintext = _ecb_decrypt(_checked(key.encode(), LEGACY_KEY_BYTES), ciphertext)
    try:
        return plaintext.decode()
    except UnicodeDecodeError:
        raise WireError("the record does not open to UTF-8 text: another key?") from None


def _checked(key: bytes, length: int) -> bytes:
    if len(key) != length:
        raise ConfigurationError(f"an AES key of {len(key)} bytes; it must be exactly {length}")
    return key


def _ecb_encrypt(key: bytes, plaintext: bytes) -> bytes:
    padder = PKCS7(BLOCK_BYTES * 8).padder()
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()


def _ecb_decrypt(key: bytes, ciphertext: bytes) -> bytes:
    if not ciphertext or len(ciphertext) % BLOCK_BYTES:
        raise WireError(f"a ciphertext of {len(ciphertext)} bytes; it must be whole blocks of {BLOCK_BYTES}")
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()  # noqa: S305
    unpadder = PKCS7(BLOCK_BYTES * 8).unpadder()
    try:
        return unpadder.update(decryptor.update(ciphertext) + decryptor.finalize()) + unpadder.finalize()
    except ValueError:
        raise WireError("the ciphertext's padding is wrong: another key, or not AES-ECB") from None
