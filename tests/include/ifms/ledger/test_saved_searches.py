"""Searches by name: each user has their own, and no more than can be looked through."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest
from support.ledger import Ledger

from ifms.errors import BadInputError
from ifms.ledger import saved_searches
from ifms.ledger.saved_searches import MOST, of, remove, save


def named(connection: psycopg.Connection, owner: str) -> dict[str, str]:
    return {each.name: each.query for each in of(connection, owner)}


def test_each_user_has_their_own(ledger: Ledger):
    with ledger.connect() as connection:
        save(connection, "one", "  Ward   7 ", "ward=W7")
        save(connection, "one", "late", "tab=open")
        save(connection, "two", "Ward 7", "ward=W7&city=od.sampleb")
        save(connection, "one", "late", "tab=pending")  # once more: the search of now
        assert list(named(connection, "one").items()) == [("late", "tab=pending"), ("Ward 7", "ward=W7")]
        [others] = of(connection, "two")
        remove(connection, "one", others.id)
        assert named(connection, "two") == {"Ward 7": "ward=W7&city=od.sampleb"}
        remove(connection, "two", others.id)
        remove(connection, "two", uuid4())
        assert named(connection, "two") == {}
        assert len(named(connection, "one")) == 2


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\u0007b"])
def test_a_name_that_is_none_is_refused(ledger: Ledger, name: str):
    with ledger.connect() as connection, pytest.raises(BadInputError, match="nothing was saved"):
        save(connection, "one", name, "tab=open")


def test_there_are_no_more_than_can_be_looked_through(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(saved_searches, "MOST", 2)
    with ledger.connect() as connection:
        save(connection, "one", "a", "")
        save(connection, "one", "b", "")
        with pytest.raises(BadInputError, match="remove one first"):
            save(connection, "one", "c", "")
        save(connection, "one", "b", "ward=W1")
        save(connection, "two", "c", "")
        assert named(connection, "one") == {"a": "", "b": "ward=W1"}
    assert MOST == 50
