"""The command line: what it does, and the sentence with which it says that it could not."""

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.mutations import fuzzed

from ifms.cli import main

ID = "00000000-0000-4000-8000-000000000001"


def test_help_waits_for_nothing_slow():
    """It is typed at a terminal, and Airflow's images check their build with it."""
    slow = ("pandas", "matplotlib", "sqlalchemy", "cryptography", "requests", "uvicorn", "airflow")
    code = f"import sys; from ifms.cli.main import application; application(); print([x for x in {slow} if x in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), ("migrate", "reconcile", "simulate")),
        (("migrate",), ("--dsn",)),
        (("reconcile",), ("--dsn", "--pending-hours", "--days")),
        (("failures",), ("list", "settle-transfer", "close-reported", "close-beneficiary")),
        (("failures", "settle-transfer"), ("--dsn", "--reason", "--paid", "--not-paid")),
        (("simulate",), ("treasury", "platform")),
        (("simulate", "treasury"), ("--state", "--port", "--client-id", "--latency-ms", "--allotment")),
        (("simulate", "platform"), ("--state", "--port", "--cities", "--bills-per-city", "--persist-ms")),
    ],
    ids=["ifms", "migrate", "reconcile", "failures", "settle-transfer", "simulate", "treasury", "platform"],
)
def test_help_names_every_option(capsys, arguments, options):
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])
    said = capsys.readouterr()
    assert ended.value.code == 0
    assert [option for option in options if option not in said.out] == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "COMMAND"),
        (("pay",), "'pay'"),
        (("simulate",), "treasury|platform"),
        (("simulate", "bank"), "'bank'"),
        (("simulate", "treasury"), "--state"),
        (("simulate", "platform", "--state", "x", "--cities", "many"), "'many'"),
        (("migrate",), "--dsn"),
        (("migrate", "--dsn"), "--dsn"),
        (("reconcile", "--pending-hours", "0"), "'0'"),
        (("reconcile", "--pending-hours", "a day"), "'a day'"),
        (("reconcile", "--pending-hours", "nan"), "'nan'"),
        (("reconcile", "--days", "initiated"), "'initiated'"),
        (("reconcile", "--days", "held=a week"), "'held=a week'"),
        (("failures", "close-reported", "7", "--reason", "x"), "'7'"),
        (("failures", "settle-transfer", ID, "--reason", "x"), "--paid or --not-paid"),
        (("failures", "settle-transfer", ID, "--reason", "x", "--paid", "--not-paid"), "--paid or --not-paid"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, tuple) else None,
)
def test_a_command_that_is_not_one_is_named(capsys, arguments, named):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert said.err.startswith("usage: ifms")
    assert named in said.err


@fuzzed
@given(
    st.lists(
        st.text(max_size=12) | st.sampled_from(["simulate", "treasury", "--port", "-1", "--help", "--"]), max_size=4
    )
)
def test_any_other_arguments_are_a_usage_error(arguments):
    assume("migrate" not in arguments)  # the address of a database is tried, not guessed
    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code in (0, 2)
