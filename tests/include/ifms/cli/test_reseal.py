"""A new log key without a stop: the connection first, then `ifms reseal` beside sweeps."""

import base64

import pytest
from support.failed import wage_bill

from ifms.cli import main

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
OLD = bytes(range(32))
NEW = bytes(range(1, 33))


def b64(key):
    return base64.b64encode(key).decode()


@pytest.fixture
def paid(adapter):
    """A PI that the treasury has."""
    wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    return adapter


def test_the_command_beside_sweeps_that_know_both_keys(paid, tmp_path, monkeypatch, capsys):
    """Rotation: the connection has the new key first; then the command; then the old key may go from the accounts."""
    keys = tmp_path / "keys"
    keys.write_text(f"{b64(NEW)}\n{b64(OLD)}\n")
    monkeypatch.setattr("support.simulators.LOG_KEY", b64(NEW))
    assert main(["reseal", "--dsn", paid.dsn, "--key-file", str(keys)]) == 0
    assert "0 left" in capsys.readouterr().out
    for service in ("PIS", "PAG", "PD"):
        paid.run(service)
    assert paid.statuses() == {"SUCCESSFUL": 1}
    monkeypatch.delenv("IFMS_LOG_KEY", raising=False)
    assert main(["reseal", "--dsn", paid.dsn]) == 1
    assert "no key" in capsys.readouterr().err
