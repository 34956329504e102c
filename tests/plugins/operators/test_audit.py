"""The audit's operator: it compares with the latest anchors alone, and writes none when something is wrong."""

from __future__ import annotations

import pytest

from ifms.errors import ReportTargetError

pytestmark = pytest.mark.airflow


def test_the_latest_anchors_are_read_by_name_and_nothing_else(tmp_path):
    from airflow.sdk import ObjectStoragePath

    from ifms_airflow.operators.audit import EARLIER, _latest

    for number in range(EARLIER + 3):
        (tmp_path / f"ifms_anchor_2026112{number // 10}T{number % 10}00000Z.json").write_text(str(number))
    (tmp_path / "another.json").write_text("x")
    (tmp_path / ".ifms_anchor_2.json.part").write_text("x")
    assert _latest(ObjectStoragePath(str(tmp_path))) == [str(number) for number in range(3, EARLIER + 3)]


def test_a_place_that_can_not_be_read_is_named(tmp_path):
    from airflow.sdk import ObjectStoragePath

    from ifms_airflow.operators.audit import _latest

    with pytest.raises(ReportTargetError, match="nowhere"):
        _latest(ObjectStoragePath(str(tmp_path / "nowhere")))
