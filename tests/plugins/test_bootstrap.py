"""What `python -m ifms_airflow.bootstrap` makes in Airflow, and what it leaves to people; its whole way: tests/deploy."""

import psycopg
import pytest

pytestmark = pytest.mark.airflow

POOL, OURS, THEIRS = "sample_pool", "sample_ours", "sample_theirs"


@pytest.fixture
def metadata(airflow_db):
    """Airflow's database; what these tests made is removed afterwards."""
    with psycopg.connect(airflow_db, autocommit=True) as connection:
        yield connection
        connection.execute("DELETE FROM slot_pool WHERE pool = %s", (POOL,))
        connection.execute("DELETE FROM connection WHERE conn_id IN (%s, %s)", (OURS, THEIRS))


def made(metadata):
    hosts = metadata.execute("SELECT conn_id, host FROM connection WHERE conn_id LIKE 'sample_%' ORDER BY 1").fetchall()
    slots = metadata.execute("SELECT slots FROM slot_pool WHERE pool = %s", (POOL,)).fetchone()
    return slots[0], dict(hosts)


def test_what_is_missing_is_made_what_is_ours_made_anew_what_people_edit_left(metadata):
    from ifms_airflow.bootstrap import prepare

    def order(slots, host):
        connection = {"conn_type": "postgres", "host": host}
        prepare({POOL: {"slots": slots, "description": "sample"}}, {OURS: connection}, {THEIRS: connection})

    order(3, "first.example")
    assert made(metadata) == (3, {OURS: "first.example", THEIRS: "first.example"})
    order(7, "second.example")
    assert made(metadata) == (3, {OURS: "second.example", THEIRS: "first.example"})
