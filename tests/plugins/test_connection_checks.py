"""Only the connections that the DAGs use are tried, and each of them has its words on the page."""

from __future__ import annotations

from typing import get_args

import pytest

pytestmark = pytest.mark.airflow


def test_the_page_offers_exactly_what_can_be_tried(airflow_db: str):
    from ifms_airflow.api.messages import has
    from ifms_airflow.api.pages.connections import Chosen
    from ifms_airflow.connection_checks import CHECKS

    assert set(get_args(Chosen.model_fields["connection"].annotation)) == set(CHECKS)
    assert all(has(f"conn.{name}") for name in CHECKS)


def test_another_connection_is_not_tried(airflow_db: str):
    from ifms_airflow.connection_checks import check

    with pytest.raises(KeyError):
        check("airflow_db")


def test_one_that_is_not_stored_is_not_tried(airflow_db: str, monkeypatch: pytest.MonkeyPatch):
    from ifms_airflow.connection_checks import check

    monkeypatch.delenv("AIRFLOW_CONN_IFMS_KAFKA", raising=False)
    assert check("ifms_kafka").worked is None
