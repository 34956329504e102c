"""Arguments: what stands after an option is its value, and never the next option."""

import pytest

from ifms.cli import main


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("cancel", "PI-1", "--reason", "--confirm", "PI-1"), "--reason"),
        (("log", "open", "1", "--reason", "--unmasked"), "--reason"),
        (("report", "fund_register", "--format", "--period", "all"), "--format"),
        (("report", "fund_register", "--format"), "--format"),
        (("settle", "PI-1", "--accepted", "--reason", "--", "x"), "--reason"),
    ],
)
def test_a_forgotten_value_does_not_swallow_the_next_option(capsys, arguments, named):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert f"{named}: it needs a value after it" in capsys.readouterr().err


@pytest.mark.parametrize("reason", ["- asked by phone", "-1", "--reason=--asked"])
def test_a_reason_may_begin_with_a_dash(refused, closed_port, reason):
    given = [reason] if reason.startswith("--reason=") else ["--reason", reason]
    dsn = f"postgresql://sample@127.0.0.1:{closed_port}/sample"
    assert str(closed_port) in refused("cancel", "PI-1", "--confirm", "PI-1", "--dsn", dsn, *given)


def test_a_name_is_not_abbreviated(capsys):
    with pytest.raises(SystemExit):
        main(["settle", "PI-1", "--accept", "--reason", "x"])
    assert "--accept" in capsys.readouterr().err
