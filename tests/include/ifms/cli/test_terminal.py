"""The person at the terminal: named by the system, and not steered by a foreign text."""

import os
import pwd

from ifms.cli.terminal import os_user, printable


def test_the_user_is_the_systems_word(monkeypatch):
    for variable in ("LOGNAME", "USER", "USERNAME"):
        monkeypatch.setenv(variable, "somebody-else")
    assert os_user() == pwd.getpwuid(os.getuid()).pw_name


def test_control_characters_are_not_printed():
    assert printable("a\x1b[2Jb\x07\nक") == "a\ufffd[2Jb\ufffd\nक"
