"""Signatures: under a key, over all of the content."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifms.errors import ConfigurationError, SignatureError
from ifms.signing import Signer, key_fingerprint

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
CONTENT = b"PI-SA/2024-25/000001 pays 100.00"


def test_what_was_signed_fits_and_the_signature_says_under_which_key():
    signature = Signer(KEY).sign(CONTENT)
    Signer(KEY).check(CONTENT, signature)
    Signer(KEY).check(CONTENT, memoryview(signature))
    assert signature.startswith(Signer(KEY).header)
    assert key_fingerprint(KEY).encode() in signature
    assert KEY not in signature


@given(st.binary(min_size=1), st.data())
def test_no_byte_of_content_or_signature_can_be_another(content, data):
    signature = Signer(KEY).sign(content)
    which = data.draw(st.sampled_from(["content", "signature"]))
    changed = bytearray(content if which == "content" else signature)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SignatureError):
        if which == "content":
            Signer(KEY).check(bytes(changed), signature)
        else:
            Signer(KEY).check(content, bytes(changed))


@pytest.mark.parametrize("signature", [None, b"", b"\x01", b"\x01\x10", bytes(50), Signer(KEY).sign(CONTENT)[:-1]])
def test_what_is_no_signature_is_said_so(signature):
    with pytest.raises(SignatureError, match="not signed|is none"):
        Signer(KEY).check(CONTENT, signature)


def test_old_keys_check_and_do_not_sign():
    both = Signer(OTHER, [KEY])
    both.check(CONTENT, Signer(KEY).sign(CONTENT))
    assert both.sign(CONTENT) == Signer(OTHER).sign(CONTENT)
    with pytest.raises(SignatureError, match=f"{key_fingerprint(KEY)}.*not at hand"):
        Signer(OTHER).check(CONTENT, Signer(KEY).sign(CONTENT))


@pytest.mark.parametrize("text", ["", "no base64!", base64.b64encode(b"short").decode()])
def test_a_key_that_is_none_is_refused_by_name(text):
    with pytest.raises(ConfigurationError, match="signing key"):
        Signer.from_config(text)
    with pytest.raises(ConfigurationError, match="old signing key"):
        Signer.from_config(base64.b64encode(KEY).decode(), [text])


def test_a_signer_shows_no_key():
    assert repr(Signer(KEY)) == f"Signer(key_id='{key_fingerprint(KEY)}')"
    assert Signer(KEY).key_id == key_fingerprint(KEY)
