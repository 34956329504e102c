"""The platform's services under their real paths; the control endpoints are in `control`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ifms_simulator import faults
from ifms_simulator.controls import json_response
from ifms_simulator.platform.accounts import Accounts
from ifms_simulator.platform.bills import Bills
from ifms_simulator.platform.cipher import Cipher
from ifms_simulator.platform.control import control_routes
from ifms_simulator.platform.envelope import Call, ServiceError, unhandled
from ifms_simulator.platform.ids import Ids
from ifms_simulator.platform.masters import Masters
from ifms_simulator.platform.payees import Payees
from ifms_simulator.platform.payments import Payments
from ifms_simulator.platform.sample import Sampler
from ifms_simulator.platform.state import STATE_TENANT, PlatformSettings, State
from ifms_simulator.rules import RuleBook
from ifms_simulator.store import Json, load

EFFECTS: Mapping[str, Mapping[str, type | tuple[type, ...]]] = {
    **faults.EFFECTS,
    "errors": {"code": str, "message": str},
    "drop_account": {"payees": list},
    "mask_account": {"payees": list},
}
"""`errors` refuses the call (idgen: with HTTP 200); the other two hide or mask the accounts of `payees`."""

_IDGEN = "idgen"
_ENC = "enc"


class Platform:
    """The platform with all its services."""

    def __init__(self, state: State, cities: int) -> None:
        self.state = state
        self.masters = Masters(state, cities)
        self.cipher = Cipher([STATE_TENANT])
        self.ids = Ids(state, self.masters)
        self.bills = Bills(state)
        self.payments = Payments(state, self.bills, self.ids)
        self.accounts = Accounts(state, self.cipher)
        self.payees = Payees(state)
        self.sampler = Sampler(state, self.masters, self.ids, self.bills, self.payments, self.accounts, self.payees)
        self.rules = RuleBook(state.store, (*self.services, _ENC), EFFECTS)

    @property
    def services(self) -> dict[str, tuple[str, int, Callable[[Call], Json]]]:
        """Each service by the name that rules and counters use: its path, its HTTP status, its work."""
        return {
            "user": ("/user/v1/_search", 200, self.payees.users),
            "user_details": ("/user/_details", 200, self.payees.user_of_token),
            "mdms": ("/egov-mdms-service/v1/_search", 200, self.masters.search),
            "bill_search": ("/expense/bill/v1/_search", 202, self.bills.search),
            "payment_create": ("/expense/payment/v1/_create", 201, self.payments.create),
            "payment_search": ("/expense/payment/v1/_search", 202, self.payments.search),
            "payment_update": ("/expense/payment/v1/_update", 202, self.payments.update),
            "calculator": ("/expense-calculator/v1/_search", 200, self.bills.calculated),
            "account": ("/bankaccount-service/bankaccount/v1/_search", 200, self.accounts.search),
            "individual": ("/individual/v1/_search", 200, self.payees.individuals),
            "organisation": ("/org-services/organisation/v1/_search", 200, self.payees.organisations),
            _IDGEN: ("/egov-idgen/id/_generate", 200, self.ids.generate),
            "audit": ("/audit-service/log/v1/_search", 200, self.accounts.audit),
            "localization": ("/localization/messages/v1/_search", 200, self.masters.messages),
        }

    def arrive(self) -> None:
        """Persist the writes that are due."""
        with self.state.store.transaction():
            for kind, payment in self.state.arrived():
                self.payments.persist(kind, payment)


def _service(platform: Platform, name: str, path: str, status: int, work: Callable[[Call], Json]) -> Route:
    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        rules = platform.rules.take(name)
        await _latency(platform)

        async def process() -> Response:
            platform.arrive()
            try:
                body = _object(raw)
                with platform.state.store.transaction():
                    platform.state.store.count(f"calls:{name}")
                    if "errors" in rules and name != _IDGEN:
                        options = rules["errors"].options
                        raise ServiceError((options.get("code", "SAMPLE_ERROR"), options.get("message", "A sample")))
                    reply = work(Call(body, request.query_params, rules))
            except ServiceError as error:
                return json_response(error.document(), error.status)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                # A body of a shape that the service's own code trips over: the tracer wraps it like this.
                return json_response(unhandled("NullPointerException", str(error)).document(), 400)
            return json_response(reply, status)

        return await faults.respond(rules, process)

    return Route(path, endpoint, methods=["POST"])


def _encryption(platform: Platform) -> list[Route]:
    """The encryption service: bare JSON, no RequestInfo, and the same shape back (digit-services.md §7)."""

    def decrypt(body: Json) -> Json:
        return platform.cipher.decrypt_tree(body)

    def encrypt(body: Json) -> Json:
        return [platform.cipher.encrypt_tree(each["tenantId"], each["value"]) for each in body["encryptionRequests"]]

    def route(path: str, work: Callable[[Json], Json]) -> Route:
        async def endpoint(request: Request) -> Response:
            raw = await request.body()
            rules = platform.rules.take(_ENC)
            await _latency(platform)

            async def process() -> Response:
                with platform.state.store.transaction():
                    platform.state.store.count(f"calls:{_ENC}")
                try:
                    return json_response(work(load(raw)))
                except ServiceError as error:
                    return json_response(error.document(), error.status)
                except (KeyError, TypeError, ValueError) as error:
                    return json_response(unhandled("HttpMessageNotReadableException", str(error)).document(), 400)

            return await faults.respond(rules, process)

        return Route(f"/egov-enc-service/crypto/v1/{path}", endpoint, methods=["POST"])

    return [route("_decrypt", decrypt), route("_encrypt", encrypt)]


async def _latency(platform: Platform) -> None:
    if platform.state.settings.latency_ms:
        await asyncio.sleep(float(platform.state.settings.latency_ms) / 1000)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = load(raw)
    except ValueError as error:
        raise unhandled("HttpMessageNotReadableException", str(error)) from error
    if not isinstance(body, dict):
        raise unhandled("HttpMessageNotReadableException", "the body is not an object")
    return body


def create_app(state: Path, *, cities: int = 27, bills_per_city: int = 3, seed: int = 1, **settings: Json) -> Starlette:
    """A platform on the state file `state`, with the first `cities` of the 27 sample cities (state tenant `od`).

    A city that is new gets `bills_per_city` approved bills (wage with 4 payees, purchase with deductions, supervision,
    and again) and, unless that is 0, one purchase bill that still awaits approval. Another `seed` gives other ids.
    `settings` are those of `PlatformSettings`, by name. Serve it with `ifms_simulator.serve`. Raises ValueError
    (TypeError for an unknown name) when something can't be.
    """
    platform = Platform(State(state, PlatformSettings(**settings), seed), cities)
    platform.sampler.fill(bills_per_city)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        platform.state.store.close()

    services = [
        _service(platform, name, path, status, work) for name, (path, status, work) in platform.services.items()
    ]
    newer_masters = _service(platform, "mdms", "/mdms-v2/v1/_search", 200, platform.masters.search)
    routes = [*services, newer_masters, *_encryption(platform), *control_routes(platform)]
    return Starlette(routes=routes, lifespan=lifespan)
