"""The schema comes up on an empty database, again on a full one, and holds the code's transitions."""

import psycopg

from ifms.ledger.migrate import migrate
from ifms.ledger.statuses import transition_rows


def test_migrates_twice_and_holds_the_transitions(empty_database):
    migrate(empty_database)
    migrate(empty_database)
    with psycopg.connect(empty_database) as connection:
        rows = connection.execute("SELECT * FROM ifms.status_transition").fetchall()
        versions = connection.execute("SELECT version_num FROM ifms.alembic_version").fetchall()
    assert set(rows) == transition_rows()
    assert len(versions) == 1
