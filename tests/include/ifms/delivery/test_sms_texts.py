"""The words of an SMS: what fits, what is filled in, and which templates are refused."""

import re
from decimal import Decimal

import pytest

from ifms.delivery.sms_texts import FAILED, PAID, Texts, mobile_of, texts_of
from ifms.errors import ConfigurationError

GSM = re.compile(r"[A-Za-z0-9 @£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!\"#¤%&'()*+,\-./:;<=>?¡ÄÖÑÜ§¿äöñüà]*")


@pytest.mark.parametrize("outcome", ["paid", "failed"])
def test_what_is_said_fits_into_one_sms(outcome):
    said = Texts().of(outcome, Decimal("99999.99"), "CMS1234567890123", "BN-SA/000001")
    assert len(said) <= 160
    assert GSM.fullmatch(said)
    assert "Rs.99,999.99" in said
    assert "CMS1234567890123" in said


def test_without_a_utr_the_payment_has_a_number_all_the_same():
    assert "BN-SA/000001" in Texts().of("failed", Decimal(450), None, "BN-SA/000001")


def test_the_platforms_own_templates_can_be_given():
    texts = texts_of({"sms_paid": "{UTRNO}: {amount} rupees", "sms_failed": ""})
    assert texts.of("paid", Decimal(450), "U1", "B1") == "U1: 450.00 rupees"
    assert texts.failed == FAILED


def test_a_value_is_put_in_as_it_is():
    """A UTR is the treasury's text: nothing in it is a placeholder."""
    assert Texts("{amount} {utr}").of("paid", Decimal(1), "{amount}\\1", "B1") == "1.00 {amount}\\1"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{amount} {name}", "'{name}'"),
        ("{amount} {amount.real}", "'{amount.real}'"),
        ("{amount} {0}", "'{0}'"),
        ("{amount} {}", "'{}'"),
        ("{amount} {", "'{'"),
        ("{amount}}", "'}'"),
        ("{amount!r}", "'{amount!r}'"),
        ("paid by {utr}", "does not name the {amount}"),
        ("{amount}" + "x" * 1000, "characters"),
        ("{amount}\n", "one line"),
        ("{amount}\x00", "one line"),
    ],
)
def test_a_template_that_can_not_be_filled_in_is_named(template, says):
    for name in ("sms_paid", "sms_failed"):
        with pytest.raises(ConfigurationError, match=rf"{name} .*{re.escape(says)}"):
            texts_of({name: template})


def test_a_template_is_a_text():
    with pytest.raises(ConfigurationError, match="sms_paid must be a text"):
        texts_of({"sms_paid": ["{amount}"]})
    assert texts_of({}).paid == PAID


@pytest.mark.parametrize(
    ("entered", "number"),
    [
        ("9876543210", "9876543210"),
        ("+91 98765-43210", "9876543210"),
        ("919876543210", "9876543210"),
        ("09876543210", "9876543210"),
        (" (98765) 43210 ", "9876543210"),
        ("9999999999", None),
        ("1234567890", None),
        ("******3210", None),
        ("98765", None),
        ("98765432101", None),
        ("९८७६५४३२१०", None),
        ("", None),
        (None, None),
    ],
)
def test_a_mobile_number_is_ten_digits(entered, number):
    assert mobile_of(entered) == number
