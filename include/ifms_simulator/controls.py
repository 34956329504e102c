"""The control endpoints that both simulators have, and how a control endpoint answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ifms_simulator.rules import RuleBook
from ifms_simulator.store import Json, dump_bytes, load


def json_response(value: object, status: int = 200) -> Response:
    """`value` as JSON."""
    return Response(dump_bytes(value), status_code=status, media_type="application/json")


def control(path: str, method: str, work: Callable[[Json, Request], object]) -> Route:
    """A control endpoint: `work` gets the body (None when empty); what it raises as ValueError is answered as 400."""

    async def endpoint(request: Request) -> Response:
        try:
            body = await request.body()
            return json_response(work(load(body) if body else None, request))
        except (ValueError, TypeError, KeyError) as error:
            return json_response({"error": str(error) or type(error).__name__}, 400)

    return Route(f"/control/{path}", endpoint, methods=[method])


def as_object(body: Json) -> dict[str, Any]:
    """The body as an object. Raises ValueError."""
    if not isinstance(body, dict):
        raise ValueError("the body is not a JSON object")
    return body


def as_objects(body: Json) -> list[dict[str, Any]]:
    """The body's objects: one, or a list. Raises ValueError."""
    rows = body if isinstance(body, list) else [body]
    return [as_object(row) for row in rows]


def rule_routes(rules: RuleBook) -> list[Route]:
    """GET, POST and DELETE /control/rules (DELETE with ?id= drops one), and GET /control/health."""

    def add(body: Json, _: Request) -> object:
        return [{"id": rule.id, **rule.document()} for rule in [rules.add(each) for each in as_objects(body)]]

    def drop(_: Json, request: Request) -> object:
        number = request.query_params.get("id")
        return {"dropped": rules.clear(int(number) if number else None)}

    return [
        control("rules", "POST", add),
        control("rules", "GET", lambda _body, _request: rules.listed()),
        control("rules", "DELETE", drop),
        control("health", "GET", lambda _body, _request: {"status": "up"}),
    ]
