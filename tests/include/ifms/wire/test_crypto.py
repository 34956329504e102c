from __future__ import annotations

import base64
import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from ifms.errors import ConfigurationError, WireError
from ifms.wire.crypto import (
    aes_decrypt,
    aes_encrypt,
    legacy_decrypt,
    legacy_encrypt,
    load_public_key,
    rsa_encrypt,
)

VECTORS = Path(__file__).parents[4].parent / "shared" / "vectors" / "jit-crypto.json"
OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)
KEY = bytes(range(32))

# FIPS-197 appendix C.3, and the four blocks of NIST SP 800-38A section F.1.5 (ECB-AES256).
FIPS_197 = (
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "00112233445566778899aabbccddeeff",
    "8ea2b7ca516745bfeafc49904b496089",
)
SP_800_38A = (
    "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
    "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"
    "b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7",
)


def java(name: str) -> list[dict]:
    if not VECTORS.exists():
        pytest.skip("the vectors made by Java are not beside this repository")
    return json.loads(VECTORS.read_text())[name]


@pytest.fixture(scope="module")
def private_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def spki(key, encoding=serialization.Encoding.DER) -> bytes:
    return key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


def pkcs8(key, encoding=serialization.Encoding.DER, password=None) -> bytes:
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, how)


# AES ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "plain", "cipher"), [FIPS_197, SP_800_38A], ids=["FIPS-197", "SP 800-38A"])
def test_known_answers(key, plain, cipher):
    """Our text is the known blocks and one more, which is the padding of a text of whole blocks."""
    sealed = aes_encrypt(bytes.fromhex(key), bytes.fromhex(plain))
    assert sealed[:-16].hex() == cipher
    assert aes_decrypt(bytes.fromhex(key), sealed).hex() == plain


def test_what_java_encrypted():
    for vector in java("aes_256_ecb_pkcs5"):
        key, plain = base64.b64decode(vector["key_b64"]), base64.b64decode(vector["plain_utf8_b64"])
        cipher = base64.b64decode(vector["cipher_b64"])
        assert aes_encrypt(key, plain) == cipher, vector["name"]
        assert aes_decrypt(key, cipher) == plain, vector["name"]


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200))
def test_aes_there_and_back(key, plain):
    cipher = aes_encrypt(key, plain)
    assert len(cipher) == len(plain) // 16 * 16 + 16
    assert aes_decrypt(key, cipher) == plain


@pytest.mark.parametrize("length", [0, 16, 24, 31, 33, 64])
def test_an_aes_key_has_32_bytes(length):
    with pytest.raises(ConfigurationError, match=f"{length} bytes"):
        aes_encrypt(b"k" * length, b"")
    with pytest.raises(ConfigurationError, match=f"{length} bytes"):
        aes_decrypt(b"k" * length, b"c" * 16)


@pytest.mark.parametrize("cipher", [b"", b"x" * 15, b"x" * 17, b"x" * 16])
def test_a_text_that_does_not_decrypt(cipher):
    with pytest.raises(WireError):
        aes_decrypt(KEY, cipher)


@given(st.binary(max_size=64))
def test_garbage_decrypts_to_something_or_a_wire_error(cipher):
    with suppress(WireError):
        assert len(aes_decrypt(KEY, cipher)) < len(cipher)


# The Java adapter's log helper ----------------------------------------------------------------------------------------


def test_what_javas_log_helper_wrote():
    for vector in java("aes_ecb_string_key"):
        cipher = base64.b64decode(vector["cipher_b64"])
        assert legacy_decrypt(vector["key_utf8"], cipher) == vector["plain"]
        assert legacy_encrypt(vector["key_utf8"], vector["plain"]) == cipher


def test_a_legacy_key_has_16_bytes_of_utf8():
    assert legacy_decrypt("₹" * 5 + "x", legacy_encrypt("₹" * 5 + "x", "a")) == "a"
    for key in ("", "short", "₹" * 16, "x" * 32):
        with pytest.raises(ConfigurationError):
            legacy_encrypt(key, "a")


def test_a_legacy_record_that_does_not_open():
    with pytest.raises(WireError):
        legacy_decrypt("0123456789abcdef", b"x" * 16)
    not_text = aes_like_legacy("0123456789abcdef", b"\xff\xfe")
    with pytest.raises(WireError, match="UTF-8"):
        legacy_decrypt("0123456789abcdef", not_text)


def aes_like_legacy(key: str, plain: bytes) -> bytes:
    """One block that decrypts to `plain`, made without the helper under test."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    rest = 16 - len(plain)
    encryptor = Cipher(algorithms.AES(key.encode()), modes.ECB()).encryptor()
    return encryptor.update(plain + bytes([rest]) * rest) + encryptor.finalize()


# RSA ------------------------------------------------------------------------------------------------------------------


def test_what_java_encrypted_with_rsa_opens_and_what_we_encrypt_opens_with_its_key():
    for vector in java("rsa_oaep_sha1_mgf1sha1"):
        private = serialization.load_der_private_key(base64.b64decode(vector["private_pkcs8_b64"]), None)
        for sealed in vector["oaep"]:
            plain = base64.b64decode(sealed["plain_b64"])
            assert private.decrypt(base64.b64decode(sealed["cipher_b64"]), OAEP) == plain
            assert private.decrypt(rsa_encrypt(vector["public_x509_b64"], plain), OAEP) == plain


@pytest.mark.parametrize(
    "form",
    [
        spki,
        lambda key: spki(key, serialization.Encoding.PEM),
        lambda key: spki(key, serialization.Encoding.PEM).decode(),
        lambda key: base64.b64encode(spki(key)).decode(),
        lambda key: base64.encodebytes(spki(key)).decode(),
        lambda key: f"\n {base64.b64encode(spki(key)).decode()} \n",
        lambda key: key.public_key(),
        lambda key: load_public_key(spki(key)),
    ],
    ids=["DER", "PEM bytes", "PEM text", "base64", "base64 in lines", "base64 with blanks", "key", "loaded"],
)
def test_every_form_of_the_public_key(private_key, form):
    secret = os.urandom(32)
    assert private_key.decrypt(rsa_encrypt(form(private_key), secret), OAEP) == secret


def test_a_text_that_does_not_fit_the_key(private_key):
    with pytest.raises(WireError, match="215 bytes"):
        rsa_encrypt(private_key.public_key(), b"x" * 215)
    assert len(rsa_encrypt(private_key.public_key(), b"x" * 214)) == 256


@pytest.mark.parametrize("encoding", [serialization.Encoding.DER, serialization.Encoding.PEM])
def test_a_short_key_is_refused(encoding):
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    with pytest.raises(ConfigurationError, match="1024 bits"):
        load_public_key(spki(short, encoding))
    with pytest.raises(ConfigurationError, match="1024 bits"):
        rsa_encrypt(short.public_key(), b"x")


@pytest.mark.parametrize(
    "form",
    [
        pkcs8,
        lambda key: base64.b64encode(pkcs8(key)).decode(),
        lambda key: pkcs8(key, serialization.Encoding.PEM),
        lambda key: pkcs8(key, serialization.Encoding.PEM).decode(),
        lambda key: pkcs8(key, serialization.Encoding.PEM, b"sample password"),
    ],
    ids=["DER", "base64", "PEM bytes", "PEM text", "encrypted PEM"],
)
def test_a_private_key_in_its_place_is_said_so_and_not_shown(private_key, form):
    with pytest.raises(ConfigurationError, match="private key") as caught:
        load_public_key(form(private_key))
    assert len(str(caught.value)) < 100


def test_another_algorithm_is_refused():
    with pytest.raises(ConfigurationError, match="RSA"):
        load_public_key(spki(ec.generate_private_key(ec.SECP256R1())))


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        "",
        "not base64!",
        "caf\u00e9",
        b"\x30\x82",
        "AAAA",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        "-----BEGIN",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ],
)
def test_garbage_in_place_of_the_key(garbage):
    with pytest.raises(ConfigurationError):
        load_public_key(garbage)


@given(st.binary(max_size=100) | st.text(max_size=100))
def test_no_garbage_leaks_another_error(garbage):
    with pytest.raises(ConfigurationError):
        load_public_key(garbage)
