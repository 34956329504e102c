import pytest

from ifms_simulator.settings import Settings
from ifms_simulator.store import Store
from ifms_simulator.treasury.state import TreasurySettings


def test_a_change_outlives_a_restart_and_wins_over_what_is_given(tmp_path):
    store = Store(tmp_path / "state.sqlite3", "")
    Settings(store, TreasurySettings()).change({"repeated_pi": "success"})
    again = Settings(store, TreasurySettings(repeated_pi="duplicate", pace_seconds=3))
    assert again.now.repeated_pi == "success"
    assert again.now.pace_seconds == 3


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"no_such": 1}, "no setting no_such"),
        ({"repeated_pi": "maybe"}, "repeated_pi 'maybe'"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"pace_seconds": "fast"}, "pace_seconds"),
        ({"allotment_additional": "1,000"}, "not an amount"),
    ],
)
def test_what_can_not_be_is_refused_and_nothing_changes(tmp_path, changes, text):
    settings = Settings(Store(tmp_path / "state.sqlite3", ""), TreasurySettings())
    before = settings.values()
    with pytest.raises(ValueError, match=text):
        settings.change(changes)
    assert settings.values() == before
