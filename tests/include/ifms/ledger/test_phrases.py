"""The site's own phrases, and the answers that nobody understands."""

import random

import psycopg
import pytest

from ifms.errors import BadInputError, ConflictError, WireError
from ifms.ledger import phrases
from ifms.wire.envelope import ReplyError, Service
from ifms.wire.phrasebook import Meaning, template_of

NUMBER = "PI-SA/2026-27/000001"


@pytest.fixture
def connection(ledger_dsn):
    with psycopg.connect(ledger_dsn) as opened:
        yield opened


def add(connection, text, meaning="no news", services=("PIS",), **changes):
    values = {"reason": "the treasury was asked", "added_by": "a tester"} | changes
    return phrases.add_phrase(connection, services, text, meaning, **values)


def means(connection, text, service=Service.PIS):
    return phrases.phrasebook(connection).errors(service, (ReplyError(None, text),), NUMBER)


def test_a_phrase_counts_at_once_and_until_it_is_withdrawn(connection):
    text = f"Bill {NUMBER} waits for its SSU"
    assert means(connection, text) is None
    added, _ = add(connection, "  Bill {bill} waits\tfor its SSU ")
    assert means(connection, text) is Meaning.NO_NEWS
    phrases.withdraw_phrase(connection, added, reason="it was wrong", withdrawn_by="another tester")
    assert means(connection, text) is None
    [row] = phrases.site_phrases(connection, withdrawn=True)
    assert (row.text, row.added_by, row.withdrawn_by) == ("Bill {bill} waits for its SSU", "a tester", "another tester")
    assert phrases.site_phrases(connection) == []
    add(connection, "Bill {bill} waits for its SSU", "try later")
    assert means(connection, text) is Meaning.TRY_LATER


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"reason": " "}, "needs a reason"),
        ({"added_by": ""}, "the name of who adds it"),
        ({"services": ("XX",)}, "'XX' is no service"),
        ({"services": ()}, "names no service"),
        ({"meaning": "maybe"}, "'maybe' is no meaning"),
        ({"meaning": "duplicate"}, "a text of PIS can't mean duplicate"),
        ({"text": "{rest}"}, "too few words"),
    ],
)
def test_what_is_no_phrase_is_refused(connection, changes, told):
    with pytest.raises(BadInputError) as refused:
        add(connection, **({"text": "It waits for its SSU"} | changes))
    assert told in str(refused.value)
    assert phrases.site_phrases(connection) == []


def test_a_text_has_one_meaning(connection):
    with pytest.raises(ConflictError, match="known already as 'unknown bill'"):
        add(connection, "Bill NOT received in JIT FS", "no news")
    add(connection, "It waits for its SSU")
    with pytest.raises(ConflictError, match="known already as 'no news'"):
        add(connection, "it waits, for its SSU.", "try later", ("PAG", "PIS"))


def test_what_is_withdrawn_is_one_that_counts(connection):
    added, _ = add(connection, "It waits for its SSU")
    with pytest.raises(BadInputError, match="needs a reason"):
        phrases.withdraw_phrase(connection, added, reason="", withdrawn_by="a tester")
    phrases.withdraw_phrase(connection, added, reason="wrong", withdrawn_by="a tester")
    with pytest.raises(BadInputError, match="there is no phrase"):
        phrases.withdraw_phrase(connection, added, reason="wrong", withdrawn_by="a tester")


def test_an_answer_is_counted_once_for_all_bills(connection):
    for number in range(3):
        bill = f"PI-SA/2026-27/00000{number}"
        phrases.note_unknown(connection, Service.PIS, [f"Bill {bill} is with the account 000012345678{number}"], bill)
    phrases.note_unknown(connection, Service.PD, ["something else"], None)
    first, second = sorted(phrases.unknown_answers(connection), key=lambda answer: answer.service_id, reverse=True)
    assert (first.service_id, first.template, first.times) == ("PIS", "bill {bill} is with the account {number}", 3)
    assert "12345678" not in first.sample
    assert (second.times, second.waiting) == (1, 0)


@pytest.mark.parametrize("first", ["\u4e00", "\U00020000"], ids=["three bytes", "four bytes"])
def test_a_long_answer_in_any_script_is_kept(connection, first):
    """Of letters in no order, so that PostgreSQL can't press them into its index."""
    chance = random.Random(7)
    letters = [chr(code) for code in range(ord(first), ord(first) + 20_000) if chr(code).isalpha()]
    text = "".join(chance.choices(letters, k=3000))
    for _ in range(2):
        phrases.note_unknown(connection, Service.PIS, [text], NUMBER)
    [kept] = phrases.unknown_answers(connection)
    assert kept.times == 2
    assert kept.sample == text[:1000]
    assert template_of(text, NUMBER).startswith(kept.template)
    assert len(kept.template) > 600


def test_a_phrase_explains_the_answers_that_it_matches_and_no_others(connection):
    phrases.note_unknown(connection, Service.PIS, [f"Bill {NUMBER} waits for order 1234567"], NUMBER)
    phrases.note_unknown(connection, Service.PIS, ["Bill waits for order 17"], NUMBER)
    phrases.note_unknown(connection, Service.PAG, [f"Bill {NUMBER} waits for order 1234567"], NUMBER)
    added, _ = add(connection, "Bill {bill} waits for order {number}")
    left = phrases.unknown_answers(connection)
    assert {(each.service_id, each.template) for each in left} == {
        ("PIS", "bill waits for order 17"),
        ("PAG", "bill {bill} waits for order {number}"),
    }
    phrases.withdraw_phrase(connection, added, reason="wrong", withdrawn_by="a tester")
    assert len(phrases.unknown_answers(connection)) == 3


def test_by_which_phrase_a_pi_has_ended_stays_on_record(ledger):
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(100))
    with psycopg.connect(ledger.dsn) as connection:
        added, _ = add(connection, "It waits for its SSU")
        for _ in range(2):
            phrases.note_ended(connection, pi.id, {added})
        assert connection.execute("SELECT phrase_id, payment_instruction_id FROM ifms.ended_by_phrase").fetchall() == [
            (added, pi.id)
        ]
        for statement in ("DELETE FROM ifms.ended_by_phrase", "UPDATE ifms.ended_by_phrase SET noted_at = now()"):
            with pytest.raises(psycopg.IntegrityError), connection.transaction():
                connection.execute(statement)
        withdrawn = phrases.withdraw_phrase(connection, added, reason="wrong", withdrawn_by="a tester")
        assert withdrawn == [], "it is PENDING, not FAILED"
        with pytest.raises(WireError, match="the phrase 'It waits for its SSU' was withdrawn meanwhile"):
            phrases.note_ended(connection, pi.id, {added})


def test_a_phrase_is_not_rewritten_and_nothing_is_forgotten(connection):
    add(connection, "It waits for its SSU")
    phrases.note_unknown(connection, Service.PD, ["something"], None)
    for statement in (
        "UPDATE ifms.phrase SET meaning = 'try later'",
        "UPDATE ifms.phrase SET text = 'x y'",
        "DELETE FROM ifms.phrase",
        "DELETE FROM ifms.unknown_answer",
    ):
        with pytest.raises(psycopg.IntegrityError), connection.transaction():
            connection.execute(statement)
