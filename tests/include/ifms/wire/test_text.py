from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifms.errors import BadInputError
from ifms.wire.text import accepted, transliterate

TAKEN = re.compile(r"[A-Za-z0-9]+( [A-Za-z0-9]+)*")


@pytest.mark.parametrize(
    ("text", "latin"),
    [
        ("Sample Payee 17", "Sample Payee 17"),
        ("  Sample\t\tPayee\n17 ", "Sample Payee 17"),
        ("Sample\x00Payee", "Sample Payee"),
        ("O'Sample", "OSample"),
        ('"Sample" <script>', "Sample script"),
        ("{{ sample }}", "sample"),
        ("Sample, Payee & Sons (P) Ltd.", "Sample Payee Sons P Ltd"),
        ("Sample 😀 Payee", "Sample Payee"),
        ("Sample\u200bPayee", "SamplePayee"),
        ("Sámple Ñame", "Sample Name"),
        ("ﬁne Ⅳ", "fine IV"),
        ("ତେସ୍ତ", "testa"),
        ("ନମୁନା", "namuna"),
        ("ଓଡ଼ିଶା", "odisha"),
        ("ଭୁବନେଶ୍ୱର", "bhubaneshwara"),
        ("କଟକ", "kataka"),
        ("ଶ୍ରୀ ନମୁନା ୧୭", "shri namuna 17"),
        ("ପୁରୀ", "puri"),
        ("नमूना", "namuna"),
    ],
)
def test_what_becomes_of_a_text(text, latin):
    assert transliterate(text, 100).lower() == latin.lower()


def test_case_is_kept():
    assert transliterate("Sample-PAYEE", 100) == "Sample PAYEE"


@pytest.mark.parametrize("text", ["", " ", "😀", "\0", "—…!", "\u200b", "''"])
def test_nothing_to_send_names_the_field(text):
    with pytest.raises(BadInputError, match="the name of BN-TE/000017 holds no letter"):
        transliterate(text, 100, "the name of BN-TE/000017")


@pytest.mark.parametrize("text", ["Пример", "Sample 漢字", "Sampl\u0435 Payee"])
def test_a_letter_of_another_script_is_refused_rather_than_guessed(text):
    with pytest.raises(BadInputError, match="the name of BN-TE/000017 holds a C"):
        transliterate(text, 100, "the name of BN-TE/000017")


def test_a_long_text_is_cut_without_a_blank_at_its_end():
    assert transliterate("abc " * 2500, 8) == "abc abc"
    assert transliterate("ନମୁନା " * 2500, 6) == "namuna"


@given(st.text(min_size=1), st.integers(1, 60))
def test_whatever_comes_out_is_accepted(text, most):
    try:
        latin = transliterate(text, most)
    except BadInputError:
        return
    assert TAKEN.fullmatch(latin)
    assert len(latin) <= most
    assert accepted(latin, "it") == latin
    assert transliterate(latin, most) == latin


@given(st.text(alphabet=st.characters(min_codepoint=0x0B00, max_codepoint=0x0B7F), min_size=1))
def test_all_of_odia_comes_out_or_is_an_error_that_names_the_field(text):
    try:
        latin = transliterate(text, 1000, "it")
    except BadInputError:
        # The avagraha is an apostrophe, though Unicode counts it among the letters.
        assert not any("LETTER" in unicodedata.name(character, "") for character in text)
    else:
        assert TAKEN.fullmatch(latin)


@pytest.mark.parametrize("text", ["", " a", "a ", "a  b", "a-b", "ନ", "a\n"])
def test_what_was_not_transliterated_is_refused(text):
    with pytest.raises(BadInputError, match="the purpose"):
        accepted(text, "the purpose")
