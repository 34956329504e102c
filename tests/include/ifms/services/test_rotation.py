"""The treasury's client secret and public key are changed while sweeps run: the next login takes the new ones."""

import sqlite3
from dataclasses import replace
from datetime import date

import pytest
from support.adapter import Adapter
from support.failed import wage_bill
from support.simulators import CLIENT_ID, Simulators

from ifms.errors import ConfigurationError, TreasuryLoginError
from ifms.treasury.client import TreasuryClient
from ifms.treasury.outcome import Answered, Unknown
from ifms.wire.fd import FdRequest

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
NEW_SECRET = "sample-secret-of-today"


@pytest.fixture
def successor(tmp_path, simulators):
    """The same treasury, its bills and all, with another key pair and another client secret."""
    import ifms_simulator.treasury
    from ifms_simulator.serve import running

    with sqlite3.connect(tmp_path / "treasury.db") as state:
        state.execute("DELETE FROM key_pair")
        state.execute("DELETE FROM session")
    app = ifms_simulator.treasury.create_app(tmp_path / "treasury.db", client_id=CLIENT_ID, client_secret=NEW_SECRET)
    with running(app) as address:
        reply = Simulators(address, simulators.platform, "").ask_treasury("GET", "public-key")
        assert reply["public_key"] != simulators.public_key
        yield Simulators(address, simulators.platform, reply["public_key"])


def test_a_sweep_that_began_with_the_old_ones_ends_red_and_the_next_one_goes_on(adapter, successor, simulators):
    for _ in range(3):
        wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    stale = Adapter(adapter.dsn, replace(successor, public_key=simulators.public_key))
    with pytest.raises(TreasuryLoginError):
        stale.run("PIS")
    assert adapter.statuses() == {"INITIATED": 3}  # nothing is changed by it
    fresh = Adapter(adapter.dsn, successor, {"client_secret": NEW_SECRET})
    for service in ("PIS", "PAG", "PD"):
        fresh.run(service)
    assert fresh.statuses() == {"SUCCESSFUL": 3}


def test_a_client_at_work_takes_the_new_ones_when_it_must_log_in_again(simulators, successor):
    """Its session ends, as it does when the treasury changes its keys: the connection is read anew, and it goes on."""
    old = simulators.treasury_config()
    new = replace(successor.treasury_config(), client_secret=NEW_SECRET)
    moved = replace(old, base_url=new.base_url)  # the address stays the same; here the successor has another port
    request = FdRequest(fin_year="2024", ext_app_name="MUKTA", voucher_date=date(2024, 6, 1))
    reads = []

    def renewed():
        reads.append(1)
        return new

    with TreasuryClient(old, renewed=renewed) as client:
        assert isinstance(client.call(request), Answered)
        assert not reads
        simulators.ask_treasury("POST", "settings", {"expire_sessions": True})
        object.__setattr__(client, "config", moved)
        assert isinstance(client.call(request), Answered)
        assert (client.logins, len(reads)) == (2, 1)


@pytest.mark.parametrize("trouble", [ConfigurationError("connection 'x': public_key is missing"), OSError("s3cret")])
def test_a_connection_that_can_not_be_read_anew_ends_the_sweep_and_leaks_nothing(simulators, trouble):
    request = FdRequest(fin_year="2024", ext_app_name="MUKTA", voucher_date=date(2024, 6, 1))

    def renewed():
        raise trouble

    with TreasuryClient(simulators.treasury_config(), renewed=renewed) as client:
        assert isinstance(client.call(request), Answered)
        simulators.ask_treasury("POST", "settings", {"expire_sessions": True})
        said = client.call(request)
        assert isinstance(said, Unknown)
        assert "no new login" in said.reason
        assert "s3cret" not in said.reason
        with pytest.raises(TreasuryLoginError):
            client.call(request)
