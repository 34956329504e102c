"""The keys of the treasury's connection from Airflow's secrets backend, and from Vault's transit, to a hook's keyring."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from support import vault as servers
from support.environment import REPO
from support.simulators import LOG_KEY, SIGNING_KEY, both

pytestmark = pytest.mark.airflow

HOOK = """
import json
from ifms_airflow.hooks import TreasuryHook
hook = TreasuryHook()
print(json.dumps([hook.keyring.sealer.key_id, hook.keyring.signer.key_id, hook.get_config().client_id, repr(hook.get_config())]))
"""


@pytest.fixture
def described(tmp_path):
    with both(tmp_path, platform={"cities": 1, "bills_per_city": 0}) as simulators:
        yield simulators.connections()["ifms_treasury"]


def test_a_secrets_backend_gives_the_connection_with_its_keys(described, tmp_path, airflow_db):
    """Airflow's LocalFilesystemBackend, in a process of its own, with no connection in the environment or database."""
    from ifms.sealing import Sealer
    from ifms.signing import Signer

    file = tmp_path / "connections.json"
    file.write_text(json.dumps({"ifms_treasury": described}))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_CONN_")} | {
        "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"connections_file_path": str(file)}),
        "PYTHONPATH": os.pathsep.join([str(REPO / "include"), str(REPO / "plugins")]),
    }
    done = subprocess.run(
        [sys.executable, "-c", HOOK], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    log_key, signing_key, client, shown = json.loads(done.stdout.splitlines()[-1])
    assert log_key == Sealer.from_config(LOG_KEY).key_id
    assert signing_key == Signer.from_config(SIGNING_KEY).key_id
    assert client == described["login"]
    for secret in (LOG_KEY, SIGNING_KEY, described["password"]):
        assert secret not in done.stdout + done.stderr + shown


def test_vault_unwraps_the_keys_of_a_connection(described, monkeypatch, caplog, capfd):
    pytest.importorskip(
        "hvac", reason="the package hvac is not installed here: pip install 'mukta-ifms-adapter[vault]'"
    )
    from ifms.errors import VaultError
    from ifms.sealing import Sealer, decode_key, key_fingerprint
    from ifms_airflow.hooks import TreasuryHook
    from ifms_airflow.hooks import treasury as module

    masked: list[str] = []
    monkeypatch.setattr(module, "mask_secret", masked.append)
    old = bytes([7]) * 32
    with servers.stand_in() as server:
        monkeypatch.setenv("VAULT_ADDR", server.address)
        monkeypatch.setenv("VAULT_TOKEN", server.token)
        wrapped = {
            "log_key": server.wrap(decode_key(LOG_KEY)),
            "signing_key": server.wrap(decode_key(SIGNING_KEY)),
            "old_log_keys": server.wrap(old),
        }
        monkeypatch.setenv(
            "AIRFLOW_CONN_IFMS_TREASURY", json.dumps(described | {"extra": described["extra"] | wrapped})
        )
        sealer = TreasuryHook().keyring.sealer
        assert sealer.key_id == Sealer.from_config(LOG_KEY).key_id
        assert sealer.open(Sealer(old, key_fingerprint(old)).seal(b"of an earlier time")) == b"of an earlier time"
        asked = len(server.asked)
        TreasuryHook().keyring.signer.sign(b"sample")
        assert len(server.asked) == asked, "once per process"
        assert {LOG_KEY, SIGNING_KEY} <= set(masked), "kept out of task logs like keys that were pasted"
        changed = {"signing_key": server.wrap(b"x" * 32)[:-8] + "AAAAAAA="}
        monkeypatch.setenv(
            "AIRFLOW_CONN_IFMS_TREASURY", json.dumps(described | {"extra": described["extra"] | changed})
        )
        with pytest.raises(VaultError, match=r"^connection 'ifms_treasury': signing_key can't be unwrapped: "):
            TreasuryHook().get_conn()
        worked, said = TreasuryHook().test_connection()
    assert not worked
    written = capfd.readouterr()
    for text in (caplog.text, said, written.out, written.err):
        assert LOG_KEY not in text
        assert server.token not in text
