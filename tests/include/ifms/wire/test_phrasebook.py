"""What the treasury's texts mean: by whole phrases, never by single words."""

import re
import uuid
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ifms.errors import BadInputError
from ifms.wire.envelope import MAX_TEXT, ReplyError, Service
from ifms.wire.phrasebook import (
    MEANINGS,
    Meaning,
    Phrase,
    Phrasebook,
    bad_beneficiaries,
    normalised,
    says_no_session,
    shipped,
    template_of,
)

NUMBER = "PI-TE/2024-25/002954"


def errors(*texts, code=None):
    return tuple(ReplyError(code, text) for text in texts)


def phrase(text, meaning=Meaning.NO_NEWS, *services):
    return Phrase(services or (Service.PIS,), text, meaning, "a test")


@pytest.mark.parametrize(
    ("service", "text", "meaning"),
    [
        ("PIS", f"This Bill Number {NUMBER} is rejected by SSU Sample Office", "rejected"),
        ("PIS", f"this  bill number {NUMBER.lower()} IS REJECTED by ssu", "rejected"),
        ("PIS", f"This Bill Number {NUMBER} is rejected by SSU: papers not attached, to be sent again.", "rejected"),
        ("PIS", "Bill not received in JIT-FS", "unknown bill"),
        ("FTPS", "Correction Bill not received in JIT-FS", "unknown bill"),
        ("PI", "Duplicate Payment Information Id", "duplicate"),
        ("PI", "duplicate payment instruction ID.", "duplicate"),
        ("COR", "DUPLICATE PAYMENT INFORMATION ID", "duplicate"),
        ("PI", "Insufficient fund.", "content error"),
        ("PI", "Wrong IFSC provided in Beneficiary Details for BenefId BN/2023-24/000123", "content error"),
        ("COR", "The beneficiary BN-TE/000123 was not present in the original payment instruction.", "content error"),
        ("PI", "Internal Server Error. Please try after some time", "try later"),
        ("PI", "No valid session encryption key found for this client", "no session"),
    ],
)
def test_known_texts(service, text, meaning):
    assert shipped().errors(Service(service), errors(text), NUMBER) == meaning


@pytest.mark.parametrize(
    ("service", "text"),
    [
        ("PIS", f"This Bill Number {NUMBER}1 is rejected by SSU"),
        ("PIS", f"This Bill Number X{NUMBER} is rejected by SSU"),
        ("PIS", f"This Bill Number {NUMBER}/1 is rejected by SSU"),
        ("PIS", "This Bill Number PI-TE/2024-25/002955 is rejected by SSU"),
        ("PIS", "This Bill Number is rejected by SSU"),
        ("PIS", f"This Bill Number {NUMBER} is not rejected by SSU"),
        ("PIS", f"This Bill Number {NUMBER} is pending with SSU"),
        ("PIS", f"{NUMBER}: documents not attached, rejected by SSU Sample"),
        ("PIS", "Payment instruction not found for this bill"),
        ("PIS", "SSU user mapping not found"),
        ("PIS", "DDO code not found"),
        ("PIS", "Response not received from RBI e-Kuber"),
        ("PIS", f"Approval not received from SSU for Bill {NUMBER}"),
        ("PIS", "Bill not received in JIT-FS by the SSU yet"),
        ("PI", "Duplicate beneficiary"),
        ("PI", "No Duplicate Payment Information Id"),
        ("PI", f"JIT Bill No {NUMBER} already exists"),
        ("PI", "Bill not received in JIT-FS"),  # what PIS says
        ("PIS", "Duplicate Payment Information Id"),  # what PI says
        ("FTPS", "Bill not received in JIT-FS"),  # the revision, or its original?
        ("PI", ""),
        ("PI", "x" * 20_000),
    ],
)
def test_everything_else_means_nothing(service, text):
    assert shipped().errors(Service(service), errors(text), NUMBER) is None
    assert shipped().unmatched(Service(service), errors(text), NUMBER) == (text,)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("Paid by RBI eKuber,please check with your bank", Meaning.PAID),
        ("PAID BY RBI E-KUBER, please check with your bank.", Meaning.PAID),
        ("Paid and reversed by bank", None),
        ("Paid and returned by the bank", None),
        ("Credit reversed", None),
        ("Not paid by RBI eKuber,please check with your bank", None),
        ("Failed to Pay by RBI(Through e-Kuber) Late Ret", None),
        ("Paid", None),
        ("", None),
    ],
)
def test_payment_statuses(text, meaning):
    assert shipped().payment_status(Service.PD, text, NUMBER) is meaning
    assert shipped().payment_status(Service.FTPS, text, NUMBER) is meaning


def test_an_error_is_no_payment_status_and_a_payment_status_no_error():
    paid = "Paid by RBI eKuber,please check with your bank"
    assert shipped().errors(Service.PD, errors(paid), NUMBER) is None
    assert shipped().payment_status(Service.PD, "No valid session encryption key", NUMBER) is None


# What a template means, as one pattern: right, and never to be let loose on a text of the treasury.
DIGITS = r"\w*\d\w*(?: \w*\d\w*)*"
PATTERNS = {"id": rf"(?:[a-z]+ ){{0,2}}{DIGITS}", "number": DIGITS}


def as_one_pattern(template, bill):
    parts = []
    for position, part in enumerate(re.split(r"\{(\w*)\}", template)):
        if position % 2 == 0:
            parts += map(re.escape, normalised(part).split())
        elif part == "bill":
            parts.append(re.escape(normalised(bill)) if bill and normalised(bill) else r"(?!)")
        elif part == "rest":
            return " ".join(parts) + "(?: .*)?"
        else:
            parts.append(PATTERNS[part])
    return " ".join(parts)


WORDS = st.sampled_from(
    ["it", "waits", "7", "a1", "12b", "ab", "कि", "क1", "क1ि", "é9", "٣", "b/1", "pi/7", "ⅷ", "ab", "-"]
)


@given(
    parts=st.lists(st.one_of(WORDS, st.sampled_from(["{id}", "{number}", "{bill}"])), min_size=1, max_size=6),
    rest=st.booleans(),
    text=st.lists(WORDS, max_size=7),
    bill=st.sampled_from([None, "", "-", "7", "PI/7", "ab 1"]),
)
@example(["it", "waits", "{number}", "{number}"], False, ["it", "waits", "7", "a1", "12b"], None)
@example(["it", "waits", "{id}"], False, ["it", "waits", "ab", "ab", "7"], None)
@example(["it", "waits", "{id}", "{id}"], True, ["it", "waits", "7", "ab", "7"], None)
def test_a_template_means_what_its_pattern_does(parts, rest, text, bill):
    template, said = " ".join([*parts, *["{rest}"] * rest]), " ".join(text)
    try:
        known = phrase(template)
    except BadInputError:
        return
    expected = re.fullmatch(as_one_pattern(template, bill), normalised(said)) is not None
    assert known.matches(said, bill) is expected


def test_a_text_that_is_too_long_is_unknown_and_shown():
    book = shipped().with_site([phrase("It waits {rest}")])
    longest = "It waits " + "x" * (MAX_TEXT - 9)
    assert book.errors(Service.PIS, errors(longest), NUMBER) is Meaning.NO_NEWS
    assert book.errors(Service.PIS, errors(longest + "x"), NUMBER) is None
    assert book.unmatched(Service.PIS, errors(longest + "x"), NUMBER) == (longest + "x",)
    assert book.errors(Service.PI, errors(longest + "x", code="340"), NUMBER) is Meaning.CONTENT_ERROR


def test_errors_count_together():
    book, duplicate, unknown = shipped(), "Duplicate Payment Information Id", "nobody knows this"
    wrong = "Wrong IFSC provided in Beneficiary Details for BenefId BN/1"
    assert book.errors(Service.PI, errors(wrong, wrong + "2"), NUMBER) is Meaning.CONTENT_ERROR
    assert book.errors(Service.PI, errors(duplicate, unknown), NUMBER) is None
    assert book.unmatched(Service.PI, errors(duplicate, unknown), NUMBER) == (unknown,)
    assert book.errors(Service.PI, errors(duplicate, wrong), NUMBER) is None, "they mean different things"
    assert book.unmatched(Service.PI, errors(duplicate, wrong), NUMBER) == (duplicate, wrong)
    assert book.errors(Service.PI, (), NUMBER) is None


def test_the_codes_for_wrong_bank_data_count_whatever_their_words():
    for service, code in ((Service.PI, "340"), (Service.PI, "322"), (Service.COR, "322")):
        assert shipped().errors(service, errors("Sample words", code=code), NUMBER) is Meaning.CONTENT_ERROR
    assert shipped().errors(Service.PI, errors("Sample words", code="341"), NUMBER) is None
    assert shipped().errors(Service.PIS, errors("Sample words", code="340"), NUMBER) is None


def test_a_phrase_about_a_bill_is_about_none_where_no_bill_was_asked_about():
    assert shipped().errors(Service.PIS, errors(f"This Bill Number {NUMBER} is rejected by SSU X"), None) is None


def test_rows_of_different_meanings_make_a_text_unknown():
    book = Phrasebook([phrase("It waits {rest}"), phrase("It waits for {id}", Meaning.TRY_LATER)])
    assert book.errors(Service.PIS, errors("It waits for AB 12"), NUMBER) is None
    assert book.errors(Service.PIS, errors("It waits"), NUMBER) is Meaning.NO_NEWS


def test_a_site_s_rows_count_beside_the_shipped_ones():
    book = shipped().with_site([phrase("Bill {bill} waits for its SSU since {number}")])
    assert book.errors(Service.PIS, errors(f"Bill {NUMBER} waits for its SSU since 27/11/2026"), NUMBER) == "no news"
    assert book.errors(Service.PIS, errors("Bill not received in JIT-FS"), NUMBER) is Meaning.UNKNOWN_BILL
    assert shipped().errors(Service.PIS, errors(f"Bill {NUMBER} waits for its SSU since 27/11/2026"), NUMBER) is None


def test_what_a_text_would_not_mean_without_a_site_s_own_phrases():
    one = replace(phrase("It is back", Meaning.REJECTED), id=uuid.uuid4())
    other = replace(phrase("Bill not received in JIT FS {rest}", Meaning.UNKNOWN_BILL), id=uuid.uuid4())
    book = shipped().with_site([one, other])
    assert book.own(Service.PIS, errors("It is back", "it is BACK"), NUMBER) == {one.id}
    assert book.own(Service.PIS, errors("Bill not received in JIT-FS yet", "It is back"), NUMBER) == {one.id, other.id}
    assert book.own(Service.PIS, errors("Bill not received in JIT-FS"), NUMBER) == set(), "a shipped one says it, too"
    assert book.own(Service.PIS, errors("It is back"), None) == {one.id}
    assert book.own(Service.PI, errors("It is back"), NUMBER) == set()


@pytest.mark.parametrize(
    ("text", "meaning", "service", "told"),
    [
        ("{bill}", Meaning.NO_NEWS, Service.PIS, "too few words"),
        ("waits {rest}", Meaning.NO_NEWS, Service.PIS, "too few words"),
        ("...", Meaning.NO_NEWS, Service.PIS, "too few words"),
        ("{rest} waits here", Meaning.NO_NEWS, Service.PIS, "at the end only"),
        ("Bill {bill} {rest}", Meaning.UNKNOWN_BILL, Service.PIS, "beside another placeholder"),
        ("Not known: {bill}/{number}", Meaning.UNKNOWN_BILL, Service.PIS, "beside another placeholder"),
        ("Not known: {id} - {bill}", Meaning.UNKNOWN_BILL, Service.PIS, "beside another placeholder"),
        ("It waits {for} now", Meaning.NO_NEWS, Service.PIS, "{for}"),
        ("It is rejected", Meaning.REJECTED, Service.PAG, "a text of PAG can't mean rejected"),
        ("It is there", Meaning.DUPLICATE, Service.PIS, "can't mean duplicate"),
        ("It was paid", Meaning.PAID, Service.PIS, "can't mean paid"),
    ],
)
def test_what_can_t_be_a_phrase(text, meaning, service, told):
    with pytest.raises(BadInputError) as refused:
        phrase(text, meaning, service)
    assert told in str(refused.value)


def test_every_shipped_phrase_says_where_it_is_known_from():
    assert all(each.source.strip() for each in shipped().phrases)
    assert {service for each in shipped().phrases for service in each.services} == set(Service)
    assert set(MEANINGS) == set(Service)


def test_case_blanks_and_punctuation_do_not_count():
    assert normalised("  Paid by\tRBI e-Kuber,\nplease ") == "paid by rbi e kuber please"
    assert normalised("snake_case") == "snake case"


def test_the_vowel_signs_of_indian_scripts_count():
    refused, not_refused = "ଅଗ୍ରାହ୍ୟ ହୋଇଛି", "ଅଗ୍ରହ୍ୟ ହୋଇଛ"  # they differ by vowel signs alone
    assert normalised(refused) != normalised(not_refused)
    assert normalised("  देयक,\nअस्वीकृत। ") == "देयक अस्वीकृत"


@pytest.mark.parametrize(
    ("text", "template"),
    [
        (f"Bill {NUMBER} waits", "bill {bill} waits"),
        (f"Bill {NUMBER}1 waits", "bill pi te 2024 25 {number} waits"),
        ("Account 000012345678 is closed, error 17", "account {number} is closed error 17"),
        ("Account x000012345678y is closed", "account {number} is closed"),
    ],
)
def test_a_template_has_nothing_of_one_call_alone(text, template):
    assert template_of(text, NUMBER) == template


def test_bad_beneficiaries():
    text = "Wrong IFSC provided in Beneficiary Details for BenefId {}"
    found = (
        *errors(text.format("BN-TE/003535"), code="340"),
        *errors(text.format("BN-TE/003536."), code="322"),
        *errors(text.format("BN-TE/003537"), code="999"),
        *errors("no id here", code="340"),
        *errors(text.format("BN-TE/003538")),
    )
    assert bad_beneficiaries(found) == {
        "BN-TE/003535": text.format("BN-TE/003535"),
        "BN-TE/003536": text.format("BN-TE/003536."),
    }
    quoting = errors("BenefId BN-TE/003535, account 000012345678", code="340")
    assert bad_beneficiaries(quoting) == {"BN-TE/003535": "BenefId BN-TE/003535, account ********5678"}


def test_the_end_of_a_session():
    assert says_no_session("... NO VALID session encryption key found ...")
    assert not says_no_session("valid session")
