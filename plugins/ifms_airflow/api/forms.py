"""What the pages' forms share: a reason, a token, where one is sent afterwards, and how a refusal is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse
from pydantic import Field

from ifms.errors import BadInputError

Reason = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
Token = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
"""Names what a form starts: the same form sent twice starts it once."""


def see_other(request: Request, path: str, query: Mapping[str, object] | None = None) -> RedirectResponse:
    """On to a page of ours, wherever the app is mounted."""
    there = f"{path}?{urlencode(query)}" if query else path
    return RedirectResponse(f"{request.scope.get('root_path', '')}{there}", 303)


def status_of(error: Exception) -> int:
    """The status with which a form is shown again: it was filled in wrongly, or things stand otherwise by now."""
    return 400 if isinstance(error, BadInputError) else 409
