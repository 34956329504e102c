"""A certificate that signs itself, for a simulator that other machines reach: the adapter speaks TLS to all of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID_FOR = timedelta(days=3650)


@dataclass(frozen=True)
class Identity:
    """The files that a server proves its name with."""

    certificate: Path
    key: Path


def identity_of(name: str, certificate: Path, state: Path) -> Identity:
    """The identity of the host `name`, made on first use: the certificate for clients, its key beside `state`.

    Raises OSError.
    """
    identity = Identity(certificate, state.with_suffix(".key"))
    if not (identity.key.exists() and identity.certificate.exists()):
        key = ec.generate_private_key(ec.SECP256R1())
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        _write(identity.key, key.private_bytes(pem, pkcs8, serialization.NoEncryption()), 0o600)
        _write(identity.certificate, _signed(name, key).public_bytes(pem), 0o644)
    return identity


def _signed(name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )


def _write(file: Path, content: bytes, mode: int) -> None:
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as target:
        target.write(content)
