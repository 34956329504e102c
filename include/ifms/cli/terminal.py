"""The person at the terminal: who it is, and what may be shown there."""

from __future__ import annotations

import os
import pwd
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def os_user() -> str:
    """Who runs this process: by the system, not by a variable that anybody can set."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def printable(text: str) -> str:
    """Without control characters: a foreign reply is not to steer the terminal."""
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)


def console() -> Console:
    """What tables are printed on; elsewhere than on a terminal rich would fold them at 80 columns."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160)
