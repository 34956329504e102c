"""What a form asks before it proposes; what comes of it is in the tests of the pages."""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from support import second_person

pytestmark = pytest.mark.airflow


def test_what_is_needed_is_what_the_ledger_says(airflow_db: str, ledger_dsn: str):
    from ifms.ledger.proposals import Act
    from ifms_airflow.api import proposing

    @contextmanager
    def connection() -> Any:
        with psycopg.connect(ledger_dsn) as opened:
            yield opened

    reads: Any = SimpleNamespace(connection=connection)
    assert not proposing.needed(reads, Act.SETTLE)
    second_person.needed(ledger_dsn, above_amount=Decimal(100))
    assert proposing.needed(reads, Act.SETTLE)
    assert proposing.needed(reads, Act.CORRECTION, Decimal(101))
    assert not proposing.needed(reads, Act.CORRECTION, Decimal(100))
