"""What the environment tells the command line: secrets, which an argument would show to every user of the machine."""

from __future__ import annotations

from pydantic import Field, SecretStr

from ifms.settings import FromEnvironment

KEY = "IFMS_LOG_KEY"
LEGACY_SECRET = "IFMS_LEGACY_LOG_SECRET"  # noqa: S105  (the variable's name)
TOKEN = "IFMS_PLATFORM_TOKEN"  # noqa: S105


class Settings(FromEnvironment):
    """The command line's settings; each is empty when its variable is not set."""

    log_key: SecretStr = Field(SecretStr(""), validation_alias=KEY)
    """The connection's log_key, 32 bytes in base64; earlier ones behind it, separated by blanks, commas or lines."""

    legacy_log_secret: SecretStr = Field(SecretStr(""), validation_alias=LEGACY_SECRET)
    """The Java adapter's ifms.request.enc.secret, as it is written there."""

    platform_token: SecretStr = Field(SecretStr(""), validation_alias=TOKEN)
    """A token of the DIGIT platform's gateway."""
