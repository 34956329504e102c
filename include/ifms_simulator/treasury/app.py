"""The treasury's two endpoints, with real RSA and AES; the control endpoints are in `control`."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ifms_simulator import crypto, faults
from ifms_simulator.rules import RuleBook, Taken
from ifms_simulator.store import Json, dump_bytes, load
from ifms_simulator.treasury import messages
from ifms_simulator.treasury.bills import Bills
from ifms_simulator.treasury.control import control_routes
from ifms_simulator.treasury.corrections import Corrections
from ifms_simulator.treasury.failures import Failures
from ifms_simulator.treasury.funds import Funds
from ifms_simulator.treasury.sessions import EXPIRED, LoginRefused, Sessions
from ifms_simulator.treasury.spoiled import EFFECTS, seal, spoil
from ifms_simulator.treasury.state import Refused, State, TreasurySettings

LOGIN = "AUTH"
"""What rules and counters call the login."""

AUTHENTICATE = "/webservices/jitfs/v1.0/authenticate"
SERVICE_DATA = "/webservices/jitfs/v1.0/get-jit-service-data"

_SUBJECTS = ("jitBillNo", "billNo", "jitCorBillNo", "voucherDate", "ddoCode")


class Arrivals:
    """When HTTP calls arrived (epoch seconds, the last hundred thousand), and how many were here at a time at most."""

    def __init__(self) -> None:
        self.times: deque[float] = deque(maxlen=100_000)
        self.most_at_once = 0
        self._here = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """A call is here."""
        self.times.append(time.time())
        self._here += 1
        self.most_at_once = max(self.most_at_once, self._here)
        try:
            yield
        finally:
            self._here -= 1


class Treasury:
    """The treasury with all its desks."""

    def __init__(self, state: State, client_id: str, client_secret: str) -> None:
        self.state = state
        self.sessions = Sessions(state, client_id, client_secret)
        self.funds = Funds(state)
        self.bills = Bills(state, self.funds)
        self.failures = Failures(state, self.bills)
        self.corrections = Corrections(state, self.bills, self.failures)
        self.rules = RuleBook(state.store, (LOGIN, *messages.SERVICES), EFFECTS)
        self.arrivals = Arrivals()

    def subjects(self, params: dict[str, Any]) -> list[str]:
        """What a rule may name this call by: its bill, or the date or DDO that it asks about."""
        named = [params[name] for name in _SUBJECTS if isinstance(params.get(name), str)]
        if "billRefNo" in params and not named:
            named.append(self.bills.number_of_reference(str(params["billRefNo"])))
        return named

    def answer(self, service: str, params: dict[str, Any], rules: Taken) -> dict[str, Any]:
        """The reply to one request, before it is sealed; all effects are committed when this returns."""
        with self.state.store.transaction():
            self.state.store.count(f"calls:{service}")
            try:
                if "error" in rules:
                    return _reply(service, **rules["error"].options)
                rows = messages.checked(service, params, self.state.settings.correction_list_key)
                data = self._serve(service, params, rows, rules)
                if "error_after_acceptance" in rules:
                    return _reply(service, **rules["error_after_acceptance"].options)
                return _reply(service, errorMsg=None, data=data)
            except Refused as refused:
                return refusal(service, refused)

    def _serve(
        self, service: str, params: dict[str, Any], rows: list[dict[str, str]], rules: Taken
    ) -> list[dict[str, Any]]:
        match service:
            case "VA":
                return self.funds.search(params)
            case "PI":
                return self.bills.accept(params, rows)
            case "PIS":
                return self.bills.status(params, rules)
            case "PAG":
                return self.bills.advice(params)
            case "PD":
                return self.bills.details(params, rules)
            case "FD":
                return self.failures.search(params, rules)
            case "COR":
                return self.corrections.accept(params, rows)
            case "FTPS":
                return self.corrections.success(params, rules)
            case _:
                return self.corrections.failure(params, rules)


def refusal(service: str, refused: Refused) -> dict[str, Any]:
    """The reply that carries an error: errorMsg, or errorMsgs without an errorMsg, as the samples have it."""
    if refused.messages:
        texts = [{"errorCode": code, "errorMsg": text} for code, text in refused.messages]
        return _reply(service, errorMsgs=texts)
    return _reply(service, errorMsg=refused.message)


def _reply(service: str, data: list[dict[str, Any]] | None = None, **fields: Json) -> dict[str, Any]:
    # The sample of FTFPS has a leading blank in its serviceId (treasury-jit.md §1).
    return {"serviceId": " FTFPS" if service == "FTFPS" else service, **fields, "data": data or []}


class _Endpoints:
    """HTTP around the treasury."""

    def __init__(self, treasury: Treasury) -> None:
        self._treasury = treasury

    async def authenticate(self, request: Request) -> Response:
        """POST authenticate."""
        with self._treasury.arrivals.one():
            return await self._authenticate(request)

    async def service_data(self, request: Request) -> Response:
        """POST get-jit-service-data."""
        with self._treasury.arrivals.one():
            return await self._service_data(request)

    async def _authenticate(self, request: Request) -> Response:
        body = await request.body()
        rules = self._treasury.rules.take(LOGIN)
        await self._latency()

        async def process() -> Response:
            store = self._treasury.state.store
            try:
                given = load(body)
                key = given.get("appKey") if isinstance(given, dict) else None
                with store.transaction():
                    store.count(f"calls:{LOGIN}")
                    headers = request.headers
                    size = rules["sek_bytes"].options.get("bytes", 16) if "sek_bytes" in rules else 32
                    token, sek, app_key = self._treasury.sessions.log_in(
                        headers.get("clientId", ""), headers.get("clientSecret", ""), key, size
                    )
            except (LoginRefused, ValueError) as error:
                with store.transaction():
                    store.count("logins-refused")
                return JSONResponse({"errorMsg": str(error)}, status_code=401)
            return JSONResponse(spoil(rules, {"authToken": token, "sek": seal(rules, app_key, sek)}))

        return await faults.respond(rules, process)

    async def _service_data(self, request: Request) -> Response:
        body = await request.body()
        token = request.headers.get("authToken", "")
        sek = self._treasury.sessions.key_of(token)
        if sek is None:
            return _no_session()
        try:
            rek, content = _unsealed(sek, load(body))
        except ValueError as error:
            return JSONResponse({"errorMsg": f"The request can't be decrypted: {error}"}, status_code=400)
        await self._latency()
        try:
            service, params = messages.opened(content)
        except Refused as refused:
            return PlainTextResponse(seal({}, rek, dump_bytes(refusal("", refused))))
        rules = self._treasury.rules.take(service, self._treasury.subjects(params))
        if "expired_session" in rules:
            self._treasury.sessions.end(token)
            return _no_session()

        async def process() -> Response:
            reply = spoil(rules, self._treasury.answer(service, params, rules))
            return PlainTextResponse(seal(rules, rek, dump_bytes(reply)))

        return await faults.respond(rules, process)

    async def _latency(self) -> None:
        if self._treasury.state.settings.latency_ms:
            await asyncio.sleep(float(self._treasury.state.settings.latency_ms) / 1000)


def _no_session() -> Response:
    return JSONResponse({"errorMsg": EXPIRED}, status_code=401)


def _unsealed(sek: bytes, body: Json) -> tuple[bytes, Any]:
    """The call's own key and the request of a body. Raises ValueError."""
    if not isinstance(body, dict) or not all(isinstance(body.get(name), str) for name in ("params", "rek")):
        raise ValueError("params and rek are needed, both as base64")
    rek = crypto.decrypt(sek, crypto.from_base64(body["rek"]))
    if len(rek) != 32:
        raise ValueError("rek is not 32 bytes long")
    return rek, load(crypto.decrypt(sek, crypto.from_base64(body["params"])))


def create_app(
    state: Path,
    *,
    client_id: str = "sample-client",
    client_secret: str = "sample-secret",  # noqa: S107 - obviously a sample, and only the simulator's
    **settings: Json,
) -> Starlette:
    """A treasury on the state file `state`; `settings` are those of `TreasurySettings`, by name.

    Serve it with `ifms_simulator.serve`. Raises ValueError (TypeError for an unknown name) when a setting can't be.
    """
    treasury = Treasury(State(state, TreasurySettings(**settings)), client_id, client_secret)
    endpoints = _Endpoints(treasury)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        treasury.state.store.close()

    def post(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
        return Route(path, endpoint, methods=["POST"])

    routes = [
        post(AUTHENTICATE, endpoints.authenticate),
        post(SERVICE_DATA, endpoints.service_data),
        *control_routes(treasury),
    ]
    return Starlette(routes=routes, lifespan=lifespan)
