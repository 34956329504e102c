"""The words of an SMS: the story's letter for letter, what is filled in, and which templates fall to the next source."""

import re
from decimal import Decimal

import pytest

from ifms.delivery.sms_texts import CODES, FAILED, PAID, STORY, Texts, mobile_of, texts_of

GSM = re.compile(r"[A-Za-z0-9 @£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!\"#¤%&'()*+,\-./:;<=>?¡ÄÖÑÜ§¿äöñüà]*")
ODIA = "ଆପଣଙ୍କ ଖାତାକୁ Rs. {amount} ପଠାଗଲା (ସାମ୍ପଲ୍\u200c) {UTRNO}"
UNUSABLE = [
    ("{amount} {UTRNO} {name}", "has '{name}' in it"),
    ("{amount} {UTRNO} {amount.real}", "has '{amount.real}' in it"),
    ("{amount} {UTRNO} {0}", "has '{0}' in it"),
    ("{amount} {UTRNO} {}", "has '{}' in it"),
    ("{amount} {UTRNO} {", "has '{' in it"),
    ("{amount}} {UTRNO}", "has '}' in it"),
    ("{amount!r} {UTRNO}", "has '{amount!r}' in it"),
    ("{amount} {utrno}", "has '{utrno}' in it"),
    ("paid by {utr}", "does not name the {amount}"),
    ("paid {amount}", "does not name the transaction, {UTRNO}"),
    ("{amount} {UTRNO}" + "x" * 1000, "has 1016 characters"),
    ("{amount} {UTRNO}\x00", "can't be printed"),
    ("{amount} {UTRNO}\ud800", "can't be printed"),
    (["{amount} {UTRNO}"], "must be a text"),
    (7, "must be a text"),
]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (
            "paid",
            "Payment of Rs. 123456.50 for MUKTA, transaction CMS1234567890123 is made to your registered bank account. "
            "Contact your bank if not credited within 72 hours. MUKTA - Govt. of Odisha.",
        ),
        (
            "failed",
            "Payment of Rs. 123456.50 for MUKTA, transaction CMS1234567890123 is failed. "
            "Contact MUKTA Cell at ULB for more detail. MUKTA - Govt. of Odisha.",
        ),
    ],
)
def test_where_nobody_says_otherwise_the_words_are_the_storys(outcome, words):
    said = Texts().of(outcome, Decimal("123456.5"), "CMS1234567890123", "BN-SA/000001")
    assert said == words
    assert GSM.fullmatch(said)


def test_without_a_utr_the_payment_has_a_number_all_the_same():
    assert "BN-SA/000001" in Texts().of("failed", Decimal(450), None, "BN-SA/000001")


def test_a_connections_templates_are_used_and_an_empty_one_is_none():
    texts = texts_of({"sms_paid": "{UTRNO}: {amount} rupees", "sms_failed": ""})
    assert texts.of("paid", Decimal(450), "U1", "B1") == "U1: 450.00 rupees"
    assert texts.templates[FAILED] == STORY[FAILED]
    assert texts.problems == ()


def test_the_platforms_texts_come_first_one_by_one():
    texts = texts_of({"sms_paid": "own {amount} {utr}", "sms_failed": "own {amount} {utr}"})
    found = {CODES[PAID]: ODIA, "STATUS_LOG_PI_SUCCESS": "nothing of ours"}
    over = texts.under(found, CODES)
    assert over.templates == {PAID: ODIA, FAILED: "own {amount} {utr}"}
    assert over.of("paid", Decimal(1), "U1", "B1") == ODIA.format(amount="1.00", UTRNO="U1")


def test_a_value_is_put_in_as_it_is():
    """A UTR is the treasury's text: nothing in it is a placeholder."""
    texts = texts_of({"sms_paid": "{amount} {utr}"})
    assert texts.of("paid", Decimal(1), "{amount}\\1", "B1") == "1.00 {amount}\\1"


@pytest.mark.parametrize(("template", "says"), UNUSABLE)
@pytest.mark.parametrize("outcome", [PAID, FAILED])
def test_a_template_that_can_not_be_used_is_named_and_the_next_source_speaks(template, says, outcome):
    name = f"sms_{outcome}"
    texts = texts_of({name: template})
    [problem] = texts.problems
    assert problem.startswith(f"{name} ")
    assert says in problem
    assert texts.templates == STORY
    own = texts_of({name: "own {amount} {utr}"}).under({CODES[outcome]: template}, CODES)
    [problem] = own.problems
    assert problem.startswith(f"{CODES[outcome]} ")
    assert own.templates == {**STORY, outcome: "own {amount} {utr}"}


def test_a_template_may_have_lines():
    assert texts_of({"sms_paid": "{amount}\n{UTRNO}"}).problems == ()


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
