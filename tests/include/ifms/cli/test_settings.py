"""The command line's secrets: from the environment as they are, and never shown."""

from ifms.cli.settings import KEY, LEGACY_SECRET, TOKEN, Settings


def test_secrets_are_taken_as_they_are_and_not_shown(monkeypatch):
    monkeypatch.setenv(KEY, "sample-key")
    monkeypatch.setenv(LEGACY_SECRET, " sample legacy ")
    monkeypatch.delenv(TOKEN, raising=False)
    told = Settings.read()
    assert told.log_key.get_secret_value() == "sample-key"
    assert told.legacy_log_secret.get_secret_value() == " sample legacy "
    assert told.platform_token.get_secret_value() == ""
    assert "sample" not in repr(told)
