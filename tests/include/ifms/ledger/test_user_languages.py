"""A user's last choice of a language counts, and nobody else's."""

from __future__ import annotations

import psycopg
import pytest
from support.ledger import Ledger

from ifms.ledger import user_languages


def test_the_last_choice_of_a_user_counts(ledger: Ledger):
    with ledger.connect() as connection:
        assert user_languages.chosen(connection, "sample-user") is None
        for language in ("or", "or", "en"):
            user_languages.keep(connection, "sample-user", language)
            assert user_languages.chosen(connection, "sample-user") == language
        user_languages.keep(connection, "sample-other", "or")
        assert user_languages.chosen(connection, "sample-user") == "en"
        assert user_languages.chosen(connection, "SAMPLE-USER") is None


@pytest.mark.parametrize(("user", "language"), [("", "en"), ("sample-user", ""), ("sample-user", "English")])
def test_what_is_no_choice_is_refused(ledger: Ledger, user: str, language: str):
    with ledger.connect() as connection, pytest.raises(psycopg.errors.CheckViolation):
        user_languages.keep(connection, user, language)
