from __future__ import annotations

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifms.errors import ConfigurationError, SealError
from ifms.sealing import Sealer, decode_key, key_fingerprint

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


def text_of(key: bytes) -> str:
    return base64.b64encode(key).decode()


@given(st.binary(max_size=300), st.binary(max_size=20))
def test_what_is_sealed_opens_again(data, associated):
    sealer = Sealer(KEY)
    assert sealer.open(sealer.seal(data, associated), associated) == data


def test_text_is_sealed_as_utf8_and_a_memoryview_opens():
    sealer = Sealer(KEY)
    assert sealer.open(memoryview(sealer.seal("₹ 900"))) == "₹ 900".encode()


def test_the_same_text_never_looks_the_same():
    sealer = Sealer(KEY)
    sealed = sealer.seal(b"sample text of some length")
    assert sealed != sealer.seal(b"sample text of some length")
    assert b"sample" not in sealed


@given(st.data())
def test_one_changed_bit_anywhere_is_noticed(data):
    sealer = Sealer(KEY)
    sealed = bytearray(sealer.seal(b"sample"))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealError):
        sealer.open(bytes(sealed))


@given(st.binary(max_size=80))
def test_garbage_is_only_ever_a_seal_error(garbage):
    with pytest.raises(SealError):
        Sealer(KEY).open(garbage)


@pytest.mark.parametrize("length", range(40))
def test_a_cut_record_is_noticed(length):
    sealer = Sealer(KEY)
    with pytest.raises(SealError):
        sealer.open(sealer.seal(b"sample")[:length])


def test_records_can_not_be_swapped():
    sealer = Sealer(KEY)
    sealed = sealer.seal(b"sample", b"treasury_call/1/sek")
    with pytest.raises(SealError, match="changed"):
        sealer.open(sealed, b"treasury_call/2/sek")
    with pytest.raises(SealError):
        sealer.open(sealed)


def test_old_records_open_after_a_new_key_and_new_ones_are_under_it():
    before = Sealer.from_config(text_of(KEY))
    after = Sealer.from_config(text_of(OTHER), [text_of(KEY)])
    assert after.open(before.seal(b"old")) == b"old"
    with pytest.raises(SealError, match="not at hand"):
        before.open(after.seal(b"new"))


def test_keys_may_be_named():
    old = Sealer(KEY, "2024")
    new = Sealer(OTHER, "2025", {"2024": KEY})
    assert new.key_id == "2025"
    assert new.open(old.seal(b"x")) == b"x"


def test_the_same_name_for_another_key_is_noticed_when_opening():
    with pytest.raises(SealError):
        Sealer(OTHER, "one").open(Sealer(KEY, "one").seal(b"x"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Sealer(b"x" * 16),
        lambda: Sealer(b"x" * 31),
        lambda: Sealer(b"x" * 33),
        lambda: Sealer(KEY, ""),
        lambda: Sealer(KEY, "n" * 256),
        lambda: Sealer(KEY, "one", {"one": OTHER}),
        lambda: Sealer(KEY, "one", {"two": b"short"}),
        lambda: Sealer.from_config(""),
        lambda: Sealer.from_config("not base64!"),
        lambda: Sealer.from_config("caf\u00e9"),
        lambda: Sealer.from_config(text_of(b"x" * 16)),
        lambda: Sealer.from_config(text_of(KEY), ["x"]),
    ],
)
def test_keys_that_are_none_are_configuration_errors(make):
    with pytest.raises(ConfigurationError):
        make()


def test_nothing_shows_the_key():
    key = os.urandom(32)
    shown = repr(Sealer(key)) + key_fingerprint(key)
    assert key.hex() not in shown
    assert text_of(key) not in shown


RARE = bytes([1, 2, 3] + [0xFB, 0xFF, 0xFE] * 9 + [4, 5])  # of every digit that the alphabets differ in
PASTED = {
    "url-safe": base64.urlsafe_b64encode(RARE).decode(),
    "without padding": text_of(RARE).rstrip("="),
    "url-safe without padding": base64.urlsafe_b64encode(RARE).decode().rstrip("="),
    "quoted": f'"{text_of(RARE)}"',
    "with blanks and breaks": f" {text_of(RARE)[:20]}\r\n{text_of(RARE)[20:]} \n",
    "with a written break": text_of(RARE) + "\\n",
    "with a mark before it": "\ufeff" + text_of(RARE),
    "its plus signs lost in an address": text_of(RARE).replace("+", " "),
}


@pytest.mark.parametrize("text", PASTED.values(), ids=PASTED.keys())
def test_a_key_is_taken_as_it_was_pasted(text):
    assert decode_key(text) == RARE


REFUSED_KEYS = {
    "empty": ("", "0 bytes"),
    "too short": (text_of(RARE[:31]), "31 bytes"),
    "too long": (text_of(RARE + b"x"), "33 bytes"),
    "no base64": ("sample key, obviously", "not base64"),
    "hexadecimal": (RARE.hex(), "hexadecimal"),
}


@pytest.mark.parametrize(("text", "said"), REFUSED_KEYS.values(), ids=REFUSED_KEYS.keys())
def test_a_key_that_is_none_is_named_and_not_shown(text, said):
    with pytest.raises(ConfigurationError, match=said) as refused:
        decode_key(text)
    assert not text or text not in str(refused.value)
