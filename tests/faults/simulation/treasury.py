"""The treasury in this process: the simulator's own desks and real cryptography, without a socket between.

`TreasuryLine` stands in for `ifms.treasury.transport.Transport`. What goes wrong on the line is what chance says; what
the treasury does with a request that arrived is the simulator's to say, and its books are what the checker believes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from faults.simulation.process import Process
from faults.simulation.world import World
from support.simulators import CLIENT_ID, CLIENT_SECRET

from ifms.treasury.transport import HttpReply, TransportError
from simulator import crypto
from simulator.rules import Rule
from simulator.store import dump_bytes, load
from simulator.treasury import messages
from simulator.treasury.app import Treasury
from simulator.treasury.sessions import EXPIRED, LoginRefused
from simulator.treasury.spoiled import seal, spoil
from simulator.treasury.state import State, TreasurySettings

WRONG_IFSC = "SMPL0000666"  # well-formed, and unknown to the treasury
MONEY = ("PI", "COR")

# What happens to a call, by weight. The names are those of the figures.
FAULTS = {
    "refused connection": 4,
    "reset before arrival": 3,
    "late arrival": 3,
    "lost reply": 8,
    "HTTP 503": 2,
    "HTTP 500 after acceptance": 3,
    "HTML": 1,
    "cut reply": 2,
    "cut ciphertext": 2,
    "garbage": 2,
    "bad_padding": 1,
    "wrong_key": 1,
    "other_bill": 2,
    "duplicate_rows": 2,
    "expired session": 3,
    "error": 2,
    "partial_scrolls": 2,
    "unknown_text": 1,
    "missing_field": 1,
    "stale reply": 2,
}
LOGIN_FAULTS = {
    "refused connection": 3,
    "lost reply": 2,
    "HTTP 503": 2,
    "login refused": 1,
    "garbage": 1,
}
_HTML = b"<html><body>Please come back later.</body></html>"


@cache
def key_pair() -> bytes:
    """The treasury's RSA key, made once per process: no event depends on it."""
    return crypto.KeyPair.generate().dump()


@dataclass
class Office:
    """The treasury and the post that is still on its way to it."""

    world: World
    treasury: Treasury
    late: list[Callable[[], object]] = field(default_factory=list)
    told: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """The last reply to each call about each bill."""

    @classmethod
    def open(cls, world: World, **settings: Any) -> Office:
        """A treasury with empty books."""
        state = State(Path(":memory:"), TreasurySettings(refused_ifsc=(WRONG_IFSC,), **settings))
        state.store.run("INSERT INTO key_pair VALUES (?)", key_pair())
        return cls(world, Treasury(state, CLIENT_ID, CLIENT_SECRET))

    def deliver_late(self) -> None:
        """What was thought lost arrives after all, in any order; nobody hears the answers."""
        while self.late:
            self.late.pop(self.world.random.randrange(len(self.late)))()

    def knows(self, number: str) -> bool:
        """Whether the treasury has taken this bill or correction."""
        return self.treasury.bills.find(number) is not None or self.treasury.corrections.find(number) is not None


class TreasuryLine:
    """One client's way to the treasury."""

    office: Office

    def __init__(self, **_: object) -> None:
        assert Process.current is not None
        self._process = Process.current
        self._world = self._process.world

    def close(self) -> None:
        """Nothing is open."""

    def post(self, url: str, headers: Mapping[str, str], body: str, progress: object = None) -> HttpReply:
        """What comes back. Raises TransportError, or Killed."""
        login = url.endswith("authenticate")
        service, named, deliver = (
            ("AUTH", "", self._login(headers, body)) if login else self._request(headers["authToken"], body)
        )
        what = f"{service} {named}".strip()
        self._process.seam(f"before a call of {service}")
        process, fault = self._process, ""
        if self._world.chance(process.level):
            fault = self._world.weighted(LOGIN_FAULTS if login else FAULTS)
            if not self._fits(fault, service, named):
                fault = "lost reply"
            self._world.fault(f"treasury: {fault}")
        self._world.event(f"{process.name}: {what}{f': {fault}' if fault else ''}")
        try:
            return self._carry(fault, deliver)
        finally:
            process.seam(f"after a call of {service}")

    def _fits(self, fault: str, service: str, named: str) -> bool:
        """Whether a fault can happen to this call at an honest treasury.

        It does not refuse for no reason what it has taken, or what is still on its way to it: no adapter could tell
        that from a refusal. A reply that names no bill can't be told from another's.
        """
        if fault == "error" and service in MONEY:
            return not self.office.knows(named) and not self.office.late
        if fault in ("other_bill", "stale reply", "unknown_text", "missing_field"):
            return service not in ("VA", "FD")
        return True

    def _carry(self, fault: str, deliver: Callable[[str], HttpReply]) -> HttpReply:
        match fault:
            case "refused connection":
                raise TransportError("ConnectionRefusedError: by chance", sent=False)
            case "reset before arrival":
                raise TransportError("ConnectionResetError: by chance", sent=True)
            case "late arrival":
                self.office.late.append(lambda: deliver(""))
                raise TransportError("no whole reply within 30 seconds", sent=True)
            case "lost reply":
                deliver("")
                raise TransportError("ConnectionResetError: by chance", sent=True)
            case "cut reply":
                deliver("")
                raise TransportError("IncompleteRead: by chance", sent=True, status=200)
            case "HTTP 503":
                return HttpReply(503, b"Service Unavailable")
            case "login refused":
                return HttpReply(401, b'{"errorMsg": "Invalid client id or client secret"}')
            case "HTTP 500 after acceptance":
                deliver("")
                return HttpReply(500, b"")
            case "HTML":
                deliver("")
                return HttpReply(200, _HTML)
            case "cut ciphertext":
                reply = deliver("")
                return HttpReply(reply.status, reply.body[: len(reply.body) // 2])
            case _:
                return deliver(fault)

    def _login(self, headers: Mapping[str, str], body: str) -> Callable[[str], HttpReply]:
        def deliver(effect: str) -> HttpReply:
            try:
                token, sek, key = self.office.treasury.sessions.log_in(
                    headers["clientId"], headers["clientSecret"], load(body)["appKey"]
                )
            except LoginRefused as error:
                return HttpReply(401, json.dumps({"errorMsg": str(error)}).encode())
            return HttpReply(200, dump_bytes({"authToken": token, "sek": seal(_rules(effect), key, sek)}))

        return deliver

    def _request(self, token: str, body: str) -> tuple[str, str, Callable[[str], HttpReply]]:
        """The service and the bill of a request, and what the treasury does with it once it arrives."""
        treasury, sessions = self.office.treasury, self.office.treasury.sessions
        sek = sessions.key_of(token)
        if sek is None:
            return "?", "", lambda _: HttpReply(401, json.dumps({"errorMsg": EXPIRED}).encode())
        sealed = load(body)
        rek = crypto.decrypt(sek, crypto.from_base64(sealed["rek"]))
        service, params = messages.opened(load(crypto.decrypt(sek, crypto.from_base64(sealed["params"]))))
        subjects = treasury.subjects(params)
        named = " ".join(subjects)

        def deliver(effect: str) -> HttpReply:
            if effect == "expired session":
                sessions.end(token)
            if sessions.key_of(token) is None:
                return HttpReply(401, json.dumps({"errorMsg": EXPIRED}).encode())
            rules = _rules(effect)
            if service == "PIS" and self._world.chance(0.04):
                rules["reject"] = Rule(0, service, "reject")
                self._world.fault("SSU rejection")
            reply = treasury.answer(service, params, rules)
            if effect == "other_bill":
                others = [number for which, number in self.office.told if which == service and number != named]
                if others:
                    rules["other_bill"].options["number"] = self._world.choose(others)
            if effect == "stale reply":
                reply = self.office.told.get((service, named), reply)
            elif effect != "error":
                self.office.told[service, named] = reply
            reply = spoil(rules, reply)
            return HttpReply(200, seal(rules, rek, dump_bytes(reply)).encode())

        return service, named, deliver


def _rules(effect: str) -> dict[str, Rule]:
    options = {"error": {"errorMsg": "Sample error of the treasury"}, "missing_field": {"field": "benefId"}}
    return {effect: Rule(0, "*", effect, options=dict(options.get(effect, {})))} if effect else {}
