"""A new log key without a stop: the connection first, then `ifms reseal` beside sweeps."""

import base64

import pytest
from support.failed import wage_bill
from support.simulators import LOG_KEY, SIGNING_KEY

from ifms.cli import main

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
NEW, NEW_SIGNING = bytes(range(1, 33)), bytes(range(2, 34))


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
    keys.write_text(f"{b64(NEW)}\n{LOG_KEY}\n")
    signing = tmp_path / "signing"
    signing.write_text(f"{b64(NEW_SIGNING)} {SIGNING_KEY}")
    files = ["--key-file", str(keys), "--signing-key-file", str(signing)]
    monkeypatch.setattr("support.simulators.LOG_KEY", b64(NEW))
    monkeypatch.setattr("support.simulators.SIGNING_KEY", b64(NEW_SIGNING))
    assert main(["reseal", "--dsn", paid.dsn, *files]) == 0
    out = capsys.readouterr().out
    assert out.count("0 left") == 3
    assert "payment_instruction.signature: 1 renewed" in out
    for service in ("PIS", "PAG", "PD"):
        paid.run(service)
    assert paid.statuses() == {"SUCCESSFUL": 1}
    paid.reconcile()
    monkeypatch.delenv("IFMS_LOG_KEY", raising=False)
    monkeypatch.delenv("IFMS_SIGNING_KEY", raising=False)
    for given, missing in (([], "--key-file"), (files[:2], "--signing-key-file")):
        assert main(["reseal", "--dsn", paid.dsn, *given]) == 1
        assert f"no key: give {missing}" in capsys.readouterr().err
