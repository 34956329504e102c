"""Addresses of a ledger: no password in what is said of them."""

import pytest

from ifms.cli.database import check_address, connected
from ifms.errors import ConfigurationError

PASSWORD = "sample-password-17"


NO_ADDRESS = {
    "no colon": f"postgresql//sample:{PASSWORD}@127.0.0.1:1/sample",
    "another kind of database": f"mysql://sample:{PASSWORD}@127.0.0.1:1/sample",
    "a driver's address": f"postgresql+psycopg://sample:{PASSWORD}@127.0.0.1:1/sample",
    "a percent sign in the password": f"postgresql://sample:{PASSWORD}%zz@127.0.0.1:1/sample",
    "a port in words": f"postgresql://sample:{PASSWORD}@127.0.0.1:port/sample",
    "an unknown keyword": f"host=127.0.0.1 port=1 password={PASSWORD} usre=sample",
    "a keyword without value": f"password={PASSWORD} sample",
    "a quote left open": f"host=127.0.0.1 password='{PASSWORD}",
    "an @ in the password": f"postgresql://sample:sample@{PASSWORD}@127.0.0.1:1/sample",
}


@pytest.mark.parametrize("dsn", NO_ADDRESS.values(), ids=NO_ADDRESS.keys())
def test_an_address_that_can_not_be_read_is_not_repeated(refused, dsn):
    assert PASSWORD not in refused("migrate", "--dsn", dsn)


@pytest.mark.parametrize("dsn", ["", "host=localhost", "postgresql://sample:p%40ss@127.0.0.1:5432/ifms"])
def test_an_address_is_taken(dsn):
    check_address(dsn)


def test_a_database_without_a_ledger_says_what_to_do(empty_database):
    with pytest.raises(ConfigurationError, match="run `ifms migrate` first"), connected(empty_database) as db:
        db.transact(lambda connection: connection.execute("SELECT 1 FROM ifms.payment"))
