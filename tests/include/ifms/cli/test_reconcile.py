"""`ifms reconcile`: what it looks at, what it names, and the limits that it takes."""

from urllib.parse import urlsplit

from support.simulators import LOG_KEY, SIGNING_KEY

from ifms.cli import main


def test_reconcile_says_what_it_looked_at(ifms, ledger):
    ledger.fund(1000)
    done = ifms("reconcile", "--dsn", ledger.dsn)
    assert (done.returncode, done.stderr) == (0, "")
    assert "a sanction's allotted, reserved and spent amounts are" in done.stdout
    assert ledger.one("SELECT state FROM ifms.sweep_run WHERE service_id = 'RECONCILE'") == "success"


def test_reconcile_names_what_is_broken_and_ends_with_1(ifms, ledger):
    sanction = ledger.fund(1000)
    with ledger.connect() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ifms.sanction SET allotted_amount = 999, sanctioned_amount = 17")
    failed = ifms("reconcile", "--dsn", ledger.dsn)
    assert failed.returncode == 1
    assert str(sanction) in failed.stdout.replace("\n", "")
    assert "Pause ifms_pi" in failed.stdout
    assert failed.stderr.startswith("ifms: 1 problem(s), the first: balances_are_movements: ")
    assert failed.stderr.count("\n") == 1


def test_reconcile_finds_the_database_as_libpq_does(ledger, monkeypatch, capsys):
    parts = urlsplit(ledger.dsn)
    where = {"HOST": parts.hostname, "PORT": parts.port, "USER": parts.username, "PASSWORD": parts.password}
    for name, value in (where | {"DATABASE": parts.path.removeprefix("/")}).items():
        monkeypatch.setenv(f"PG{name}", str(value))
    assert main(["reconcile", "--pending-hours", "0.5"]) == 0
    assert "none" in capsys.readouterr().out


def test_reconcile_takes_a_limit_for_each_thing_that_waits(ledger, refused, capsys):
    ledger.payment(100)
    with ledger.connect() as owner:
        owner.execute(
            "UPDATE ifms.payment SET hold_code = 'BAD_PAYMENT', hold_message = 'sample',"
            " held_since = now() - interval '10 days'"
        )
    assert main(["reconcile", "--dsn", ledger.dsn]) == 1
    assert "payments_get_instructions: payment " in capsys.readouterr().err
    assert main(["reconcile", "--dsn", ledger.dsn, "--days", "held=11", "--days", "unfunded=0.5"]) == 0
    capsys.readouterr()
    assert "'pending' is no limit in days" in refused("reconcile", "--dsn", ledger.dsn, "--days", "pending=1")
    assert "the limit held must be" in refused("reconcile", "--dsn", ledger.dsn, "--days", "held=0")


def test_reconcile_checks_every_signature_when_it_has_the_keys(ledger, monkeypatch, capsys):
    ledger.fund(1000)
    pi, _ = ledger.instruct(*ledger.payment(400))
    with ledger.connect() as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE ifms.beneficiary SET mobile = '9000000099'")
        owner.execute("UPDATE ifms.payment_instruction SET updated_at = now() - interval '9 days'")
    assert main(["reconcile", "--dsn", ledger.dsn]) == 0
    assert "Signatures are not checked: $IFMS_LOG_KEY and" in capsys.readouterr().out
    monkeypatch.setenv("IFMS_LOG_KEY", LOG_KEY)
    monkeypatch.setenv("IFMS_SIGNING_KEY", f"{SIGNING_KEY}, {LOG_KEY}")
    assert main(["reconcile", "--dsn", ledger.dsn]) == 1
    said = capsys.readouterr()
    assert f"instructions_are_signed: PI {pi.pi_number}: its signature does not fit" in said.err
    assert "not checked" not in said.out


def test_reconcile_needs_a_ledger(refused, empty_database):
    assert "ifms migrate" in refused("reconcile", "--dsn", empty_database)
