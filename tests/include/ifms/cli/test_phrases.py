"""`ifms phrases`: what texts of the treasury mean to this site, said at a terminal."""

import pytest
from support.adapter import assert_money_is_right
from support.failed import wage_bill

from ifms.cli import main
from ifms.cli.terminal import os_user
from ifms.errors import SweepNeedsAttentionError
from ifms.wire.phrasebook import Meaning

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})

TEXT = "Bill {n} waits for its SSU\x1b[2J, 123456789012"
TEMPLATE = "bill {bill} waits for its ssu 2j {number}"


@pytest.fixture
def phrases(adapter, capsys):
    """Run `ifms phrases …`: the exit code and what was said."""

    def run(*arguments):
        code = main(["phrases", *arguments, "--dsn", adapter.dsn])
        said = capsys.readouterr()
        assert "\x1b" not in said.out + said.err
        return code, said.out if code == 0 else said.err

    return run


@pytest.fixture
def puzzled(adapter, treasury):
    """The number of an INITIATED PI about which PIS has said what nobody knows."""
    wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    [row] = adapter.rows("SELECT pi_number FROM ifms.payment_instruction")
    treasury.rule("PIS", "error", errorMsg=TEXT.format(n=row["pi_number"]))
    with pytest.raises(SweepNeedsAttentionError):
        adapter.run("PIS")
    return row["pi_number"]


def test_a_text_is_found_and_given_a_meaning_and_its_pi_goes_on(phrases, adapter, treasury, puzzled):
    code, said = phrases("unknown")
    assert code == 0
    assert "PIS  1 time(s)  1 PI(s) behind it\n" in said
    assert f"    {TEMPLATE}\n" in said
    assert "123456789012" not in said
    assert f"    {puzzled}\n" in said
    assert " IST\n" in said
    assert said.endswith("1 text(s) that nobody understands\n")
    given = ("--service", "pis", "--text", TEMPLATE, "--meaning", "Rejected", "--reason", "the treasury was asked")
    code, said = phrases("add", *given)
    assert code == 0
    phrase = said.split()[0]
    assert said == f"{phrase} counts from now on; 1 PI(s) are asked about again in their next sweep\n"
    assert phrases("unknown") == (0, "0 text(s) that nobody understands\n")
    code, said = phrases("add", *given)
    assert code == 1
    assert "is known already as 'rejected'" in said
    adapter.run("PIS")
    assert adapter.statuses() == {"FAILED": 1}
    assert_money_is_right(adapter, treasury)
    code, said = phrases("withdraw", phrase, "--reason", "it was wrong")
    assert said.splitlines()[1:] == [
        "1 PI(s) have FAILED by it, and the treasury may have them: ask it before anything is paid",
        f"    {puzzled}",
    ]


def test_a_phrase_is_listed_until_it_is_withdrawn(phrases, puzzled):
    given = ("--service", "PI", "--service", "COR", "--text", "The head is frozen", "--meaning", "content error")
    phrase = phrases("add", *given, "--reason", "a letter of the treasury")[1].split()[0]
    code, said = phrases("list")
    assert code == 0
    assert said.splitlines()[0] == f"{phrase}  COR, PI  content error"
    assert "    The head is frozen\n" in said
    assert f" by {os_user()}: a letter of the treasury\n" in said
    code, said = phrases("withdraw", phrase, "--reason", " ")
    assert (code, "needs a reason" in said) == (1, True)
    assert phrases("withdraw", phrase, "--reason", "it was wrong")[0] == 0
    assert phrases("list") == (0, "0 phrase(s) of this site\n")
    code, said = phrases("list", "--withdrawn")
    assert f" by {os_user()}: it was wrong\n1 phrase(s) of this site\n" in said
    code, said = phrases("withdraw", phrase, "--reason", "once more")
    assert (code, "there is no phrase" in said) == (1, True)
    code, said = phrases("withdraw", "17", "--reason", "x")
    assert (code, said) == (1, "ifms: '17' is no phrase's id: see `ifms phrases list`\n")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"--service": "XX"}, "'XX' is no service of the treasury"),
        ({"--meaning": "maybe"}, "'maybe' is no meaning"),
        ({"--meaning": "duplicate"}, "a text of PIS can't mean duplicate"),
        ({"--text": "{rest}"}, "too few words"),
        ({"--reason": " "}, "needs a reason"),
    ],
)
def test_what_is_no_phrase_is_refused_in_a_sentence(phrases, adapter, changes, told):
    given = {
        "--service": "PIS",
        "--text": "It waits for its SSU",
        "--meaning": "no news",
        "--reason": "asked",
    } | changes
    code, said = phrases("add", *(part for pair in given.items() for part in pair))
    assert code == 1
    assert said.startswith("ifms: ")
    assert told in said
    assert adapter.rows("SELECT * FROM ifms.phrase") == []


def test_the_help_names_every_meaning(capsys):
    with pytest.raises(SystemExit):
        main(["phrases", "add", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert ", ".join(Meaning) in said
