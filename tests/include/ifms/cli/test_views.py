"""`ifms views`: the page is what docs/views.md holds (its content: tests/include/ifms/reports/reads)."""

from ifms.cli import main


def test_the_page_is_printed(ledger, capsys):
    assert main(["views", "--dsn", ledger.dsn]) == 0
    assert "fund_register" in capsys.readouterr().out


def test_it_needs_a_ledger(refused, empty_database):
    assert refused("views", "--dsn", empty_database)
