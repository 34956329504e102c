from decimal import Decimal

import pytest

from ifms_simulator.store import Store, canonical, dump, load


def test_money_keeps_its_decimals():
    assert dump({"amount": Decimal("900.00")}) == '{"amount":900.00}'
    assert load('{"amount":0.10}') == {"amount": Decimal("0.10")}


def test_equal_values_have_equal_canonical_texts():
    assert canonical({"a": 1, "b": {"c": 2, "d": 3}}) == canonical({"b": {"d": 3, "c": 2}, "a": 1})


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "NaN"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(ValueError, match="not JSON"):
        load(text)


def test_a_failed_transaction_leaves_nothing(tmp_path):
    store = Store(tmp_path / "state.sqlite3", "")

    def fail():
        with store.transaction():
            store.count("calls:PI")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.counters("calls:") == {}


def test_what_is_committed_is_there_after_reopening(tmp_path):
    store = Store(tmp_path / "new" / "state.sqlite3", "")
    with store.transaction():
        store.count("calls:PI", 3)
        store.store_settings({"latency_ms": 5})
    store.close()
    store = Store(tmp_path / "new" / "state.sqlite3", "")
    assert store.count("calls:PI") == 4
    assert store.stored_settings() == {"latency_ms": 5}
