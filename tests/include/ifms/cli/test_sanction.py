"""`ifms sanction`: nothing more is paid from a closed sanction, until somebody opens it again."""

import pytest

from ifms.cli import main


def run(capsys, ledger, *arguments):
    code = main(["sanction", *arguments, "--dsn", ledger.dsn])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_one_is_closed_listed_and_opened_again(ledger, capsys):
    sanction = str(ledger.fund(1000))
    ledger.fund(200, master="901")
    code, out, _ = run(capsys, ledger, "close", sanction, "--reason", " PIs on it\n are declined ")
    assert (code, out) == (0, "sanction 900 of od.samplea (2024-25) is closed: 1000.00 on it is not used\n")
    code, out, _ = run(capsys, ledger, "list")
    first, second, last = out.splitlines()
    assert first.startswith(
        f"{sanction}\tod.samplea\t2024-25\t999900000000000000000000001\tSAMPLEDDO01\t900\t1000.00\tclosed by "
    )
    assert first.endswith(": PIs on it are declined")
    assert second.endswith("\t901\t200.00\topen")
    assert (code, last) == (0, "2 sanction(s), 1 of them closed")
    assert run(capsys, ledger, "list", "--tenant", "od.sampleb")[1] == "0 sanction(s), 0 of them closed\n"
    code, out, _ = run(capsys, ledger, "open", sanction, "--reason", "the treasury pays from it")
    assert (code, out) == (0, "sanction 900 of od.samplea (2024-25) is open, with 1000.00\n")
    assert ledger.one("SELECT closed_at FROM ifms.sanction WHERE id = %s", sanction) is None
    with ledger.connect() as connection:
        rows = connection.execute(
            "SELECT closed, reason, person <> '' FROM ifms.sanction_closing ORDER BY id"
        ).fetchall()
    assert rows == [(True, "PIs on it are declined", True), (False, "the treasury pays from it", True)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("close", "{}", "--reason", " "), "needs a reason"),
        (("open", "{}", "--reason", "x"), "is open already"),
        (("close", "00000000-0000-0000-0000-000000000000", "--reason", "x"), "is not known here"),
    ],
)
def test_what_is_refused_changes_nothing(ledger, capsys, arguments, told):
    sanction = str(ledger.fund(1000))
    code, _, err = run(capsys, ledger, *(each.format(sanction) for each in arguments))
    assert (code, told in err) == (1, True)
    assert ledger.one("SELECT count(*) FROM ifms.sanction_closing") == 0
