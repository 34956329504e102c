import pytest

from ifms_simulator.rules import RuleBook
from ifms_simulator.store import Store

EFFECTS = {"latency": {"ms": int}, "lost_reply": {}}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "state.sqlite3", "")


@pytest.fixture
def book(store):
    return RuleBook(store, ("PI", "PIS"), EFFECTS)


def test_a_rule_matches_by_service_number_and_pattern(book):
    book.add({"service": "PI", "bill_number": "PI-1", "effect": "lost_reply"})
    book.add({"service": "*", "bill_pattern": "7$", "effect": "latency", "ms": 5})
    assert set(book.take("PI", ["PI-1"])) == {"lost_reply"}
    assert set(book.take("PIS", ["PI-1"])) == set()
    assert book.take("PIS", ["PI-7"])["latency"].options == {"ms": 5}
    assert set(book.take("PI")) == set()


def test_times_runs_out_also_over_a_restart(book, store):
    book.add({"service": "PI", "effect": "lost_reply", "times": 2})
    assert book.take("PI")
    again = RuleBook(store, ("PI", "PIS"), EFFECTS)
    assert [rule["times"] for rule in again.listed()] == [1]
    assert again.take("PI")
    assert not again.take("PI")
    assert RuleBook(store, ("PI", "PIS"), EFFECTS).listed() == []


def test_rules_can_be_dropped_one_by_one_and_all(book):
    first = book.add({"effect": "lost_reply"})
    book.add({"effect": "latency", "ms": 1})
    assert book.clear(first.id) == 1
    assert [rule["effect"] for rule in book.listed()] == ["latency"]
    assert book.clear() == 1


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"effect": "explode"}, "effect 'explode'"),
        ({"effect": "latency", "service": "XX"}, "service 'XX'"),
        ({"effect": "latency", "times": 0}, "times 0"),
        ({"effect": "latency", "seconds": 1}, "no option 'seconds'"),
        ({"effect": "latency", "ms": "1"}, "option ms"),
        ({"effect": "latency", "bill_pattern": "("}, "regular expression"),
        ({"effect": "latency", "bill_number": 3}, "bill_number"),
    ],
)
def test_a_misspelt_rule_is_refused(book, rule, text):
    with pytest.raises(ValueError, match=text):
        book.add(rule)
    assert book.listed() == []
