"""Control of the simulated treasury, in plain JSON: what a test sets up, and what it looks at afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import Route

from ifms_simulator.controls import as_object, as_objects, control, rule_routes
from ifms_simulator.store import Json
from ifms_simulator.treasury.state import Refused

if TYPE_CHECKING:
    from ifms_simulator.treasury.app import Treasury


def control_routes(treasury: Treasury) -> list[Route]:
    """All routes below /control."""
    desk = _Desk(treasury)
    return [
        *rule_routes(treasury.rules),
        control("public-key", "GET", desk.public_key),
        control("state", "GET", desk.state),
        control("arrivals", "GET", desk.arrivals),
        control("settings", "POST", desk.settings),
        control("settings", "GET", lambda _body, _request: treasury.state.change_settings({})),
        control("allotments", "POST", desk.allotments),
        control("failures", "POST", desk.failures),
        control("instructions", "POST", desk.instructions),
    ]


class _Desk:
    def __init__(self, treasury: Treasury) -> None:
        self._treasury = treasury

    def public_key(self, _body: Json, _request: Request) -> object:
        """The treasury's public key, base64 of DER SPKI."""
        return {"public_key": self._treasury.sessions.public_key}

    def state(self, _body: Json, request: Request) -> object:
        """Bills (`?bill=` for one, `?content=false` without what the PIs said), corrections, failures, funds, calls."""
        treasury, query = self._treasury, request.query_params
        content = query.get("content", "true") != "false"
        calls = treasury.state.store.counters("calls:")
        logins = calls.pop("AUTH", 0)
        return {
            "bills": treasury.bills.listed(query.get("bill"), content),
            "corrections": treasury.corrections.listed(content),
            "failures": treasury.failures.listed(),
            "funds": treasury.funds.listed(),
            "calls": calls,
            "logins": logins,
            "logins_refused": treasury.state.store.counters("logins-refused").get("", 0),
            "open_sessions": len(treasury.sessions),
        }

    def arrivals(self, _body: Json, _request: Request) -> object:
        """When calls arrived since it was started, and how many were under way at a time at most."""
        arrivals = self._treasury.arrivals
        return {"arrivals": list(arrivals.times), "most_at_once": arrivals.most_at_once}

    def settings(self, body: Json, _request: Request) -> object:
        """Change settings by name; `expire_sessions: true` ends all sessions now."""
        changes = dict(as_object(body))
        if changes.pop("expire_sessions", False):
            self._treasury.sessions.end_all()
        return self._treasury.state.change_settings(changes)

    def allotments(self, body: Json, _request: Request) -> object:
        """Define allotments, one or a list; with `only: true` nothing is derived for their codes besides."""
        return [self._treasury.funds.add(row) for row in as_objects(body)]

    def failures(self, body: Json, _request: Request) -> object:
        """Let payments fail, one order or a list."""
        return [row for each in as_objects(body) for row in self._treasury.failures.add(each, self._lookup)]

    def _lookup(self, number: str) -> tuple[str, list[str]] | None:
        bill = self._treasury.bills.find(number)
        if bill is not None:
            return bill.voucher_date, [row["benefId"] for row in bill.beneficiaries]
        correction = self._treasury.corrections.find(number)
        if correction is not None:
            return correction.voucher_date, [row["benefId"] for row in correction.rows]
        return None

    def instructions(self, body: Json, _request: Request) -> object:
        """Take in PIs (a list of params) without the wire, to fill the treasury for a benchmark."""
        treasury, accepted = self._treasury, 0
        with treasury.state.store.transaction():
            for params in as_objects(body):
                try:
                    treasury.bills.accept(params, params["beneficiaryDetails"])
                except Refused as refused:
                    raise ValueError(f"{params.get('jitBillNo')}: {refused}") from refused
                accepted += 1
        return {"accepted": accepted}
