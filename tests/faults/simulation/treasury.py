"""The treasury in this process: the simulator's own desks and real cryptography, without a socket between.

`TreasuryLine` stands in for `ifms.treasury.transport.Transport`. What goes wrong on the line is what chance says; what
the treasury does with a request that arrived is the simulator's to say, and its books are what the checker believes.
What it says may be anything: it refuses what it has in other words, and knows nothing for a while of what it has.
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

from ifms.http import HttpReply, Progress, TransportError
from ifms_simulator import crypto
from ifms_simulator.rules import Rule
from ifms_simulator.store import dump_bytes, load
from ifms_simulator.treasury import messages
from ifms_simulator.treasury.app import Treasury
from ifms_simulator.treasury.sessions import EXPIRED, LoginRefused
from ifms_simulator.treasury.spoiled import seal, spoil
from ifms_simulator.treasury.state import State, TreasurySettings

WRONG_IFSC = "SMPL0000666"  # well-formed, and unknown to the treasury
MONEY = ("PI", "COR")

# What happens to a call, by weight. The names are those of the figures.
FAULTS = {
    "refused connection": 4,
    "reset before arrival": 3,
    "late arrival": 3,
    "lost reply": 8,
    "no memory for the reply": 2,
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
    "unknown_text": 2,
    "missing_field": 1,
    "stale reply": 2,
}
# What happens besides where money moves, and where the treasury is asked whether it has something.
MONEY_FAULTS = FAULTS | {"refused in other words": 16, "refused after acceptance": 5}
ENQUIRY_FAULTS = FAULTS | {"knows nothing": 20}
LOGIN_FAULTS = {
    "refused connection": 3,
    "lost reply": 2,
    "HTTP 503": 2,
    "login refused": 1,
    "garbage": 1,
}

# What the treasury says; what each truthfully means, people.py knows.
NOTHING = ("Request could not be processed", "Something went wrong", "Service is busy, kindly retry")
"""Say nothing about a bill, in words that nobody knows at first."""
TRY_LATER = "Internal Server Error. Please try after some time"
EXISTS = "JIT Bill No {bill} already exists"
"""Told of what the treasury has, and of nothing else."""
WRONG_BRANCH = "Wrong IFSC provided in Beneficiary Details for BenefId"
SENT_BACK = "Bill {bill} returned by SSU: documents not attached"
"""How some rejections are told."""
STATUSES = ("Paid and reversed by bank", "Payment under process at bank", "Sample text that nobody knows")
"""Payment statuses of PD and FTPS that say nothing of scrolls that are paid, or to be asked for again."""
UNKNOWN_BILL = {"PIS": "Bill not received in JIT-FS", "FTPS": "Correction Bill not received in JIT-FS"}
OTHER_NOT_FOUND = "SSU user mapping not found"
LONGEST_BLIND = 20 * 3600
"""So many seconds after a bill was taken nobody says any more that it is unknown: the rule is to ask a day apart."""
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
    late: list[tuple[str, Callable[[], object]]] = field(default_factory=list)
    """(bill, its arrival) of what is still on its way."""
    blind: dict[str, tuple[float, str]] = field(default_factory=dict)
    """Until when the treasury knows nothing of a bill that it has, and how it says so."""
    returned: set[str] = field(default_factory=set)
    """Bills of which the bank returns something."""
    in_other_words: dict[str, bool] = field(default_factory=dict)
    """Rejected bills, and whether that is told by SENT_BACK."""
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
            _, arrive = self.late.pop(self.world.random.randrange(len(self.late)))
            arrive()

    def knows(self, number: str) -> bool:
        """Whether the treasury has taken this bill or correction."""
        return self.treasury.bills.find(number) is not None or self.treasury.corrections.find(number) is not None

    def on_its_way(self, number: str) -> bool:
        """Whether this bill or correction may still arrive."""
        return any(number == each for each, _ in self.late)

    def accepted_at(self, number: str) -> float:
        """When the treasury took it, in epoch seconds."""
        found = self.treasury.bills.find(number) or self.treasury.corrections.find(number)
        assert found is not None
        return found.accepted_at


class TreasuryLine:
    """One client's way to the treasury."""

    office: Office

    def __init__(self, *_: object, **__: object) -> None:
        assert Process.current is not None
        self._process = Process.current
        self._world = self._process.world

    def close(self) -> None:
        """Nothing is open."""

    def post(self, url: str, headers: Mapping[str, str], body: str, progress: Progress | None = None) -> HttpReply:
        """What comes back. Raises TransportError, MemoryError or Killed."""
        progress = progress or Progress()
        progress.sent = False
        login = url.endswith("authenticate")
        service, named, deliver = (
            ("AUTH", "", self._login(headers, body)) if login else self._request(headers["authToken"], body)
        )
        what = f"{service} {named}".strip()
        self._process.seam(f"before a call of {service}")
        process, fault = self._process, ""
        if self._world.chance(process.level):
            fault = self._world.weighted(
                LOGIN_FAULTS
                if login
                else MONEY_FAULTS
                if service in MONEY
                else ENQUIRY_FAULTS
                if service in UNKNOWN_BILL
                else FAULTS
            )
            if not self._fits(fault, service, named):
                fault = "lost reply"
            self._world.fault(f"treasury: {fault}")
        self._world.event(f"{process.name}: {what}{f': {fault}' if fault else ''}")
        progress.sent = fault != "refused connection"
        try:
            return self._carry(fault, named, deliver)
        finally:
            process.seam(f"after a call of {service}")

    def _fits(self, fault: str, service: str, named: str) -> bool:
        """Whether a fault can happen to this call: a reply that names no bill can't be told from another's."""
        if fault == "knows nothing":
            return self.office.knows(named) and named not in self.office.blind
        if fault in ("other_bill", "stale reply", "unknown_text", "missing_field"):
            return service not in ("VA", "FD")
        return True

    def _carry(self, fault: str, named: str, deliver: Callable[[str], HttpReply]) -> HttpReply:
        match fault:
            case "refused connection":
                raise TransportError("ConnectionRefusedError: by chance", sent=False)
            case "reset before arrival":
                raise TransportError("ConnectionResetError: by chance", sent=True)
            case "late arrival":
                self.office.late.append((named, lambda: deliver("")))
                raise TransportError("no whole reply within 30 seconds", sent=True)
            case "lost reply":
                deliver("")
                raise TransportError("ConnectionResetError: by chance", sent=True)
            case "cut reply":
                deliver("")
                raise TransportError("IncompleteRead: by chance", sent=True, status=200)
            case "no memory for the reply":
                deliver("")
                raise MemoryError
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
            return HttpReply(200, dump_bytes({"authToken": token, "sek": seal(_spoiled(effect), key, sek)}))

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
            rules = self._rules(effect, service, named, params)
            if service == "PIS" and named not in self.office.returned and self._world.chance(0.04):
                rules["reject"] = Rule(0, service, "reject")
                self._world.fault("SSU rejection")
            reply = self._blind(effect, service, named) or self._in_other_words(
                service, named, treasury.answer(service, params, rules)
            )
            if effect == "other_bill":
                others = [number for which, number in self.office.told if which == service and number != named]
                if others:
                    rules["other_bill"].options["number"] = self._world.choose(others)
            if effect == "stale reply":
                reply = self.office.told.get((service, named), reply)
            elif not {"error", "error_after_acceptance"} & rules.keys():
                self.office.told[service, named] = reply
            reply = spoil(rules, reply)
            return HttpReply(200, seal(rules, rek, dump_bytes(reply)).encode())

        return service, named, deliver

    def _rules(self, effect: str, service: str, named: str, params: Mapping[str, Any]) -> dict[str, Rule]:
        """What the simulator makes of a fault, with its texts."""
        options: dict[str, Any] = {}
        match effect:
            case "":
                return {}
            case "error":
                options = {"errorMsg": self._world.choose(NOTHING)}
            case "missing_field":
                options = {"field": "benefId"}
            case "unknown_text" if service in ("PD", "FTPS") and self._world.chance(0.7):
                options = {"field": "paymentStatus", "text": self._world.choose(STATUSES)}
            case "refused in other words":
                effect, options = "error", self._other_words(named, params)
            case "refused after acceptance":
                effect, options = "error_after_acceptance", {"errorMsg": self._world.choose((TRY_LATER, *NOTHING))}
        return {effect: Rule(0, "*", effect, options=options)}

    def _other_words(self, named: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """A refusal, whatever the treasury has; only that it exists is never said of what it has not."""
        kind = self._world.choose(("nothing", "nothing", "later", "funds", "branch", "exists", "exists"))
        if kind == "exists" and self.office.knows(named):
            return {"errorMsg": EXISTS.format(bill=named)}
        if kind == "branch":
            rows = params.get("beneficiaryDetails") or params.get("beneficiaryDtls") or []
            return {"errorMsgs": [{"errorCode": "340", "errorMsg": f"{WRONG_BRANCH} {rows[0]['benefId']}"}]}
        return {"errorMsg": {"funds": "Insufficient fund", "later": TRY_LATER}.get(kind, self._world.choose(NOTHING))}

    def _blind(self, effect: str, service: str, named: str) -> dict[str, Any] | None:
        """What a status service says that knows nothing, of a bill that the treasury has; None when it knows."""
        office, now = self.office, self._world.clock.time()
        if effect == "knows nothing" and office.knows(named):
            until = now + self._world.choose((0, 3600, 8 * 3600, 30 * 3600))
            kinds = ("unknown", "unknown", "empty", "other")
            office.blind[named] = (until, self._world.choose(kinds))
        until, kind = office.blind.get(named, (0.0, ""))
        if service not in UNKNOWN_BILL or now > until or self._world.calm:
            return None
        self._world.fault(f"treasury: knows nothing ({kind})")
        if kind == "unknown" and now < office.accepted_at(named) + LONGEST_BLIND:
            return {"serviceId": service, "errorMsg": UNKNOWN_BILL[service], "data": []}
        if kind == "other":
            return {"serviceId": service, "errorMsg": OTHER_NOT_FOUND, "data": []}
        return {"serviceId": service, "errorMsg": None, "data": []}

    def _in_other_words(self, service: str, named: str, reply: dict[str, Any]) -> dict[str, Any]:
        """A rejection by the SSU in a frame that nobody knows, for some bills: then always so."""
        if service == "PIS" and "is rejected by SSU" in str(reply.get("errorMsg")):
            if named not in self.office.in_other_words:
                self.office.in_other_words[named] = self._world.random.random() < 0.4
            if self.office.in_other_words[named]:
                return {**reply, "errorMsg": SENT_BACK.format(bill=named)}
        return reply


def _spoiled(effect: str) -> dict[str, Rule]:
    return {effect: Rule(0, "*", effect)} if effect else {}
