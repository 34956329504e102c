"""The records' hash chain: whole on a right ledger; whoever changes, takes out or puts in a record is found."""

import re
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import errors
from support import failed
from support.databases import as_worker, rewrite

from ifms.ledger.audit import CHAIN, find_changed, heads, not_anchored, record_action
from ifms.ledger.database import Database


def everything(adapter):
    """A bill is paid, another comes back and is paid anew, and people do this and that beside."""
    failed.paid_and_failed(adapter)
    failed.mend(adapter)
    for service in ("COR", "FTPS"):
        adapter.run(service)
    with psycopg.connect(as_worker(adapter.dsn)) as connection:
        record_action(
            connection, "sample-clerk", "export", "/ifms/register.csv", tenant_id="od.samplea", reason="sample"
        )
        connection.execute(
            """
            INSERT INTO ifms.started_run (dag_id, run_id, started_by, tenants, conf_sha256)
            VALUES ('ifms_pi', 'sample', 'sample-clerk', '{od.samplea}', sha256('sample'))
            """
        )
        connection.execute(
            """
            INSERT INTO ifms.sanction_closing (sanction_id, closed, reason, person)
            SELECT id, true, 'sample', 'sample-clerk' FROM ifms.sanction LIMIT 1
            """
        )
        connection.execute(
            """
            INSERT INTO ifms.call_access (call_id, source, os_user, unmasked)
            SELECT id, 'ledger', 'sample', false FROM ifms.treasury_call WHERE payment_instruction_id IS NOT NULL LIMIT 1
            """
        )
        connection.execute(
            """
            INSERT INTO ifms.phrase (services, text, meaning, reason, added_by)
            VALUES ('{PIS}', 'a sample of a text', 'WAITING', 'sample', 'sample-clerk')
            """
        )
        connection.execute(
            "UPDATE ifms.phrase SET withdrawn_at = now(), withdrawn_by = 'sample-other', withdrawn_reason = 'sample'"
        )


pytestmark = pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 1, "persist_ms": 0}, after=everything)


@pytest.fixture
def cycle(adapter):
    """The records of all that."""
    return adapter


def found(dsn):
    """What is wrong: the text of each row, by the name of its rule."""
    with Database(lambda: psycopg.connect(as_worker(dsn))) as db:
        return {finding.invariant.name: finding.rows for finding in db.read_snapshot(find_changed)}


def test_a_right_ledger_has_whole_chains_of_each_city_and_of_the_state(cycle):
    assert found(cycle.dsn) == {}
    with psycopg.connect(cycle.dsn) as connection:
        ends = heads(connection)
        linked = connection.execute(
            "SELECT source, event, count(*), count(DISTINCT chain) FROM ifms.audit_link GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall()
        records = dict(connection.execute("SELECT source, count(*) FROM ifms.linked_records() GROUP BY 1").fetchall())
    assert [head.chain for head in ends] == ["", "od.samplea", "od.sampleb"]
    assert {source for source, *_ in linked} == set(records) - {"call_removal", "restore_cleared"}
    for source, event, count, chains in linked:
        if source not in ("treasury_call", "phrase"):
            assert (event, count) == ("made", records[source]), source
        if source in ("sanction_closing", "call_access", "person_action", "started_run"):
            assert chains == 1, source
    of_city = {(source, event) for source, event, *_ in linked}
    assert {("treasury_call", "made"), ("treasury_call", "ended"), ("phrase", "made"), ("phrase", "ended")} <= of_city


CHANGED = {
    "amount of a movement": ("UPDATE ifms.fund_movement SET amount = amount + 1 WHERE {first}", "fund_movement"),
    "text of a log": ("UPDATE ifms.status_log SET message = 'sample' WHERE {first}", "status_log"),
    "time of a log": (
        "UPDATE ifms.status_log SET created_at = created_at - interval '1 ms' WHERE {first}",
        "status_log",
    ),
    "reply of a call": ("UPDATE ifms.treasury_call SET enc_response = 'x' WHERE {first}", "treasury_call"),
    "PI of a call": ("UPDATE ifms.treasury_call SET payment_instruction_id = NULL WHERE {first}", "treasury_call"),
    "who looked": ("UPDATE ifms.call_access SET os_user = 'another' WHERE {first}", "call_access"),
    "who did it": ("UPDATE ifms.person_action SET person = 'another' WHERE {first}", "person_action"),
    "who started it": ("UPDATE ifms.started_run SET started_by = 'another'", "started_run"),
    "who closed it": ("UPDATE ifms.sanction_closing SET person = 'another' WHERE {first}", "sanction_closing"),
    "meaning of a phrase": ("UPDATE ifms.phrase SET meaning = 'another' WHERE {first}", "phrase"),
    "who withdrew it": ("UPDATE ifms.phrase SET withdrawn_by = 'another' WHERE {first}", "phrase"),
}


@pytest.mark.parametrize("what", CHANGED)
def test_a_changed_record_is_named(cycle, what):
    statement, table = CHANGED[what]
    keyed = {"treasury_call": "payment_instruction_id IS NOT NULL AND outcome IS NOT NULL"}.get(table, "true")
    rewrite(cycle.dsn, statement.format(first=f"id = (SELECT id FROM ifms.{table} WHERE {keyed} ORDER BY id LIMIT 1)"))
    [(rule, rows)] = found(cycle.dsn).items()
    assert rule == "records_are_as_linked"
    assert all(row.startswith(f"{table} ") and "not as it was" in row for row in rows)
    assert len(rows) <= 2  # a call and a phrase have a link for their beginning, too


@pytest.mark.parametrize("table", ["fund_movement", "status_log", "treasury_call", "call_access", "person_action"])
def test_a_missing_record_is_named(cycle, table):
    rewrite(cycle.dsn, f"DELETE FROM ifms.{table} WHERE id = (SELECT min(id::text) FROM ifms.{table})::{_key(table)}")
    [(rule, rows)] = found(cycle.dsn).items()
    assert rule == "records_are_as_linked"
    assert all("is not there any more" in row for row in rows)


def _key(table):
    return "uuid" if table == "treasury_call" else "bigint"


def test_a_record_that_was_put_in_is_named(cycle):
    rewrite(
        cycle.dsn,
        "INSERT INTO ifms.status_log (tenant_id, payment_number, service_id, status, created_at)"
        " VALUES ('od.samplea', 'EP/SAMPLE', 'PI', 'STATUS_LOG_PI_SUCCESS', now() - interval '1 day')",
    )
    rewrite(
        cycle.dsn,
        "UPDATE ifms.treasury_call SET outcome = NULL WHERE id = (SELECT min(id::text)::uuid FROM "
        "ifms.treasury_call WHERE payment_instruction_id IS NOT NULL)",
    )
    names = found(cycle.dsn)
    assert "status_log" in names["records_are_linked"][0]
    assert "past the ledger's rules" in names["records_are_linked"][0]


FORGED = {
    "a link is taken out of the middle": "DELETE FROM ifms.audit_link WHERE chain = 'od.samplea' AND number = 3",
    "a link says another row": "UPDATE ifms.audit_link SET content = sha256('x') WHERE chain = 'od.samplea' AND number = 3",
    "a link says another time": "UPDATE ifms.audit_link SET linked_at = linked_at - interval '1 s' "
    "WHERE chain = 'od.samplea' AND number = 3",
    "a link has another hash": "UPDATE ifms.audit_link SET hash = sha256('x') WHERE chain = 'od.samplea' AND number = 3",
    "the first link is gone": "DELETE FROM ifms.audit_link WHERE chain = 'od.samplea' AND number = 1",
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_link_is_named(cycle, what):
    rewrite(cycle.dsn, FORGED[what])
    rows = found(cycle.dsn)["chain_is_whole"]
    assert rows[0].startswith(("link 2 ", "link 3 ", "link 4 "))
    assert "of od.samplea" in rows[0]


def test_a_chain_that_was_made_anew_or_cut_off_is_not_the_anchored_one(cycle):
    with psycopg.connect(cycle.dsn) as connection:
        before = heads(connection)
        assert not_anchored(connection, before) is None
    cycle.run("PIS")
    with psycopg.connect(cycle.dsn) as connection:
        assert not_anchored(connection, before) is None, "it goes on from there"
    rewrite(
        cycle.dsn, "DELETE FROM ifms.audit_link WHERE (chain, number) = (%s, %s)", [before[1].chain, before[1].number]
    )
    rewrite(
        cycle.dsn, "UPDATE ifms.audit_link SET hash = sha256('x') WHERE (chain, number) = ('', %s)", [before[0].number]
    )
    with psycopg.connect(cycle.dsn) as connection:
        finding = not_anchored(connection, before)
    assert finding is not None
    assert finding.rows == [
        f"link {before[0].number} of the state is not the one that was anchored",
        f"link {before[1].number} of od.samplea is not there",
    ]


def test_calls_that_were_kept_for_long_enough_may_go_and_that_is_a_record(cycle):
    rewrite(cycle.dsn, "UPDATE ifms.treasury_call SET shipped_at = now() WHERE service_id = 'VA'")
    rewrite(
        cycle.dsn, "UPDATE ifms.treasury_call SET created_at = created_at - interval '1 year' WHERE service_id = 'VA'"
    )
    with psycopg.connect(as_worker(cycle.dsn)) as connection:
        removed = connection.execute(
            "SELECT ifms.remove_old_calls(now() - interval '100 days', false, 1000)"
        ).fetchone()
    assert removed[0] > 0
    # Their links are younger here than calls of that age would be: so they are named, and all is well once they are old.
    assert "is not there any more" in found(cycle.dsn)["records_are_as_linked"][0]
    rewrite(cycle.dsn, "UPDATE ifms.call_removal SET made_before = now()")
    [(rule, rows)] = found(cycle.dsn).items()
    assert (rule, [row.split()[0] for row in rows]) == ("records_are_as_linked", ["call_removal"])
    [row] = cycle.rows("SELECT removed, database_user FROM ifms.call_removal")
    assert (row["removed"], row["database_user"]) == (removed[0], "sample_worker")


@pytest.mark.simulators
def test_many_at_once_make_one_chain(ledger_dsn):
    def write(number):
        def both(connection):
            for city in ("od.samplea", "od.sampleb"):
                record_action(connection, f"sample-{number}", "export", "sample", tenant_id=city)

        with Database(lambda: psycopg.connect(as_worker(ledger_dsn))) as db:
            for _ in range(20):
                db.transact(both)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert found(ledger_dsn) == {}
    with psycopg.connect(ledger_dsn) as connection:
        assert [(head.chain, head.number) for head in heads(connection)] == [("od.samplea", 80), ("od.sampleb", 80)]


@pytest.mark.simulators
def test_the_last_link_is_looked_up_and_not_searched_for(ledger_dsn):
    with psycopg.connect(as_worker(ledger_dsn)) as connection:
        for number in range(100):
            record_action(connection, "sample-clerk", "export", f"{number}", tenant_id="od.samplea")
    with psycopg.connect(ledger_dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        read = connection.execute(
            "SELECT seq_tup_read, idx_scan FROM pg_stat_user_tables WHERE relname = 'audit_link'"
        ).fetchone()
    assert read == (0, 100)


@pytest.mark.simulators
def test_who_works_writes_no_link_and_no_time(ledger_dsn):
    with psycopg.connect(as_worker(ledger_dsn), autocommit=True) as connection:
        for statement in (
            "INSERT INTO ifms.audit_link (chain, number, source, event, row_id, content, hash, linked_at)"
            " VALUES ('', 1, 'x', 'made', 'x', sha256('x'), sha256('x'), now())",
            "SELECT ifms.add_link('status_log', 'made', '1', '{}')",
            "INSERT INTO ifms.person_action (person, action, subject, acted_at) VALUES ('x', 'x', 'x', now())",
            "INSERT INTO ifms.person_action (person, action, subject, database_user) VALUES ('x', 'x', 'x', 'y')",
            "UPDATE ifms.person_action SET reason = 'x'",
            "INSERT INTO ifms.call_removal (made_before, unshipped_too, removed) VALUES (now(), true, 1)",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement.encode())


@pytest.mark.simulators
def test_what_the_triggers_link_is_what_is_verified(ledger_dsn):
    """Two lists of tables and events, in the migrations: a table that only one of them names is proved by nothing."""
    with psycopg.connect(ledger_dsn) as connection:
        linked = connection.execute(
            r"""
            SELECT relname::text, split_part(encode(tgargs, 'escape'), E'\\000', 1) FROM pg_trigger
            JOIN pg_class c ON c.oid = tgrelid WHERE tgfoid = 'ifms.link_row'::regproc
            """
        ).fetchall()
        [source] = connection.execute(
            "SELECT prosrc FROM pg_proc WHERE oid = 'ifms.linked_records'::regproc"
        ).fetchone()
    verified = {
        (re.search(r"SELECT '(\w+)'", part)[1], event)
        for part in source.split("UNION ALL")
        for event in re.findall("'(made|decided|ended)'", part)
    }
    assert ("proposal", "decided") in verified
    assert set(linked) == verified


def test_every_rule_says_what_to_do():
    assert len(CHAIN) == 3
    assert all(rule.meaning and rule.remedy and rule.query for rule in CHAIN)
