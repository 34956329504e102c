"""The treasury's public key in every form in which people paste it, and what is said of what it is not."""

from __future__ import annotations

import base64
import re
import textwrap
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from ifms.errors import ConfigurationError
from ifms.wire.public_key import load_public_key

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NUMBERS = KEY.public_key().public_numbers()
DER = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
PKCS1 = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
PKCS1_PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
B64 = base64.b64encode(DER).decode()


def certificate(key) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "treasury.example")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )


CERTIFICATE = certificate(KEY).public_bytes(Encoding.PEM).decode()
OTHERS = certificate(rsa.generate_private_key(public_exponent=65537, key_size=2048)).public_bytes(Encoding.PEM).decode()
BODY = "".join(PEM.splitlines()[1:-1])

TAKEN = {
    "PEM": PEM,
    "PEM bytes": PEM.encode(),
    "DER bytes": DER,
    "base64 of the DER": B64,
    "in lines of 76": "\r\n".join(textwrap.wrap(B64, 76)),
    "without its padding": B64.rstrip("="),
    "of the other alphabet": base64.urlsafe_b64encode(DER).decode(),
    "its plus signs lost in an address": B64.replace("+", " "),
    "PEM with the same loss": f"-----BEGIN PUBLIC KEY-----\n{BODY.replace('+', ' ')}\n-----END PUBLIC KEY-----",
    "breaks written out": PEM.replace("\n", "\\n"),
    "breaks written out twice": PEM.replace("\n", "\\\\n"),
    "breaks of Windows written out": PEM.replace("\n", "\\r\\n"),
    "breaks of Windows": PEM.replace("\n", "\r\n"),
    "breaks of an old Mac": PEM.replace("\n", "\r"),
    "blanks for breaks": PEM.replace("\n", " "),
    "no breaks": PEM.replace("\n", ""),
    "no last break": PEM.rstrip(),
    "indented": textwrap.indent(PEM, "    "),
    "doubled breaks": PEM.replace("\n", "\n\n"),
    "a mark before it": "\ufeff" + PEM,
    "a mark in bytes": b"\xef\xbb\xbf" + PEM.encode(),
    "quoted": f'"{PEM}"',
    "quoted, breaks written out": '"' + PEM.replace("\n", "\\n") + '"',
    "single quotes and blanks": f"  '{PEM}'  \n",
    "base64 quoted": f'"{B64}"',
    "dashes of a word processor": PEM.replace("-----", "—"),
    "fewer dashes": PEM.replace("-----", "----"),
    "base64 of the PEM": base64.b64encode(PEM.encode()).decode(),
    "base64 of the PEM in lines": base64.encodebytes(PEM.encode()).decode(),
    "base64 of the base64": base64.b64encode(B64.encode()).decode(),
    "base64 of base64 of the PEM": base64.b64encode(base64.b64encode(PEM.encode())).decode(),
    "PKCS#1 PEM": PKCS1_PEM,
    "PKCS#1 PEM, breaks written out": PKCS1_PEM.replace("\n", "\\n"),
    "PKCS#1 DER": PKCS1,
    "PKCS#1 base64": base64.b64encode(PKCS1).decode(),
    "PKCS#1 under SPKI's label": PKCS1_PEM.replace("RSA PUBLIC KEY", "PUBLIC KEY"),
    "SPKI under PKCS#1's label": PEM.replace("PUBLIC KEY", "RSA PUBLIC KEY"),
    "a certificate": CERTIFICATE,
    "a certificate, breaks written out": CERTIFICATE.replace("\n", "\\n"),
    "a certificate's DER": certificate(KEY).public_bytes(Encoding.DER),
    "a certificate's base64": base64.b64encode(certificate(KEY).public_bytes(Encoding.DER)).decode(),
    "a chain": CERTIFICATE + OTHERS,
    "words before it": f"Bag Attributes\n    friendlyName: treasury\nsubject=CN = treasury.example\n{CERTIFICATE}",
}


@pytest.mark.parametrize("source", TAKEN.values(), ids=TAKEN.keys())
def test_is_taken(source):
    assert load_public_key(source).public_numbers() == NUMBERS


def private(encoding, form, password=None):
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return KEY.private_bytes(encoding, form, how)


def spki(key, encoding=Encoding.PEM) -> bytes:
    return key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


EC = ec.generate_private_key(ec.SECP256R1())
SHORT = rsa.generate_private_key(public_exponent=65537, key_size=1024)
CSR = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(KEY, hashes.SHA256())
NAMED = {
    "a private key, PKCS#8": (private(Encoding.PEM, PrivateFormat.PKCS8), "a private key"),
    "a private key, PKCS#1": (private(Encoding.PEM, PrivateFormat.TraditionalOpenSSL), "a private key"),
    "a private key, OpenSSH": (private(Encoding.PEM, PrivateFormat.OpenSSH), "a private key"),
    "a private key, DER": (private(Encoding.DER, PrivateFormat.PKCS8), "a private key"),
    "a private key, base64": (base64.b64encode(private(Encoding.DER, PrivateFormat.PKCS8)).decode(), "a private key"),
    "a private key, PKCS#1 base64": (
        base64.b64encode(private(Encoding.DER, PrivateFormat.TraditionalOpenSSL)).decode(),
        "a private key",
    ),
    "a private key, written breaks": (
        private(Encoding.PEM, PrivateFormat.PKCS8).decode().replace("\n", "\\n"),
        "a private key",
    ),
    "a private key in base64 of PEM": (
        base64.b64encode(private(Encoding.PEM, PrivateFormat.PKCS8)).decode(),
        "a private key",
    ),
    "a private key beside its certificate": (
        CERTIFICATE + private(Encoding.PEM, PrivateFormat.PKCS8).decode(),
        "a private key",
    ),
    "an EC private key": (
        EC.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()),
        "a private key",
    ),
    "encrypted, PKCS#8": (private(Encoding.PEM, PrivateFormat.PKCS8, b"sample"), "an encrypted private key"),
    "encrypted, PKCS#1": (
        private(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, b"sample"),
        "an encrypted private key",
    ),
    "encrypted, base64": (
        base64.b64encode(private(Encoding.DER, PrivateFormat.PKCS8, b"sample")).decode(),
        "an encrypted private key",
    ),
    "an EC key": (spki(EC), r"EC \(secp256r1\), and the treasury's is RSA"),
    "an EC certificate": (certificate(EC).public_bytes(Encoding.PEM), r"EC \(secp256r1\)"),
    "an Ed25519 key": (spki(ed25519.Ed25519PrivateKey.generate()), "Ed25519"),
    "a DSA key": (spki(dsa.generate_private_key(1024)), "DSA"),
    "too few bits": (spki(SHORT), "1024 bits; at least 2048"),
    "too few bits in a certificate": (certificate(SHORT).public_bytes(Encoding.PEM), "1024 bits; at least 2048"),
    "cut base64": (B64[:200], f"cut: 150 of its {len(DER)} bytes"),
    "cut in its PEM": ("\n".join(PEM.splitlines()[:4]), "END line is missing"),
    "a line is lost": ("\n".join([*PEM.splitlines()[:3], *PEM.splitlines()[4:]]), f"cut: .* of its {len(DER)} bytes"),
    "cut DER": (DER[:100], f"cut: 100 of its {len(DER)} bytes"),
    "cut in base64 of the PEM": (base64.b64encode(PEM.encode()[:200]).decode(), "END line is missing"),
    "longer than it says": (base64.b64encode(DER + b"xyz").decode(), "3 bytes follow"),
    "two keys": (PEM + PEM, "2 things are pasted together"),
    "a request": (CSR.public_bytes(Encoding.PEM), "it is a CERTIFICATE REQUEST"),
    "a request's DER": (CSR.public_bytes(Encoding.DER), "something else than a public key"),
    "PGP": ("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ==\n-----END PGP PUBLIC KEY BLOCK-----", "it is a PGP PUBLIC"),
    "SSH": (KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH), "SSH's form"),
    "a JWK": ('{"kty": "RSA", "n": "0vx7ago", "e": "AQAB"}', "JSON or XML"),
    "nothing": ("", "empty"),
    "quotes alone": ('""', "empty"),
    "words": ("the treasury's key!", "neither PEM nor base64"),
    "base64 of something": (base64.b64encode(b"\x00\x01\x02\xff" * 20).decode(), "something else than a key"),
    "a damaged key": (base64.b64encode(DER[:10] + b"\0" * (len(DER) - 10)).decode(), "damaged"),
    "other bytes": (b"\xff\xfe\x00\x01", "neither text nor DER"),
}


@pytest.mark.parametrize(("source", "said"), NAMED.values(), ids=NAMED.keys())
def test_is_named_and_not_shown(source, said):
    with pytest.raises(ConfigurationError, match=said) as caught:
        load_public_key(source)
    text = source.decode("latin-1") if isinstance(source, bytes) else source
    for part in re.findall(r"[A-Za-z0-9+/]{12,}", text):
        assert part not in str(caught.value)
    assert caught.value.__cause__ is None
    assert len(str(caught.value)) < 200


@settings(max_examples=200)
@given(st.data())
def test_one_lost_or_changed_character_is_a_configuration_error_or_no_loss(data):
    place = data.draw(st.integers(0, len(PEM) - 1))
    spoiled = PEM[:place] + data.draw(st.text(max_size=2)) + PEM[place + 1 :]
    with suppress(ConfigurationError):
        load_public_key(spoiled)
