"""Settings from the environment: all faults in one sentence, and no secret in it."""

import pytest
from pydantic import Field, SecretStr, field_validator

from ifms.errors import ConfigurationError
from ifms.settings import FromEnvironment


class Sample(FromEnvironment):
    """A number, a text that must be there, and a secret."""

    number: int = Field(7, validation_alias="SAMPLE_NUMBER")
    text: str = Field(validation_alias="SAMPLE_TEXT")
    secret: SecretStr = Field(SecretStr(""), validation_alias="SAMPLE_SECRET")

    @field_validator("secret")
    @classmethod
    def _long(cls, secret: SecretStr) -> SecretStr:
        if len(secret.get_secret_value()) > 10:
            raise ValueError("it is too long")
        return secret


def test_all_faults_are_told_at_once_and_no_secret(monkeypatch):
    monkeypatch.setenv("SAMPLE_NUMBER", "many")
    monkeypatch.setenv("SAMPLE_SECRET", "a-secret-that-is-long")
    with pytest.raises(ConfigurationError) as told:
        Sample.read()
    said = str(told.value)
    assert "SAMPLE_NUMBER is 'many': " in said
    assert "SAMPLE_TEXT is missing" in said
    assert "SAMPLE_SECRET (not shown): it is too long" in said
    assert "a-secret" not in said


def test_what_is_blank_is_not_set_and_blanks_around_a_value_go(monkeypatch):
    monkeypatch.setenv("SAMPLE_NUMBER", "  ")
    monkeypatch.setenv("SAMPLE_TEXT", " x ")
    read = Sample.read()
    assert (read.number, read.text) == (7, "x")
