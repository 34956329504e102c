"""What `make run` says when it can't go on: one sentence, no traceback."""

from __future__ import annotations

from ifms.errors import IfmsError


class StandaloneError(IfmsError):
    """The text is one sentence for the person at the console: what is wrong, where, and what to do."""
