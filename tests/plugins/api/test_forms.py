"""Where a form leads, also below a prefix, what it is answered when it is refused, and what its fields hold."""

from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Form, Request
from fastapi.testclient import TestClient

from ifms.errors import BadInputError, ConflictError
from ifms_airflow.api.forms import Reason, Token, see_other, status_of


def request(root: str = "") -> Request:
    return Request({"type": "http", "root_path": root})


def test_it_leads_to_a_page_of_ours_wherever_that_is():
    answer = see_other(request("/ifms"), "/instruction", {"number": "PI-1/2", "run": "a b&c"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/ifms/instruction?number=PI-1%2F2&run=a+b%26c")


@pytest.mark.parametrize("query", [None, {}])
def test_without_anything_to_say_the_address_ends_with_the_page(query: Any):
    assert see_other(request(), "/answers", query).headers["location"] == "/answers"


def test_what_is_filled_in_wrongly_is_told_from_what_stands_otherwise():
    assert (status_of(BadInputError("no reason")), status_of(ConflictError("settled before"))) == (400, 409)


@pytest.mark.parametrize(
    ("filled", "status"),
    [
        ({"token": "0a" * 16, "reason": "as told by the bank"}, 200),
        ({"token": "0a" * 16}, 200),
        ({"token": "0A" * 16}, 422),
        ({"token": "0a" * 15}, 422),
        ({}, 422),
        ({"token": "0a" * 16, "reason": "x" * 1001}, 422),
        ({"token": "0a" * 16, "reason": "no\x00text"}, 422),
    ],
)
def test_a_field_that_holds_something_else_is_refused(filled: dict[str, str], status: int):
    app = FastAPI()

    @app.post("/")
    def sent(token: Annotated[Token, Form()], reason: Annotated[Reason, Form()] = "") -> str:
        return token + reason

    assert TestClient(app).post("/", data=filled).status_code == status
