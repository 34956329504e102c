from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifms.errors import BadInputError
from ifms.wire.bank import (
    another_account,
    another_ifsc,
    mask_account,
    mask_ifsc,
    mask_long_numbers,
    quoted,
    same_utr,
    valid_account_number,
    valid_ifsc,
    zero_long_numbers,
)
from ifms.wire.phrasebook import template_of

WHO = "Sample Payee 17 (BN-TE/000017)"


@pytest.mark.parametrize("number", ["123456789", "000000123", "00123456789012", "123456789012345678"])
def test_an_account_number_is_kept_as_it_is(number):
    assert valid_account_number(number, WHO) == number


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (None, "no account number"),
        ("", "no account number"),
        ("   ", "no account number"),
        ("**********9012", "masked"),
        ("100001|q83vEjRWeJA=", "not decrypted"),
        ("12345678", "digits"),
        ("1" * 19, "digits"),
        ("1" * 40, "digits"),
        (" 123456789012", "digits"),
        ("123456789012 ", "digits"),
        ("1234 56789012", "digits"),
        ("123456\u200b789012", "digits"),
        ("\ufeff123456789012", "digits"),
        ("123456789012\n", "digits"),
        ("ABC123456789", "digits"),
        ("-123456789012", "digits"),
        ("\u0b67\u0b68\u0b69\u0b6a\u0b6b\u0b6c\u0b6d\u0b6e\u0b6f", "digits"),
        ("1.23456789E12", "digits"),
        ("\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19", "digits"),
        ("=123456789012", "digits"),
    ],
)
def test_anything_else_names_the_payee_and_not_the_number(number, said):
    with pytest.raises(BadInputError, match=said) as caught:
        valid_account_number(number, WHO)
    assert WHO in str(caught.value)
    if number and number.strip():
        assert number not in str(caught.value)


@pytest.mark.parametrize("code", ["SMPL0000001", "ABCD0EF9999", "ICIC0000047"])
def test_an_ifsc_is_kept_as_it_is(code):
    assert valid_ifsc(code, WHO) == code


@pytest.mark.parametrize(
    "code",
    [
        None,
        "",
        " ",
        "SMPL1000001",
        "smpl0000001",
        "SMPLO000001",
        "SMPL000001",
        "SMPL00000011",
        " SMPL0000001",
        "SMPL0000001\n",
        "SMPL0\u200b000001",
        "SM1L0000001",
        "SMPL0*****01",
        "SMPL0000-01",
        "\u0410BCD0000001",
    ],
)
def test_any_other_ifsc_names_the_payee(code):
    with pytest.raises(BadInputError, match="IFSC") as caught:
        valid_ifsc(code, WHO)
    assert WHO in str(caught.value)


@pytest.mark.parametrize(
    ("theirs", "ours", "other"),
    [
        ("8796835261186", "8796835261186", False),
        ("8796835261186", "8796835261187", True),
        ("8796835261186", "8796845261186", True),
        (" 8796 8352-61186\u00a0", "8796835261186", False),
        ("12345678901", "00012345678901", False),
        ("000012345678901", "12345678901", False),
        ("45678901", "000045678901", False),
        ("000012345678902", "12345678901", True),
        ("87968352611860", "8796835261186", True),
        ("*********1186", "8796835261186", False),
        ("XXXXXXXXX1187", "8796835261186", True),
        ("1186", "8796835261186", False),
        ("1187", "8796835261186", True),
        ("186", "8796835261187", False),
        ("87968******86", "8796835261187", False),
        ("0000000000000", "8796835261187", False),
        ("8.796835261186E+12", "8796835261187", False),
        ("not told", "8796835261187", False),
        ("8796835261186", "1186", False),
        ("8796835261186", "1187", True),
        ("****1186", "1187", True),
        ("186", "1187", False),
        ("8796835261186", "", False),
        ("٨796835261186", "8796835261187", True),
    ],
)
def test_an_account_as_another_writes_it_is_compared_as_far_as_it_can_be(theirs, ours, other):
    assert another_account(theirs, ours) is other


@pytest.mark.parametrize(
    ("theirs", "ours", "other"),
    [
        ("SAMP0000047", "SAMP0000047", False),
        (" samp 0000047", "SAMP0000047", False),
        ("SAMP0000048", "SAMP0000047", True),
        ("SAMP*****47", "SAMP0000048", False),
        ("SAMP", "SAMP0000048", False),
        ("SAMP0000047", "", False),
    ],
)
def test_an_ifsc_as_another_writes_it_is_compared_as_far_as_it_can_be(theirs, ours, other):
    assert another_ifsc(theirs, ours) is other


def test_masks():
    assert mask_account("00123456789012") == "**********9012"
    assert mask_account("1234") == "****"
    assert mask_account("") == ""
    assert mask_ifsc("ABCD0123412") == "ABCD*****12"
    assert mask_ifsc("ABC") == "***"


@given(st.from_regex(r"[0-9]{9,18}", fullmatch=True))
def test_a_mask_shows_four_digits_at_most(number):
    masked = mask_account(number)
    assert len(masked) == len(number)
    assert masked[:-4] == "*" * (len(number) - 4)
    assert masked[-4:] == number[-4:]


def test_long_numbers_in_foreign_texts_are_masked():
    text = "Bill PI-TE/2024-25/002954: account 00123456789012, code 340"
    assert mask_long_numbers(text) == "Bill PI-TE/2024-25/002954: account **********9012, code 340"


@given(st.text(), st.from_regex(r"[0-9]{9,18}", fullmatch=True), st.text())
def test_no_account_number_survives(before, number, after):
    assert number not in mask_long_numbers(before + number + after)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("PI-SA/2024-25/000017", "'PI-SA/2024-25/000017'"),
        ("00123456789012", "'**********9012'"),
        ("a\nb", r"'a\nb'"),
        (1250, "1250"),
        (None, "None"),
        ("x" * 10_000, "'" + "x" * 100 + "'…"),
        ("1" * 150, "'" + "*" * 100 + "'…"),
    ],
)
def test_what_an_error_quotes(value, shown):
    assert quoted(value) == shown


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("SBIN0A1", "sbin0a1", True),
        (" SBIN0A1\t", "SBIN0A1\n", True),
        ("SBIN0A1", "SBIN0A2", False),
        ("SBIN0A1", "0SBIN0A1", False),
        ("SBIN 0A1", "SBIN0A1", False),
        ("ä", "Ä", False),  # none that a bank gives
    ],
)
def test_a_utr_is_the_same_in_any_case_and_with_blanks_around_it(one, other, same):
    assert same_utr(one, other) is same
    assert same_utr(other, one) is same


@given(st.text("ab :9", max_size=5), st.text("0123456789", min_size=9, max_size=18), st.text("yz :.", max_size=5))
def test_a_text_is_stored_without_an_account_and_is_still_the_same_phrase(before, number, after):
    text = f"{before}{number}{after}"
    kept = zero_long_numbers(text)
    assert len(kept) == len(text)
    assert number not in kept or set(number[:-4]) == {"0"}
    assert template_of(kept, None) == template_of(text, None)
