"""Rupees: what is taken, what is refused, and that nothing is rounded on the way. Rows: money-rules.md §4, "amounts"."""

import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ifms.errors import BadInputError
from ifms.money import MAX_AMOUNT, grouped, grouped_count, positive_rupees, rupees, wire_amount

TAKEN = {
    "0": "0.00",
    "-1": "-1.00",
    "7": "7.00",
    "0.1": "0.10",
    "0.01": "0.01",
    "007.50": "7.50",
    "0.10000": "0.10",
    "9999999999999.98": "9999999999999.98",
    "9999999999999.99": "9999999999999.99",
    "-9999999999999.99": "-9999999999999.99",
}


@pytest.mark.parametrize(("text", "amount"), TAKEN.items())
def test_is_taken_with_two_decimals(text, amount):
    for value in (text, Decimal(text)):
        assert str(rupees(value)) == amount
    assert wire_amount(rupees(text)) == amount


def test_whole_numbers_are_taken():
    assert str(rupees(174)) == "174.00"
    assert str(rupees(-1)) == "-1.00"
    assert str(rupees(Decimal("1e3"))) == "1000.00"


REFUSED = {
    "a third decimal": ("0.001", "more than two decimals"),
    "a third decimal after two": ("1.005", "more than two decimals"),
    "a decimal far out": ("1." + "0" * 27 + "1", "more than two decimals"),
    "an exponent": ("1e3", "not a plain decimal number"),
    "not a number": ("NaN", "not a plain decimal number"),
    "infinity": ("Infinity", "not a plain decimal number"),
    "a separator": ("1,000", "not a plain decimal number"),
    "an underscore": ("1_000", "not a plain decimal number"),
    "Odia digits": ("୧୦୦", "not a plain decimal number"),
    "Devanagari digits": ("१००", "not a plain decimal number"),
    "hexadecimal": ("0x10", "not a plain decimal number"),
    "a plus": ("+1", "not a plain decimal number"),
    "no whole part": (".5", "not a plain decimal number"),
    "no decimals after the point": ("1.", "not a plain decimal number"),
    "nothing": ("", "not a plain decimal number"),
    "a blank before": (" 1", "not a plain decimal number"),
    "a line feed behind": ("1\n", "not a plain decimal number"),
    "a currency": ("₹1", "not a plain decimal number"),
    "0.01 above the column": ("10000000000000.00", "larger than 9999999999999.99"),
    "0.01 below the column": ("-10000000000000.00", "larger than 9999999999999.99"),
    "16 digits": ("9" * 16 + ".99", "larger than"),
    "17 digits": ("9" * 17, "not a plain decimal number"),
    "10 kB": ("1" * 10_000, "not a plain decimal number"),
    "a Decimal NaN": (Decimal("NaN"), "not a plain decimal number"),
    "a signalling NaN": (Decimal("sNaN"), "not a plain decimal number"),
    "a Decimal infinity": (Decimal("-Infinity"), "not a plain decimal number"),
    "a Decimal above the column": (MAX_AMOUNT + Decimal("0.01"), "larger than"),
    "a Decimal with a third decimal": (Decimal("0.001"), "more than two decimals"),
    "an int above the column": (10**13, "larger than"),
    "a float": (1.5, "is a float"),
    "a whole float": (1.0, "is a float"),
    "true": (True, "is a bool"),
    "false": (False, "is a bool"),
    "bytes": (b"1", "is a bytes"),
    "null": (None, "is a NoneType"),
}


@pytest.mark.parametrize(("value", "why"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("take", [rupees, positive_rupees])
def test_is_refused_and_the_thing_is_named(take, value, why):
    with pytest.raises(BadInputError, match=why) as refused:
        take(value, "the net amount of bill 17")
    assert str(refused.value).startswith("the net amount of bill 17 ")
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    "value", [10**5000, "1." + "9" * 10_000], ids=["an int of 5,000 digits", "a fraction of 10 kB"]
)
def test_a_huge_value_is_refused_in_few_words(value):
    with pytest.raises(BadInputError) as refused:
        rupees(value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("value", ["0", "0.00", "-0", "-0.01", "-1", 0, -1, Decimal(0), Decimal("-9999999999999.99")])
def test_what_is_paid_is_more_than_zero(value):
    with pytest.raises(BadInputError, match=r"amount -?[0-9.]+ is not more than zero"):
        positive_rupees(value)


def test_one_paisa_is_more_than_zero():
    assert positive_rupees("0.01") == Decimal("0.01")
    assert positive_rupees(MAX_AMOUNT) == MAX_AMOUNT


paise = st.integers(min_value=-(10**15) + 1, max_value=10**15 - 1)


@example(10**15 - 1)
@example(-(10**15) + 1)
@example(-1)
@given(paise)
def test_every_amount_of_the_column_comes_back_as_it_was(count):
    amount = Decimal(count) / 100
    text = wire_amount(amount)
    assert rupees(text) == rupees(amount) == amount
    assert wire_amount(rupees(text)) == text
    assert text.rpartition(".")[2].isdecimal()
    assert len(text.rpartition(".")[2]) == 2


@example("1e3")
@example("୧")
@example("1\n")
@given(st.text(max_size=30))
def test_any_text_is_a_number_or_refused(text):
    try:
        amount = rupees(text)
    except BadInputError:
        return
    assert text.isascii()
    assert amount == Decimal(text)
    assert abs(amount) <= MAX_AMOUNT


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("0", "0.00"),
        ("0.01", "0.01"),
        ("999.5", "999.50"),
        ("1000", "1,000.00"),
        ("99999.99", "99,999.99"),
        ("100000", "1,00,000.00"),
        ("123456.78", "1,23,456.78"),
        ("1234567", "12,34,567.00"),
        ("10000000", "1,00,00,000.00"),
        ("9999999999999.99", "99,99,99,99,99,999.99"),
        ("-1234567.01", "-12,34,567.01"),
    ],
)
def test_digits_are_grouped_as_in_india(amount, said):
    assert grouped(Decimal(amount)) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0"),
        (999, "999"),
        (-1000, "-1,000"),
        (99_999, "99,999"),
        (100_000, "1,00,000"),
        (-12_345_678, "-1,23,45,678"),
    ],
)
def test_counts_are_grouped_as_in_india_too(number: int, said: str):
    assert grouped_count(number) == said


@given(st.integers(-(10**15), 10**15))
def test_grouping_adds_nothing_but_commas(paise: int):
    amount = Decimal(paise) / 100
    said = grouped(amount)
    assert Decimal(said.replace(",", "")) == amount
    assert re.fullmatch(r"-?(\d{1,3}|\d{1,2}(,\d\d)*,\d{3})\.\d\d", said)
