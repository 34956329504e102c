"""What the environment tells the command line: secrets, which an argument would show to every user of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, SecretStr

from ifms.settings import FromEnvironment

if TYPE_CHECKING:
    from ifms.signing import Keyring

KEY = "IFMS_LOG_KEY"
SIGNING_KEY = "IFMS_SIGNING_KEY"
LEGACY_SECRET = "IFMS_LEGACY_LOG_SECRET"  # noqa: S105  (the variable's name)
TOKEN = "IFMS_PLATFORM_TOKEN"  # noqa: S105


class Settings(FromEnvironment):
    """The command line's settings; each is empty when its variable is not set."""

    log_key: SecretStr = Field(SecretStr(""), validation_alias=KEY)
    """The connection's log_key, 32 bytes in base64; earlier ones behind it, separated by blanks, commas or lines."""

    signing_key: SecretStr = Field(SecretStr(""), validation_alias=SIGNING_KEY)
    """The connection's signing_key, 32 bytes in base64; earlier ones behind it, as for the log key."""

    legacy_log_secret: SecretStr = Field(SecretStr(""), validation_alias=LEGACY_SECRET)
    """The Java adapter's ifms.request.enc.secret, as it is written there."""

    platform_token: SecretStr = Field(SecretStr(""), validation_alias=TOKEN)
    """A token of the DIGIT platform's gateway."""

    @property
    def keyring(self) -> Keyring | None:
        """What opens account numbers and checks signatures; None unless both keys are set."""
        from ifms import pasted, vault
        from ifms.sealing import Sealer
        from ifms.signing import Keyring, Signer

        log_keys, signing_keys = (pasted.split(key.get_secret_value()) for key in (self.log_key, self.signing_key))
        if not log_keys or not signing_keys:
            return None
        log_keys, signing_keys = vault.unwrap_all(log_keys, KEY), vault.unwrap_all(signing_keys, SIGNING_KEY)
        return Keyring(
            Sealer.from_config(log_keys[0], log_keys[1:]), Signer.from_config(signing_keys[0], signing_keys[1:])
        )
