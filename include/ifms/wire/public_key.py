"""The treasury's public key, in whatever form somebody pastes it or a store of secrets hands it over.

Taken is what can only be meant in one way; anything else is named for what it is, without a byte of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from ifms.errors import ConfigurationError
from ifms.pasted import base64_readings, unwrapped

MIN_RSA_BITS = 2048
PublicKeySource = RSAPublicKey | bytes | str

_WANTED = "the treasury's RSA public key is needed, as PEM or as base64 of its DER"
# With dashes of any kind, and as many as were left of them.
_DASHES = "[-\u2010-\u2015\u2212]"
_BEGIN = re.compile(rf"{_DASHES}+\s*BEGIN ([A-Z0-9 ]*?)\s*{_DASHES}+")
_END = re.compile(rf"{_DASHES}+\s*END [A-Z0-9 ]*?\s*{_DASHES}+")
_WRAPPED = 3  # base64 of PEM of … : more is no key


def load_public_key(source: PublicKeySource) -> RSAPublicKey:
    """The RSA key of DER or PEM bytes, of PEM or base64 text, however broken in lines; or as loaded before.

    PKCS#1, SPKI or a certificate.

    Raises ConfigurationError for anything else, which says what it is.
    """
    key = _read(source, _WRAPPED) if isinstance(source, bytes | str) else source
    if key.key_size < MIN_RSA_BITS:
        raise ConfigurationError(f"the public key has {key.key_size} bits; at least {MIN_RSA_BITS} are needed")
    return key


def _read(source: bytes | str, deep: int) -> RSAPublicKey:
    if isinstance(source, bytes) and source[:1] == b"\x30":
        return _of_der(source)
    try:
        text = unwrapped(source.decode("utf-8-sig") if isinstance(source, bytes) else source)
    except UnicodeDecodeError:
        raise _refused("it is neither text nor DER") from None
    if not text:
        raise _refused("it is empty")
    if begins := list(_BEGIN.finditer(text)):
        return _of_pem(text, begins)
    if text.startswith(("ssh-", "ecdsa-")):
        raise _refused("it has SSH's form (ssh-keygen -e -m PKCS8 gives the other)")
    if text.startswith(("{", "[", "<")):
        raise _refused("it is JSON or XML")
    data = _decoded(text)
    if data[:1] != b"\x30" and deep:
        try:
            inner = data.decode("ascii")
        except UnicodeDecodeError:
            raise _refused("it is base64 of something else than a key") from None
        return _read(inner, deep - 1)
    return _of_der(data)


def _of_pem(text: str, begins: list[re.Match[str]]) -> RSAPublicKey:
    labels = [begin[1] for begin in begins]
    for label in labels:
        if label.endswith("PRIVATE KEY"):
            encrypted = label.startswith("ENCRYPTED") or "ENCRYPTED" in text.partition("Proc-Type")[2]
            raise _private(encrypted=encrypted)
    # A chain of certificates begins with whose it is.
    if len(set(labels)) > 1 or (len(labels) > 1 and labels[0] != "CERTIFICATE"):
        raise _refused(f"{len(labels)} things are pasted together; give the one key")
    if labels[0] not in ("PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE"):
        raise _refused(f"it is a {labels[0]}")
    end = _END.search(text, begins[0].end())
    if end is None:
        raise _refused("its END line is missing, so it is cut")
    return _of_der(_decoded(text[begins[0].end() : end.start()]))


def _decoded(text: str) -> bytes:
    """The bytes of base64: of what it may be, what is whole."""
    read = base64_readings(text)
    if not read:
        raise _refused("it is neither PEM nor base64")
    return next((data for data in read if data[:1] == b"\x30" and not _cut(data)), read[0])


def _cut(data: bytes) -> str | None:
    """What is wrong with the length of DER, by its own first bytes; None for what is whole, or no DER at all."""
    if data[:1] != b"\x30":
        return None
    if len(data) < 2 or (data[1] & 0x80 and len(data) < 2 + (data[1] & 0x7F)):
        return "it is cut"
    long = data[1] & 0x7F if data[1] & 0x80 else 0
    whole = 2 + long + (int.from_bytes(data[2 : 2 + long]) if long else data[1])
    if len(data) < whole:
        return f"it is cut: {len(data)} of its {whole} bytes are there"
    return f"{len(data) - whole} bytes follow behind its end" if len(data) > whole else None


def _of_der(data: bytes) -> RSAPublicKey:
    if data[:1] != b"\x30":
        raise _refused("what it encodes is no key")
    if message := _cut(data):
        raise _refused(message)
    for key in _keys(data):
        if isinstance(key, RSAPublicKey):
            return key
        name = f"EC ({key.curve.name})" if isinstance(key, EllipticCurvePublicKey) else type(key).__name__
        raise ConfigurationError(f"the public key is {name}, and the treasury's is RSA")
    try:
        serialization.load_der_private_key(data, password=None)
    except TypeError:
        raise _private(encrypted=True) from None
    except (ValueError, UnsupportedAlgorithm):
        pass
    else:
        raise _private(encrypted=False)
    raise _refused("it is DER of something else than a public key or a certificate, or is damaged")


def _keys(data: bytes) -> Iterator[object]:
    for load in (serialization.load_der_public_key, _of_certificate):  # the first: SPKI and PKCS#1
        try:
            yield load(data)
        except (ValueError, UnsupportedAlgorithm):
            continue


def _of_certificate(der: bytes) -> object:
    """The key of a certificate. Raises ValueError for what is none."""
    from cryptography import x509  # noqa: PLC0415  (half of what a task's start would cost, and keys mostly come bare)

    try:
        return x509.load_der_x509_certificate(der).public_key()
    except x509.InvalidVersion as error:
        raise ValueError(str(error)) from None


def _private(*, encrypted: bool) -> ConfigurationError:
    kind = "an encrypted private key" if encrypted else "a private key"
    return ConfigurationError(f"that is {kind}; the treasury's public key belongs here")


def _refused(why: str) -> ConfigurationError:
    return ConfigurationError(f"the public key can't be read: {why}; {_WANTED}")
