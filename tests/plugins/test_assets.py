"""A bell rings only for a task that has it among its outlets."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.airflow


class Recorder:
    """Stands for the outlet events of a task."""

    def __init__(self) -> None:
        self.added: list[tuple[object, object]] = []

    def add(self, asset: object, extra: object = None) -> None:
        self.added.append((asset, extra))


@pytest.mark.parametrize("name", ["PAYMENTS", "ALLOTMENTS", "OUTBOX", "SETTLED"])
def test_a_bell_updates_its_asset_through_its_alias(name: str):
    from ifms_airflow import assets

    bell, recorder = getattr(assets, name), Recorder()
    bell.emit(
        {"task": SimpleNamespace(outlets=[bell.alias]), "outlet_events": {bell.alias: recorder}}, rows=2, rupees="7.50"
    )
    assert recorder.added == [(bell.asset, {"rows": 2, "rupees": "7.50"})]


def test_a_task_without_the_outlet_rings_nothing():
    from ifms_airflow.assets import ALLOTMENTS, PAYMENTS

    recorder = Recorder()
    PAYMENTS.emit(
        {"task": SimpleNamespace(outlets=[ALLOTMENTS.alias]), "outlet_events": {ALLOTMENTS.alias: recorder}}  # type: ignore[typeddict-item]
    )
    assert recorder.added == []


def test_names_that_others_rely_on():
    from ifms_airflow.assets import ALLOTMENTS, OUTBOX, PAYMENTS, SETTLED

    named = {
        (bell.asset.name, bell.asset.uri.rstrip("/"), bell.alias.name)
        for bell in (PAYMENTS, ALLOTMENTS, OUTBOX, SETTLED)
    }
    assert named == {
        ("ifms_outbox", "ifms://outbox", "ifms_outbox"),
        ("ifms_settled", "ifms://settled", "ifms_settled"),
        ("ifms_payments", "ifms://payments", "ifms_payments"),
        ("ifms_allotments", "ifms://allotments", "ifms_allotments"),
    }
