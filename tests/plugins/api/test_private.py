"""Where the pages, files and the API show a payee's name, mobile number or address: the name on a PI's own pages alone."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any
from urllib.parse import quote

import pytest
from support.adapter import Adapter
from support.every_page import NO_PAGES, addresses, routes

pytestmark = pytest.mark.airflow

__all__ = ["addresses"]

NAMED = {
    "viewer": {"/ifms/instruction", "/ifms/proposal"},
    "admin": {"/ifms/instruction", "/ifms/proposal", "/ifms/confirm"},
}
"""The pages that name payees: View PI, who is revised for who may act, as the user stories want it, and a proposal."""


def found_in(text: str, adapter: Adapter) -> set[str]:
    """What of payees is in a text."""
    [*rows] = adapter.rows("SELECT DISTINCT name, mobile, address FROM ifms.beneficiary")
    assert rows
    return {kind for row in rows for kind, value in row.items() if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text)}


def shown(answer: Any) -> str:
    """The text of an answer, of a workbook all of its parts."""
    if answer.content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
            return "\n".join(book.read(name).decode(errors="replace") for name in book.namelist())
    return str(answer.text)


@pytest.mark.tier("prove")  # each page for each of them
@pytest.mark.parametrize("role", NAMED)
def test_a_payee_is_named_on_the_pages_of_a_payment_instruction_alone(
    role: str, addresses: list[str], api: Any, adapter: Adapter, airflow_app: Any
):
    [paid] = adapter.rows("SELECT pi_number FROM ifms.payment_instruction WHERE pi_type = 'ORIGINAL' LIMIT 1")
    files = [f"{path}?number={quote(paid['pi_number'])}" for path in routes(airflow_app) if path.endswith(NO_PAGES)]
    browser = api(role, cookie=True)
    places: dict[str, set[str]] = {}
    answered = 0
    for address in [*addresses, *files]:
        answer = browser.get(address)
        answered += answer.status_code == 200
        if what := found_in(shown(answer), adapter):
            places.setdefault(address.partition("?")[0], set()).update(what)
    assert answered > 15
    assert places == dict.fromkeys(NAMED[role], {"name"})


def test_the_api_names_nobody(post: Any, addresses: list[str], adapter: Adapter):
    answer = post("pi/v1/_search", searchCriteria={"tenantId": "od.samplea"})
    assert answer.status_code == 200
    assert "PI-SA" in answer.text
    assert found_in(answer.text, adapter) == set()
