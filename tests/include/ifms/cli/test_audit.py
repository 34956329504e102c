"""`ifms audit`: what it names, and the anchors that it writes and believes."""

import pytest
from support.databases import rewrite
from support.simulators import LOG_KEY, SIGNING_KEY

from ifms.cli import main


@pytest.fixture
def keys(monkeypatch):
    monkeypatch.setenv("IFMS_LOG_KEY", LOG_KEY)
    monkeypatch.setenv("IFMS_SIGNING_KEY", SIGNING_KEY)


def test_what_is_right_is_anchored_and_what_was_changed_is_named(ledger, keys, tmp_path, capsys):
    ledger.fund(1000)
    ledger.instruct(*ledger.payment(400))
    assert main(["audit", "verify", "--dsn", ledger.dsn]) == 0
    assert "2 links in 1 chain(s), 0 anchor(s)" in capsys.readouterr().out
    assert main(["audit", "anchor", "--to-folder", str(tmp_path), "--dsn", ledger.dsn]) == 0
    [file] = tmp_path.iterdir()
    assert str(file) in capsys.readouterr().out
    assert main(["audit", "verify", "--anchor", str(file), "--dsn", ledger.dsn]) == 0
    assert "the chain still has the links that were anchored" in capsys.readouterr().out
    rewrite(ledger.dsn, "UPDATE ifms.fund_movement SET amount = amount + 1 WHERE kind = 'RESERVE'")
    assert main(["audit", "verify", "--dsn", ledger.dsn]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "not as it was" in told


def test_an_anchor_needs_the_keys_and_is_not_believed_when_it_was_changed(
    ledger, keys, tmp_path, refused, monkeypatch, capsys
):
    ledger.fund(1000)
    assert main(["audit", "anchor", "--to-folder", str(tmp_path), "--dsn", ledger.dsn]) == 0
    capsys.readouterr()
    [file] = tmp_path.iterdir()
    file.write_text(file.read_text().replace('"number": 1', '"number": 2'))
    assert "can't be believed" in refused("audit", "verify", "--anchor", str(file), "--dsn", ledger.dsn)
    monkeypatch.delenv("IFMS_SIGNING_KEY")
    assert "IFMS_SIGNING_KEY" in refused("audit", "anchor", "--to-folder", str(tmp_path), "--dsn", ledger.dsn)
