"""Settings that the environment gives, checked together: who mends one fault hears of the others, too."""

from __future__ import annotations

import os
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, model_validator

from ifms.errors import ConfigurationError


class FromEnvironment(BaseModel):
    """The base of classes whose fields name the environment variable that they are read from as `validation_alias`."""

    model_config = ConfigDict(frozen=True, validate_default=True)

    @classmethod
    def read(cls) -> Self:
        """Read the environment, as it is now. Raises ConfigurationError that names every fault, and shows no secret."""
        names = (str(each.validation_alias) for each in cls.model_fields.values())
        try:
            return cls.model_validate({name: os.environ[name] for name in names if name in os.environ})
        except ValidationError as error:
            raise ConfigurationError("; ".join(cls._faults(error))) from None

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, given: dict[str, Any]) -> dict[str, Any]:
        """What is blank is not set; blanks around a value count for a secret only."""
        secret = cls._secrets()
        stripped = {name: value if name in secret else str(value).strip() for name, value in given.items()}
        return {name: value for name, value in stripped.items() if value}

    @classmethod
    def _secrets(cls) -> set[str]:
        return {str(each.validation_alias) for each in cls.model_fields.values() if each.annotation is SecretStr}

    @classmethod
    def _faults(cls, error: ValidationError) -> list[str]:
        faults = []
        for each in error.errors(include_url=False):
            name = str(each["loc"][0]) if each["loc"] else cls.__name__
            what = each["msg"].removeprefix("Value error, ")
            if each["type"] == "missing":
                faults.append(f"{name} is missing")
            elif name in cls._secrets():
                faults.append(f"{name} (not shown): {what}")
            else:
                faults.append(f"{name} is {str(each['input'])[:40]!r}: {what}")
        return faults
