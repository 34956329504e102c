"""What a Java adapter has done, once for all tests of the import, and a ledger that takes it over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import psycopg
import pytest
from support.adapter import Adapter, Treasury
from support.failed import TENANT, fail, mend, wage_bill
from support.java import JavaDatabase, masters_of
from support.java_rows import Rows
from support.simulators import both

from ifms import clock
from ifms.services.correction_order import Order
from ifms.sweep.scope import Scope

LIVE = ("INITIATED", "APPROVED", "IN PROCESS", "SUCCESSFUL", "PARTIAL", "COMPLETED", "NEXT", "AGAIN")
_numbers = count(1)


def _all_states(adapter, treasury):
    """A PI in each state, and revisions in each of theirs, at the treasury and in the adapter's ledger."""
    for _ in range(10):
        wage_bill(adapter, 2)
    for service in ("VA", "PA"):
        adapter.run(service)
    payments = [row["payment_number"] for row in adapter.rows("SELECT payment_number FROM ifms.payment ORDER BY 1")]
    bills = dict(zip((*LIVE, "REJECTED"), payments, strict=False))
    adapter.run("PI", Scope(payments=tuple(bills.values())))
    number = {
        state: adapter.rows("SELECT pi_number FROM ifms.payment_instruction WHERE payment_number = %s", payment)[0][
            "pi_number"
        ]
        for state, payment in bills.items()
    }
    treasury.rule("PIS", "reject", bill_number=number["REJECTED"])
    adapter.run("PIS", Scope(pi_numbers=tuple(number[s] for s in (*LIVE[1:], "REJECTED"))))
    adapter.run("PAG", Scope(pi_numbers=tuple(number[s] for s in LIVE[2:])))
    adapter.run("PD", Scope(pi_numbers=tuple(number[s] for s in LIVE[3:])))
    failed = [number[state] for state in ("PARTIAL", "COMPLETED", "NEXT", "AGAIN")]
    for each in failed:
        fail(adapter, 1, each)
    adapter.run("FD", Scope(until=datetime.now(UTC)))  # by the clock that is shown here, today may be tomorrow
    mend(adapter)
    for each in failed[1:]:
        adapter.correct(Order(TENANT, each))
    later = {
        r["parent_pi_number"]: r["pi_number"]
        for r in adapter.rows("SELECT * FROM ifms.payment_instruction WHERE pi_type = 'REVISED'")
    }
    adapter.run("FTPS", Scope(pi_numbers=(later[number["NEXT"]], later[number["AGAIN"]])))
    fail(adapter, 1, later[number["AGAIN"]])
    adapter.run("FTFPS", Scope(pi_numbers=(later[number["AGAIN"]],)))
    treasury.rule("PI", "error", errorMsg="DDO and SSUID configuration is missing")
    with pytest.raises(Exception, match="."):
        adapter.run("PI", Scope(payments=tuple(payments[len(bills) : len(bills) + 1])))
        raise AssertionError("a declined PI need not end a run red")
    treasury.clear()
    return number


class World:
    """What the Java adapter, as it were, has done: its database, the treasury and the platform of that time."""

    def __init__(self, adapter, treasury, database, server):
        self.adapter, self.treasury, self.database, self.server = adapter, treasury, database, server
        # The Java adapter told the treasury the UTC clock's time, so that is what it was told.
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(clock, "now", lambda: datetime.now(UTC) - timedelta(hours=5, minutes=30))
            self.number = _all_states(adapter, treasury)
        self.masters = masters_of(adapter)
        database.replace_all(adapter)
        self.names = []

    def restore(self):
        """As it was before a test has written into the Java adapter's database."""
        self.database.replace_all(self.adapter)

    def empty(self):
        """An empty ledger's DSN."""
        self.names.append(f"taken_over_{next(_numbers)}")
        self.server.create_database(self.names[-1], "ledger_template")
        return self.server.dsn(self.names[-1])


@pytest.hookimpl(tryfirst=True)  # before the root's, which looks at the groups
def pytest_collection_modifyitems(items):
    """It takes seconds to make: one of xdist's processes does."""
    for item in items:
        if "java_world" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("java_world"))


@pytest.fixture(scope="session")
def java_world(postgres, ledger_template, tmp_path_factory):
    postgres.create_database("java_adapter")
    postgres.create_database("java_history", ledger_template)
    with both(tmp_path_factory.mktemp("java"), platform={"cities": 1}) as simulators:
        database = JavaDatabase(postgres.dsn("java_adapter"))
        world = World(Adapter(postgres.dsn("java_history"), simulators), Treasury(simulators), database, postgres)
        yield world
        database.close()
        for name in (*world.names, "java_adapter", "java_history"):
            postgres.drop_database(name)


@pytest.fixture
def here(java_world):
    """The adapter on an empty ledger, before the import; the Java adapter's database is put right afterwards."""
    yield Adapter(java_world.empty(), java_world.adapter.simulators)
    if java_world.database.run("SELECT count(*) AS n FROM jit_payment_inst_details WHERE lastmodifiedby = 'test'")[0][
        "n"
    ]:
        java_world.restore()


@pytest.fixture(scope="module")
def all_rows(postgres, module_ledger_dsn):
    postgres.create_database("java_rules")
    database = JavaDatabase(postgres.dsn("java_rules"))
    with psycopg.connect(module_ledger_dsn, autocommit=True) as ledger:
        yield Rows(database, ledger)
    database.close()
    postgres.drop_database("java_rules")


@pytest.fixture
def rows(all_rows):
    yield all_rows
    all_rows.restore()
