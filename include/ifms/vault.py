"""Keys that Vault (or OpenBao) wraps: a connection holds their ciphertext, which the transit engine opens.

Who reads the connection, its secrets backend or a backup of either has no key without Vault's word. The ciphertext's
plaintext is the key's bytes. Where Vault is, and who we are there, is said by the environment alone.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import time
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from ifms.errors import ConfigurationError, VaultError
from ifms.settings import FromEnvironment

TIMEOUT_SECONDS = 10
TRIES = 3
PAUSE_SECONDS = 0.5
_WRAPPED = re.compile(r"vault:v\d{1,9}:[A-Za-z0-9+/=]+", re.ASCII)
_KEY_BYTES = 32


class Vault(FromEnvironment):
    """Where Vault is and who we are there: a token, a file with one, or an AppRole's two files."""

    address: str = Field(validation_alias="VAULT_ADDR")
    token: SecretStr = Field(SecretStr(""), validation_alias="VAULT_TOKEN")
    namespace: str = Field("", validation_alias="VAULT_NAMESPACE")
    ca_bundle: str = Field("", validation_alias="VAULT_CACERT")
    token_file: str = Field("", validation_alias="IFMS_VAULT_TOKEN_FILE")
    role_id_file: str = Field("", validation_alias="IFMS_VAULT_ROLE_ID_FILE")
    secret_id_file: str = Field("", validation_alias="IFMS_VAULT_SECRET_ID_FILE")
    mount: str = Field("transit", validation_alias="IFMS_VAULT_MOUNT")
    key: str = Field("ifms", validation_alias="IFMS_VAULT_KEY")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        url = urlsplit(self.address)
        if url.scheme != "https" and not (url.scheme == "http" and _this_machine(url.hostname or "")):
            raise ValueError("VAULT_ADDR must be https://…, but on this machine: keys pass")
        if not (self.token.get_secret_value() or self.token_file or (self.role_id_file and self.secret_id_file)):
            raise ValueError(
                "none of VAULT_TOKEN, IFMS_VAULT_TOKEN_FILE, and IFMS_VAULT_ROLE_ID_FILE with "
                "IFMS_VAULT_SECRET_ID_FILE says who we are at Vault"
            )
        return self


def is_wrapped(text: str) -> bool:
    """Whether a text is Vault's ciphertext and no key."""
    return text.strip().startswith("vault:")


def unwrap(text: str, name: str) -> str:
    """The key that Vault wraps, in base64, opened once per process; of a shorter secret its text.

    A text that Vault has not wrapped is given back as it is. Raises VaultError, and ConfigurationError for settings
    that can't work, which name `name` and never a value.
    """
    if not is_wrapped(text):
        return text
    ciphertext = text.strip()
    if not _WRAPPED.fullmatch(ciphertext):
        raise VaultError(f"{name} begins like Vault's ciphertext, and is not like vault:v1:…")
    try:
        opened = _opened(Vault.read(), ciphertext)
    except VaultError as error:
        raise VaultError(f"{name} can't be unwrapped: {error}") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"{name} is wrapped by Vault: {error}") from None
    if len(opened) == _KEY_BYTES:
        return base64.b64encode(opened).decode()
    try:
        return opened.decode()
    except UnicodeDecodeError:
        raise VaultError(f"{name} can't be unwrapped: what Vault has wrapped is neither 32 bytes nor a text") from None


def unwrap_all(texts: Iterable[str], name: str) -> tuple[str, ...]:
    """Each of several keys, unwrapped."""
    return tuple(unwrap(each, name) for each in texts)


@lru_cache(maxsize=64)
def _opened(vault: Vault, ciphertext: str) -> bytes:
    try:
        import hvac  # an extra, and only who wraps keys needs it
    except ImportError:
        raise VaultError("the package hvac is not installed here: pip install 'mukta-ifms-adapter[vault]'") from None
    import requests

    for left in reversed(range(TRIES)):
        try:
            client = hvac.Client(
                vault.address,
                token=_secret(vault, vault.token_file) if vault.token_file else vault.token.get_secret_value(),
                namespace=vault.namespace or None,
                verify=vault.ca_bundle or True,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
            return _decrypted(client, vault, ciphertext)
        except (hvac.exceptions.VaultDown, hvac.exceptions.InternalServerError, requests.RequestException) as error:
            if not left:
                raise VaultError(f"Vault does not answer ({type(error).__name__}); see VAULT_ADDR") from None
            time.sleep(PAUSE_SECONDS)
        except (hvac.exceptions.Forbidden, hvac.exceptions.Unauthorized):
            raise VaultError(
                f"Vault refuses us; our token's policy must allow update on {vault.mount}/decrypt/{vault.key}"
            ) from None
        except (hvac.exceptions.VaultError, KeyError, TypeError, binascii.Error) as error:
            raise VaultError(
                f"Vault can't open it by the key {vault.key!r} of {vault.mount!r} ({type(error).__name__}): it was "
                "wrapped by another key, or changed, or our role is unknown there"
            ) from None
    raise AssertionError("the loop returns or raises")


def _decrypted(client: Any, vault: Vault, ciphertext: str) -> bytes:  # noqa: ANN401  (hvac has no types)
    if vault.role_id_file and not (vault.token_file or vault.token.get_secret_value()):
        role, secret = _secret(vault, vault.role_id_file), _secret(vault, vault.secret_id_file)
        client.auth.approle.login(role_id=role, secret_id=secret)
    answer = client.secrets.transit.decrypt_data(vault.key, ciphertext, mount_point=vault.mount)
    return base64.b64decode(answer["data"]["plaintext"], validate=True)


def _secret(vault: Vault, file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        name = next(
            field.validation_alias
            for field_name, field in Vault.model_fields.items()
            if getattr(vault, field_name) == file
        )
        raise VaultError(f"the file of {name} can't be read ({type(error).__name__})") from None


def _this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
